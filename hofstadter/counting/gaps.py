"""Gaps of a spectrum, and their Chern numbers by two computed routes that must agree.

1. Berry flux of the filled bands, with plaquettes cut finer until every one is resolved (`counting.berry_labels`).
2. Středa slope of the integrated density towards the Farey neighbors on either side (`counting.streda`).

The Diophantine equation r = s q + t p then gives s. A label is never guessed from it, since it fixes t only modulo q.
"""

import dataclasses
import enum
from collections.abc import Sequence

import numpy as np

from hofstadter.counting.berry_labels import chern_by_berry_flux
from hofstadter.counting.edges import BandEdges
from hofstadter.counting.streda import chern_by_streda
from hofstadter.errors import Status
from hofstadter.flux import Flux
from hofstadter.models.tight_binding import TightBinding
from hofstadter.topology.diophantine import gap_label_s


class Route(enum.IntFlag):
    """Which computations established a gap's Chern number."""

    NONE = 0
    BERRY_FLUX = 1
    STREDA = 2


@dataclasses.dataclass(frozen=True)
class Gaps:
    """The open gaps of one flux, ascending in energy. All arrays have one entry per gap.

    Attributes:
        bands_below: Number r of magnetic bands below; the density is r/q states per cell.
        lower: Energy of the top of the band below.
        upper: Energy of the bottom of the band above.
        s: Label s of density = s + t φ; NaN where not established.
        t: Chern number; NaN where not established.
        route: `Route` flags of the computations that gave t.
        status: OK, LABEL_NOT_ESTABLISHED or LABEL_CONFLICT.
    """

    bands_below: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    s: np.ndarray
    t: np.ndarray
    route: np.ndarray
    status: np.ndarray

    @property
    def size(self) -> np.ndarray:
        """Width in energy."""
        return self.upper - self.lower


def find_gaps(edges: BandEdges, min_gap: float) -> Gaps:
    """Gaps wider than `min_gap` between consecutive bands, not labelled yet."""
    upper_so_far = np.maximum.accumulate(edges.upper[:-1])
    with np.errstate(invalid="ignore"):
        index = np.flatnonzero(edges.lower[1:] - upper_so_far > min_gap)
    blank = np.full(len(index), np.nan)
    return Gaps(
        bands_below=index + 1,
        lower=upper_so_far[index],
        upper=edges.lower[1:][index],
        s=blank,
        t=blank.copy(),
        route=np.zeros(len(index), int),
        status=np.full(len(index), int(Status.LABEL_NOT_ESTABLISHED)),
    )


def label_gaps(
    model: TightBinding,
    fluxes: Sequence[Flux],
    gaps: Sequence[Gaps],
    spectrum_widths: Sequence[float],
    *,
    memory_gb: float = 4.0,
) -> list[Gaps]:
    """Compute s and t of every gap.

    Args:
        model: The zero-field model.
        fluxes: The fluxes.
        gaps: For each flux its gaps, from `find_gaps`.
        spectrum_widths: For each flux the highest minus the lowest energy, the scale of how fast gaps move.
        memory_gb: Working memory.

    Returns:
        The gaps with `s`, `t`, `route` and `status` filled in.
    """
    bands_below = [gap.bands_below for gap in gaps]
    edges = [(gap.lower, gap.upper) for gap in gaps]
    berry = chern_by_berry_flux(model, fluxes, bands_below, memory_gb=memory_gb)
    streda = chern_by_streda(model, fluxes, bands_below, edges, spectrum_widths)
    return [combine_routes(*entry) for entry in zip(fluxes, gaps, bands_below, berry, streda, strict=True)]


def combine_routes(
    flux: Flux, gaps: Gaps, count: np.ndarray, berry: np.ndarray, streda: np.ndarray, half: float = 0.0
) -> Gaps:
    """Labels from what the two routes found.

    Args:
        flux: p/q.
        gaps: The gaps.
        count: Bands below each gap, from where densities are counted.
        berry: Chern numbers by Berry flux, NaN where not certified.
        streda: Chern numbers by Středa slopes, NaN where not found.
        half: 1/2 where Chern numbers are half-integers, and counts are so for odd p; else 0.
    """
    from_berry, from_streda = ~np.isnan(berry), ~np.isnan(streda)
    conflict = from_berry & from_streda & (berry != streda)
    t = np.where(from_berry, berry, streda)
    known = (from_berry | from_streda) & ~conflict
    # r and t move to integers together, which leaves s as it is.
    whole_count, whole_t = count + half * flux.p, np.where(known, t, 0) + half
    s, solvable = gap_label_s(np.round(whole_count).astype(int), np.round(whole_t).astype(int), flux)
    conflict |= known & ~solvable
    known &= solvable
    status = np.where(known, int(Status.OK), int(Status.LABEL_NOT_ESTABLISHED))
    return dataclasses.replace(
        gaps,
        s=np.where(known, s, np.nan),
        t=np.where(known, t, np.nan),
        route=Route.BERRY_FLUX * from_berry + Route.STREDA * from_streda,
        status=np.where(conflict, int(Status.LABEL_CONFLICT), status),
    )
