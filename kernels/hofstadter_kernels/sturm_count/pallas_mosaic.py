"""Backend of `sturm_count` for NVIDIA GPUs from Hopper on. Experimental: lowered and interpreted, never run on a GPU.

One warpgroup counts below 128 energies of one matrix and keeps pivots and counts in registers through all rows. The
matrix is read row by row as scalars from global memory: bulk copies (TMA), which `pallas_call` would use, know no
float64. Mosaic cannot infer the layout of the loop's state, so that it is named.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import mosaic_gpu as plgpu
from jaxtyping import Array, Float, Int

from hofstadter_kernels import _dispatch
from hofstadter_kernels.sturm_count.reference import smallest_pivot

# Lanes of a warpgroup, one energy each.
BLOCK = 128


def sturm_count(
    diagonal: Float[Array, "matrix row"],
    squared_bonds: Float[Array, "matrix row"],
    energies: Float[Array, "matrix energy"],
    *,
    interpret: Any = None,
) -> Int[Array, "matrix energy"]:
    """See `hofstadter_kernels.sturm_count`; exactly one batch axis.

    Args:
        diagonal: On-site energies.
        squared_bonds: Squares of the bonds of each row to the row before it.
        energies: Energies.
        interpret: Parameters of Pallas' interpreter, to run on a CPU; for tests.
    """
    if interpret is None:
        _dispatch.require_platform("pallas_mosaic", "gpu", diagonal)
    return _count(diagonal, squared_bonds, energies, interpret)


@functools.partial(jax.jit, static_argnums=3)
def _count(diagonal, squared_bonds, energies, interpret):
    matrices, rows = diagonal.shape
    wanted = energies.shape[1]
    energies = pad_lanes(energies)
    blocks = energies.shape[1] // BLOCK

    def body(diagonal_ref, squared_bonds_ref, energies_ref, counts_ref):
        matrix, lanes = place(blocks)
        energy = in_lanes(energies_ref[matrix, lanes], interpret)
        counts_ref[matrix, lanes] = count_lanes(diagonal_ref, squared_bonds_ref, matrix, rows, energy, interpret)

    launch = plgpu.kernel(
        body,
        out_type=jax.ShapeDtypeStruct(energies.shape, jnp.int32),
        grid=(matrices * blocks,),
        grid_names=("block",),
        interpret=interpret,
    )
    return launch(diagonal, squared_bonds, energies)[:, :wanted]


def pad_lanes(values: Array) -> Array:
    """Zeros behind the last axis, up to a multiple of BLOCK."""
    return jnp.pad(values, ((0, 0), (0, -values.shape[1] % BLOCK)))


def place(blocks: int) -> tuple[Array, Any]:
    """Inside a kernel: the matrix of this block, and its slice of the lanes."""
    index = lax.axis_index("block")
    return lax.div(index, jnp.int32(blocks)), pl.ds(lax.rem(index, jnp.int32(blocks)) * BLOCK, BLOCK)


def in_lanes(values: Array, interpret: Any) -> Array:
    """Inside a kernel: one value in each lane. The interpreter knows no layouts."""
    return values if interpret is not None else plgpu.layout_cast(values, plgpu.Layout.WG_STRIDED((BLOCK,), 1))


def count_lanes(diagonal_ref: Any, squared_bonds_ref: Any, matrix: Array, rows: int, energy: Array, interpret: Any):
    """Inside a kernel: counts of one matrix below the energies of the lanes."""
    tiny = smallest_pivot(energy.dtype)

    def eliminate(row, state):
        pivot, count = state
        pivot = diagonal_ref[matrix, row] - energy - squared_bonds_ref[matrix, row] / pivot
        pivot = jnp.where(jnp.abs(pivot) < tiny, jnp.asarray(tiny, energy.dtype), pivot)
        return pivot, count + (pivot < 0).astype(jnp.int32)

    one = in_lanes(jnp.full((BLOCK,), 1, energy.dtype), interpret)
    zero = in_lanes(jnp.full((BLOCK,), 0, jnp.int32), interpret)
    return lax.fori_loop(0, rows, eliminate, (one, zero))[1]
