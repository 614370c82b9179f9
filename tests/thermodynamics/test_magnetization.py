"""Orbital magnetization: the slope of the grand potential in the flux, Středa's law, and degeneracies."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.thermodynamics.magnetization import _weight, orbital_magnetization
from tests import systems
from tests.thermodynamics import grand_potential, kubo

models = hof.models


@pytest.mark.parametrize(
    ("build", "flux", "chemical_potential", "temperature", "distances", "atol"),
    [
        # Gaps at zero temperature.
        (lambda: models.checkerboard(1.0, 0.5, -0.3, phase=0.7), (0, 1), 0.3, 0.0, (16, 20, 24, 28, 32), 1e-9),
        pytest.param(
            lambda: models.haldane(1.0, 0.2, 1.2, 0.3), (0, 1), 0.2, 0.0, (24, 28, 32, 36), 1e-6, marks=pytest.mark.slow
        ),
        pytest.param(models.square, (1, 3), -1.3, 0.0, (72, 90, 108, 126), 2e-6, marks=pytest.mark.slow),
        # Metals, warm enough for Landau levels of the small extra flux to be smeared.
        (models.square, (1, 3), 0.2, 0.5, (24, 36, 48, 60), 1e-7),
        pytest.param(
            lambda: systems.build("random_2"), (1, 2), 0.2, 0.7, (24, 28, 32, 36), 1e-7, marks=pytest.mark.slow
        ),
        # A flat band that touches others.
        pytest.param(models.dice, (1, 4), -1.0, 0.6, (16, 24, 32, 40), 1e-6, marks=pytest.mark.slow),
        pytest.param(
            lambda: systems.build("rashba"), (1, 4), -1.0, 0.6, (24, 32, 40, 48), 1e-6, marks=pytest.mark.slow
        ),
    ],
)
def test_is_the_slope_of_the_grand_potential(build, flux, chemical_potential, temperature, distances, atol):
    model = build()
    found = orbital_magnetization(hof.at_flux(model, flux), chemical_potential, temperature)
    assert found.status == hof.Status.OK
    expected = grand_potential.magnetization(model, flux, chemical_potential, temperature, distances)
    assert abs(expected) > 1e-3
    np.testing.assert_allclose(found.magnetization, expected, atol=atol)


@pytest.mark.parametrize(
    ("flux", "potentials", "chern"), [((0, 1), [-0.3, 0.1, 0.4], -1), ((1, 3), [-1.5, -1.4, -1.2], 1)]
)
def test_slope_in_the_chemical_potential_is_the_chern_number(flux, potentials, chern):
    model = models.haldane() if flux == (0, 1) else models.square()
    problem = hof.at_flux(model, flux)
    for temperature in (0.0, 0.01):
        found = orbital_magnetization(problem, potentials, temperature)
        np.testing.assert_allclose(np.diff(found.magnetization) / np.diff(potentials), chern, atol=1e-8)


def test_is_the_sum_over_bands_of_the_oracle():
    model, flux = systems.random_model(1, 11), (2, 3)
    potentials, temperatures = np.array([-0.7, 0.4]), np.array([0.1, 0.5])
    found = orbital_magnetization(hof.at_flux(model, flux), potentials, temperatures, points=3)
    for n in range(2):
        expected = kubo.hall_and_magnetization(systems.plain(model), *flux, potentials[n], temperatures[n], 3)[1]
        np.testing.assert_allclose(found.magnetization[n], expected, rtol=1e-9, atol=1e-11)


@pytest.mark.slow
def test_two_spins_have_twice_the_magnetization():
    spinful, square = models.rashba(1.0, jnp.array(0.0)), models.square()
    potentials, temperatures = [-1.3, 0.4], [0.0, 0.3]
    both = orbital_magnetization(hof.at_flux(spinful, (1, 3)), potentials, temperatures, points=8)
    one = orbital_magnetization(hof.at_flux(square, (1, 3)), potentials, temperatures, points=8)
    np.testing.assert_allclose(both.magnetization, 2 * one.magnetization, atol=1e-12)


@pytest.mark.slow
def test_real_hoppings_have_no_magnetization_without_field():
    found = orbital_magnetization(hof.at_flux(models.honeycomb(1.0, mass=0.3), (0, 1)), [-1.0, 0.0], 0.2)
    np.testing.assert_allclose(found.magnetization, 0, atol=1e-14)


@pytest.mark.slow
def test_derivatives_where_filled_levels_are_degenerate():
    # The two spins of the square lattice are degenerate at strength 0, and the Zeeman and Rashba terms split them.
    def magnetization(strength):
        model = models.rashba(1.0, 0.6 * strength, 0.3 * strength, 0.5 * strength, 0.2 * strength)
        temperatures = jnp.array([0.0, 0.4])
        return orbital_magnetization(hof.at_flux(model, (1, 2)), -1.7, temperatures, points=2).magnetization

    value, slope = jax.jit(magnetization), jax.jit(jax.jacrev(magnetization))
    for strength in (0.0, 0.1):
        a, b, c, d = (value(strength + n * 1e-3) for n in (-2, -1, 1, 2))
        np.testing.assert_allclose(slope(strength), (a - 8 * b + 8 * c - d) / 12e-3, rtol=1e-7, atol=1e-10)


def test_weights_of_close_levels():
    # Against the formula of the module in extended precision.
    potential, temperature = 0.1, 0.05
    pairs = [(0.12, 0.12 + temperature * d) for d in (1e-9, 0.01, 0.0299, 0.0301, 0.2, 3.0)]
    pairs += [(-2.0, -2.0 + temperature * d) for d in (1e-9, 0.0299, 0.0301, 3.0)]
    for level, partner in pairs:
        e = np.array([level, partner], np.longdouble)
        x = (potential - e) / np.longdouble(temperature)
        filling, free = 1 / (1 + np.exp(-x)), temperature * np.log1p(np.exp(x))
        exact = (filling.sum() / 2 * (e[1] - e[0]) - (free[0] - free[1])) / (e[1] - e[0]) ** 2
        values = (jnp.asarray(v) for v in (level, partner, 1e-14, potential, temperature))
        found = _weight(*values)
        if partner - level > 1e-7:
            np.testing.assert_allclose(found, float(exact), rtol=1e-7, atol=1e-11)
        else:
            np.testing.assert_allclose(found, 0, atol=1e-6)


def test_a_metal_at_zero_temperature_is_reported():
    problem = hof.at_flux(models.haldane(), (0, 1))
    found = orbital_magnetization(problem, -2.0, max_points=16)
    assert found.status == hof.Status.MESH_TOO_COARSE
    with pytest.raises(hof.CalculationError, match="At chemical potential -2"):
        orbital_magnetization(problem, -2.0, max_points=16, throw=True)
