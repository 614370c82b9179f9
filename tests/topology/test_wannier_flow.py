"""Chern numbers as windings of Wannier centers, and refusals."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.topology.wannier_flow import winding
from tests import systems

random_cases = [((2, 3), 6), ((-1, 3), 8), ((2, 3), 9)]


@pytest.mark.parametrize(("flux", "seed"), random_cases)
def test_equals_the_plaquette_method_for_random_models(flux, seed):
    problem = hof.at_flux(systems.random_model(1, seed), flux)
    assert int(hof.wilson_chern(problem, (0, 2))) == int(hof.chern(problem, (0, 2)))


def test_loops_along_the_other_direction_agree():
    problem = hof.at_flux(systems.random_model(1, 6), (2, 3))
    assert int(hof.wilson_chern(problem, (0, 2), direction=1)) == int(hof.wilson_chern(problem, (0, 2))) == -2


def test_the_opposite_field_reverses_the_sign_of_a_real_model():
    model = systems.random_model(1, 8, real=True)
    numbers = [hof.wilson_chern(hof.at_flux(model, flux), (0, 2), max_points=48) for flux in [(1, 3), (-1, 3)]]
    assert [number.status for number in numbers] == [hof.Status.OK] * 2
    assert numbers[0].value == -numbers[1].value != 0


@pytest.mark.slow
@pytest.mark.parametrize("group", [(0, 3), (2, 4)])
def test_bands_that_touch_are_refused_with_their_momentum(group):
    problem = hof.at_flux(hof.models.honeycomb(), (1, 3))
    if group == (2, 4):  # across the Dirac points
        assert int(hof.wilson_chern(problem, group)) == 2
        return
    number = hof.wilson_chern(problem, group)
    assert (number.status, np.isnan(number.value)) == (hof.Status.GAP_CLOSED, True)
    energies = hof.solve(problem, jnp.array(number.min_gap_k), states=False).energies
    assert abs(energies[3] - energies[2]) < 1e-9
    with pytest.raises(hof.CalculationError, match="k = "):
        hof.wilson_chern(problem, group, throw=True)


def test_a_mesh_that_is_too_coarse_gives_no_number():
    number = hof.wilson_chern(hof.at_flux(systems.random_model(1, 6), (2, 3)), (0, 2), max_points=4)
    assert (number.status, np.isnan(number.value)) == (hof.Status.MESH_TOO_COARSE, True)


def test_nan_gives_nan_and_a_status():
    problem = hof.at_flux(systems.random_model(1, 6), (2, 3))
    broken = eqx.tree_at(lambda p: p.model.onsite, problem, problem.model.onsite * jnp.nan)
    number = hof.wilson_chern(broken, (0, 2), max_points=24)
    assert (number.status, np.isnan(number.value)) == (hof.Status.NOT_FINITE, True)


def test_winding_counts_turns_and_keeps_the_longest_step():
    phase = 3 * 2 * np.pi * np.linspace(0, 1, 13) ** 1.2
    turns, longest = winding(jnp.asarray((phase + np.pi) % (2 * np.pi) - np.pi))
    np.testing.assert_allclose(turns, 3, atol=1e-12)
    np.testing.assert_allclose(longest, np.diff(phase).max(), atol=1e-12)


@pytest.mark.parametrize("direction", [0, 3])
def test_directions_that_do_not_exist_are_refused(direction):
    with pytest.raises(ValueError, match="direction"):
        hof.wilson_chern(hof.at_flux(hof.models.square(), (1, 3)), (0, 1), direction=direction)
