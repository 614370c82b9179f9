"""The command `hofstadter`: its sub-commands, and errors as plain sentences with exit codes.

Exit codes: 0 done, 1 some points failed or the run stopped early, 2 bad input, 130 interrupted by Ctrl-C.
"""

import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from hofstadter.cli import check, merge, models, plot, run, schema, show
from hofstadter.errors import RunFileError, StoreError

app = typer.Typer(
    name="hofstadter",
    help="Electrons on periodic two-dimensional systems in strong magnetic fields.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done, 1 some points failed, 2 bad input. Compiled programs are kept in the user's cache "
    "folder: JAX_COMPILATION_CACHE_DIR names another one, JAX_ENABLE_COMPILATION_CACHE=0 keeps none.",
)
app.command("run")(run.run)
app.command("check")(check.check)
app.command("plot")(plot.plot)
app.command("show")(show.show)
app.command("merge")(merge.merge)
app.command("models")(models.models)
app.command("schema")(schema.schema)


@app.callback()
def options(
    traceback: Annotated[bool, typer.Option("--traceback", help="Show where an error comes from.")] = False,
) -> None:
    """Electrons on periodic two-dimensional systems in strong magnetic fields."""
    # `_end` looks for --traceback: errors get there when the parsed command line is gone.


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit; without `arguments`, with those of the process."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        app(args=list(arguments), prog_name="hofstadter")
    except (RunFileError, StoreError) as error:
        _end(error, str(error), 2, arguments)
    except Exception as error:
        text = f"{type(error).__name__}: {error}".strip()
        hint = "Run `hofstadter --traceback ...` to see where it comes from."
        _end(error, f"An unexpected error ended the command. {text}\n{hint}", 1, arguments)
    sys.exit(0)


def _end(error: BaseException, message: str, code: int, arguments: Sequence[str]) -> NoReturn:
    if arguments and arguments[0] == "--traceback":
        raise error
    typer.echo(message, err=True)
    sys.exit(code)
