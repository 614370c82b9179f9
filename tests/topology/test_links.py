"""Overlaps of neighboring states, and all their leading minors in one elimination."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.topology import links
from tests import systems
from tests.oracles import peierls

nested = jax.jit(links.nested_determinants)
determinant = jax.jit(links.determinant)


def random_unitary(rng, n):
    return np.linalg.qr(rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n)))[0]


def near_identity(rng, n, angle=0.05):
    generator = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
    energies, states = np.linalg.eigh(generator + generator.conj().T)
    return (states * np.exp(1j * angle * energies)) @ states.conj().T


def leading_minors(matrix):
    return np.array([np.linalg.det(matrix[:r, :r]) for r in range(1, len(matrix) + 1)])


def assert_minors(matrix, atol):
    phase, modulus = nested(jnp.asarray(matrix, complex))
    np.testing.assert_allclose(np.abs(phase), 1, atol=1e-12)
    np.testing.assert_allclose(np.asarray(phase) * np.asarray(modulus), leading_minors(matrix), atol=atol)


@pytest.mark.parametrize("size", [1, 3, 24, 60])
def test_minors_of_unitary_matrices(size, rng):
    assert_minors(random_unitary(rng, size), 1e-10)
    assert_minors(near_identity(rng, size), 1e-12)


@pytest.mark.parametrize("size", [6, 30])
def test_phases_of_small_minors(size, rng):
    # Minors of random unitary matrices get tiny; their phases are still right.
    matrix = random_unitary(rng, size)
    expected = leading_minors(matrix)
    phase, _ = nested(jnp.asarray(matrix))
    np.testing.assert_allclose(phase, expected / np.abs(expected), atol=1e-8)


def exchange(size, *bands):
    """Permutation matrix that exchanges neighbors (r, r + 1): minor r vanishes exactly, the others do not."""
    order = np.arange(size)
    for r in bands:
        order[[r - 1, r]] = order[[r, r - 1]]
    return np.eye(size, dtype=complex)[order]


@pytest.mark.parametrize(("size", "bands"), [(2, [1]), (6, [3]), (6, [1, 5]), (30, [3, 12, 24, 27]), (30, [15])])
@pytest.mark.parametrize("angle", [0.0, 0.05])
def test_minors_after_one_that_vanishes(size, bands, angle, rng):
    assert_minors(exchange(size, *bands) @ near_identity(rng, size, angle), 1e-6)


@pytest.mark.parametrize("size", [9, 40])
def test_minors_after_several_that_vanish_in_a_row(size, rng):
    # A cyclic shift of five bands, a block that is zero, and a block of rank one.
    cycle = np.eye(size, dtype=complex)
    cycle[1:6] = np.roll(cycle[1:6], 1, axis=0)
    anti = np.eye(size, dtype=complex)
    anti[1:7, 1:7] = np.kron([[0, 1], [1, 0]], random_unitary(rng, 3))
    low_rank = np.eye(size, dtype=complex)
    left, right = random_unitary(rng, 3), random_unitary(rng, 3)
    values = np.diag([0.8, 0, 0])
    rest = np.diag([0.6, 1, 1])
    low_rank[:6, :6] = np.block([[left @ values @ right, left @ rest], [rest @ right, -values]])
    for matrix in (cycle, anti, low_rank):
        np.testing.assert_allclose(matrix @ matrix.conj().T, np.eye(size), atol=1e-14)
        assert_minors(matrix, 1e-6)
        assert_minors(matrix @ near_identity(rng, size), 1e-6)


def test_random_gauges_of_degenerate_groups(rng):
    # Inside degenerate groups minors are arbitrary; at the end of each group they are determinants of blocks.
    blocks = [random_unitary(rng, 2) for _ in range(10)]
    matrix = np.zeros((20, 20), complex)
    for i, block in enumerate(blocks):
        matrix[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = block
    assert_minors(matrix, 1e-8)


def test_minors_in_single_precision(rng):
    matrix = near_identity(rng, 30).astype(np.complex64)
    phase, modulus = nested(jnp.asarray(matrix))
    assert (phase.dtype, modulus.dtype) == (np.complex64, np.float32)
    np.testing.assert_allclose(np.asarray(phase * modulus), leading_minors(matrix), atol=1e-4)


@pytest.mark.parametrize("size", [1, 2, 5, 7])
def test_determinant(size, rng):
    matrices = rng.normal(size=(3, 2, size, size)) + 1j * rng.normal(size=(3, 2, size, size))
    matrices[0, 0] = 0
    phase, modulus = determinant(jnp.asarray(matrices))
    expected = np.linalg.det(matrices)
    np.testing.assert_allclose(np.asarray(phase) * np.asarray(modulus), expected, atol=1e-12)
    np.testing.assert_allclose(np.abs(phase), 1, atol=1e-12)
    assert (phase[0, 0], modulus[0, 0]) == (1, 0)


@pytest.mark.parametrize("name", ["kagome", "random_1"])
def test_overlaps_hold_the_positions(name, rng):
    model, flux = systems.build(name), (2, 3)
    problem = hof.at_flux(model, flux)
    size = problem.basis_size
    k, dk = jnp.asarray(rng.uniform(size=(3, 2))), jnp.asarray(rng.uniform(-0.1, 0.1, 2))
    bra, ket = (jnp.asarray(rng.normal(size=(3, size, 4)) + 1j * rng.normal(size=(3, size, 4))) for _ in range(2))
    found = jax.jit(lambda *arguments: links.overlaps(problem, *arguments))(k, dk, bra, ket)
    wave = np.exp(-2j * np.pi * peierls.site_positions(systems.plain(model), 3) @ np.asarray(dk))
    expected = np.einsum("kia,i,kib->kab", np.conj(bra), wave, ket)
    np.testing.assert_allclose(found, expected, atol=1e-12)
