"""Gaps sorted into lines, and lines that were measured."""

import numpy as np
import pytest
import xarray as xr

import hofstadter as hof

models = hof.models


@pytest.fixture(scope="module")
def butterfly():
    return hof.butterfly(models.square(), fluxes=hof.farey(7))


def test_every_gap_is_in_one_line(butterfly):
    lines = hof.gap_lines(butterfly)
    known = butterfly["status"].values == hof.Status.OK
    assert int(np.isfinite(lines["gap"].values).sum()) == int(known.sum())
    assert np.nansum(lines["gap"]) == pytest.approx(float(butterfly["size"].where(known).sum()))
    assert len({(float(s), float(t)) for s, t in zip(lines.s, lines.t, strict=True)}) == lines.sizes["line"]
    assert np.all(np.diff(lines["largest_gap"]) <= 0)
    np.testing.assert_allclose(lines["gap"], lines["upper"] - lines["lower"])
    flux = lines["flux"].values
    for line in range(lines.sizes["line"]):
        there = np.isfinite(lines["gap"].values[line])
        assert there.sum() == lines["fluxes"].values[line]
        assert flux[there].min() == lines["first_flux"].values[line]
        assert flux[there].max() == lines["last_flux"].values[line]
        np.testing.assert_allclose(lines["density"].values[line], float(lines.s[line]) + float(lines.t[line]) * flux)


def test_the_largest_gaps_of_the_square_lattice(butterfly):
    lines = hof.gap_lines(butterfly, min_gap=1.0)
    assert {(float(s), float(t)) for s, t in zip(lines.s, lines.t, strict=True)} == {(0, 1), (1, -1)}
    assert hof.gap_lines(butterfly, min_fluxes=100).sizes["line"] == 0
    assert hof.gap_lines(butterfly, min_gap=100.0).sizes["line"] == 0


def test_comparison_with_what_was_seen(butterfly):
    lines = hof.gap_lines(butterfly, min_gap=0.3)
    table = hof.compare_lines(lines, [(0, 1, (0.1, 0.45)), (0, 5, (0.1, 0.2)), (1, -1, (0.9, 0.9001))], min_gap=0.3)
    np.testing.assert_array_equal(table["line"].values >= 0, [True, False, True])
    assert float(table["explained"][0]) == 1.0
    assert float(table["explained"][1]) == 0.0
    assert np.isnan(table["explained"][2])  # no flux of the dataset is in that range
    assert float(table["largest_gap"][0]) >= float(table["smallest_gap"][0]) > 0.3
    unseen = {(float(lines.s[i]), float(lines.t[i])) for i in table["unseen_line"].values}
    assert (0, 2) in unseen
    assert not unseen & {(0, 1), (1, -1)}
    assert hof.compare_lines(lines, []).sizes["unseen"] == lines.sizes["line"]


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ((0, 1), r"`observed\[0\]` must be \(s, t"),
        ((0, 1, (2, 1)), "lowest to the highest"),
        ((0, np.nan, (1, 2)), "finite"),
    ],
)
def test_wrong_observations(butterfly, entry, message):
    with pytest.raises(ValueError, match=message):
        hof.compare_lines(hof.gap_lines(butterfly), [entry])


def test_gaps_without_labels_are_in_no_line():
    data = hof.butterfly(models.square(), fluxes=["1/3"], labels=False)
    assert isinstance(lines := hof.gap_lines(data), xr.Dataset)
    assert lines.sizes["line"] == 0
