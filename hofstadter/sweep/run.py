"""Do a run file, or go on with it."""

from pathlib import Path

from hofstadter.errors import StoreError
from hofstadter.io.config import RunFile
from hofstadter.io.identity import input_hash, run_hash
from hofstadter.io.layout import Unit
from hofstadter.io.lock import locked
from hofstadter.io.provenance import package_version
from hofstadter.io.writer import open_for_run
from hofstadter.sweep.executors import Executor, SerialExecutor
from hofstadter.sweep.fill import Summary, Sweep, fill
from hofstadter.sweep.plan import make_plan
from hofstadter.sweep.work import RunFileWork, on_device


def run(
    run_file: RunFile,
    *,
    executor: Executor | None = None,
    overwrite: bool = False,
    retry_failed: bool = False,
    quiet: bool = True,
    part: tuple[int, int] = (1, 1),
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
        part: (K, N) to do every N-th unit only, beginning with the K-th, so that N machines can share the work.

    Raises:
        RunFileError: If the device that the run file asks for is not there.
        StoreError: If the store cannot be written, is in use, or belongs to another run file.
    """
    path = Path(run_file.output.store)
    executor = executor or SerialExecutor()
    if executor.local:
        with on_device(run_file.numerics.device):
            pass  # refused before anything is written
    plan, version = make_plan(run_file), package_version()
    layout, identity = plan.layout, run_file.identity
    name = run_hash(identity)

    def inputs(unit: Unit) -> int:
        return input_hash(name, layout.values_at(unit), list(map(str, layout.points_of(unit))), version)

    sweep = Sweep(RunFileWork(run_file), layout, inputs, plan.unit_seconds, run_file.numerics.device)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path) as lock:
            store = open_for_run(path, layout, identity, version, text=run_file.text, overwrite=overwrite)
            return fill(sweep, store, executor, lock, retry_failed=retry_failed, quiet=quiet, part=part)
    except OSError as error:
        raise StoreError(f"The store {path} cannot be written: {error.strerror or error}.") from error
