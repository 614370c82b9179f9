"""Compute what a store does not have yet and save it unit by unit, whatever the work and wherever it is computed."""

import contextlib
import dataclasses
import datetime
import errno
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from pathlib import Path

import numpy as np
import xarray as xr

from hofstadter.errors import RunFileError, Status, StoreError
from hofstadter.io.layout import Layout, Unit
from hofstadter.io.lock import Lock
from hofstadter.io.provenance import package_version, versions
from hofstadter.io.store import DONE, FAILED
from hofstadter.io.writer import Misfit, Record, Store
from hofstadter.sweep.executors import Executor
from hofstadter.sweep.interrupt import interrupt_later
from hofstadter.sweep.progress import Amounts, Meter, Progress, tell
from hofstadter.sweep.work import Outcome, Work, compute_units

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Summary:
    """How a run ended.

    Attributes:
        path: Its store.
        points: All points, those of a unit times places of the sweep.
        done: Points that are done, those of earlier runs included.
        computed: Points that this run computed.
        failures: A message for each unit that failed, in this run or an earlier one.
        programs: How many programs were compiled, or loaded from the cache of compiled programs, in all processes.
        stopped: Why the run ended before its time, or empty.
        interrupted: Whether the reason was Ctrl-C.
    """

    path: Path
    points: int
    done: int
    computed: int
    failures: tuple[str, ...]
    programs: int = 0
    stopped: str = ""
    interrupted: bool = False


@dataclasses.dataclass(frozen=True)
class Sweep:
    """What is to be computed.

    Attributes:
        work: Computes a unit.
        layout: The units.
        inputs: For each unit the hash of what its results depend on.
        seconds: A guess of the time that a unit takes.
        device: "cpu", "gpu" or "auto".
        strict: Whether a result of another shape than announced is an error of the program, not of the point.
    """

    work: Work
    layout: Layout
    inputs: Callable[[Unit], int]
    seconds: Callable[[Unit], float]
    device: str = "auto"
    strict: bool = True

    def amounts(self, units: Sequence[Unit]) -> Amounts:
        """How much work some units are."""
        return Amounts(
            work=sum(1 + int(1e6 * self.seconds(unit)) for unit in units),
            points=sum(unit.stop - unit.start for unit in units),
            units=len(units),
        )


def fill(
    sweep: Sweep,
    store: Store,
    executor: Executor,
    lock: Lock,
    *,
    retry_failed: bool = False,
    quiet: bool = True,
    part: tuple[int, int] = (1, 1),
) -> Summary:
    """Compute and save all units that are missing.

    Args:
        sweep: The work.
        store: Its store.
        executor: Where to compute.
        lock: Of the store.
        retry_failed: Whether to compute again what failed before.
        quiet: Whether to show no progress bar.
        part: (K, N) for every N-th unit only, beginning with the K-th.

    Raises:
        RunFileError: If the device is not there.
        StoreError: If a result does not have the shape that was announced, or another version computed it.
    """
    layout = sweep.layout
    units = layout.units[part[0] - 1 :: part[1]]
    before = store.finished({unit.index: sweep.inputs(unit) for unit in units})
    finished = (DONE,) if retry_failed else (DONE, FAILED)
    # Those of the largest matrices first: no worker is left with one at the end, and what does not fit fails early.
    missing = sorted((u for u in units if before[u.index] not in finished), key=lambda unit: -unit.number)
    stopped, interrupted, programs = "", False, 0
    if missing:
        saved = [unit for unit in units if before[unit.index] in finished]
        progress = Progress(store.path.name, sweep.amounts(units), sweep.amounts(saved), lock, quiet)
        tell(log, "run started", store=str(store.path), missing=len(missing), **progress.numbers())
        try:
            with progress:
                _compute(sweep, store, executor, missing, progress)
        except KeyboardInterrupt:
            stopped, interrupted = "Interrupted.", True
        except CancelledError:
            stopped = f"The workers are gone, so the run stopped; all that was saved in {store.path} is intact."
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            reason = "The disk is full" if full else f"Saving failed ({error.strerror or error})"
            stopped = f"{reason}, so the run stopped; all that was saved in {store.path} is intact."
        with contextlib.suppress(OSError), interrupt_later():
            store.finish()
        programs = progress.numbers()["programs"]
        tell(log, "run ended", stopped=stopped, **progress.numbers())
    return _summarize(store, units, before, programs, stopped, interrupted)


