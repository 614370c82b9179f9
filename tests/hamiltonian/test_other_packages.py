"""Moments of spectra against other packages; `tests/data/make_*.py` made the numbers."""

import json
import pathlib

import numpy as np
import pytest

from hofstadter import models
from tests import systems

DATA = pathlib.Path(__file__).parents[1] / "data"
HOFSTADTER_TOOLS = json.loads((DATA / "hofstadter_tools.json").read_text())["spectra"]
TBKIT = json.loads((DATA / "tbkit.json").read_text())["spectra"]
# E^8 has harmonics up to 16 of q k1 and q k2.
POINTS = 17


def assert_moments(model, flux, expected):
    energies = systems.energies(model, flux, systems.reduced_mesh(flux[1], POINTS))
    found = [np.mean(energies**m) for m in range(1, len(expected) + 1)]
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("entry", HOFSTADTER_TOOLS, ids=lambda e: f"{e['lattice']}{len(e['t'])}-{e['flux']}")
def test_hofstadter_tools(entry):
    assert_moments(models.PRESETS[entry["lattice"]](*entry["t"]), tuple(entry["flux"]), entry["moments"])


@pytest.mark.parametrize("entry", TBKIT, ids=lambda e: f"{e['preset']}{len(e['parameters'])}-{e['flux']}")
def test_tbkit(entry):
    assert_moments(models.PRESETS[entry["preset"]](**entry["parameters"]), tuple(entry["flux"]), entry["moments"])
