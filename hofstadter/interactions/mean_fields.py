"""The two potentials of a density-density repulsion projected on a group of bands.

With the interaction H = (1/2A) Σ_p V(p) :ρ(−p) ρ(p): and a density matrix P(k)_mn = ⟨c†_n(k) c_m(k)⟩,

    exchange   X(k) = (1/A) Σ_p V(p) M†(k, p) P(k + p) M(k, p),
    Hartree    h(k) = (1/A) Σ_G V(G) [Σ_k' tr P(k') M(k', −G)] M(k, G),

for a sample of area A. Fock's potential is −X of the electrons of one flavor, Hartree's the sum over all flavors.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from hofstadter.interactions.coulomb import AbstractInteraction
from hofstadter.interactions.form_factors import ProjectedBands, Transfers, block_of_form_factors, weights


@eqx.filter_jit
def exchange(
    interaction: AbstractInteraction,
    mesh: ProjectedBands,
    at: ProjectedBands,
    density: Complex[Array, "mesh m m"],
    moves: Transfers,
) -> Complex[Array, "point n n"]:
    """X(k) in the bands of `at`, for a density matrix given on a mesh.

    Args:
        interaction: The repulsion.
        mesh: The group on the mesh.
        at: The group at the wanted momenta, which may be the mesh.
        density: P(k') on the mesh; the identity for filled bands.
        moves: `transfers(at, mesh, cutoff)`.
    """

    def add(total, block):
        factors, momenta = block_of_form_factors(at, mesh, moves, block)
        weight = weights(interaction, mesh, momenta, moves.cutoff).astype(factors.dtype)
        filled = jnp.einsum("fml,fdgln->fdgmn", density[moves.final[block]], factors)
        part = jnp.einsum("dg,fdgmi,fdgmj->fdij", weight, factors.conj(), filled, optimize="optimal")
        return total.at[moves.initial[block]].add(part), None

    size = at.states.shape[-1]
    zero = jnp.zeros((at.k.shape[0], size, size), at.states.dtype)
    return jax.lax.scan(add, zero, jnp.arange(moves.final.shape[0]))[0]


@eqx.filter_jit
def charge_density(
    mesh: ProjectedBands, density: Complex[Array, "mesh m m"], reciprocal: Float[Array, "g 2"]
) -> Complex[Array, " g"]:
    """Fourier components Σ_k tr P(k) M(k, G) of the charge of one flavor, per sample."""

    def at_reciprocal(g):
        return jnp.einsum("kmn,knm->", density, _at_reciprocal(mesh, g))

    return jax.lax.map(at_reciprocal, reciprocal)


@eqx.filter_jit
def hartree(
    interaction: AbstractInteraction,
    mesh: ProjectedBands,
    at: ProjectedBands,
    charge: Complex[Array, " g"],
    reciprocal: Float[Array, "g 2"],
    cutoff: Float[Array, ""],
) -> Complex[Array, "point n n"]:
    """h(k) in the bands of `at`, for the charge of all flavors.

    Args:
        interaction: The repulsion.
        mesh: The group on the mesh that the charge was summed over.
        at: The group at the wanted momenta.
        charge: Sum of `charge_density` over flavors, less that of the background.
        reciprocal: Its vectors G.
        cutoff: Largest |G| that counts, an inverse length.
    """
    weight = weights(interaction, mesh, reciprocal, cutoff) * charge.conj()

    def add(total, entry):
        return total + entry[0] * _at_reciprocal(at, entry[1]), None

    size = at.states.shape[-1]
    zero = jnp.zeros((at.k.shape[0], size, size), at.states.dtype)
    return jax.lax.scan(add, zero, (weight, reciprocal))[0]


@eqx.filter_jit
def vertical_form_factors(bands: ProjectedBands, reciprocal: Float[Array, "g 2"]) -> Complex[Array, "g point m m"]:
    """M(k, G) of all k, the transfers that lead back to the same momentum."""
    return jax.lax.map(lambda g: _at_reciprocal(bands, g), reciprocal)


def _at_reciprocal(bands: ProjectedBands, g: Float[Array, " 2"]) -> Complex[Array, "point m m"]:
    def one(k, states):
        return bands.problem.apply_plane_wave(k, g, states).conj().T @ states

    return jax.vmap(one)(bands.k, bands.states)
