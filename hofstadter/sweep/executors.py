"""Where units of work are computed, behind one protocol: `submit` gives a future.

| name | computes | for |
|---|---|---|
| serial | in this process | one device, or several devices of one process |
| processes | in processes of this machine, one per GPU or group of cores | a workstation |
| dask | on a Dask cluster, its own or one with an address | several machines |
| slurm | in jobs of a SLURM cluster, each with many units | a cluster with a queue |
"""

import importlib
import types
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

NAMES = ("serial", "processes", "dask", "slurm")

# A calculation whose process died this often is given up: it is likely what kills them.
TRIES = 3


@runtime_checkable
class Executor(Protocol):
    """Computes calls, here or elsewhere.

    Attributes:
        local: Whether calls run in this process, so that they can report progress by calling back.
        batch_seconds: How long a call should take to be worth its start; zero for one unit per call.
    """

    local: bool
    batch_seconds: float

    @property
    def slots(self) -> int:
        """How many calls to have under way at the same time."""
        ...

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Start a call; the future gets its result or its exception."""
        ...

    def close(self) -> None:
        """End what is under way and let go of everything."""
        ...


class WorkerDied(RuntimeError):
    """The process that computed a call died, again and again."""


class SerialExecutor:
    """One call after the other, in this process; `submit` returns when the call is done."""

    local = True
    batch_seconds = 0.0
    slots = 1

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Compute now. Ctrl-C raises `KeyboardInterrupt`; other exceptions are kept in the future."""
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future

    def close(self) -> None:
        """Nothing is left to do."""


def make_executor(
    name: str,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    device: str = "auto",
    folder: Path | None = None,
    options: Mapping[str, Any] | None = None,
) -> Executor:
    """The executor with a name.

    Args:
        name: One of `NAMES`.
        workers: How many processes or jobs compute at the same time; by default one per GPU or core, for slurm 8.
        scheduler: Address of a Dask scheduler; for slurm "local" for processes of this machine in place of jobs.
        device: "cpu", "gpu" or "auto": what processes of this machine compute on.
        folder: Slurm only: where jobs keep their files, a folder that all machines see.
        options: Slurm only: parameters of jobs, such as {"slurm_partition": "gpu", "timeout_min": 120}.

    Raises:
        ValueError: If there is no such executor, what it needs is not installed, or an argument is not for it.
    """
    if name not in NAMES:
        raise ValueError(f"The executor {name!r} does not exist. Possible: {', '.join(NAMES)}.")
    if workers is not None and workers < 1:
        raise ValueError(f"Argument `workers` must be at least 1, but is {workers}.")
    for given, what, names in (
        (workers, "workers", NAMES[1:]),
        (scheduler, "scheduler", ("dask", "slurm")),
        (options, "options", ("slurm",)),
    ):
        if given and name not in names:
            raise ValueError(f"The executor {name!r} has no {what}; {' and '.join(names)} have.")
    if name == "serial":
        return SerialExecutor()
    if name == "processes":
        from hofstadter.sweep.processes import ProcessExecutor

        return ProcessExecutor(workers, device=device)
    if name == "dask":
        from hofstadter.sweep.dask_cluster import DaskExecutor

        return DaskExecutor(workers, scheduler, device=device)
    from hofstadter.sweep.slurm import SlurmExecutor

    return SlurmExecutor(workers, scheduler, folder=folder, options=options)


def import_optional(module: str, extra: str) -> types.ModuleType:
    """Import a package that is not always installed.

    Raises:
        ValueError: If it is not; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if error.name != module:
            raise
        raise ValueError(f"The package {module} is not installed: pip install 'hofstadter[{extra}]'.") from None
