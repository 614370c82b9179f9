"""Spectra of continuum models at low fields, in the strip basis: as many waves as the accuracy needs, then energies."""

import dataclasses
import math

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Float, Int

from hofstadter._checks import as_integer, fail, is_concrete
from hofstadter.eigensolver import pencil
from hofstadter.eigensolver._threads import single_threaded_blas
from hofstadter.errors import CalculationError, Status
from hofstadter.flux import Flux, FluxLike
from hofstadter.hamiltonian.cutoff import MARGIN, PROBES
from hofstadter.hamiltonian.strip import StripProblem
from hofstadter.models.continuum import Continuum

# Waves to try first and at most, and the flux below which their number no longer depends on it.
FEWEST_WAVES = 4
MOST_WAVES = 60
LOW_FLUX = Flux(1, 4)


def strip_problem(
    model: Continuum,
    flux: FluxLike,
    *,
    waves: int | None = None,
    bands_per_cell: int | None = None,
    rtol: float = 1e-8,
) -> StripProblem:
    """A continuum model at flux p/q > 0 in a basis whose cost grows with q only, for low fields and large q.

    Args:
        model: The zero-field model.
        flux: The flux, positive.
        waves: Plane waves along a1 that are kept at each place, an even number; by default as many as leave the wanted
            energies within `rtol` of their range when a quarter more are kept.
        bands_per_cell: Wanted bands per primitive cell, on each side of the model's reference; by default the model's.
        rtol: Accuracy of the wanted energies relative to their range.

    Returns:
        The problem, for `hofstadter.solve(…, states=False)` and `hofstadter.states_below`, with its `cutoff_error` and,
        where that exceeds the tolerance, `basis_status` CUTOFF_TOO_LOW.

    Raises:
        ValueError: If the flux is not positive, `waves` is odd or holds fewer than the wanted bands, or the model is
            traced: sparse matrices exist outside `jit` only.
        hofstadter.CalculationError: If the model is not finite.
    """
    flux = Flux.of(flux)
    if not is_concrete(model):
        raise fail("model", "made of numbers, not traced", "traced", "`at_flux` works under `jit`.")
    if flux.p <= 0:
        raise fail("flux", "positive for a strip", flux)
    if not rtol > 0:
        raise fail("rtol", "positive", rtol)
    wanted = model.wanted_bands(flux, bands_per_cell)
    if waves is not None:
        if as_integer("waves", waves, minimum=2) % 2:
            raise fail("waves", "even", waves)
        problem = StripProblem(model, flux, waves, *wanted)
        if not _holds_wanted(problem):
            raise fail("waves", f"enough to hold the {sum(wanted)} wanted bands", waves)
        return _judged(problem, rtol)
    at = flux if flux.q <= LOW_FLUX.q else LOW_FLUX
    waves = sufficient_waves(model, at, bands_per_cell=bands_per_cell, rtol=rtol)
    problem = _judged(StripProblem(model, flux, waves, *wanted), rtol)
    while problem.basis_status != Status.OK and problem.waves < MOST_WAVES:
        problem = _judged(dataclasses.replace(problem, waves=problem.waves + 2), rtol)
    return problem


def sufficient_waves(
    model: Continuum, flux: Flux = LOW_FLUX, *, bands_per_cell: int | None = None, rtol: float = 1e-8
) -> int:
    """Fewest waves of a strip whose wanted energies at a momentum move by less than `rtol` if there are two more.

    Since waves cut off the kinetic momentum, their number hardly depends on flux.
    """
    problem = StripProblem(model, flux, FEWEST_WAVES, *model.wanted_bands(flux, bands_per_cell))
    energies = _at_probe(problem)
    while problem.waves < MOST_WAVES:
        larger = dataclasses.replace(problem, waves=problem.waves + 2)
        more = _at_probe(larger)
        if _difference(energies, more) <= _tolerance(more, rtol):
            break
        problem, energies = larger, more
    return problem.waves


