"""Counting states below an energy without diagonalizing: against NumPy's eigenvalues."""

import numpy as np
import pytest

import hofstadter as hof
from hofstadter.counting import elements, inertia
from tests import systems
from tests.oracles import peierls

models = hof.models
FLUXES = [(1, 7), (-3, 8), (19, 9), (0, 1), (2, 11), (1, 13)]


def levels(model, flux, k1):
    """Eigenvalues of H(k1, 0), from the bare-site oracle."""
    return np.linalg.eigvalsh(peierls.bloch(systems.plain(model), *flux, (k1, 0.0)))


def counts(model, flux, k1, energies):
    energies = np.asarray(energies, float)
    ones = np.ones(len(energies), int)
    return inertia.count_below(model, flux[0] * ones, flux[1] * ones, k1 * ones, energies)


def assert_counts(model, flux, k1, energies, closest=1e-9):
    """Compare at energies that are not closer than `closest` to a level."""
    expected = levels(model, flux, k1)
    energies = np.asarray(energies)
    energies = energies[np.abs(energies[:, None] - expected).min(axis=1) > closest]
    found = counts(model, flux, k1, energies)
    np.testing.assert_array_equal(found, (expected < energies[:, None]).sum(axis=1))


def fluxes_for(model):
    return [flux for flux in FLUXES if flux[1] >= elements.reach(model)]


@pytest.mark.parametrize(
    "name",
    ["haldane", "kagome", "lieb", "random_0", *(pytest.param(f"random_{n}", marks=pytest.mark.slow) for n in (1, 2))],
)
def test_agrees_with_diagonalization(name, rng):
    model = systems.build(name)
    for flux in fluxes_for(model):
        k1 = rng.uniform(-1, 1)
        energies = levels(model, flux, k1)
        span = energies.max() - energies.min()
        # Sixteen entries at a time keep to one compiled program.
        trial = rng.uniform(energies.min() - 0.1 * span, energies.max() + 0.1 * span, 16)
        assert_counts(model, flux, k1, trial)


@pytest.mark.parametrize("seed", range(6))
def test_random_models(seed, rng):
    # Models of one structure share a program, whatever their numbers.
    for structure in range(3):
        model = systems.random_model(structure, 2000 + seed)
        flux = (int(rng.integers(-20, 20)) * 17 + 1, 17)
        k1 = rng.uniform(-1, 1)
        energies = levels(model, flux, k1)
        near = rng.choice(np.concatenate([energies + 1e-6, energies - 1e-6]), 16)
        assert_counts(model, flux, k1, near, closest=1e-8)


@pytest.mark.parametrize("distance", [1e-6, 1e-10])
@pytest.mark.parametrize("name", ["haldane", "kagome"])
def test_close_to_levels(name, distance):
    model, flux, k1 = systems.build(name), (3, 8), 0.382 / 8
    energies = levels(model, flux, k1)
    for trial in (energies[:16] + distance, energies[:16] - distance):
        assert_counts(model, flux, k1, trial, closest=distance / 2)


@pytest.mark.parametrize("distance", [1e-4, 1e-6, 1e-9, 1e-12])
@pytest.mark.parametrize("name", ["lieb", "dice", "edge_centered"])
def test_close_to_a_flat_band_at_the_energy_of_an_orbital(name, distance):
    # q levels at zero, where also pivots are as small as the distance δ: rounding errors grow to eps |H|²/δ. Below √eps
    # they are larger than δ, and the count must notice.
    model, flux, k1 = systems.build(name), (3, 8), 0.382 / 8
    assert_counts(model, flux, k1, [distance, -distance], closest=distance / 2)


@pytest.mark.parametrize("offset", [0.0, 1e-16, 1e-12, 3e-11, -3e-11, 1e-9])
@pytest.mark.parametrize("gap", [1e-1, 1e-3, 1e-5])
def test_in_the_middle_of_a_gap_where_pivots_vanish(gap, offset):
    # A honeycomb lattice with one strong bond has a gap around the energy of both of its orbitals.
    bonds = [(-2.0 - gap, 1, 0, (0, 0)), (-1.0, 1, 0, (1, 0)), (-1.0, 1, 0, (0, 1))]
    model = models.tight_binding(models.honeycomb().vectors, [[0, 0], [1 / 3, 1 / 3]], bonds)
    for q in (7, 34, 233):
        for k1 in (0.0, 0.5 / q, 0.382 / q):
            assert counts(model, (1, q), k1, [offset]) == [q]


