"""Orbital magnetic moment of bands: how their energies answer to a little more field.

The moment of a Bloch electron (Chang and Niu, Phys. Rev. B 53, 7010 (1996); Xiao, Shi and Niu, Phys. Rev. Lett. 95,
137204 (2005)) for charge −e is

    m = (e/ħ) Im ⟨∂x u| (H − E) |∂y u⟩,      E → E − m δB.

The field is counted here in flux quanta φ per primitive cell, and moments in the energy that one quantum costs:

    m = (1/2π) Im ⟨∂1 u| (H − E) |∂2 u⟩,     E → E − m δφ,

with derivatives in the reduced momenta k1 and k2; m (e/h) × (area of the primitive cell) is the moment in the usual
units. In a field everything refers to the magnetic bands at p/q, and δφ is what comes on top.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from hofstadter.geometry.at_momenta import at_momenta
from hofstadter.geometry.projector import eigenbasis, group_mixing, velocity
from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem


def orbital_moment(
    problem: AbstractMagneticBlochProblem,
    bands: tuple[int, int],
    k: Float[Array, "*batch 2"],
    *,
    memory_gb: float = 4.0,
    throw: bool = True,
) -> Float[Array, "*batch"]:
    """Orbital magnetic moment of the bands [first, last), m = −∂E/∂φ, in units of energy per flux quantum and cell.

    For one band n, with V_i = ∂H̃/∂k_i,

        m_n = (1/2π) Σ_{m ≠ n} Im[⟨n|V_1|m⟩ ⟨m|V_2|n⟩] / (E_m − E_n).

    For a group it is the trace of the moment matrix of Chang and Niu: m runs over bands out of the group only. For a
    degenerate level this is what the field shifts its mean energy by; for bands at different energies it is not the
    sum of their own moments, which also holds transitions between them. Differentiable to any order in k and the
    model, also with degeneracies inside the group.

    Args:
        problem: From `hofstadter.at_flux`.
        bands: First band and the one after the last, counted from 0 at the bottom.
        k: Reduced momenta of any leading shape.
        memory_gb: Working memory; larger batches are done in pieces of that size.
        throw: Raise where the group touches another band, which leaves the moment undefined. Without it, and under
            `jit`, `vmap` or `grad` always, it is NaN there.

    Returns:
        The moments, in the unit of the model's energies.

    Raises:
        ValueError: If the band range is empty or outside of the spectrum, or `k` does not end in two components.
        hofstadter.CalculationError: With `throw`, if the group touches another band; the message names k.
    """
    return at_momenta(one_moment, problem, bands, k, memory_gb, throw)


def one_moment(
    problem: AbstractMagneticBlochProblem, bands: tuple[int, int], k: Float[Array, " 2"]
) -> Float[Array, ""]:
    """The moment at a single momentum."""
    matrix, change = problem.matrix(k), velocity(problem, k)
    first, second = group_mixing(bands, eigenbasis(matrix, change), matrix, change)
    # X = Σ |∂u⟩⟨u| without what stays in the group, so Tr[X1† H X2 − X1† X2 H] is Σ ⟨∂1 u|(H − E)|∂2 u⟩.
    circulation = jnp.vdot(first, matrix @ second - second @ matrix)
    return circulation.imag / (2 * jnp.pi)
