"""Counting states over grids of momenta by whichever way is fastest: all ways agree with NumPy's eigenvalues."""

import math

import numpy as np
import pytest

import hofstadter as hof
from hofstadter.counting import lanes, states
from hofstadter.flux import Flux
from tests import systems
from tests.oracles import peierls

models = hof.models
# Lattices whose counts take a way of their own, or have flat bands and exact degeneracies.
QUICK, MORE = ["square", "triangular", "kagome"], ["square_third", "honeycomb", "lieb"]


def levels_of(model, flux, grid):
    """All levels on a grid, ascending, from the bare-site oracle."""
    plain = systems.plain(model)
    matrices = [peierls.bloch(plain, flux.p, flux.q, (k1, k2)) for k1 in grid[0] for k2 in grid[1]]
    return np.sort(np.linalg.eigvalsh(np.array(matrices)), axis=None)


def random_grid(rng):
    return rng.uniform(-1, 1, 3), rng.uniform(-1, 1, 2)


def energies_near(levels, rng, number, bound):
    """Energies at distances 1e-13 to 1e-3 from levels; none is closer to one than eigenvalues are known."""
    energies = rng.choice(levels, number) + 10 ** rng.uniform(-13, -3, number) * rng.choice([-1, 1], number)
    return energies[np.abs(energies[:, None] - levels).min(axis=1) > 3e-14 * bound]


def assert_counts(model, flux, grid, energies, levels=None):
    levels = levels_of(model, flux, grid) if levels is None else levels
    found = states.count_states(model, [flux], [grid], energies)
    np.testing.assert_array_equal(found[0], np.searchsorted(levels, energies))


@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE)])
def test_every_kind_of_lattice(name, rng):
    model = systems.build(name)
    for flux in (Flux(0, 1), Flux(1, 2), Flux(-4, 3), Flux(3, 13)):
        grid = random_grid(rng)
        levels = levels_of(model, flux, grid)
        near = np.resize(energies_near(levels, rng, 24, float(model.norm_bound())), 24)
        assert_counts(model, flux, grid, np.concatenate([near, np.linspace(-8, 8, 8) + 1e-4]), levels)


@pytest.mark.parametrize("way", [states._by_rings, states._by_inertia, states._by_diagonalizing])
def test_all_ways_agree(way, monkeypatch):
    model, fluxes = models.square(), [Flux(p, q) for p, q in ((1, 3), (2, 7), (5, 12))]
    grids = [(np.array([0.05, 0.2, 0.7]), np.array([0.1, 0.33]))] * 3
    energies = np.linspace(-3.9, 3.9, 40) + 1e-3
    by_corners = states.count_states(model, fluxes, grids, energies)
    own = np.stack([energies, energies + 0.02, energies[::-1]])
    by_own = states.count_states(model, fluxes, grids, own)
    np.testing.assert_array_equal(by_own[0], by_corners[0])
    np.testing.assert_array_equal(by_own[2], by_corners[2, ::-1])
    monkeypatch.setattr(states, "_way", lambda *_: way)
    np.testing.assert_array_equal(states.count_states(model, fluxes, grids, energies), by_corners)
    np.testing.assert_array_equal(states.count_states(model, fluxes, grids, own), by_own)


def way_of(model, q, energies=500):
    return states._way(model, Flux(1, q), (np.zeros(6), np.zeros(6)), energies)


def test_the_way_follows_from_the_model():
    assert way_of(models.square(), 50) is way_of(models.rectangular(1.0, 0.3), 50) is states._by_corners
    assert states._way(models.square(), Flux(1, 50), (np.zeros(1), np.zeros(1)), 500) is states._by_rings
    for model in (models.square(1.0, 0.3), models.triangular(), models.oblique(1.0, 1.0, 0.4)):
        assert way_of(model, 50) is states._by_rings
    for model in (models.honeycomb(), models.kagome(), models.haldane(), models.square(1.0, 0.0, 0.2)):
        assert way_of(model, 97) is states._by_inertia
    # Many energies at a small cell, a cell smaller than the reach, and bonds that reach far.
    assert way_of(models.kagome(), 3, 100_000) is states._by_diagonalizing
    assert way_of(models.square(1.0, 0.0, 0.2), 1) is states._by_diagonalizing
    assert way_of(models.kapit_mueller(), 20) is states._by_diagonalizing


