"""Landau levels ⊗ guiding centers: the irreps of the magnetic translation group for continuum models at flux p/q.

Conventions of `magnetic.translations`: electrons in a field along +z, 2π p/q = area/ℓ². The kinetic momentum lowers
Landau levels, π_x − iπ_y = (√2/ℓ) a; the guiding center R obeys [R_x, R_y] = iℓ² and commutes with it. A Landau level
holds p states per k, |n, k, s⟩ with s = 0 … p − 1, because p flux quanta pierce the magnetic cell a1 × q a2:

    |n, k, s⟩ = exp(iK·r) exp(i(k − K)·R) |n, 0, s⟩

for a component whose momentum is measured from K. At k = 0 the magnetic reciprocal vectors g = n1 b1 + n2 b2/q act as
clock and shift, exp(ig·R)|s⟩ = exp(iπ n1 n2/p) exp(−2πi n1 (s + n2)/p) |s + n2⟩, and in general (Zak, Phys. Rev. 134,
A1602 (1964))

    exp(ig·R) |k⟩ = exp(−iℓ² g×(k − K)/2) |k + g⟩.

This frame is smooth in k, but no smooth frame is periodic, since the states of a Landau level have Chern number 1.
`fold` returns to one magnetic zone and `change_of_frame` gives the matrix between the two frames. Row i of a component
is level n = i div p, state s = i mod p. Momenta are reduced, and ℓ² u×v = 2π (q/p) (u1 v2 − u2 v1).
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Complex, Float, Int

from hofstadter import lattice
from hofstadter.magnetic.form_factors import displacement
from hofstadter.magnetic.translations import turns_to_phase

# The zone is cut along these momenta (k1, and k2 in units of 1/q) where no mesh, path or symmetric point puts a
# momentum, so that rounding cannot throw one state to either side.
CUT = (-0.47816931517958, -0.53183098861838)


class GuidingCenterShift(NamedTuple):
    """A matrix of clock and shift, by its one entry per row: row i holds `phase[i]` in column `column[i]`.

    Attributes:
        column: Column of each row's entry.
        row: Row of each column's entry.
        phase: The entries.
    """

    column: Int[Array, " row"]
    row: Int[Array, " row"]
    phase: Complex[Array, " row"]

    def apply(self, states: Complex[Array, "row band"]) -> Complex[Array, "row band"]:
        """U ψ."""
        return self.phase[:, None] * states[self.column]

    def apply_adjoint(self, states: Complex[Array, "row band"]) -> Complex[Array, "row band"]:
        """U† ψ."""
        return (self.phase.conj()[:, None] * states)[self.row]


def cross(u: Float[Array, "*#batch 2"], v: Float[Array, "*#batch 2"]) -> Float[Array, "*#batch"]:
    """u1 v2 − u2 v1."""
    return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]


def fold(k: Float[Array, " 2"], q: Int[Array, ""]) -> tuple[Float[Array, " 2"], Int[Array, " 2"]]:
    """Momentum in the zone that starts at `CUT`, and the integers (n1, n2) with k = folded + (n1, n2/q)."""
    cells = jnp.stack([jnp.ones((), k.dtype), q.astype(k.dtype)])
    count = jnp.floor(k * cells - jnp.asarray(CUT, k.dtype))
    return k - count / cells, count.astype(int)


def levels_and_states(rows: int, p: Int[Array, ""]) -> tuple[Int[Array, " row"], Int[Array, " row"]]:
    """Landau level n and guiding-center state s of each row."""
    index = jnp.arange(rows)
    return index // p, index % p


def guiding_center(g: Int[Array, " 2"], p: Int[Array, ""], rows: int, real: DTypeLike) -> GuidingCenterShift:
    """exp(ig·R) at k = 0 for g = n1 b1 + n2 b2/q."""
    level, state = levels_and_states(rows, p)
    column, row = level * p + jnp.mod(state - g[1], p), level * p + jnp.mod(state + g[1], p)
    # exp(iπ n1 n2/p − 2πi n1 s/p) in row s, in integers so that many flux quanta cost no accuracy.
    n1, n2 = jnp.mod(g[0], 2 * p), jnp.mod(g[1], 2 * p)
    half_turns = jnp.mod(n1 * n2 - 2 * n1 * state, 2 * p)
    return GuidingCenterShift(column, row, turns_to_phase(half_turns.astype(real) / (2 * p).astype(real)))


def change_of_frame(
    folded: Float[Array, " 2"],
    g: Int[Array, " 2"],
    offset: Float[Array, " 2"],
    p: Int[Array, ""],
    q: Int[Array, ""],
    rows: int,
) -> GuidingCenterShift:
    """U with |κ + g⟩ = |κ⟩ U, the frames of one component at two momenta of the same irrep."""
    real = folded.dtype
    shift = guiding_center(g, p, rows, real)
    moved = jnp.stack([g[0].astype(real), g[1].astype(real) / q.astype(real)])
    turns = -q.astype(real) / p.astype(real) * cross(moved, folded - offset) / 2
    return shift._replace(phase=shift.phase * turns_to_phase(turns))


def carried_back(
    k: Float[Array, " 2"],
    dk: Float[Array, " 2"],
    offset: Float[Array, " 2"],
    p: Int[Array, ""],
    q: Int[Array, ""],
    states: Complex[Array, "rows band"],
) -> Complex[Array, "rows band"]:
    """Components at k of exp(−i dk·R)|ψ⟩, the guiding centers' part of a plane wave, from those at k + dk."""
    here, home = fold(k, q)
    there, away = fold(k + dk, q)
    # |there⟩ = |there + g⟩ U⁻¹ with g = away − home, and there + g is `here` + dk, next to here.
    change = change_of_frame(there, away - home, offset, p, q, states.shape[0])
    turns = q.astype(k.dtype) / p.astype(k.dtype) * cross(dk, here - offset) / 2
    return turns_to_phase(turns) * change.apply_adjoint(states)


