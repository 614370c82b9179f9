"""Do a run file: compute what its store does not have yet, save it unit by unit."""

import contextlib
import dataclasses
import errno
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path

import jax
import numpy as np
import xarray as xr
from tqdm import tqdm

from hofstadter.errors import RunFileError, Status, StoreError
from hofstadter.flux import Flux
from hofstadter.io.config import RunFile
from hofstadter.io.layout import Unit
from hofstadter.io.lock import locked
from hofstadter.io.provenance import package_version, provenance
from hofstadter.io.store import DONE, FAILED
from hofstadter.io.writer import Store, open_for_run
from hofstadter.models import cast
from hofstadter.sweep.executors import Executor, SerialExecutor
from hofstadter.sweep.interrupt import interrupt_later
from hofstadter.sweep.plan import Plan, make_plan

log = logging.getLogger(__name__)

BAR = "{desc} {percentage:3.0f}% |{bar}| {elapsed} passed, {remaining} left"


@dataclasses.dataclass(frozen=True)
class Summary:
    """How a run ended.

    Attributes:
        path: Its store.
        points: All points, fluxes times sweep points.
        done: Points that are done, those of earlier runs included.
        computed: Points that this run computed.
        failures: A message for each unit that failed, in this run or an earlier one.
        stopped: Why the run ended before its time, or empty.
        interrupted: Whether the reason was Ctrl-C.
    """

    path: Path
    points: int
    done: int
    computed: int
    failures: tuple[str, ...]
    stopped: str = ""
    interrupted: bool = False


