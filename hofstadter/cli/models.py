"""`hofstadter models`: the presets that run files can name."""

import inspect
from typing import Annotated

import typer

from hofstadter.errors import RunFileError


def models(
    name: Annotated[str, typer.Argument(help="Show all about this one.", show_default=False)] = "",
) -> None:
    """List the models with their parameters, or show all about one."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from hofstadter.models import PRESETS, continuum, tight_binding

    everything = {**PRESETS, "tight_binding": tight_binding, "continuum": continuum}
    if name:
        if name not in everything:
            raise RunFileError(f"There is no model called {name!r}. Possible: {', '.join(everything)}.")
        typer.echo(f"{name}({_parameters(everything[name])})\n\n{inspect.getdoc(everything[name])}")
        return
    table = Table("model", "parameters", "what it is", box=box.SIMPLE)
    for key, preset in everything.items():
        summary = (inspect.getdoc(preset) or "").partition("\n")[0]
        table.add_row(key, _parameters(preset), summary)
    Console().print(table, markup=False)


def _parameters(preset: object) -> str:
    assert callable(preset)
    parameters = inspect.signature(preset).parameters.values()
    return ", ".join(
        p.name if p.default is p.empty else f"{p.name}={_shown(p.default)}" for p in parameters if p.name != "name"
    )


def _shown(value: object) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:.6g}" if number else str(value)
