"""The task `bands` of run files."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import pydantic
import xarray as xr

from hofstadter.flux import Flux
from hofstadter.models import Model
from hofstadter.tasks._basis import BASIS_NAMES
from hofstadter.tasks._task import FluxText, Task
from hofstadter.tasks.bands import bands, path_corners
from hofstadter.tasks.registry.basis import Basis

BANDS_NAMES = BASIS_NAMES | frozenset(
    ["flux", "p", "q", "point", "band", "component", "energy", "k", "distance", "chern", "status"]
)


def _read_corner(value: Any) -> str | list[float]:
    if isinstance(value, str):
        return value
    numbers = isinstance(value, list) and all(isinstance(x, int | float) and not isinstance(x, bool) for x in value)
    if not numbers or len(value) != 2:
        raise ValueError(f"must be a momentum [k1, k2] or a name such as K, but is {value!r}.")
    if not all(map(math.isfinite, value)):
        raise ValueError(f"must be finite, but is {value!r}.")
    return [float(x) for x in value]


CornerText = Annotated[
    str | list[float],
    pydantic.PlainValidator(_read_corner),
    pydantic.WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "examples": ["K"]},
                {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
            ]
        }
    ),
]
"""A corner of a path in a run file."""


class BandsParameters(Basis):
    """Bands along a path through the magnetic zone at one flux."""

    flux: FluxText = pydantic.Field(description="The flux, such as 1/3.")
    corners: list[CornerText] | None = pydantic.Field(
        None,
        description="Corners of the path: reduced momenta [k1, k2] or names, such as [K, Γ, M]; by default around the "
        "magnetic zone.",
    )
    labels: list[str] | None = pydantic.Field(None, description="What to call the corners in plots.")
    points: Annotated[int, pydantic.Field(ge=2)] = pydantic.Field(100, description="Number of momenta.")

    chern: bool = pydantic.Field(False, description="Whether to compute the Chern number of each band.")

    @pydantic.model_validator(mode="after")
    def _check_corners(self) -> "BandsParameters":
        corners = [None] * 4 if self.corners is None else self.corners
        if len(corners) < 2 or any(a == b for a, b in itertools.pairwise(self.corners or ())):
            raise ValueError("`corners` must be at least two momenta, each different from the one before.")
        if self.points < len(corners):
            raise ValueError(f"`points` must be at least the {len(corners)} corners, but is {self.points}.")
        return self


def _bands_sizes(model: Model, parameters: BandsParameters, points: Sequence[Flux]) -> dict[str, int]:
    model = parameters.checked(model, points)
    path_corners(model, points[0], parameters.corners, parameters.labels)
    return {"point": parameters.points, "band": model.bands_at(points[0]), "component": 2}


def _compute_bands(
    model: Model,
    parameters: BandsParameters,
    points: Sequence[Flux],
    *,
    memory_gb: float,
    progress: Callable[[int], None] | None,
) -> xr.Dataset:
    result = bands(
        model,
        points[0],
        corners=parameters.corners,
        labels=parameters.labels,
        points=parameters.points,
        chern=parameters.chern,
        **parameters.basis(),
        memory_gb=memory_gb,
    )
    if progress is not None:
        progress(1)
    return result


BANDS = Task(
    name="bands",
    summary="Energies along a path of momenta at one flux.",
    parameters=BandsParameters,
    points=lambda model, parameters: [parameters.flux],
    sizes=_bands_sizes,
    compute=_compute_bands,
    matrices=lambda model, parameters, flux: parameters.points + (120 if parameters.chern else 0),
    names=BANDS_NAMES,
    plots=("bands",),
    splits=False,
)
