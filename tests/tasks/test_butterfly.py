"""Datasets of band edges, gaps and butterflies."""

from fractions import Fraction

import equinox as eqx
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.errors import Status
from tests import systems

models = hof.models
FLUXES = ["1/3", "-1/4", "0", "3/4", "4/3"]
GAP_VARIABLES = ["lower", "upper", "size", "density", "s", "t", "bands_below", "route", "status"]


@pytest.fixture(scope="module")
def data():
    return hof.butterfly(models.haldane(), fluxes=FLUXES, min_gap=1e-2)


def present(data):
    return data.status.values != Status.ABSENT


def test_dimensions_and_coordinates(data):
    assert data.sizes == {"flux": 5, "band": 8, "gap": data.sizes["gap"]}
    np.testing.assert_array_equal(data.flux, [1 / 3, -1 / 4, 0, 3 / 4, 4 / 3])
    np.testing.assert_array_equal(data.p, [1, -1, 0, 3, 4])
    np.testing.assert_array_equal(data.q, [3, 4, 1, 4, 3])
    assert data.band_lower.dims == data.band_upper.dims == ("flux", "band")
    assert data.edge_status.dims == ("flux",)
    for name in GAP_VARIABLES:
        assert data[name].dims == ("flux", "gap")
    assert data.route.dtype.kind == data.status.dtype.kind == data.edge_status.dtype.kind == "i"
    assert {"model": "haldane", "orbitals": 2}.items() <= data.attrs.items()


def test_padding(data):
    bands = 2 * data.q.values
    beyond = np.arange(8) >= bands[:, None]
    for name in ("band_lower", "band_upper"):
        np.testing.assert_array_equal(np.isnan(data[name]), beyond)
    absent = ~present(data)
    for name in ("lower", "upper", "size", "density", "s", "t", "bands_below"):
        np.testing.assert_array_equal(np.isnan(data[name]), absent)
    assert np.all(data.route.values[absent] == 0)
    # Gaps come first, then padding; the longest row has none, and somebody has some.
    assert np.all(np.diff(absent.astype(int), axis=1) >= 0)
    assert not absent[:, -1].all()
    assert absent.any()


def test_gaps_agree_with_the_band_edges(data):
    assert not data.edge_status.values.any()
    for i in range(data.sizes["flux"]):
        row = data.isel(flux=i)
        for j in np.flatnonzero(row.status.values != Status.ABSENT):
            gap = row.isel(gap=j)
            r = int(gap.bands_below)
            np.testing.assert_allclose(gap.lower, row.band_upper[r - 1], atol=1e-13)
            np.testing.assert_allclose(gap["upper"], row.band_lower[r], atol=1e-13)
            assert gap["size"] == gap["upper"] - gap.lower > 1e-2
            np.testing.assert_allclose(gap.density, r / row.q)
            np.testing.assert_allclose(gap.density, gap.s + gap.t * row.flux, atol=1e-12)
        assert np.all(np.diff(row.lower.values[: j + 1]) > 0)


def test_every_label_is_established(data):
    assert np.all(data.status.values[present(data)] == Status.OK)
    assert np.all(data.route.values[present(data)] == 3)
    (half,) = np.flatnonzero(data.density.values[2] == 1)
    assert (data.s[2, half], data.t[2, half]) == (1, -1)


@pytest.mark.parametrize("chosen", [[3], [0, 2], [4, 1, 0]])
def test_part_of_a_list_gives_its_rows_of_the_whole(data, chosen):
    part = hof.butterfly(models.haldane(), fluxes=[FLUXES[i] for i in chosen], min_gap=1e-2)
    rows = data.isel(flux=chosen, band=slice(part.sizes["band"]), gap=slice(part.sizes["gap"]))
    for name in part.variables:
        np.testing.assert_allclose(part[name], rows[name], rtol=0, atol=1e-12, err_msg=name)
    assert not present(data)[chosen, part.sizes["gap"] :].any()


