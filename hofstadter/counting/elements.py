"""Matrix elements of H between the cells of a magnetic cell, for many (flux, k1) at once, as one array per element.

Counting runs along a2, from cell to cell around the ring of q cells. Row m of D_k(R) in `magnetic.translations` holds
exp 2πi[R1 (k1 − m p/q)], so all elements follow from the cell's number. Phases of k2 belong to the ring as a whole: a
bond from cell 0 to the last one carries exp(−2πi q k2).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from hofstadter.magnetic import gauge, translations
from hofstadter.models.tight_binding import TightBinding

# Square root of the largest 32-bit integer.
LARGEST_CELL = 46_340


class Matrices(NamedTuple):
    """Many Bloch matrices whose levels are counted: H(k1, k2) at p/q, several k2 to each k1.

    H depends on k2 only through the phase with which the ring of cells is closed, so many k2 take hardly longer.

    Attributes:
        p: Numerators of the fluxes.
        q: Denominators.
        k1: Reduced momenta along b1.
        k2: Reduced momenta along b2.
    """

    p: Int[Array | np.ndarray, " matrix"]
    q: Int[Array | np.ndarray, " matrix"]
    k1: Float[Array | np.ndarray, " matrix"]
    k2: Float[Array | np.ndarray, "matrix closing"]

    def rows(self, index: np.ndarray) -> "Matrices":
        """Some of them, in any order."""
        return Matrices(*(values[index] for values in self))


class Elements:
    """Matrix elements ⟨i, cell m|H|j, cell m + distance⟩ in units of `model.norm_bound()`.

    The unit keeps squares and reciprocals of elements far from the ends of the floating-point range.
    """

    def __init__(self, model: TightBinding, matrices: Matrices):
        """Elements of a model at fluxes p/q and momenta k1."""
        real = model.positions.dtype
        self.model = model
        self.p, self.q, self.k1 = jnp.asarray(matrices.p), jnp.asarray(matrices.q), jnp.asarray(matrices.k1, real)
        self.unit = energy_unit(model)
        self.hops = np.array(model.hops, int).reshape(-1, 4)
        area = gauge.peierls_area(
            model.positions[self.hops[:, 0]], model.positions[self.hops[:, 1]], jnp.asarray(self.hops[:, 2:])
        )
        self.steady = area[:, None] * (self.p / self.q).astype(real)

    def between(self, i: int, j: int, distance: int, cell: Int[Array, "#row #matrix"]) -> Complex[Array, "row matrix"]:
        """⟨i, cell|H|j, cell + distance⟩ without on-site energies; cells are counted on past the seam."""
        total = jnp.zeros(jnp.broadcast_shapes(cell.shape, (1, self.q.size)), self.model.amplitudes.dtype)
        for number, hop in enumerate(self.model.hops):
            if hop[:2] == (i, j) and hop[3] == distance:
                total += self._hop(number, cell)
            if hop[:2] == (j, i) and hop[3] == -distance:
                total += self._hop(number, cell + distance).conj()
        # Else XLA computes the phases again for every energy.
        return jax.lax.optimization_barrier(total / self.unit)

    def diagonal(self, i: int, cell: Int[Array, "#row #matrix"]) -> Float[Array, "row matrix"]:
        """⟨i, cell|H|i, cell⟩."""
        return self.model.onsite[i] / self.unit + self.between(i, i, 0, cell).real

    def _clock(self, cell: Int[Array, "#row #matrix"]) -> Float[Array, "row matrix"]:
        """The fraction p cell/q, reduced in whole numbers; 32 bits are faster and hold q² up to `LARGEST_CELL`."""
        q = self.q.astype(jnp.int32)
        step = jnp.mod(self.p, self.q).astype(jnp.int32)
        return jnp.mod(jnp.mod(cell.astype(jnp.int32), q) * step, q).astype(self.k1.dtype) / q.astype(self.k1.dtype)

    def _hop(self, number: int, cell: Int[Array, "#row #matrix"]) -> Complex[Array, "row matrix"]:
        """Amplitude, Peierls phase and irrep of one hop in the row of a cell."""
        r1 = int(self.hops[number, 2])
        turns = self.steady[number] + r1 * (self.k1 - self._clock(cell))
        return self.model.amplitudes[number] * translations.turns_to_phase(turns)


def energy_unit(model: TightBinding) -> Float[Array, ""]:
    """The bound on |E|, or 1 if all energies are zero."""
    bound = model.norm_bound()
    return jnp.where(bound > 0, bound, 1)


def distances(model: TightBinding, i: int, j: int) -> set[int]:
    """All distances along a2 of hops ⟨i, cell 0|H|j, cell R⟩, listed or implied."""
    listed = {hop[3] for hop in model.hops if hop[:2] == (i, j)}
    return listed | {-hop[3] for hop in model.hops if hop[:2] == (j, i)}


def reach(model: TightBinding) -> int:
    """Largest distance along a2, in cells, that a hop of the model spans (at least 1)."""
    return max([1, *(abs(hop[3]) for hop in model.hops)])
