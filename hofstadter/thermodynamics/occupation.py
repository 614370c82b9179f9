"""Fermi occupations of pairs of levels, exact also where levels nearly coincide or the temperature is zero.

Temperatures are energies, k_B T, and may be zero. Levels within rounding errors of the chemical potential are half
full.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def filling_difference(
    lower: Float[Array, "*#pair"],
    upper: Float[Array, "*#pair"],
    closed: Float[Array, ""],
    chemical_potential: Float[Array, ""],
    temperature: Float[Array, ""],
) -> Float[Array, "*#pair"]:
    """f(lower) − f(upper) = f(lower) [1 − f(upper)] [1 − exp(−(upper − lower)/T)], antisymmetric in its levels.

    Written as a product, it keeps its relative accuracy for close levels and for levels that are almost full.
    """
    below, above = jnp.minimum(lower, upper), jnp.maximum(lower, upper)
    sign = jnp.sign(upper - lower)
    cold = _step(chemical_potential - below, closed) * _step(above - chemical_potential, closed)
    t = safe(temperature)
    full, empty = jax.nn.sigmoid((chemical_potential - below) / t), jax.nn.sigmoid((above - chemical_potential) / t)
    warm = -full * empty * jnp.expm1(-(above - below) / t)
    return sign * jnp.where(temperature > 0, warm, cold)


def safe(temperature: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """The temperature, or 1 where it is zero and the result will not be used."""
    return jnp.where(temperature > 0, temperature, 1)


def _step(energy, closed):
    full, empty = jnp.ones((), energy.dtype), jnp.zeros((), energy.dtype)
    return jnp.where(energy > closed, full, jnp.where(energy < -closed, empty, full / 2))
