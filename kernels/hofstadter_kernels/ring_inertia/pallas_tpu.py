"""Backend of `ring_inertia` for TPUs, single precision. Experimental: lowered and interpreted, never run on a TPU.

Each step of the grid counts below one register of 8 × 128 energies; see `sturm_count/pallas_tpu.py`.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu
from jaxtyping import Array, Float, Int

from hofstadter_kernels import _dispatch
from hofstadter_kernels.ring_inertia import reference
from hofstadter_kernels.sturm_count.pallas_tpu import TILE, block_specs, tiles

# The table of one matrix, there twice because the next one is fetched ahead, fills a quarter of 1 MiB of scalar memory.
MOST_NUMBERS = 32768


def ring_inertia(
    cells: Float[Array, "matrix cell number"],
    border: Float[Array, "matrix number2"],
    energies: Float[Array, "matrix energy"],
    *,
    interpret: bool = False,
) -> tuple[Int[Array, "matrix energy"], Float[Array, "matrix energy"]]:
    """See `reference.ring_inertia`.

    Args:
        cells: Numbers of the cells of the chain.
        border: Numbers of the border cell.
        energies: Energies.
        interpret: Run in Pallas' interpreter, on a CPU; for tests.

    Raises:
        NotImplementedError: In double precision, for tables of more than MOST_NUMBERS numbers and on other devices.
    """
    _dispatch.require(energies.dtype == jnp.float32, "pallas_tpu", f"does float32, not {energies.dtype}")
    numbers = cells.shape[1] * cells.shape[2]
    reason = f"takes rings of at most {MOST_NUMBERS} numbers, not {numbers}"
    _dispatch.require(numbers <= MOST_NUMBERS, "pallas_tpu", reason)
    if not interpret:
        _dispatch.require_platform("pallas_tpu", "tpu", energies)
    return _count(cells, border, energies, interpret)


@functools.partial(jax.jit, static_argnums=3)
def _count(cells, border, energies, interpret):
    matrices, chain, width = cells.shape
    sites, wanted = reference.sites_of(border.shape[1]), energies.shape[1]
    energies = tiles(energies)
    in_border, lanes = block_specs(border.shape[1])
    zero = np.int32(0)
    in_cells = pl.BlockSpec((1, chain, width), lambda matrix, tile: (matrix, zero, zero), memory_space=pltpu.SMEM)

    def body(cells_ref, border_ref, energies_ref, counts_ref, growth_ref):
        energy = energies_ref[0]

        def add(cell, state):
            numbers = reference.read_cell(lambda number: cells_ref[0, cell, number], sites)
            return reference.add_cell(state, numbers, energy)

        start = reference.empty(sites, jnp.zeros_like(energy), jnp.ones_like(energy), jnp.zeros(TILE, jnp.int32))
        state = lax.fori_loop(np.int32(0), np.int32(chain), add, start)
        numbers = reference.read_hermitian(lambda number: border_ref[0, 0, number], sites)
        counts_ref[0], growth_ref[0] = reference.close(state, *numbers, energy)

    launch = pl.pallas_call(
        body,
        out_shape=[jax.ShapeDtypeStruct(energies.shape, dtype) for dtype in (jnp.int32, jnp.float32)],
        grid=(matrices, energies.shape[1] // TILE[0]),
        in_specs=[in_cells, in_border, lanes],
        out_specs=[lanes, lanes],
        interpret=interpret,
    )
    counts, growth = launch(cells, border[:, None], energies)
    return tuple(x.reshape(matrices, -1)[:, :wanted] for x in (counts, growth))
