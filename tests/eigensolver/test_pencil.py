"""Levels of sparse pencils: complete, also where they are degenerate, and counted right next to a level."""

import numpy as np
import pytest
import scipy.sparse

import hofstadter as hof
from hofstadter.eigensolver import pencil
from hofstadter.hamiltonian.strip import Pencil

SIZE = 120


def made_of(levels, seed=0):
    """A banded pencil with given levels: H = L diag(levels) L†, S = L L† for a triangular band L."""
    rng = np.random.default_rng(seed)
    size = len(levels)
    band = [rng.normal(size=size) * 0.2 + 1j * rng.normal(size=size) * 0.2 for _ in range(3)]
    lower = scipy.sparse.diags([np.ones(size), *(x[: size - n] for n, x in enumerate(band, 1))], [0, -1, -2, -3])
    matrix = lower @ scipy.sparse.diags(levels) @ lower.conj().T
    return Pencil.of(matrix.tocsc(), (lower @ lower.conj().T).tocsc())


def spread(seed=1):
    return np.sort(np.random.default_rng(seed).normal(size=SIZE))


@pytest.mark.parametrize("guess", [(-1.0, 1.0), (0.0, 0.0), (50.0, 60.0), (-70.0, 3.0), (-2.0, -1.3)])
@pytest.mark.parametrize(("first", "last"), [(0, SIZE // 2), (0, 20), (40, 60), (59, 60), (SIZE - 3, SIZE)])
def test_bands_by_number(first, last, guess):
    levels = spread()
    np.testing.assert_allclose(pencil.bands(made_of(levels), first, last, guess), levels[first:last], atol=1e-10)


def test_more_levels_than_one_factorization_gives():
    levels = spread()
    assert SIZE - 10 > pencil.MOST_LEVELS
    np.testing.assert_allclose(pencil.bands(made_of(levels), 5, SIZE - 5, (-1.0, 1.0)), levels[5:-5], atol=1e-10)


@pytest.mark.parametrize("copies", [2, 5, 12])
def test_no_copy_of_a_degenerate_level_is_lost(copies):
    levels = np.sort(np.repeat(spread()[: SIZE // copies], copies))
    found = pencil.bands(made_of(levels), 3, 3 + 4 * copies, (-1.0, 0.0))
    np.testing.assert_allclose(found, levels[3 : 3 + 4 * copies], atol=1e-9)


@pytest.mark.parametrize("distance", [1e-10, 1e-8, 1e-6, 1e-4, 1e-2])
def test_counts_next_to_a_level(distance):
    levels = spread()
    matrices = made_of(levels)
    for number in range(3, SIZE, 7):
        below, above = (pencil.states_below(matrices, levels[number] + sign * distance) for sign in (-1, 1))
        expected = [int(np.sum(levels < levels[number] + sign * distance)) for sign in (-1, 1)]
        assert [below, above] == expected


def test_count_where_an_orbital_has_the_energy():
    """A chain of equal sites at the energy of its sites, where the first pivot of L D L† is zero."""
    size = 60
    chain = scipy.sparse.diags([np.ones(size - 1), np.ones(size - 1)], [-1, 1]).tocsc().astype(complex)
    matrices = Pencil.of(chain, scipy.sparse.identity(size, format="csc", dtype=complex))
    assert pencil.states_below(matrices, 0.0) == size // 2


def test_a_matrix_that_is_not_finite():
    matrices = made_of(spread())
    broken = Pencil.of(matrices.hamiltonian * np.nan, matrices.overlap)
    with pytest.raises(hof.CalculationError, match="not finite"):
        pencil.states_below(broken, 0.0)
