"""Norm, gauge phases and overlaps of the magnetic Bloch basis at one flux quantum per cell.

At flux 2π the magnetic translations of a lattice commute and every Landau level n holds one state |k, n⟩ per momentum,

    |k, n⟩ = N(k)^(−1/2) Σ_R exp(−2πi k·R) T1^R1 T2^R2 |n⟩,   R = R1 a1 + R2 a2,

with |n⟩ centered at the origin (b|n⟩ = 0). The basis is due to Herzog-Arbeitman, Chew and Bernevig, Phys. Rev. B 106,
085140 (2022), arXiv:2206.07717; signs and units below are our own. N is the Siegel (genus 2 Riemann) theta function

    N(k) = Σ_R (−1)^(R1 R2) exp(−π |R|² / 2Ω − 2πi k·R) = Θ(−k | τ_S).

Conventions are those of this package: charge −e and B > 0, that is σ = sgn(qB) = −1 and ℓ² = Ω / 2π; the other sign is
the complex conjugate. `vectors` holds a1 and a2 as rows, right-handed, with area Ω. Momenta are reduced: k = (k1, k2)
stands for κ = k1 b1 + k2 b2, so T_i |k, n⟩ = exp(2πi k_i) |k, n⟩ with T_i f(r) ∝ f(r + a_i), the inverse of the
translation in `translations`. With x = k − (1/2, 1/2), τ = a2/a1 as complex numbers and w = x1 τ − x2,

    N(k) = √(2 Im τ) |ϑ1(w | τ)|² exp(−2π x1² Im τ),

which has one zero, double, at x = 0: the vortex that the Chern number of a Landau level demands.

**Choice of cell.** The series are summed on the shortest cell (`reduced_cell`), M with determinant 1. The cocycle
(−1)^(R1 R2) makes momenta change affinely, k' = M k + (M11 M12, M21 M22)/2, but M11 and M12 are never both even, so up
to whole numbers x' = M x: momenta measured from the zero are vectors.

**Two gauges.** ⟨k,m| exp(−iq·r) |k+q,n⟩ = D_mn(q) g(k, q), where |g| = 1. `gauge_phase` is g of the states above, which
are periodic in k. `smooth_gauge_phase` is that of the states |k⟩~ displaced from the zero: elementary, without vortex,
but periodic only up to `smooth_seam`. Both give the same physics; q is the true vector, never folded into the zone.
The states are related by |k⟩ = exp(−i arg f(k)) |k⟩~, with f the `section`.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Inexact

from hofstadter.magnetic.reduced_cell import ReducedCell, reduced_cell
from hofstadter.magnetic.translations import turns_to_phase

# ϑ1 drops terms n ≥ 4: for |x1| ≤ 1/2 in a reduced cell (Im τ ≥ √3/2) below exp(−16π √3/2) = 1e-19 of the sum.
_THETA_TERMS = 4
# A momentum this many rounding errors from the zero, after folding, is the zero: k + q is rounded by about as much.
_ZERO_ROUNDING = 32


def theta_norm(k: Float[Array, "*batch 2"], vectors: Float[Array, "2 xy"]) -> Float[Array, "*batch"]:
    """N(k), from the factorisation with ϑ1: accurate to rounding *relative* to N, also next to its zero.

    The zero k = (1/2, 1/2) itself, and its copies, give exactly 0. The mean over the zone is 1.
    """
    cell = reduced_cell(vectors)
    value, _, log_scale = _theta_1(_fold(cell.momentum(_fold(k - 0.5)[0]))[0], cell)
    return jnp.sqrt(2 * cell.tau[1]) * _abs_squared(value) * jnp.exp(2 * log_scale)


def theta_norm_gradient(k: Float[Array, "*batch 2"], vectors: Float[Array, "2 xy"]) -> Float[Array, "*batch 2"]:
    """∂N/∂k1 and ∂N/∂k2, exactly 0 at the zero of N."""
    cell = reduced_cell(vectors)
    x = _fold(cell.momentum(_fold(k - 0.5)[0]))[0]
    value, derivative, log_scale = _theta_1(x, cell)
    real, imag = cell.tau
    product = derivative * value.conj()
    first = 2 * (real * product.real - imag * product.imag) - 4 * math.pi * imag * x[..., 0] * _abs_squared(value)
    scale = jnp.sqrt(2 * imag) * jnp.exp(2 * log_scale)
    return cell.gradient(jnp.stack([scale * first, -2 * scale * product.real], axis=-1))


def log_theta_norm_gradient(k: Float[Array, "*batch 2"], vectors: Float[Array, "2 xy"]) -> Float[Array, "*batch 2"]:
    """∂ log N/∂k1 and ∂ log N/∂k2, from ϑ1'/ϑ1.

    Next to the zero of N it grows as 2κ/|κ|² and stays accurate relative to that; at the zero itself it is not finite.
    The Cartesian gradient is Σ_i (a_i / 2π) ∂/∂k_i, and (1/2) of it, turned by −90°, the vortex part of the Berry
    connection.
    """
    cell = reduced_cell(vectors)
    x = _fold(cell.momentum(_fold(k - 0.5)[0]))[0]
    value, derivative, _ = _theta_1(x, cell)
    real, imag = cell.tau
    ratio = derivative / value
    first = 2 * (real * ratio.real - imag * ratio.imag) - 4 * math.pi * imag * x[..., 0]
    return cell.gradient(jnp.stack([first, -2 * ratio.real], axis=-1))


def siegel_sum(
    k: Inexact[Array, "*batch 2"], vectors: Float[Array, "2 xy"], *, max_aspect: float = 8.0
) -> Complex[Array, "*batch"]:
    """N(k) = Θ(−k | τ_S) as the plain double sum, for real or complex k; accurate to rounding *absolutely*.

    Slower than `theta_norm` and useless next to the zero, but independent of it, and analytic in k:
    N(k − τ_S m) = exp(−iπ m·τ_S m + 2πi m·k) N(k) for integer m.

    Args:
        k: Reduced momenta.
        vectors: Lattice vectors.
        max_aspect: Largest Im τ of the reduced cell, about |a2|/|a1|, that the fixed window of terms is made for.
            Longer cells give NaN. The cost grows as its square root.
    """
    cell = reduced_cell(vectors)
    if not jnp.iscomplexobj(k):
        return _window_sum(_affine_momentum(cell, k), jnp.zeros_like(k), cell, max_aspect)
    imag = cell.momentum(k.imag)
    center = _twice_inverse_gram(cell, imag)
    total = _window_sum(_affine_momentum(cell, k.real), -center, cell, max_aspect)
    return total * jnp.exp(math.pi * jnp.sum(center * imag, axis=-1)).astype(total.dtype)


def section(k: Float[Array, "*batch 2"], vectors: Float[Array, "2 xy"]) -> Complex[Array, "*batch"]:
    """The section f(k) with |f|² = N and the phase that leads from the smooth to the periodic gauge.

    For σ = −1 it is the complex conjugate of c ϑ1(w | τ) exp(iπ τ x1² − iπ x1 x2), with c such that f ≈ |c'| (κx − iκy)
    next to the zero. That makes it a property of the lattice, whichever primitive cell describes it: a Gaussian times
    the modified Weierstrass sigma function of Haldane, J. Math. Phys. 59, 071901 (2018). It is not periodic:
    f(k + G) = smooth_seam(k, G) f(k).
    """
    x, whole = _fold(k - 0.5)
    cell = reduced_cell(vectors)
    value, log_scale = _scaled_section(x, cell, whole)
    return value * jnp.exp(log_scale).astype(value.dtype)


def smooth_gauge_phase(k: Float[Array, "*#batch 2"], q: Float[Array, "*#batch 2"]) -> Complex[Array, "*#batch"]:
    """g~(k, q) = exp(−iℓ² (κ − κ0) × q / 2) between the displaced states, κ0 the zero of N; the same for all lattices.

    Here κ0 is the one copy k = (1/2, 1/2) and k is *not* folded: after k has passed a reciprocal vector, use
    `smooth_seam`.
    """
    k, q = jnp.broadcast_arrays(k, q)
    return turns_to_phase(_smooth_turns(k - 0.5, q))


def smooth_seam(k: Float[Array, "*#batch 2"], reciprocal: Float[Array, "*#batch 2"]) -> Complex[Array, "*#batch"]:
    """The factor c in |k+G⟩~ = c |k⟩~, with G in units of b1 and b2: whole numbers, kept as floats.

    c = (−1)^(G1+G2+G1G2) exp(iℓ² (κ − κ0) × G / 2).
    """
    k, reciprocal = jnp.broadcast_arrays(k, reciprocal)
    return _seam(k - 0.5, reciprocal)


def gauge_phase(
    k: Float[Array, "*#batch 2"], q: Float[Array, "*#batch 2"], vectors: Float[Array, "2 xy"]
) -> Complex[Array, "*#batch"]:
    """g(k, q) between the periodic states, g~(k, q) exp(i arg f(k) − i arg f(k+q)), of modulus 1 everywhere.

    It is periodic in k, g(k, G) = (−1)^(G1G2) exp(−2πi (G2 k1 − G1 k2)) for reciprocal vectors G, and

        g(k, q) g(k+q, q') = exp(−iℓ² q × q' / 2) g(k, q + q').

    All momenta are folded before f is evaluated, and the whole numbers put back in closed form. At the zero of N the
    phase of f has a vortex; there arg f = 0, which makes |k⟩ the smooth state. Momenta within 32 rounding errors
    (7e-15 in double, 4e-6 in single precision) of the zero count as the zero, so that k + q may be rounded. The
    derivative is that of the vortex: it diverges as 1/|κ| towards the zero, and at the zero only that of g~ is left.
    """
    k, q = jnp.broadcast_arrays(k, q)
    start, _ = _fold(k - 0.5)
    remainder, whole = _fold(q)
    end, passed = _fold(start + remainder)
    cell = reduced_cell(vectors)
    phase = turns_to_phase(_smooth_turns(start, q)) * _seam(end, whole + passed).conj()
    states = _state_phase(jnp.stack([start, end]), cell)
    return phase * states[0] * states[1].conj()


def overlap_theta(
    k: Float[Array, "*#batch 2"],
    q: Float[Array, "*#batch 2"],
    vectors: Float[Array, "2 xy"],
    *,
    max_aspect: float = 8.0,
) -> Complex[Array, "*#batch"]:
    """g(k, q) as exp(−ℓ²q²/4) N(k̃) / √(N(k) N(k+q)) with complex k̃: slow, and 0/0 at the zeros; an independent check.

    The numerator is summed as Σ_R (−1)^(R1R2) exp(−|R + d|²/4ℓ² − 2πi (k + q/2)·R), d = q1 a2 − q2 a1, in a window
    around −d, where nothing overflows. `max_aspect` is that of `siegel_sum`.
    """
    k, q = jnp.broadcast_arrays(k, q)
    cell = reduced_cell(vectors)
    turned = cell.momentum(q)
    displacement = jnp.stack([-turned[..., 1], turned[..., 0]], axis=-1)
    numerator = _window_sum(_affine_momentum(cell, k + q / 2), displacement, cell, max_aspect)
    roots = jnp.sqrt(theta_norm(jnp.stack([k, k + q]), vectors))
    return numerator / (roots[0] * roots[1]).astype(numerator.dtype)


def _fold(x: Float[Array, "*batch 2"]) -> tuple[Float[Array, "*batch 2"], Float[Array, "*batch 2"]]:
    """Part in [−1/2, 1/2] and the whole numbers taken off, both without rounding."""
    whole = jnp.round(x)
    return x - whole, whole


def _abs_squared(z: Complex[Array, "*batch"]) -> Float[Array, "*batch"]:
    return z.real * z.real + z.imag * z.imag


def _normalized(z: Complex[Array, "*batch"]) -> Complex[Array, "*batch"]:
    return z / jnp.abs(z).astype(z.dtype)


def _phase_of(angle: Float[Array, "*batch"]) -> Complex[Array, "*batch"]:
    return jax.lax.complex(jnp.cos(angle), jnp.sin(angle))


def _theta_1(
    x: Float[Array, "*batch 2"], cell: ReducedCell
) -> tuple[Complex[Array, "*batch"], Complex[Array, "*batch"], Float[Array, "*batch"]]:
    """ϑ1(w | τ) and its derivative by w at w = x1 τ − x2, both times exp(−π x1² Im τ − iπ Re τ / 4 − s), and s.

    The sine series ϑ1 = 2 Σ_n (−1)^n exp(iπτ (n + 1/2)²) sin((2n+1)πw). Its growth with Im w is combined with the
    Gaussian into exp(−π Im τ (n + 1/2 − |x1|)²), of which the first, exp(s), is kept apart: nothing overflows, and
    ratios do not underflow on long cells. The sine of a complex argument is written with `expm1`, so that nothing
    cancels near w = 0. ϑ1 is odd, which allows x1 ≥ 0.
    """
    real, imag = cell.tau
    one = jnp.ones_like(x[..., 0])
    sign = jnp.where(x[..., 0] < 0, -one, one)
    x1, x2 = sign * x[..., 0], sign * x[..., 1]
    real_w = x1 * real - x2
    value = derivative = jnp.zeros_like(jax.lax.complex(x1, x2))
    for n in range(_THETA_TERMS):
        odd = (2 * n + 1) * math.pi
        size = (2 - 4 * (n % 2)) * jnp.exp(-math.pi * n * imag * (n + 1 - 2 * x1))
        decay = -2 * odd * imag * x1
        cosh, sinh = size * (1 + jnp.exp(decay)) / 2, -size * jnp.expm1(decay) / 2
        sin, cos = jnp.sin(odd * real_w), jnp.cos(odd * real_w)
        phase = _phase_of(n * (n + 1) * math.pi * real)
        value += phase * jax.lax.complex(sin * cosh, cos * sinh)
        derivative += odd * phase * jax.lax.complex(cos * cosh, -sin * sinh)
    return sign.astype(value.dtype) * value, derivative, -math.pi * imag * (0.5 - x1) ** 2


def _scaled_section(
    x: Float[Array, "*batch 2"], cell: ReducedCell, whole: Float[Array, "*batch 2"]
) -> tuple[Complex[Array, "*batch"], Float[Array, "*batch"]]:
    """`section` at x + whole, x folded, by ϑ1 of the reduced cell; times exp(−s), and s.

    ϑ1(w)/ϑ1'(0) a1 ≈ x1 a2 − x2 a1 = iℓ² (κx + iκy) is the combination that all cells share, so its phase is used.
    """
    x, more = _fold(cell.momentum(x))
    real, imag = cell.tau
    value, _, log_scale = _theta_1(x, cell)
    slope = _theta_1(jnp.zeros(2, x.dtype), cell)[1]
    unit = _normalized(jax.lax.complex(cell.vectors[0, 1], -cell.vectors[0, 0]) * slope.conj())  # −i a1 / ϑ1'(0)
    turn = _phase_of(math.pi * x[..., 0] * (x[..., 0] * real - x[..., 1]))
    value = (unit * turn * value).conj() * _seam(x, cell.momentum(whole) + more)
    return value, log_scale + jnp.log(2 * imag) / 4


def _state_phase(x: Float[Array, "*batch 2"], cell: ReducedCell) -> Complex[Array, "*batch"]:
    """f/|f| at folded x, and 1 at the zero."""
    at_zero = jnp.max(jnp.abs(x), axis=-1) <= _ZERO_ROUNDING * float(jnp.finfo(x.dtype).eps)
    elsewhere = jnp.where(at_zero[..., None], jnp.full_like(x, 0.25), x)
    phase = _normalized(_scaled_section(elsewhere, cell, jnp.zeros_like(x))[0])
    return jnp.where(at_zero, jnp.ones_like(phase), phase)


def _smooth_turns(x: Float[Array, "*batch 2"], q: Float[Array, "*batch 2"]) -> Float[Array, "*batch"]:
    return (x[..., 1] * q[..., 0] - x[..., 0] * q[..., 1]) / 2


def _seam(x: Float[Array, "*batch 2"], whole: Float[Array, "*batch 2"]) -> Complex[Array, "*batch"]:
    first, second = whole[..., 0], whole[..., 1]
    both_even = (jnp.mod(first, 2) == 0) & (jnp.mod(second, 2) == 0)
    phase = turns_to_phase(-_smooth_turns(x, whole))
    return jnp.where(both_even, phase, -phase)


def _affine_momentum(cell: ReducedCell, k: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2"]:
    """The momentum k' of the module docstring, which stands in the sum over R."""
    half = cell.matrix[:, 0] * cell.matrix[:, 1] / 2
    return cell.momentum(k) + half.reshape((1,) * (k.ndim - 1) + (2,))


def _twice_inverse_gram(cell: ReducedCell, k: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2"]:
    """2Ω (a_i · a_j)⁻¹ k in the reduced cell: the center in R of |exp(−π|R|²/2Ω + 2π k·R)|."""
    real, imag = cell.tau
    first = (real * real + imag * imag) * k[..., 0] - real * k[..., 1]
    second = k[..., 1] - real * k[..., 0]
    return 2 * jnp.stack([first, second], axis=-1) / imag


def _window_sum(
    k: Float[Array, "*batch 2"], displacement: Float[Array, "*batch 2"], cell: ReducedCell, max_aspect: float
) -> Complex[Array, "*batch"]:
    """Σ_R (−1)^(R1R2) exp(−π|R + d|²/2Ω − 2πi k·R) in the reduced cell, over a window around −d.

    Terms below a 16th of the rounding error are left out: |R + d|² > (2Ω/π) log(16/eps).
    """
    real, imag = cell.tau
    reach = 2 / math.pi * math.log(16 / float(jnp.finfo(k.dtype).eps))
    most1 = math.ceil(math.sqrt(reach * (max_aspect + 0.25 / max_aspect)) + 0.5)
    most2 = math.ceil(math.sqrt(reach * 2 / math.sqrt(3)) + 0.5)
    grid = np.mgrid[-most1 : most1 + 1, -most2 : most2 + 1].reshape(2, *(1,) * (k.ndim - 1), -1)
    center = -jax.lax.stop_gradient(jnp.round(displacement))
    r1, r2 = (jnp.asarray(grid[i], k.dtype) + center[..., i, None] for i in (0, 1))
    s1, s2 = r1 + displacement[..., 0, None], r2 + displacement[..., 1, None]
    weight = jnp.exp(-math.pi / 2 * ((s1 + real * s2) ** 2 / imag + imag * s2**2))
    turns = r1 * r2 / 2 - k[..., 0, None] * r1 - k[..., 1, None] * r2
    phase = turns_to_phase(turns)
    total = jnp.sum(weight.astype(phase.dtype) * phase, axis=-1)
    return jnp.where(imag <= max_aspect * (1 + 1e-6), total, jnp.full_like(total, jnp.nan))
