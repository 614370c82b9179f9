"""Bipartite models: energies by half-size matrices are those of the whole matrix, and exact next to zero."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.eigensolver.chiral import chiral_energies, sublattices
from hofstadter.hamiltonian.bloch import tight_binding_problem

models = hof.models


@pytest.mark.parametrize(
    "make", [models.lieb, *(pytest.param(make, marks=pytest.mark.slow) for make in (models.honeycomb, models.dice))]
)
def test_energies(make, rng):
    problem = hof.at_flux(make(), (2, 5))
    parts = sublattices(problem)
    assert parts is not None
    assert sorted(parts[0] + parts[1]) == list(range(problem.basis_size))
    k = jnp.asarray(rng.uniform(0, 1, (4, 2)))
    found = hof.solve(problem, k, states=False)
    assert found.status.tolist() == [0] * 4
    np.testing.assert_allclose(found.energies, np.linalg.eigvalsh(problem.matrix(k)), atol=1e-13)
    np.testing.assert_array_equal(found.energies, -found.energies[:, ::-1])
    zeros = abs(len(parts[0]) - len(parts[1]))
    assert np.all(np.sum(np.asarray(found.energies) == 0, axis=1) >= zeros)


def test_energies_next_to_zero():
    """The square root of an eigenvalue of B B† would be wrong by 1e-8 here."""
    block = np.diag([1e-10, 1.0])
    matrix = jnp.asarray(np.block([[np.zeros((2, 2)), block], [block, np.zeros((2, 2))]]) + 0j)
    found = chiral_energies(matrix, ((0, 1), (2, 3)))
    np.testing.assert_allclose(found, [-1, -1e-10, 1e-10, 1], rtol=1e-5)


def test_models_that_are_not_bipartite():
    assert sublattices(hof.at_flux(models.honeycomb(mass=0.1), (1, 3))) is None
    assert sublattices(hof.at_flux(models.haldane(), (1, 3))) is None
    assert sublattices(hof.at_flux(models.kagome(), (1, 3))) is None
    assert sublattices(hof.at_flux(models.square(), (1, 4))) is None
    assert sublattices(tight_binding_problem(models.honeycomb(), hof.Flux(1, 3), cells=4)) is None
    assert sublattices(hof.at_flux(models.electron_gas(), (3, 2), levels=5, bands_per_cell=1)) is None


def test_derivatives_use_the_whole_matrix():
    problem = hof.at_flux(models.honeycomb(), (1, 3))

    def lowest(k):
        return hof.solve(problem, k, states=False).energies[0]

    k, step = jnp.array([0.1, 0.05]), 1e-6
    difference = (lowest(k.at[0].add(step)) - lowest(k.at[0].add(-step))) / (2 * step)
    np.testing.assert_allclose(jax.grad(lowest)(k)[0], difference, atol=1e-8)
