"""Gaps between band edges, and labels that two routes must agree on."""

import dataclasses

import numpy as np
import pytest

import hofstadter as hof
from hofstadter.counting import gaps as module
from hofstadter.counting.edges import BandEdges, find_band_edges
from hofstadter.counting.gaps import Gaps, Route, find_gaps, label_gaps
from hofstadter.errors import Status
from hofstadter.flux import Flux, farey
from tests import systems
from tests.oracles import fukui, peierls

models = hof.models
LATTICES = ["square", "triangular", "honeycomb", "kagome", "lieb", "haldane"]


def labelled(model, fluxes, min_gap):
    edges = find_band_edges(model, fluxes)
    found = [find_gaps(edge, min_gap) for edge in edges]
    return label_gaps(model, fluxes, found, [edge.upper.max() - edge.lower.min() for edge in edges])


# Which gaps there are.


def edges_of(lower, upper):
    return BandEdges(np.array(lower, float), np.array(upper, float), Status.OK)


def test_gaps_lie_between_consecutive_bands():
    found = find_gaps(edges_of([-3, -1, 0.5, 2], [-2, 0, 1, 3]), 0.1)
    np.testing.assert_array_equal(found.bands_below, [1, 2, 3])
    np.testing.assert_array_equal(found.lower, [-2, 0, 1])
    np.testing.assert_array_equal(found.upper, [-1, 0.5, 2])
    np.testing.assert_array_equal(found.size, [1, 0.5, 1])
    assert np.isnan(found.t).all()
    assert np.isnan(found.s).all()
    np.testing.assert_array_equal(found.status, Status.LABEL_NOT_ESTABLISHED)
    np.testing.assert_array_equal(found.route, Route.NONE)


def test_touching_and_overlapping_bands_have_no_gap():
    assert len(find_gaps(edges_of([0, 1], [1, 2]), 1e-6).t) == 0
    assert len(find_gaps(edges_of([0, 0.5], [1, 2]), 1e-6).t) == 0
    assert len(find_gaps(edges_of([0, 1 + 1e-7], [1, 2]), 1e-6).t) == 0
    # A band that reaches over the next one closes the gap above that one, too.
    np.testing.assert_array_equal(find_gaps(edges_of([0, 1, 3], [3.5, 2, 4]), 1e-6).bands_below, [])
    assert len(find_gaps(edges_of([0], [1]), 1e-6).t) == 0


def test_edges_that_are_not_finite_have_no_gaps():
    nan = np.full(3, np.nan)
    assert len(find_gaps(BandEdges(nan, nan, Status.NOT_FINITE), 1e-6).t) == 0


@pytest.mark.parametrize(
    ("build", "flux", "expected"),
    [
        (lambda: models.rectangular(), (0, 1), []),
        (lambda: models.rectangular(), (1, 2), []),
        (lambda: models.triangular(), (0, 1), []),
        (lambda: models.honeycomb(), (0, 1), []),
        (lambda: models.honeycomb(), (1, 3), [1, 2, 4, 5]),
        (lambda: models.rashba(1.0, 0.0), (1, 3), [2, 4]),  # both spins at once
        (lambda: models.rashba(1.0, 0.0, 0.5), (1, 2), []),  # bands that cross along lines
        (lambda: models.lieb(), (1, 3), [1, 2, 3, 6, 7, 8]),
        (lambda: models.dice(), (3, 2), [2, 4]),
    ],
)
def test_open_and_closed_gaps(build, flux, expected):
    (edges,) = find_band_edges(build(), [Flux(*flux)])
    np.testing.assert_array_equal(find_gaps(edges, 1e-4).bands_below, expected)


def test_a_direct_gap_alone_is_none():
    # The two bands are separate at every k, but the lower one rises above the bottom of the upper one.
    hoppings = [(1.0, 0, 0, (1, 0)), (0.9, 1, 1, (1, 0)), (0.5, 1, 1, (0, 0)), (-0.5, 0, 0, (0, 0))]
    (edges,) = find_band_edges(models.tight_binding([[1, 0], [0, 1]], [[0, 0], [0, 0]], hoppings), [Flux(0)])
    np.testing.assert_allclose([edges.upper[0], edges.lower[1]], [1.5, -1.3], atol=1e-9)
    assert len(find_gaps(edges, 1e-6).t) == 0


