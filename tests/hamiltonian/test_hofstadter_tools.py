"""Moments of spectra against HofstadterTools; `tests/data/hofstadter_tools.py` made the numbers."""

import json
import pathlib

import numpy as np
import pytest

from hofstadter import models
from tests import systems

DATA = json.loads((pathlib.Path(__file__).parents[1] / "data" / "hofstadter_tools.json").read_text())
# E^8 has harmonics up to 16 of q k1 and q k2.
POINTS = 17


@pytest.mark.parametrize("entry", DATA["spectra"], ids=lambda e: f"{e['lattice']}{len(e['t'])}-{e['flux']}")
def test_moments(entry):
    model = models.PRESETS[entry["lattice"]](*entry["t"])
    energies = systems.energies(model, tuple(entry["flux"]), systems.reduced_mesh(entry["flux"][1], POINTS))
    found = [np.mean(energies**m) for m in range(1, 9)]
    np.testing.assert_allclose(found, entry["moments"], rtol=1e-10, atol=1e-9)
