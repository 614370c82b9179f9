"""Chern numbers from Berry flux with plaquettes that are refined: right or refused."""

import numpy as np
import pytest

import hofstadter as hof
from hofstadter.counting.berry_labels import chern_by_berry_flux
from hofstadter.flux import Flux
from tests import systems
from tests.oracles import fukui, peierls

models = hof.models


def berry_numbers(model, flux, bands_below, **options):
    (t,) = chern_by_berry_flux(model, [Flux.of(flux)], [np.asarray(bands_below)], **options)
    return t


@pytest.mark.parametrize(
    ("name", "flux", "expected"),
    [
        ("square", Flux(1, 3), [1, -1]),
        ("square", Flux(-1, 3), [-1, 1]),
        ("square", Flux(1, 4), [1, np.nan, -1]),
        ("triangular", Flux(1, 3), [1, 2]),
        ("honeycomb", Flux(1, 3), [1, -1, np.nan, 1, -1]),
        ("haldane", Flux(0), [-1]),
    ],
)
def test_known_gaps_and_touching_bands(name, flux, expected):
    model = systems.build(name)
    found = berry_numbers(model, flux, np.arange(1, len(expected) + 1))
    np.testing.assert_array_equal(found, expected)


def test_many_fluxes_and_little_memory():
    model = systems.build("square")
    fluxes = [Flux(1, 3), Flux(0), Flux(4, 3), Flux(1, 4), Flux(2, 3)]
    below = [np.array(rows, int) for rows in ([1, 2], [], [2], [3, 1], [1])]
    expected = [[1, -1], [], [-1], [-1, 1], [-1]]
    for options in ({}, {"memory_gb": 1e-7}):
        found = chern_by_berry_flux(model, fluxes, below, **options)
        for t, right in zip(found, expected, strict=True):
            np.testing.assert_array_equal(t, right)
    assert chern_by_berry_flux(model, [], []) == []


def test_order_of_gaps():
    found = berry_numbers(systems.build("haldane"), (1, 3), [5, 1, 2])
    for r, t in zip([5, 1, 2], found, strict=True):
        np.testing.assert_array_equal(berry_numbers(systems.build("haldane"), (1, 3), [r]), [t])


def assert_right_or_refused(found, expected):
    """A number that cannot be certified must be NaN, not another integer."""
    known = ~np.isnan(found)
    np.testing.assert_array_equal(found[known], np.broadcast_to(expected, found.shape)[known])


@pytest.mark.parametrize("phase", [1e-1, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4])
def test_a_quadratic_touching_with_a_small_gap(phase):
    # The checkerboard lattice's bands touch quadratically; its loop currents open a gap with C = −1 of 8 × phase.
    model = models.checkerboard(1.0, 0.5, -0.5, phase=phase)
    assert_right_or_refused(berry_numbers(model, 0, [1]), [-1])
    assert_right_or_refused(berry_numbers(model, 2, [1]), [1])


@pytest.mark.parametrize("gap", [1e-2, 1e-3, 1e-4])
def test_dirac_points_with_a_small_gap(gap):
    masses = 3 * 3**0.5 * 0.1
    assert_right_or_refused(berry_numbers(models.haldane(1.0, 0.1, np.pi / 2, masses - gap / 2), 0, [1]), [-1])
    assert_right_or_refused(berry_numbers(models.haldane(1.0, 0.1, np.pi / 2, masses + gap / 2), 0, [1]), [0])


def oracle_chern(model, flux, bands_below, n):
    """Full magnetic zone on a uniform mesh of bare-site states; also the largest plaquette flux over π."""
    p, q = flux
    plain = systems.plain(model)
    k1, k2 = np.arange(n * q) / (n * q), np.arange(n) / (n * q)
    states = np.linalg.eigh([[peierls.bloch(plain, p, q, (a, b)) for b in k2] for a in k1])[1]
    positions = peierls.site_positions(plain, q)
    return [fukui.chern(states[..., :r], positions, 1.0, 1 / q) for r in bands_below]


@pytest.mark.parametrize(("structure", "seed", "flux", "below"), [(1, 651615835, (1, 3), 3)])
def test_gaps_that_a_coarse_mesh_gets_wrong(structure, seed, flux, below):
    model = systems.random_model(structure, seed)
    ((expected, largest),) = oracle_chern(model, flux, [below], 48)
    assert largest < 0.8
    assert_right_or_refused(berry_numbers(model, flux, [below]), round(expected))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("structure", range(3))
def test_gaps_of_random_models(structure, seed):
    model = systems.random_model(structure, 3000 + seed)
    for flux in ((1, 3), (-2, 3)):
        bands = systems.energies(model, flux, systems.reduced_mesh(3, 32))
        direct = np.diff(bands, axis=1).min(axis=0)
        below = np.flatnonzero(direct > 0.15) + 1
        found = berry_numbers(model, flux, below)
        for t, (expected, largest) in zip(found, oracle_chern(model, flux, below, 24), strict=True):
            if largest < 0.6:
                assert_right_or_refused(np.array([t]), round(expected))
                assert not np.isnan(t)
