"""Staircases at finite temperature and broadening, against sums over levels and integrals over lines."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit, voigt_profile

from hofstadter.thermodynamics.grand_canonical import grand_canonical, smear

STEP = 0.01
GRID = STEP * np.arange(-300, 301)


def staircase(levels, weights):
    """Levels at grid points, spread over the step before and the step after like the averages of flavors."""
    below = np.sum(weights[:, None] * (levels[:, None] < GRID), axis=0)
    at = np.sum(weights[:, None] * np.isclose(levels[:, None], GRID), axis=0)
    return jnp.asarray(
        below * ~np.isclose(GRID[:, None], levels).any(axis=1)
        + (below + at / 2) * np.isclose(GRID[:, None], levels).any(axis=1)
    )


LEVELS = np.array([-0.5, 0.0, 0.25, 0.3])
WEIGHTS = np.array([1.0, 0.5, 0.25, 1.0])


def test_temperature_against_sums_over_levels():
    temperature = 0.1
    found = grand_canonical(staircase(LEVELS, WEIGHTS), STEP, temperature, 0.0)
    x = (GRID[:, None] - LEVELS) / temperature
    f = expit(x)
    expected = {
        "density": f @ WEIGHTS,
        "density_of_states": (f * expit(-x)) @ WEIGHTS / temperature,
        "grand_potential": -temperature * np.log1p(np.exp(x)) @ WEIGHTS,
        "entropy": (np.log1p(np.exp(x)) - x * f) @ WEIGHTS,
    }
    # The step is a tenth of the temperature; a level spread over two steps has the variance step²/6.
    for name, values in expected.items():
        np.testing.assert_allclose(getattr(found, name), values, atol=2e-3 * np.abs(values).max(), err_msg=name)
    n, s, t = f @ WEIGHTS, expected["entropy"], temperature
    # C at constant n from S(μ(T), T): T dS/dT with dμ/dT = −(∂n/∂T)/(∂n/∂μ), by differences.
    h = 1e-5

    def at(temperature, mu):
        y = (mu - LEVELS) / temperature
        return expit(y) @ WEIGHTS, (np.log1p(np.exp(y)) - y * expit(y)) @ WEIGHTS

    for i in (240, 300, 320, 340):
        mu = GRID[i]
        dn_dt = (at(t + h, mu)[0] - at(t - h, mu)[0]) / (2 * h)
        ds_dt = (at(t + h, mu)[1] - at(t - h, mu)[1]) / (2 * h)
        dn_dmu, ds_dmu = ((at(t, mu + h)[k] - at(t, mu - h)[k]) / (2 * h) for k in (0, 1))
        heat = t * (ds_dt - ds_dmu * dn_dt / dn_dmu)
        assert float(found.heat_capacity[i]) == pytest.approx(heat, abs=5e-3)
    assert n[-1] == pytest.approx(WEIGHTS.sum(), abs=1e-9)
    assert s[0] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("lineshape", ["gaussian", "lorentzian"])
@pytest.mark.parametrize("temperature", [0.0, 0.05])
def test_lines_against_integrals(lineshape, temperature):
    width = 0.06
    states = staircase(np.array([0.0]), np.array([1.0]))
    found = grand_canonical(states, STEP, temperature, width, lineshape)
    sigma, gamma = (width, 0.0) if lineshape == "gaussian" else (0.0, width)
    for i in (300, 305, 320, 350, 280):
        mu = GRID[i]
        if temperature:
            slope = quad(
                lambda e, mu=mu: (
                    voigt_profile(e, sigma, gamma)
                    * expit((mu - e) / temperature)
                    * expit((e - mu) / temperature)
                    / temperature
                ),
                mu - 2,
                mu + 2,
                points=[0.0, mu],
                limit=400,
            )[0]
        else:
            slope = voigt_profile(mu, sigma, gamma)
        # The level is spread over two steps, a third of the line's width.
        assert float(found.density_of_states[i]) == pytest.approx(slope, abs=0.015 * voigt_profile(0, sigma, gamma))


def test_identities(rng):
    states = jnp.asarray(np.concatenate([np.zeros(100), np.cumsum(rng.exponential(size=401)), np.full(100, 0)]))
    states = states.at[-100:].set(states[500])
    for temperature, width in ((0.05, 0.0), (0.03, 0.04), (0.0, 0.05)):
        found = grand_canonical(states, STEP, temperature, width)
        total = float(states[-1])
        # ∂n/∂μ is the density of states, its integral the states; −∂Ω/∂μ the density.
        slope = np.gradient(found.density, STEP)
        np.testing.assert_allclose(slope[2:-2], found.density_of_states[2:-2], atol=5e-3 * float(found[1].max()))
        assert float(jnp.sum(found.density_of_states)) * STEP == pytest.approx(total, rel=1e-9)
        np.testing.assert_allclose(
            -np.gradient(found.grand_potential, STEP)[2:-2], found.density[2:-2], atol=2e-4 * total
        )
        assert np.all(np.diff(found.density) >= -1e-9 * total)
        assert np.all(np.asarray(found.heat_capacity) >= -1e-6 * total)
        if temperature:  # Maxwell: ∂S/∂μ = ∂n/∂T
            h = 1e-4
            drift = (
                grand_canonical(states, STEP, temperature + h, width).density
                - grand_canonical(states, STEP, temperature - h, width).density
            ) / (2 * h)
            change = np.gradient(found.entropy, STEP)
            np.testing.assert_allclose(change[3:-3], drift[3:-3], atol=1e-2 * float(jnp.abs(drift).max()))


def test_narrow_lines_give_back_the_staircase():
    states = staircase(LEVELS, WEIGHTS)
    for temperature, width in ((0.0, 0.0), (1e-7, 0.0), (0.0, 1e-7), (1e-7, 1e-7)):
        found = grand_canonical(states, STEP, temperature, width)
        np.testing.assert_allclose(found.density, states, atol=1e-5)
        assert np.all(np.isfinite(found.density_of_states))
        np.testing.assert_allclose(found.heat_capacity, 0, atol=1e-5)
    np.testing.assert_array_equal(grand_canonical(states, STEP, 0.0, 0.0).entropy, 0)


def test_sommerfeld_at_low_temperature():
    # A constant density of states ρ: S = C = π² ρ T / 3.
    states = jnp.asarray(5.0 * STEP * np.arange(601))
    found = grand_canonical(states, STEP, 0.05, 0.0)
    expected = np.pi**2 / 3 * 5.0 * 0.05
    assert float(found.entropy[300]) == pytest.approx(expected, rel=1e-3)
    assert float(found.heat_capacity[300]) == pytest.approx(expected, rel=1e-3)


def test_signed_quantities_are_smeared_alike():
    states = staircase(LEVELS, WEIGHTS)
    density = grand_canonical(states, STEP, 0.05, 0.02).density
    np.testing.assert_allclose(smear(-2 * states, STEP, 0.05, 0.02), -2 * density, atol=1e-12)


@pytest.mark.slow
def test_gradients_and_batches():
    states = staircase(LEVELS, WEIGHTS)

    def density(temperature, width, scale):
        return grand_canonical(scale * states, STEP, temperature, width).density[310]

    arguments = (0.05, 0.03, 1.3)
    slopes = jax.grad(density, argnums=(0, 1, 2))(*arguments)
    for number, slope in enumerate(slopes):
        h = 1e-5
        up, down = (density(*(x + s * h * (i == number) for i, x in enumerate(arguments))) for s in (1, -1))
        assert float(slope) == pytest.approx(float(up - down) / (2 * h), rel=1e-5, abs=1e-7)
    many = grand_canonical(jnp.stack([states, 2 * states]), STEP, jnp.asarray([0.05, 0.02]), jnp.asarray([0.0, 0.1]))
    for i, (factor, temperature, width) in enumerate(((1, 0.05, 0.0), (2, 0.02, 0.1))):
        one = grand_canonical(factor * states, STEP, temperature, width)
        np.testing.assert_allclose(many.density[i], one.density, atol=1e-12)
        np.testing.assert_allclose(many.entropy[i], one.entropy, atol=1e-12)
