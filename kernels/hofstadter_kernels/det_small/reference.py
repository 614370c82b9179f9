"""The definition of `det_small`, in plain `jax.numpy`."""

import functools
import itertools

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from hofstadter_kernels._complex import Parts

# Up to this size an expansion takes fewer operations than elimination with its exchanges of rows.
MOST_EXPANDED = 6


def det_small(
    real: Float[Array, "row column lane"], imag: Float[Array, "row column lane"]
) -> tuple[Float[Array, " lane"], Float[Array, " lane"]]:
    """See `hofstadter_kernels.det_small`; parts apart, and exactly one batch axis, the last one."""
    size = real.shape[0]
    rows = [[Parts(real[row, column], imag[row, column]) for column in range(size)] for row in range(size)]
    return determinant(rows)


def determinant(rows: list[list[Parts]]) -> Parts:
    """Determinant of a matrix whose every element is an array over lanes."""
    return _expand(rows) if len(rows) <= MOST_EXPANDED else _eliminate(rows)


def _expand(rows: list[list[Parts]]) -> Parts:
    """Laplace's expansion by minors of the upper and the lower half of the rows: a polynomial, without division."""
    columns = range(len(rows))
    half = len(rows) // 2
    if half == 0:
        return rows[0][0]
    upper, lower = _minors(rows[:half]), _minors(rows[half:])
    terms = []
    for chosen in itertools.combinations(columns, half):
        rest = tuple(column for column in columns if column not in chosen)
        odd = (sum(chosen) - half * (half - 1) // 2) % 2
        terms.append((_negative(upper[chosen]) if odd else upper[chosen]).times(lower[rest]))
    return functools.reduce(Parts.plus, terms)


def _minors(rows: list[list[Parts]]) -> dict[tuple[int, ...], Parts]:
    """Determinants of these rows and any as many columns."""
    minors: dict[tuple[int, ...], Parts] = {(column,): value for column, value in enumerate(rows[0])}
    for size, row in enumerate(rows[1:], start=2):
        smaller, minors = minors, {}
        for columns in itertools.combinations(range(len(row)), size):
            terms = []
            for place, column in enumerate(columns):
                value = row[column] if (size - 1 + place) % 2 == 0 else _negative(row[column])
                terms.append(value.times(smaller[columns[:place] + columns[place + 1 :]]))
            minors[columns] = functools.reduce(Parts.plus, terms)
    return minors


def _eliminate(rows: list[list[Parts]]) -> Parts:
    """By elimination, with pivots of each lane."""
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
