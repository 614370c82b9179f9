"""Counts of the square and rectangular lattices at the two momenta where all band edges are."""

import math

import numpy as np
import pytest

import hofstadter as hof
from hofstadter.counting import chambers
from hofstadter.counting.elements import Matrices
from tests.oracles import peierls

models = hof.models


def corner_counts(model, p, q, energies):
    """Counts at both corners, (corner, energy)."""
    pair = Matrices(np.array([p, p]), np.array([q, q]), np.array([0.0, 1.0]), np.zeros((2, 1)))
    counts, growth = chambers.count_at_corners(model, pair, np.tile(energies, (2, 1)))
    assert np.all(np.asarray(growth) == 0)
    return np.asarray(counts)


def assert_counts(model, p, q, edges, rng):
    """Compare with edges from the oracle at energies 1e-13 to 1e-3 away from them."""
    some = rng.choice(edges.ravel(), 40)
    energies = some + 10 ** rng.uniform(-13, -3, 40) * rng.choice([-1, 1], 40)
    energies = energies[np.abs(energies[:, None] - edges.ravel()).min(axis=1) > 3e-14]
    counts = np.sort(corner_counts(model, p, q, energies), axis=0)
    np.testing.assert_array_equal(counts[0], (edges[:, 1] < energies[:, None]).sum(axis=1))
    np.testing.assert_array_equal(counts[1], (edges[:, 0] < energies[:, None]).sum(axis=1))


def reduced(most):
    return [(p, q) for q in range(1, most + 1) for p in range(q + 1) if math.gcd(p, q) == 1]


@pytest.mark.parametrize("most", [12, pytest.param(60, marks=pytest.mark.slow)])
def test_every_flux(most, rng):
    for p, q in reduced(most):
        assert_counts(models.square(), p, q, peierls.square_band_edges(p, q), rng)


def test_anisotropic_and_shifted(rng):
    model = models.tight_binding(
        [[1, 0], [0, 1]], [[0, 0]], [(0.3, 0, 0, (0, 0)), (1.2j, 0, 0, (1, 0)), (-0.4, 0, 0, (0, 1))]
    )
    for p, q in ((1, 2), (-3, 7), (11, 8), (5, 13)):
        assert_counts(model, p, q, peierls.harper_band_edges(p, q, 1.2, 0.4) + 0.3, rng)


def test_energies_far_outside():
    for p, q in ((1, 1), (1, 2), (2, 5)):
        np.testing.assert_array_equal(corner_counts(models.square(), p, q, [-1e9, -5, 5, 1e9]), [[0, 0, q, q]] * 2)
    flat = models.rectangular(1.0, 0.0)
    np.testing.assert_array_equal(corner_counts(flat, 1, 4, [-2.1, 2.1]), [[0, 4]] * 2)


def test_many_fluxes_share_a_call():
    p, q = np.array([1, 1, 5, 12, 3]), np.array([2, 3, 13, 25, 16])
    energies = np.linspace(-3.9, 3.9, 20)
    at = Matrices(p, q, np.array([0.0, 1.0, 0.0, 1.0, 1.0]), np.zeros((5, 1)))
    together, _ = chambers.count_at_corners(models.square(), at, np.tile(energies, (5, 1)))
    for i in range(5):
        alone = corner_counts(models.square(), p[i], q[i], energies)[int(at.k1[i])]
        np.testing.assert_array_equal(together[i], alone)
