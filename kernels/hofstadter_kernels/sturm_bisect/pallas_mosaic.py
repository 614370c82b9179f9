"""Backend of `sturm_bisect` for NVIDIA GPUs from Hopper on. Experimental: lowered and interpreted, never run on a GPU.

One warpgroup bisects for 128 eigenvalues of one matrix; see `sturm_count/pallas_mosaic.py`.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental.pallas import mosaic_gpu as plgpu
from jaxtyping import Array, Float, Int

from hofstadter_kernels import _dispatch
from hofstadter_kernels.sturm_bisect.reference import halvings
from hofstadter_kernels.sturm_count.pallas_mosaic import BLOCK, count_lanes, in_lanes, pad_lanes, place


def sturm_bisect(
    diagonal: Float[Array, "matrix row"],
    squared_bonds: Float[Array, "matrix row"],
    indices: Int[Array, "matrix level"],
    lower: Float[Array, " matrix"],
    upper: Float[Array, " matrix"],
    *,
    interpret: Any = None,
) -> Float[Array, "matrix level"]:
    """See `hofstadter_kernels.sturm_bisect`; exactly one batch axis.

    Args:
        diagonal: On-site energies.
        squared_bonds: Squares of the bonds of each row to the row before it.
        indices: Which eigenvalues.
        lower: Start of the interval.
        upper: End of the interval.
        interpret: Parameters of Pallas' interpreter, to run on a CPU; for tests.
    """
    if interpret is None:
        _dispatch.require_platform("pallas_mosaic", "gpu", diagonal)
    return _bisect(diagonal, squared_bonds, indices, lower, upper, interpret)


@functools.partial(jax.jit, static_argnums=5)
def _bisect(diagonal, squared_bonds, indices, lower, upper, interpret):
    matrices, rows = diagonal.shape
    wanted, dtype = indices.shape[1], diagonal.dtype
    indices = pad_lanes(indices)
    blocks = indices.shape[1] // BLOCK

    def body(diagonal_ref, squared_bonds_ref, indices_ref, lower_ref, upper_ref, levels_ref):
        matrix, lanes = place(blocks)
        index = in_lanes(indices_ref[matrix, lanes], interpret)

        def halve(_, interval):
            low, high = interval
            middle = (low + high) * 0.5
            below = count_lanes(diagonal_ref, squared_bonds_ref, matrix, rows, middle, interpret) <= index
            return jnp.where(below, middle, low), jnp.where(below, high, middle)

        start = tuple(
            in_lanes(jnp.broadcast_to(bound[matrix], (BLOCK,)), interpret) for bound in (lower_ref, upper_ref)
        )
        low, high = lax.fori_loop(0, halvings(dtype), halve, start)
        levels_ref[matrix, lanes] = (low + high) * 0.5

    launch = plgpu.kernel(
        body,
        out_type=jax.ShapeDtypeStruct(indices.shape, dtype),
        grid=(matrices * blocks,),
        grid_names=("block",),
        interpret=interpret,
    )
    return launch(diagonal, squared_bonds, indices, lower, upper)[:, :wanted]
