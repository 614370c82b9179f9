"""Tasks on continuum models: numbering of bands, what datasets say about the basis, and exactly known cases."""

import dataclasses

import numpy as np
import pytest
import xarray as xr

import hofstadter as hof
from hofstadter import models
from hofstadter.errors import Status
from hofstadter.plots._style import group_name
from hofstadter.tasks._basis import group_attributes
from hofstadter.tasks.chern_table import group_ranges

FREE = models.electron_gas(0.0)
WELLS = models.electron_gas(-8.0)
DIRAC = models.dirac_superlattice(potential=0.2, mass=0.1)
SMALL = {"levels": 12, "bands_per_cell": 2, "rtol": 1e-3}


def test_free_electrons_have_landau_levels():
    data = hof.bands(FREE, 1, points=7, chern=True, **SMALL)
    np.testing.assert_allclose(data["energy"], np.broadcast_to([2 * np.pi, 6 * np.pi], (7, 2)), rtol=1e-12)
    np.testing.assert_array_equal(data["chern"], [1, 1])
    assert data.attrs["corner_labels"] == ["Γ", "X", "M", "Γ"]
    assert (data.attrs["energy_unit"], data.attrs["reference"]) == ("E", "bottom")
    assert (int(data["levels"]), float(data["reference_filling"])) == (12, 0)
    assert float(data["cutoff_error"]) < 1e-12
    assert int(data["basis_status"]) == Status.OK


def test_bands_at_zero_flux():
    data = hof.bands(FREE, 0, corners=["Γ", "X"], labels=["a", "b"], points=3, bands_per_cell=2)
    np.testing.assert_allclose(data["energy"][:, 0], (2 * np.pi * np.array([0, 0.25, 0.5])) ** 2, atol=1e-12)
    assert data.attrs["corner_labels"] == ["a", "b"]
    assert int(data["levels"]) > 2  # plane waves


def test_the_lowest_landau_level_saturates_the_trace_condition():
    data = hof.geometry_map(FREE, 1, (0, 1), points=2, **SMALL)
    np.testing.assert_allclose(data["berry_curvature"], 1 / (2 * np.pi), rtol=1e-9)
    np.testing.assert_allclose(data["metric_xx"] + data["metric_yy"], 1 / (2 * np.pi), rtol=1e-9)
    np.testing.assert_allclose([data["t_ratio"], data["chern"]], [1, 1], atol=1e-9)


def test_wannier_centers_of_a_landau_level_wind_once():
    data = hof.wannier_flow(FREE, 1, (0, 1), loops=8, steps=4, **SMALL)
    steps = np.diff(np.append(data["phase"][:, 0], data["phase"][0, 0]))
    np.testing.assert_allclose((steps + np.pi) % (2 * np.pi) - np.pi, 2 * np.pi / 8, atol=1e-9)
    assert (float(data["chern"]), int(data["basis_status"])) == (1, Status.OK)


@pytest.mark.slow
def test_a_well_binds_a_state_without_chern_number_at_zero_flux():
    small = {"bands_per_cell": 1, "rtol": 1e-3}
    flow = hof.wannier_flow(WELLS, 0, (0, 1), loops=4, steps=6, **small)
    np.testing.assert_allclose(flow["phase"], 0, atol=1e-9)  # by inversion about the center of the well
    assert float(flow["chern"]) == 0
    table = hof.chern_table(WELLS, [0], **small)
    np.testing.assert_array_equal(table["chern"], [[0]])


def test_bands_counted_from_neutrality():
    data = hof.chern_table(DIRAC, [1], groups=[(-1, 0), (0, 1)], from_reference=True, **SMALL)
    np.testing.assert_array_equal(data["first"], [[1, 2]])
    # The zeroth Landau level is the first one below: it lies at −m.
    np.testing.assert_array_equal(data["chern"], [[1, 1]])
    assert data["reference_filling"].values == [1.5]
    assert data.attrs["reference"] == "neutrality"
    attributes = group_attributes(DIRAC, hof.Flux(1), (5, 7))
    assert (attributes["bands"], attributes["bands_from_reference"]) == ([5, 7], [-1, 1])
    assert group_name(xr.Dataset(attrs=attributes)) == "bands −1 … 0 from neutrality"


def test_gaps_are_reached_from_the_reference():
    few = hof.Flux(1)
    bottom, both = FREE, DIRAC
    assert group_ranges("gaps", bottom, few)[:2] == [(0, 1), (0, 2)]
    assert len(group_ranges("gaps", bottom, few)) == 6
    assert group_ranges("gaps", both, few)[5:7] == [(5, 6), (6, 7)]
    assert group_ranges("gaps", dataclasses.replace(FREE, reference="top"), few)[-1] == (5, 6)
    assert group_ranges("gaps", models.square(), hof.Flux(1, 3)) == [(0, 1), (0, 2)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bands": (-1, 1)}, r"`bands` must be a range .* 0 … 3 at flux 1/1, .* say so by `from_reference`"),
        ({"bands": (3, 5)}, r"within the 4 bands 0 … 3 at flux 1/1, but is \[3, 5\]. Raise `bands_per_cell`"),
        ({"bands": (-3, 0), "from_reference": True}, r"within the 4 bands -2 … 1 at flux 1/1"),
        ({"flux": 0}, r"`levels` must be left out at zero flux"),
        ({"flux": -1}, r"`flux` must be zero or positive for a continuum model, but is -1/1. Reverse the valley"),
        ({"model": models.square(), "rtol": None}, r"`bands_per_cell` must be left out for a lattice model"),
        ({"model": models.square(), "bands_per_cell": None}, r"`levels` must be left out for a lattice model"),
        ({"rtol": -1.0}, r"`rtol` must be positive"),
        ({"levels": 1}, r"`levels` must be at least 2 to hold the 4 wanted bands"),
    ],
)
def test_bad_arguments(options, words):
    arguments = {"model": DIRAC, "flux": 1, "bands": (0, 1), **SMALL, **options}
    with pytest.raises(ValueError, match=words):
        hof.wannier_flow(**arguments)


def test_single_precision():
    data = hof.bands(models.cast(DIRAC, "single"), 1, points=5, **SMALL)
    assert data["energy"].dtype == np.float32
    np.testing.assert_allclose(data["energy"], hof.bands(DIRAC, 1, points=5, **SMALL)["energy"], atol=2e-5)