# How labels are put together.

THIRD = [Flux(1, 3)]


@pytest.fixture
def square_gaps():
    (edges,) = find_band_edges(models.rectangular(), THIRD)
    return find_gaps(edges, 1e-3)


def combined(square_gaps, monkeypatch, berry, streda) -> Gaps:
    monkeypatch.setattr(module, "chern_by_berry_flux", lambda *_, **__: [np.array(berry, float)])
    monkeypatch.setattr(module, "chern_by_streda", lambda *_, **__: [np.array(streda, float)])
    (found,) = label_gaps(models.rectangular(), THIRD, [square_gaps], [5.5])
    return found


NAN = np.nan


@pytest.mark.parametrize(
    ("berry", "streda", "t", "s", "route", "status"),
    [
        ([1, -1], [1, -1], [1, -1], [0, 1], [3, 3], [Status.OK, Status.OK]),
        ([1, NAN], [NAN, -1], [1, -1], [0, 1], [1, 2], [Status.OK, Status.OK]),
        ([NAN, NAN], [NAN, -1], [NAN, -1], [NAN, 1], [0, 2], [Status.LABEL_NOT_ESTABLISHED, Status.OK]),
        # The routes disagree, by q and by anything else.
        ([1, -1], [-2, -1], [NAN, -1], [NAN, 1], [3, 3], [Status.LABEL_CONFLICT, Status.OK]),
        ([1, 0], [1, -1], [1, NAN], [0, NAN], [3, 3], [Status.OK, Status.LABEL_CONFLICT]),
        # They agree, or only one has an answer, but r = s q + t p has no solution.
        ([0, -1], [0, -1], [NAN, -1], [NAN, 1], [3, 3], [Status.LABEL_CONFLICT, Status.OK]),
        ([2, NAN], [NAN, 1], [NAN, NAN], [NAN, NAN], [1, 2], [Status.LABEL_CONFLICT] * 2),
    ],
)
def test_status_of_labels(square_gaps, monkeypatch, berry, streda, t, s, route, status):
    found = combined(square_gaps, monkeypatch, berry, streda)
    np.testing.assert_array_equal(found.t, t)
    np.testing.assert_array_equal(found.s, s)
    np.testing.assert_array_equal(found.route, route)
    np.testing.assert_array_equal(found.status, status)
    for field in ("bands_below", "lower", "upper"):
        np.testing.assert_array_equal(getattr(found, field), getattr(square_gaps, field))


def test_gaps_do_not_change_when_labelled(square_gaps):
    before = dataclasses.asdict(square_gaps)
    (after,) = label_gaps(models.rectangular(), THIRD, [square_gaps], [5.5])
    np.testing.assert_array_equal(after.t, [1, -1])
    for field, value in dataclasses.asdict(square_gaps).items():
        np.testing.assert_array_equal(value, before[field])


# Labels of real models.


def assert_labels(model, fluxes, min_gap):
    """Both routes know every gap and agree; returns all (flux, r, t)."""
    entries = []
    for flux, found in zip(fluxes, labelled(model, fluxes, min_gap), strict=True):
        np.testing.assert_array_equal(found.status, Status.OK)
        np.testing.assert_array_equal(found.route, Route.BERRY_FLUX | Route.STREDA)
        np.testing.assert_array_equal(found.s * flux.q + found.t * flux.p, found.bands_below)
        entries += [(flux, int(r), int(t)) for r, t in zip(found.bands_below, found.t, strict=True)]
    return entries


def test_both_routes_know_every_gap_of_the_square_lattice():
    labels = {}
    for flux, r, t in assert_labels(models.rectangular(), [flux for flux in farey(7) if flux.q > 2], 1e-2):
        assert abs(t) <= flux.q / 2  # the window rule holds on this lattice
        labels[flux, r] = t
    assert len(labels) == 68
    for (flux, r), t in labels.items():
        assert labels[Flux(flux.q - flux.p, flux.q), r] == -t
        assert labels[flux, flux.q - r] == -t


