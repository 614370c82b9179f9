"""Density-density repulsion V(p) in the plane: Coulomb, screened by gates or bare.

All are functions of |p| alone, in the units of the model, with strength e²/(4πε₀ε): energy × length.
"""

import abc
import math

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from hofstadter._checks import fail
from hofstadter.units import COULOMB_MEV_NM, MILLIELECTRONVOLTS, NANOMETERS

Number = float | Float[Array, ""]


class AbstractInteraction(eqx.Module):
    """A repulsion of the densities at two points of the plane, by its Fourier transform."""

    @abc.abstractmethod
    def __call__(self, momentum: Float[Array, "*batch"], patch: Number) -> Float[Array, "*batch"]:
        """V(p) in energy × area.

        Args:
            momentum: |p|, an inverse length.
            patch: Area of momentum space that one point of a mesh stands for, where V is not finite at p = 0.
        """


class DoubleGateCoulomb(AbstractInteraction):
    """Two metal gates at equal distance: V(p) = 2π (e²/ε) tanh(ξp/2)/p, and V(0) = π (e²/ε) ξ.

    Attributes:
        strength: e²/ε.
        separation: Distance ξ between the gates.
    """

    strength: Number
    separation: Number

    def __call__(self, momentum: Float[Array, "*batch"], patch: Number) -> Float[Array, "*batch"]:
        """V(p); finite everywhere, so `patch` does not matter."""
        x = self.separation * momentum / 2
        small = x < 1e-3
        ratio = jnp.where(small, 1 - x**2 / 3, jnp.tanh(x) / jnp.where(small, 1, x))
        return jnp.pi * self.strength * self.separation * ratio


class SingleGateCoulomb(AbstractInteraction):
    """One metal gate: V(p) = 2π (e²/ε) (1 − exp(−2pd))/p, and V(0) = 4π (e²/ε) d.

    Attributes:
        strength: e²/ε.
        distance: Distance d of the gate.
    """

    strength: Number
    distance: Number

    def __call__(self, momentum: Float[Array, "*batch"], patch: Number) -> Float[Array, "*batch"]:
        """V(p); finite everywhere, so `patch` does not matter."""
        x = 2 * self.distance * momentum
        small = x < 1e-8
        ratio = jnp.where(small, 1 - x / 2, -jnp.expm1(-x) / jnp.where(small, 1, x))
        return 4 * jnp.pi * self.strength * self.distance * ratio


class BareCoulomb(AbstractInteraction):
    """No gates: V(p) = 2π (e²/ε)/p. A mesh point at p = 0 gets the mean over a disc of the area that it stands for.

    Results converge with the inverse number of mesh points along a side only; gates make them converge exponentially.

    Attributes:
        strength: e²/ε.
    """

    strength: Number

    def __call__(self, momentum: Float[Array, "*batch"], patch: Number) -> Float[Array, "*batch"]:
        """V(p)."""
        radius = jnp.sqrt(patch / jnp.pi)
        zero = momentum < 1e-9 * radius
        return 2 * jnp.pi * self.strength * jnp.where(zero, 2 / radius, 1 / jnp.where(zero, 1, momentum))


def double_gate_coulomb(model, *, separation_nm: float, dielectric: float) -> DoubleGateCoulomb:
    """Coulomb repulsion between two gates, in the units of a model.

    Args:
        model: The zero-field model, in meV or eV and nm or Å.
        separation_nm: Distance between the gates.
        dielectric: Relative dielectric constant.

    Raises:
        ValueError: If a number is not positive or the model's units are not those of a laboratory.
    """
    _check_positive("separation_nm", separation_nm)
    return DoubleGateCoulomb(_strength(model, dielectric), separation_nm / NANOMETERS[model.length_unit])


def single_gate_coulomb(model, *, distance_nm: float, dielectric: float) -> SingleGateCoulomb:
    """Coulomb repulsion in front of one gate, in the units of a model; as `double_gate_coulomb`."""
    _check_positive("distance_nm", distance_nm)
    return SingleGateCoulomb(_strength(model, dielectric), distance_nm / NANOMETERS[model.length_unit])


def bare_coulomb(model, *, dielectric: float) -> BareCoulomb:
    """Coulomb repulsion without gates, in the units of a model; as `double_gate_coulomb`."""
    return BareCoulomb(_strength(model, dielectric))


def _strength(model, dielectric: float) -> float:
    """e²/ε in the model's energy × length."""
    _check_positive("dielectric", dielectric)
    if model.length_unit not in NANOMETERS or model.energy_unit not in MILLIELECTRONVOLTS:
        hint = "Build the interaction with its numbers in the model's own units, say DoubleGateCoulomb(strength, ...)."
        raise fail("model", "in meV or eV and nm or Å", f"in {model.energy_unit} and {model.length_unit}", hint)
    per_unit = NANOMETERS[model.length_unit] * MILLIELECTRONVOLTS[model.energy_unit]
    return COULOMB_MEV_NM / (dielectric * per_unit)


def _check_positive(name: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise fail(name, "positive", value)
