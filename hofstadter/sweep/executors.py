"""Where units of work are computed, behind one protocol: `submit` gives a future."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Executor(Protocol):
    """Computes calls, here or elsewhere.

    Attributes:
        slots: How many calls to have under way at the same time.
        local: Whether calls run in this process, so that they can report progress by calling back.
    """

    slots: int
    local: bool

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Start a call; the future gets its result or its exception."""
        ...


class SerialExecutor:
    """One call after the other, in this process; `submit` returns when the call is done."""

    slots = 1
    local = True

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Compute now. Ctrl-C raises `KeyboardInterrupt`; other exceptions are kept in the future."""
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


def make_executor(name: str) -> Executor:
    """The executor with a name.

    Raises:
        ValueError: If there is none.
    """
    if name == "serial":
        return SerialExecutor()
    planned = ("processes", "dask", "slurm")
    why = "is not available yet" if name in planned else "does not exist"
    raise ValueError(f"The executor {name!r} {why}. Use `serial`, which computes in this process.")
