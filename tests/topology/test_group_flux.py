"""Link variables of many groups at once, against determinants one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.topology import berry, group_flux
from tests import systems
from tests.oracles import peierls


@pytest.mark.parametrize("size", [1, 3, 5, 7])
def test_determinants(size, rng):
    matrices = rng.normal(size=(4, 2, size, size)) + 1j * rng.normal(size=(4, 2, size, size))
    np.testing.assert_allclose(group_flux.determinant(jnp.asarray(matrices)), np.linalg.det(matrices), atol=1e-12)


def test_links_of_groups_in_any_order(rng):
    model, flux = systems.build("random_1"), (2, 3)
    problem = hof.at_flux(model, flux)
    groups = ((2, 4), (0, 1), (1, 6), (5, 6), (0, 3), (3, 4), (1, 3))
    bra, ket = (np.linalg.qr(rng.normal(size=(2, 6, 6)) + 1j * rng.normal(size=(2, 6, 6)))[0] for _ in range(2))
    k, dk = rng.uniform(size=(2, 2)), rng.uniform(-0.1, 0.1, 2)
    links = jax.jit(lambda *x: group_flux.link_variables(problem, groups, *x))
    phase, modulus = links(*(jnp.asarray(x) for x in (k, dk, bra, ket)))
    wave = np.exp(-2j * np.pi * peierls.site_positions(systems.plain(model), 3) @ dk)
    for n, (first, last) in enumerate(groups):
        overlap = bra[..., first:last].conj().swapaxes(1, 2) @ (wave[:, None] * ket[..., first:last])
        np.testing.assert_allclose(phase[:, n] * modulus[:, n], np.linalg.det(overlap), atol=1e-12)
        np.testing.assert_allclose(np.abs(phase[:, n]), 1, atol=1e-12)


@pytest.mark.slow
def test_groups_from_the_bottom_equal_the_fluxes_of_gaps():
    problem = hof.at_flux(systems.random_model(1, 6), (2, 3))
    groups = tuple((0, r) for r in range(1, 7))
    corner, step = jnp.array([0.05, 0.02]), jnp.asarray(0.01)
    found = jax.jit(lambda: group_flux.flux_patch(problem, groups, corner, step, 2))()
    expected = jax.jit(lambda: berry.gap_flux_patch(problem, corner, step, 2))()
    np.testing.assert_allclose(found.flux, expected.flux, atol=1e-10)
    np.testing.assert_allclose(found.gap, expected.min_gap, atol=1e-12)
    np.testing.assert_array_equal(found.resolved, expected.resolved)
