"""One writer per store, and what others can learn from its lock: who writes, and how far it is."""

import contextlib
import dataclasses
import errno
import json
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hofstadter.errors import StoreError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

# What file systems without locks answer; there, the user has to take care.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@dataclasses.dataclass(frozen=True)
class Lock:
    """A lock that this process holds.

    Attributes:
        descriptor: Of its file, or None where there are no locks.
    """

    descriptor: int | None

    def tell(self, progress: dict[str, Any]) -> None:
        """Let others know how far the work is."""
        if self.descriptor is not None:
            with contextlib.suppress(OSError):  # a full disk is noticed where results are saved
                data = f"{_owner()}\n{json.dumps(progress)}\n".encode()
                os.pwrite(self.descriptor, data, 0)
                os.ftruncate(self.descriptor, len(data))


@contextlib.contextmanager
def locked(store: Path) -> Iterator[Lock]:
    """Hold the lock of a store: a hidden file next to it, which the system frees when this process ends.

    Raises:
        StoreError: If another run holds it.
    """
    if fcntl is None:
        yield Lock(None)
        return
    path = _path(store)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(descriptor, 200).decode(errors="replace").partition("\n")[0]
            os.close(descriptor)
            if error.errno in _NO_LOCKS:
                yield Lock(None)
                return
            raise StoreError(
                f"Another run{f' ({owner})' if owner else ''} is writing to {store}. Wait for it, or end it."
            ) from None
        if _is_current(descriptor, path):
            break
        os.close(descriptor)  # its owner has just removed it
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{_owner()}\n".encode(), 0)
        yield Lock(descriptor)
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


@dataclasses.dataclass(frozen=True)
class Writer:
    """The run that writes to a store.

    Attributes:
        owner: Its process and machine, in words.
        age: Seconds since it last told how far it is.
        progress: What it told, or nothing yet.
    """

    owner: str
    age: float
    progress: dict[str, Any]


def find_writer(store: Path) -> Writer | None:
    """The run that writes to a store, as its lock tells; None if there is none, or it died on this machine."""
    path = _path(store)
    try:
        text, age = path.read_text(errors="replace"), time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return None
    owner, _, rest = text.partition("\n")
    words = owner.split()
    if len(words) == 4 and words[3] == platform.node() and words[1].isdigit() and not _is_alive(int(words[1])):
        return None
    try:
        progress = json.loads(rest)
    except ValueError:
        progress = {}
    return Writer(owner, max(age, 0.0), progress)


def _path(store: Path) -> Path:
    return store.with_name(f".{store.name}.lock")


def _owner() -> str:
    return f"process {os.getpid()} on {platform.node()}"


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is somebody else's
        pass
    return True


def _is_current(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
