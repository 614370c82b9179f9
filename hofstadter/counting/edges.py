"""Band edges over the magnetic zone: a mesh that holds the symmetric momenta, then refinement where it is not enough.

Energies repeat with period 1/q in k1 and k2, so everything happens on the reduced zone [0, 1/q)². The mesh has a
multiple of six points per direction and so holds the momenta where lattices with 2-, 3-, 4- or 6-fold axes have their
extrema. Whether it misses something is asked of the trigonometric interpolant through it: where that rises above the
mesh values, the extremum is searched for with true energies.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from hofstadter.eigensolver.stacks import energies_at
from hofstadter.errors import Status
from hofstadter.flux import Flux
from hofstadter.models.tight_binding import TightBinding

FINER = 4
STENCIL = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)])
CENTER = 4
PEAKS = 4


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
    max_refinements: int = 24,
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
    searches = [_Search(f, k, e, tolerance) for f, k, e in zip(fluxes, momenta, energies, strict=True)]
    for _ in range(max_refinements):
        active = [search for search in searches if search.side.size]
        if not active:
            break
        points = [search.stencil() for search in active]
        found = energies_at(model, [s.flux for s in active], points, memory_gb=memory_gb, progress=progress)
        for search, values in zip(active, found, strict=True):
            search.update(values)
    return [search.result() for search in searches]


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


def interpolation_matrix(size: int) -> np.ndarray:
    """Trigonometric interpolation from an even number of points to `FINER` times as many, as a matrix."""
    distance = np.arange(FINER * size)[:, None] / (FINER * size) - np.arange(size)[None, :] / size
    on_point = np.isclose(distance, np.round(distance), atol=1e-12)
    safe = np.where(on_point, 0.25, distance)
    kernel = np.sin(np.pi * size * safe) / (size * np.tan(np.pi * safe))
    return np.where(on_point, 1.0, kernel)


class _Search:
    """Extrema of the bands of one flux: best values so far, and shrinking stencils around places that may beat them.

    Minima (side 0) are kept with a minus sign, so that both sides look for maxima. Arrays `side`, `band`, `center` and
    `step` list the candidates that are still being followed.
    """

    def __init__(self, flux: Flux, momenta: np.ndarray, energies: np.ndarray, tolerance: float):
        self.flux = flux
        self.tolerance = tolerance
        self.finite = bool(np.all(np.isfinite(energies)))
        signed = np.stack([-energies, energies])
        self.best = signed.max(axis=1)
        size = round(len(momenta) ** 0.5)
        peaks = np.zeros((2, 0, 0, 0), bool)
        if size > 2 and self.finite:
            matrix = interpolation_matrix(size)
            grid = signed.reshape(2, size, size, -1)
            fine = np.einsum("ai,bj,sijn->sabn", matrix, matrix, grid, optimize=True)
            peaks = _highest_peaks(fine, self.best[:, None, None, :] + tolerance)
        self.side, first, second, self.band = np.nonzero(peaks)
        spacing = 1 / (FINER * size * flux.q)
        self.center = np.stack([first, second], axis=1) * spacing
        self.step = np.full(len(self.side), spacing)

    def stencil(self) -> np.ndarray:
        """Momenta to evaluate: nine around each candidate."""
        return (self.center[:, None, :] + self.step[:, None, None] * STENCIL).reshape(-1, 2)

    def update(self, energies: np.ndarray) -> None:
        """Take in the energies at `stencil()`: move to the tops of the fitted parabolas, shrink, drop what is done."""
        if not np.all(np.isfinite(energies)):
            self.finite = False
            self._keep(np.zeros(len(self.side), bool))
            return
        count = len(self.side)
        sign = np.where(self.side == 0, -1, 1)
        values = sign[:, None] * energies.reshape(count, len(STENCIL), -1)[np.arange(count), :, self.band]
        before = self.best[self.side, self.band]
        self.best = np.maximum(self.best, np.stack([-energies, energies]).max(axis=1))
        top = values.argmax(axis=1)
        shift, rise = _parabola(values)
        fitted = np.all(np.abs(shift) <= 1, axis=1)
        self.center += self.step[:, None] * np.where(fitted[:, None], shift, STENCIL[top])
        self.step = np.where(fitted | (top == CENTER), self.step / 3, self.step)
        # With a parabola, what is left to gain is its top over the best value known; without one, the place is a slope
        # or a kink (a band cut off by a crossing) and can still gain as much as the values differ.
        spread = np.where(fitted, np.maximum(rise, values.max(axis=1) - before), np.ptp(values, axis=1))
        hopeless = values.max(axis=1) + 4 * np.ptp(values, axis=1) < self.best[self.side, self.band]
        self._keep((spread > self.tolerance) & ~hopeless)

    def _keep(self, rows: np.ndarray) -> None:
        self.side, self.band = self.side[rows], self.band[rows]
        self.center, self.step = self.center[rows], self.step[rows]

    def result(self) -> BandEdges:
        if not self.finite:
            nan = np.full(self.best.shape[1], np.nan)
            return BandEdges(nan, nan, Status.NOT_FINITE)
        status = Status.EDGES_NOT_CONVERGED if self.side.size else Status.OK
        return BandEdges(-self.best[0], self.best[1], status)


def _highest_peaks(fine: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """The (at most PEAKS) highest local maxima above the threshold of each (side, band) on a periodic fine grid."""
    peaks = fine > threshold
    for axis in (1, 2):
        for direction in (-1, 1):
            peaks &= fine >= np.roll(fine, direction, axis=axis)
    heights = np.where(peaks, fine, -np.inf).transpose(0, 3, 1, 2).reshape(*fine.shape[::3], -1)
    if heights.shape[-1] > PEAKS:
        least = np.partition(heights, -PEAKS, axis=-1)[..., -PEAKS]
        peaks &= fine >= least[:, None, None, :]
    return peaks


_FIT = np.linalg.pinv(
    np.stack([np.ones(9), *STENCIL.T, STENCIL[:, 0] ** 2, STENCIL[:, 1] ** 2, np.prod(STENCIL, axis=1)], axis=1)
)


def _parabola(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Top of the parabola through nine values, in steps from the center, and its height above the best of the nine."""
    constant, g1, g2, c11, c22, c12 = _FIT @ values.T
    determinant = 4 * c11 * c22 - c12**2
    concave = (determinant > 0) & (c11 < 0)
    safe = np.where(concave, determinant, 1)
    shift = np.stack([c12 * g2 - 2 * c22 * g1, c12 * g1 - 2 * c11 * g2], axis=1) / safe[:, None]
    top = constant + 0.5 * (g1 * shift[:, 0] + g2 * shift[:, 1])
    return np.where(concave[:, None], shift, np.inf), top - values.max(axis=1)
