"""One-orbital models that are rings of sites with bonds between neighbors only, and their counts by Sturm sequences.

In the basis of `hamiltonian.bloch` one orbital with hops of at most one cell along a2 is such a ring: square with
diagonal bonds, rectangular, triangular. A gauge makes all bonds real, but for the phase of their product around the
ring. The numbers of `counting.inertia` would be complex, which takes twice as long.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from hofstadter.counting.elements import Elements, Matrices, distances
from hofstadter.counting.sturm import PADDING, Ring, count_ring
from hofstadter.models.tight_binding import TightBinding


def applies_to(model: TightBinding) -> bool:
    """Whether the magnetic cell is a ring of sites at every q > 1."""
    return model.orbitals == 1 and distances(model, 0, 0) <= {-1, 0, 1}


def count_rings(
    model: TightBinding, matrices: Matrices, energies: Float[Array | np.ndarray, "matrix energy"]
) -> tuple[Int[Array, "matrix energy"], Float[Array, "matrix energy"]]:
    """Counts and growth at q > 1 of a model that `applies_to` accepts, as `lanes.Kernel` describes."""
    # Few sizes, so that few programs are compiled; the loop takes only the rows that the largest q needs.
    rows = max(16, 1 << (int(np.max(matrices.q)) - 1).bit_length())
    return _count(model, matrices, energies, rows)


@eqx.filter_jit
def _count(
    model: TightBinding, matrices: Matrices, energies: Float[Array | np.ndarray, "matrix energy"], rows: int
) -> tuple[Int[Array, "matrix energy"], Float[Array, "matrix energy"]]:
    real = model.positions.dtype
    elements = Elements(model, matrices)
    energies, k2, q = jnp.asarray(energies, real), jnp.asarray(matrices.k2, real), elements.q
    ring, turns = ring_of_sites(elements, rows)
    # Far outside the spectrum, at PADDING, padding would be counted.
    inside = jnp.clip(energies / elements.unit, -2, 2)
    return count_ring(ring, turns[:, None] - q[:, None] * k2, inside, (rows - jnp.max(q)) // 2 * 2)


def ring_of_sites(elements: Elements, rows: int) -> tuple[Ring, Float[Array, " matrix"]]:
    """The q sites of the magnetic cell, and the phase of the product of their bonds at k2 = 0, in turns.

    The ring is cut at the last site; the others fill the last of `rows` rows.
    """
    site = jnp.arange(rows + 1)[:, None] - (rows + 1 - elements.q)
    diagonal, bonds = elements.diagonal(0, site), elements.between(0, 0, -1, site)
    length = jnp.abs(bonds)
    directions = jnp.where((site >= 0) & (length > 0), bonds / length, 1)
    ring = Ring(
        diagonal=jnp.where(site >= 0, diagonal, PADDING)[:-1],
        bonds=jnp.where(site > 0, length, 0)[:-1],
        entry=jnp.where(site == 0, length, 0)[:-1],
        cut=diagonal[-1],
        closing=length[-1],
    )
    return ring, jnp.angle(jnp.prod(directions, axis=0)) / (2 * jnp.pi)