def run(
    run_file: RunFile,
    *,
    executor: Executor | None = None,
    overwrite: bool = False,
    retry_failed: bool = False,
    quiet: bool = True,
) -> Summary:
    """Do a run file, or go on with it.

    A unit that raises an exception is recorded as failed and the others go on. Killing the process loses the
    units under way and nothing else; the next call computes exactly what is missing.

    Args:
        run_file: What to do.
        executor: Where to compute; by default in this process.
        overwrite: Whether to replace a store that is there.
        retry_failed: Whether to compute again what failed before.
        quiet: Whether to show no progress bar.

    Raises:
        RunFileError: If the device that the run file asks for is not there.
        StoreError: If the store cannot be written, is in use, or belongs to another run file.
    """
    path = Path(run_file.output.store)
    plan = make_plan(run_file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _device(run_file.numerics.device), locked(path):
            store = open_for_run(
                path,
                plan.layout,
                run_file.identity,
                package_version(),
                text=run_file.text,
                overwrite=overwrite,
            )
            return _fill(run_file, plan, store, executor or SerialExecutor(), retry_failed, quiet)
    except OSError as error:
        raise StoreError(f"The store {path} cannot be written: {error.strerror or error}.") from error


def compute_unit(
    run_file: RunFile, unit: Unit, fluxes: Sequence[Flux], progress: Callable[[int], None] | None
) -> xr.Dataset:
    """Compute one unit; needs nothing but its arguments, so that it can run anywhere."""
    model, parameters = run_file.at(unit.sweep)
    numerics = run_file.numerics
    model = cast(model, numerics.precision)
    return run_file.task.compute(model, parameters, fluxes, memory_gb=numerics.memory_gb, progress=progress)


def _fill(run_file: RunFile, plan: Plan, store: Store, executor: Executor, retry_failed: bool, quiet: bool) -> Summary:
    """Compute and save all units that are missing."""
    before = store.unit_status
    finished = (DONE,) if retry_failed else (DONE, FAILED)
    missing = [unit for unit in plan.layout.units if before[unit.index] not in finished]
    stopped, interrupted = "", False
    if missing:
        try:
            store.add_provenance(provenance())
            _compute(run_file, plan, store, executor, missing, quiet)
        except KeyboardInterrupt:
            stopped, interrupted = "Interrupted.", True
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            reason = "The disk is full" if full else f"Saving failed ({error.strerror or error})"
            stopped = f"{reason}, so the run stopped; all that was saved in {store.path} is intact."
        with contextlib.suppress(OSError), interrupt_later():
            store.finish()
    return _summarize(plan, store, before, stopped, interrupted)


def _compute(run_file: RunFile, plan: Plan, store: Store, executor: Executor, missing: list[Unit], quiet: bool) -> None:
    """Keep the executor busy and save what it finishes."""
    total = sum(map(plan.unit_work, plan.layout.units))
    initial = total - sum(map(plan.unit_work, missing))
    queue = iter(missing)
    under_way: dict[Future[xr.Dataset], tuple[Unit, _Meter]] = {}
    with tqdm(total=total, initial=initial, disable=quiet, bar_format=BAR, desc=store.path.name) as bar:
        while True:
            while len(under_way) < executor.slots and (unit := next(queue, None)) is not None:
                meter = _Meter(bar, plan.unit_work(unit), unit.stop - unit.start)
                fluxes = plan.layout.fluxes[unit.start : unit.stop]
                progress = meter.advance if executor.local else None
                under_way[executor.submit(compute_unit, run_file, unit, fluxes, progress)] = unit, meter
            if not under_way:
                return
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                unit, meter = under_way.pop(future)
                with interrupt_later():
                    _record(store, unit, future)
                meter.finish()


def _record(store: Store, unit: Unit, future: Future[xr.Dataset]) -> None:
    error = future.exception()
    if error is None:
        result = future.result()
        store.save(unit, result)
        log.info("saved unit %s", unit.index)
        if message := _doubt(result):
            store.fail(unit, f"{store.layout.describe(unit)}: {message}")
    else:
        log.info("unit %s failed", unit.index, exc_info=error)
        message = " ".join(f"{type(error).__name__}: {error}".split())
        store.fail(unit, f"{store.layout.describe(unit)}: {message}")


def _doubt(result: xr.Dataset) -> str:
    """Why results that were saved still count as failed, or empty: their basis was cut off too low."""
    if "basis_status" not in result or not np.any(result["basis_status"] != int(Status.OK)):
        return ""
    status = np.ravel(result["basis_status"])
    error, levels = np.ravel(result["cutoff_error"]), np.ravel(result["levels"])
    worst = int(np.argmax(np.where(status != int(Status.OK), error, -1)))
    at = f" at flux {result['p'].values[worst]}/{result['q'].values[worst]}" if status.size > 1 else ""
    code = Status(int(status[worst]))
    numbers = f"energies still move by {error[worst]:.2g} {result.attrs['energy_unit']} with {levels[worst]} levels{at}"
    return f"{code.name}: {code.message} ({numbers}; the results were kept.)"


class _Meter:
    """Moves the progress bar by the work of one unit, however its points are reported."""

    def __init__(self, bar: tqdm, work: int, points: int):
        self.bar, self.work, self.points, self.done = bar, work, points, 0

    def advance(self, points: int) -> None:
        before, self.done = self.done, min(self.done + points, self.points)
        self.bar.update(self.work * self.done // self.points - self.work * before // self.points)

    def finish(self) -> None:
        self.advance(self.points)


def _summarize(plan: Plan, store: Store, before: np.ndarray, stopped: str, interrupted: bool) -> Summary:
    after, layout = store.unit_status, plan.layout
    done = [unit for unit in layout.units if after[unit.index] == DONE]
    return Summary(
        path=store.path,
        points=len(layout.fluxes) * math.prod(layout.sweep_shape),
        done=sum(unit.stop - unit.start for unit in done),
        computed=sum(unit.stop - unit.start for unit in done if before[unit.index] != DONE),
        failures=tuple(store.failures.values()),
        stopped=stopped,
        interrupted=interrupted,
    )


@contextlib.contextmanager
def _device(name: str) -> Iterator[None]:
    """Make JAX compute on a device: "cpu", "gpu", or "auto" for its own choice."""
    if name == "auto":
        yield
        return
    try:
        device = jax.devices(name)[0]
    except RuntimeError:
        raise RunFileError(f"`numerics.device` is {name}, but JAX finds no such device here.") from None
    with jax.default_device(device):
        yield