def _compute(sweep: Sweep, store: Store, executor: Executor, missing: list[Unit], progress: Progress) -> None:
    """Keep the executor busy and save what it finishes."""
    recorder = _Recorder(sweep, store, progress)
    batches = _batches(sweep, executor, missing)
    under_way: dict[Future[list[Outcome]], tuple[list[Unit], Meter]] = {}
    while True:
        while len(under_way) < executor.slots and (batch := next(batches, None)) is not None:
            meter = progress.meter(sweep.amounts(batch))
            jobs = [(unit, sweep.layout.points_of(unit)) for unit in batch]
            arguments = (sweep.work, jobs, sweep.device, *([meter.advance] if executor.local else []))
            under_way[executor.submit(compute_units, *arguments)] = batch, meter
        if not under_way:
            return
        for future in wait(under_way, return_when=FIRST_COMPLETED).done:
            batch, meter = under_way.pop(future)
            with interrupt_later():
                recorder.record(batch, future)
            meter.finish()


def _batches(sweep: Sweep, executor: Executor, missing: list[Unit]) -> Iterator[list[Unit]]:
    """What to compute in one call: some units that take as long as the executor wants, but work for all its slots."""
    most = math.ceil(len(missing) / executor.slots) if executor.batch_seconds else 1
    batch: list[Unit] = []
    for unit in missing:
        batch.append(unit)
        if len(batch) == most or sum(map(sweep.seconds, batch)) > executor.batch_seconds:
            yield batch
            batch = []
    if batch:
        yield batch


class _Recorder:
    """Saves outcomes, and numbers the sessions that they come from."""

    def __init__(self, sweep: Sweep, store: Store, progress: Progress):
        self._sweep, self._store, self._progress = sweep, store, progress
        self._sessions: dict[tuple[tuple[str, str], ...], int] = {}

    def record(self, batch: list[Unit], future: Future[list[Outcome]]) -> None:
        error = future.exception()
        if isinstance(error, RunFileError | CancelledError):
            raise error
        if error is not None:
            message = " ".join(f"{type(error).__name__}: {error}".split())
            lost = {**versions(), "device": "lost"}
            outcomes = [Outcome(None, message, math.nan, 0, lost)] * len(batch)
        else:
            outcomes = future.result()
        for unit, outcome in zip(batch, outcomes, strict=True):
            self._record(unit, outcome)

    def _record(self, unit: Unit, outcome: Outcome) -> None:
        record = Record(outcome.seconds, self._session(outcome.surroundings), self._sweep.inputs(unit))
        message = outcome.error
        if outcome.result is not None:
            try:
                self._store.save(unit, outcome.result, record)
                message = _doubt(outcome.result)
            except Misfit as error:
                if self._sweep.strict:
                    raise
                message = str(error)
        if message:
            message = f"{self._store.layout.describe(unit)}: {message}"
            self._store.fail(unit, message, record)
        self._progress.finish_unit(bool(message), outcome.programs)
        tell(
            log,
            "unit failed" if message else "unit saved",
            unit=list(unit.index),
            points=unit.stop - unit.start,
            seconds=round(outcome.seconds, 6),
            programs=outcome.programs,
            device=outcome.surroundings.get("device"),
            host=outcome.surroundings.get("host"),
            **({"message": message} if message else {}),
        )

    def _session(self, surroundings: dict[str, str]) -> int:
        """The number of the session with these surroundings, noted in the store when it is new."""
        key = tuple(sorted(surroundings.items()))
        if key not in self._sessions:
            here = package_version()
            if surroundings.get("hofstadter") != here:
                there = surroundings.get("hofstadter")
                raise StoreError(f"A worker has hofstadter {there}, but the run has {here}. Install the same on both.")
            date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
            self._sessions[key] = self._store.add_provenance({**surroundings, "date": date})
        return self._sessions[key]


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


def _summarize(
    store: Store, units: list[Unit], before: np.ndarray, programs: int, stopped: str, interrupted: bool
) -> Summary:
    layout, after = store.layout, store.unit_status
    done = [unit for unit in layout.units if after[unit.index] == DONE]
    return Summary(
        path=store.path,
        points=len(layout.points) * math.prod(layout.sweep_shape),
        done=sum(unit.stop - unit.start for unit in done),
        computed=sum(unit.stop - unit.start for unit in done if before[unit.index] != DONE),
        failures=tuple(message for _, message in sorted(store.failures.items())),
        programs=programs,
        stopped=stopped,
        interrupted=interrupted,
    )
