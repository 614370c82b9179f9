"""`hofstadter check FILE`: every mistake at once, or what the run will cost."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hofstadter.io.config import RunFile
    from hofstadter.sweep.plan import Plan


def check(file: Annotated[Path, typer.Argument(help="A run file (YAML).", show_default=False)]) -> None:
    """Check a run file: list every mistake with its line, or say what the run will cost."""
    import math

    from rich.console import Console
    from rich.table import Table

    from hofstadter.cli._start import start_jax
    from hofstadter.io.config import read_run_file
    from hofstadter.sweep.plan import make_plan, measured_speed

    start_jax()
    run_file = read_run_file(file)
    plan = make_plan(run_file)
    layout = plan.layout
    repeats = math.prod(layout.sweep_shape)
    largest = max(plan.sizes)
    seconds = repeats * sum(plan.work) / measured_speed()
    rows = {
        "model": run_file.sections["model"]["name"],
        "task": run_file.task.name,
        **{f"sweep {axis.target}": f"{len(axis.values)} values, dimension `{axis.name}`" for axis in layout.sweep},
        "points": f"{_count(len(layout.points), 'flux', 'fluxes')} × {_count(repeats, 'sweep point')}",
        "units of work": f"{len(layout.units)} of up to {_count(layout.unit_size, 'flux', 'fluxes')}",
        "matrices": f"about {repeats * sum(plan.matrices)}" if any(plan.matrices) else "none: states are counted",
        **({"sizes": _sizes(plan)} if any(plan.matrices) else {}),
        **({"operations": f"about {repeats * plan.operations:.1g}"} if any(plan.matrices) else {}),
        "memory": f"up to {run_file.numerics.memory_gb:g} GB"
        + (f", at least {_megabytes(largest):.2g} MB" if largest else ""),
        "time": f"roughly {_duration(seconds)} on this CPU, compilation apart",
        "store": f"{run_file.output.store}{_state(run_file)}",
    }
    table = Table(show_header=False, box=None)
    for name, value in rows.items():
        table.add_row(name, value)
    typer.echo(f"{file} is valid.")
    Console(soft_wrap=True).print(table)


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _sizes(plan: "Plan") -> str:
    """Rows of the matrices."""
    smallest, largest = min(plan.sizes), max(plan.sizes)
    if not plan.sizes_known:
        span = f"{smallest}" if smallest == largest else f"{smallest} to {largest}"
        return f"perhaps {span}, known when the basis is chosen; `levels` fixes it"
    return f"{smallest} to {largest}, {_count(len(set(plan.sizes)), 'padded size')}"


def _megabytes(size: int) -> float:
    """One complex matrix, its factors and workspace."""
    return 4 * 16 * size**2 / 1e6


def _duration(seconds: float) -> str:
    if seconds < 1:
        return "less than a second"
    for limit, unit, length in ((90, "seconds", 1), (5400, "minutes", 60), (129600, "hours", 3600)):
        if seconds < limit:
            return f"{round(seconds / length)} {unit}"
    return f"{round(seconds / 86400)} days"


def _state(run_file: "RunFile") -> str:
    """What is there already."""
    from hofstadter.io.identity import run_hash
    from hofstadter.io.store import DONE, open_store

    store = Path(run_file.output.store)
    if not store.exists():
        return " (new)"
    dataset = open_store(store)
    if dataset.attrs["run_hash"] != run_hash(run_file.identity):
        return " (there already, of another run file)"
    status = dataset["point_status"].values
    return f" (there already, {int((status == DONE).sum())} of {status.size} points done)"
