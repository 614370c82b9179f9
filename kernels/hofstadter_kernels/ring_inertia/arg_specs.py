"""Named sizes of `ring_inertia`, for tests and benchmarks."""

from typing import NamedTuple

import numpy as np


class ArgSpec(NamedTuple):
    """How many rings, of how many cells and sites per cell, and how many energies of each."""

    matrices: int
    cells: int
    sites: int
    lanes: int


# The last ones are as large as magnetic cells of honeycomb and kagome.
ARG_SPECS = {
    "one cell": ArgSpec(2, 1, 2, 5),
    "two cells": ArgSpec(2, 2, 2, 5),
    "one site": ArgSpec(2, 9, 1, 130),
    "two sites": ArgSpec(3, 7, 2, 130),
    "three sites": ArgSpec(2, 5, 3, 20),
    "honeycomb, q = 97": ArgSpec(16, 97, 2, 256),
    "kagome, q = 97": ArgSpec(16, 97, 3, 256),
    "honeycomb, q = 997": ArgSpec(256, 997, 2, 1024),
}


def draw(spec: ArgSpec, dtype: type[np.complexfloating], seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Disordered rings: blocks and bonds, (matrix, cell, site, site), and energies, (matrix, energy), ascending."""
    rng = np.random.default_rng(seed)
    shape = (2, spec.matrices, spec.cells, spec.sites, spec.sites)
    real, imag = rng.uniform(-0.5, 0.5, (2, *shape))
    blocks, bonds = (real + 1j * imag) / spec.sites
    energies = np.sort(rng.uniform(-1.5, 1.5, (spec.matrices, spec.lanes)), axis=-1)
    blocks = (blocks + blocks.conj().swapaxes(-1, -2)) / 2
    return blocks.astype(dtype), bonds.astype(dtype), energies.astype(np.finfo(dtype).dtype)
