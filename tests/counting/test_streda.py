"""Chern numbers from the Středa slope of the integrated density."""

import numpy as np
import pytest

import hofstadter as hof
from hofstadter.counting import streda
from hofstadter.flux import Flux, farey_neighbors
from tests import systems
from tests.oracles import peierls

MESH = 24


def bands_of(model, flux):
    """Edges over a mesh; good enough to tell where wide gaps are."""
    bands = systems.energies(model, (flux.p, flux.q), systems.reduced_mesh(flux.q, MESH))
    return bands.min(axis=0), bands.max(axis=0)


def wide_gaps(model, flux, size=0.05):
    """Bands below each gap, its edges, and the width of the spectrum."""
    lower, upper = bands_of(model, flux)
    index = np.flatnonzero(lower[1:] - upper[:-1] > size)
    return index + 1, (upper[index], lower[index + 1]), upper[-1] - lower[0]


def streda_numbers(model, *fluxes):
    below, edges, widths = zip(*[wide_gaps(model, flux) for flux in fluxes], strict=True)
    return below, streda.chern_by_streda(model, fluxes, below, edges, widths)


@pytest.mark.parametrize(
    ("name", "flux", "expected"),
    [
        ("square", Flux(1, 3), {1: 1, 2: -1}),
        ("square", Flux(2, 5), {1: -2, 2: 1, 3: -1, 4: 2}),
        ("square", Flux(-1, 3), {1: -1, 2: 1}),
        ("triangular", Flux(1, 3), {1: 1, 2: 2}),
        ("haldane", Flux(0), {1: -1}),
    ],
)
def test_known_gaps(name, flux, expected):
    (below,), (t,) = streda_numbers(systems.build(name), flux)
    assert dict(zip(below.tolist(), t.tolist(), strict=True)) == expected


def test_many_fluxes_at_once():
    model, fluxes = systems.build("square"), [Flux(1, 3), Flux(0), Flux(2, 3), Flux(4, 3), Flux(3, 4)]
    _, together = streda_numbers(model, *fluxes)
    assert [len(t) for t in together] == [2, 0, 2, 2, 2]
    for flux, t in zip(fluxes, together, strict=True):
        np.testing.assert_array_equal(streda_numbers(model, flux)[1][0], t)
        assert not np.isnan(t).any()


def test_slopes_are_those_of_counted_states():
    # The same slopes from NumPy at other neighbors, about 40 cells large.
    model, flux = systems.build("haldane"), Flux(1, 3)
    below, edges, _ = wide_gaps(model, flux, 0.3)
    (_,), (found,) = streda_numbers(model, flux)
    all_below, _, _ = wide_gaps(model, flux)
    assert len(below) >= 3
    for neighbor in farey_neighbors(flux, 40):
        energies = np.linalg.eigvalsh(peierls.bloch(systems.plain(model), neighbor.p, neighbor.q, (0.0, 0.0)))
        for r, middle in zip(below, (edges[0] + edges[1]) / 2, strict=True):
            density = (energies < middle).sum() / neighbor.q
            slope = (density - r / flux.q) / (float(neighbor) - float(flux))
            np.testing.assert_allclose(slope, found[all_below == r], atol=1e-9)


def test_gaps_that_are_too_narrow_are_left_open():
    model, flux = systems.build("square"), Flux(1, 3)
    below, (lower, _), width = wide_gaps(model, flux)
    (t,) = streda.chern_by_streda(model, [flux], [below], [(lower, lower + 1e-9)], [width])
    assert np.isnan(t).all()


@pytest.mark.parametrize("wrong", [lambda count, q: count + (q % 2), lambda count, q: count * 0 - 7 * q])
def test_counts_that_contradict_each_other_give_nothing(wrong, monkeypatch):
    right = streda.count_below

    def spoiled(model, p, q, k1, energies):
        return wrong(right(model, p, q, k1, energies), q)

    monkeypatch.setattr(streda, "count_below", spoiled)
    (_,), (t,) = streda_numbers(systems.build("square"), Flux(1, 3))
    assert np.isnan(t).all()


def test_no_gaps():
    none = np.zeros(0, int)
    model = hof.models.triangular()
    (t,) = streda.chern_by_streda(model, [Flux(0)], [none], [(np.zeros(0), np.zeros(0))], [9.0])
    assert t.shape == (0,)
    assert streda.chern_by_streda(model, [], [], [], []) == []