def test_gaps_at_one_flux(data):
    gaps = hof.gaps(models.haldane(), FLUXES[0], min_gap=1e-2)
    assert gaps.sizes["gap"] == present(data)[0].sum()
    for name in GAP_VARIABLES:
        assert gaps[name].dims == ("gap",)
        np.testing.assert_allclose(gaps[name], data[name].values[0, : gaps.sizes["gap"]], atol=1e-12)
    assert (int(gaps.p), int(gaps.q)) == (1, 3)


def test_band_edges(data):
    edges = hof.band_edges(models.haldane(), FLUXES)
    assert set(edges.data_vars) == {"band_lower", "band_upper", "edge_status"}
    for name in ("band_lower", "band_upper", "edge_status", "p", "q"):
        np.testing.assert_allclose(edges[name], data[name], atol=1e-12)


def test_a_smaller_threshold_adds_gaps(data):
    fine = hof.butterfly(models.haldane(), fluxes=FLUXES, min_gap=1e-4, labels=False)
    coarse = hof.butterfly(models.haldane(), fluxes=FLUXES, min_gap=0.5, labels=False)
    count, coarse_count = present(data).sum(), present(coarse).sum()
    assert present(fine).sum() >= count > coarse_count > 0
    assert np.nanmin(coarse["size"]) > 0.5


def test_without_labels(data):
    bare = hof.butterfly(models.haldane(), fluxes=FLUXES, min_gap=1e-2, labels=False)
    np.testing.assert_array_equal(present(bare), present(data))
    assert np.isnan(bare.t).all()
    assert np.isnan(bare.s).all()
    assert np.all(bare.status.values[present(bare)] == Status.LABEL_NOT_ESTABLISHED)
    assert not bare.route.values.any()
    for name in ("lower", "upper", "density"):
        np.testing.assert_allclose(bare[name], data[name], atol=1e-12)


def test_all_fluxes_up_to_a_denominator():
    data = hof.butterfly(models.rectangular(), max_denominator=4, labels=False)
    np.testing.assert_allclose(data.flux, [0, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 1])
    np.testing.assert_array_equal(present(data).sum(axis=1), [0, 2, 2, 0, 2, 2, 0])


def test_a_metal_has_no_gaps():
    data = hof.butterfly(models.rectangular(), fluxes=["0", "1/2", "1"])
    assert data.sizes == {"flux": 3, "band": 2, "gap": 0}
    assert data.t.shape == data.status.shape == (3, 0)
    assert hof.gaps(models.rectangular(), 0).sizes["gap"] == 0


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize(
    "flux", ["1/3", (1, 3), hof.Flux(1, 3), Fraction(1, 3)], ids=["text", "pair", "flux", "fraction"]
)
def test_every_form_of_a_flux(flux):
    assert hof.gaps(models.rectangular(), flux, min_gap=1e-2).t.values.tolist() == [1, -1]
    together = hof.butterfly(models.rectangular(), fluxes=[flux, flux], min_gap=1e-2, labels=False)
    np.testing.assert_array_equal(together.q, [3, 3])


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("flux", ["1/3", hof.Flux(1, 3), Fraction(1, 3)])
def test_a_single_flux_needs_no_list(flux):
    np.testing.assert_array_equal(hof.band_edges(models.rectangular(), flux).q, [3])


def test_models_that_are_not_finite():
    model = models.rectangular()
    model = eqx.tree_at(lambda m: m.amplitudes, model, model.amplitudes.at[0].set(np.nan))
    data = hof.butterfly(model, fluxes=["1/3", "0"])
    np.testing.assert_array_equal(data.edge_status, Status.NOT_FINITE)
    assert np.isnan(data.band_lower).all()
    assert data.sizes["gap"] == 0


def test_progress_counts_every_flux():
    counts = []
    hof.butterfly(models.rectangular(), fluxes=["1/3", "0", "2/3"], labels=False, progress=counts.append)
    assert sum(counts) == 3


