"""Low fields: choosing the strip basis, counting in it, and what it refuses."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter import models

GAS = models.electron_gas(-3.0)
K = jnp.array([[0.137, 0.291], [0.0, 0.0]])


def test_counts_are_those_of_the_energies():
    problem = hof.strip_problem(models.dirac_superlattice(1.0, 0.4, 0.3, 0.1), "2/9", bands_per_cell=1, rtol=1e-5)
    energies = np.asarray(hof.solve(problem, K / 9, states=False).energies)
    between = (energies[:, 1:] + energies[:, :-1]) / 2
    for point, values in zip(K / 9, between, strict=True):
        expected = np.arange(1, problem.returned_bands) - problem.reference_filling
        assert hof.states_below(problem, point, values).tolist() == expected.tolist()


def test_a_low_field_has_the_levels_of_the_band_bottom():
    """E_n = E_0 + ħω (n + 1/2) with 1/m from the zero-field band's curvature, at 1/60 of a quantum per cell."""
    flux = hof.Flux(1, 60)
    problem = hof.strip_problem(GAS, flux, bands_per_cell=1, rtol=1e-6)
    levels = np.asarray(hof.solve(problem, K[:1] / 60, states=False).energies[0, :3])
    zero_field = hof.at_flux(GAS, 0, bands_per_cell=1)
    step = 1e-3
    bottom, x, y = (
        float(hof.solve(zero_field, jnp.array([k]), states=False).energies[0, 0])
        for k in ((0.0, 0.0), (step, 0.0), (0.0, step))
    )
    # E = E_0 + (α/2) (2π)² k² in reduced momenta, and ħω = α/ℓ² = α 2π φ.
    alpha = 2 * np.sqrt((x - bottom) * (y - bottom)) / (2 * np.pi * step) ** 2
    expected = bottom + alpha * 2 * np.pi * float(flux) * (np.arange(3) + 0.5)
    np.testing.assert_allclose(np.diff(levels), np.diff(expected), rtol=0.02)
    np.testing.assert_allclose(levels, expected, atol=0.02 * alpha * 2 * np.pi * float(flux))


@pytest.mark.slow
def test_too_few_waves_are_seen():
    problem = hof.strip_problem(GAS, "1/30", waves=4, bands_per_cell=2)
    assert problem.basis_status == hof.Status.CUTOFF_TOO_LOW
    spectrum = hof.solve(problem, K / 30, states=False)
    assert (spectrum.status == hof.Status.CUTOFF_TOO_LOW).all()
    better = hof.strip_problem(GAS, "1/30", bands_per_cell=2)
    exact = hof.solve(better, K / 30, states=False).energies
    error = np.max(np.abs(spectrum.energies - exact))
    assert problem.cutoff_error / 3 < error < 3 * problem.cutoff_error


def test_a_parameter_that_is_not_finite_has_a_status():
    problem = hof.strip_problem(GAS, "1/5", waves=6, bands_per_cell=1)
    problem = dataclasses.replace(problem, model=dataclasses.replace(GAS, potential=GAS.potential * jnp.nan))
    spectrum = hof.solve(problem, K / 5, states=False)
    assert (spectrum.status == hof.Status.NOT_FINITE).all()
    assert np.isnan(spectrum.energies).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"flux": 0}, "`flux` must be positive"),
        ({"flux": "-1/3"}, "`flux` must be positive"),
        ({"waves": 5}, "`waves` must be even"),
        ({"waves": 2, "bands_per_cell": 200}, "`waves` must be enough to hold the 600 wanted bands"),
        ({"rtol": 0.0}, "`rtol` must be positive"),
    ],
)
def test_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        hof.strip_problem(GAS, **({"flux": "1/3"} | change))


def test_states_and_tracing_are_refused():
    problem = hof.strip_problem(GAS, "1/3", waves=4, bands_per_cell=1)
    with pytest.raises(ValueError, match="`states` must be False for a strip"):
        hof.solve(problem, K)
    with pytest.raises(ValueError, match="`k` must be made of numbers"):
        jax.jit(lambda k: hof.solve(problem, k, states=False).energies)(K)
    with pytest.raises(ValueError, match="`model` must be made of numbers"):
        jax.grad(lambda v: hof.strip_problem(models.electron_gas(v), "1/3").cutoff_error)(-3.0)
    with pytest.raises(ValueError, match="pairs"):
        hof.states_below(problem, jnp.array([0.1, 0.2, 0.3]), 1.0)
