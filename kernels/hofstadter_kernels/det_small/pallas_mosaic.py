"""Backend of `det_small` for NVIDIA GPUs from Hopper on. Experimental: lowered and interpreted, never run on a GPU.

One warpgroup does 128 matrices, each in the registers of one lane; eight rows in double precision fill them.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import mosaic_gpu as plgpu
from jaxtyping import Array, Float

from hofstadter_kernels import _dispatch
from hofstadter_kernels._complex import Parts
from hofstadter_kernels.det_small.reference import determinant
from hofstadter_kernels.sturm_count.pallas_mosaic import BLOCK, in_lanes


def det_small(
    real: Float[Array, "row column lane"], imag: Float[Array, "row column lane"], *, interpret: Any = None
) -> tuple[Float[Array, " lane"], Float[Array, " lane"]]:
    """See `reference.det_small`.

    Args:
        real: Real parts.
        imag: Imaginary parts.
        interpret: Parameters of Pallas' interpreter, to run on a CPU; for tests.
    """
    if interpret is None:
        _dispatch.require_platform("pallas_mosaic", "gpu", real)
    return _determinants(real, imag, interpret)


@functools.partial(jax.jit, static_argnums=2)
def _determinants(real, imag, interpret):
    size, wanted = real.shape[1:]
    real, imag = (jnp.pad(part, ((0, 0), (0, 0), (0, -wanted % BLOCK))) for part in (real, imag))
    lanes = real.shape[2]

    def body(real_ref, imag_ref, real_out, imag_out):
        own = pl.ds(lax.axis_index("block") * BLOCK, BLOCK)

        def element(row, column):
            return Parts(*(in_lanes(part[row, column, own], interpret) for part in (real_ref, imag_ref)))

        rows = [[element(row, column) for column in range(size)] for row in range(size)]
        real_out[own], imag_out[own] = determinant(rows)

    launch = plgpu.kernel(
        body,
        out_type=[jax.ShapeDtypeStruct((lanes,), real.dtype)] * 2,
        grid=(lanes // BLOCK,),
        grid_names=("block",),
        interpret=interpret,
    )
    return tuple(part[:wanted] for part in launch(real, imag))
