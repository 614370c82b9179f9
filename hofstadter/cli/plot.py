"""`hofstadter plot STORE`: pictures of what a store has so far."""

from pathlib import Path
from typing import Annotated

import typer

from hofstadter.errors import RunFileError


def plot(
    store: Annotated[Path, typer.Argument(help="The store of a run.", show_default=False)],
    kind: Annotated[
        str,
        typer.Option(help="Which plot, or html for an interactive page; by default all pictures.", show_default=False),
    ] = "",
    out: Annotated[
        Path | None, typer.Option(help="The picture, such as figure.pdf; by default next to the store.")
    ] = None,
) -> None:
    """Draw the results of a run, also of one that is not finished."""
    from hofstadter.cli._pictures import draw
    from hofstadter.io.store import open_store
    from hofstadter.tasks.registry import TASKS

    task = open_store(store).attrs["task"]
    if task not in TASKS:
        raise RunFileError(f"{store} holds the sweep of a function, which has no plots of its own.")
    possible = TASKS[task].plots
    if kind and kind not in possible:
        raise RunFileError(f"There is no plot {kind!r} of {store}. Possible: {', '.join(possible)}.")
    # Interactive pages need a package more.
    pictures = draw(store, [kind] if kind else [plot for plot in possible if plot != "html"], out)
    if not pictures:
        typer.echo(f"Nothing in {store} is done yet, so there is nothing to draw.", err=True)
        raise typer.Exit(1)
    for picture in pictures:
        typer.echo(f"Drew {picture}")
