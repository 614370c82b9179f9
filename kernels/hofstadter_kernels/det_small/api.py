"""The public function of this folder."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Complex

from hofstadter_kernels import _dispatch
from hofstadter_kernels.det_small import reference

BACKENDS = {
    "reference": reference.det_small,
    "pallas_mosaic": _dispatch.on_demand("hofstadter_kernels.det_small.pallas_mosaic", "det_small"),
    "pallas_tpu": _dispatch.on_demand("hofstadter_kernels.det_small.pallas_tpu", "det_small"),
}
# As in `sturm_count`: only what has beaten the reference on the hardware it is written for.
DEFAULT = ("reference",)
# Elimination is written out, so that programs grow with the cube of the size.
MOST_ROWS = 8


def det_small(
    matrices: Complex[Array, "*batch row row"], *, implementation: str | None = None
) -> Complex[Array, "*batch"]:
    """Determinants of complex matrices with at most MOST_ROWS rows.

    Up to six rows Laplace's expansion, which has all derivatives everywhere; from seven rows on elimination with the
    largest element of a column as pivot. Both are written out without loops, with the batch in the lanes of registers:
    for thousands of matrices on a CPU the expansion is 6 times as fast as LAPACK, which takes them one by one, and more
    where they are smaller; elimination is no faster at eight rows, and takes seconds to compile. Errors are a
    few rounding errors times the product of the rows' lengths. A matrix of more than six rows whose elimination meets a
    column of zeros has determinant zero, and its derivative is not that of the determinant.

    Args:
        matrices: The matrices.
        implementation: "reference" (any device), or, experimental, "pallas_mosaic" (NVIDIA GPUs from Hopper on) or
            "pallas_tpu" (single precision only), which have been lowered and interpreted but never run on such devices.
            None is the reference.

    Raises:
        ValueError: If the matrices are not square, empty, too large or not complex, or no implementation has that name.
        NotImplementedError: If the named implementation cannot do this dtype or device.

    Examples:
        >>> import jax.numpy as jnp
        >>> complex(det_small(jnp.array([[0, 1j], [2, 0]])))
        -2j
    """
    if matrices.dtype not in (jnp.complex64, jnp.complex128):
        raise ValueError(f"Argument `matrices` must be complex64 or complex128, but is {matrices.dtype}.")
    size = matrices.shape[-1] if matrices.ndim else 0
    if matrices.ndim < 2 or matrices.shape[-2] != size or not 1 <= size <= MOST_ROWS:
        raise ValueError(
            f"Argument `matrices` must end in two equal axes of 1 to {MOST_ROWS}, but has the shape {matrices.shape}."
        )
    batch = matrices.shape[:-2]
    if matrices.size == 0:
        return jnp.zeros(batch, matrices.dtype)
    lanes = jnp.moveaxis(matrices.reshape(-1, size, size), 0, -1)
    real, imag = _dispatch.run(BACKENDS, DEFAULT, implementation, lanes.real, lanes.imag)
    return lax.complex(real, imag).reshape(batch)
