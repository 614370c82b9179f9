"""Backend of `det_small` for TPUs, single precision. Experimental: lowered and interpreted, never run on a TPU.

Each step of the grid does one register of 8 × 128 matrices.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import pallas as pl
from jaxtyping import Array, Float

from hofstadter_kernels import _dispatch
from hofstadter_kernels._complex import Parts
from hofstadter_kernels.det_small.reference import determinant
from hofstadter_kernels.sturm_count.pallas_tpu import TILE


def det_small(
    real: Float[Array, "row column lane"], imag: Float[Array, "row column lane"], *, interpret: bool = False
) -> tuple[Float[Array, " lane"], Float[Array, " lane"]]:
    """See `reference.det_small`.

    Args:
        real: Real parts.
        imag: Imaginary parts.
        interpret: Run in Pallas' interpreter, on a CPU; for tests.

    Raises:
        NotImplementedError: In double precision and on other devices.
    """
    _dispatch.require(real.dtype == jnp.float32, "pallas_tpu", f"does float32, not {real.dtype}")
    if not interpret:
        _dispatch.require_platform("pallas_tpu", "tpu", real)
    return _determinants(real, imag, interpret)


@functools.partial(jax.jit, static_argnums=2)
def _determinants(real, imag, interpret):
    size, wanted = real.shape[1:]
    padding = (0, 0), (0, 0), (0, -wanted % (TILE[0] * TILE[1]))
    real, imag = (jnp.pad(part, padding).reshape(size, size, -1, TILE[1]) for part in (real, imag))

    def body(real_ref, imag_ref, real_out, imag_out):
        rows = [[Parts(real_ref[row, column], imag_ref[row, column]) for column in range(size)] for row in range(size)]
        real_out[...], imag_out[...] = determinant(rows)

    zero = np.int32(0)
    lanes = pl.BlockSpec((size, size, *TILE), lambda tile: (zero, zero, tile, zero))
    out = pl.BlockSpec(TILE, lambda tile: (tile, zero))
    launch = pl.pallas_call(
        body,
        out_shape=[jax.ShapeDtypeStruct(real.shape[2:], jnp.float32)] * 2,
        grid=(real.shape[2] // TILE[0],),
        in_specs=[lanes, lanes],
        out_specs=[out, out],
        interpret=interpret,
    )
    return tuple(part.reshape(-1)[:wanted] for part in launch(real, imag))
