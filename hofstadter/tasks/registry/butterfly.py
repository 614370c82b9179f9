"""The task `butterfly` of run files."""

from collections.abc import Callable, Sequence
from typing import Annotated

import pydantic
import xarray as xr

from hofstadter.counting import chambers
from hofstadter.counting.continuum import continuum_mesh_size
from hofstadter.counting.edges import mesh_size
from hofstadter.flux import Flux
from hofstadter.models import AbstractContinuum, Model
from hofstadter.tasks._basis import check_basis, with_bands
from hofstadter.tasks._task import Task
from hofstadter.tasks.butterfly import butterfly
from hofstadter.tasks.registry.basis import WantedBands
from hofstadter.tasks.registry.fluxes import FluxList, listed_fluxes

_EDGES = ["band_lower", "band_upper", "edge_status"]
_GAPS = ["lower", "upper", "size", "density", "s", "t", "bands_below", "route", "status"]
BUTTERFLY_NAMES = frozenset(["flux", "p", "q", "band", "gap", *_EDGES, *_GAPS])


class ButterflyParameters(WantedBands, FluxList):
    """Band edges, gaps and their Chern numbers at many fluxes."""

    min_gap: Annotated[float, pydantic.Field(gt=0)] | None = pydantic.Field(
        None,
        description="Narrowest gap to list; by default 5e-5 of the largest possible |energy|, for continuum models "
        "2e-3 of the range of the wanted bands.",
    )
    labels: bool = pydantic.Field(True, description="Whether to compute the Chern numbers of the gaps.")


def _butterfly_sizes(model: Model, parameters: ButterflyParameters, points: Sequence[Flux]) -> dict[str, int]:
    model = with_bands(model, parameters.bands_per_cell)
    check_basis(model, points, None, parameters.rtol)
    bands = max(model.bands_at(flux) for flux in points)
    return {"band": bands, "gap": bands - 1}


def _butterfly_matrices(model: Model, parameters: ButterflyParameters, flux: Flux) -> int:
    """The mesh with half as many again for its refinement, and what Berry fluxes were measured to take."""
    if isinstance(model, AbstractContinuum):
        return 2 * continuum_mesh_size(flux) ** 2 + (90 if parameters.labels else 0)
    edges = 1 if chambers.applies_to(model) else mesh_size(flux.q) ** 2 * 3 // 2
    return edges + (60 if parameters.labels else 0)


def _compute_butterfly(
    model: Model,
    parameters: ButterflyParameters,
    points: Sequence[Flux],
    *,
    memory_gb: float,
    progress: Callable[[int], None] | None,
) -> xr.Dataset:
    return butterfly(
        model,
        fluxes=list(points),
        min_gap=parameters.min_gap,
        labels=parameters.labels,
        bands_per_cell=parameters.bands_per_cell,
        rtol=parameters.rtol,
        memory_gb=memory_gb,
        progress=progress,
    )


BUTTERFLY = Task(
    name="butterfly",
    summary="Band edges, gaps and gap Chern numbers (s, t) at many fluxes.",
    parameters=ButterflyParameters,
    points=listed_fluxes,
    sizes=_butterfly_sizes,
    compute=_compute_butterfly,
    matrices=_butterfly_matrices,
    names=BUTTERFLY_NAMES,
    plots=("butterfly", "wannier_diagram", "html"),
)
