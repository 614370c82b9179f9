"""Gap sizes and level energies as combinations of band edges, and what is refused."""

import numpy as np
import pytest

import hofstadter as hof
from hofstadter.fits.observations import Edge, bands_per_cell, tabulate

models = hof.models


def test_a_gap_lies_between_two_edges():
    gap = hof.GapSize("2/5", -1, 4, 0.3, 0.01)
    level = hof.LevelEnergy("2/5", 2, "upper", -0.5, 0.02)
    table = tabulate(models.honeycomb(), [gap, level, hof.GapSize("1/3", 1, 0, 0.2, 0.03)])
    fifth = hof.Flux(2, 5)
    # r = −1·5 + 4·2 = 3 bands lie below: the band 2 is the last of them.
    assert table.edges[:2] == (Edge(fifth, 3, -1), Edge(fifth, 2, 1))
    np.testing.assert_array_equal(table.weights, [[1, -1, 0, 0], [0, 1, 0, 0], [0, 0, 1, -1]])
    np.testing.assert_array_equal(table.is_level, [False, True, False])
    np.testing.assert_array_equal(table.measured, [0.3, -0.5, 0.2])
    np.testing.assert_array_equal(table.error, [0.01, 0.02, 0.03])
    assert table.names[0] == "gap (-1, 4) at flux 2/5"
    assert table.fluxes == [fifth, hof.Flux(1, 3)]


def test_bands_of_continuum_models_count_from_their_reference():
    graphene = models.bistritzer_macdonald()
    table = tabulate(graphene, [hof.GapSize(1, 2, -4, 10.0, 1.0), hof.LevelEnergy(1, 4, "lower", 50.0, 1.0)])
    assert [edge.band for edge in table.edges] == [-2, -3, 4]
    assert bands_per_cell(table) == 5
    # At flux 2/3 each cell holds two thirds of a quantum, and the magnetic cell three cells.
    assert bands_per_cell(tabulate(graphene, [hof.LevelEnergy("2/3", -4, "lower", 50.0, 1.0)])) == 2
    # The lowest Landau level of a single Dirac cone is half filled at neutrality.
    cone = models.dirac_superlattice()
    assert [edge.band for edge in tabulate(cone, [hof.GapSize(1, 0, 0.5, 1.0, 0.1)]).edges] == [0, -1]
    assert [edge.band for edge in tabulate(cone, [hof.GapSize(1, 0, -0.5, 1.0, 0.1)]).edges] == [-1, -2]
    with pytest.raises(ValueError, match=r"observations\[0\]` must be a gap with a whole number of bands below"):
        tabulate(cone, [hof.GapSize(1, 0, 1, 1.0, 0.1)])


def test_predictions_are_the_gaps_of_the_package():
    model = models.honeycomb(t2=0.12, mass=0.35)
    edges = hof.band_edges(model, "1/3").isel(flux=0)
    labels = {1: (0, 1), 2: (0, 2), 3: (1, 0), 4: (2, -2), 5: (2, -1)}
    found = hof.predict_observations(model, [hof.GapSize("1/3", s, t, 1.0, 0.1) for s, t in labels.values()])
    sizes = [edges.band_lower[r] - edges.band_upper[r - 1] for r in labels]
    np.testing.assert_allclose(found, sizes, atol=1e-7)
    # Of the square lattice the package knows the edges exactly, without a search.
    edges = hof.band_edges(models.square(t=1.3), "2/5")
    for side in ("lower", "upper"):
        wanted = [hof.LevelEnergy("2/5", band, side, 0.0, 0.1) for band in range(5)]
        found = hof.predict_observations(models.square(t=1.3), wanted)
        np.testing.assert_allclose(found, edges[f"band_{side}"].isel(flux=0), atol=1e-7)


def test_a_negative_size_is_an_overlap():
    edges = hof.band_edges(models.honeycomb(t2=0.5, mass=0.1), 0).isel(flux=0)
    size = hof.predict_observations(models.honeycomb(t2=0.5, mass=0.1), [hof.GapSize(0, 1, 0, 1.0, 0.1)])
    np.testing.assert_allclose(size, edges.band_lower[1] - edges.band_upper[0], atol=1e-7)
    assert size < -0.1


@pytest.mark.parametrize("error", [0.0, -0.1, float("nan"), float("inf")])
def test_errors_are_positive(error):
    with pytest.raises(ValueError, match="Argument `error` must be positive and finite"):
        hof.GapSize("1/3", 1, 0, 1.0, error)
    with pytest.raises(ValueError, match="Argument `error` must be positive and finite"):
        hof.LevelEnergy("1/3", 1, "lower", 1.0, error)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: hof.GapSize("1/3", 1, 0, 0.0, 0.1), "`size` must be positive"),
        (lambda: hof.GapSize("1/3", 1.3, 0.0, 1.0, 0.1), "`s` must be an integer or a half-integer, but is 1.3"),
        (lambda: hof.GapSize("1/3", 1, float("nan"), 1.0, 0.1), "`t` must be an integer or a half-integer, but is nan"),
        (lambda: hof.GapSize("2/6", 1, 0, 1.0, 0.1), "`flux` must be coprime"),
        (lambda: hof.LevelEnergy("1/3", 1, "middle", 1.0, 0.1), '`side` must be "lower" or "upper"'),
        (lambda: hof.LevelEnergy("1/3", 1, "lower", float("nan"), 0.1), "`energy` must be finite"),
    ],
)
def test_numbers_that_cannot_be(make, message, unchecked_types):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("model", "entry", "message"),
    [
        (models.square(), hof.GapSize("1/3", 0, 3, 1.0, 0.1), r"gap \(0, 3\) at flux 1/3, r = 3.*bands 0 … 2"),
        (models.square(), hof.GapSize("1/3", 0, 0, 1.0, 0.1), "r = 0"),
        (models.square(), hof.LevelEnergy("1/3", 3, "lower", 1.0, 0.1), "a band of the model, but is 3"),
        (models.square(), hof.GapSize("1/3", 0, 1.5, 1.0, 0.1), "whole number of bands below"),
        (models.electron_gas(), hof.LevelEnergy("1/3", -1, "lower", 1.0, 0.1), r"bands 0 …\."),
        (models.twisted_tmd(), hof.GapSize("1/3", 1, 0, 1.0, 0.1), r"bands … -1\."),
    ],
)
def test_what_a_model_does_not_have(model, entry, message):
    with pytest.raises(ValueError, match=rf"Argument `observations\[0\]` must be .*{message}"):
        tabulate(model, [entry])


def test_no_observations(unchecked_types):
    with pytest.raises(ValueError, match="at least one gap size or level energy, but is empty"):
        tabulate(models.square(), [])
    with pytest.raises(TypeError, match=r"observations\[1\]` must be a `GapSize` or a `LevelEnergy`"):
        tabulate(models.square(), [hof.GapSize("1/3", 0, 1, 1.0, 0.1), 0.3])
