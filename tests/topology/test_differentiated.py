"""Chern numbers by automatic differentiation: integers that nobody rounded."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.topology.group_states import group_states
from tests import systems


@pytest.mark.parametrize(("flux", "seed"), [((2, 3), 6), ((-1, 3), 8), ((2, 3), 9)])
def test_equals_the_plaquette_method_for_random_models(flux, seed):
    problem = hof.at_flux(systems.random_model(1, seed), flux)
    result = hof.differentiated_chern(problem, (0, 2))
    assert result.status == hof.Status.OK
    assert result.value == int(hof.chern(problem, (0, 2))) != 0
    np.testing.assert_allclose(result.integral, result.value, atol=1e-3)
    np.testing.assert_allclose(result.residual, abs(result.integral - result.value), atol=1e-15)


@pytest.mark.slow
def test_converges_exponentially_to_an_integer():
    problem = hof.at_flux(hof.models.square(), (1, 3))
    residuals = [float(hof.differentiated_chern(problem, (0, 1), points=n).residual) for n in (5, 10, 20)]
    assert residuals[1] < 0.1 * residuals[0]
    assert residuals[2] < 1e-3 * residuals[1]
    assert residuals[2] < 1e-10


def test_works_inside_jit_and_does_not_depend_on_the_model():
    def integral(t2):
        result = hof.differentiated_chern(hof.at_flux(hof.models.haldane(1.0, t2), (0, 1)), (0, 1), points=24)
        return result.integral, (result.value, result.status)

    value, (rounded, status) = jax.jit(integral)(0.2)
    np.testing.assert_allclose(value, -1, atol=1e-6)
    assert (rounded, status) == (-1, hof.Status.OK)
    with pytest.raises(ValueError, match="points"):
        jax.jit(lambda t2: hof.differentiated_chern(hof.at_flux(hof.models.haldane(1.0, t2), (0, 1)), (0, 1)).value)(
            0.2
        )


def test_bands_that_touch_are_refused():
    result = hof.differentiated_chern(hof.at_flux(hof.models.honeycomb(), (0, 1)), (0, 1), max_points=24)
    assert result.status == hof.Status.GAP_CLOSED
    assert np.isnan(result.integral)
    assert result.min_gap < 1e-8
    np.testing.assert_allclose(np.sort(result.min_gap_k % 1), [1 / 3, 2 / 3], atol=1e-8)
    with pytest.raises(hof.CalculationError, match="k = "):
        hof.differentiated_chern(hof.at_flux(hof.models.honeycomb(), (0, 1)), (0, 1), max_points=24, throw=True)


def test_a_mesh_that_is_too_coarse_gives_no_number():
    result = hof.differentiated_chern(hof.at_flux(systems.random_model(1, 6), (2, 3)), (0, 2), points=5)
    assert result.status == hof.Status.MESH_TOO_COARSE
    assert np.isnan(result.value)
    assert np.isfinite(result.integral)


def test_nan_gives_nan_and_a_status():
    problem = hof.at_flux(hof.models.square(), (1, 3))
    broken = eqx.tree_at(lambda p: p.model.amplitudes, problem, problem.model.amplitudes * jnp.nan)
    result = hof.differentiated_chern(broken, (0, 1), points=8)
    assert result.status == hof.Status.NOT_FINITE
    assert np.isnan(result.value)


def test_states_of_a_group_change_as_the_projector_does(rng):
    # Two degenerate levels in the group: their own states have no derivative, the projector has one.
    basis = np.linalg.qr(rng.normal(size=(5, 5)) + 1j * rng.normal(size=(5, 5)))[0]
    matrix = jnp.asarray((basis * [0.0, 1.0, 1.0, 2.0, 3.0]) @ basis.conj().T)
    change = rng.normal(size=(5, 5)) + 1j * rng.normal(size=(5, 5))
    change = jnp.asarray(change + change.conj().T)

    def projector(t):
        states = group_states(matrix + t.astype(complex) * change, (1, 3))[2]
        return states @ states.conj().T

    _, derivative = jax.jvp(projector, (jnp.zeros(()),), (jnp.ones(()),))
    step = jnp.asarray(1e-5)
    np.testing.assert_allclose(derivative, (projector(step) - projector(-step)) / (2 * step), atol=1e-8)
