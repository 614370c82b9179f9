"""Gaps of continuum models, counted from the bottom, from neutrality and from the top."""

import json
from pathlib import Path

import numpy as np
import pytest

import hofstadter as hof
from hofstadter import models
from hofstadter.counting.gaps import Route

REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "reference_continuum.json").read_text())


def gaps_of(dataset):
    """The open gaps of one flux: (density, s, t) of each, and the dataset without padding."""
    here = dataset.isel(gap=np.isfinite(dataset["size"].values))
    return list(zip(*(here[name].values.tolist() for name in ("density", "s", "t")), strict=True)), here


@pytest.fixture(scope="module")
def square():
    return hof.butterfly(models.electron_gas(-5.0), fluxes=["2/3"], bands_per_cell=1, rtol=1e-5).isel(flux=0)


def test_gaps_above_the_bottom(square):
    labels, found = gaps_of(square)
    expected = next(x for x in REFERENCE["twodeg"]["gap_table"] if x["lattice"] == "square")["gaps"][:2]
    assert labels == [(gap["r"] / 3, gap["s"], gap["C"]) for gap in expected]
    np.testing.assert_allclose(found["size"], [gap["gap"] for gap in expected], atol=2e-3)
    assert (found["status"] == hof.Status.OK).all()
    assert (found["route"].values & Route.BERRY_FLUX).all()
    assert square.attrs["reference"] == "bottom"


def test_without_labels_nothing_is_claimed():
    plain = hof.butterfly(models.electron_gas(-5.0), fluxes=["2/3"], bands_per_cell=1, rtol=1e-5, labels=False)
    _, found = gaps_of(plain.isel(flux=0))
    assert (found["status"] == hof.Status.LABEL_NOT_ESTABLISHED).all()
    assert found["t"].isnull().all()


@pytest.mark.slow
def test_gaps_around_neutrality_of_twisted_bilayer_graphene():
    """Remote gaps (±1, 0), and at 1/2 the main Landau gap (1, −1) and not (0, 1)."""
    found = hof.butterfly(models.bistritzer_macdonald(), fluxes=["1/2", "1/1"], bands_per_cell=2, rtol=1e-4)
    half, _ = gaps_of(found.isel(flux=0))
    assert half == [(-1.5, -1, -1), (-1, -1, 0), (-0.5, -1, 1), (0.5, 1, -1), (1, 1, 0), (1.5, 1, 1)]
    one, gaps = gaps_of(found.isel(flux=1))
    assert one == [(-1, -1, 0), (1, 1, 0)]
    np.testing.assert_allclose(gaps["size"], 35.53, atol=0.02)
    assert (gaps["route"] == Route.BERRY_FLUX + Route.STREDA).all()


@pytest.mark.slow
def test_half_integers_of_a_dirac_cone():
    labels, found = gaps_of(hof.gaps(models.dirac_superlattice(mass=0.3), 1, min_gap=0.5))
    main = [label for label in labels if abs(label[0]) < 1]
    assert main == [(-0.5, 0, -0.5), (0.5, 0, 0.5)]
    assert (found["status"] == hof.Status.OK).all()


@pytest.mark.slow
def test_gaps_below_the_top():
    found = hof.butterfly(models.twisted_tmd(2.0), fluxes=["1/2"], bands_per_cell=2, rtol=1e-5)
    labels, gaps = gaps_of(found.isel(flux=0))
    expected = REFERENCE["tmd"]["WSe2_Devakul2021"]["flux"]["1/2"]["gaps_from_top"][: len(labels)]
    # The reference counts holes, which changes all signs.
    assert labels == [(-gap["r_hole"] / 2, -gap["s"], -gap["C_above"]) for gap in reversed(expected)]
    # Its gaps are those of a mesh, upper bounds of ours.
    assert (gaps["size"].values < np.array([gap["gap"] for gap in reversed(expected)]) + 1e-3).all()


@pytest.mark.slow
def test_landau_levels_at_a_low_field():
    """26 cells of an electron gas go through the strip basis: the gaps above the band's bottom are (0, t)."""
    found = hof.butterfly(models.electron_gas(-2.0), fluxes=["1/26"], bands_per_cell=1, rtol=1e-4, min_gap=0.3)
    labels, gaps = gaps_of(found.isel(flux=0))
    assert labels[:6] == [(t / 26, 0, t) for t in range(1, 7)]
    assert (gaps["route"][:6] == Route.STREDA).all()
    assert (gaps["status"][:6] == hof.Status.OK).all()


@pytest.mark.slow
def test_narrow_bands_of_twisted_bilayer_graphene_at_an_eighth():
    """16 narrow bands of total Chern number 0 between remote gaps of 25.1 meV; Landau levels of the remote bands."""
    found = hof.butterfly(models.bistritzer_macdonald(), fluxes=["1/8"], bands_per_cell=2, rtol=1e-4)
    labels, gaps = gaps_of(found.isel(flux=0))
    sizes = dict(zip(labels, gaps["size"].values, strict=True))
    assert {(-1, -1, 0), (1, 1, 0), (-1.125, -1, -1), (1.125, 1, 1), (-1.375, -1, -3), (1.375, 1, 3)} <= set(labels)
    np.testing.assert_allclose([sizes[-1, -1, 0], sizes[1, 1, 0]], 25.1, atol=0.1)
    assert not any(abs(density) < 0.75 for density, _, _ in labels)
