"""Factors of block rings: solutions and counts against dense matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hofstadter.eigensolver.ring_factors import count_below, factorized
from hofstadter.hamiltonian.rings import BlockRing


def random_ring(rng, blocks: int = 4, rows: int = 5, edge: int = 3, dtype=complex) -> BlockRing:
    def draw(*shape):
        return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)

    diagonal, upper = draw(blocks, rows, rows), draw(blocks, rows, rows)
    upper[-1] = 0
    last = draw(edge, edge)
    parts = diagonal + np.swapaxes(diagonal, 1, 2).conj(), upper, draw(blocks, rows, edge), last + last.conj().T
    return BlockRing(*(jnp.asarray(part.astype(dtype)) for part in parts))


def dense(ring: BlockRing) -> np.ndarray:
    return np.asarray(ring.apply(jnp.eye(ring.size, dtype=ring.last.dtype)))


@pytest.mark.parametrize("blocks", [1, 4])
@pytest.mark.parametrize("dtype", [pytest.param(np.complex64, marks=pytest.mark.slow), np.complex128])
def test_solutions(rng, blocks, dtype):
    ring = random_ring(rng, blocks, dtype=dtype)
    right = jnp.asarray((rng.standard_normal((ring.size, 2)) + 0j).astype(dtype))
    solution = factorized(ring, jnp.asarray(0.3, right.real.dtype)).solve(right)
    assert solution.dtype == dtype
    error = dense(ring) @ np.asarray(solution) - 0.3 * np.asarray(solution) - np.asarray(right)
    assert np.abs(error).max() < 300 * np.finfo(dtype).eps * np.abs(solution).max() * float(ring.norm())


def test_counts(rng):
    ring = random_ring(rng)
    levels = np.linalg.eigvalsh(dense(ring))
    energies = np.concatenate([levels - 1e-9, levels + 1e-9, [levels[0] - 1, levels[-1] + 1]])
    counts, growth = jax.vmap(lambda energy: count_below(ring, energy))(jnp.asarray(energies))
    # Bounded by the growth, counts are right this close to a level.
    assert float(jnp.max(growth)) * np.finfo(float).eps < 1e-9
    np.testing.assert_array_equal(counts, (levels[None, :] < energies[:, None]).sum(axis=1))


def test_growth_where_an_open_chain_has_a_level(rng):
    ring = random_ring(rng)
    level = float(np.linalg.eigvalsh(np.asarray(ring.diagonal[0]))[2])
    for distance in (1e-3, 1e-6, 1e-9):
        _, growth = count_below(ring, jnp.asarray(level + distance))
        assert 0.01 / distance < float(growth) < 1000 / distance
