"""Number of states below an energy without diagonalizing: inertia of a block-cyclic matrix.

By Sylvester's law the negative pivots of H − E = L D L† count the eigenvalues below E. In the basis of
`hamiltonian.bloch` cells m and m' are coupled only if they are within `reach` cells of each other around the ring of
q cells. The first `reach` cells are set aside as a border; the others form an open chain and are eliminated one after
the other, keeping a window of the next cells and the border. The work grows with q, not q³, so magnetic cells of
thousands are cheap.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from hofstadter.magnetic import gauge, translations
from hofstadter.models.tight_binding import TightBinding

# Entries that are worked on together: few sizes, so that few programs are compiled.
LANES = (16, 128, 1024)


def count_below(model: TightBinding, p: np.ndarray, q: np.ndarray, k1: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """States of one magnetic Bloch matrix below an energy, for a list of (flux, k, energy).

    Args:
        model: The zero-field model.
        p: Numerators of the fluxes, one per entry.
        q: Denominators, larger than twice `reach(model)`.
        k1: Reduced momenta along b1; k2 is zero.
        energies: Energies, in the model's unit.

    Returns:
        For each entry the number of eigenvalues of H(k1, 0) at p/q below the energy, out of q × orbitals. An energy
        closer to an eigenvalue than about 1e-12 of the largest |energy| may be counted on either side; √eps ~ 1e-8 of
        it where the energy is that of an orbital, because elimination without pivoting starts with tiny pivots there.
    """
    if np.any(np.asarray(q) <= 2 * reach(model)):
        raise ValueError(f"Argument `q` must be above twice the reach {reach(model)} of the model, but is {np.min(q)}.")
    counts = np.empty(len(energies), int)
    order = np.argsort(q, kind="stable")
    for start in range(0, len(order), LANES[-1]):
        rows = order[start : start + LANES[-1]]
        size = next(lanes for lanes in LANES if len(rows) <= lanes)
        padded = np.resize(rows, size)
        counts[rows] = np.asarray(_count(model, p[padded], q[padded], k1[padded], energies[padded]))[: len(rows)]
    return counts


def reach(model: TightBinding) -> int:
    """Largest distance along a2, in cells, that a hop of the model spans (at least 1)."""
    return max([1, *(abs(hop[3]) for hop in model.hops)])


@eqx.filter_jit
def _count(
    model: TightBinding,
    p: Int[Array | np.ndarray, " lane"],
    q: Int[Array | np.ndarray, " lane"],
    k1: Float[Array | np.ndarray, " lane"],
    energies: Float[Array | np.ndarray, " lane"],
) -> Int[Array, " lane"]:
    """Eliminate cell after cell. The lanes are the last axis of every array, so that the CPU vectorizes over them."""
    real = model.positions.dtype
    ring = _Ring(model, jnp.asarray(p), jnp.asarray(q), jnp.asarray(k1, real), jnp.asarray(energies, real))
    span, b, lanes = ring.span, model.orbitals, len(q)
    border = span * b
    floor = jnp.finfo(real).eps ** 0.75 * model.norm_bound()

    # Rows and columns: a window of `span` cells, then the border. At the start the window holds unit rows that stand
    # for the cells of the border; nothing couples to them.
    matrix = jnp.zeros((2 * border, 2 * border, lanes), model.amplitudes.dtype)
    matrix = matrix.at[:border, :border].set(jnp.eye(border, dtype=matrix.dtype)[:, :, None])
    matrix = matrix.at[border:, border:].set(ring.border())

    def eliminate_cell(cell, state):
        matrix, count = state
        matrix = _join(matrix, *ring.rows(cell + span), border)
        real_cell = (cell >= span) & (cell < ring.q)
        for _ in range(b):
            matrix, negative = _eliminate_first(matrix, floor)
            count = count + jnp.where(real_cell, negative, 0)
        return matrix, count

    count = jnp.zeros(lanes, int)
    matrix, count = jax.lax.fori_loop(0, jnp.max(ring.q), eliminate_cell, (matrix, count))
    matrix = matrix[border:, border:]
    for _ in range(border):
        matrix, negative = _eliminate_first(matrix, floor)
        count = count + negative
    return count


class _Ring:
    """Blocks of H − E between cells of the magnetic cell, at k2 = 0, for many lanes at once."""

    def __init__(self, model: TightBinding, p: Array, q: Array, k1: Array, energies: Array):
        self.model, self.p, self.q, self.k1, self.energies = model, p, q, k1, energies
        self.span = reach(model)
        hops = np.array(model.hops, int).reshape(-1, 4)
        self.target, self.source, self.r1, self.r2 = hops.T
        self.area = gauge.peierls_area(
            model.positions[self.target], model.positions[self.source], jnp.asarray(hops[:, 2:])
        )

    def border(self) -> Complex[Array, "n n lane"]:
        """The block of the first `span` cells among themselves."""
        span = self.span
        blocks = [[self.block(i, j - i) for j in range(span)] for i in range(span)]
        return jnp.concatenate([jnp.concatenate(row, axis=1) for row in blocks], axis=0)

    def block(self, cell: int | Array, distance: int) -> Complex[Array, "b b lane"]:
        """Rows of `cell`, columns of the cell `distance` further on, without going around the ring."""
        b = self.model.orbitals
        result = jnp.zeros((b, b, self.q.shape[0]), self.model.amplitudes.dtype)
        along, back = np.flatnonzero(self.r2 == distance), np.flatnonzero(self.r2 == -distance)
        result = result.at[self.target[along], self.source[along]].add(self._hops(along, cell))
        result = result.at[self.source[back], self.target[back]].add(self._hops(back, cell + distance).conj())
        if distance == 0:
            diagonal = self.model.onsite[:, None] - self.energies[None, :]
            result = result.at[np.arange(b), np.arange(b)].add(diagonal.astype(result.dtype))
        return result

    def rows(
        self, cell: Int[Array, ""]
    ) -> tuple[Complex[Array, "b w lane"], Complex[Array, "b b lane"], Complex[Array, "b w lane"]]:
        """Blocks of a cell with the `span` cells before it in the chain, with itself, and with the border.

        Cells from q on do not exist: they are rows of the unit matrix, with positive pivots.
        """
        exists = cell < self.q
        reaches = range(-self.span, self.span + 1)
        blocks = {d: jnp.where(exists, self.block(cell, d), 0) for d in reaches}
        before = [jnp.where(cell + d >= self.span, blocks[d], 0) for d in range(-self.span, 0)]
        unit = jnp.eye(self.model.orbitals, dtype=self.model.amplitudes.dtype)[:, :, None]
        place = {d: jnp.mod(cell + d, self.q) for d in reaches if d != 0}
        edge = [sum(jnp.where(m == j, blocks[d], 0) for d, m in place.items()) for j in range(self.span)]
        itself = blocks[0] + jnp.where(exists, 0, unit)
        return jnp.concatenate(before, axis=1), itself, jnp.concatenate(edge, axis=1)

    def _hops(self, which: np.ndarray, cell: int | Array) -> Complex[Array, "hop lane"]:
        """Matrix elements of some hops in the row of a cell: amplitude, Peierls phase and irrep."""
        real = self.k1.dtype
        r1 = jnp.asarray(self.r1[which])[:, None]
        q = self.q.astype(real)[None, :]
        place = jnp.mod(jnp.mod(cell, self.q) * jnp.mod(self.p, self.q), self.q)[None, :]
        clock = jnp.mod(-r1 * place, self.q[None, :]).astype(real) / q
        turns = self.p.astype(real)[None, :] / q * self.area[which][:, None] + clock + r1 * self.k1[None, :]
        return self.model.amplitudes[which][:, None] * translations.turns_to_phase(turns)


def _adjoint(block: Complex[Array, "m n lane"]) -> Complex[Array, "n m lane"]:
    return jnp.swapaxes(block, 0, 1).conj()


def _join(
    matrix: Complex[Array, "n n lane"],
    left: Complex[Array, "b w lane"],
    corner: Complex[Array, "b b lane"],
    edge: Complex[Array, "b w lane"],
    window: int,
) -> Complex[Array, "m m lane"]:
    """Insert the rows and columns of a new cell between window and border."""
    top = jnp.concatenate([matrix[:window, :window], _adjoint(left), matrix[:window, window:]], axis=1)
    middle = jnp.concatenate([left, corner, edge], axis=1)
    bottom = jnp.concatenate([matrix[window:, :window], _adjoint(edge), matrix[window:, window:]], axis=1)
    return jnp.concatenate([top, middle, bottom], axis=0)


def _eliminate_first(
    matrix: Complex[Array, "n n lane"], floor: Float[Array, ""]
) -> tuple[Complex[Array, "m m lane"], Int[Array, " lane"]]:
    """Schur complement of the first row, and whether its pivot is negative.

    A pivot below `floor` = eps^0.75 |H| is moved there, which shifts the count's energy by no more than that.
    """
    pivot = matrix[0, 0].real
    pivot = jnp.where(jnp.abs(pivot) < floor, -floor, pivot)
    column = matrix[1:, 0]
    return matrix[1:, 1:] - column[:, None] * (column.conj() / pivot)[None, :], (pivot < 0).astype(int)
