"""Geometry of colored gaps: what a butterfly knows at single fluxes becomes polygons between them.

A gap with the label (s, t) holds n = s + t φ states per cell below it, and its edges are continuous in the
flux as long as it is open. So equal labels at neighboring fluxes are joined into one polygon, a wing.

At a fraction p/q all labels with the same number of bands r = s q + t p below them fall on one and the same
gap, and only one of them stays open there. The others are Landau gaps of the band edges next to it, whose
width vanishes linearly: they end in a tip at the upper edge of gap r if they hold more states than it, else
at the lower edge. The fraction where labels meet is the neighboring flux itself where the two are Farey
neighbors (p'q − pq' = 1), since every fraction between these has a larger denominator than both. In other
lists it is the simplest fraction between the two.
"""

import dataclasses
import math
from fractions import Fraction

import numpy as np

from hofstadter.plots._table import Table


@dataclasses.dataclass(frozen=True)
class Wings:
    """Chains of gaps with one label: chain c owns the rows `order[start[c]:stop[c]]`, ascending in flux.

    Attributes:
        order: Rows of the table, chain after chain.
        start: First position of each chain.
        stop: One past the last position of each chain.
        ends: Flux where each chain ends (chain, 2): left and right.
        tips: Energy of a pointed end (chain, 2), NaN for a flat end.
    """

    order: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    ends: np.ndarray
    tips: np.ndarray


@dataclasses.dataclass(frozen=True)
class _Meetings:
    """The gaps that stay open where labels meet, at one fraction between each pair of joined fluxes.

    Attributes:
        p: Numerator of the fraction between flux i and i + 1; for Farey neighbors there is none, and q is 0.
        q: Its denominator.
        next_q: Smallest denominators between it and the flux on its left and right (pair, 2). A gap with 2
            |t| above that has closed on the way already: as a rule, a gap is open at p/q only if 2 |t| ≤ q.
        key: Ascending numbers made of pair and r, one per gap that is known at the fraction.
        lower: Lower edge of each such gap.
        upper: Upper edge; equal to `lower` if it closes as well.
        t: Its Chern number.
    """

    p: np.ndarray
    q: np.ndarray
    next_q: np.ndarray
    key: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    t: np.ndarray


def wings(table: Table) -> Wings:
    """Join gaps with equal labels at neighboring fluxes, and find how each chain ends."""
    rows = np.flatnonzero(table.known)
    if rows.size == 0:
        none = np.zeros((0, 2))
        return Wings(rows, rows, rows, none, none)
    rows = rows[np.lexsort((table.column[rows], table.s[rows], table.t[rows]))]
    a, b = rows[:-1], rows[1:]
    left = table.column[a]
    same = (table.s[a] == table.s[b]) & (table.t[a] == table.t[b]) & (table.column[b] == left + 1)
    same[same] &= table.joined[left[same]]
    meetings, linked = _meet(table, a, b, same)
    start = np.append(0, np.flatnonzero(~linked) + 1)
    stop = np.append(start[1:], rows.size)
    ends, tips = np.empty((start.size, 2)), np.empty((start.size, 2))
    for side, step, end in ((0, -1, rows[start]), (1, 1, rows[stop - 1])):
        where, tips[:, side] = _tips(table, meetings, end, step)
        ends[:, side] = np.where(np.isfinite(tips[:, side]), where, _flat_ends(table, end, side))
    return Wings(rows, start, stop, ends, tips)


