"""Hall conductivity of non-interacting electrons in units of e²/h, from the Kubo formula in clean bands.

    σ = (1/2π) ∫ dk1 dk2 Σ_n f_n Ω_n = −(1/2π) ∫ dk1 dk2 Σ_{nm} (f_n − f_m) Im[⟨n|V_1|m⟩ ⟨m|V_2|n⟩] / (E_n − E_m)²

(Thouless, Kohmoto, Nightingale and den Nijs, Phys. Rev. Lett. 49, 405 (1982)), over the magnetic zone, with
V_i = ∂H̃/∂k_i at the true positions. The sign is that of dn/dφ: a filled Landau level has σ = +1. For electrons of
charge −e in a field along +z this is the element σ_yx = −σ_xy of the conductivity tensor in j = σ E.
"""

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter.thermodynamics.occupation import filling_difference
from hofstadter.thermodynamics.zone_integral import integrate


class HallConductivity(eqx.Module):
    """Hall conductivity, with the shape of the chemical potentials and temperatures broadcast together.

    Attributes:
        conductivity: σ in units of e²/h.
        status: `Status` code of each number: OK, MESH_TOO_COARSE or NOT_FINITE.
        change: Change in the last doubling of the mesh; NaN for a mesh of given size.
        points: Momenta per direction in [0, 1/q)².
    """

    conductivity: Float[Array, "*state"]
    status: Int[Array, "*state"]
    change: Float[Array, "*state"]
    points: int = eqx.field(static=True)


def hall_conductivity(
    problem: AbstractMagneticBlochProblem,
    chemical_potential: ArrayLike | Sequence,
    temperature: ArrayLike | Sequence = 0.0,
    *,
    points: int | None = None,
    rtol: float = 1e-9,
    max_points: int = 128,
    memory_gb: float = 4.0,
    throw: bool = False,
) -> HallConductivity:
    """Hall conductivity in units of e²/h at any chemical potentials and temperatures.

    In a gap at zero temperature it is the gap's Chern number, dn/dφ. Degenerate levels are safe: a pair of bands
    counts with the difference of its fillings. Costs the eigenvectors on each mesh and, for each state, a sum over
    pairs of bands.

    Args:
        problem: From `hofstadter.at_flux`.
        chemical_potential: Numbers in the unit of the model's energies.
        temperature: k_B T in the same unit; broadcast against the chemical potential. Zero is allowed.
        points: Momenta per direction in [0, 1/q)²; by default doubled until converged. Needed under `jit` and `grad`.
        rtol: Largest accepted change in the last doubling, relative to σ or to e²/h, whichever is larger.
        max_points: Where to stop doubling. A clean metal at zero temperature converges as slowly as 1/points.
        memory_gb: Working memory.
        throw: Raise if a status is not OK. Outside `jit` only.

    Returns:
        The conductivities with their status.

    Raises:
        ValueError: If a temperature is negative or a number is not finite.
        hofstadter.CalculationError: With `throw`, if a number did not settle.
    """
    integral = integrate(
        _weight,
        problem,
        chemical_potential,
        temperature,
        scaled_by_energy=False,
        points=points,
        rtol=rtol,
        max_points=max_points,
        memory_gb=memory_gb,
        throw=throw,
    )
    return HallConductivity(*integral)


def _weight(level, partner, closed, chemical_potential, temperature):
    """−(f_n − f_m)/(E_n − E_m)², zero for degenerate levels."""
    difference = partner - level
    degenerate = jnp.abs(difference) <= closed
    filling = filling_difference(level, partner, closed, chemical_potential, temperature)
    return jnp.where(degenerate, 0, -filling / jnp.where(degenerate, 1, difference) ** 2)
