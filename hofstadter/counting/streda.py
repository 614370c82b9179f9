"""Chern numbers of gaps from the Středa formula t = ∂n/∂φ, between a flux and its Farey neighbors.

For neighbors p'/q' with |p'q − pq'| = 1 the slope of the integrated density in one gap,
(r'/q' − r/q)/(p'/q' − p/q) = ±(r'q − rq'), is an exact integer.

At a rational flux many lines n = s + tφ with t differing by q cross in one point of the Wannier diagram. Only one of
them is open there, but others may open right beside it, at nearly the same energy: a neighbor decides only if it is
close.
"""

from collections.abc import Sequence

import numpy as np

from hofstadter.counting.inertia import count_below, reach
from hofstadter.flux import Flux, farey_neighbors
from hofstadter.models.tight_binding import TightBinding

# Edges of gaps move by up to about 2π times half the width of the spectrum per flux quantum (34 t at most, for a
# spectrum 9 t wide, on the triangular lattice). Neighbors are taken so close that this is a small part of the gap.
EDGE_MOTION = 0.2
# Gaps that ask for larger magnetic cells than this are left to the Berry flux.
MAX_DENOMINATOR = 20_000


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
        For each flux the Chern numbers as floats; NaN where the two sides disagree or the gap is too narrow.
    """
    entries = []  # (flux number, gap number, side, neighbor, energy)
    for i, flux in enumerate(fluxes):
        lower, upper = edges[i]
        distance = EDGE_MOTION * (upper - lower) / (np.pi * spectrum_widths[i])
        for gap, closest in enumerate(distance):
            denominator = max(2 * reach(model) + 1, int(np.ceil(1 / (flux.q * closest))))
            if denominator <= MAX_DENOMINATOR:
                middle = (lower[gap] + upper[gap]) / 2
                entries += [(i, gap, side, n, middle) for side, n in enumerate(farey_neighbors(flux, denominator))]
    slopes = [np.full((2, len(rows)), np.nan) for rows in bands_below]
    if entries:
        neighbors = [entry[3] for entry in entries]
        q = np.array([neighbor.q for neighbor in neighbors])
        p = np.array([neighbor.p for neighbor in neighbors])
        below = count_below(model, p, q, 0.382 / q, np.array([entry[4] for entry in entries]))
        for (i, gap, side, neighbor, _), count in zip(entries, below, strict=True):
            orientation = neighbor.p * fluxes[i].q - fluxes[i].p * neighbor.q
            slopes[i][side, gap] = orientation * (count * fluxes[i].q - bands_below[i][gap] * neighbor.q)
    return [np.where(left == right, left, np.nan) for left, right in slopes]
