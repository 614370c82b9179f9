"""Energies of a sparse Hermitian pencil: counted by inertia, found by shift and invert, complete because both agree.

By Sylvester's law H − E S = L D L† has as many negative pivots as there are eigenvalues below E. Between two energies
ARPACK looks for the levels nearest to the middle. If it returns as many as the two counts differ by, they are all;
otherwise copies of degenerate levels are missing, and counts on either side of each level tell how many.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
import scipy.sparse.linalg as sparse
from jaxtyping import Float

from hofstadter.errors import CalculationError, Status
from hofstadter.hamiltonian.strip import Pencil

# Levels that one factorization is asked for.
MOST_LEVELS = 60
# Superfluous levels outside the wanted bands that are cheaper to compute than to bisect away.
SLACK = 8
# Elimination without pivoting fails next to the energy of an orbital, where a pivot vanishes at once. A factorization
# is good if it solves a system up to this part of |H|, else energies so far away, in units of |H|, are tried.
BACKWARD_ERROR = 1e-9
SMALLEST_PIVOT = 1e-10
ROUNDING = 1e-12
NUDGES = (0.0, *(sign * 1e-9 * 4**power for power in range(6) for sign in (1, -1)))
# Copies of a level are counted within this part of |H|.
RESOLUTION = 1e-10
# Places of an interval where it may be inverted, and how far from the nearest level one should be, in units of the mean
# spacing: rounding errors are those of the largest inverse. Without an interval, places in units of |H| off a guess.
PLACES = (0.47, 0.54, 0.43, 0.58, 0.39, 0.62)
CLEARANCE = 0.1
OFFSETS = (0.0, 1e-6, 1e-5, 1e-4)
# The tolerance is that of eigenvectors; errors of energies are its square. Restarts beyond these find no new levels.
ARPACK: dict[str, Any] = {"tol": 1e-10, "maxiter": 12}


class Mark(NamedTuple):
    """An energy, and how many levels of the pencil lie below it."""

    energy: float
    below: int


class _Factorization(NamedTuple):
    """H − E S in factors."""

    matrix: scipy.sparse.csc_matrix
    factors: sparse.SuperLU
    mark: Mark
    error: float

    def solve(self, right: np.ndarray) -> np.ndarray:
        """(H − E S)⁻¹ applied to a vector, refined once if the factors are not accurate."""
        solution = self.factors.solve(right)
        if self.error < ROUNDING:
            return solution
        return solution + self.factors.solve(right - self.matrix @ solution)

    def distance(self, pencil: Pencil) -> float:
        """About how far the nearest level is, by two steps of inverse iteration."""
        vector = np.random.default_rng(2).standard_normal(pencil.size).astype(complex)
        for _ in range(2):
            vector /= np.sqrt(np.vdot(vector, pencil.overlap @ vector).real)
            vector = self.factors.solve(pencil.overlap @ vector)
        return 1 / np.sqrt(np.vdot(vector, pencil.overlap @ vector).real)


class _Inverse(sparse.LinearOperator):
    """(H − E S)⁻¹ as ARPACK wants it."""

    def __init__(self, factorization: _Factorization):
        self.factorization = factorization
        super().__init__(complex, factorization.matrix.shape)

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        return self.factorization.solve(x)


def states_below(pencil: Pencil, energy: float) -> int:
    """Levels below an energy; those closer to it than rounding may be counted or not.

    That is some 1e-12 of |H|, but 1e-6 at the energy of an orbital, such as E = 0 of a Dirac model.
    """
    return _factorized(pencil, energy).mark.below


def bands(pencil: Pencil, first: int, last: int, guess: tuple[float, float]) -> Float[np.ndarray, " band"]:
    """The levels first … last − 1, counted from the lowest.

    Args:
        pencil: H and S.
        first: First level.
        last: The one after the last level.
        guess: About where the first and the last level are.

    Raises:
        hofstadter.CalculationError: If the pencil is not finite or cannot be factorized.
    """
    around = _bands_around(pencil, first, last, guess)
    if around is not None:
        return around
    # At a good guess, a step past a few levels.
    step = max((guess[1] - guess[0]) * SLACK / (2 * (last - first)), 1e-6 * pencil.norm)
    lower, _ = _marks_near(pencil, guess[0], step, max(0, first - SLACK), first)
    _, upper = _marks_near(pencil, guess[1], step, last, min(last + SLACK, pencil.size))
    return levels_between(pencil, lower, upper)[first - lower.below : last - lower.below]


def _bands_around(
    pencil: Pencil, first: int, last: int, guess: tuple[float, float]
) -> Float[np.ndarray, " band"] | None:
    """The levels first … last − 1 if they are those nearest to the middle of the guess, else None.

    This takes three factorizations: in the middle, and below and above the levels, to see that none is missing.
    """
    for offset in OFFSETS:
        middle = _factorized(pencil, sum(guess) / 2 + offset * pencil.norm)
        reach = max(middle.mark.below - first, last - middle.mark.below)
        if not first <= middle.mark.below <= last or 2 * reach > MOST_LEVELS:
            return None
        if middle.distance(pencil) > OFFSETS[1] / 10 * pencil.norm:
            break
    else:
        return None
    found = _nearest(pencil, middle, 2 * reach + 4)
    start = middle.mark.below - np.count_nonzero(found < middle.mark.energy)
    if start > first or start + len(found) < last:
        return None
    for level in (first, last):
        if 0 < level < pencil.size:
            if not start < level < start + len(found):
                return None
            edge = found[level - start - 1 : level - start + 1]
            if np.ptp(edge) < 2 * RESOLUTION * pencil.norm or states_below(pencil, float(np.mean(edge))) != level:
                return None
    return found[first - start : last - start]


def levels_between(pencil: Pencil, lower: Mark, upper: Mark) -> Float[np.ndarray, " level"]:
    """All levels between two marks, ascending; levels closer than rounding may come as copies of one."""
    wanted, width = upper.below - lower.below, upper.energy - lower.energy
    if wanted <= 0:
        return np.zeros(0)
    resolution = RESOLUTION * pencil.norm
    if width < 2 * resolution:
        return np.full(wanted, (lower.energy + upper.energy) / 2)
    middle = _clear_of_levels(pencil, lower.energy, width, CLEARANCE * width / wanted)
    found = np.zeros(0)
    if wanted <= MOST_LEVELS:
        off_center = abs((middle.mark.energy - lower.energy) / width - 0.5)
        found = _nearest(pencil, middle, math.ceil(wanted * (1 + 3 * off_center)) + 2)
        found = found[(found > lower.energy) & (found < upper.energy)]
        if len(found) == wanted:
            return found
    pieces = []
    for copies in np.split(found, 1 + np.flatnonzero(np.diff(found) > 2 * resolution)) if len(found) else []:
        before = max(lower, _factorized(pencil, copies[0] - resolution, outward=-1).mark)
        after = min(upper, _factorized(pencil, copies[-1] + resolution, outward=1).mark)
        pieces += [levels_between(pencil, lower, before), np.full(after.below - before.below, np.mean(copies))]
        lower = after
    if not pieces:
        pieces, lower = [levels_between(pencil, lower, middle.mark)], middle.mark
    return np.concatenate([*pieces, levels_between(pencil, lower, upper)])


def _marks_near(pencil: Pencil, guess: float, step: float, least: int, most: int) -> tuple[Mark, Mark]:
    """Marks on either side of, or both at, an energy with a number of levels below it between `least` and `most`.

    They differ if a degenerate level leaves no such energy. Then the first has fewer levels below it, the second more.
    """
    low = high = _factorized(pencil, guess).mark
    while low.below > most:
        low, high = _factorized(pencil, low.energy - step).mark, low
        step *= 2
    while high.below < least:
        low, high = high, _factorized(pencil, high.energy + step).mark
        step *= 2
    for mark in (low, high):
        if least <= mark.below <= most:
            return mark, mark
    while high.energy - low.energy > 2 * RESOLUTION * pencil.norm:
        # Where levels between the marks would be even, but never close to one of the marks.
        part = ((least + most) / 2 - low.below) / (high.below - low.below)
        mark = _factorized(pencil, low.energy + min(max(part, 0.1), 0.9) * (high.energy - low.energy)).mark
        if least <= mark.below <= most:
            return mark, mark
        if not low.energy < mark.energy < high.energy:  # no factorization nearer to the level
            break
        low, high = (low, mark) if mark.below > most else (mark, high)
    return low, high


def _clear_of_levels(pencil: Pencil, lower: float, width: float, clearance: float) -> _Factorization:
    """H − E S near the middle of an interval, with no level closer than `clearance`, or the best of a few."""
    best = _factorized(pencil, lower + PLACES[0] * width)
    largest = best.distance(pencil)
    for place in PLACES[1:]:
        if largest > clearance:
            break
        candidate = _factorized(pencil, lower + place * width)
        distance = candidate.distance(pencil)
        if distance > largest:
            best, largest = candidate, distance
    return best


def _nearest(pencil: Pencil, shifted: _Factorization, number: int) -> Float[np.ndarray, " level"]:
    """The levels nearest to where the pencil was factorized, ascending."""
    # Of every symmetry a bit, and the same in every run.
    start = np.random.default_rng(0).standard_normal(pencil.size).astype(complex)
    try:
        found = sparse.eigs(
            pencil.hamiltonian,
            k=min(number, pencil.size - 2),
            M=pencil.overlap,
            sigma=shifted.mark.energy,
            OPinv=_Inverse(shifted),
            v0=start,
            ncv=min(pencil.size, 3 * number // 2 + 20),
            return_eigenvectors=False,
            **ARPACK,
        )
    except sparse.ArpackNoConvergence as error:
        found = error.eigenvalues
    except sparse.ArpackError:
        found = np.zeros(0)
    return np.sort(np.asarray(found).real)


def _factorized(pencil: Pencil, energy: float, *, outward: int = 0) -> _Factorization:
    """H − E S in factors, at the energy or next to it, on one side if `outward` is ±1."""
    if not np.isfinite(pencil.norm) or not np.isfinite(energy):
        raise CalculationError(Status.NOT_FINITE)
    probe = np.random.default_rng(1).standard_normal(pencil.size).astype(complex)
    for nudge in NUDGES:
        if nudge * outward < 0:
            continue
        place = energy + nudge * pencil.norm
        shifted = (pencil.hamiltonian - place * pencil.overlap).tocsc()
        if np.min(np.abs(shifted.diagonal())) < SMALLEST_PIVOT * pencil.norm:
            continue
        try:
            factors = sparse.splu(
                shifted, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
            )
        except RuntimeError:  # exactly singular
            continue
        # Off the diagonal only if the diagonal vanished: then the pivots are not those of L D L†.
        if not np.array_equal(factors.perm_r, factors.perm_c):
            continue
        solution = factors.solve(probe)
        error = np.linalg.norm(shifted @ solution - probe) / (pencil.norm * np.linalg.norm(solution))
        if error < BACKWARD_ERROR:
            below = int(np.count_nonzero(factors.U.diagonal().real < 0))
            return _Factorization(shifted, factors, Mark(float(place), below), float(error))
    raise CalculationError(Status.RESIDUAL_TOO_LARGE, f"Factorization at energy {energy:.6g}")
