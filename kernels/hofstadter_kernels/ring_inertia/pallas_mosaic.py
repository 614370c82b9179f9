"""Backend of `ring_inertia` for NVIDIA GPUs from Hopper on. Experimental: lowered and interpreted, never run on a GPU.

One warpgroup counts below 128 energies of one matrix and keeps the window in registers through all cells; see
`sturm_count/pallas_mosaic.py`. With four sites per cell the window is larger than the registers.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental.pallas import mosaic_gpu as plgpu
from jaxtyping import Array, Float, Int

from hofstadter_kernels import _dispatch
from hofstadter_kernels.ring_inertia import reference
from hofstadter_kernels.sturm_count.pallas_mosaic import BLOCK, in_lanes, pad_lanes, place

# More would not fit the registers by far.
MOST_SITES = 4


def ring_inertia(
    cells: Float[Array, "matrix cell number"],
    border: Float[Array, "matrix number2"],
    energies: Float[Array, "matrix energy"],
    *,
    interpret: Any = None,
) -> tuple[Int[Array, "matrix energy"], Float[Array, "matrix energy"]]:
    """See `reference.ring_inertia`.

    Args:
        cells: Numbers of the cells of the chain.
        border: Numbers of the border cell.
        energies: Energies.
        interpret: Parameters of Pallas' interpreter, to run on a CPU; for tests.

    Raises:
        NotImplementedError: For more than MOST_SITES sites per cell and on other devices.
    """
    sites = reference.sites_of(border.shape[1])
    _dispatch.require(sites <= MOST_SITES, "pallas_mosaic", f"takes at most {MOST_SITES} sites per cell, not {sites}")
    if interpret is None:
        _dispatch.require_platform("pallas_mosaic", "gpu", energies)
    return _count(cells, border, energies, interpret)


@functools.partial(jax.jit, static_argnums=3)
def _count(cells, border, energies, interpret):
    matrices, chain = cells.shape[:2]
    sites, wanted, dtype = reference.sites_of(border.shape[1]), energies.shape[1], energies.dtype
    energies = pad_lanes(energies)
    blocks = energies.shape[1] // BLOCK

    def body(cells_ref, border_ref, energies_ref, counts_ref, growth_ref):
        matrix, lanes = place(blocks)
        energy = in_lanes(energies_ref[matrix, lanes], interpret)

        def add(cell, state):
            numbers = reference.read_cell(lambda number: cells_ref[matrix, cell, number], sites)
            return reference.add_cell(state, numbers, energy)

        zero, one = (in_lanes(jnp.full((BLOCK,), value, dtype), interpret) for value in (0, 1))
        none = in_lanes(jnp.full((BLOCK,), 0, jnp.int32), interpret)
        state = lax.fori_loop(0, chain, add, reference.empty(sites, zero, one, none))
        numbers = reference.read_hermitian(lambda number: border_ref[matrix, number], sites)
        counts_ref[matrix, lanes], growth_ref[matrix, lanes] = reference.close(state, *numbers, energy)

    shape = energies.shape
    launch = plgpu.kernel(
        body,
        out_type=[jax.ShapeDtypeStruct(shape, jnp.int32), jax.ShapeDtypeStruct(shape, dtype)],
        grid=(matrices * blocks,),
        grid_names=("block",),
        interpret=interpret,
    )
    counts, growth = launch(cells, border, energies)
    return counts[:, :wanted], growth[:, :wanted]