def strip_energies(
    problem: StripProblem, k: Float[np.ndarray, "*batch 2"]
) -> tuple[Float[np.ndarray, "*batch band"], Int[np.ndarray, "*batch"]]:
    """Wanted energies at every momentum and their `Status`; NaN where the calculation failed."""
    points = k.reshape(-1, 2)
    energies = np.full((len(points), problem.returned_bands), np.nan)
    status = np.full(len(points), int(problem.basis_status))
    guess = _first_guess(problem)
    with single_threaded_blas():
        for place, point in enumerate(points):
            try:
                energies[place] = _wanted(problem, point, guess)
            except CalculationError as error:
                status[place] = int(error.status)
            else:
                guess = energies[place, 0], energies[place, -1]
    return energies.reshape(*k.shape[:-1], -1), status.reshape(k.shape[:-1])


def states_below(problem: StripProblem, k: ArrayLike, energies: ArrayLike) -> Float[np.ndarray, "*batch energy"]:
    """Number of states below each energy, by inertia: one sparse factorization each, no diagonalization.

    Args:
        problem: From `strip_problem`.
        k: Reduced momenta (…, 2).
        energies: Energies in the model's unit.

    Returns:
        Counts from the model's reference on, negative below it; half-integers where the reference is half filled.
        Divide by q for states per cell. An energy within rounding of a level, 1e-12 of the largest |H| or so, may be
        counted on either side of it; 1e-6 at the energy of an orbital, such as E = 0 of a Dirac model.
    """
    points, values = np.asarray(k, float), np.atleast_1d(np.asarray(energies, float))
    if points.ndim == 0 or points.shape[-1] != 2:
        raise fail("k", "an array of pairs (k1, k2)", f"of shape {points.shape}")
    reference = problem.first_band + problem.reference_filling
    counts = np.empty((points.size // 2, len(values)))
    with single_threaded_blas():
        for place, point in enumerate(points.reshape(-1, 2)):
            matrices = problem.pencil(point)
            counts[place] = [pencil.states_below(matrices, energy) - reference for energy in values]
    return counts.reshape(*points.shape[:-1], -1)


def _judged(problem: StripProblem, rtol: float) -> StripProblem:
    """The problem with its cut-off error: the largest difference of its wanted energies to those of more waves."""
    energies = _at_probe(dataclasses.replace(problem, waves=_more(problem.waves)))
    return dataclasses.replace(
        problem, cutoff_error=_difference(_at_probe(problem), energies), cutoff_tolerance=_tolerance(energies, rtol)
    )


def _more(waves: int) -> int:
    """A quarter more, rounded up to an even number."""
    return 2 * math.ceil(waves * MARGIN / 2)


def _at_probe(problem: StripProblem) -> Float[np.ndarray, " band"]:
    """Wanted energies at a momentum of no symmetry; infinite if the basis does not hold them."""
    if not _holds_wanted(problem):
        return np.full(problem.returned_bands, np.inf)
    with single_threaded_blas():
        return _wanted(problem, PROBES[0] / problem.flux.q, _first_guess(problem))


def _wanted(
    problem: StripProblem, k: Float[np.ndarray, " 2"], guess: tuple[float, float]
) -> Float[np.ndarray, " band"]:
    first = problem.first_band
    return pencil.bands(problem.pencil(k), first, first + problem.returned_bands, guess)


def _holds_wanted(problem: StripProblem) -> bool:
    return problem.first_band >= 0 and problem.first_band + problem.returned_bands <= problem.basis_size


def _first_guess(problem: StripProblem) -> tuple[float, float]:
    """A range of energies about as wide as the potential is strong."""
    scale = float(jnp.sum(jnp.abs(problem.model.potential))) or 1.0
    return -scale, scale


def _difference(energies: Float[np.ndarray, " band"], others: Float[np.ndarray, " band"]) -> float:
    with np.errstate(invalid="ignore"):
        return float(np.max(np.abs(energies - others)))


def _tolerance(energies: Float[np.ndarray, " band"], rtol: float) -> float:
    return float(rtol * (np.ptp(energies) or np.max(np.abs(energies))))
