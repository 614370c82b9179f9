"""Two-dimensional Bravais lattices without a field: areas, reciprocal vectors, k meshes and k paths.

A lattice is the array of its primitive vectors, one per row, in Cartesian coordinates. Momenta `k = (k1, k2)` are
reduced: k1 b1 + k2 b2 with a_i · b_j = 2π δ_ij, so that one zero-field Brillouin zone is the unit square.
"""

from typing import Any

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


def path(
    corners: Any, points: int = 100, reciprocal: np.ndarray | None = None
) -> tuple[Float[Array, "point 2"], list[int], np.ndarray]:
    """Straight lines between momenta.

    Args:
        corners: At least two reduced momenta.
        points: Number of momenta, at least one more than there are corners to have any between them. Corners are
            always among them.
        reciprocal: b1 and b2 as rows, to measure length in; by default the unit square.

    Returns:
        The momenta, the index of each corner in them, and the length of path up to each momentum.
    """
    ends = np.asarray(corners, dtype=float)
    if ends.ndim != 2 or ends.shape[0] < 2 or ends.shape[1] != 2:
        raise fail("corners", "at least two pairs (k1, k2)", corners)
    points = as_integer("points", points, minimum=len(ends))
    lengths = np.linalg.norm(np.diff(ends, axis=0) @ (np.eye(2) if reciprocal is None else reciprocal), axis=1)
    if not np.all(lengths > 0):
        raise fail("corners", "different from one to the next", ends.tolist())
    marks = np.concatenate([[0], np.cumsum(lengths)])
    intervals = np.maximum(1, np.round(lengths / marks[-1] * (points - 1)).astype(int))
    while intervals.sum() != points - 1:  # rounding left a few too many or too few
        intervals[intervals.argmax()] += np.sign(points - 1 - intervals.sum())
    at_corner = np.concatenate([[0], np.cumsum(intervals)])
    place = np.interp(np.arange(points), at_corner, np.arange(len(ends)))
    k = np.stack([np.interp(place, np.arange(len(ends)), ends[:, d]) for d in (0, 1)], axis=1)
    return jnp.asarray(k), at_corner.tolist(), np.interp(place, np.arange(len(ends)), marks)
