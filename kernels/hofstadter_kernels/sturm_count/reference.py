"""The definition of `sturm_count`, in plain `jax.numpy`."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def smallest_pivot(dtype: jnp.dtype) -> float:
    """Pivots nearer to zero are replaced by this: a normal number, since some devices flush subnormal ones to zero."""
    return float(4 * jnp.finfo(dtype).tiny)


def sturm_count(
    diagonal: Float[Array, "matrix row"],
    squared_bonds: Float[Array, "matrix row"],
    energies: Float[Array, "matrix energy"],
) -> Int[Array, "matrix energy"]:
    """See `hofstadter_kernels.sturm_count`; exactly one batch axis."""
    tiny = smallest_pivot(energies.dtype)

    def eliminate(row, state):
        pivot, count = state
        pivot = diagonal[:, row][:, None] - energies - squared_bonds[:, row][:, None] / pivot
        pivot = jnp.where(jnp.abs(pivot) < tiny, tiny, pivot)
        return pivot, count + (pivot < 0).astype(jnp.int32)

    start = jnp.ones_like(energies), jnp.zeros(energies.shape, jnp.int32)
    return jax.lax.fori_loop(0, diagonal.shape[1], eliminate, start)[1]
