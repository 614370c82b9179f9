"""Chern numbers of groups of bands, certified or refused."""

import math
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hofstadter._checks import as_integer, fail, warn_if_single_precision
from hofstadter.eigensolver import dense
from hofstadter.eigensolver._threads import single_threaded_blas
from hofstadter.errors import CalculationError, Status
from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter.topology.group_flux import PlaquetteFluxes, flux_patch
from hofstadter.topology.plaquettes import MAX_LEVELS, PATCH, PlaquetteTally

# A direct gap below this part of the largest |energy| is a touching point, not a gap.
CLOSED_GAP = 1e-9
# Patches that may be cut finer per level of refinement, however large the matrices: who asks for one number can wait.
LEAST_PATCHES = 64


class ChernNumber(eqx.Module):
    """A Chern number with its status; `int(...)` gives the number and refuses one that is not certified.

    Attributes:
        value: The integer; NaN if it could not be certified.
        status: OK, GAP_CLOSED or MESH_TOO_COARSE.
        min_gap: Smallest direct gap to the other bands that was seen.
        min_gap_k: Reduced momentum where it was seen.
    """

    value: float
    status: Status
    min_gap: float
    min_gap_k: tuple[float, float]

    def __int__(self) -> int:
        """The Chern number; raises `CalculationError` if it is not certified."""
        if self.status != Status.OK:
            k1, k2 = self.min_gap_k
            raise CalculationError(self.status, f"Near k = ({k1:.6g}, {k2:.6g}), direct gap {self.min_gap:.3g}")
        return int(self.value)

    __index__ = __int__


def chern(problem: AbstractMagneticBlochProblem, bands: tuple[int, int], *, throw: bool = False) -> ChernNumber:
    """Chern number C = (1/2π) ∫ (∂1 A2 − ∂2 A1) of the bands [first, last).

    The group must be separated from the other bands at every k; its energies may overlap theirs. The mesh of
    plaquettes is refined where needed until the integer is certified. A Landau level at the bottom of a band has C =
    +1.

    Args:
        problem: From `hofstadter.at_flux`, not padded.
        bands: First band and the one after the last, counted from 0 at the bottom.
        throw: Raise if the number cannot be certified, instead of returning a status.

    Returns:
        The number with its status.

    Raises:
        ValueError: If the band range is empty or outside of the spectrum.
        hofstadter.CalculationError: With `throw`, if the group touches another band or cannot be resolved.
    """
    return chern_numbers(problem, [bands], throw=throw)[0]


def chern_numbers(
    problem: AbstractMagneticBlochProblem, groups: Sequence[tuple[int, int]], *, throw: bool = False
) -> list[ChernNumber]:
    """`chern` for several groups of bands at once, which share every diagonalization."""
    warn_if_single_precision()
    skipped = problem.solved_bands[0]
    groups = [(first - skipped, last - skipped) for first, last in (check_bands(problem, bands) for bands in groups)]
    tally = PlaquetteTally(
        problem.flux, np.array([last - first for first, last in groups]), problem.basis_size, LEAST_PATCHES
    )
    for _ in range(MAX_LEVELS):
        if len(tally.corners):
            tally.add(*_evaluate(problem, tuple(groups), tally.corners, tally.step))
    # What the finest plaquettes could not resolve has a gap below their side times the velocity of the bands.
    closed = tally.needed.any(axis=0) | (tally.min_gap < CLOSED_GAP * _largest_energy(problem))
    results = []
    for value, gap, place, touches in zip(tally.chern(), tally.min_gap, tally.min_gap_k, closed, strict=True):
        certified = not math.isnan(value)
        status = Status.OK if certified else Status.GAP_CLOSED if touches else Status.MESH_TOO_COARSE
        results.append(ChernNumber(float(value), status, float(gap), (float(place[0]), float(place[1]))))
        if throw:
            int(results[-1])
    return results


def check_bands(problem: AbstractMagneticBlochProblem, bands: tuple[int, int]) -> tuple[int, int]:
    """Places of the bands [first, last) in the spectrum of `matrix`; refuses ranges that are empty or outside."""
    try:
        first, last = bands
    except (TypeError, ValueError):
        raise fail("bands", "a pair (first, last)", repr(bands)) from None
    first, last = as_integer("bands", first), as_integer("bands", last)
    if not 0 <= first < last <= problem.returned_bands:
        raise fail("bands", f"a non-empty range within 0 … {problem.returned_bands}", f"({first}, {last})")
    return problem.first_band + first, problem.first_band + last


def _evaluate(
    problem: AbstractMagneticBlochProblem,
    groups: tuple[tuple[int, int], ...],
    corners: np.ndarray,
    step: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fluxes, verdicts and gaps (patch, PATCH, PATCH, group), in pieces of at most `PIECE` patches to bound memory."""
    fluxes, verdicts, gaps = [], [], []
    with single_threaded_blas():
        for start in range(0, len(corners), PIECE):
            piece = corners[start : start + PIECE]
            # Few batch sizes, so that refinement does not compile a program per level.
            size = 1 if len(piece) == 1 else PIECE
            patches = _kernel(problem, groups, np.resize(piece, (size, 2)), np.asarray(step))  # a float would be static
            fluxes.append(np.asarray(patches.flux)[: len(piece)])
            verdicts.append(np.asarray(patches.resolved)[: len(piece)])
            gaps.append(np.asarray(patches.gap)[: len(piece)])
    return np.concatenate(fluxes), np.concatenate(verdicts), np.concatenate(gaps)


PIECE = 16


@eqx.filter_jit
def _kernel(problem, groups, corners, step) -> PlaquetteFluxes:
    real = problem.vectors.dtype

    def one(corner):
        return flux_patch(problem, groups, corner, jnp.asarray(step, real), PATCH)

    return jax.vmap(one)(jnp.asarray(corners, real))


@eqx.filter_jit
def _largest_energy(problem: AbstractMagneticBlochProblem) -> jax.Array:
    return jnp.max(jnp.abs(dense.eigenvalues(problem.matrix(jnp.zeros(2)))))