def _meet(table: Table, a: np.ndarray, b: np.ndarray, same: np.ndarray) -> tuple[_Meetings, np.ndarray]:
    """Decide which equal labels in rows a, b stay open in between: of each number of bands r, the widest."""
    p, q, next_q = _simplest_between(table)
    linked = same.copy()
    rivals = np.flatnonzero(same & (np.append(q, 0)[table.column[a]] > 0))
    linked[rivals] = False
    a, b = a[rivals], b[rivals]
    left = table.column[a]
    key = _key(left, (table.s[a] * q[left] + table.t[a] * p[left]).astype(int))
    size = table.size[a] + table.size[b]
    widest_first = np.lexsort((-size, key))
    key, first, count = np.unique(key[widest_first], return_index=True, return_counts=True)
    widest = widest_first[first]
    second = widest_first[np.minimum(first + 1, max(widest_first.size - 1, 0))]
    clear = (count == 1) | (size[widest] > 2 * size[second])
    a, b, left, rivals = a[widest], b[widest], left[widest], rivals[widest]
    overlap = (table.lower[a] < table.upper[b]) & (table.lower[b] < table.upper[a])
    survives = overlap | (clear & (2 * np.abs(table.t[a]) <= next_q[left].min(axis=1)))
    linked[rivals[survives]] = True
    weight = (p[left] / q[left] - table.flux[left]) / (table.flux[left + 1] - table.flux[left])
    lower = (1 - weight) * table.lower[a] + weight * table.lower[b]
    upper = (1 - weight) * table.upper[a] + weight * table.upper[b]
    # If even the widest closes, as at a Dirac point, it does so between the two edges that face each other.
    rises = table.lower[a] < table.lower[b]
    touch = np.where(rises, table.upper[a] + table.lower[b], table.lower[a] + table.upper[b]) / 2
    lower, upper = np.where(survives, lower, touch), np.where(survives, upper, touch)
    return _Meetings(p, q, next_q, key, lower, upper, table.t[a]), linked


def _key(left: np.ndarray, below: np.ndarray) -> np.ndarray:
    """One integer for a pair of fluxes and a number of bands, which may be negative."""
    return left.astype(np.int64) * 2**32 + below + 2**31


def _simplest_between(table: Table) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`p`, `q` and `next_q` of `_Meetings`."""
    p, q, next_q = (np.zeros((table.joined.size, *shape), int) for shape in ((), (), (2,)))
    determinant = table.p[1:] * table.q[:-1] - table.p[:-1] * table.q[1:]
    for i in np.flatnonzero(table.joined & (determinant > 1)):
        low, high = (Fraction(int(table.p[j]), int(table.q[j])) for j in (i, i + 1))
        middle = _simplest(low, high)
        p[i], q[i] = middle.as_integer_ratio()
        next_q[i] = _simplest(low, middle).denominator, _simplest(middle, high).denominator
    return p, q, next_q


def _simplest(low: Fraction, high: Fraction) -> Fraction:
    """The fraction with the smallest denominator strictly between two others, by continued fractions."""
    whole = low.numerator // low.denominator
    if whole + 1 < high:
        return Fraction(whole + 1)
    if low == whole:
        return whole + Fraction(1, math.floor(1 / (high - whole)) + 1)
    return whole + 1 / _simplest(1 / (high - whole), 1 / (low - whole))


def _tips(table: Table, meetings: _Meetings, rows: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Flux and energy where each gap closes in direction `step`. The energy is NaN if that is not known."""
    here = table.column[rows]
    there = here + step
    inside = (there >= 0) & (there < table.flux.size)
    there = np.where(inside, there, here)
    left = np.minimum(here, there)
    inside &= np.append(table.joined, False)[left]
    between = np.append(meetings.q, 0)[left]
    p = np.where(between > 0, np.append(meetings.p, 0)[left], table.p[there])
    q = np.where(between > 0, between, table.q[there])
    s, t = table.s[rows].astype(int), table.t[rows].astype(int)
    below = s * q + t * p
    at_neighbor = _gap_at_flux(table, there, below)
    at_fraction = _gap_between(table, meetings, left, below, p, q)
    lower, upper, other = (np.where(between > 0, x, y) for x, y in zip(at_fraction, at_neighbor, strict=True))
    # More states than in gap r: a Landau gap of the band above it. Fewer: of the band below it.
    excess = (t - other) * (table.flux[here] - p / q)
    closed = ~(upper > lower)
    energy = np.select([closed, excess > 0, excess < 0], [(lower + upper) / 2, upper, lower], np.nan)
    next_q = np.append(meetings.next_q, [[0, 0]], axis=0)[left, 0 if step > 0 else 1]
    reaches = (between == 0) | (2 * np.abs(t) <= next_q)
    return p / q, np.where(inside & reaches, energy, np.nan)


