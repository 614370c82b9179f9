from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.path import Path

from hofstadter.plots import _table, _wings
from tests.plots import harper

EVEN = [(p // int(np.gcd(p, 47)), 47 // int(np.gcd(p, 47))) for p in range(48)]
LISTS = {"farey": harper.farey(12), "even": EVEN, "wide": harper.farey(5, -1, 2)}


def shapes_of(data):
    table = _table.read(data)
    chains = _wings.wings(table)
    first = chains.order[chains.start]
    return (
        table,
        chains,
        _wings.polygons(table, chains),
        list(zip(table.s[first], table.t[first], strict=True)),
    )


@pytest.fixture(scope="module", params=LISTS)
def system(request):
    return shapes_of(harper.butterfly(LISTS[request.param]))


@given(st.fractions(-2, 2, max_denominator=30), st.fractions(-2, 2, max_denominator=30))
def test_simplest_fraction_is_the_one_found_by_search(a, b):
    if a == b:
        return
    low, high = min(a, b), max(a, b)
    found = _wings._simplest(low, high)
    assert low < found < high
    for q in range(1, found.denominator):
        assert not any(low < Fraction(p, q) < high for p in range(-2 * q - 1, 2 * q + 2))


def test_chains_hold_every_labelled_gap_once_and_one_label_each(system):
    table, chains, _, _ = system
    assert sorted(chains.order) == np.flatnonzero(table.known).tolist()
    for start, stop in zip(chains.start, chains.stop, strict=True):
        rows = chains.order[start:stop]
        assert len(set(table.s[rows])) == len(set(table.t[rows])) == 1
        assert np.all(np.diff(table.column[rows]) == 1)


def test_polygons_pass_through_the_edges_of_their_gaps(system):
    table, chains, shapes, _ = system
    for shape, start, stop in zip(shapes, chains.start, chains.stop, strict=True):
        corners = {tuple(corner) for corner in shape}
        for row in chains.order[start:stop]:
            assert (table.flux[table.column[row]], table.lower[row]) in corners
            assert (table.flux[table.column[row]], table.upper[row]) in corners


def test_wings_stay_inside_the_spectrum_and_the_fluxes(system):
    table, _, shapes, _ = system
    corners = np.concatenate(shapes)
    assert corners[:, 0].min() >= table.flux[0]
    assert corners[:, 0].max() <= table.flux[-1]
    assert np.all(np.isfinite(corners))
    low = np.interp(corners[:, 0], table.flux, table.spectrum[:, 0])
    high = np.interp(corners[:, 0], table.flux, table.spectrum[:, 1])
    # Flat ends stick out a little where the edge of the spectrum is steep.
    assert np.all((corners[:, 1] > low - 0.01) & (corners[:, 1] < high + 0.01))


def test_wings_of_a_farey_list_do_not_overlap(rng):
    _, _, shapes, _ = shapes_of(harper.butterfly(harper.farey(12)))
    points = rng.uniform([0, -4], [1, 4], (4000, 2))
    owners = np.sum([Path(shape).contains_points(points) for shape in shapes], axis=0)
    assert owners.max() == 1
    assert owners.mean() > 0.4


@pytest.mark.parametrize("fluxes", ["farey", "even"])
def test_the_main_gaps_end_at_the_band_edge_and_at_the_dirac_point(fluxes):
    _, chains, shapes, labels = shapes_of(harper.butterfly(LISTS[fluxes]))
    # s = 0, t = 1: the first Landau gap of the bottom of the band, up to half filling at flux 1/2.
    below_half = [c for c, name in enumerate(labels) if name == (0, 1) and shapes[c][:, 0].max() < 0.51]
    assert len(below_half) == 1
    (c,) = below_half
    np.testing.assert_allclose(chains.ends[c], [0, 0.5], atol=1e-12)
    np.testing.assert_allclose(chains.tips[c], [-4, 0], atol=1e-9)


def test_landau_gaps_of_one_half_end_in_its_band_edges():
    _, chains, _, labels = shapes_of(harper.butterfly(harper.farey(12)))
    # n = −1 + 3 φ is half filling at flux 1/2: this gap leaves the Dirac point. n = −1 + 2 φ is empty there,
    # n = 2 φ is full: they leave the bottom and the top of the spectrum.
    for label, energy in (((-1.0, 3.0), 0.0), ((-1.0, 2.0), -np.sqrt(8)), ((0.0, 2.0), np.sqrt(8))):
        at_half = (np.abs(chains.ends - 0.5) < 1e-12) & [[name == label] for name in labels]
        assert at_half.any()
        np.testing.assert_allclose(chains.tips[at_half], energy, atol=1e-9)


def test_even_list_joins_across_a_third_but_not_across_a_half():
    table, chains, _, labels = shapes_of(harper.butterfly(EVEN))
    first, last = chains.order[chains.start], chains.order[chains.stop - 1]
    spans = np.stack([table.flux[table.column[first]], table.flux[table.column[last]]], axis=1)
    main = spans[[name == (0, 1) for name in labels]]
    np.testing.assert_allclose(main, [[1 / 47, 23 / 47], [24 / 47, 46 / 47]])


def test_order_and_repetition_of_fluxes_do_not_matter(rng):
    data = harper.butterfly(harper.farey(9))
    shuffled = data.isel(flux=np.append(rng.permutation(data.sizes["flux"]), [0, 3]))
    for a, b in zip(shapes_of(data)[2], shapes_of(shuffled)[2], strict=True):
        np.testing.assert_array_equal(a, b)


def test_few_fluxes_are_not_joined():
    table, chains, shapes, _ = shapes_of(harper.butterfly([(1, 5), (1, 3), (2, 3)]))
    assert table.alone.all()
    assert len(shapes) == table.column.size == 4 + 2 + 2
    assert np.isnan(chains.tips).all()
    for shape in shapes:
        assert len(set(shape[:, 1])) == 2
    assert np.all(table.cells[1:, 0] > table.cells[:-1, 1])


def test_an_unlabelled_gap_interrupts_a_wing_without_a_tip():
    data = harper.butterfly(harper.farey(9))
    data = harper.without_labels(data, (data["flux"] == 1 / 4) & (data["t"] == 1))
    table, chains, _, labels = shapes_of(data)
    assert np.count_nonzero(~table.known) == 1
    c = labels.index((0.0, 1.0))
    i = int(np.flatnonzero(np.isclose(table.flux, 1 / 4))[0])
    assert chains.ends[c, 1] < table.flux[i]
    assert np.isnan(chains.tips[c, 1])


def test_a_failed_flux_is_left_out():
    data = harper.butterfly(harper.farey(9))
    failed = data["flux"] == 2 / 5
    broken = data.where(~failed | False, np.nan).assign_coords(p=data["p"], q=data["q"])
    broken["status"] = data["status"].where(~failed, 1)
    broken["bands_below"] = data["bands_below"]
    assert 2 / 5 not in _table.read(broken).flux
    with pytest.raises(ValueError, match="with bands at one flux at least, but is without any"):
        _table.read(broken.isel(flux=failed.values))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.drop_vars("t"), "but is without t"),
        (lambda data: data.isel(flux=[]), "but is without any"),
        (lambda data: data.expand_dims(mass=[0, 1]), "Select one, such as dataset.isel"),
    ],
)
def test_wrong_datasets_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        _table.read(change(harper.butterfly(harper.farey(4))))
