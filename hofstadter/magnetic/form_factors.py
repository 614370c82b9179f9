"""Matrix elements of plane waves between Landau levels: the displacement operator D(z) = exp(z a† − z* a).

A plane wave is a product of a guiding-center translation and a displacement of the cyclotron motion,

    exp(iQ·r) = exp(iQ·R) D(z),   z = ℓ (Q_x − i Q_y)/√2,
    ⟨m|D(z)|n⟩ = √(n!/m!) z^(m−n) exp(−|z|²/2) L_n^(m−n)(|z|²)   for m ≥ n,  and z → −z* with m ↔ n below,

for electrons (charge −e) in a field along +z; L are the associated Laguerre polynomials (Cahill and Glauber, Phys. Rev.
177, 1857 (1969), Appendix B).
"""

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Complex, Float, Int


def displacement(z: Complex[Array, "*batch"], levels: int) -> Complex[Array, "*batch levels levels"]:
    """⟨m|D(z)|n⟩ for m, n < `levels`: the exact matrix elements, not the exponential of truncated matrices.

    The normalized Laguerre functions obey a three-term recurrence in n at fixed m − n that is stable upwards, for
    hundreds of levels. Smooth in z, also at z = 0. Cost: levels² per z.

    Args:
        z: Displacements. |z|² must stay below 1400 in double and 170 in single precision, where exp(−|z|²/2) vanishes.
        levels: Number of Landau levels.
    """
    return jnp.vectorize(lambda one: _displacement(one, levels), signature="()->(m,n)")(jnp.asarray(z))


def _displacement(z: Complex[Array, ""], levels: int) -> Complex[Array, "levels levels"]:
    table = _laguerre_functions(z, levels)
    m, n = jnp.arange(levels)[:, None], jnp.arange(levels)[None, :]
    lower = table[jnp.minimum(m, n), jnp.abs(m - n)]
    sign = 1 - 2 * (jnp.abs(m - n) % 2)
    return jnp.where(m >= n, lower, sign.astype(lower.dtype) * lower.conj())


def _laguerre_functions(z: Complex[Array, ""], levels: int) -> Complex[Array, "n k"]:
    """⟨n + k|D(z)|n⟩ for n, k < `levels`."""
    real = z.real.dtype
    x = z.real**2 + z.imag**2
    k = jnp.arange(levels, dtype=real)
    factors = z / jnp.sqrt(jnp.arange(1, levels, dtype=real)).astype(z.dtype)
    start = jnp.exp(-x / 2).astype(z.dtype) * jnp.cumprod(jnp.concatenate([jnp.ones(1, z.dtype), factors]))

    def step(carry, n):
        previous, current = carry
        following = (2 * n + 1 + k - x).astype(z.dtype) * current - jnp.sqrt(n * (n + k)).astype(z.dtype) * previous
        following = following / jnp.sqrt((n + 1) * (n + 1 + k)).astype(z.dtype)
        return (current, following), current

    _, table = jax.lax.scan(step, (jnp.zeros_like(start), start), jnp.arange(levels, dtype=real))
    return table


def ladder_product(n: Int[Array, "*batch"], raising: int, lowering: int, real: DTypeLike) -> Float[Array, "*batch"]:
    """⟨n + i − j| S(a†^i a^j) |n⟩, where S averages over all orders of the factors (Weyl ordering).

    It takes the place of (ℓ/√2)^(i+j) π₊^i π₋^j, with π± = π_x ± iπ_y, in a kinetic energy.
    """
    orders = _orders(raising, lowering)
    total = jnp.zeros(n.shape, real)
    for order in orders:
        level, value = n, jnp.ones(n.shape, real)
        for up in reversed(order):
            level = level + 1 if up else level
            value = value * jnp.sqrt(jnp.maximum(level, 0).astype(real))
            level = level if up else level - 1
        total = total + value
    return total / len(orders)


def _orders(raising: int, lowering: int) -> list[tuple[bool, ...]]:
    """All distinct orders of so many a† (True) and a (False)."""
    if raising == 0 or lowering == 0:
        return [(True,) * raising + (False,) * lowering]
    first_up = [(True, *rest) for rest in _orders(raising - 1, lowering)]
    return first_up + [(False, *rest) for rest in _orders(raising, lowering - 1)]
