"""The definition of `sturm_bisect`, in plain `jax.numpy`."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from hofstadter_kernels.sturm_count.reference import sturm_count


def halvings(dtype: jnp.dtype) -> int:
    """How often an interval of about |T| is halved: two bits more than the significand has."""
    return int(jnp.finfo(dtype).nmant) + 3


def sturm_bisect(
    diagonal: Float[Array, "matrix row"],
    squared_bonds: Float[Array, "matrix row"],
    indices: Int[Array, "matrix level"],
    lower: Float[Array, " matrix"],
    upper: Float[Array, " matrix"],
) -> Float[Array, "matrix level"]:
    """See `hofstadter_kernels.sturm_bisect`; exactly one batch axis."""

    def halve(_, interval):
        low, high = interval
        middle = (low + high) / 2
        below = sturm_count(diagonal, squared_bonds, middle) <= indices
        return jnp.where(below, middle, low), jnp.where(below, high, middle)

    start = tuple(jnp.broadcast_to(bound[:, None], indices.shape) for bound in (lower, upper))
    low, high = jax.lax.fori_loop(0, halvings(diagonal.dtype), halve, start)
    return (low + high) / 2