def test_both_routes_know_every_gap_of_the_haldane_model():
    entries = assert_labels(models.haldane(), [Flux(1, 3), Flux(-1, 4), Flux(1, 4)], 1e-2)
    # The gap at half filling of the Chern insulator keeps its label (s, t) = (1, −1) in any small field.
    assert [t for flux, r, t in entries if r == flux.q - flux.p] == [-1, -1, -1]


@pytest.mark.slow
def test_both_routes_know_every_gap_of_the_lieb_lattice():
    entries = assert_labels(models.lieb(), [Flux(1, 3), Flux(-1, 3)], 1e-2)
    assert [t for flux, _, t in entries if flux.p > 0] == [-t for flux, _, t in entries if flux.p < 0]


@pytest.mark.parametrize("flux", [(0, 1), (1, 1), (-2, 1)])
def test_whole_quanta(flux):
    # One flux quantum through every cell, but less through the triangles of the Haldane model.
    (found,) = labelled(models.haldane(1.0, 0.15, 0.9, 0.1), [Flux(*flux)], 1e-2)
    np.testing.assert_array_equal(found.status, Status.OK)
    np.testing.assert_array_equal(found.s + found.t * flux[0], found.bands_below)


@pytest.mark.parametrize("far", [9.0, 1e6])
def test_an_orbital_that_nothing_hops_to(far):
    hoppings = [(-1.0, 0, 0, (1, 0)), (-1.0, 0, 0, (0, 1)), (far, 1, 1, (0, 0))]
    model = models.tight_binding([[1, 0], [0, 1]], [[0, 0], [0.3, 0.4]], hoppings)
    (found,) = labelled(model, THIRD, 1e-3)
    np.testing.assert_array_equal(found.t, [1, -1, 0])
    np.testing.assert_array_equal(found.s, [0, 1, 1])


@pytest.mark.slow
def test_decoupled_spins():
    (found,) = labelled(models.rashba(1.0, 0.0), THIRD, 1e-3)
    np.testing.assert_array_equal(found.t, [2, -2])
    # Split by more than the bandwidth: two copies, one above the other.
    (found,) = labelled(models.rashba(1.0, 0.0, 10.0), THIRD, 1e-3)
    np.testing.assert_array_equal(found.t, [1, -1, 0, 1, -1])


@pytest.mark.slow
@pytest.mark.parametrize("weak", [1e-1, 1e-2, 1e-3])
def test_weakly_coupled_chains(weak):
    (found,) = labelled(models.rectangular(1.0, weak), THIRD, 1e-3)
    np.testing.assert_array_equal(found.t, [1, -1])


def test_a_label_of_a_tiny_gap_is_right_or_missing():
    # A Chern insulator of 8 × 3e-4: too small for Středa, and its Berry flux is concentrated at one momentum.
    (found,) = labelled(models.checkerboard(1.0, 0.5, -0.5, phase=3e-4), [Flux(0)], 1e-4)
    np.testing.assert_allclose(found.size, 8 * np.sin(3e-4), rtol=1e-6)
    assert np.isnan(found.t[0]) or found.t[0] == -1


@pytest.mark.slow
@pytest.mark.parametrize("name", LATTICES)
def test_both_routes_know_every_gap(name, rng):
    model = models.PRESETS[name]()
    entries = assert_labels(model, [flux for flux in farey(7) if flux.q > 4], 1e-2)
    # A third way for some of them: a uniform mesh over the whole zone, on bare sites, in NumPy.
    plain, n = systems.plain(model), 16
    checked = 0
    for index in rng.permutation(len(entries)):
        (flux, r, t), q = entries[index], entries[index][0].q
        k1, k2 = np.arange(n * q) / (n * q), np.arange(n) / (n * q)
        states = np.linalg.eigh([[peierls.bloch(plain, flux.p, q, (a, b)) for b in k2] for a in k1])[1]
        chern, largest = fukui.chern(states[..., :r], peierls.site_positions(plain, q), 1.0, 1 / q)
        if largest < 0.4:
            np.testing.assert_allclose(chern, t, atol=1e-8, err_msg=f"{flux}, gap {r}")
            checked += 1
        if checked == 3:
            break
    assert checked == 3
