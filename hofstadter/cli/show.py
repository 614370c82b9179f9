"""`hofstadter show STORE`: where results came from, how far they are, and gaps."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hofstadter.errors import RunFileError, Status

if TYPE_CHECKING:
    import xarray as xr
    from rich.table import Table

    from hofstadter.io.lock import Writer

# What is listed at one flux, by the dimension that a task's results have.
ROW_COLUMNS = {
    "gap": ("lower", "upper", "size", "s", "t"),
    "group": ("first", "last", "chern", "min_gap", "min_gap_k1", "min_gap_k2"),
}
MOST_ROWS = 40


def show(
    store: Annotated[Path, typer.Argument(help="The store of a run.", show_default=False)],
    flux: Annotated[str, typer.Option(help="List the gaps at this flux, such as 1/3.", show_default=False)] = "",
    run_file: Annotated[bool, typer.Option("--run-file", help="Print the run file of the store.")] = False,
) -> None:
    """Show where the results of a run came from and how far they are."""
    import json

    from rich.console import Console

    from hofstadter.cli._pictures import sweep_points
    from hofstadter.io.lock import find_writer
    from hofstadter.io.store import open_store, open_units

    dataset = open_store(store)
    if run_file:
        typer.echo(dataset.attrs["run_file"], nl=False)
        return
    console = Console()
    identity = json.loads(dataset.attrs["identity"])
    what = (
        f"{identity['task']['name']} of {identity['model']['name']}" if "model" in identity else dataset.attrs["task"]
    )
    console.print(f"{store}: {what}", highlight=False, soft_wrap=True)
    console.print(f"run {dataset.attrs['run_hash']}, hofstadter {dataset.attrs['version']}", highlight=False)
    console.print(_sessions(json.loads(dataset.attrs["provenance"]), open_units(store)))
    if (line := _writer(find_writer(store))) is not None:
        console.print(line, highlight=False)
    parts = sweep_points(dataset)
    console.print(_progress(parts))
    for _, message in json.loads(dataset.attrs["failures"])[:MOST_ROWS]:
        console.print(f"Failed: {message}", highlight=False, markup=False)
    for name, part in parts[:MOST_ROWS]:
        if (numbers := _numbers(part, name)).row_count:
            console.print(numbers)
    if flux:
        for name, part in parts[:MOST_ROWS]:
            console.print(_rows(part, flux, name))


def _sessions(entries: list[dict[str, str]], units: "xr.Dataset") -> "Table":
    """Which versions and devices computed how many units, and how long that took."""
    import numpy as np
    from rich.table import Table

    from hofstadter.io.store import DONE

    names = ("date", "host", "device", "jax", "jaxlib", "numpy", "python")
    table = Table(*names, "units", "seconds", title="sessions")
    done = units["unit_status"].values == DONE
    for number, entry in enumerate(entries):
        own = done & (units["unit_session"].values == number)
        seconds = float(np.sum(units["unit_seconds"].values[own]))
        table.add_row(*(entry[name] for name in names), str(own.sum()), f"{seconds:.3g}")
    return table


def _writer(writer: "Writer | None") -> str | None:
    """How far the run is that writes to the store now."""
    if writer is None:
        return None
    line = f"Now writing: {writer.owner}"
    if writer.progress:
        numbers = writer.progress
        left = numbers["seconds_left"]
        time = "" if left is None else f", about {left:.0f} s left"
        line += (
            f", {numbers['points']} of {numbers['of_points']} points, "
            f"{numbers['points_per_second']:.3g} points/s{time} (told {writer.age:.0f} s ago)"
        )
    return line + "."


def _numbers(part: "xr.Dataset", name: str) -> "Table":
    """What a task gives besides arrays."""
    from rich.table import Table

    table = Table("quantity", "value", title=name or "results")
    for key in sorted(map(str, part.data_vars)):
        if not part[key].dims and key not in ("status", "point_status"):
            table.add_row(key, f"{part[key].item():.10g}")
    if "status" in part and not part["status"].dims:
        table.add_row("status", Status(int(part["status"].item())).name.lower().replace("_", " "))
    return table


def _progress(parts: "list[tuple[str, xr.Dataset]]") -> "Table":
    """How many fluxes are done at each point of the sweep."""
    from rich.table import Table

    from hofstadter.io.store import DONE, FAILED

    table = Table("point", "done", "failed", "total", title="progress")
    total = [0, 0, 0]
    for number, (name, part) in enumerate(parts):
        status = part["point_status"].values
        counts = [int((status == DONE).sum()), int((status == FAILED).sum()), status.size]
        total = [a + b for a, b in zip(total, counts, strict=True)]
        if len(parts) > 1 and number < MOST_ROWS:
            table.add_row(name, *map(str, counts))
    if len(parts) > MOST_ROWS:
        table.add_row(f"... {len(parts) - MOST_ROWS} more", "", "", "")
    table.add_row("all", *map(str, total))
    return table


def _rows(part: "xr.Dataset", text: str, name: str) -> "Table":
    """The gaps, or groups of bands, at one flux."""
    import numpy as np
    from rich.table import Table

    from hofstadter.flux import Flux

    try:
        flux = Flux.of(text)
    except ValueError as error:
        raise RunFileError(str(error)) from None
    found = np.flatnonzero((part["p"].values == flux.p) & (part["q"].values == flux.q))
    if not found.size:
        raise RunFileError(f"The flux {flux} is not in this store.")
    row = part.isel(flux=int(found[0])).load()
    rows = next((dim for dim in ROW_COLUMNS if dim in row.dims), None)
    if rows is None:
        raise RunFileError("This task has no gaps or groups of bands to list.")
    table = Table(*ROW_COLUMNS[rows], "status", title=f"{rows}s at flux {flux}" + (f", {name}" if name else ""))
    for number in np.flatnonzero(row["status"].values != Status.ABSENT):
        entry = row.isel({rows: int(number)})
        numbers = [f"{entry[key].item():.10g}" for key in ROW_COLUMNS[rows]]
        table.add_row(*numbers, Status(int(entry["status"].item())).name.lower().replace("_", " "))
    return table
