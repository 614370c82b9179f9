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


@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_config_runs(path, tmp_path):
    code, out, err = call(["run", str(path)], tmp_path, toy=False, cwd=tmp_path)
    assert code == 0, err
    store = tmp_path / "results" / f"{path.stem}.zarr"
    dataset = open_store(store)
    assert (dataset["point_status"] == 1).all()
    plots = YAML(typ="safe").load(path.read_text())["output"]["plots"]
    sweep_points = dataset["point_status"].size // dataset["flux"].size
    assert len(list(store.parent.glob("*.png"))) == len(plots) * sweep_points == out.count("Drew")
    assert json.loads(dataset.attrs["provenance"])[0]["device"]
    if "energy" in dataset:
        energy = dataset["energy"].values
        assert np.isfinite(energy).all()
        assert (np.diff(energy, axis=-1) >= -1e-12).all()
    else:
        lowest = dataset["band_lower"].isel(band=0)
        assert np.isfinite(lowest).all()
