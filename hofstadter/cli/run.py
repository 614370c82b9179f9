"""`hofstadter run FILE`: compute, save, resume, draw."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hofstadter.errors import RunFileError

if TYPE_CHECKING:
    from hofstadter.io.config import RunFile
    from hofstadter.sweep.fill import Summary

MOST_FAILURES = 20


def run(
    file: Annotated[Path, typer.Argument(help="A run file (YAML).", show_default=False)],
    executor: Annotated[str, typer.Option(help="Where to compute: serial, processes, dask or slurm.")] = "serial",
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes or jobs at a time; by default one per GPU or core, 8 for slurm."),
    ] = None,
    scheduler: Annotated[
        str, typer.Option(help="Address of a Dask scheduler; for slurm `local` to try jobs without one.")
    ] = "",
    slurm: Annotated[
        list[str] | None,
        typer.Option(help="A parameter of SLURM jobs as submitit names it: slurm_partition=gpu, timeout_min=60."),
    ] = None,
    part: Annotated[str, typer.Option(help="K/N: every N-th unit only, to a store of its own; `merge` joins.")] = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the store if there is one.")] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Compute failed points again.")] = False,
    log: Annotated[Path | None, typer.Option(help="Append what happens to this file, as JSON lines.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Do a run file, or go on with it: what its store has already is not computed again."""
    import contextlib

    from hofstadter.cli._start import start_jax
    from hofstadter.io.config import read_run_file
    from hofstadter.sweep import run as sweep
    from hofstadter.sweep.executors import make_executor
    from hofstadter.sweep.json_lines import logged_to

    share, parameters = _part(part), _parameters(slurm or [])
    start_jax(computes_here=executor == "serial")
    run_file = read_run_file(file)
    if share != (1, 1):
        run_file = _with_store_of_part(run_file, share)
    store = Path(run_file.output.store)
    try:
        chosen = make_executor(
            executor,
            workers=workers,
            scheduler=scheduler or None,
            device=run_file.numerics.device,
            folder=store.with_name(f".{store.name}.jobs"),
            options=parameters,
        )
    except ValueError as error:
        raise RunFileError(str(error)) from None
    with contextlib.closing(chosen), logged_to(log):
        summary = sweep.run(
            run_file, executor=chosen, overwrite=overwrite, retry_failed=retry_failed, quiet=quiet, part=share
        )
    _report(summary, file, quiet)
    _draw(summary, run_file, quiet)
    if summary.failures:
        raise typer.Exit(1)


def _report(summary: "Summary", file: Path, quiet: bool) -> None:
    """Say what was done, what failed, and how to go on."""
    if not quiet:
        programs = f", with {summary.programs} compiled programs" if summary.programs else ""
        done = f"{summary.done} of {summary.points} points are done in {summary.path}"
        typer.echo(f"{done} ({summary.computed} computed now{programs}).")
    for message in summary.failures[:MOST_FAILURES]:
        typer.echo(f"Failed: {message}", err=True)
    if summary.failures:
        more = len(summary.failures) - MOST_FAILURES
        what = f"And {more} more. " if more > 0 else ""
        typer.echo(f"{what}Compute them again with: hofstadter run {file} --retry-failed", err=True)
    if summary.stopped:
        typer.echo(f"{summary.stopped} To go on: hofstadter run {file}", err=True)
        raise typer.Exit(130 if summary.interrupted else 1)


def _draw(summary: "Summary", run_file: "RunFile", quiet: bool) -> None:
    from hofstadter.cli._pictures import draw

    try:
        pictures = draw(summary.path, run_file.output.plots)
    except Exception as error:  # the results are safe, so say that instead of what a user cannot help
        typer.echo(f"The results are saved, but drawing them failed: {type(error).__name__}: {error}", err=True)
        raise typer.Exit(1) from error
    if not quiet:
        for picture in pictures:
            typer.echo(f"Drew {picture}")


def _part(text: str) -> tuple[int, int]:
    """Read "2/4"."""
    if not text:
        return 1, 1
    found = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise RunFileError(f"`--part` must be K/N with K from 1 to N, such as 2/4, but is {text!r}.")
    return int(found[1]), int(found[2])


def _with_store_of_part(run_file: "RunFile", part: tuple[int, int]) -> "RunFile":
    """The run file with a store of this part's own: NAME_2of4.zarr."""
    import dataclasses

    store = Path(run_file.output.store)
    own = store.with_name(f"{store.stem}_{part[0]}of{part[1]}{store.suffix}")
    return dataclasses.replace(run_file, output=run_file.output.model_copy(update={"store": str(own)}))


def _parameters(entries: list[str]) -> dict[str, int | str]:
    """Read NAME=VALUE; whole numbers become numbers."""
    parameters: dict[str, int | str] = {}
    for entry in entries:
        name, equals, value = entry.partition("=")
        if not name or not equals:
            raise RunFileError(f"`--slurm` must be NAME=VALUE, such as slurm_partition=gpu, but is {entry!r}.")
        parameters[name.strip()] = int(value) if value.strip().isdigit() else value
    return parameters
