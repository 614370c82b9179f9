"""Sturm counts of real chains and rings: against LAPACK's eigenvalues of the same matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import eigvalsh_tridiagonal

from hofstadter.counting import sturm

DISTANCES = [1e-13, 1e-11, 1e-8, 1e-3]


def counted(diagonal, bonds, energies, **options):
    """Counts of one chain."""
    bonds = np.concatenate([[0.0], bonds])
    arrays = (jnp.asarray(x) for x in (diagonal[:, None], bonds[:, None] ** 2, np.asarray(energies)[None]))
    return np.asarray(sturm.count_chain(*arrays, **options))[0]


def near(levels, distance):
    """Energies on both sides of levels, and how many levels are below."""
    energies = np.concatenate([levels - distance, levels + distance])
    distances = np.abs(energies[:, None] - levels)
    energies = energies[distances.min(axis=1) > distance / 2]
    return energies, (levels < energies[:, None]).sum(axis=1)


@pytest.mark.parametrize("distance", DISTANCES)
def test_chains(distance, rng):
    for length in (1, 2, 3, 60):
        diagonal, bonds = rng.uniform(-1, 1, length), rng.uniform(-1, 1, length - 1)
        levels = eigvalsh_tridiagonal(diagonal, bonds) if length > 1 else diagonal
        energies, expected = near(levels, distance)
        np.testing.assert_array_equal(counted(diagonal, bonds, energies), expected)


def test_chains_of_whole_numbers():
    # Pivots that are exactly zero: a chain without on-site energies, and one in two pieces with the same levels.
    for bonds in (np.ones(8), np.array([1.0, 1, 0, 1, 1]), np.zeros(3)):
        levels = np.sort(np.linalg.eigvalsh(np.diag(bonds, 1) + np.diag(bonds, -1)))
        energies, expected = near(np.round(levels, 14), 1e-12)
        np.testing.assert_array_equal(counted(np.zeros(len(bonds) + 1), bonds, energies), expected)
        on_zero = counted(np.zeros(len(bonds) + 1), bonds, [0.0])[0]
        assert (levels < -1e-12).sum() <= on_zero <= (levels < 1e-12).sum()


def test_padding_adds_nothing(rng):
    diagonal, bonds = rng.uniform(-1, 1, 12), rng.uniform(-1, 1, 11)
    energies = np.linspace(-3, 3, 41)
    expected = counted(diagonal, bonds, energies)
    blank = np.full(5, sturm.PADDING)
    before, after = np.concatenate([blank, diagonal]), np.concatenate([diagonal, blank])
    np.testing.assert_array_equal(counted(before, np.concatenate([np.zeros(5), bonds]), energies), expected)
    np.testing.assert_array_equal(counted(after, np.concatenate([bonds, np.zeros(5)]), energies), expected)
    skipped = counted(np.concatenate([np.full(5, np.nan), diagonal]), np.concatenate([np.zeros(5), bonds]), energies)
    assert not np.array_equal(skipped, expected)
    hidden = np.concatenate([np.full(5, np.nan), diagonal])
    found = counted(hidden, np.concatenate([np.zeros(5), bonds]), energies, first_row=5)
    np.testing.assert_array_equal(found, expected)


def ring_of(diagonal, bonds, pad):
    """The ring whose site i has a bond to site i − 1, cut at the last one, with `pad` rows in front."""
    rows = len(diagonal) - 1
    blank = np.zeros(pad)
    entry = np.concatenate([blank, [bonds[0]], np.zeros(rows - 1)])
    inner = np.concatenate([blank, [0.0], bonds[1:-1]])
    return sturm.Ring(
        diagonal=jnp.asarray(np.concatenate([blank + sturm.PADDING, diagonal[:-1]])[:, None]),
        bonds=jnp.asarray(inner[:, None]),
        entry=jnp.asarray(entry[:, None]),
        cut=jnp.asarray(diagonal[-1:]),
        closing=jnp.asarray(bonds[-1:]),
    )


def ring_levels(diagonal, bonds, turns):
    size = len(diagonal)
    matrix = np.diag(diagonal).astype(complex)
    for i in range(size):
        value = bonds[i] * (np.exp(2j * np.pi * turns) if i == 0 else 1)
        matrix[i, i - 1] += value
        matrix[i - 1, i] += np.conj(value)
    return np.linalg.eigvalsh(matrix)


@pytest.mark.parametrize("distance", DISTANCES)
def test_rings(distance, rng):
    for size in (4, 17):
        diagonal, bonds = rng.uniform(-0.3, 0.3, size), rng.uniform(0.1, 0.5, size)
        ring = ring_of(diagonal, bonds, pad=1 + size % 2 + 2)
        for turns in (0.0, 0.5, 0.123):
            energies, expected = near(ring_levels(diagonal, bonds, turns), distance)
            found, growth = sturm.count_ring(ring, jnp.asarray([[turns]]), jnp.asarray(energies[None]))
            certain = np.asarray(growth)[0] < 1e3
            assert certain.mean() > 0.9
            np.testing.assert_array_equal(np.asarray(found)[0][certain], expected[certain])


def test_all_fluxes_through_a_ring_in_one_go(rng):
    diagonal, bonds, turns = rng.uniform(-0.3, 0.3, 9), rng.uniform(0.1, 0.5, 9), rng.uniform(size=(1, 7))
    energies = np.linspace(-1.2, 1.2, 50)
    found, _ = sturm.count_ring(ring_of(diagonal, bonds, pad=0), jnp.asarray(turns), jnp.asarray(energies[None]))
    expected = sum((ring_levels(diagonal, bonds, x) < energies[:, None]).sum(axis=1) for x in turns[0])
    np.testing.assert_array_equal(found[0], expected)


def test_a_ring_without_on_site_energies():
    # Levels cos(2π n/16), degenerate in pairs. Zero is one, and also a level of the ring without the site at the cut.
    diagonal, bonds = np.zeros(16), np.full(16, 0.5)
    energies = jnp.asarray([[1e-5, -1e-5, 0.6, 2.0, -2.0]])
    found, growth = sturm.count_ring(ring_of(diagonal, bonds, pad=1), jnp.zeros((1, 1)), energies)
    levels = np.cos(2 * np.pi * np.arange(16) / 16)
    np.testing.assert_array_equal(found[0], (levels < np.asarray(energies)[0][:, None]).sum(axis=1))
    assert np.all(np.asarray(growth)[0, :2] > 1e3)
    assert np.all(np.asarray(growth)[0, 2:] < 10)


def test_growth_tells_where_a_ring_is_not_to_be_trusted():
    # At the level of the first two sites alone.
    diagonal, bonds = np.array([0.1, -0.2, 0.3, 0.15, 0.05]), np.array([0.4, 0.3, 0.2, 0.35, 0.25])
    level = np.linalg.eigvalsh(np.array([[0.1, 0.3], [0.3, -0.2]]))[0]
    ring = ring_of(diagonal, bonds, pad=0)
    for distance in (1e-3, 1e-6, 1e-9):
        energies = jnp.asarray([[level + distance]])
        growth = float(sturm.count_ring(ring, jnp.zeros((1, 1)), energies)[1][0, 0])
        assert 0.01 < growth * distance < 1


def test_single_precision_without_promotion(strict_jax, rng):
    diagonal, bonds = rng.uniform(-0.3, 0.3, 30), rng.uniform(0.1, 0.5, 30)
    single = [jnp.asarray(x[:, None], jnp.float32) for x in (diagonal, bonds**2)]
    levels = eigvalsh_tridiagonal(diagonal, bonds[1:])
    energies = jnp.asarray(((levels[1:] + levels[:-1]) / 2)[np.diff(levels) > 1e-4][None], jnp.float32)
    single[1] = single[1].at[0].set(0)
    ring = jax.tree.map(lambda x: x.astype(jnp.float32), ring_of(diagonal, bonds, pad=1))
    with strict_jax():
        found = jax.jit(sturm.count_chain)(*single, energies)
        on_ring, growth = jax.jit(sturm.count_ring)(ring, jnp.zeros((1, 2), jnp.float32), energies)
    assert growth.dtype == jnp.float32
    np.testing.assert_array_equal(found[0], (levels < np.asarray(energies)[0][:, None]).sum(axis=1))
    expected = 2 * (ring_levels(diagonal, bonds, 0.0) < np.asarray(energies, float)[0][:, None]).sum(axis=1)
    np.testing.assert_array_equal(on_ring[0], expected)
