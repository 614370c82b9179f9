"""Named sizes of `sturm_count` and `sturm_bisect`, for tests and benchmarks."""

from typing import NamedTuple

import numpy as np


class ArgSpec(NamedTuple):
    """How many matrices, of how many rows, and how many energies (or eigenvalues) of each."""

    matrices: int
    rows: int
    lanes: int


# The last ones are as large as the parity blocks of the square lattice at one or many fluxes p/q.
ARG_SPECS = {
    "one number": ArgSpec(1, 1, 1),
    "short": ArgSpec(2, 5, 130),
    "odd": ArgSpec(3, 37, 130),
    "two tiles": ArgSpec(2, 20, 1100),
    "parity blocks, q = 97": ArgSpec(16, 49, 256),
    "parity blocks, q = 199": ArgSpec(16, 100, 256),
    "parity blocks, q = 999": ArgSpec(512, 500, 2048),
}


def draw(spec: ArgSpec, dtype: type[np.floating], seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Disordered chains: diagonal and bonds, not squared, (matrix, row), and energies, (matrix, energy), ascending."""
    rng = np.random.default_rng(seed)
    diagonal = rng.uniform(-2, 2, (spec.matrices, spec.rows))
    bonds = rng.uniform(0.5, 1.5, (spec.matrices, spec.rows))
    bonds[:, 0] = 0
    energies = np.sort(rng.uniform(-5, 5, (spec.matrices, spec.lanes)), axis=-1)
    return diagonal.astype(dtype), bonds.astype(dtype), energies.astype(dtype)
