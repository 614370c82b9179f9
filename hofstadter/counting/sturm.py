"""Sturm counts: levels of real chains and rings of sites below an energy, in plain JAX.

By Sylvester's law the negative pivots of T − E = L D L† count the eigenvalues of T below E (Givens 1954; Barth, Martin
and Wilkinson, Numer. Math. 9, 386 (1967)). One row after the other is eliminated, all lanes (matrix, energy) at once.
Numbers are in units in which |T| is about 1. Rows before `first_row` are skipped by the loop; rows that only pad a
matrix among longer ones have diagonal PADDING and no bonds and add nothing, exactly.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

# Above all energies, and small enough for its square in single precision.
PADDING = 1e6


def count_chain(
    diagonal: Float[Array, "row matrix"],
    squared_bonds: Float[Array, "row matrix"],
    energies: Float[Array, "matrix energy"],
    first_row: int | Int[Array, ""] = 0,
) -> Int[Array, "matrix energy"]:
    """Levels of open chains below energies, wrong only for energies within a few rounding errors of a level.

    Args:
        diagonal: On-site energies.
        squared_bonds: Squares of the bonds of each row to the row before it; zero in the first row.
        energies: Energies, |E| below PADDING.
        first_row: Row to start with.
    """
    tiny = 4 * jnp.finfo(energies.dtype).tiny

    def eliminate(row, state):
        pivot, count = state
        pivot = diagonal[row][:, None] - energies - squared_bonds[row][:, None] / pivot
        pivot = jnp.where(jnp.abs(pivot) < tiny, tiny, pivot)
        return pivot, count + (pivot < 0).astype(jnp.int32)

    start = jnp.ones_like(energies), jnp.zeros(energies.shape, jnp.int32)
    return jax.lax.fori_loop(first_row, diagonal.shape[0], eliminate, start)[1]


class Ring(NamedTuple):
    """Rings of real sites, cut at one of them.

    Attributes:
        diagonal: On-site energies of the other sites, in order; an even number of rows, padded in front.
        bonds: Bond of each row to the row before it; zero in a chain's first row.
        entry: Bond of each row to the site at the cut, on the side of the first row; zero in all other rows.
        cut: On-site energy of the site at the cut.
        closing: Its bond to the last row.
    """

    diagonal: Float[Array, "row matrix"]
    bonds: Float[Array, "row matrix"]
    entry: Float[Array, "row matrix"]
    cut: Float[Array, " matrix"]
    closing: Float[Array, " matrix"]


def count_ring(
    ring: Ring,
    turns: Float[Array, "matrix closing"],
    energies: Float[Array, "matrix energy"],
    first_row: int | Int[Array, ""] = 0,
) -> tuple[Int[Array, "matrix energy"], Float[Array, "matrix energy"]]:
    """Levels of rings below energies, summed over the fluxes through the ring; all of these for the work of one.

    Two rows at a time are eliminated: their 2 × 2 block is singular only where an eigenvalue of the chain up to there
    is met, also where E is close to the on-site energies.

    Args:
        ring: The sites and bonds.
        turns: Phases of the products of all bonds around the ring, in turns.
        energies: Energies, |E| below PADDING.
        first_row: Row to start with, even.

    Returns:
        The counts, and the growth: how many times larger than |T| numbers became. Counts may be wrong for energies
        closer to a level than about growth times the rounding error.
    """
    floor = float(jnp.finfo(energies.dtype).eps) ** 0.75
    pairs = jax.tree.map(lambda rows: rows.reshape(-1, 2, rows.shape[1], 1), ring[:3])
    zero, none = jnp.zeros_like(energies), jnp.zeros(energies.shape, jnp.int32)

    def eliminate(pair, state):
        # `corner` is the last diagonal element of the inverse so far, `across` its last row times `entry`, and `folded`
        # what elimination has taken from the cut.
        corner, across, folded, growth, count = state
        diagonal, bonds, entry = (rows[pair] for rows in pairs)
        first = diagonal[0] - energies - bonds[0] ** 2 * corner
        second = diagonal[1] - energies
        to_first, to_second = entry[0] - bonds[0] * across, entry[1]
        determinant = _pair_determinant(first, second, bonds[1] ** 2, floor)
        count += _negative_in_pair(first, determinant)
        inverse = 1 / determinant
        corner = first * inverse
        across = (first * to_second - bonds[1] * to_first) * inverse
        taken = to_first * (second * to_first - bonds[1] * to_second) * inverse + to_second * across
        return corner, across, folded + taken, jnp.maximum(growth, jnp.abs(taken)), count

    start = (zero, zero, zero, zero, none)
    state = jax.lax.fori_loop(first_row // 2, ring.diagonal.shape[0] // 2, eliminate, start)
    corner, across, folded, growth, count = state
    closing = ring.closing[:, None]
    taken = closing**2 * corner
    pivot = ring.cut[:, None] - energies - folded - taken
    swing = 2 * closing * across

    def close(number, closed):
        return closed + (pivot < swing * jnp.cos(2 * jnp.pi * turns[:, number])[:, None]).astype(jnp.int32)

    closings = turns.shape[1]
    closed = jax.lax.fori_loop(0, closings, close, none)
    return count * closings + closed, jnp.maximum(growth, jnp.abs(taken))


def _pair_determinant(
    first: Float[Array, "*lanes"], second: Float[Array, "*lanes"], squared_bond: Float[Array, "*#lanes"], floor: float
) -> Float[Array, "*lanes"]:
    """Determinant of [[first, bond], [bond, second]], kept from zero as if a diagonal element moved by `floor`."""
    determinant = first * second - squared_bond
    least = floor * (jnp.abs(first) + jnp.abs(second) + floor)
    return jnp.where(jnp.abs(determinant) < least, jnp.where(determinant < 0, -least, least), determinant)


def _negative_in_pair(first: Float[Array, "*lanes"], determinant: Float[Array, "*lanes"]) -> Int[Array, "*lanes"]:
    """Negative eigenvalues of 2 × 2 matrices, from the first diagonal element and the determinant."""
    return jnp.where(determinant < 0, 1, jnp.where(first < 0, 2, 0)).astype(jnp.int32)
