"""What a run file can ask for: a `Task` says its parameters, how it splits, how a piece is computed."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Protocol, runtime_checkable

import pydantic
import xarray as xr

from hofstadter.flux import Flux
from hofstadter.models import Model


class Section(pydantic.BaseModel):
    """A section of a run file: unknown keys, NaN, and numbers written as text are errors."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def _read_flux(value: Any) -> Flux:
    if isinstance(value, float):
        raise ValueError(f"must be an exact fraction written like 1/3, but is the decimal number {value}.")
    try:
        return Flux.of(value)
    except TypeError as error:  # pydantic collects ValueError only
        raise ValueError(str(error)) from None


FluxText = Annotated[
    Flux,
    pydantic.PlainValidator(_read_flux),
    pydantic.PlainSerializer(str),
    pydantic.WithJsonSchema(
        {"type": ["string", "integer"], "pattern": r"^\s*[+-]?\d+\s*(/\s*\d+\s*)?$", "examples": ["1/3"]}
    ),
]
"""A flux in a run file: text such as 1/3, or an integer."""


@runtime_checkable
class Compute(Protocol):
    """Compute some of a task's points."""

    def __call__(
        self,
        model: Model,
        parameters: Any,
        points: Sequence[Flux],
        *,
        memory_gb: float,
        progress: Callable[[int], None] | None,
    ) -> xr.Dataset:
        """Return the rows of `points`, in order; `progress` is told how many points were just finished."""
        ...


@dataclasses.dataclass(frozen=True)
class Task:
    """One kind of calculation.

    A task splits along one dimension, `flux`, into points that do not depend on each other.

    Attributes:
        name: What run files call it.
        summary: One sentence for lists.
        parameters: The schema of its section of a run file, next to `name`.
        points: The independent points that the parameters ask for.
        sizes: Lengths of all other dimensions, so that a store can be laid out before anything is computed.
        compute: Computes some of the points. Every variable of its dataset starts with the dimension `flux`,
            unless `splits` is false.
        matrices: How many matrices one point diagonalizes, for cost estimates.
        names: The names of the dataset's dimensions, coordinates and variables; swept parameters avoid them.
        plots: The plots that can be made of the dataset.
        counting_seconds: Rough seconds that one point takes to count states instead, on one core.
        splits: Whether the dataset has the dimension `flux`; if not, the task is one point.
    """

    name: str
    summary: str
    parameters: type[Section]
    points: Callable[[Model, Any], list[Flux]]
    sizes: Callable[[Model, Any, Sequence[Flux]], dict[str, int]]
    compute: Compute
    matrices: Callable[[Model, Any, Flux], int]
    names: frozenset[str]
    plots: tuple[str, ...]
    counting_seconds: Callable[[Model, Any, Flux], float] = lambda model, parameters, flux: 0.0
    splits: bool = True
