"""Every file in configs/ is valid, follows the schema for editors, and runs."""

import json

import jsonschema
import numpy as np
import pytest
from ruamel.yaml import YAML

from hofstadter.io.config import read_run_file
from hofstadter.io.schema import json_schema
from hofstadter.io.store import open_store
from tests.sweep.command import ROOT, call

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))


def test_there_are_configs():
    assert len(CONFIGS) >= 6


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_config_is_valid(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_file = read_run_file(path)
    assert run_file.output.store == f"results/{path.stem}.zarr"
    jsonschema.validate(YAML(typ="safe").load(path.read_text()), json_schema())


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A folder for compiled programs that the tests share."""
    return tmp_path_factory.mktemp("cache")


def test_from_run_file_to_numbers(tmp_path, cache):
    """The real command line on the smallest real butterfly; flux 1/3 on the square lattice is known exactly."""
    file = tmp_path / "run.yaml"
    file.write_text(
        "model: {name: square}\ntask: {name: butterfly, fluxes: [1/3, 0]}\n"
        "output: {store: third.zarr, plots: [butterfly]}\n"
    )
    code, out, err = call(["run", str(file)], cache, toy=False, cwd=tmp_path)
    assert (code, "2 of 2 points are done" in out) == (0, True), err
    third = open_store(tmp_path / "third.zarr").isel(flux=1)
    # E³ − 6E = 2 cos(3 k1) + 2 cos(3 k2), so the edges of the bands are the roots with ±4 on the right.
    edges = np.sort(np.concatenate([np.roots([1, 0, -6, side]).real for side in (4, -4)]))
    found = np.stack([third["band_lower"], third["band_upper"]], axis=-1).ravel()
    np.testing.assert_allclose(found, edges, atol=1e-10)
    np.testing.assert_array_equal(third["t"].values[:2], [1, -1])
    assert (tmp_path / "third_butterfly.png").stat().st_size > 10_000
    code, out, _ = call(["show", "third.zarr", "--flux", "1/3"], cache, toy=False, cwd=tmp_path)
    assert (code, out.count("ok")) == (0, 2)


@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_config_runs(path, tmp_path, cache):
    code, out, err = call(["run", str(path)], cache, toy=False, cwd=tmp_path)
    assert code == 0, err
    store = tmp_path / "results" / f"{path.stem}.zarr"
    dataset = open_store(store)
    assert (dataset["point_status"] == 1).all()
    plots = YAML(typ="safe").load(path.read_text())["output"].get("plots", [])
    sweep_points = dataset["point_status"].size // dataset["flux"].size
    drawn = [*store.parent.glob("*.png"), *store.parent.glob("*.html")]
    assert len(drawn) == len(plots) * sweep_points == out.count("Drew")
    assert json.loads(dataset.attrs["provenance"])[0]["device"]
    if "charge_gap" in dataset:
        # At filling 0 stable, at ±2 reported as not stable.
        assert np.isfinite(dataset["charge_gap"]).all()
        assert dataset["status"].values.tolist() == [15, 0, 15]
    elif "tesla_per_quantum" in dataset.attrs or "broadening" in dataset.attrs:
        assert all((dataset[name] == 0).all() for name in dataset if name in ("dos_status", "magnetization_status"))
        if "chemical_potential" in dataset.dims or "energy" in dataset.dims:
            assert np.isfinite(dataset.to_array()).all()
        else:
            assert np.isfinite(dataset["chemical_potential"]).mean() > 0.9
            assert (dataset["status"] == 0).sum() > 5 * dataset.sizes["flux"]
    elif "energy" in dataset:
        energy = dataset["energy"].values
        assert np.isfinite(energy).all()
        assert (np.diff(energy, axis=-1) >= -1e-12).all()
    elif "chern" in dataset:
        assert (dataset["chern"].fillna(0) % 1 < 1e-9).all()
        assert np.isfinite(dataset["chern"]).any()
    elif "residual" in dataset:
        assert (dataset["status"] == 0).all()
        assert (np.abs(dataset["residual"]) < 4).all()
    else:
        lowest = dataset["band_lower"].isel(band=0)
        assert np.isfinite(lowest).all()
