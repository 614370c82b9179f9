"""Band edges over the magnetic zone: a mesh that holds the symmetric momenta, then refinement where it is not enough.

Energies repeat with period 1/q in k1 and k2, so everything happens on the reduced zone [0, 1/q)². The mesh has a
multiple of six points per direction and so holds the momenta where lattices with 2-, 3-, 4- or 6-fold axes have their
extrema. Whether it misses something is asked of the trigonometric interpolant through it: where that rises above the
mesh values, the extremum is searched for with true energies (`counting.peaks`).
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

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
    momenta = [_initial_momenta(model, flux) for flux in fluxes]
    energies = energies_at(model, fluxes, momenta, memory_gb=memory_gb, progress=progress)
    tolerance = rtol * float(model.norm_bound())
    searches = [PeakSearch(k, e, tolerance) for k, e in zip(momenta, energies, strict=True)]
    for _ in range(max_refinements):
        active = [i for i, search in enumerate(searches) if search.side.size]
        if not active:
            break
        points = [searches[i].stencil() for i in active]
        found = energies_at(model, [fluxes[i] for i in active], points, memory_gb=memory_gb, progress=progress)
        for i, values in zip(active, found, strict=True):
            searches[i].update(values)
    return [_edges(search) for search in searches]


def mesh_size(q: int) -> int:
    """Mesh points per direction of the reduced zone: fewer for larger q, where bands are flatter."""
    return 48 if q <= 2 else 24 if q <= 8 else 12 if q <= 20 else 6


def two_point_momenta(model: TightBinding, flux: Flux) -> np.ndarray | None:
    """The two momenta that hold all band edges of a square-lattice model, or None for other models.

    With one orbital and bonds along a1 and a2 only, det(E − H) = P(E) ± 2|t1|^q cos(q κ1) ± 2|t2|^q cos(q κ2) with
    κ_i = 2π k_i + arg t_i and equal signs (Chambers 1965): each band is monotonic in the sum of the cosines.
    """
    if model.orbitals != 1 or not {hop[2:] for hop in model.hops} <= {(1, 0), (0, 1), (-1, 0), (0, -1)}:
        return None
    origin = np.zeros(2)
    position = np.asarray(model.positions)
    for hop, amplitude in zip(model.hops, np.asarray(model.amplitudes), strict=True):
        direction = 0 if hop[2] else 1
        # An orbital off the lattice points adds a phase of its own (the area of `magnetic.gauge.peierls_area`).
        area = hop[3] * position[0, 0] - hop[2] * position[0, 1]
        turns = np.angle(amplitude) / (2 * np.pi) + float(flux) * area
        origin[direction] = -turns * (hop[2] + hop[3])
    return np.stack([origin, origin + 0.5 / flux.q])


def _initial_momenta(model: TightBinding, flux: Flux) -> np.ndarray:
    exact = two_point_momenta(model, flux)
    if exact is not None:
        return exact
    size = mesh_size(flux.q)
    grid = np.arange(size) / (size * flux.q)
    return np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)


def _edges(search: PeakSearch) -> BandEdges:
    if not search.finite:
        nan = np.full(search.best.shape[1], np.nan)
        return BandEdges(nan, nan, Status.NOT_FINITE)
    status = Status.EDGES_NOT_CONVERGED if search.side.size else Status.OK
    return BandEdges(-search.best[0], search.best[1], status)
