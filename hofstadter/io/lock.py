"""One writer per store."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from hofstadter.errors import StoreError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

# What file systems without locks answer; there, the user has to take care.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextlib.contextmanager
def locked(store: Path) -> Iterator[None]:
    """Hold the lock of a store: a hidden file next to it, which the system frees when this process ends.

    Raises:
        StoreError: If another run holds it.
    """
    if fcntl is None:
        yield
        return
    path = store.with_name(f".{store.name}.lock")
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(descriptor, 200).decode(errors="replace").strip()
            os.close(descriptor)
            if error.errno in _NO_LOCKS:
                yield
                return
            raise StoreError(
                f"Another run{f' ({owner})' if owner else ''} is writing to {store}. Wait for it, or end it."
            ) from None
        if _is_current(descriptor, path):
            break
        os.close(descriptor)  # its owner has just removed it
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {os.uname().nodename}\n".encode())
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _is_current(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