def translated(
    k: Float[Array, " 2"],
    steps: Int[Array, ""],
    offset: Float[Array, " 2"],
    p: Int[Array, ""],
    q: Int[Array, ""],
    states: Complex[Array, "rows band"],
) -> Complex[Array, "rows band"]:
    """T(a2)^steps of states at k, for steps p ≡ 1 (mod q): components at (k1 + 1/q, k2)."""
    here, start = fold(k, q)
    step = jnp.where(q > 1, 1 / q.astype(k.dtype), 0)
    target, end = fold(k + jnp.stack([step, jnp.zeros_like(step)]), q)
    # T(a2)^steps moves k by (steps p/q) b1, which is `step` and a whole number of b1.
    whole = (steps * p) // q
    g = end - start + jnp.stack([whole, jnp.zeros_like(whole)]).astype(end.dtype)
    change = change_of_frame(target, g, offset, p, q, states.shape[0])
    return turns_to_phase(-steps.astype(k.dtype) * (here[1] + offset[1]) / 2) * change.apply(states)


def displaced(
    momentum: Float[Array, " 2"],
    states: Complex[Array, "component rows band"],
    vectors: Float[Array, "2 2"],
    p: Int[Array, ""],
    q: Int[Array, ""],
    table: int,
) -> Complex[Array, "component rows band"]:
    """D of a reduced momentum applied to the Landau levels of all components, of which `table` bounds the number."""
    z = displacement_parameter(momentum, vectors, p, q)
    level, state = levels_and_states(states.shape[1], p)
    level = jnp.minimum(level, table - 1)
    same = state[:, None] == state[None, :]
    return jnp.where(same, displacement(z, table)[level[:, None], level[None, :]], 0) @ states


def displacement_parameter(
    momentum: Float[Array, "*batch 2"], vectors: Float[Array, "2 2"], p: Int[Array, ""], q: Int[Array, ""]
) -> Complex[Array, "*batch"]:
    """Argument z = ℓ (Q_x − iQ_y)/√2 of the displacement operator for a reduced momentum Q."""
    length = magnetic_length(vectors, p, q)
    cartesian = momentum @ lattice.reciprocal_vectors(vectors) * (length / math.sqrt(2))
    return jax.lax.complex(cartesian[..., 0], -cartesian[..., 1])


def levels_beyond(levels: int, reach: float, vectors: Float[Array, "2 2"], p: Int[Array, ""], q: Int[Array, ""]) -> int:
    """How many more Landau levels hold exp(iQ·r)|ψ⟩ for |Q| ≤ `reach`: a displacement by z moves n to (√n + |z|)².

    Half a unit of √n more leaves out 1e-11 of states that fill the levels to the last, none left out 1e-9.
    """
    z = reach * float(magnetic_length(vectors, p, q)) / math.sqrt(2)
    return math.ceil((math.sqrt(levels) + z + 0.5) ** 2 - levels)


def magnetic_length(vectors: Float[Array, "2 2"], p: Int[Array, ""], q: Int[Array, ""]) -> Float[Array, ""]:
    """ℓ with 2π p/q = area/ℓ²."""
    real = vectors.dtype
    return jnp.sqrt(lattice.cell_area(vectors) * q.astype(real) / (2 * jnp.pi * p.astype(real)))
