"""The task `wilson` of run files."""

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import pydantic
import xarray as xr

from hofstadter.flux import Flux
from hofstadter.models import Model
from hofstadter.tasks._basis import BASIS_NAMES, band_range
from hofstadter.tasks._task import FluxText, Task
from hofstadter.tasks.registry.band_range import BandGroup
from hofstadter.tasks.registry.basis import Basis
from hofstadter.tasks.wannier_flow import wannier_flow


class WilsonParameters(Basis, BandGroup):
    """Wannier centers of a group of bands as a momentum goes around the magnetic zone."""

    flux: FluxText = pydantic.Field(description="The flux, such as 1/3.")
    direction: Literal[1, 2] = pydantic.Field(2, description="Which momentum runs along the loops.")
    steps: Annotated[int, pydantic.Field(ge=2)] | None = pydantic.Field(
        None, description="Momenta along a loop; by default 24, times q in direction 1."
    )
    loops: Annotated[int, pydantic.Field(ge=1)] = pydantic.Field(96, description="Number of loops.")


def _sizes(model: Model, parameters: WilsonParameters, points: Sequence[Flux]) -> dict[str, int]:
    model = parameters.checked(model, points)
    first, last = band_range(model, points[0], parameters.band_pair(), parameters.from_reference)
    return {"loop": parameters.loops, "center": last - first}


def _compute(
    model: Model,
    parameters: WilsonParameters,
    points: Sequence[Flux],
    *,
    memory_gb: float,
    progress: Callable[[int], None] | None,
) -> xr.Dataset:
    result = wannier_flow(
        model,
        points[0],
        parameters.band_pair(),
        from_reference=parameters.from_reference,
        direction=parameters.direction,
        steps=parameters.steps,
        loops=parameters.loops,
        **parameters.basis(),
        memory_gb=memory_gb,
    )
    if progress is not None:
        progress(1)
    return result


WILSON = Task(
    name="wilson",
    summary="Flow of the Wannier centers of a group of bands, and its winding.",
    parameters=WilsonParameters,
    points=lambda model, parameters: [parameters.flux],
    sizes=_sizes,
    compute=_compute,
    # Eigenvectors cost about four times as much as eigenvalues.
    matrices=lambda model, parameters, flux: 4 * parameters.loops * (parameters.steps or 24),
    names=frozenset(
        ["loop", "center", "phase", "transverse", "min_overlap", "loop_status", "chern", "status", "flux", "p", "q"]
    )
    | BASIS_NAMES,
    plots=("wannier_flow",),
    splits=False,
)
