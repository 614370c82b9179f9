"""How large a truncated basis must be: so large that a quarter more states would leave the wanted bands in place."""

import dataclasses
import math
from collections.abc import Callable
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hofstadter._checks import as_integer, fail, is_concrete
from hofstadter.hamiltonian._abstract import AbstractTruncatedProblem
from hofstadter.models._abstract import AbstractContinuum

Problem = TypeVar("Problem", bound=AbstractTruncatedProblem)

# A basis is judged by a comparison with one that has a quarter more states.
MARGIN = 1.25
GROWTH = 1.5
# A larger matrix is not tried; the result then says CUTOFF_TOO_LOW.
MAX_BASIS = 6000
# Momenta, in units of 1/q, where the basis is judged: one of no symmetry, and two symmetric ones if they are cheap.
PROBES = np.array([(0.137, 0.291), (0.0, 0.0), (0.5, 0.5)])
CHEAP_BASIS = 800


def with_size(
    name: str,
    size: int | None,
    build: Callable[[int], Problem],
    *,
    fewest: int,
    wanted: tuple[int, int],
    find: Callable[[], int],
    model: AbstractContinuum,
    rtol: float,
) -> Problem:
    """A problem in a basis of given size or, by default, one that suffices; judged where its numbers are known.

    Args:
        name: What the caller calls the size.
        size: The size; None to find it.
        build: Makes the problem with a basis of given size.
        fewest: The smallest size that holds the wanted bands.
        wanted: How many those are on each side of the reference.
        find: Finds a size that suffices.
        model: The zero-field model, perhaps traced.
        rtol: Tolerance relative to the range of the wanted energies.

    Raises:
        ValueError: If the size is too small to hold the wanted bands, or not given while the model is traced.
    """
    if size is None:
        if not is_concrete(model):
            raise fail(name, "given while the model is traced", None, "Find it beforehand: `at_flux(...).size`.")
        size = max(fewest, find())
    elif as_integer(name, size, minimum=1) < fewest:
        raise fail(name, f"at least {fewest} to hold the {sum(wanted)} wanted bands", size)
    problem = build(size)
    return judged(problem, build(math.ceil(size * MARGIN)), rtol) if is_concrete(model) else problem


def smallest_sufficient(build: Callable[[int], AbstractTruncatedProblem], start: int, rtol: float) -> int:
    """The smallest size of a basis, from `start` on or far below, whose wanted energies have settled.

    Args:
        build: Makes the problem with a basis of given size, at least large enough for all wanted bands.
        start: Size to try first.
        rtol: Tolerance relative to the range of the wanted energies.

    Returns:
        The size, in the unit that `build` takes. If none suffices, the largest one that leaves room for a comparison,
        which need not hold all wanted bands.
    """
    size = start
    while True:
        problem = build(size)
        comparable = int(size / MARGIN)
        spectrum = _Probe(problem)
        tolerance = spectrum.tolerance(rtol)
        if not spectrum.error(comparable) > tolerance:  # also ends if that is NaN
            break
        if problem.basis_size * GROWTH > MAX_BASIS:
            return comparable
        size = math.ceil(size * GROWTH)
    low, high = 0, comparable
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if spectrum.error(middle) <= tolerance else (middle, high)
    return high


def judged(problem: Problem, larger: AbstractTruncatedProblem, rtol: float) -> Problem:
    """The problem with its cut-off error: the largest difference of its wanted energies to those of a larger basis."""
    spectrum = _Probe(larger)
    error, tolerance = spectrum.error(int(problem.size)), spectrum.tolerance(rtol)
    real = problem.vectors.dtype
    return dataclasses.replace(
        problem, cutoff_error=jnp.asarray(error, real), cutoff_tolerance=jnp.asarray(tolerance, real)
    )


class _Probe:
    """Wanted energies of a problem at a few momenta, in its whole basis and in smaller parts of it."""

    def __init__(self, problem: AbstractTruncatedProblem):
        self.problem = problem
        probes = PROBES if problem.basis_size < CHEAP_BASIS else PROBES[:1]
        self.matrices = np.asarray(_matrices(problem, jnp.asarray(probes) / problem.q))
        self.energies = self._wanted(int(problem.size))

    def error(self, size: int) -> float:
        """Largest difference between the wanted energies in a smaller basis and in the whole one."""
        return float(np.max(np.abs(self._wanted(size) - self.energies)))

    def tolerance(self, rtol: float) -> float:
        """`rtol` of the energies' range, but at least the rounding of the eigensolver."""
        spread = np.ptp(self.energies) or np.max(np.abs(self.energies))
        rounding = 100 * float(np.finfo(self.matrices.dtype).eps) * np.max(np.abs(self.energies))
        return float(max(rtol * spread, rounding))

    def _wanted(self, size: int) -> np.ndarray:
        """Infinite if the basis does not hold the wanted bands, NaN if the matrices are not finite."""
        problem = self.problem
        rows = np.flatnonzero(problem.kept_rows(size))
        first = {"bottom": 0, "neutrality": (len(rows) + 1) // 2, "top": len(rows)}[problem.reference] - problem.below
        if first < 0 or first + problem.returned_bands > len(rows):
            return np.full((len(self.matrices), problem.returned_bands), np.inf)
        if not np.all(np.isfinite(self.matrices)):
            return np.full((len(self.matrices), problem.returned_bands), np.nan)
        energies = np.linalg.eigvalsh(self.matrices[:, rows[:, None], rows[None, :]])
        return energies[:, first : first + problem.returned_bands]


@eqx.filter_jit
def _matrices(problem: AbstractTruncatedProblem, k: jax.Array) -> jax.Array:
    return problem.matrix(k)
