"""`hofstadter show STORE`: where results came from, how far they are, and gaps."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hofstadter.errors import RunFileError, Status

if TYPE_CHECKING:
    import xarray as xr
    from rich.table import Table

MOST_ROWS = 40


def show(
    store: Annotated[Path, typer.Argument(help="The store of a run.", show_default=False)],
    flux: Annotated[str, typer.Option(help="List the gaps at this flux, such as 1/3.", show_default=False)] = "",
    run_file: Annotated[bool, typer.Option("--run-file", help="Print the run file of the store.")] = False,
) -> None:
    """Show where the results of a run came from and how far they are."""
    import json

    from rich.console import Console
    from rich.table import Table

    from hofstadter.cli._pictures import sweep_points
    from hofstadter.io.store import open_store

    dataset = open_store(store)
    if run_file:
        typer.echo(dataset.attrs["run_file"], nl=False)
        return
    console = Console()
    identity = json.loads(dataset.attrs["identity"])
    console.print(f"{store}: {identity['task']['name']} of {identity['model']['name']}", highlight=False)
    console.print(f"run {dataset.attrs['run_hash']}, hofstadter {dataset.attrs['version']}", highlight=False)
    sessions = Table("date", "device", "jax", "jaxlib", "numpy", "python", title="sessions")
    for entry in json.loads(dataset.attrs["provenance"]):
        sessions.add_row(*(entry[name] for name in ("date", "device", "jax", "jaxlib", "numpy", "python")))
    console.print(sessions)
    parts = sweep_points(dataset)
    console.print(_progress(parts))
    for _, message in json.loads(dataset.attrs["failures"])[:MOST_ROWS]:
        console.print(f"Failed: {message}", highlight=False, markup=False)
    if flux:
        for name, part in parts[:MOST_ROWS]:
            console.print(_gaps(part, flux, name))


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


def _gaps(part: "xr.Dataset", text: str, name: str) -> "Table":
    """The gaps at one flux."""
    import numpy as np
    from rich.table import Table

    from hofstadter.flux import Flux

    if "gap" not in part.dims:
        raise RunFileError("This task has no gaps to list.")
    try:
        flux = Flux.of(text)
    except ValueError as error:
        raise RunFileError(str(error)) from None
    found = np.flatnonzero((part["p"].values == flux.p) & (part["q"].values == flux.q))
    if not found.size:
        raise RunFileError(f"The flux {flux} is not in this store.")
    row = part.isel(flux=int(found[0])).load()
    title = f"gaps at flux {flux}" + (f", {name}" if name else "")
    table = Table("lower", "upper", "size", "s", "t", "status", title=title)
    for number in np.flatnonzero(row["status"].values != Status.ABSENT):
        gap = row.isel(gap=int(number))
        numbers = [f"{gap[key].item():.10g}" for key in ("lower", "upper", "size", "s", "t")]
        table.add_row(*numbers, Status(int(gap["status"].item())).name.lower().replace("_", " "))
    return table
