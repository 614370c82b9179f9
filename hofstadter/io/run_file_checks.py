"""From the text of a run file to a `RunFile`, going on after a mistake so that all are reported at once."""

import copy
import difflib
import math
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path as FilePath
from typing import Any, TypeVar

import pydantic

from hofstadter.flux import Flux
from hofstadter.io.config import Numerics, Output, RunFile, SweepAxis, put, split_target
from hofstadter.io.model_section import build_model, model_schemas
from hofstadter.io.yaml_lines import Mistake, Path, as_error, read_yaml, show_path
from hofstadter.tasks._task import Section, Task
from hofstadter.tasks.registry import TASKS

SECTIONS = ("model", "task", "sweep", "numerics", "output")
# Names that stores use themselves.
RESERVED = frozenset({"unit", "unit_status", "point_status"})

# Places of a sweep, and how many values of one parameter are tried out before a run.
MOST_PLACES = 10**6
MOST_TRIED = 256

AnySection = TypeVar("AnySection", bound=Section)


def check_run_file(text: str, name: str) -> RunFile:
    """Read a run file from text; `name` stands for the file in messages.

    Raises:
        RunFileError: If anything is wrong.
    """
    document = read_yaml(text, name)
    if not isinstance(document.data, dict):
        raise as_error(name, [Mistake((), "A run file must have the sections `model`, `task` and `output`.")])
    mistakes = list(document.mistakes)
    run_file = _assemble(document.data, name, text, mistakes)
    if run_file is not None and not mistakes:
        _check_points(run_file, mistakes)
    if run_file is None or mistakes:
        raise as_error(name, mistakes, document)
    return run_file


def _assemble(data: dict[str, Any], name: str, text: str, mistakes: list[Mistake]) -> RunFile | None:
    """Check the sections one by one; None if one of them is wrong."""
    for key in data:
        if isinstance(key, str) and key not in SECTIONS:
            mistakes.append(Mistake((key,), f"`{key}` is not a section of a run file. {_nearest(key, SECTIONS)}"))
    schemas = {key: task.parameters for key, task in TASKS.items()}
    model_schema, model = _named_section("model", data.get("model"), model_schemas(), mistakes)
    task_schema, parameters = _named_section("task", data.get("task"), schemas, mistakes)
    numerics = _validate(Numerics, ("numerics",), data.get("numerics", {}), mistakes)
    output = _validate(Output, ("output",), data.get("output", {}), mistakes)
    task = None if task_schema is None else TASKS[data["task"]["name"]]
    if model is not None:
        _check_model(model, mistakes)
    if output is not None:
        _check_output(output, task, mistakes)
    checked = {"model": (model_schema, model), "task": (task_schema, parameters)}
    sweep = _read_sweep(data, checked, task, mistakes) if "sweep" in data else ()
    if model is None or parameters is None or task is None or numerics is None or output is None:
        return None
    sections = {
        "model": model.model_dump(mode="json"),
        "task": {"name": task.name, **parameters.model_dump(mode="json")},
    }
    return RunFile(name, text, sections, sweep, numerics, output)


def _named_section(
    section: str, content: Any, schemas: dict[str, type[Section]], mistakes: list[Mistake]
) -> tuple[type[Section] | None, Section | None]:
    """Check a section whose `name` says which schema it follows; return the schema and the right content."""
    if not isinstance(content, dict):
        example = f"{section}: {{name: {next(iter(schemas))}, ...}}"
        mistakes.append(Mistake((section,), f"`{section}` must be a section, such as {example}."))
        return None, None
    name = content.get("name")
    if not isinstance(name, str) or name not in schemas:
        what = f"`{section}.name` is missing." if name is None else f"There is no {section} called {name!r}."
        mistakes.append(Mistake((section, "name"), f"{what} {_nearest(str(name), schemas)}"))
        return None, None
    schema = schemas[name]
    if "name" not in schema.model_fields:
        content = _without_name(content)
    return schema, _validate(schema, (section,), content, mistakes, owner=name)


