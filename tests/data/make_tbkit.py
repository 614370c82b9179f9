"""Makes `tbkit.json`: moments of spectra in a field from tbkit, for lattices that HofstadterTools gets wrong.

Run it where tbkit 0.6.1 is installed: `PYTHONPATH=. python tests/data/make_tbkit.py`. The models are the package's
presets as lists of hoppings; magnetic cells, Peierls phases and matrices are tbkit's.
"""

import importlib.metadata
import json
import pathlib

import jax
import numpy as np
from tbkit import Lattice, kspace

from hofstadter import models

jax.config.update("jax_enable_x64", True)

CASES = [
    ("kagome", {}),
    ("kagome", {"t2": 0.3}),
    ("honeycomb", {"t2": 0.1, "t3": 0.2, "mass": 0.3}),
    ("haldane", {"t2": 0.2, "mass": 0.1}),
    ("triangular", {"t2": 0.2}),
    ("lieb", {"dimerization": 0.2, "mass": 0.4}),
    ("dice", {}),
    ("checkerboard", {}),
]
FLUXES = [(1, 3), (-2, 5), (5, 3)]
ORDERS = range(1, 7)
POINTS = 24


def moments(model, p, q):
    """Mean of E^m over bands and the magnetic zone."""
    vectors, positions = np.asarray(model.vectors), np.asarray(model.positions) @ np.asarray(model.vectors)
    sites = [{"tag": "abc"[i], "r0": tuple(map(float, place))} for i, place in enumerate(positions)]
    lattice = Lattice(unit_cell=sites, prim_vec=[tuple(map(float, v)) for v in vectors])
    hops = [
        {"i": int(i), "j": int(j), "R": (int(r1), int(r2)), "t": complex(t)}
        for t, (i, j, r1, r2) in zip(np.asarray(model.amplitudes), model.hops, strict=True)
    ]
    onsite = {"abc"[i]: float(e) for i, e in enumerate(np.asarray(model.onsite))}
    magnetic = kspace.magnetic_supercell(lattice, hops, p, q, onsite=onsite)
    place = np.stack(np.meshgrid(*2 * [np.arange(POINTS) / POINTS], indexing="ij"), axis=-1).reshape(-1, 2)
    energies = magnetic.get_bands(place @ np.asarray(magnetic.rec_vec))
    return [float(np.mean(energies**m)) for m in ORDERS]


if __name__ == "__main__":
    entries = [
        {"preset": name, "parameters": parameters, "flux": [p, q], "moments": moments(preset, p, q)}
        for name, parameters in CASES
        for preset in [models.PRESETS[name](**parameters)]
        for p, q in FLUXES
    ]
    data = {"tbkit": importlib.metadata.version("tbkit"), "spectra": entries}
    path = pathlib.Path(__file__).with_name("tbkit.json")
    path.write_text(json.dumps(data, indent=1) + "\n")
