"""Irreducible representations of the magnetic translation group at rational flux. The sign convention of the package.

Electrons have charge −e and the field is +B along z, so with reduced coordinates r = x1 a1 + x2 a2 and flux p/q per
cell the gauge is (e/ħ) A · dl = −2π(p/q) x2 dx1. Magnetic translations by lattice vectors obey

    T(a1) T(a2) = exp(−2πi p/q) T(a2) T(a1),

so T(a1) and T(q a2) commute, the magnetic cell is a1 × q a2, and k = (k1, k2) labels an irrep of dimension q:

    T(a1) |k⟩ = exp(−2πi k1) |k⟩,   T(q a2) |k⟩ = exp(−2πi q k2) |k⟩,   k1 in [0, 1), k2 in [0, 1/q).

`irrep` gives the matrix D_k(R) that takes the place of the Bloch factor exp(2πi k · R) of zero field. The Chern number
C = (1/2π) ∫ (∂1 A2 − ∂2 A1) of a group of bands is then dn/dφ: a Landau level carries +1.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Int, Shaped


def turns_to_phase(turns: Float[Array, "*batch"]) -> Complex[Array, "*batch"]:
    """exp(2πi turns), after removing whole turns so that no accuracy is lost for large arguments."""
    angle = 2 * jnp.pi * (turns - jnp.round(turns))
    return jax.lax.complex(jnp.cos(angle), jnp.sin(angle))


def wrap(m: Int[Array, "*batch"], q: Int[Array, ""]) -> tuple[Int[Array, "*batch"], Int[Array, "*batch"]]:
    """Split the cell index m along a2 into its place in the magnetic cell and the number of whole cells passed."""
    cells = jnp.floor_divide(m, q)
    return m - cells * q, cells


def irrep(
    translation: Int[Array, "hop 2"],
    p: Int[Array, ""],
    q: Int[Array, ""],
    k: Float[Array, " 2"],
    cells: int,
) -> tuple[Int[Array, "hop cells"], Float[Array, "hop cells"]]:
    """The irrep matrix D_k(R) for R = (R1, R2), by its one entry per row.

    Row m (the copy of the primitive cell at m a2) holds exp(2πi turns) in column (m + R2) mod q:

        D_k(R)[m, m'] = exp 2πi [ R1 (k1 − m p/q) + q k2 J ]  with  m + R2 = m' + q J.

    Args:
        translation: R, one row per hop, in units of a1 and a2.
        p: Numerator of the flux.
        q: Denominator of the flux.
        k: Reduced momentum.
        cells: Number of rows; rows m ≥ q, which only pad the matrix, repeat valid ones and must be masked.

    Returns:
        Column index and phase (in turns) of each row's entry.
    """
    m = jnp.arange(cells)[None, :] % q
    r1, r2 = translation[:, :1], translation[:, 1:]
    column, cells_passed = wrap(m + r2, q)
    real = k.dtype
    clock = -jnp.mod(r1 * jnp.mod(m * jnp.mod(p, q), q), q).astype(real) / q.astype(real)
    return column, clock + r1.astype(real) * k[0] + cells_passed.astype(real) * (q.astype(real) * k[1])


def shift_states(
    states: Shaped[Array, "cells orbital band"],
    q: Int[Array, ""],
    k2: Float[Array, ""],
    steps: Int[Array, ""],
) -> Shaped[Array, "cells orbital band"]:
    """Apply T(a2)^steps to magnetic Bloch states: eigenstates at k1 become eigenstates at k1 + steps p/q.

    With steps = p⁻¹ mod q this closes the reduced zone [0, 1/q)²: the spectrum is 1/q-periodic in k1.
    Padding rows m ≥ q are left in place.
    """
    rows = jnp.arange(states.shape[0])
    source, cells_passed = wrap(rows - steps, q)
    inside = rows < q
    source = jnp.where(inside, source, rows)
    phase = turns_to_phase(jnp.where(inside, cells_passed, 0).astype(k2.dtype) * (q.astype(k2.dtype) * k2))
    return states[source] * phase[:, None, None].astype(states.dtype)
