"""Energies of bipartite tight-binding models by half-size matrices.

Where all bonds join one sublattice to another and there are no on-site energies, H = [[0, B], [B†, 0]], the energies
are ± the singular values of B, and as many zeros as one sublattice has orbitals more. The singular values are found
without squaring B, so that energies next to zero keep their accuracy.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from hofstadter._checks import is_concrete
from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter.hamiltonian.bloch import TightBindingProblem
from hofstadter.models.tight_binding import TightBinding

Sublattices = tuple[tuple[int, ...], tuple[int, ...]]
"""Rows of either sublattice."""


def sublattices(problem: AbstractMagneticBlochProblem) -> Sublattices | None:
    """Rows of the two sublattices, if the model's numbers are known and show that there are two and no padding."""
    if not isinstance(problem, TightBindingProblem) or not is_concrete(problem):
        return None
    sides = None if int(problem.q) != problem.cells else orbital_sublattices(problem.model)
    return None if sides is None else rows_of(sides, problem.cells)


def orbital_sublattices(model: TightBinding) -> Sublattices | None:
    """Orbitals of the two sublattices of a model whose numbers are known, if there are two.

    Orbitals are told apart, not cells: a square lattice, whose sublattices need an even magnetic cell, has none here.
    """
    if np.any(np.asarray(model.onsite)):
        return None
    side = {}
    for orbital in range(model.orbitals):
        pending = [] if orbital in side else [(orbital, 0)]
        while pending:
            place, own = pending.pop()
            if side.setdefault(place, own) != own:
                return None
            neighbors = [hop[1] for hop in model.hops if hop[0] == place]
            neighbors += [hop[0] for hop in model.hops if hop[1] == place]
            pending += [(other, 1 - own) for other in neighbors if side.get(other) != 1 - own]
    first, second = (tuple(orbital for orbital in side if side[orbital] == own) for own in (0, 1))
    return (tuple(sorted(first)), tuple(sorted(second))) if first and second else None


def rows_of(sides: Sublattices, cells: int) -> Sublattices:
    """Rows of the two sublattices in a magnetic cell, from their orbitals."""
    orbitals = len(sides[0]) + len(sides[1])
    first, second = (tuple(cell * orbitals + orbital for cell in range(cells) for orbital in side) for side in sides)
    return first, second


def chiral_energies(matrix: Complex[Array, "basis basis"], parts: Sublattices) -> Float[Array, " basis"]:
    """Ascending energies, symmetric about zero to the last digit; NaN where the matrix is not finite."""
    values = singular_values(matrix, parts)
    zeros = jnp.zeros(abs(len(parts[0]) - len(parts[1])), values.dtype)
    return jnp.concatenate([-values, zeros, values[::-1]])


def singular_values(matrix: Complex[Array, "basis basis"], parts: Sublattices) -> Float[Array, " half"]:
    """Descending singular values of B, those of padding last; NaN where the matrix is not finite."""
    first, second = (np.array(part) for part in parts)
    block = matrix[first[:, None], second[None, :]]
    values = jnp.linalg.svd(block, compute_uv=False)
    return jnp.where(jnp.all(jnp.isfinite(block)), values, jnp.full_like(values, jnp.nan))
