"""`hofstadter merge OUT STORE...`: join what several machines computed of one run file."""

from pathlib import Path
from typing import Annotated

import typer


def merge(
    out: Annotated[Path, typer.Argument(help="The store to make.", show_default=False)],
    stores: Annotated[list[Path], typer.Argument(help="Stores of the same run file.", show_default=False)],
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Join stores of the same run file, also unfinished ones, such as those of `run --part`."""
    from hofstadter.io.merge import merge_stores

    merged = merge_stores(out, stores)
    if not quiet:
        typer.echo(f"{merged.done} of {merged.units} units of work are done in {out}, {merged.failed} failed.")
    if merged.failed:
        raise typer.Exit(1)
