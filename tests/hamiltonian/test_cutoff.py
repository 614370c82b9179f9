"""How many levels and plane waves are kept, and what happens when they are too few."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.hamiltonian import cutoff
from hofstadter.hamiltonian.theta import theta_problem
from tests import continua

models = hof.models
K = jnp.asarray([0.13, 0.29])


def status(problem):
    return hof.Status(int(problem.basis_status))


@pytest.fixture(scope="module")
def automatic():
    """At one flux quantum with few bands, the search that the other fluxes reuse."""
    return hof.at_flux(models.electron_gas(3.0), 1, bands_per_cell=2)


def largest_change(problem, flux, levels, k):
    """Of a wanted energy, when many more levels are kept."""
    rows, bands = 16 * -(-levels * flux[0] // 16), (problem.below, problem.above)
    larger = continua.assemble("landau", problem.model, flux, levels, rows, rows // flux[0], bands)
    return abs(continua.energies(larger, k) - continua.energies(problem, k)).max()


def test_automatic_levels_are_enough_and_not_many_more(automatic):
    assert status(automatic) == hof.Status.OK
    spread = np.ptp(continua.energies(automatic, K))
    assert 0.3e-11 * spread < float(automatic.cutoff_tolerance) < 3e-11 * spread
    # Momenta that the search did not look at.
    k = [(0.0, 0.25), (0.9, 0.4), (0.71, 0.55)]
    assert largest_change(automatic, (1, 1), 100, k) < 2 * float(automatic.cutoff_tolerance)
    levels = int(automatic.levels)
    assert levels < 60
    # The search is for the smallest: 10 % less does not do.
    fewer = continua.assemble("landau", automatic.model, (1, 1), int(0.9 * levels), 112, 112, (0, 2))
    assert abs(continua.energies(fewer, k) - continua.energies(automatic, k)).max() > automatic.cutoff_tolerance / 4


@pytest.mark.slow
@pytest.mark.parametrize("flux", [(1, 3), (2, 5)], ids=str)
def test_below_one_quantum_levels_follow_the_flux(automatic, flux):
    p, q = flux
    problem = hof.at_flux(models.electron_gas(3.0), flux, bands_per_cell=2)
    assert status(problem) == hof.Status.OK
    assert float(problem.cutoff_error) < float(problem.cutoff_tolerance)
    # Found at one quantum with a stricter tolerance.
    assert int(automatic.levels) * q / p <= int(problem.levels) <= 1.3 * int(automatic.levels) * q / p


@pytest.mark.slow
def test_a_looser_tolerance_keeps_fewer_levels(automatic):
    loose = hof.at_flux(models.electron_gas(3.0), 1, bands_per_cell=2, rtol=1e-4)
    assert int(loose.levels) < int(automatic.levels) - 5
    assert status(loose) == hof.Status.OK
    difference = abs(continua.energies(loose, K) - continua.energies(automatic, K)).max()
    assert 0 < difference < 2e-4 * np.ptp(continua.energies(automatic, K))


@pytest.mark.slow
def test_automatic_levels_above_one_quantum():
    flux = (3, 2)
    problem = hof.at_flux(models.electron_gas(3.0), flux, bands_per_cell=2)
    assert status(problem) == hof.Status.OK
    assert largest_change(problem, flux, 80, [(0.13, 0.29), (0.9, 0.4)]) < 2 * float(problem.cutoff_tolerance)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "flux"),
    [
        (models.bistritzer_macdonald, (0, 1)),
        (models.bistritzer_macdonald, (1, 2)),
        (models.twisted_tmd, (1, 1)),
        (models.twisted_double_bilayer, (1, 1)),
    ],
)
def test_automatic_size_of_presets(build, flux):
    problem = hof.at_flux(build(), flux, bands_per_cell=2, rtol=1e-7)
    assert status(problem) == hof.Status.OK


def test_too_few_levels_by_hand():
    model = models.electron_gas(3.0)
    problem = hof.at_flux(model, 1, levels=12, bands_per_cell=2)
    assert status(problem) == hof.Status.CUTOFF_TOO_LOW
    assert float(problem.cutoff_error) > 1e3 * float(problem.cutoff_tolerance)
    spectrum = hof.solve(problem, K[None], states=False)
    np.testing.assert_array_equal(spectrum.status, [hof.Status.CUTOFF_TOO_LOW])
    with pytest.raises(hof.CalculationError, match=r"The wanted bands still move when more states are kept"):
        hof.solve(problem, K, states=False, throw=True)
    # The estimate is honest: 25 % more levels change as much as it says at one of the probes.
    larger = continua.assemble("landau", model, (1, 1), 15, 112, 112, (0, 2))
    change = abs(continua.energies(larger, cutoff.PROBES) - continua.energies(problem, cutoff.PROBES)).max()
    np.testing.assert_allclose(change, problem.cutoff_error, rtol=1e-6)
    # It is accepted by who accepts such an error.
    assert status(hof.at_flux(model, 1, levels=12, bands_per_cell=2, rtol=0.5)) == hof.Status.OK


@pytest.mark.parametrize(
    ("model", "flux", "fewest"),
    [
        (lambda: models.electron_gas(), (1, 1), 6),
        (lambda: models.electron_gas(), (2, 3), 9),
        # 12 states around neutrality and a zero mode fit into 2N + 1 levels from N = 6 on.
        (lambda: models.dirac_superlattice(), (1, 1), 6),
        (lambda: models.dirac_superlattice(valley=-1), (1, 1), 7),
        (lambda: models.twisted_tmd(), (1, 2), 6),
    ],
)
def test_fewer_levels_than_bands(model, flux, fewest):
    with pytest.raises(ValueError, match=rf"Argument `levels` must be at least {fewest} to hold the \d+ wanted bands"):
        hof.at_flux(model(), flux, levels=fewest - 1)


@pytest.mark.usefixtures("unchecked_types")
def test_wrong_arguments():
    model = models.electron_gas()
    with pytest.raises(ValueError, match=r"`flux` must be zero or positive .* Reverse the valley instead of the field"):
        hof.at_flux(model, "-1/3", levels=10)
    with pytest.raises(TypeError, match=r"Argument `flux` must be an exact fraction, but is the float 0\.25"):
        hof.at_flux(model, 0.25)
    with pytest.raises(TypeError, match=r"Argument `levels` must be an integer, but is 40\.0"):
        hof.at_flux(model, 1, levels=40.0)
    with pytest.raises(ValueError, match=r"Argument `bands_per_cell` must be at least 1, but is 0"):
        hof.at_flux(model, 1, bands_per_cell=0)
    for function in (hof.at_flux, theta_problem):
        with pytest.raises(ValueError, match=r"`levels` must be given while the model is traced.* Find it beforehand"):
            jax.jit(lambda v, at=function: at(models.electron_gas(v), 1).constant)(1.0)


def test_numbers_that_are_not_finite_end_the_search():
    """A model made without checks: every result says NOT_FINITE."""
    model = models.electron_gas(3.0)
    model = dataclasses.replace(model, potential=model.potential.at[0].set(jnp.nan))
    problem = hof.at_flux(model, 1, bands_per_cell=2)
    assert np.isnan(problem.cutoff_error)
    spectrum = hof.solve(problem, K[None], states=False)
    np.testing.assert_array_equal(spectrum.status, [hof.Status.NOT_FINITE])
    with pytest.raises(hof.CalculationError, match="not finite"):
        hof.solve(problem, K, throw=True)


def test_the_search_gives_up_at_the_largest_matrix(monkeypatch):
    monkeypatch.setattr(cutoff, "MAX_BASIS", 90)
    # Deep wells need more than 64 levels.
    problem = hof.at_flux(models.electron_gas(-300.0), 1, bands_per_cell=2)
    assert status(problem) == hof.Status.CUTOFF_TOO_LOW
    assert problem.basis_size <= 90


@pytest.mark.parametrize("flux", [0, 1])
def test_more_bands_than_the_largest_matrix_leaves_room_for(flux, monkeypatch):
    """The basis holds them all the same, and is judged by a larger one."""
    monkeypatch.setattr(cutoff, "MAX_BASIS", 120)
    problem = hof.at_flux(models.electron_gas(-5.0), flux, bands_per_cell=100)
    assert int(problem.size) == 100
    assert status(problem) == hof.Status.CUTOFF_TOO_LOW
    assert float(problem.cutoff_error) > 1e3 * float(problem.cutoff_tolerance)


def test_momenta_of_a_problem():
    problem = continua.assemble("landau", models.electron_gas(), (2, 3), 8, 112, 112, (0, 2))
    assert problem.mesh(4, 6).shape == (4, 6, 2)
    np.testing.assert_allclose(problem.mesh(4, 6)[3, 5], [3 / 4, 5 / 18], atol=1e-15)
    np.testing.assert_array_equal(problem.vectors, np.eye(2))
    assert (problem.flux, int(problem.size), int(problem.bands)) == (hof.Flux(2, 3), 8, 2)
    # Not judged: no error is known, which is not a failure.
    assert np.isnan(problem.cutoff_error)
    assert status(problem) == hof.Status.OK
