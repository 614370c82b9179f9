"""The definition of `ring_inertia`, in plain `jax.numpy`.

The last cell of the ring is the border: the other cells are a chain, and are eliminated one after the other while their
bonds to the border fill in. The window of sites that change is the newest two cells and the border.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from hofstadter_kernels._complex import Parts


class Lanes(NamedTuple):
    """What is left after the cells so far, every number an array over lanes.

    Attributes:
        diagonal: Of the newest cell's sites, then of the border's.
        lower: Elements (row, column) below the diagonal of the same matrix.
        negative: Negative pivots so far.
        growth: Largest change of a diagonal element so far.
    """

    diagonal: list[Float[Array, "*lanes"]]
    lower: dict[tuple[int, int], Parts]
    negative: Int[Array, "*lanes"]
    growth: Float[Array, "*lanes"]


class Cell(NamedTuple):
    """Elements of one cell, every number an array that broadcasts to the lanes.

    Attributes:
        diagonal: On-site energies.
        lower: Bonds (row, column) within the cell, row > column.
        before: Bonds (row, column) to the sites of the cell before.
        border: Bonds (row, column) to the sites of the border.
    """

    diagonal: list[Float[Array, "*#lanes"]]
    lower: dict[tuple[int, int], Parts]
    before: dict[tuple[int, int], Parts]
    border: dict[tuple[int, int], Parts]


def ring_inertia(
    cells: Float[Array, "matrix cell number"],
    border: Float[Array, "matrix number2"],
    energies: Float[Array, "matrix energy"],
) -> tuple[Int[Array, "matrix energy"], Float[Array, "matrix energy"]]:
    """See `hofstadter_kernels.ring_inertia`; exactly one batch axis, tables as `pack` makes them.

    Args:
        cells: Numbers of the cells of the chain, in the order of `read_cell`.
        border: Numbers of the border cell, in the order of `read_hermitian`.
        energies: Energies.
    """
    sites = sites_of(border.shape[1])

    def add(cell, state):
        row = cells[:, cell, :]
        return add_cell(state, read_cell(lambda number: row[:, number][:, None], sites), energies)

    zero = jnp.zeros_like(energies)
    start = empty(sites, zero, jnp.ones_like(energies), jnp.zeros(energies.shape, jnp.int32))
    state = jax.lax.fori_loop(0, cells.shape[1], add, start)
    return close(state, *read_hermitian(lambda number: border[:, number][:, None], sites), energies)


def sites_of(numbers: int) -> int:
    """Sites per cell, from the length of the table of the border."""
    return next(sites for sites in range(1, numbers + 1) if sites**2 == numbers)


def empty(sites: int, zero: Float[Array, "*lanes"], one: Float[Array, "*lanes"], none: Int[Array, "*lanes"]) -> Lanes:
    """Before the first cell: unit rows, which have positive pivots and no bonds, and an empty border."""
    lower = {(row, column): Parts(zero, zero) for row in range(2 * sites) for column in range(row)}
    return Lanes([one] * sites + [zero] * sites, lower, none, zero)


def read_hermitian(
    number: Callable[[int], Float[Array, "*#lanes"]], sites: int
) -> tuple[list[Float[Array, "*#lanes"]], dict[tuple[int, int], Parts]]:
    """Diagonal and lower elements of a cell: `sites` real numbers, then pairs of parts, row by row."""
    pairs = [(row, column) for row in range(sites) for column in range(row)]
    lower = {pair: Parts(number(sites + 2 * n), number(sites + 2 * n + 1)) for n, pair in enumerate(pairs)}
    return [number(n) for n in range(sites)], lower


def read_cell(number: Callable[[int], Float[Array, "*#lanes"]], sites: int) -> Cell:
    """A cell of the chain from its numbers: itself, bonds to the cell before, bonds to the border."""
    blocks = []
    for block in range(2):
        first = sites**2 * (1 + 2 * block)
        places = [(row, column) for row in range(sites) for column in range(sites)]
        blocks.append({p: Parts(number(first + 2 * n), number(first + 2 * n + 1)) for n, p in enumerate(places)})
    return Cell(*read_hermitian(number, sites), *blocks)


def add_cell(state: Lanes, cell: Cell, energies: Float[Array, "*lanes"]) -> Lanes:
    """Put a cell into the window and eliminate the cell before it."""
    sites = len(cell.diagonal)
    new = range(sites)
    # Rows of the window: the cell before, the new cell, the border.
    diagonal = [*state.diagonal[:sites], *(x - energies for x in cell.diagonal), *state.diagonal[sites:]]
    moved = [*range(sites), *range(2 * sites, 3 * sites)]
    lower = {(moved[row], moved[column]): value for (row, column), value in state.lower.items()}
    lower |= {(sites + row, sites + column): value for (row, column), value in cell.lower.items()}
    lower |= {(sites + row, column): cell.before[row, column] for row in new for column in new}
    lower |= {(2 * sites + row, sites + column): cell.border[column, row].conj() for row in new for column in new}
    return eliminate(Lanes(diagonal, lower, state.negative, state.growth), sites)


def close(
    state: Lanes,
    diagonal: list[Float[Array, "*#lanes"]],
    lower: dict[tuple[int, int], Parts],
    energies: Float[Array, "*lanes"],
) -> tuple[Int[Array, "*lanes"], Float[Array, "*lanes"]]:
    """Counts and growth, after the border's own elements."""
    sites = len(diagonal)
    own = [x + y - energies for x, y in zip(state.diagonal[sites:], diagonal, strict=True)]
    bonds = {(sites + row, sites + column): value for (row, column), value in lower.items()}
    bonds = {pair: value.plus(bonds[pair]) if pair in bonds else value for pair, value in state.lower.items()}
    done = eliminate(Lanes([*state.diagonal[:sites], *own], bonds, state.negative, state.growth), 2 * sites)
    return done.negative, done.growth


def eliminate(window: Lanes, leaving: int) -> Lanes:
    """Schur complement without the first rows. A pivot closer to zero than eps^0.75 is moved there, its sign kept."""
    diagonal, lower, negative, growth = list(window.diagonal), dict(window.lower), window.negative, window.growth
    # Scalars of NumPy: a kernel captures no array, and a number of Python would be double in 64-bit mode.
    floor, one = (growth.dtype.type(x) for x in (float(jnp.finfo(growth.dtype).eps) ** 0.75, 1))
    for gone in range(leaving):
        pivot = diagonal[gone]
        pivot = jnp.where(jnp.abs(pivot) < floor, jnp.where(pivot < 0, -floor, floor), pivot)
        negative = negative + (pivot < 0).astype(jnp.int32)
        inverse = one / pivot
        column = {row: lower.pop((row, gone)) for row in range(gone + 1, len(diagonal))}
        for row, own in column.items():
            scaled = own.scaled(inverse)
            change = scaled.real * own.real + scaled.imag * own.imag
            diagonal[row] = diagonal[row] - change
            growth = jnp.maximum(growth, jnp.abs(change))
            for other in range(gone + 1, row):
                lower[row, other] = lower[row, other].minus(scaled.times(column[other].conj()))
    kept = {(row - leaving, column - leaving): value for (row, column), value in lower.items()}
    return Lanes(diagonal[leaving:], kept, negative, growth)
