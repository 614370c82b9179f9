"""The shortest primitive cell of a lattice, by Lagrange–Gauss reduction in a form that compiles.

Lattice sums and theta series converge fast on a cell whose vectors are short and nearly orthogonal, and slowly or not
at all on an oblique one. Both cells span the same lattice: a'_i = Σ_j M_ij a_j with an integer matrix M of
determinant 1, and the reduced momenta k_i = κ · a_i / 2π become k' = M k.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from hofstadter.lattice import cell_area

# Every step but the first and the last shortens a1 by √3 or more. No cell whose area is known in double precision needs
# 60 of them.
_MAX_STEPS = 60


class ReducedCell(NamedTuple):
    """A primitive cell with |a2| ≥ |a1| and |a1 · a2| ≤ |a1|² / 2, up to rounding.

    Attributes:
        matrix: M of the module docstring: whole numbers, kept as floats, with determinant 1.
        vectors: a'1 and a'2 as rows.
    """

    matrix: Float[Array, "2 2"]
    vectors: Float[Array, "2 xy"]

    @property
    def tau(self) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Real and imaginary part of τ = a'2 / a'1 as complex numbers; NaN if the lattice is not right-handed."""
        a1, a2 = self.vectors[0], self.vectors[1]
        length_squared = jnp.sum(a1 * a1)
        imag = cell_area(self.vectors) / length_squared
        return jnp.sum(a1 * a2) / length_squared, jnp.where(imag > 0, imag, jnp.full_like(imag, jnp.nan))

    def momentum(self, k: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2"]:
        """Momenta k' = M k, by plain sums: accelerators round the entries of matrix products."""
        return _apply(self.matrix, k)

    def gradient(self, gradient: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2"]:
        """∂/∂k = Mᵀ ∂/∂k'."""
        return _apply(self.matrix.T, gradient)


def reduced_cell(vectors: Float[Array, "2 xy"]) -> ReducedCell:
    """The shortest cell of the lattice spanned by `vectors`.

    M is a constant for differentiation, so the reduced vectors are differentiable functions of `vectors` wherever M
    does not jump; what depends on the lattice only, and not on the choice of its cell, is so everywhere.
    """
    fixed = jax.lax.stop_gradient(vectors)

    def one_step(state):
        matrix, step, _ = state
        cell = _combine(matrix, fixed)
        length_squared = jnp.sum(cell[0] * cell[0])
        steps_back = jnp.round(jnp.sum(cell[0] * cell[1]) / length_squared)
        matrix = jnp.stack([matrix[0], matrix[1] - steps_back * matrix[0]])
        second = cell[1] - steps_back * cell[0]
        swap = jnp.sum(second * second) < length_squared
        return jnp.where(swap, jnp.stack([matrix[1], -matrix[0]]), matrix), step + 1, swap

    def unfinished(state):
        return state[2] & (state[1] < _MAX_STEPS)

    start = (jnp.eye(2, dtype=vectors.dtype), jnp.zeros((), jnp.int32), jnp.ones((), bool))
    matrix = jax.lax.while_loop(unfinished, one_step, start)[0]
    return ReducedCell(matrix, _combine(matrix, vectors))


def _apply(matrix: Float[Array, "2 2"], k: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2"]:
    first = matrix[0, 0] * k[..., 0] + matrix[0, 1] * k[..., 1]
    second = matrix[1, 0] * k[..., 0] + matrix[1, 1] * k[..., 1]
    return jnp.stack([first, second], axis=-1)


def _combine(matrix: Float[Array, "2 2"], vectors: Float[Array, "2 xy"]) -> Float[Array, "2 xy"]:
    """The cell with vectors Σ_j M_ij a_j."""
    return jnp.stack([matrix[i, 0] * vectors[0] + matrix[i, 1] * vectors[1] for i in (0, 1)])
