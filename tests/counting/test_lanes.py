"""Many lanes through few calls, and what happens where elimination reports that numbers grew."""

import numpy as np
import pytest

from hofstadter.counting import inertia, lanes
from hofstadter.counting.elements import Matrices
from tests import systems
from tests.oracles import peierls

P, Q, K1 = np.array([2, 1]), np.array([7, 5]), np.array([0.1, 0.3])
MATRICES = Matrices(P, Q, K1, np.zeros((2, 1)))


def levels(number):
    model = systems.plain(systems.build("honeycomb"))
    return np.linalg.eigvalsh(peierls.bloch(model, P[number], Q[number], (K1[number], 0.0)))


def count(kernel, energies):
    return lanes.count_in_lanes(kernel, systems.build("honeycomb"), MATRICES, np.tile(energies, (2, 1)))


def expected(energies):
    return np.stack([np.searchsorted(levels(number), energies) for number in (0, 1)])


def spoiled(where, growth):
    """A kernel that counts 3 too many, and reports growth, where `where(energies)` says so."""

    def kernel(model, matrices, energies):
        counts, grown = (np.asarray(x) for x in inertia.count_blocks(model, matrices, energies))
        wrong = where(energies)
        return counts + 3 * wrong, np.where(wrong, growth, grown)

    return kernel


ENERGIES = np.linspace(-2.95, 2.95, 30)


def test_calls_of_all_shapes():
    for number in (1, 7, 100, 3000):
        energies = np.linspace(-2.95, 2.95, number)
        np.testing.assert_array_equal(count(inertia.count_blocks, energies), expected(energies))


def test_widths_are_few_and_not_much_too_large():
    widths = [lanes.padded_width(levels) for levels in range(1, lanes.LANES + 1)]
    assert len(set(widths)) < 35
    assert all(levels <= width <= max(16, 1.25 * levels) for levels, width in enumerate(widths, start=1))
    assert lanes.padded_width(10**6) == lanes.LANES


def test_growth_that_is_accepted():
    wrong = count(spoiled(lambda e: e == ENERGIES[4], 1000.0), ENERGIES)
    np.testing.assert_array_equal(np.flatnonzero((wrong != expected(ENERGIES)).any(axis=0)), [4])


@pytest.mark.parametrize("growth", [1e5, np.inf, np.nan])
def test_brackets_replace_counts(growth, monkeypatch):
    monkeypatch.setattr(lanes, "LARGEST_DENSE", 0)
    found = count(spoiled(lambda e: np.isin(e, ENERGIES[3:20]), growth), ENERGIES)
    np.testing.assert_array_equal(found, expected(ENERGIES))


@pytest.mark.parametrize("growth", [1e10, np.inf, np.nan])
def test_brackets_that_are_not_to_be_trusted_lead_to_diagonalization(growth):
    found = count(spoiled(lambda e: np.abs(e - 0.5) < 1, growth), ENERGIES)
    np.testing.assert_array_equal(found, expected(ENERGIES))


def test_energies_between_a_level_and_its_brackets():
    # Good to 1e-7 at most, says the kernel; three levels have energies that are closer.
    energies = np.concatenate([levels(0)[[1, 5, 9]] + 1e-10, levels(0)[[2, 6]] - 1e-10])
    found = count(spoiled(lambda e: np.isin(e, energies), 1e9), energies)
    np.testing.assert_array_equal(found, expected(energies))


def test_matrices_that_are_too_large_keep_within_the_brackets(monkeypatch):
    monkeypatch.setattr(lanes, "LARGEST_DENSE", 0)
    energies = levels(0)[[1, 5, 9]] + 1e-10
    found = count(spoiled(lambda e: np.isin(e, energies), 1e9), energies)
    np.testing.assert_array_equal(found[0], [2, 6, 10])


def test_cells_that_are_too_large():
    energies = np.zeros((2, 1))
    large = MATRICES._replace(q=np.array([7, 46341]))
    with pytest.raises(ValueError, match=r"Argument `q` must be at most 46340, but is 46341"):
        lanes.count_in_lanes(inertia.count_blocks, systems.build("honeycomb"), large, energies)
