"""What is computed in a sweep, in a form that other processes can do: a `Work`, its units, their outcomes."""

import contextlib
import dataclasses
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import jax
import xarray as xr

from hofstadter.eigensolver.pieces import out_of_memory
from hofstadter.errors import RunFileError
from hofstadter.flux import Flux
from hofstadter.io.config import RunFile
from hofstadter.io.layout import Point, Unit
from hofstadter.io.provenance import provenance
from hofstadter.models import cast

log = logging.getLogger(__name__)

# JAX says this once per program, whether it is compiled or loaded from the cache of compiled programs.
PROGRAM_EVENT = "/jax/core/compile/backend_compile_duration"
# Below this share of the memory that a run file allows, a matrix itself is too large.
LEAST_MEMORY = 2**-12

Progress = Callable[[int], None]
"""Is told how many points were just finished."""


@runtime_checkable
class Work(Protocol):
    """The same calculation at many points; plain data that can be pickled."""

    def compute(self, unit: Unit, points: Sequence[Point], progress: Progress | None) -> xr.Dataset:
        """Compute one unit; needs nothing but its arguments, so that it can run anywhere."""
        ...


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How the computation of a unit ended.

    Attributes:
        result: The dataset, or None if there was an error.
        error: What went wrong, in one line, or empty.
        seconds: Wall time.
        programs: How many programs were compiled, or loaded from the cache of compiled programs.
        surroundings: Versions and device.
    """

    result: xr.Dataset | None
    error: str
    seconds: float
    programs: int
    surroundings: dict[str, str]


@dataclasses.dataclass(frozen=True)
class RunFileWork:
    """The task of a run file."""

    run_file: RunFile

    def compute(self, unit: Unit, points: Sequence[Point], progress: Progress | None) -> xr.Dataset:
        """Compute one unit, with less memory where the device does not have what the run file allows."""
        model, parameters = self.run_file.at(unit.sweep)
        numerics = self.run_file.numerics
        fluxes = [point for point in points if isinstance(point, Flux)]
        model = cast(model, numerics.precision)
        while True:
            memory = numerics.memory_gb * _share.memory
            try:
                return self.run_file.task.compute(model, parameters, fluxes, memory_gb=memory, progress=progress)
            except jax.errors.JaxRuntimeError as error:
                if not out_of_memory(error) or _share.memory <= LEAST_MEMORY:
                    raise
                _share.memory /= 2
                log.warning("The device is out of memory; going on with %g GB.", numerics.memory_gb * _share.memory)


def compute_units(
    work: Work, units: Sequence[tuple[Unit, Sequence[Point]]], device: str, progress: Progress | None = None
) -> list[Outcome]:
    """Compute units one after the other; what fails does not stop the others.

    Args:
        work: The calculation.
        units: Units and their points.
        device: "cpu", "gpu" or "auto".
        progress: Is told about finished points.

    Raises:
        RunFileError: If there is no such device here.
    """
    outcomes = []
    with on_device(device):
        surroundings = provenance()
        for unit, points in units:
            start, programs = time.perf_counter(), _programs.count
            result, message = None, ""
            try:
                result = work.compute(unit, points, progress)
            except RunFileError:
                raise
            except Exception as error:
                log.info("unit %s failed", unit.index, exc_info=error)
                message = " ".join(f"{type(error).__name__}: {error}".split())
            seconds = time.perf_counter() - start
            outcomes.append(Outcome(result, message, seconds, _programs.count - programs, surroundings))
    return outcomes


@contextlib.contextmanager
def on_device(name: str) -> Iterator[None]:
    """Make JAX compute on a device: "cpu", "gpu", or "auto" for its own choice.

    Raises:
        RunFileError: If there is none.
    """
    try:
        device = None if name in ("auto", jax.default_backend()) else jax.devices(name)[0]
    except RuntimeError:
        raise RunFileError(f"`numerics.device` is {name}, but JAX finds no such device here.") from None
    with contextlib.nullcontext() if device is None else jax.default_device(device):
        yield


@dataclasses.dataclass
class _Share:
    """What this process has learned about its device: the part of a run file's memory that fits."""

    memory: float = 1.0


class _Programs:
    """Counts the programs that this process compiles or loads."""

    def __init__(self):
        self.count = 0
        jax.monitoring.register_event_duration_secs_listener(self._add)

    def _add(self, event: str, duration_secs: float, **kwargs: Any) -> None:
        self.count += event == PROGRAM_EVENT


_share = _Share()
_programs = _Programs()
