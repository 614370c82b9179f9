"""Backend of `sturm_bisect` for TPUs, single precision. Experimental: lowered and interpreted, never run on a TPU.

Each step of the grid bisects for one register of 8 × 128 eigenvalues; see `sturm_count/pallas_tpu.py`.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu
from jaxtyping import Array, Float, Int

from hofstadter_kernels.sturm_bisect.reference import halvings
from hofstadter_kernels.sturm_count.pallas_tpu import TILE, block_specs, count_tile, require_able, tiles


def sturm_bisect(
    diagonal: Float[Array, "matrix row"],
    squared_bonds: Float[Array, "matrix row"],
    indices: Int[Array, "matrix level"],
    lower: Float[Array, " matrix"],
    upper: Float[Array, " matrix"],
    *,
    interpret: bool = False,
) -> Float[Array, "matrix level"]:
    """See `hofstadter_kernels.sturm_bisect`; exactly one batch axis.

    Args:
        diagonal: On-site energies.
        squared_bonds: Squares of the bonds of each row to the row before it.
        indices: Which eigenvalues.
        lower: Start of the interval.
        upper: End of the interval.
        interpret: Run in Pallas' interpreter, on a CPU; for tests.

    Raises:
        NotImplementedError: In double precision, for too many rows and on other devices.
    """
    require_able(diagonal, interpret)
    return _bisect(diagonal, squared_bonds, indices, lower, upper, interpret)


@functools.partial(jax.jit, static_argnums=5)
def _bisect(diagonal, squared_bonds, indices, lower, upper, interpret):
    matrices, rows = diagonal.shape
    wanted = indices.shape[1]
    indices = tiles(indices)
    chain, lanes = block_specs(rows)
    zero = np.int32(0)
    ends = pl.BlockSpec((1, 1, 2), lambda matrix, tile: (matrix, zero, zero), memory_space=pltpu.SMEM)

    def body(diagonal_ref, squared_bonds_ref, ends_ref, indices_ref, levels_ref):
        index = indices_ref[0]

        def halve(_, interval):
            low, high = interval
            middle = (low + high) * np.float32(0.5)
            below = count_tile(diagonal_ref, squared_bonds_ref, middle) <= index
            return jnp.where(below, middle, low), jnp.where(below, high, middle)

        start = jnp.full(TILE, ends_ref[0, 0, 0]), jnp.full(TILE, ends_ref[0, 0, 1])
        low, high = lax.fori_loop(np.int32(0), np.int32(halvings(jnp.dtype(jnp.float32))), halve, start)
        levels_ref[0] = (low + high) * np.float32(0.5)

    launch = pl.pallas_call(
        body,
        out_shape=jax.ShapeDtypeStruct(indices.shape, jnp.float32),
        grid=(matrices, indices.shape[1] // TILE[0]),
        in_specs=[chain, chain, ends, lanes],
        out_specs=lanes,
        interpret=interpret,
    )
    interval = jnp.stack([lower, upper], axis=-1)[:, None]
    return launch(diagonal[:, None], squared_bonds[:, None], interval, indices).reshape(matrices, -1)[:, :wanted]
