"""Backend of `sturm_count` for TPUs, single precision. Experimental: lowered and interpreted, never run on a TPU.

Each step of the grid counts below one register of 8 × 128 energies; the matrix lies in scalar memory.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu
from jaxtyping import Array, Float, Int

from hofstadter_kernels import _dispatch
from hofstadter_kernels.sturm_count.reference import smallest_pivot

# Sublanes and lanes of a vector register.
TILE = (8, 128)
# Two arrays, each there twice because the next one is fetched ahead, fill a quarter of 1 MiB of scalar memory.
MOST_ROWS = 16384


def sturm_count(
    diagonal: Float[Array, "matrix row"],
    squared_bonds: Float[Array, "matrix row"],
    energies: Float[Array, "matrix energy"],
    *,
    interpret: bool = False,
) -> Int[Array, "matrix energy"]:
    """See `hofstadter_kernels.sturm_count`; exactly one batch axis.

    Args:
        diagonal: On-site energies.
        squared_bonds: Squares of the bonds of each row to the row before it.
        energies: Energies.
        interpret: Run in Pallas' interpreter, on a CPU; for tests.

    Raises:
        NotImplementedError: In double precision, for more than MOST_ROWS rows and on other devices.
    """
    require_able(diagonal, interpret)
    return _count(diagonal, squared_bonds, energies, interpret)


def require_able(diagonal: Float[Array, "matrix row"], interpret: bool) -> None:
    """Refuse what this backend cannot do."""
    _dispatch.require(diagonal.dtype == jnp.float32, "pallas_tpu", f"does float32, not {diagonal.dtype}")
    rows = diagonal.shape[1]
    _dispatch.require(rows <= MOST_ROWS, "pallas_tpu", f"takes matrices of at most {MOST_ROWS} rows, not {rows}")
    if not interpret:
        _dispatch.require_platform("pallas_tpu", "tpu", diagonal)


@functools.partial(jax.jit, static_argnums=3)
def _count(diagonal, squared_bonds, energies, interpret):
    matrices, rows = diagonal.shape
    wanted = energies.shape[1]
    energies = tiles(energies)
    chain, lanes = block_specs(rows)

    def body(diagonal_ref, squared_bonds_ref, energies_ref, counts_ref):
        counts_ref[0] = count_tile(diagonal_ref, squared_bonds_ref, energies_ref[0])

    launch = pl.pallas_call(
        body,
        out_shape=jax.ShapeDtypeStruct(energies.shape, jnp.int32),
        grid=(matrices, energies.shape[1] // TILE[0]),
        in_specs=[chain, chain, lanes],
        out_specs=lanes,
        interpret=interpret,
    )
    return launch(diagonal[:, None], squared_bonds[:, None], energies).reshape(matrices, -1)[:, :wanted]


def tiles(values: Array) -> Array:
    """Zeros behind the last axis, and this folded into rows of the registers."""
    padded = jnp.pad(values, ((0, 0), (0, -values.shape[1] % (TILE[0] * TILE[1]))))
    return padded.reshape(values.shape[0], -1, TILE[1])


def block_specs(rows: int) -> tuple[pl.BlockSpec, pl.BlockSpec]:
    """Where a step of the grid finds its matrix and its lanes. Indices must be of 32 bits, also in 64-bit mode."""
    zero = np.int32(0)
    chain = pl.BlockSpec((1, 1, rows), lambda matrix, tile: (matrix, zero, zero), memory_space=pltpu.SMEM)
    return chain, pl.BlockSpec((1, *TILE), lambda matrix, tile: (matrix, tile, zero))


def count_tile(diagonal_ref: Any, squared_bonds_ref: Any, energy: Array) -> Array:
    """Inside a kernel: counts below the energies of one register."""
    tiny = np.float32(smallest_pivot(energy.dtype))

    def eliminate(row, state):
        pivot, count = state
        pivot = diagonal_ref[0, 0, row] - energy - squared_bonds_ref[0, 0, row] / pivot
        pivot = jnp.where(jnp.abs(pivot) < tiny, tiny, pivot)
        return pivot, count + (pivot < 0).astype(jnp.int32)

    rows = np.int32(diagonal_ref.shape[2])
    return lax.fori_loop(np.int32(0), rows, eliminate, (jnp.ones_like(energy), jnp.zeros(TILE, jnp.int32)))[1]
