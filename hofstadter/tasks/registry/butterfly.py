"""The task `butterfly` of run files."""

from collections.abc import Callable, Sequence
from typing import Annotated

import pydantic
import xarray as xr

from hofstadter.counting import chambers
from hofstadter.counting.edges import mesh_size
from hofstadter.flux import Flux
from hofstadter.models import TightBinding
from hofstadter.tasks._task import Task
from hofstadter.tasks.butterfly import butterfly
from hofstadter.tasks.registry.fluxes import FluxList

BUTTERFLY_NAMES = frozenset(
    ["flux", "p", "q", "band", "gap", "band_lower", "band_upper", "lower", "upper", "size", "density",
     "s", "t", "bands_below", "route", "status", "edge_status"]
)  # fmt: skip


class ButterflyParameters(FluxList):
    """Band edges, gaps and their Chern numbers at many fluxes."""

    min_gap: Annotated[float, pydantic.Field(gt=0)] | None = pydantic.Field(
        None,
        description="Narrowest gap to list; by default 1e-6 of the largest possible |energy|.",
    )
    labels: bool = pydantic.Field(True, description="Whether to compute the Chern numbers of the gaps.")


def _butterfly_sizes(model: TightBinding, parameters: ButterflyParameters, points: Sequence[Flux]) -> dict[str, int]:
    bands = max(flux.q for flux in points) * model.orbitals
    return {"band": bands, "gap": bands - 1}


def _butterfly_matrices(model: TightBinding, parameters: ButterflyParameters, flux: Flux) -> int:
    """The mesh with half as many again for its refinement, and what Berry fluxes were measured to take."""
    edges = 1 if chambers.applies_to(model) else mesh_size(flux.q) ** 2 * 3 // 2
    return edges + (60 if parameters.labels else 0)


def _compute_butterfly(
    model: TightBinding,
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
        memory_gb=memory_gb,
        progress=progress,
    )


BUTTERFLY = Task(
    name="butterfly",
    summary="Band edges, gaps and gap Chern numbers (s, t) at many fluxes.",
    parameters=ButterflyParameters,
    points=ButterflyParameters.listed_fluxes,
    sizes=_butterfly_sizes,
    compute=_compute_butterfly,
    matrices=_butterfly_matrices,
    names=BUTTERFLY_NAMES,
    plots=("butterfly", "wannier_diagram"),
)