@pytest.mark.parametrize("name", ["square", pytest.param("honeycomb", marks=pytest.mark.slow)])
def test_chunks_do_not_matter(name, monkeypatch, rng):
    model = systems.build(name)
    fluxes = [Flux(p, q) for p, q in ((1, 5), (3, 8), (2, 9))]
    grids = [random_grid(rng) for _ in fluxes]
    energies = np.linspace(-4, 4, 37) + 1e-4
    monkeypatch.setattr(states, "_way", states._way if name == "square" else lambda *_: states._by_inertia)
    whole = states.count_states(model, fluxes, grids, energies)
    monkeypatch.setattr(states, "KEPT", 50)
    monkeypatch.setattr(lanes, "LANES", 32)
    monkeypatch.setattr(lanes, "TABLE", 20)
    done = []
    pieces = states.count_states(model, fluxes, grids, energies, progress=done.append)
    np.testing.assert_array_equal(pieces, whole)
    assert sum(done) == sum(len(k1) * len(k2) for k1, k2 in grids)
    assert len(done) > 1


def test_units_of_energy_do_not_matter():
    grid, energies = (np.array([0.1]), np.array([0.2])), np.linspace(-6, 6, 50) + 1e-3
    for scale in (1e-200, 1e200):
        for preset in (models.square, models.triangular, models.honeycomb):
            expected = states.count_states(preset(1.0), [Flux(2, 7)], [grid], energies)
            found = states.count_states(preset(scale), [Flux(2, 7)], [grid], energies * scale)
            np.testing.assert_array_equal(found, expected)


def test_nothing_to_count():
    assert states.count_states(models.kagome(), [Flux(1, 3)], [(np.zeros(2), np.zeros(2))], np.zeros(0)).shape == (1, 0)
    assert states.count_states(models.square(), [], [], np.zeros(3)).shape == (0, 3)


@pytest.mark.parametrize("name", ["square_nnn", pytest.param("haldane", marks=pytest.mark.slow)])
def test_single_precision(name, rng):
    model = systems.build(name)
    bound, grid = float(model.norm_bound()), random_grid(rng)
    for flux in (Flux(2, 5), Flux(5, 13), Flux(3, 31)):
        levels = levels_of(model, flux, grid)
        energies = np.linspace(-bound, bound, 64)
        energies = energies[np.abs(energies[:, None] - levels).min(axis=1) > 1e-4 * bound]
        found = states.count_states(models.cast(model, "single"), [flux], [grid], energies)
        np.testing.assert_array_equal(found[0], np.searchsorted(levels, energies))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["square_nnn", "triangular", "honeycomb", "kagome"])
def test_every_flux(name, rng):
    model = systems.build(name)
    for q in range(1, 61):
        for p in range(q + 1):
            if math.gcd(p, q) == 1:
                grid = rng.uniform(-1, 1, 1), rng.choice([0.0, 0.5 / q, 0.17], 1)
                levels = levels_of(model, Flux(p, q), grid)
                near = np.resize(energies_near(levels, rng, 16, float(model.norm_bound())), 16)
                assert_counts(model, Flux(p, q), grid, near, levels)


@pytest.mark.slow
@pytest.mark.parametrize("name", systems.MODEL_NAMES)
def test_random_cases(name, rng):
    # 24 models, 6 fluxes, 16 energies: 2304 cases.
    model = systems.build(name)
    for _ in range(6):
        q = int(rng.integers(2, 50))
        p = int(rng.choice([p for p in range(-q, 2 * q) if math.gcd(p, q) == 1]))
        grid = rng.uniform(-1, 1, 1), rng.choice([0.0, 0.5 / q, 0.17], 1)
        levels = levels_of(model, Flux(p, q), grid)
        near = np.resize(energies_near(levels, rng, 16, float(model.norm_bound())), 16)
        assert_counts(model, Flux(p, q), grid, near, levels)
