"""The blocks of a heavy fermion Hamiltonian, from what stands for k_x ± ik_y and for the hybridization at some field.

Valley by valley the basis is c1, c2, c3, c4 with `rows` rows each and f1, f2 with `cells` rows each. In valley η = −1
the momentum's components are −k_x and k_y, so η k_x ± ik_y exchange roles: −(k_x ∓ ik_y).
"""

from collections.abc import Iterator

import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float

from hofstadter import lattice
from hofstadter.models.heavy_fermions import ORBITALS, HeavyFermions

C_ORBITALS, F_ORBITALS = 4, 2


def valley_slices(model: HeavyFermions, rows: int, cells: int) -> Iterator[tuple[int, slice, slice]]:
    """For each valley η and the rows of its c and of its f orbitals."""
    for number, valley in enumerate(model.valleys):
        start = number * (C_ORBITALS * rows + F_ORBITALS * cells)
        middle = start + C_ORBITALS * rows
        yield valley, slice(start, middle), slice(middle, middle + F_ORBITALS * cells)


def without_hybridization(
    model: HeavyFermions, plus: Complex[Array, "rows rows"], cells: int
) -> Complex[Array, "basis basis"]:
    """Kinetic energy of the c electrons, M and the potential.

    Args:
        model: The model.
        plus: k_x + ik_y.
        cells: Rows of each f orbital.
    """
    rows = plus.shape[0]
    minus = plus.conj().T
    identities = jnp.eye(rows, dtype=plus.dtype), jnp.eye(cells, dtype=plus.dtype)
    parts = list(valley_slices(model, rows, cells))
    size = parts[-1][2].stop
    matrix = jnp.zeros((size, size), plus.dtype)
    potential = model.potential.astype(plus.dtype)
    for i, (valley, c, f) in enumerate(parts):
        for j, (_, other_c, other_f) in enumerate(parts):
            here, there = len(ORBITALS) * i, len(ORBITALS) * j
            middle, end = slice(here, here + C_ORBITALS), slice(here + C_ORBITALS, here + len(ORBITALS))
            other, last = slice(there, there + C_ORBITALS), slice(there + C_ORBITALS, there + len(ORBITALS))
            matrix = matrix.at[c, other_c].add(jnp.kron(potential[middle, other], identities[0]))
            matrix = matrix.at[f, other_f].add(jnp.kron(potential[end, last], identities[1]))
        up, down = (plus, minus) if valley == 1 else (-minus, -plus)
        bare = jnp.kron(_unit(0, 2, plus), _times(model.v_star, up)) + jnp.kron(
            _unit(1, 3, plus), _times(model.v_star, down)
        )
        bare = bare + jnp.kron(_unit(2, 3, plus), _times(model.mass, identities[0]))
        matrix = matrix.at[c, c].add(bare + bare.conj().T)
    return matrix


def hybridized(
    model: HeavyFermions,
    matrix: Complex[Array, "basis basis"],
    same: Complex[Array, "rows cells"],
    minus: Complex[Array, "rows cells"],
    plus: Complex[Array, "rows cells"],
    kept: Bool[Array, " basis"],
) -> Complex[Array, "basis basis"]:
    """A matrix with the hybridization added to its kept rows.

    Args:
        model: The model.
        matrix: From `without_hybridization`.
        same: D between c electrons and f orbitals.
        minus: D (k_x − ik_y).
        plus: D (k_x + ik_y).
        kept: Which rows are states and not padding.
    """
    zero = jnp.zeros_like(same)
    for valley, c, f in valley_slices(model, *same.shape):
        down, up = (minus, plus) if valley == 1 else (-plus, -minus)
        block = jnp.block(
            [
                [_times(model.gamma, same), _times(model.v_prime, down)],
                [_times(model.v_prime, up), _times(model.gamma, same)],
                [zero, _times(model.v_double_prime, up)],
                [_times(model.v_double_prime, down), zero],
            ]
        )
        block = jnp.where(kept[c, None] & kept[None, f], block, 0)
        matrix = matrix.at[c, f].add(block).at[f, c].add(block.conj().T)
    return matrix


def hybridization_bound(model: HeavyFermions) -> Float[Array, ""]:
    """A bound on the hybridization as an operator, for padding: |γ| + (|v⋆'| + |v⋆''|) k, D(k), and its sum over G."""
    velocity = jnp.abs(model.v_prime) + jnp.abs(model.v_double_prime)
    length = jnp.sqrt(lattice.cell_area(model.vectors))
    return (jnp.abs(model.gamma) + velocity / model.damping) * (1 + length / model.damping)


def _unit(row: int, column: int, like: Complex[Array, "rows rows"]) -> Complex[Array, "c c"]:
    return jnp.zeros((C_ORBITALS, C_ORBITALS), like.dtype).at[row, column].set(1)


def _times(number: Float[Array, ""], matrix: Complex[Array, "rows columns"]) -> Complex[Array, "rows columns"]:
    return number.astype(matrix.dtype) * matrix
