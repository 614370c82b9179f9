"""Named sizes of `det_small`, for tests and benchmarks."""

from typing import NamedTuple

import numpy as np


class ArgSpec(NamedTuple):
    """How many matrices, of how many rows."""

    matrices: int
    rows: int


# The last ones are as many as the links of a mesh of 100 × 100 momenta.
ARG_SPECS = {
    "one number": ArgSpec(1, 1),
    "two rows": ArgSpec(130, 2),
    "odd": ArgSpec(130, 5),
    "largest": ArgSpec(20, 8),
    "links of two bands": ArgSpec(20000, 2),
    "links of four bands": ArgSpec(20000, 4),
    "links of eight bands": ArgSpec(20000, 8),
}


def draw(spec: ArgSpec, dtype: type[np.complexfloating], seed: int = 0) -> np.ndarray:
    """Random matrices, (matrix, row, row)."""
    rng = np.random.default_rng(seed)
    real, imag = rng.standard_normal((2, spec.matrices, spec.rows, spec.rows))
    return (real + 1j * imag).astype(dtype)
