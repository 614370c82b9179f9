"""The exchange potential of a density-density repulsion projected on a group of bands.

With the interaction (1/2A) Σ_p V(p) ρ(−p) ρ(p) of a sample of area A and a density matrix P(k)_mn = ⟨c†_n(k) c_m(k)⟩,

    X(k) = (1/A) Σ_p V(p) M†(k, p) P(k + p) M(k, p);

Fock's potential is −X of the electrons of the same flavor. At momenta that are on no mesh the transfers to the points
of a mesh are others for every k. The sum over the mesh then converges as fast as where k is one of its points, if V(p)
is smooth: gates make it so, and the bare repulsion is refused there.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from hofstadter._checks import fail
from hofstadter.interactions.coulomb import AbstractInteraction
from hofstadter.interactions.form_factors import ProjectedBands, Transfers, block_of_form_factors, weights
from hofstadter.magnetic import landau_basis


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


def exchange_off_mesh(
    interaction: AbstractInteraction,
    mesh: ProjectedBands,
    at: ProjectedBands,
    reciprocal: Float[Array, "g 2"],
    cutoff: Float[Array, ""],
    *,
    memory_gb: float = 4.0,
) -> Complex[Array, "point n n"]:
    """X(k) of completely filled bands, in the bands of `at`.

    Args:
        interaction: The repulsion, finite at p = 0.
        mesh: The group on the mesh.
        at: The group at any momenta.
        reciprocal: `reciprocal_vectors_within(problem, cutoff)`.
        cutoff: Largest |p| that counts, an inverse length.
        memory_gb: Working memory.

    Raises:
        ValueError: If V(p) is not finite at p = 0.
    """
    zero = jnp.zeros((), mesh.problem.vectors.dtype)
    if not np.isfinite(interaction(zero, 0.0)):
        hint = "Put gates, or take momenta of the mesh only."
        raise fail("interaction", "finite at p = 0 where momenta are on no mesh", type(interaction).__name__, hint)
    points, rows, bands = mesh.states.shape
    per_final = 16 * bands * rows * (2 * len(reciprocal) + 4 + mesh.problem.basis_size)
    pieces = min(points, -(-points * per_final // int(memory_gb * 1e9)))
    finals = np.arange(-(-points // pieces) * pieces)
    counted = finals < points
    shape = (pieces, -1)
    return _filled_exchange(
        interaction,
        mesh,
        at,
        jnp.asarray(np.where(counted, finals, 0).reshape(shape)),
        jnp.asarray(counted.reshape(shape), mesh.problem.vectors.dtype),
        jnp.asarray(reciprocal, mesh.problem.vectors.dtype),
        jnp.asarray(cutoff, mesh.problem.vectors.dtype),
    )


@eqx.filter_jit
def _filled_exchange(
    interaction: AbstractInteraction,
    mesh: ProjectedBands,
    at: ProjectedBands,
    finals: Int[Array, "piece f"],
    counted: Float[Array, "piece f"],
    reciprocal: Float[Array, "g 2"],
    cutoff: Float[Array, ""],
) -> Complex[Array, "point n n"]:
    """The sum over pieces of the mesh."""
    apply = mesh.problem.apply_plane_wave

    def add(total, piece):
        final, count = piece
        here, ends = mesh.k[final], mesh.states[final]
        bras = jax.lax.map(lambda g: jax.vmap(lambda k, bra: apply(k, g, bra))(here, ends), reciprocal)

        def one(point):
            k, ket = point
            steps = jax.vmap(lambda end: landau_basis.fold(k - end, mesh.problem.q)[0])(here)
            kets = jax.vmap(lambda end, step: apply(end, step, ket))(here, steps)
            factors = jnp.einsum("gfbm,fbn->fgmn", bras.conj(), kets, optimize="optimal")
            weight = weights(interaction, mesh, reciprocal[None] - steps[:, None], cutoff) * count[:, None]
            return jnp.einsum("fg,fgmi,fgmj->ij", weight.astype(factors.dtype), factors.conj(), factors)

        return total + jax.lax.map(one, (at.k, at.states)), None

    size = at.states.shape[-1]
    zero = jnp.zeros((at.k.shape[0], size, size), at.states.dtype)
    return jax.lax.scan(add, zero, (finals, counted))[0]
