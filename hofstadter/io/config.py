"""Run files: what a valid one holds, and reading one with every mistake reported at once."""

import copy
import dataclasses
import pathlib
from typing import Any, Literal

import pydantic

from hofstadter.errors import RunFileError
from hofstadter.io.model_section import SectionBuilder, build_model, model_schemas
from hofstadter.models import Model
from hofstadter.tasks._rebuilt import RebuildsModel
from hofstadter.tasks._task import Section, Task
from hofstadter.tasks.registry import TASKS


class Numerics(Section):
    """How to compute."""

    precision: Literal["single", "double"] = pydantic.Field("double", description="Of all numbers.")
    device: Literal["auto", "cpu", "gpu"] = pydantic.Field("auto", description="auto takes a GPU if there is one.")
    memory_gb: float = pydantic.Field(4.0, gt=0, description="Memory that the matrices of one step may take.")


class Output(Section):
    """Where results go."""

    store: str = pydantic.Field(min_length=1, description="Folder of the zarr store, such as results/name.zarr.")
    plots: list[str] = pydantic.Field([], description="Pictures to draw next to the store when the run is done.")


@dataclasses.dataclass(frozen=True)
class SweepAxis:
    """A parameter that takes several values.

    Attributes:
        target: Where it stands in the run file, such as "model.t2".
        name: Its dimension in the dataset, such as "t2".
        values: Its values.
    """

    target: str
    name: str
    values: tuple[float | int, ...]


@dataclasses.dataclass(frozen=True)
class RunFile:
    """A valid run file.

    Attributes:
        name: Where it was read from.
        text: Its content.
        sections: The model and task sections as plain data, defaults filled in.
        sweep: The swept parameters, outermost first.
        numerics: How to compute.
        output: Where results go.
    """

    name: str
    text: str
    sections: dict[str, dict[str, Any]]
    sweep: tuple[SweepAxis, ...]
    numerics: Numerics
    output: Output

    @property
    def task(self) -> Task:
        """The task to do."""
        return TASKS[self.sections["task"]["name"]]

    @property
    def sweep_shape(self) -> tuple[int, ...]:
        """How many values each swept parameter takes."""
        return tuple(len(axis.values) for axis in self.sweep)

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that the results depend on, as plain data: equal identities are the same run."""
        return {
            **self.sections,
            "sweep": {axis.target: [float(value) for value in axis.values] for axis in self.sweep},
            "numerics": {"precision": self.numerics.precision},
        }

    def sections_at(self, index: tuple[int, ...] = ()) -> dict[str, dict[str, Any]]:
        """The model and task sections at one point of the sweep, by default its first."""
        sections = copy.deepcopy(self.sections)
        for axis, number in zip(self.sweep, index or (0,) * len(self.sweep), strict=True):
            section, path = split_target(axis.target)
            put(sections[section], path, axis.values[number])
        return sections

    def at(self, index: tuple[int, ...] = ()) -> tuple[Model, Any]:
        """The model and the task's parameters at one point of the sweep, by default its first."""
        sections = self.sections_at(index)
        model = model_schemas()[sections["model"]["name"]].model_validate(sections["model"])
        del sections["task"]["name"]
        parameters = self.task.parameters.model_validate(sections["task"])
        if isinstance(parameters, RebuildsModel):
            parameters = parameters.with_builder(SectionBuilder(model))
        return build_model(model), parameters


def split_target(target: str) -> tuple[str, tuple[str | int, ...]]:
    """Cut "model.hoppings.2.0" into its section and the path inside it: ("model", ("hoppings", 2, 0))."""
    section, *path = target.split(".")
    return section, tuple(int(part) if part.isdigit() else part for part in path)


def put(section: Any, path: tuple[str | int, ...], value: Any) -> None:
    """Set one entry of nested dictionaries and lists.

    Raises:
        LookupError, TypeError: If there is no such place.
    """
    *outer, last = path
    inner: Any = section
    for part in outer:
        inner = inner[part]
    inner[last] = value


def read_run_file(path: str | pathlib.Path) -> RunFile:
    """Read and check a run file.

    Raises:
        RunFileError: If anything is wrong with it; the message has a line `file:line: sentence` per mistake.
    """
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise RunFileError(f"The run file {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise RunFileError(f"The run file {path} is not a text file.") from None
    return parse_run_file(text, str(path))


def parse_run_file(text: str, name: str = "run file") -> RunFile:
    """Like `read_run_file`, for text; `name` stands for the file in messages."""
    from hofstadter.io.run_file_checks import check_run_file

    return check_run_file(text, name)
