"""Makes `hofstadter_tools.json`: moments of spectra from HofstadterTools, where that package is right.

Run it where HofstadterTools 1.0.7 is installed: `python tests/data/make_hofstadter_tools.py`. Moments of all bands over
the magnetic zone do not depend on where each program puts k = 0. Left out is what HofstadterTools gets wrong: kagome
with its default period, second neighbors of triangular and honeycomb lattices at odd p, third neighbors of the
honeycomb lattice, and unequal lattice vectors.
"""

import importlib.metadata
import json
import pathlib

import numpy as np
from HT.models.hofstadter import Hofstadter

CASES = [
    ("square", [1.0]),
    ("square", [1.0, 0.3]),
    ("square", [1.0, -0.2, 0.15]),
    ("triangular", [1.0]),
    ("honeycomb", [1.0]),
]
FLUXES = [(1, 3), (2, 5), (3, 4), (3, 7)]
ORDERS = range(1, 9)
POINTS = 40


def moments(lattice, hoppings, p, q):
    """Mean of E^m over bands and the magnetic zone, m = 1 … 8."""
    model = Hofstadter(p, q, t=hoppings, lat=lattice)
    reciprocal = model.unit_cell()[3]
    totals = np.zeros(len(ORDERS))
    for i in range(POINTS):
        for j in range(POINTS):
            k = (i * reciprocal[0] + j * reciprocal[1]) / POINTS
            energies = np.linalg.eigvalsh(model.hamiltonian(k))
            totals += [np.mean(energies**m) for m in ORDERS]
    return (totals / POINTS**2).tolist()


if __name__ == "__main__":
    entries = [
        {"lattice": lattice, "t": t, "flux": [p, q], "moments": moments(lattice, t, p, q)}
        for lattice, t in CASES
        for p, q in FLUXES
    ]
    data = {"HofstadterTools": importlib.metadata.version("HofstadterTools"), "spectra": entries}
    path = pathlib.Path(__file__).with_name("hofstadter_tools.json")
    path.write_text(json.dumps(data, indent=1) + "\n")
