"""Exchange at momenta that are on no mesh, from states on one.

The transfers from k to the points k' of a mesh then are others for every k. The sum over the mesh converges as fast as
where k is one of its points, if V(p) is smooth: gates make it so, and the bare repulsion is refused.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from hofstadter._checks import fail
from hofstadter.interactions.coulomb import AbstractInteraction
from hofstadter.interactions.form_factors import ProjectedBands, weights
from hofstadter.magnetic import landau_basis


def exchange_off_mesh(
    interaction: AbstractInteraction,
    mesh: ProjectedBands,
    at: ProjectedBands,
    reciprocal: Float[Array, "g 2"],
    cutoff: Float[Array, ""],
    *,
    memory_gb: float = 4.0,
) -> Complex[Array, "point n n"]:
    """X(k) of completely filled bands, in the bands of `at`; see `mean_fields.exchange`.

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
    return _exchange(
        interaction,
        mesh,
        at,
        jnp.asarray(np.where(counted, finals, 0).reshape(shape)),
        jnp.asarray(counted.reshape(shape), mesh.problem.vectors.dtype),
        jnp.asarray(reciprocal, mesh.problem.vectors.dtype),
        jnp.asarray(cutoff, mesh.problem.vectors.dtype),
    )


@eqx.filter_jit
def _exchange(
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