def _validate(
    schema: type[AnySection], path: Path, content: Any, mistakes: list[Mistake], owner: str = ""
) -> AnySection | None:
    if not isinstance(content, dict):
        mistakes.append(Mistake(path, f"`{show_path(path)}` must be a section with keys and values."))
        return None
    try:
        return schema.model_validate(content)
    except pydantic.ValidationError as error:
        for detail in error.errors():
            where = (*path, *detail["loc"])
            mistakes.append(Mistake(where, _sentence(detail, where, schema, owner or show_path(path))))
        return None


def _sentence(detail: Any, path: Path, schema: type[Section], owner: str) -> str:
    """Say what pydantic found in the package's words."""
    name, text, value = f"`{show_path(path)}`", detail["msg"], detail["input"]
    if detail["type"] == "extra_forbidden":
        known = [field for field in schema.model_fields if field != "name"]
        return f"{name} is not a parameter of {owner}. {_nearest(str(path[-1]), known)}"
    if detail["type"] == "missing":
        return f"{name} is missing."
    if detail["type"] == "value_error":
        text = str(detail["ctx"]["error"])
        return f"{name} {text}" if text.startswith("must") else f"{name}: {text}"
    if text.startswith("Input should "):
        return f"{name} must {text.removeprefix('Input should ')}, but is {value!r}."
    return f"{name}: {text}."


