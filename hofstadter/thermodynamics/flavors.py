"""Spin, valley and other flavors: copies of a spectrum that are shifted in energy and filled from one reservoir."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hofstadter._checks import as_integer, check_finite
from hofstadter.counting.staircase import OFFSET, Staircase
from hofstadter.errors import Status


@dataclasses.dataclass(frozen=True)
class Flavor:
    """A copy of the spectrum.

    Attributes:
        name: What to call it, such as "K, spin up".
        degeneracy: How many equal copies it stands for.
        moment: Its energies are moment × μ_B B higher in the field B: ±1 for the two spins at g = 2.
        shift: Its energies are so much higher at any field: the chemical shift of a polarized flavor.
        time_reversed: Whether it has the time-reversed spectrum, as the other valley of a moiré material.
    """

    name: str = ""
    degeneracy: int = 1
    moment: float = 0.0
    shift: float = 0.0
    time_reversed: bool = False

    def __post_init__(self):
        """Check the numbers."""
        as_integer("degeneracy", self.degeneracy, minimum=1)
        check_finite("moment", self.moment)
        check_finite("shift", self.shift)


def spin_flavors(g_factor: float = 2.0, *, valleys: bool = False) -> tuple[Flavor, ...]:
    """The two spins, of one valley or of two valleys related by time reversal.

    Args:
        g_factor: Energies move by ± g μ_B B / 2.
        valleys: Whether there is a second valley that the model does not hold.
    """
    spins = (("up", g_factor / 2), ("down", -g_factor / 2))
    if not valleys:
        return tuple(Flavor(f"spin {name}", moment=moment) for name, moment in spins)
    return tuple(
        Flavor(f"{valley}, spin {name}", moment=moment, time_reversed=reverse)
        for valley, reverse in (("K", False), ("K'", True))
        for name, moment in spins
    )


class Total(NamedTuple):
    """All flavors together at one flux.

    Attributes:
        energies: Even grid of energies.
        density: States per cell below each of them, averaged over a step around it.
        hall: Hall conductivity in e²/h with all states below an energy filled and the others empty: t in a gap, and in
            between in proportion to the states filled. NaN where no gaps are labelled.
        lower: Lower edges of the gaps of all flavors together.
        upper: Their upper edges.
        gap_density: States per cell below each gap.
        s: Their labels, gap_density = s + t φ; NaN where not established.
        t: Their Chern numbers.
        gap_status: `Status` of the labels.
        status: `Status` of the energies.
    """

    energies: np.ndarray
    density: np.ndarray
    hall: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    gap_density: np.ndarray
    s: np.ndarray
    t: np.ndarray
    gap_status: np.ndarray
    status: Status


def combine(parts: Sequence[Staircase], degeneracies: Sequence[int], shifts: np.ndarray, step: float) -> Total:
    """Fill flavors from one reservoir.

    Args:
        parts: The staircase of each flavor, before it is shifted.
        degeneracies: Copies of each flavor.
        shifts: Energy shift of each flavor.
        step: Distance of the energies of all staircases.

    Returns:
        The sum over the range of energies where all flavors are known.
    """
    energies = _common_grid(parts, shifts, step)
    density, hall, gaps = 0.0, 0.0, _Intervals.everything()
    status = next((part.status for part in parts if part.status != Status.OK), Status.OK)
    for part, copies, shift in zip(parts, degeneracies, shifts, strict=True):
        below = _mean_density(part, energies - shift, step)
        density = density + copies * below
        hall = hall + copies * _hall(part, below)
        gaps = gaps.common(_Intervals.of(part, copies, shift))
    # What goes on beyond the grid is not a gap whose size is known.
    gaps = gaps.rows((gaps.lower > energies[0]) & (gaps.upper < energies[-1]) & (gaps.upper > gaps.lower))
    known = np.isfinite(gaps.t)
    worst = np.where(known, int(Status.OK), int(Status.LABEL_NOT_ESTABLISHED))
    return Total(
        energies,
        np.asarray(density),
        np.asarray(hall),
        gaps.lower,
        gaps.upper,
        gaps.density,
        gaps.s,
        gaps.t,
        worst,
        status,
    )


class _Intervals(NamedTuple):
    """Intervals of energy without states, ascending and disjoint, with the density below and the labels."""

    lower: np.ndarray
    upper: np.ndarray
    density: np.ndarray
    s: np.ndarray
    t: np.ndarray

    @classmethod
    def everything(cls) -> "_Intervals":
        zero = np.zeros(1)
        return cls(np.array([-np.inf]), np.array([np.inf]), zero, zero, zero)

    @classmethod
    def of(cls, part: Staircase, copies: int, shift: float) -> "_Intervals":
        """The gaps of a flavor, and what is below and above all of its states."""
        gaps = part.gaps
        columns = [gaps.lower, gaps.upper, part.gap_density, gaps.s, gaps.t]
        ends = []
        if not np.isnan(part.bottom):
            ends.append([-np.inf, part.bottom, part.density[0], part.density[0], 0.0])
        if not np.isnan(part.top):
            ends.append([part.top, np.inf, part.density[-1], part.density[-1], 0.0])
        table = np.concatenate([np.array(columns).T.reshape(-1, 5), np.array(ends).reshape(-1, 5)])
        # A gap that goes on beyond the grid may do so for ever; the caller knows how far it looks.
        table[:, 0] = np.where(table[:, 0] <= part.energies[0], -np.inf, table[:, 0])
        table[:, 1] = np.where(table[:, 1] >= part.energies[-1], np.inf, table[:, 1])
        table = table[np.argsort(table[:, 0], kind="stable")]
        return cls(table[:, 0] + shift, table[:, 1] + shift, *(copies * column for column in table[:, 2:].T))

    def common(self, other: "_Intervals") -> "_Intervals":
        """The parts that are in both; densities and labels add up."""
        lower = np.maximum(self.lower[:, None], other.lower)
        upper = np.minimum(self.upper[:, None], other.upper)
        mine, others = np.nonzero(upper > lower)
        sums = (a[mine] + b[others] for a, b in zip(self[2:], other[2:], strict=True))
        return _Intervals(lower[mine, others], upper[mine, others], *sums)

    def rows(self, keep: np.ndarray) -> "_Intervals":
        return _Intervals(*(column[keep] for column in self))


def _common_grid(parts: Sequence[Staircase], shifts: np.ndarray, step: float) -> np.ndarray:
    """Energies where every flavor is known, beyond the ends of those that have one."""
    first = np.array([part.energies[0] + shift for part, shift in zip(parts, shifts, strict=True)])
    last = np.array([part.energies[-1] + shift for part, shift in zip(parts, shifts, strict=True)])
    open_below, open_above = (np.isnan([getattr(part, end) for part in parts]) for end in ("bottom", "top"))
    low = first[open_below].max() if open_below.any() else first.min()
    high = last[open_above].min() if open_above.any() else last.max()
    whole = np.arange(np.ceil(low / step - OFFSET - 1e-9), np.floor(high / step - OFFSET + 1e-9) + 1)
    return step * (whole + OFFSET)


def _mean_density(part: Staircase, energies: np.ndarray, step: float) -> np.ndarray:
    """Density averaged over a step around each energy, so that levels keep their mean energy on the grid.

    Between two energies of the staircase it is linear, but in gaps constant right to their edges.
    """
    ends = [(part.bottom, part.density[0]), (part.top, part.density[-1])]
    known = np.array([end for end in ends if not np.isnan(end[0])]).reshape(-1, 2)
    x = np.concatenate([part.energies, part.gaps.lower, part.gaps.upper, known[:, 0]])
    y = np.concatenate([part.density, part.gap_density, part.gap_density, known[:, 1]])
    # Both ascend together. The edges of a flat band may be in the wrong order, since they are not known exactly.
    x, y = np.sort(x), np.sort(y)
    area = np.concatenate([[0.0], np.cumsum((y[1:] + y[:-1]) / 2 * np.diff(x))])

    def integral(places):
        before = np.clip(np.searchsorted(x, places, side="right") - 1, 0, len(x) - 1)
        distance = places - x[before]
        after = np.clip(before + 1, 0, len(x) - 1)
        width = x[after] - x[before]
        share = np.where(places > x[before], distance / np.where(width > 0, width, 1), 0)
        at_place = y[before] + np.clip(share, 0, 1) * (y[after] - y[before])
        return area[before] + distance * (y[before] + at_place) / 2

    return (integral(energies + step / 2) - integral(energies - step / 2)) / step


def _hall(part: Staircase, density: np.ndarray) -> np.ndarray:
    """Hall conductivity at densities: that of the gaps, and linear in the density between two of them."""
    known = np.isfinite(part.gaps.t)
    places, values = part.gap_density[known], part.gaps.t[known]
    if not np.isnan(part.bottom):
        places, values = np.append(part.density[0], places), np.append(0.0, values)
    if not np.isnan(part.top):
        places, values = np.append(places, part.density[-1]), np.append(values, 0.0)
    if not len(places):
        return np.full(len(density), np.nan)
    return np.interp(density, places, values, left=np.nan, right=np.nan)
