"""Chern numbers of gaps from the Středa formula t = ∂n/∂φ, between a flux and its Farey neighbors.

For neighbors p'/q' with |p'q − pq'| = 1 the slope of the integrated density in one gap,
(r'/q' − r/q)/(p'/q' − p/q) = ±(r'q − rq'), is an exact integer.

At a rational flux many lines n = s + tφ with t differing by q cross in one point of the Wannier diagram. Only one of
them is open there, but others may open right beside it, at nearly the same energy: a neighbor decides only if it is
close.
"""

from collections.abc import Sequence

import numpy as np

from hofstadter.counting.elements import LARGEST_CELL, reach
from hofstadter.counting.inertia import count_below
from hofstadter.flux import Flux, farey_neighbors
from hofstadter.models.tight_binding import TightBinding

# Edges of gaps move with flux, typically by π times the width of the spectrum per flux quantum. The first neighbors
# are so close that this is half of the gap, the next ones are CLOSER times closer, until two distances give the same
# slope: in a fan of Landau levels at small flux the edges move faster.
EDGE_MOTION = 0.5
CLOSER = 2


def chern_by_streda(
    model: TightBinding,
    fluxes: Sequence[Flux],
    bands_below: Sequence[np.ndarray],
    edges: Sequence[tuple[np.ndarray, np.ndarray]],
    spectrum_widths: Sequence[float],
) -> list[np.ndarray]:
    """Chern number of every gap from the integrated densities at the neighboring fluxes on either side.

    Args:
        model: The zero-field model.
        fluxes: The fluxes.
        bands_below: For each flux the number of bands below each gap.
        edges: For each flux the lower and upper energies of its gaps.
        spectrum_widths: For each flux the highest minus the lowest energy.

    Returns:
        For each flux the Chern numbers as floats; NaN where no two distances agree, or the gap is too narrow.
    """
    results = [np.full(len(rows), np.nan) for rows in bands_below]
    previous = [rows.copy() for rows in results]
    denominators = [
        np.pi * width / (EDGE_MOTION * flux.q * (upper - lower))
        for flux, (lower, upper), width in zip(fluxes, edges, spectrum_widths, strict=True)
    ]
    while True:
        wanted = [
            (i, int(gap), max(2 * reach(model) + 1, int(np.ceil(denominators[i][gap]))))
            for i, rows in enumerate(results)
            for gap in np.flatnonzero(np.isnan(rows) & (denominators[i] < LARGEST_CELL))
        ]
        neighbors = [farey_neighbors(fluxes[i], denominator) for i, _, denominator in wanted]
        within = [max(flux.q for flux in pair) <= LARGEST_CELL for pair in neighbors]
        for (i, gap, _), fits in zip(wanted, within, strict=True):
            denominators[i][gap] = denominators[i][gap] if fits else np.inf
        wanted = [entry for entry, fits in zip(wanted, within, strict=True) if fits]
        neighbors = [pair for pair, fits in zip(neighbors, within, strict=True) if fits]
        if not wanted:
            return results
        slopes = _slopes(model, fluxes, bands_below, edges, wanted, neighbors)
        for (i, gap, _), pair, slope in zip(wanted, neighbors, slopes, strict=True):
            if slope == previous[i][gap]:
                results[i][gap] = slope
            previous[i][gap] = slope
            denominators[i][gap] = CLOSER * max(flux.q for flux in pair)


def _slopes(
    model: TightBinding,
    fluxes: Sequence[Flux],
    bands_below: Sequence[np.ndarray],
    edges: Sequence[tuple[np.ndarray, np.ndarray]],
    wanted: Sequence[tuple[int, int, int]],
    neighbors: Sequence[tuple[Flux, Flux]],
) -> np.ndarray:
    """Slope of each (flux number, gap number, ...) towards its neighbors; NaN where the two sides disagree."""
    q = np.array([[flux.q for flux in pair] for pair in neighbors])
    p = np.array([[flux.p for flux in pair] for pair in neighbors])
    middle = np.array([[edges[i][0][gap] + edges[i][1][gap]] * 2 for i, gap, _ in wanted]) / 2
    below = count_below(model, p.ravel(), q.ravel(), 0.382 / q.ravel(), middle.ravel()).reshape(p.shape)
    own_p = np.array([[fluxes[i].p] for i, _, _ in wanted])
    own_q = np.array([[fluxes[i].q] for i, _, _ in wanted])
    own_bands = np.array([[bands_below[i][gap]] for i, gap, _ in wanted])
    left, right = ((p * own_q - own_p * q) * (below * own_q - own_bands * q)).T
    return np.where(left == right, left, np.nan)
