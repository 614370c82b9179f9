"""Tables of form factors: what they hold, their laws, and files that other programs can read."""

import json
import sys

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import hofstadter as hof
from hofstadter.io.form_factors import form_factor_dataset, open_form_factors, save_form_factors

OPTIONS = {"points": (2, 1), "cutoff": 9.0, "offset": (0.05, 0.02)}


@pytest.fixture(scope="module")
def problem():
    return hof.at_flux(hof.models.haldane(t2=0.2, mass=0.1), "1/3")


@pytest.fixture(scope="module")
def table(problem):
    return form_factor_dataset(problem, (0, 2), **OPTIONS)


def test_table_is_labelled_and_obeys_its_laws(problem, table):
    assert table["form_factor"].dims == ("k1", "k2", "p", "m", "n")
    length = np.linalg.norm(table["p_xy"], axis=1)
    assert length[0] == 0
    assert length.max() <= 9.0
    assert (np.diff(length[1::2]) >= -1e-9).all()
    # Their density is the area of the sample over (2π)²: 2 · 3 cells.
    area = 6 * float(hof.lattice.cell_area(problem.vectors))
    assert len(length) == pytest.approx(np.pi * 81 * area / (4 * np.pi**2), rel=0.1)
    assert max(table["norm_error"], table["hermiticity_error"]) < 1e-13
    assert "charge -e" in table.attrs["convention"]
    assert json.loads(table.attrs["provenance"])["hofstadter"] == hof.__version__


def test_entries_are_matrix_elements_of_plane_waves(problem, table):
    states = hof.solve(problem, jnp.asarray(table["k"].values)).states[..., :2]
    for p in (0, 1, 4, 17):
        for k1 in (0, 1):
            end = int(table["end"][k1, 0, p])
            wave = problem.plane_wave(
                *(jnp.asarray(x) for x in (table["k"].values[k1, 0], table["p_reduced"].values[p]))
            )
            expected = np.asarray(states[end, 0]).conj().T @ np.asarray(wave).conj().T @ np.asarray(states[k1, 0])
            np.testing.assert_allclose(table["form_factor"][k1, 0, p], expected, atol=1e-12)


@pytest.mark.parametrize("name", ["table.zarr", "table.h5"])
def test_files_hold_the_same(problem, table, tmp_path, name):
    # So little memory that there are many pieces.
    path = save_form_factors(tmp_path / name, problem, (0, 2), **OPTIONS, memory_gb=4e-5)
    stored = open_form_factors(path)
    # States of every run are the same, so their phases are.
    xr.testing.assert_allclose(stored.drop_attrs(), table.drop_attrs(), atol=1e-12)
    assert stored.attrs["gauge"] == table.attrs["gauge"]
    assert list(stored.attrs["bands"]) == [0, 2]
    with pytest.raises(hof.StoreError, match="exists already"):
        save_form_factors(path, problem, (0, 2), **OPTIONS)


def test_other_programs_find_real_numbers(problem, tmp_path):
    h5py = pytest.importorskip("h5py", reason="reads HDF5 without our code")
    path = save_form_factors(tmp_path / "table.h5", problem, (0, 2), **OPTIONS)
    with h5py.File(path) as file:
        assert file["form_factor_real"].dtype == np.float64
        assert file["form_factor_real"].shape == file["form_factor_imag"].shape == (2, 1, file["p"].shape[0], 2, 2)
        np.testing.assert_allclose(file["form_factor_real"][0, 0, 0], np.eye(2), atol=1e-13)


def test_requests_that_cannot_be_met(problem, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"at least .* but is 1e-08\. `save_form_factors` needs less"):
        form_factor_dataset(problem, (0, 2), **OPTIONS, memory_gb=1e-8)
    with pytest.raises(ValueError, match="ends in"):
        save_form_factors(tmp_path / "table.txt", problem, (0, 2), **OPTIONS)
    with pytest.raises(hof.StoreError, match="nothing at"):
        open_form_factors(tmp_path / "none.zarr")
    monkeypatch.setitem(sys.modules, "h5netcdf", None)
    with pytest.raises(ImportError, match=r"hofstadter\[hdf5\]"):
        save_form_factors(tmp_path / "table.h5", problem, (0, 2), **OPTIONS)
