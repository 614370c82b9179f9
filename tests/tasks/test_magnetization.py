"""Magnetization by differences in flux: against perturbation theory, Maxwell, and Lifshitz and Kosevich."""

import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.units import BOHR_MAGNETON_MEV_PER_TESLA

models = hof.models


@pytest.mark.slow
def test_it_is_the_orbital_magnetization():
    model, temperature = models.square(), 0.1
    mu = np.linspace(-3.8, 0.5, 9)
    found = hof.magnetization(model, mu, fluxes=["1/11"], temperature=temperature, flux_step=1e-3)
    exact = hof.orbital_magnetization(hof.at_flux(model, "1/11"), jnp.asarray(mu), temperature)
    # Ω is known to some 1e-5, which is divided by the step.
    np.testing.assert_allclose(found["magnetization"][0], exact.magnetization, atol=0.01)
    assert np.ptp(exact.magnetization) > 0.4


@pytest.mark.slow
def test_in_a_gap_its_slope_is_the_chern_number():
    model = models.honeycomb(mass=0.2)
    gaps = hof.gaps(model, "1/9")
    large = np.flatnonzero(gaps["size"].values > 0.25)
    assert len(large) >= 4
    middle = (gaps["lower"].values + gaps["upper"].values)[large] / 2
    mu = np.sort(np.concatenate([middle - 0.01, middle + 0.01]))
    found = hof.magnetization(model, mu, fluxes=["1/9"], temperature=0.01, flux_step=1e-3)
    np.testing.assert_allclose(found["density_slope"].values[0][::2], gaps["t"].values[large], atol=0.02)
    slope = np.diff(found["magnetization"].values[0])[::2] / 0.02
    np.testing.assert_allclose(slope, gaps["t"].values[large], atol=0.03)
    np.testing.assert_allclose(found["density"].values[0][::2], gaps["density"].values[large], atol=1e-4)


@pytest.mark.slow
def test_de_haas_van_alphen_oscillations_follow_lifshitz_and_kosevich():
    """Near the bottom of a band, M oscillates in 1/φ as the theory of free electrons says.

    Per spin and cell, with n₀ = m (μ − E₀)/2π states per cell, ω = 4π φ t the cyclotron energy for ħ²/2m = t a²:
    M = −(n₀/φ) (ω/π) Σ_k (−1)^k/k ... which is easiest as −∂/∂φ of the oscillating part of Ω,
    Ω_osc = (φ ω / 4π²) · 2 Σ_k (−1)^k / k² · R_k cos(2π k (μ − E₀)/ω), R_k = x_k / sinh x_k, x_k = 2π² k T / ω.
    """
    temperature, energy = 0.03, 0.3
    fluxes = hof.fluxes_near(np.linspace(1 / 150, 1 / 70, 25))
    found = hof.magnetization(
        models.square(),
        np.array([-4 + energy - 0.01, -4 + energy]),
        fluxes=fluxes,
        temperature=temperature,
        flux_step=4e-5,
    )
    phi = np.array([float(flux) for flux in fluxes])

    # The band is not quite parabolic: n₀(μ) at zero field takes the place of (μ − E₀)/4π t.
    zero = hof.integrated_density(models.square(), ["0"], np.array([-4 + energy]), mesh=400).values[0, 0]
    slope = np.gradient(
        hof.integrated_density(models.square(), ["0"], -4 + energy + np.array([-0.02, 0, 0.02]), mesh=400).values[0],
        0.02,
    )[1]

    def oscillating(phi):
        omega, total = phi / slope, 0.0
        for k in range(1, 6):
            x = 2 * np.pi**2 * k * temperature / omega
            total = total + 2 * (-1) ** k / k**2 * x / np.sinh(x) * np.cos(2 * np.pi * k * zero / phi)
        return phi * omega / (4 * np.pi**2) * total

    h = 1e-7
    expected = -(oscillating(phi + h) - oscillating(phi - h)) / (2 * h)
    measured = found["magnetization"].values[:, 1]
    # What does not oscillate, Landau's diamagnetism, is linear in the field.
    smooth = np.polyval(np.polyfit(phi, measured - expected, 1), phi)
    assert np.ptp(expected) > 0.02
    assert np.abs(measured - expected - smooth).max() < 0.06 * np.ptp(expected)


def test_spins_have_their_moments():
    # Without orbits (a flat band), M of one electron in one of two spins is μ_B tanh(μ_B B / T) on average.
    flat = models.square(t=1e-9)
    units = {"length_unit_nm": 10.0, "energy_unit_mev": 1.0}
    mu = np.array([-0.5, 0.0, 0.5])
    found = hof.magnetization(
        flat, mu, field_tesla=np.array([4.0, 5.0]), temperature_kelvin=4.0, flavors=hof.spin_flavors(), **units
    )
    temperature = 4.0 * 0.08617333
    field = found["field_tesla"].values[:, None]
    energy = BOHR_MAGNETON_MEV_PER_TESLA * field
    up, down = (1 / (1 + np.exp((sign * energy - mu) / temperature)) for sign in (1, -1))
    np.testing.assert_allclose(found["density"], up + down, atol=5e-4)
    np.testing.assert_allclose(found["magnetization"], down - up, atol=5e-3)


def test_no_states_no_magnetization():
    found = hof.magnetization(models.square(), np.array([-9.0, -8.0]), fluxes=["1/5", "1/4"], temperature=0.02)
    np.testing.assert_allclose(found["magnetization"], 0, atol=1e-9)
    assert np.all(found["magnetization_status"] == 0)


def test_a_spectrum_without_a_bottom_is_refused():
    with pytest.raises(ValueError, match="spectrum that has a bottom"):
        hof.magnetization(models.dirac_superlattice(), np.array([0.0, 1.0]), fluxes=["1/2"], temperature=0.1)
    with pytest.raises(ValueError, match="`flux_step`"):
        hof.magnetization(models.square(), np.array([0.0, 1.0]), fluxes=["1/2"], temperature=0.1, flux_step=2.0)
