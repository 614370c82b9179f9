"""The task `geometry` of run files."""

from collections.abc import Callable, Sequence
from typing import Annotated

import pydantic
import xarray as xr

from hofstadter.flux import Flux
from hofstadter.models import Model
from hofstadter.tasks._basis import BASIS_NAMES, band_range
from hofstadter.tasks._task import FluxText, Task
from hofstadter.tasks.geometry_map import geometry_map
from hofstadter.tasks.registry.band_range import BandGroup
from hofstadter.tasks.registry.basis import Basis

_MAPS = ["berry_curvature", "metric_xx", "metric_xy", "metric_yy"]
_AVERAGES = ["chern", "t_ratio", "trace_violation", "min_gap", "min_gap_k1", "min_gap_k2", "status"]
GEOMETRY_NAMES = BASIS_NAMES | {"flux", "p", "q", "k1", "k2", "kx", "ky", *_MAPS, *_AVERAGES}


class GeometryParameters(Basis, BandGroup):
    """Berry curvature and quantum metric of a group of bands over the magnetic zone."""

    flux: FluxText = pydantic.Field(description="The flux, such as 1/3.")
    points: Annotated[int, pydantic.Field(ge=2)] = pydantic.Field(48, description="Momenta per direction.")


def _sizes(model: Model, parameters: GeometryParameters, points: Sequence[Flux]) -> dict[str, int]:
    model = parameters.checked(model, points)
    band_range(model, points[0], parameters.band_pair(), parameters.from_reference)
    return {"k1": parameters.points, "k2": parameters.points}


def _compute(
    model: Model,
    parameters: GeometryParameters,
    points: Sequence[Flux],
    *,
    memory_gb: float,
    progress: Callable[[int], None] | None,
) -> xr.Dataset:
    result = geometry_map(
        model,
        points[0],
        parameters.band_pair(),
        from_reference=parameters.from_reference,
        points=parameters.points,
        **parameters.basis(),
        memory_gb=memory_gb,
    )
    if progress is not None:
        progress(1)
    return result


GEOMETRY = Task(
    name="geometry",
    summary="Berry curvature and quantum metric of a group of bands over the magnetic zone.",
    parameters=GeometryParameters,
    points=lambda model, parameters: [parameters.flux],
    sizes=_sizes,
    compute=_compute,
    # The map and the averages' own mesh; each matrix also costs its eigenvectors and their changes.
    matrices=lambda model, parameters, flux: 4 * (parameters.points**2 + 32**2),
    names=GEOMETRY_NAMES,
    plots=("berry_curvature", "quantum_metric"),
    splits=False,
)
