"""Orbital magnetization of non-interacting electrons, M = −∂Ω/∂φ at constant chemical potential.

By the modern theory (Xiao, Shi and Niu, Phys. Rev. Lett. 95, 137204 (2005); Thonhauser, Ceresoli, Vanderbilt and
Resta, Phys. Rev. Lett. 95, 137205 (2005); Ceresoli et al., Phys. Rev. B 74, 024408 (2006); Shi et al., Phys. Rev. Lett.
99, 197202 (2007)), for charge −e, with g(E) = T ln[1 + exp((μ − E)/T)]:

    M = (1/2π) ∫ dk1 dk2 Σ_n {f_n Im⟨∂1 u|(H − E_n)|∂2 u⟩ + g(E_n) Ω_n}
      = (1/2π) ∫ dk1 dk2 Σ_{nm} Im[⟨n|V_1|m⟩ ⟨m|V_2|n⟩] {(f_n + f_m)/2 (E_m − E_n) − (g_n − g_m)} / (E_n − E_m)².

The bracket is the trapezoid rule for ∫ f dE from E_n to E_m minus that integral. It vanishes with the third power of
E_m − E_n, so degenerate levels are safe; at T = 0 it is zero unless just one of the two levels is filled.

Ω is the grand potential per primitive cell and φ the number of flux quanta through it, so M is an energy and
∂M/∂μ = C in a gap. M (e/h) is the magnetization per area in the usual units, M/2π that in units e = ħ = 1.
"""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter.thermodynamics.occupation import filling_difference, safe
from hofstadter.thermodynamics.zone_integral import integrate

# In units of the temperature. The first term that the series leaves out is of relative order 1e-9 here, and the
# rounding error of the closed form of order 1e-13.
SERIES_BELOW = 0.03


class OrbitalMagnetization(eqx.Module):
    """Orbital magnetization, with the shape of the chemical potentials and temperatures broadcast together.

    Attributes:
        magnetization: M = −∂Ω/∂φ, energy per flux quantum and primitive cell.
        status: `Status` code of each number: OK, MESH_TOO_COARSE or NOT_FINITE.
        change: Change in the last doubling of the mesh; NaN for a mesh of given size.
        points: Momenta per direction in [0, 1/q)².
    """

    magnetization: Float[Array, "*state"]
    status: Int[Array, "*state"]
    change: Float[Array, "*state"]
    points: int = eqx.field(static=True)


def orbital_magnetization(
    problem: AbstractMagneticBlochProblem,
    chemical_potential: ArrayLike | Sequence,
    temperature: ArrayLike | Sequence = 0.0,
    *,
    points: int | None = None,
    rtol: float = 1e-9,
    max_points: int = 128,
    memory_gb: float = 4.0,
    throw: bool = False,
) -> OrbitalMagnetization:
    """Orbital magnetization M = −∂Ω/∂φ of insulators and metals, with the hoppings' amplitudes held fixed.

    Exact for tight binding with straight Peierls phases: it is the slope of the grand potential in the flux through
    p/q, where Ω(φ) has one. (At T = 0 in a metal, Ω is smooth at no rational flux; M is then the semiclassical value,
    and that of T → 0.) In a gap M is linear in the chemical potential, with the gap's Chern number as slope.

    Args:
        problem: From `hofstadter.at_flux`.
        chemical_potential: Numbers in the unit of the model's energies.
        temperature: k_B T in the same unit; broadcast against the chemical potential. Zero is allowed.
        points: Momenta per direction in [0, 1/q)²; by default doubled until converged. Needed under `jit` and `grad`.
        rtol: Largest accepted change in the last doubling, relative to M or the largest |energy|, whichever is larger.
        max_points: Where to stop doubling. A metal at zero temperature converges slowly.
        memory_gb: Working memory.
        throw: Raise if a status is not OK. Outside `jit` only.

    Returns:
        The magnetizations with their status, in the unit of the model's energies.

    Raises:
        ValueError: If a temperature is negative or a number is not finite.
        hofstadter.CalculationError: With `throw`, if a number did not settle.
    """
    integral = integrate(
        _weight,
        problem,
        chemical_potential,
        temperature,
        scaled_by_energy=True,
        points=points,
        rtol=rtol,
        max_points=max_points,
        memory_gb=memory_gb,
        throw=throw,
    )
    return OrbitalMagnetization(*integral)


def _weight(level, partner, closed, chemical_potential, temperature):
    cold = _cold_weight(level, partner, closed, chemical_potential)
    return jnp.where(temperature > 0, _warm_weight(level, partner, chemical_potential, safe(temperature)), cold)


def _cold_weight(level, partner, closed, chemical_potential):
    """(f_n − f_m) (E_n + E_m − 2μ) / 2 (E_n − E_m)², zero for degenerate levels."""
    difference = partner - level
    degenerate = jnp.abs(difference) <= closed
    filling = filling_difference(level, partner, closed, chemical_potential, jnp.zeros_like(chemical_potential))
    distance = (level + partner) / 2 - chemical_potential
    return jnp.where(degenerate, 0, filling * distance / jnp.where(degenerate, 1, difference) ** 2)


def _warm_weight(level, partner, chemical_potential, temperature):
    """The bracket over (E_n − E_m)². Levels below μ are described by holes, whose numbers are small there."""
    difference, center = partner - level, (level + partner) / 2 - chemical_potential
    side = jnp.where(center >= 0, 1.0, -1.0).astype(center.dtype)
    close = jnp.abs(difference) < SERIES_BELOW * temperature
    x, y = (side * (energy - chemical_potential) / temperature for energy in (level, partner))
    trapezoid = side * (jax.nn.sigmoid(-x) + jax.nn.sigmoid(-y)) / 2 * difference
    integral = temperature * (jax.nn.softplus(-x) - jax.nn.softplus(-y))
    exact = (trapezoid - integral) / jnp.where(close, 1, difference) ** 2
    return jnp.where(close, _series(difference, center, temperature), exact)


def _series(difference, center, temperature):
    """D f''/12 + D³ f''''/480 at the center of the two levels, D = E_m − E_n."""
    filling = jax.nn.sigmoid(-center / temperature)
    slope = filling * jax.nn.sigmoid(center / temperature)
    second = slope * (1 - 2 * filling)
    fourth = second * (1 - 12 * slope)
    d = difference / temperature
    return (d * second / 12 + d**3 * fourth / 480) / temperature