def test_large_magnetic_cells():
    # Chambers: the band edges of the square lattice are exact, so counts between them are, too.
    for p, q in ((144, 233), (1, 199)):
        edges = peierls.square_band_edges(p, q)
        gaps = np.flatnonzero(edges[1:, 0] - edges[:-1, 1] > 1e-6)[::20]
        middles = (edges[gaps, 1] + edges[gaps + 1, 0]) / 2
        np.testing.assert_array_equal(counts(models.square(), (p, q), 0.1 / q, middles), gaps + 1)


def test_a_mixed_list_in_any_order(rng):
    model = systems.build("haldane")
    flux = [FLUXES[i] for i in rng.integers(0, len(FLUXES), 120) if FLUXES[i][1] > 2]
    k1, energies = rng.uniform(size=len(flux)), rng.uniform(-3.5, 3.5, len(flux))
    p, q = np.array(flux).T
    found = inertia.count_below(model, p, q, k1, energies)
    cache = {}
    for i, pair in enumerate(flux):
        expected = cache.setdefault((pair, k1[i]), levels(model, pair, k1[i]))
        assert found[i] == (expected < energies[i]).sum()


def test_the_lowest_and_the_highest_energy():
    model = systems.build("kagome")
    np.testing.assert_array_equal(counts(model, (1, 5), 0.1, [-1e6, -20.0, 20.0, 1e6]), [0, 0, 15, 15])


def test_models_with_little_in_them():
    square = [[1.0, 0.0], [0.0, 1.0]]
    no_hops = models.tight_binding(square, [[0, 0], [0.3, 0.4]], [(2.0, 0, 0, (0, 0)), (-1.0, 1, 1, (0, 0))])
    np.testing.assert_array_equal(counts(no_hops, (1, 5), 0.1, [-2, -1 - 1e-6, -1 + 1e-6, 0, 3]), [0, 0, 5, 5, 10])
    weak = models.rectangular(1.0, 1e-6)
    assert_counts(weak, (2, 5), 0.03, np.linspace(-2.2, 2.2, 9))


def test_reach():
    assert elements.reach(models.square()) == 1
    assert elements.reach(models.square(1.0, 0.0, 0.2)) == 2
    assert elements.reach(models.tight_binding([[1, 0], [0, 1]], [[0, 0]], [])) == 1
    assert [elements.reach(systems.random_model(s, 0)) for s in range(3)] == [2, 3, 2]


@pytest.mark.parametrize(("name", "q"), [("square_third", 1), ("random_1", 2)])
def test_cells_that_are_too_small(name, q):
    model = systems.build(name)
    with pytest.raises(
        ValueError, match=rf"`q` must be at least the reach {elements.reach(model)} of the model, but is {q}"
    ):
        counts(model, (1, q), 0.1, [0.0])
    assert_counts(model, (1, q + 1), 0.1, np.linspace(-4, 4, 9))


@pytest.mark.slow
def test_single_precision():
    model = models.cast(systems.build("haldane"), "single")
    energies = levels(model, (1, 8), 0.05)
    middles = (energies[1:] + energies[:-1])[np.diff(energies) > 1e-2] / 2
    found = counts(model, (1, 8), 0.05, middles)
    np.testing.assert_array_equal(found, (energies < middles[:, None]).sum(axis=1))


def test_the_comparison_notices_a_wrong_count(monkeypatch):
    model, right = systems.build("haldane"), elements.gauge.peierls_area
    monkeypatch.setattr(elements.gauge, "peierls_area", lambda *arguments: right(*arguments) + 0.1)
    moved = models.TightBinding(
        model.vectors, model.positions, model.onsite, model.amplitudes, model.hops, "another one, to be traced anew"
    )
    with pytest.raises(AssertionError):
        assert_counts(moved, (1, 8), 0.3, levels(model, (1, 8), 0.3) + 1e-4)
