"""Two-dimensional Bravais lattices without a field: areas, reciprocal vectors, k meshes and k paths.

A lattice is the array of its primitive vectors, one per row, in Cartesian coordinates. Momenta `k = (k1, k2)` are
reduced: k1 b1 + k2 b2 with a_i · b_j = 2π δ_ij, so that one zero-field Brillouin zone is the unit square.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from hofstadter._checks import as_integer, fail


def cell_area(vectors: Float[Array, "2 xy"]) -> Float[Array, ""]:
    """Oriented area a1 × a2 of the primitive cell, positive for a right-handed pair."""
    return vectors[0, 0] * vectors[1, 1] - vectors[0, 1] * vectors[1, 0]


def reciprocal_vectors(vectors: Float[Array, "2 xy"]) -> Float[Array, "2 xy"]:
    """Vectors b1, b2 (rows) with a_i · b_j = 2π δ_ij."""
    return 2 * jnp.pi * jnp.linalg.inv(vectors).T


def mesh(n1: int, n2: int) -> Float[Array, "n1 n2 2"]:
    """Uniform mesh of reduced momenta over the unit square, which holds k = (0, 0) and not the far edges."""
    n1, n2 = as_integer("n1", n1, minimum=1), as_integer("n2", n2, minimum=1)
    k1, k2 = jnp.meshgrid(jnp.arange(n1) / n1, jnp.arange(n2) / n2, indexing="ij")
    return jnp.stack([k1, k2], axis=-1)


def path(corners: Sequence[Sequence[float]], points: int = 100) -> tuple[Float[Array, "point 2"], list[int]]:
    """Straight path through `corners` (reduced momenta).

    Args:
        corners: At least two momenta.
        points: Number of intervals per segment.

    Returns:
        The momenta, and the index of each corner in them.
    """
    ends = np.asarray(corners, dtype=float)
    if ends.ndim != 2 or ends.shape[0] < 2 or ends.shape[1] != 2:
        raise fail("corners", "at least two pairs (k1, k2)", corners)
    points = as_integer("points", points, minimum=1)
    fractions = np.arange(points)[:, None] / points
    segments = [a + (b - a) * fractions for a, b in zip(ends[:-1], ends[1:], strict=True)]
    return jnp.asarray(np.concatenate([*segments, ends[-1:]])), [i * points for i in range(len(ends))]
