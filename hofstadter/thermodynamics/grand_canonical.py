"""Thermodynamics of non-interacting electrons from a staircase: the states below each energy of an even grid.

The states between two grid points are taken to be spread evenly, so the staircase is a chain of straight pieces. Level
broadening and temperature fold it with line shapes,

    n(μ) = ∫ N(E) L(μ − E) dE,  L = −∂f/∂E  or a Lorentzian or Gaussian,

for which the pieces are integrated in closed form: weights are positive and add up to one however narrow the line is,
and narrow lines give back the staircase. Broadening comes first, temperature second. Beyond the grid there are no
states.

Energies, temperatures k_B T and widths are in one unit; densities are states per cell, entropies in units of k_B.
"""

import functools
from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import jax.scipy as jsp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from hofstadter.thermodynamics.occupation import safe

Lineshape = Literal["gaussian", "lorentzian"]


class GrandCanonical(NamedTuple):
    """Quantities per cell on a grid of chemical potentials.

    Attributes:
        density: States n filled, counted as those of the staircase.
        density_of_states: ∂n/∂μ.
        grand_potential: Ω = −∫ n dμ from the first chemical potential on.
        entropy: S = −∂Ω/∂T, in units of k_B.
        heat_capacity: T ∂S/∂T at constant density, in units of k_B.
    """

    density: Float[Array, "*batch energy"]
    density_of_states: Float[Array, "*batch energy"]
    grand_potential: Float[Array, "*batch energy"]
    entropy: Float[Array, "*batch energy"]
    heat_capacity: Float[Array, "*batch energy"]


@functools.partial(jax.jit, static_argnames="lineshape")
def grand_canonical(
    staircase: Float[Array, "*batch energy"],
    step: ArrayLike,
    temperature: ArrayLike,
    width: ArrayLike,
    lineshape: Lineshape = "gaussian",
) -> GrandCanonical:
    """Densities, entropies and their derivatives at each chemical potential of the grid; differentiable throughout.

    Args:
        staircase: States per cell below each energy of the grid.
        step: Distance of the energies.
        temperature: k_B T for each staircase, not negative.
        width: Of each staircase's lines: standard deviation of a Gaussian, half width at half maximum of a Lorentzian.
        lineshape: The shape of broadened levels.
    """
    step, temperature, width = (jnp.asarray(x, staircase.dtype) for x in (step, temperature, width))
    broad, broad_slope = _fold(staircase, step, width, _LINES[lineshape])
    density, slope = _fold(broad, step, temperature, _thermal)
    warm = temperature[..., None] > 0
    slope = jnp.where(warm, slope, broad_slope)
    # The trapezoid rule with the next term of Euler and Maclaurin.
    area = jnp.cumulative_sum((density[..., 1:] + density[..., :-1]) / 2, axis=-1, include_initial=True) * step
    grand_potential = -(area - step**2 / 12 * (slope - slope[..., :1]))
    states = jnp.diff(broad, axis=-1)
    places = _offsets(staircase, step)[:, None] - step * jnp.asarray([0.0, 0.5, 1.0], staircase.dtype)
    scaled = places / safe(temperature)[..., None, None]
    occupied = jax.nn.sigmoid(scaled)
    variance = occupied * jax.nn.sigmoid(-scaled)
    mixing = jax.nn.softplus(scaled) - scaled * occupied
    simpson = jnp.asarray([1.0, 4.0, 1.0], staircase.dtype) / 6
    # S, T ∂S/∂T and T ∂n/∂T at constant μ.
    entropy, heat, drift = (_convolve(states, x @ simpson) for x in (mixing, scaled**2 * variance, -scaled * variance))
    entropy = jnp.where(warm, entropy, 0)
    stiffness = slope * temperature[..., None]
    closed = stiffness <= jnp.finfo(staircase.dtype).tiny
    heat_capacity = jnp.where(warm & ~closed, heat - drift**2 / jnp.where(closed, 1, stiffness), 0)
    return GrandCanonical(density, slope, grand_potential, entropy, heat_capacity)


@functools.partial(jax.jit, static_argnames="lineshape")
def smear(
    staircase: Float[Array, "*batch energy"],
    step: ArrayLike,
    temperature: ArrayLike,
    width: ArrayLike,
    lineshape: Lineshape = "gaussian",
) -> Float[Array, "*batch energy"]:
    """Any quantity Q(E) that is constant in gaps, at finite temperature and broadening: ∫ Q(E) L(μ − E) dE.

    Args:
        staircase: Q at each energy of the grid.
        step: Distance of the energies.
        temperature: k_B T, as for `grand_canonical`.
        width: Of the lines, as for `grand_canonical`.
        lineshape: The shape of broadened levels.
    """
    step, temperature, width = (jnp.asarray(x, staircase.dtype) for x in (step, temperature, width))
    return _fold(_fold(staircase, step, width, _LINES[lineshape])[0], step, temperature, _thermal)[0]


def _offsets(staircase: Float[Array, "*batch energy"], step: Float[Array, ""]) -> Float[Array, " offset"]:
    points = staircase.shape[-1]
    return step * jnp.arange(1 - points, points)


def _fold(
    staircase: Float[Array, "*batch energy"],
    step: Float[Array, ""],
    width: Float[Array, "*#batch"],
    line: Callable,
) -> tuple[Float[Array, "*batch energy"], Float[Array, "*batch energy"]]:
    """The staircase folded with a line, and the slope of the result."""
    sharp = (width <= 0)[..., None]
    scale = safe(width)[..., None]

    def parts(x):
        first, second = line(x / scale)
        above = jnp.maximum(x, 0)
        return jnp.where(sharp, jnp.sign(x) / 2 + 0.5, first), jnp.where(sharp, above, scale * second)

    offsets = _offsets(staircase, step)
    (first, second), (first_after, second_after) = parts(offsets), parts(offsets - step)
    states = jnp.diff(staircase, axis=-1)
    folded = staircase[..., :1] + _convolve(states, (second - second_after) / step)
    return folded, _convolve(states, (first - first_after) / step)


def _convolve(
    states: Float[Array, "*batch bin"], weights: Float[Array, "*#batch offset"]
) -> Float[Array, "*batch energy"]:
    """Σ_b states_b weights(E_i − E_b), where the weights are listed for −(n − 1) … n − 1 steps."""
    points = states.shape[-1] + 1
    length = 1 << (3 * points - 1).bit_length()
    product = jnp.fft.rfft(states, length) * jnp.fft.rfft(weights, length)
    return jnp.fft.irfft(product, length)[..., points - 1 : 2 * points - 1]


def _gaussian(x):
    """Integral and double integral of a normalized line of unit width."""
    first = jsp.special.ndtr(x)
    return first, x * first + jnp.exp(-(x**2) / 2) / jnp.sqrt(2 * jnp.pi).astype(x.dtype)


def _lorentzian(x):
    angle = jnp.arctan(x) / jnp.pi
    return angle + 0.5, x * (angle + 0.5) - jnp.log1p(x**2) / (2 * jnp.pi)


def _thermal(x):
    return jax.nn.sigmoid(x), jax.nn.softplus(x)


_LINES: dict[str, Callable] = {"gaussian": _gaussian, "lorentzian": _lorentzian}