# Wrong use.


def test_fluxes_or_a_denominator():
    for arguments in ({}, {"fluxes": ["1/3"], "max_denominator": 3}):
        with pytest.raises(ValueError, match=r"^Give either `fluxes` or `max_denominator`, and not both\.$"):
            hof.butterfly(models.square(), **arguments)


@pytest.mark.parametrize("min_gap", [0.0, -1e-3, np.nan])
def test_bad_thresholds(min_gap):
    with pytest.raises(ValueError, match=r"Argument `min_gap` must be positive, but is "):
        hof.butterfly(models.square(), fluxes=["1/3"], min_gap=min_gap)
    with pytest.raises(ValueError, match=r"Argument `min_gap` must be positive, but is "):
        hof.gaps(models.square(), "1/3", min_gap=min_gap)


@pytest.mark.parametrize("option", [{"bands_per_cell": 2}, {"rtol": 1e-4}])
def test_lattice_models_have_all_their_bands(option):
    (name,) = option
    with pytest.raises(ValueError, match=rf"Argument `{name}` must be left out for a lattice model"):
        hof.butterfly(models.square(), fluxes=["1/3"], **option)


@pytest.mark.usefixtures("unchecked_types")
def test_bad_fluxes():
    for function in (hof.band_edges, hof.gaps, lambda model, flux: hof.butterfly(model, fluxes=[flux])):
        with pytest.raises(ValueError, match=r"Argument `flux` must be coprime, but is 2/4\. Write 1/2"):
            function(models.square(), "2/4")
        with pytest.raises(TypeError, match=r"must be an exact fraction, but is the float 0\.5\. Write Flux\(1, 2\)"):
            function(models.square(), 0.5)
    with pytest.raises(ValueError, match=r"Argument `fluxes` must be a list with at least one flux, but is empty"):
        hof.butterfly(models.square(), fluxes=[])
    with pytest.raises(ValueError, match=r"Argument `max_denominator` must be at least 1, but is 0"):
        hof.butterfly(models.square(), max_denominator=0)


@pytest.mark.parametrize("memory_gb", [0.0, -1.0, np.nan])
def test_bad_memory(memory_gb):
    with pytest.raises(ValueError, match=r"Argument `memory_gb` must be positive, but is "):
        hof.band_edges(models.square(), "1/3", memory_gb=memory_gb)
    with pytest.raises(ValueError, match=r"Argument `memory_gb` must be positive, but is "):
        hof.gaps(models.square(), "1/3", memory_gb=memory_gb)


@pytest.mark.slow
def test_little_memory_gives_the_same(data):
    small = hof.butterfly(models.haldane(), fluxes=FLUXES, min_gap=1e-2, memory_gb=1e-5)
    for name in data.variables:
        np.testing.assert_allclose(small[name], data[name], rtol=0, atol=1e-12, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["checkerboard_flux", "rashba", "random_0", "random_1", "random_2"])
def test_a_label_is_the_slope_of_the_density(name):
    # The integrated density at nearby fluxes, inside the same gap, follows s + t φ.
    model, fluxes = systems.build(name), ["1/3", "2/5"]
    data = hof.butterfly(model, fluxes=fluxes, min_gap=0.1)
    for i, flux in enumerate(fluxes):
        row = data.isel(flux=i)
        neighbors = [hof.Flux.of(Fraction(flux) + Fraction(side, 200)) for side in (-1, 1)]
        neighbors = [n for n in neighbors if n.q <= 700]
        for j in np.flatnonzero(row.status.values != Status.ABSENT):
            if row["size"][j] > 0.3:
                middle = float(row.lower[j] + row["upper"][j]) / 2
                density = hof.integrated_density(model, neighbors, [middle], mesh=1).values[:, 0]
                expected = [float(row.s[j] + row.t[j] * float(n)) for n in neighbors]
                np.testing.assert_allclose(density, expected, atol=1e-9)
