"""Band edges over the magnetic zone: a mesh that holds the symmetric momenta, then refinement where it is not enough.

Energies repeat with period 1/q in k1 and k2, so everything happens on the reduced zone [0, 1/q)². The mesh has a
multiple of six points per direction and so holds the momenta where lattices with 2-, 3-, 4- or 6-fold axes have their
extrema. Whether it misses something is asked of the trigonometric interpolant through it: where that rises above the
mesh values, the extremum is searched for with true energies (`counting.peaks`). The square lattice needs no mesh
(`counting.chambers`).
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from hofstadter.counting import chambers
from hofstadter.counting.peaks import PeakSearch
from hofstadter.eigensolver.stacks import energies_at
from hofstadter.errors import Status
from hofstadter.flux import Flux
from hofstadter.models.tight_binding import TightBinding


@dataclasses.dataclass(frozen=True)
class BandEdges:
    """Edges of all bands of one flux.

    Attributes:
        lower: Lower edge of each band, ascending.
        upper: Upper edge of each band.
        status: OK, EDGES_NOT_CONVERGED or NOT_FINITE.
    """

    lower: np.ndarray
    upper: np.ndarray
    status: Status


def find_band_edges(
    model: TightBinding,
    fluxes: Sequence[Flux],
    *,
    rtol: float = 1e-9,
    max_refinements: int = 40,
    memory_gb: float = 4.0,
    progress: Callable[[int], None] | None = None,
) -> list[BandEdges]:
    """Lower and upper edge of every band at every flux.

    Args:
        model: The zero-field model.
        fluxes: The fluxes.
        rtol: Wanted accuracy relative to the largest |energy| that the model can have.
        max_refinements: Rounds of local search around extrema that are not on the mesh.
        memory_gb: Working memory.
        progress: Called with the number of matrices done since the last call.

    Returns:
        The edges, one entry per flux.
    """
    if chambers.applies_to(model):
        edges = [_edges(*pair, converged=True) for pair in chambers.exact_band_edges(model, fluxes)]
        if progress is not None:
            progress(len(fluxes))
        return edges
    momenta = [reduced_mesh(flux, mesh_size(flux.q)) for flux in fluxes]
    energies = energies_at(model, fluxes, momenta, memory_gb=memory_gb, progress=progress)
    tolerance = rtol * float(model.norm_bound())
    searches = [PeakSearch(k, e, tolerance) for k, e in zip(momenta, energies, strict=True)]
    for _ in range(max_refinements):
        active = [i for i, search in enumerate(searches) if not search.converged]
        if not active:
            break
        points = [searches[i].stencil() for i in active]
        found = energies_at(model, [fluxes[i] for i in active], points, memory_gb=memory_gb, progress=progress)
        for i, values in zip(active, found, strict=True):
            searches[i].update(values)
    return [_edges(*search.edges(), converged=search.converged) for search in searches]


def mesh_size(q: int) -> int:
    """Mesh points per direction of the reduced zone: fewer for larger q, where bands are flatter."""
    return 48 if q <= 2 else 24 if q <= 8 else 12 if q <= 20 else 6


def reduced_mesh(flux: Flux, points: int) -> Float[np.ndarray, "momentum 2"]:
    """Square mesh over the reduced zone [0, 1/q)², with so many points per direction."""
    grid = np.arange(points) / (points * flux.q)
    return np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)


def _edges(lower: np.ndarray, upper: np.ndarray, *, converged: bool) -> BandEdges:
    if not np.all(np.isfinite([lower, upper])):
        return BandEdges(np.full_like(lower, np.nan), np.full_like(upper, np.nan), Status.NOT_FINITE)
    return BandEdges(lower, upper, Status.OK if converged else Status.EDGES_NOT_CONVERGED)
