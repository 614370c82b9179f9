"""`hofstadter run FILE`: compute, save, resume, draw."""

from pathlib import Path
from typing import Annotated

import typer

from hofstadter.errors import RunFileError

MOST_FAILURES = 20


def run(
    file: Annotated[Path, typer.Argument(help="A run file (YAML).", show_default=False)],
    executor: Annotated[str, typer.Option(help="Where to compute: serial.")] = "serial",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the store if there is one.")] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Compute failed points again.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Do a run file, or go on with it: what its store has already is not computed again."""
    from hofstadter.cli._pictures import draw
    from hofstadter.cli._start import start_jax
    from hofstadter.io.config import read_run_file
    from hofstadter.sweep import run as sweep
    from hofstadter.sweep.executors import make_executor

    try:
        chosen = make_executor(executor)
    except ValueError as error:
        raise RunFileError(str(error)) from None
    start_jax()
    run_file = read_run_file(file)
    summary = sweep.run(run_file, executor=chosen, overwrite=overwrite, retry_failed=retry_failed, quiet=quiet)
    if not quiet:
        done = f"{summary.done} of {summary.points} points are done in {summary.path}"
        typer.echo(f"{done} ({summary.computed} computed now).")
    for message in summary.failures[:MOST_FAILURES]:
        typer.echo(f"Failed: {message}", err=True)
    if summary.failures:
        more = len(summary.failures) - MOST_FAILURES
        what = f"And {more} more. " if more > 0 else ""
        typer.echo(f"{what}Compute them again with: hofstadter run {file} --retry-failed", err=True)
    if summary.stopped:
        typer.echo(f"{summary.stopped} To go on: hofstadter run {file}", err=True)
        raise typer.Exit(130 if summary.interrupted else 1)
    try:
        pictures = draw(summary.path, run_file.output.plots)
    except Exception as error:  # the results are safe, so say that instead of what a user cannot help
        typer.echo(f"The results are saved, but drawing them failed: {type(error).__name__}: {error}", err=True)
        raise typer.Exit(1) from error
    if not quiet:
        for picture in pictures:
            typer.echo(f"Drew {picture}")
    if summary.failures:
        raise typer.Exit(1)