def _check_output(output: Output, task: Task | None, mistakes: list[Mistake]) -> None:
    for number, plot in enumerate(output.plots):
        if task is not None and plot not in task.plots:
            message = f"There is no plot {plot!r} of the task {task.name}. {_nearest(plot, task.plots)}"
            mistakes.append(Mistake(("output", "plots", number), message))
    store = FilePath(output.store)
    if ".." in store.parts or not output.store.isprintable():
        message = f"`output.store` must be a folder without `..` in its path, but is {output.store!r}."
        mistakes.append(Mistake(("output", "store"), message))
        return
    folder = next(parent for parent in store.absolute().parents if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        message = f"`output.store` cannot be written to: {folder}: {error.strerror}."
        mistakes.append(Mistake(("output", "store"), message))


def _read_sweep(
    data: dict[str, Any],
    checked: dict[str, tuple[type[Section] | None, Section | None]],
    task: Task | None,
    mistakes: list[Mistake],
) -> tuple[SweepAxis, ...]:
    sweep = data["sweep"]
    if not isinstance(sweep, dict) or not sweep:
        mistakes.append(
            Mistake(("sweep",), "`sweep` must be a section such as {model.t2: [0.0, 0.1]}, or be left out.")
        )
        return ()
    axes: list[SweepAxis] = []
    taken = RESERVED | (task.names if task else frozenset())
    for target, values in sweep.items():
        where = ("sweep", target)
        if not isinstance(target, str):
            continue  # already a mistake of the YAML
        section, path = split_target(target)
        schema, valid = checked.get(section, (None, None))
        if section not in checked or not path:
            message = f"`{target}` cannot be swept: write `model.` or `task.` and the name of a parameter."
            mistakes.append(Mistake(where, message))
            continue
        if schema is not None:
            known = [field for field in schema.model_fields if field != "name"]
            if path[0] not in known:
                message = f"`{target}` cannot be swept: there is no such parameter. {_nearest(str(path[0]), known)}"
                mistakes.append(Mistake(where, message))
                continue
        good = _sweep_values(where, values, mistakes)
        if schema is not None and valid is not None:
            for number, value in good:
                _check_swept(schema, data[section], path, value, (*where, number), mistakes)
        short = str(path[-1]) if isinstance(path[-1], str) else "_".join(map(str, path))
        name = f"{section}_{short}" if short in taken else short
        taken |= {name}
        axes.append(SweepAxis(target, name, tuple(value for _, value in good)))
    places = math.prod(len(axis.values) for axis in axes)
    if places > MOST_PLACES:
        message = f"The sweep has {places} points, more than {MOST_PLACES}. Write several run files."
        mistakes.append(Mistake(("sweep",), message))
    return tuple(axes)


def _sweep_values(where: Path, values: Any, mistakes: list[Mistake]) -> list[tuple[int, float | int]]:
    """The right ones among the values, with their places."""
    name = f"`{show_path(where[1:])}`"
    if not isinstance(values, list) or not values:
        mistakes.append(
            Mistake(where, f"The sweep of {name} must be a list of at least one number, but is {values!r}.")
        )
        return []
    good: list[tuple[int, float | int]] = []
    first: dict[float | int, int] = {}
    for number, value in enumerate(values):
        message = ""
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            message = f"The sweep of {name} must be over finite real numbers, but has {value!r}."
        elif first.setdefault(value, number) < number:
            message = f"The sweep of {name} has {value!r} twice."
        if message:
            mistakes.append(Mistake((*where, number), message))
        else:
            good.append((number, value))
    return good


def _check_swept(
    schema: type[Section],
    content: dict[str, Any],
    path: tuple[str | int, ...],
    value: Any,
    where: Path,
    mistakes: list[Mistake],
) -> None:
    """Check a section with one value put in; the section itself is known to be right."""
    content = copy.deepcopy(content if "name" in schema.model_fields else _without_name(content))
    try:
        put(content, path, value)
        schema.model_validate(content)
    except pydantic.ValidationError as error:
        detail = error.errors()[0]
        mistakes.append(Mistake(where, _sentence(detail, where[1:], schema, "the sweep")))
    except (LookupError, TypeError):
        mistakes.append(Mistake(where, f"`{where[1]}` cannot be swept: the run file has no such entry."))


def _check_points(run_file: RunFile, mistakes: list[Mistake]) -> None:
    """Build models of the sweep, one parameter at a time, and compare the shapes of their results."""
    first = (0,) * len(run_file.sweep)
    if not run_file.sweep:
        try:
            _shape(run_file, first)
        except (ValueError, TypeError) as error:
            mistakes.append(Mistake(("task", *_entry(error)), f"`task`: {error}"))
    shape = None
    for place, axis in enumerate(run_file.sweep):
        count = len(axis.values)
        for number in sorted({tried * (count - 1) // (MOST_TRIED - 1) for tried in range(MOST_TRIED)}):
            where = ("sweep", axis.target, number)
            try:
                here = _shape(run_file, (*first[:place], number, *first[place + 1 :]))
            except (ValueError, TypeError) as error:
                mistakes.append(Mistake(where, f"The sweep of `{axis.target}` cannot take this value: {error}"))
                continue
            if shape not in (None, here):
                message = f"`{axis.target}` cannot be swept: it changes the fluxes or the size of the results."
                mistakes.append(Mistake(where, f"{message} Write one run file per value."))
                return
            shape = here


def _shape(run_file: RunFile, index: tuple[int, ...]) -> tuple[list[Flux], dict[str, int]]:
    """Fluxes and sizes of the results at one point of the sweep."""
    model, parameters = run_file.at(index)
    points = run_file.task.points(model, parameters)
    return points, run_file.task.sizes(model, parameters, points)


def _check_model(section: Section, mistakes: list[Mistake]) -> None:
    """Build the model; what it refuses is a mistake of the entry that its message names."""
    try:
        build_model(section)
    except (ValueError, TypeError) as error:
        mistakes.append(Mistake(("model", *_entry(error)), f"`model`: {error}"))


def _entry(error: Exception) -> Path:
    """The entry of a section that an error's message names."""
    found = re.match(r"Argument `(\w+)(?:\[(\d+)\]`|`.*?\bentry (\d+)|`)", str(error))
    return (found[1], *map(int, filter(None, found.groups()[1:]))) if found else ()


def _without_name(content: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if key != "name"}


def _nearest(name: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1)
    guess = f"Did you mean `{close[0]}`? " if close else ""
    return f"{guess}Possible: {', '.join(known) or 'none'}."
