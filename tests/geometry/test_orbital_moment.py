"""Orbital moment of bands: an independent oracle, two bands, a degenerate pair, and touching bands."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.geometry.metric import berry_curvature
from hofstadter.geometry.orbital_moment import orbital_moment
from tests import systems
from tests.geometry.test_projector import spin_doubled
from tests.thermodynamics import kubo

models = hof.models


@pytest.mark.parametrize(("structure", "flux"), [(1, (2, 3)), (0, (-1, 3))])
def test_is_the_sum_over_bands_of_the_oracle(structure, flux, rng):
    model = systems.random_model(structure, 17)
    k = rng.uniform(-1, 1, (2, 2, 2))
    found = orbital_moment(hof.at_flux(model, flux, cells=4), (1, 2), jnp.asarray(k))
    assert found.shape == (2, 2)
    expected = [[kubo.bands(systems.plain(model), *flux, point)[2][1] for point in row] for row in k]
    np.testing.assert_allclose(found, np.array(expected) / (2 * np.pi), rtol=1e-9)


def test_both_bands_of_two_have_the_same_moment(rng):
    # Ω (E_n − E_m)/4π in reduced momenta, the same for both: Ω and the energy difference change sign together.
    problem = hof.at_flux(models.haldane(1.0, 0.2, 1.1, 0.3), (0, 1))
    k = jnp.asarray(rng.uniform(0, 1, (5, 2)))
    lower, upper = (orbital_moment(problem, bands, k) for bands in ((0, 1), (1, 2)))
    np.testing.assert_allclose(lower, upper, rtol=1e-10)
    energies = hof.solve(problem, k, states=False).energies
    reduced = berry_curvature(problem, (0, 1), k) * (2 * np.pi) ** 2 / (np.sqrt(3) / 2)
    np.testing.assert_allclose(lower, reduced * (energies[:, 0] - energies[:, 1]) / (4 * np.pi), rtol=1e-10)
    np.testing.assert_allclose(orbital_moment(problem, (0, 2), k), 0, atol=1e-15)


def test_a_landau_level_is_diamagnetic():
    # E = −4 + 2π φ − … near the bottom of the square lattice, so −∂E/∂φ is close to −2π at small flux.
    found = orbital_moment(hof.at_flux(models.square(), (1, 12)), (0, 1), jnp.array([0.1, 0.02]))
    slope = [systems.energies(models.square(), flux, [[0, 0]])[0, 0] for flux in ((1, 13), (1, 11))]
    np.testing.assert_allclose(found, -(slope[1] - slope[0]) / (1 / 11 - 1 / 13), rtol=2e-3)
    assert -2 * np.pi < float(found) < -5


@pytest.mark.slow
def test_a_degenerate_pair_has_twice_the_moment(rng):
    k = jnp.asarray(rng.uniform(-1, 1, (5, 2)))
    doubled = spin_doubled(jnp.zeros(3, complex))
    doubled = eqx.tree_at(lambda m: m.positions, doubled, doubled.positions.at[1].set(doubled.positions[0]))
    chosen = [0, 2, 4]
    single = models.TightBinding(
        doubled.vectors,
        doubled.positions[:1],
        doubled.onsite[:1],
        doubled.amplitudes[jnp.array(chosen)],
        tuple(doubled.hops[n] for n in chosen),
    )
    two = orbital_moment(hof.at_flux(doubled, (1, 3)), (0, 2), k)
    one = orbital_moment(hof.at_flux(single, (1, 3)), (0, 1), k)
    np.testing.assert_allclose(two, 2 * one, rtol=1e-10, atol=1e-11)


def test_a_touching_point_is_never_silent():
    graphene = hof.at_flux(models.honeycomb(), (0, 1))
    k = jnp.array([[0.1, 0.2], [1 / 3, 2 / 3]])
    with pytest.raises(hof.CalculationError, match=r"k = \(0.333333, 0.666667\)"):
        orbital_moment(graphene, (0, 1), k)
    found = jax.jit(lambda k: orbital_moment(graphene, (0, 1), k))(k)
    np.testing.assert_array_equal(np.isnan(found), [False, True])
