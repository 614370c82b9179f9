"""Highest points of energy bands between the points of a mesh, also where a band is cut off by a crossing.

A band is smooth except where it comes close to the next one. There the half sum s and the squared half difference d of
the two energies are still smooth, whether the bands touch in a cone, cross along a line or avoid each other, and the
lower band is s − √d. So s and d are fitted by parabolas, and s − √d of the fit tells where to look next.
"""

import numpy as np
from jaxtyping import Float

STENCIL = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)])
CENTER = 4
# Fine points per mesh point when looking for peaks, and how many peaks of a band are followed.
FINER = 4
PEAKS = 4
# The next band matters while it comes closer than this many times the range of the band itself.
CLOSE = 4.0
# A step shrinks by this factor when the peak is inside of the stencil.
SHRINK = 4.0
# The height of a fitted peak is taken to be wrong by this many times the worst misfit of the nine values.
DOUBT = 3.0


class PeakSearch:
    """Highest energies of the bands of one flux: best values so far, and shrinking stencils around likely peaks.

    Minima (side 0) are kept as maxima of −E, so that both sides look for maxima. Arrays `side`, `band`, `center` and
    `step` list the peaks that are still being followed.
    """

    def __init__(self, momenta: np.ndarray, energies: np.ndarray, tolerance: float):
        """Start from energies on a mesh.

        Args:
            momenta: A square mesh over one period of the energies, (points², 2).
            energies: Ascending energies (momentum, band).
            tolerance: Wanted accuracy.
        """
        self.tolerance = tolerance
        self.finite = bool(np.all(np.isfinite(energies)))
        signed, above = _signed(energies)
        self.best = signed.max(axis=1)
        size = round(len(momenta) ** 0.5)
        spacing = np.abs(momenta[-1] - momenta[0]).max() / (size - 1) / FINER
        peaks = np.zeros((2, 0, 0, 0), bool)
        if self.finite:
            shape = (2, size, size, -1)
            fine = _between_mesh_points(signed.reshape(shape), above.reshape(shape))
            slope = _slope_at_mesh_points(signed.reshape(shape))
            peaks = _highest_peaks(fine, slope, self.best[:, None, None, :] + tolerance)
        self.side, first, second, self.band = np.nonzero(peaks)
        self.center = np.stack([first, second], axis=1) * spacing + momenta[0]
        self.step = np.full(len(self.side), spacing)
        self.highest = np.full(len(self.side), -np.inf)
        self.highest_at = self.center.copy()

    def stencil(self) -> np.ndarray:
        """Momenta to evaluate: nine around each peak."""
        return (self.center[:, None, :] + self.step[:, None, None] * STENCIL).reshape(-1, 2)

    def update(self, energies: np.ndarray) -> None:
        """Take in the energies at `stencil()`: move to the tops of the fits, shrink, drop what is done."""
        if not np.all(np.isfinite(energies)):
            self.finite = False
            self._keep(np.zeros(len(self.side), bool))
            return
        count = len(self.side)
        signed, above = _signed(energies)
        self.best = np.maximum(self.best, signed.max(axis=1))
        rows, shape = np.arange(count), (2, count, len(STENCIL), -1)
        values = signed.reshape(shape)[self.side, rows, :, self.band]
        others = above.reshape(shape)[self.side, rows, :, self.band]

        spread = np.ptp(values, axis=1)
        top, rise, misfit = _fitted_peak(values, others)
        promised = values[:, CENTER] + rise
        inside = np.all(np.abs(top) < 1, axis=1)
        highest_point = values.argmax(axis=1)
        reached = values[rows, highest_point]
        improved = reached > self.highest + 0.01 * self.tolerance
        place = self.center + self.step[:, None] * STENCIL[highest_point]
        self.highest = np.where(improved, reached, self.highest)
        self.highest_at = np.where(improved[:, None], place, self.highest_at)

        known = self.best[self.side, self.band]
        flat = spread < self.tolerance
        done = (inside | flat) & (promised + DOUBT * misfit < known + self.tolerance)
        hopeless = promised + 2 * spread < known
        # Go where the fit points to, or back to the best point if that was no good. Close in on a peak that is inside
        # of the stencil; stride out towards one that is outside.
        follow = (promised + DOUBT * misfit >= self.highest) & (inside | improved)
        self.center = np.where(follow[:, None], self.center + self.step[:, None] * top, self.highest_at)
        self.step = self.step * np.where(inside | ~improved, 1 / SHRINK, 2)
        self._keep(~done & ~hopeless)

    @property
    def converged(self) -> bool:
        """Whether no peak is followed any more."""
        return not self.side.size

    def edges(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest energy of each band so far; NaN if an energy was not a number."""
        edges = -self.best[0], self.best[1]
        return edges if self.finite else (np.full_like(edges[0], np.nan), np.full_like(edges[1], np.nan))

    def _keep(self, rows: np.ndarray) -> None:
        self.side, self.band = self.side[rows], self.band[rows]
        self.center, self.step = self.center[rows], self.step[rows]
        self.highest, self.highest_at = self.highest[rows], self.highest_at[rows]


def _signed(energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """−E and E of each band (side, momentum, band), and the next higher of these; infinite for the highest."""
    signed = np.stack([-energies, energies])
    above = np.full_like(signed, np.inf)
    above[0, :, 1:] = signed[0, :, :-1]
    above[1, :, :-1] = signed[1, :, 1:]
    return signed, above


def interpolation_matrix(size: int) -> np.ndarray:
    """Trigonometric interpolation from an even number of points to `FINER` times as many, as a matrix."""
    distance = np.arange(FINER * size)[:, None] / (FINER * size) - np.arange(size)[None, :] / size
    on_point = np.isclose(distance, np.round(distance), atol=1e-12)
    safe = np.where(on_point, 0.25, distance)
    kernel = np.sin(np.pi * size * safe) / (size * np.tan(np.pi * safe))
    return np.where(on_point, 1.0, kernel)


def _between_mesh_points(values: np.ndarray, above: np.ndarray) -> np.ndarray:
    """The bands (side, n, n, band) on a finer mesh, interpolated as one smooth band or as two that may cross."""
    matrix = interpolation_matrix(values.shape[1])

    def finer(x):
        return np.einsum("ai,bj,sijn->sabn", matrix, matrix, x, optimize=True)

    alone = np.isinf(above)
    half_difference = np.where(alone, 0, np.where(alone, 0, above) - values) / 2
    pair = finer(values + half_difference) - np.sqrt(np.maximum(finer(half_difference**2), 0))
    return np.maximum(finer(values), pair)


def _slope_at_mesh_points(values: np.ndarray) -> np.ndarray:
    """Derivatives (2, side, n, n, band) of the interpolated bands per step of the finer mesh.

    They vanish exactly where a symmetry makes a mesh point an extremum, whatever the shape of the band around it.
    """
    size = values.shape[1]
    distance = np.arange(size)[:, None] - np.arange(size)[None, :]
    apart = distance != 0
    cotangent = np.where(apart, 1 / np.tan(np.pi * np.where(apart, distance, 0.5) / size), 0)
    matrix = np.pi * (-1.0) ** distance * cotangent / (FINER * size)
    return np.stack([np.einsum("ai,sijn->sajn", matrix, values), np.einsum("bj,sijn->sibn", matrix, values)])


def _highest_peaks(fine: np.ndarray, slope: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """The (at most PEAKS) highest local maxima of each (side, band) on a periodic mesh whose tops exceed a threshold.

    The top is taken from a parabola through the nine points around; twice its rise is granted.
    """
    highest = fine
    for axis in (1, 2):
        highest = np.maximum.reduce([np.roll(highest, shift, axis) for shift in (-1, 0, 1)])
    peaks = fine >= highest
    side, first, second, band = np.nonzero(peaks)
    row, column = ((place[:, None] + STENCIL[:, axis]) % fine.shape[1] for axis, place in enumerate((first, second)))
    around = fine[side[:, None], row, column, band[:, None]]
    _, g1, g2, c11, c22, c12 = (around @ _FIT.T).T
    on_mesh = (first % FINER == 0) & (second % FINER == 0)
    exact = slope[:, side, first // FINER, second // FINER, band]
    g1, g2 = np.where(on_mesh, exact[0], g1), np.where(on_mesh, exact[1], g2)
    determinant = 4 * c11 * c22 - c12**2
    concave = (determinant > 0) & (c11 < 0)
    rise = (c12 * g1 * g2 - c22 * g1**2 - c11 * g2**2) / np.where(concave, determinant, 1)
    score = np.full(fine.shape, -np.inf)
    score[peaks] = fine[peaks] + 2 * np.where(concave, rise, np.abs(g1) + np.abs(g2))
    peaks &= score > threshold
    heights = np.where(peaks, score, -np.inf).transpose(0, 3, 1, 2).reshape(*fine.shape[::3], -1)
    if heights.shape[-1] > PEAKS:
        least = np.partition(heights, -PEAKS, axis=-1)[..., -PEAKS]
        peaks &= score >= least[:, None, None, :]
    return peaks


def _quadratic_terms(x: np.ndarray) -> np.ndarray:
    """1, x, y, x², y², xy on a new last axis."""
    first, second = x[..., 0], x[..., 1]
    return np.stack([np.ones_like(first), first, second, first**2, second**2, first * second], axis=-1)


_STENCIL_TERMS = _quadratic_terms(STENCIL.astype(float))
_FIT = np.linalg.pinv(_STENCIL_TERMS)
_GRID = np.stack(np.meshgrid(*2 * [np.linspace(-1, 1, 9)], indexing="ij"), axis=-1).reshape(-1, 2)
_GRID_TERMS = _quadratic_terms(_GRID)


def _fitted_peak(
    values: Float[np.ndarray, "peak 9"], above: Float[np.ndarray, "peak 9"]
) -> tuple[Float[np.ndarray, "peak 2"], Float[np.ndarray, " peak"], Float[np.ndarray, " peak"]]:
    """Highest point of the fitted s − √d within the stencil.

    Args:
        values: The band at the nine points of the stencil.
        above: The next higher band.

    Returns:
        The point in steps from the center, its height above the fit at the center, and how far the fit is from the
        values at worst.
    """
    spread = np.ptp(values, axis=1)
    pair = np.min(above - values, axis=1) < CLOSE * spread
    half_difference = np.where(pair[:, None], np.where(pair[:, None], above, 0) - values, 0) / 2
    s = (values + half_difference) @ _FIT.T
    d = half_difference**2 @ _FIT.T

    def height(terms):
        return np.sum(terms * s, axis=-1) - np.sqrt(np.maximum(np.sum(terms * d, axis=-1), 0))

    on_grid = s @ _GRID_TERMS.T - np.sqrt(np.maximum(d @ _GRID_TERMS.T, 0))
    start = on_grid.argmax(axis=1)
    best, top = on_grid[np.arange(len(values)), start], _GRID[start]
    # √d is the least of (d/w + w)/2 over w > 0, which makes the top that of a parabola for each w.
    width = np.sqrt(np.maximum(np.max(half_difference**2, axis=1), 0))
    for _ in range(25):
        safe = np.where(width > 0, width, 1)
        _, g1, g2, c11, c22, c12 = (s - 0.5 * np.where(width > 0, 1 / safe, 0)[:, None] * d).T
        determinant = 4 * c11 * c22 - c12**2
        concave = (determinant > 0) & (c11 < 0)
        x = np.stack([c12 * g2 - 2 * c22 * g1, c12 * g1 - 2 * c11 * g2], axis=1)
        x = np.clip(np.where(concave[:, None], x / np.where(concave, determinant, 1)[:, None], top), -1, 1)
        terms = _quadratic_terms(x)
        here = height(terms)
        higher = here > best
        best, top = np.where(higher, here, best), np.where(higher[:, None], x, top)
        width = np.maximum(np.sqrt(np.maximum(np.sum(terms * d, axis=-1), 0)), width / 4)

    fit = s @ _STENCIL_TERMS.T - np.sqrt(np.maximum(d @ _STENCIL_TERMS.T, 0))
    misfit = np.max(np.abs(fit - values), axis=1)
    return top, best - fit[:, CENTER], misfit
