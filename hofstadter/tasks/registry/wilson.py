"""The task `wilson` of run files."""

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import pydantic
import xarray as xr

from hofstadter.flux import Flux
from hofstadter.models import TightBinding
from hofstadter.tasks._task import FluxText, Section, Task
from hofstadter.tasks.registry.band_range import BandRange, check_band_range, check_within
from hofstadter.tasks.wannier_flow import wannier_flow


class WilsonParameters(Section):
    """Wannier centers of a group of bands as a momentum goes around the magnetic zone."""

    flux: FluxText = pydantic.Field(description="The flux, such as 1/3.")
    bands: BandRange = pydantic.Field(description="First band and the one after the last, such as [0, 1].")
    direction: Literal[1, 2] = pydantic.Field(2, description="Which momentum runs along the loops.")
    steps: Annotated[int, pydantic.Field(ge=2)] | None = pydantic.Field(
        None, description="Momenta along a loop; by default 24, times q in direction 1."
    )
    loops: Annotated[int, pydantic.Field(ge=1)] = pydantic.Field(96, description="Number of loops.")

    _check_bands = pydantic.field_validator("bands")(lambda bands: list(check_band_range(bands)))


def _sizes(model: TightBinding, parameters: WilsonParameters, points: Sequence[Flux]) -> dict[str, int]:
    check_within(parameters.bands, points[0], model)
    first, last = parameters.bands
    return {"loop": parameters.loops, "center": last - first}


def _compute(
    model: TightBinding,
    parameters: WilsonParameters,
    points: Sequence[Flux],
    *,
    memory_gb: float,
    progress: Callable[[int], None] | None,
) -> xr.Dataset:
    result = wannier_flow(
        model,
        points[0],
        check_band_range(parameters.bands),
        direction=parameters.direction,
        steps=parameters.steps,
        loops=parameters.loops,
        memory_gb=memory_gb,
    )
    if progress is not None:
        progress(1)
    return result


WILSON = Task(
    name="wilson",
    summary="Flow of the Wannier centers of a group of bands, and its winding.",
    parameters=WilsonParameters,
    points=lambda parameters: [parameters.flux],
    sizes=_sizes,
    compute=_compute,
    # Eigenvectors cost about four times as much as eigenvalues.
    matrices=lambda model, parameters, flux: 4 * parameters.loops * (parameters.steps or 24),
    names=frozenset(
        ["loop", "center", "phase", "transverse", "min_overlap", "loop_status", "chern", "status", "flux", "p", "q"]
    ),
    plots=("wannier_flow",),
    splits=False,
)
