"""The definition of `det_small`, in plain `jax.numpy`."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from hofstadter_kernels._complex import Parts


def det_small(
    real: Float[Array, "row column lane"], imag: Float[Array, "row column lane"]
) -> tuple[Float[Array, " lane"], Float[Array, " lane"]]:
    """See `hofstadter_kernels.det_small`; parts apart, and exactly one batch axis, the last one."""
    size = real.shape[0]
    rows = [[Parts(real[row, column], imag[row, column]) for column in range(size)] for row in range(size)]
    return determinant(rows)


def determinant(rows: list[list[Parts]]) -> Parts:
    """Determinant of a matrix whose every element is an array over lanes, by elimination with pivots of each lane."""
    rows = [list(row) for row in rows]
    size = len(rows)
    value = rows[0][0]
    for step in range(size):
        # The largest element of the column comes to the top, by exchanges of two rows, each of which turns the sign.
        for row in range(step + 1, size):
            swap = _length(rows[row][step]) > _length(rows[step][step])
            upper, lower = rows[step][step:], rows[row][step:]
            rows[step][step:] = [_where(swap, b, a) for a, b in zip(upper, lower, strict=True)]
            rows[row][step:] = [_where(swap, _negative(a), b) for a, b in zip(upper, lower, strict=True)]
        pivot = rows[step][step]
        value = pivot if step == 0 else value.times(pivot)
        if step == size - 1:
            break
        inverse = _inverse(pivot)
        for row in range(step + 1, size):
            factor = rows[row][step].times(inverse)
            for column in range(step + 1, size):
                rows[row][column] = rows[row][column].minus(factor.times(rows[step][column]))
    return value


def _length(value: Parts) -> Float[Array, "*#lanes"]:
    """A modulus without a root, between |z| and √2 |z|."""
    return jnp.abs(value.real) + jnp.abs(value.imag)


def _inverse(value: Parts) -> Parts:
    """1/z, or 0 for zero: then the rest of the column is zero too."""
    one = value.real.dtype.type(1)
    length = _length(value)
    scale = one / jnp.where(length > 0, length, one)
    # Near 1, so that its square is neither too large nor too small.
    near = value.scaled(scale)
    square = near.real * near.real + near.imag * near.imag
    return near.conj().scaled(scale / jnp.where(length > 0, square, one))


def _negative(value: Parts) -> Parts:
    return Parts(-value.real, -value.imag)


def _where(condition: Bool[Array, "*#lanes"], yes: Parts, no: Parts) -> Parts:
    return Parts(jnp.where(condition, yes.real, no.real), jnp.where(condition, yes.imag, no.imag))
