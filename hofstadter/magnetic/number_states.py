"""Guiding centers near a point: number states, which localized orbitals are made of in a field, and their overlaps.

In a field, a function of r around the origin is a sum of |n⟩ ⊗ |χ_m⟩, Landau levels times number states of the guiding
center, b |χ_m⟩ = √m |χ_{m−1}⟩ with b = (R_x + iR_y)/√2 ℓ; a function of |r| has m = n. Over the coordinate
ξ = b2·R/2π of the guiding center along a2 they are Hermite functions of a complex width,

    χ_0(ξ) = (φ Im t/π)^¼ exp(iφ t ξ²/2),   t = α2/α1,   α_j = a_jx + i a_jy,   φ = 2π p/q,
    √(m+1) χ_{m+1} = (α1*/α1) √m χ_{m−1} − i√2 (Ω/ℓ α1) ξ χ_m.

Bloch sums of the states around all lattice points, j = 0 … q − 1 being the place of one in the magnetic cell,

    |χ_m; k, j⟩ = Σ_{n1, J} exp 2πi(k1 n1 + k2 q J) T(a1)^n1 T(q a2)^J T(a2)^j |χ_m⟩,

are periodic in k and overlap with the guiding centers of `magnetic.landau_basis` (normalized per magnetic cell) as

    ⟨k, s|χ_m; k, j⟩ = p^−½ exp(iπ k1 k2 q/p) Σ_l exp(−2πi s l/p) exp(−2πi k2 ξ_l) χ_m(ξ_l − j),   ξ_l = (k1 + l) q/p.

For p < q these are fewer guiding centers than lattice points; at fixed m ≪ q/p their Bloch sums span all of them.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Int

from hofstadter import lattice
from hofstadter.magnetic import landau_basis
from hofstadter.magnetic.translations import turns_to_phase

# A Gaussian tail exp(−x²/2) ends here in double precision.
TAIL = 8.6


def window(p: int, q: int, levels: int) -> int:
    """Terms of the sum over l that are needed on either side of each lattice point for so many levels.

    A number state reaches as far as ℓ √(2n + 1) and its tail, and l counts in steps of Ω q/(p |a1|). Good for cells
    with |a1|² up to 4Ω/3.
    """
    reach = math.sqrt(4 / 3 * p / (2 * math.pi * q)) * (math.sqrt(2 * levels + 1) + TAIL)
    return math.ceil(reach) + 1


def number_states(
    xi: Float[Array, "term cells"], vectors: Float[Array, "2 2"], p: Int[Array, ""], q: Int[Array, ""], levels: int
) -> Complex[Array, "level term cells"]:
    """χ_m(ξ) for m < `levels`, by the recurrence upwards, which is stable.

    Its start is kept as a mantissa and an exponent, because χ_0 vanishes in floating-point numbers where χ_m with large
    m does not.
    """
    real = xi.dtype
    alpha = jax.lax.complex(vectors[:, 0], vectors[:, 1])
    ratio = alpha[1] / alpha[0]
    phi = 2 * jnp.pi * p.astype(real) / q.astype(real)
    length = landau_basis.magnetic_length(vectors, p, q)
    slope = -1j * math.sqrt(2) * (lattice.cell_area(vectors) / length) / alpha[0]
    turn = alpha[0].conj() / alpha[0]
    phase = phi * ratio.real * xi**2 / 2
    start = (phi * ratio.imag / jnp.pi) ** 0.25 * jax.lax.complex(jnp.cos(phase), jnp.sin(phase))

    def step(carry, m):
        previous, current, exponent = carry
        following = turn * jnp.sqrt(m).astype(start.dtype) * previous + slope * xi.astype(start.dtype) * current
        following = following / jnp.sqrt(m + 1).astype(start.dtype)
        # Any scale will do, so none is differentiated.
        size = jax.lax.stop_gradient(jnp.maximum(jnp.abs(current), jnp.abs(following)))
        scale = jnp.where(size > 0, size, 1)
        rescaled = (current / scale.astype(start.dtype), following / scale.astype(start.dtype))
        return (*rescaled, exponent + jnp.log(scale)), current * jnp.exp(exponent).astype(start.dtype)

    first = (jnp.zeros_like(start), start, -phi * ratio.imag * xi**2 / 2)
    return jax.lax.scan(step, first, jnp.arange(levels, dtype=real))[1]


def overlaps(
    k: Float[Array, " 2"],
    vectors: Float[Array, "2 2"],
    p: Int[Array, ""],
    q: Int[Array, ""],
    *,
    levels: int,
    rows: int,
    cells: int,
    terms: int,
) -> Complex[Array, "rows cells"]:
    """⟨k, s|χ_n; k, j⟩ for the level n and the state s of each row and the lattice points j.

    Rows of levels ≥ `levels` and cells j ≥ q only pad the matrix and hold no meaningful numbers.

    Args:
        k: Reduced momentum in the frame of `landau_basis`, not folded.
        vectors: Primitive vectors.
        p: Numerator of the flux.
        q: Denominator of the flux.
        levels: Bound on the number of levels.
        rows: Number of rows (level, state).
        cells: Number of lattice points.
        terms: From `window`.
    """
    real = k.dtype
    level, state = landau_basis.levels_and_states(rows, p)
    j = jnp.arange(cells)
    place = jnp.floor_divide(j * p, q)[None, :] + jnp.arange(-terms, terms + 1)[:, None]
    # ξ_l − j, its integer part without rounding.
    xi = (k[0] * q.astype(real) + (place * q - j[None, :] * p).astype(real)) / p.astype(real)
    table = number_states(xi, vectors, p, q, levels) * turns_to_phase(-k[1] * xi)[None]
    clock = jnp.mod(-state[:, None, None] * jnp.mod(place, p)[None], p).astype(real) / p.astype(real)
    summed = jnp.sum(table[jnp.minimum(level, levels - 1)] * turns_to_phase(clock), axis=1)
    common = k[0] * k[1] * q.astype(real) / (2 * p.astype(real)) - k[1] * j.astype(real)
    return summed * turns_to_phase(common)[None, :] / jnp.sqrt(p.astype(real)).astype(summed.dtype)