def _flat_ends(table: Table, rows: np.ndarray, side: int) -> np.ndarray:
    """Flux up to which gaps with an unknown end are drawn: that of the cell, if they are open so far.

    As a rule a gap closes at fractions with denominator at most 2 |t|, none nearer to p/q than 1 / (2 |t| q).
    """
    column = table.column[rows]
    reach = np.abs(table.cells[column, side] - table.flux[column])
    open_reach = 1 / (2 * np.maximum(np.abs(table.t[rows]), 0.5) * table.q[column])
    reach = np.where(table.alone[column], reach, np.minimum(reach, open_reach))
    return table.flux[column] + (2 * side - 1) * reach


def _gap_at_flux(table: Table, column: np.ndarray, below: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges and Chern number of the gap above `below` bands; outside all bands it is the spectrum's edge."""
    bands = np.isfinite(table.band_lower).sum(axis=1)[column]
    exists = (below >= 0) & (below <= bands)
    below = np.where(exists, below, 0)
    pad = np.full((table.flux.size, 1), np.nan)
    lower = np.hstack([pad, table.band_upper])[column, below]
    upper = np.hstack([table.band_lower, pad])[column, below]
    lower, upper = np.where(below == 0, upper, lower), np.where(below == bands, lower, upper)
    label, is_open = np.full((2, table.flux.size, table.band_lower.shape[1] + 1), np.nan)
    label[table.column, table.below] = table.t
    # Bands that touch are apart by rounding errors, and gaps too small to be labelled may as well be closed.
    rows = np.union1d(np.flatnonzero(table.known), table.visible_unknown())
    is_open[table.column[rows], table.below[rows]] = 1.0
    touching = np.isnan(is_open[column, below])
    middle = (lower + upper) / 2
    lower, upper = np.where(touching, middle, lower), np.where(touching, middle, upper)
    return np.where(exists, lower, np.nan), np.where(exists, upper, np.nan), label[column, below]


def _gap_between(
    table: Table, meetings: _Meetings, left: np.ndarray, below: np.ndarray, p: np.ndarray, q: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same at the fraction p/q between flux `left` and `left + 1`, from edges interpolated over it."""
    nothing = np.full(left.size, np.nan)
    right = np.minimum(left + 1, table.flux.size - 1)
    span = np.maximum(table.flux[right] - table.flux[left], np.finfo(float).tiny)
    weight = np.clip((p / q - table.flux[left]) / span, 0, 1)[:, None]
    bottom, top = ((1 - weight) * table.spectrum[left] + weight * table.spectrum[right]).T
    bands_per_cell = np.isfinite(table.band_lower).sum(axis=1)[left] / table.q[left]
    outermost = np.where(below == 0, bottom, np.where(below == np.rint(bands_per_cell * q), top, np.nan))
    if meetings.key.size == 0:
        return outermost, outermost, nothing
    key = _key(left, below)
    found = np.minimum(np.searchsorted(meetings.key, key), meetings.key.size - 1)
    hit = meetings.key[found] == key
    lower = np.where(hit, meetings.lower[found], outermost)
    upper = np.where(hit, meetings.upper[found], outermost)
    return lower, upper, np.where(hit, meetings.t[found], np.nan)


def polygons(table: Table, chains: Wings) -> list[np.ndarray]:
    """Corners of each wing as rows (flux, energy): along its lower edge, back along its upper edge."""
    result = []
    spans = zip(chains.start, chains.stop, chains.ends, chains.tips, strict=True)
    for start, stop, (left, right), (tip_left, tip_right) in spans:
        rows = chains.order[start:stop]
        x, low, high = table.flux[table.column[rows]], table.lower[rows], table.upper[rows]
        x = np.concatenate([[left], x, [right]])
        low = np.concatenate([[_or(tip_left, low[0])], low, [_or(tip_right, low[-1])]])
        high = np.concatenate([[_or(tip_left, high[0])], high, [_or(tip_right, high[-1])]])
        result.append(np.stack([np.concatenate([x, x[::-1]]), np.concatenate([low, high[::-1]])], axis=1))
    return result


def _or(tip: float, edge: float) -> float:
    return tip if np.isfinite(tip) else edge
