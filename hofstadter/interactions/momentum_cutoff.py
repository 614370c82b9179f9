"""How far momentum transfers must reach, from the accuracy that exchange energies are wanted to.

The exchange energy of a filled group is half of Σ_p V(p) M†(k, p) M(k, p)/A. What |p| > Λ add to it is at most

    left_out(Λ) = max_k Σ_{|p| > Λ} V(p) tr M†(k, p) M(k, p)/2A,

which falls faster than any power, since form factors of Landau levels are Gaussians. It hardly depends on the mesh, so
a coarse one tells. A sharp cut-off that is too small shows as a slow convergence with the mesh, because ever other
momenta fall on its two sides: `left_out` is the error that counts, not the change from mesh to mesh.
"""

import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from hofstadter import lattice
from hofstadter._checks import fail
from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter.interactions.coulomb import AbstractInteraction
from hofstadter.interactions.form_factors import (
    ProjectedBands,
    Transfers,
    block_of_form_factors,
    project,
    transfers,
    weights,
)

# Points along a side of the coarse mesh: odd, so that no symmetric point is preferred.
COARSE = 3
# The first reach that is tried, in units of the longest reciprocal vector, and how it grows. Beyond the last one the
# sum does not converge: sites without extent have form factors of modulus one at any momentum.
FIRST_REACH, GROWTH, LAST_REACH = 4.0, 1.5, 20.0


class MomentumCutoff(NamedTuple):
    """A cut-off of momentum transfers and what it leaves out.

    Attributes:
        cutoff: Largest |p| that counts, an inverse length.
        error: Bound on the exchange energy that momenta beyond it have, estimated on a coarse mesh.
        largest: The largest exchange energy there.
    """

    cutoff: float
    error: float
    largest: float


def momentum_cutoff(
    problem: AbstractMagneticBlochProblem,
    bands: tuple[int, int],
    interaction: AbstractInteraction,
    *,
    rtol: float = 1e-8,
    cutoff: float | None = None,
    memory_gb: float = 4.0,
) -> MomentumCutoff:
    """The smallest cut-off that leaves out no more than `rtol` of the exchange energy, or the error of a given one.

    Args:
        problem: The magnetic Bloch problem.
        bands: The group, as a half-open range.
        interaction: The repulsion.
        rtol: What may be left out, relative to the largest exchange energy.
        cutoff: A cut-off to judge instead, an inverse length.
        memory_gb: Working memory.

    Raises:
        ValueError: If no cut-off suffices because the form factors do not fall, as those of sites without extent: give
            `cutoff` then, which is a part of the model.
    """
    if not 0 < rtol < 1:
        raise fail("rtol", "between 0 and 1", rtol)
    if cutoff is not None and not cutoff > 0:
        raise fail("cutoff", "positive", cutoff)
    mesh = project(problem, bands, problem.mesh(COARSE, COARSE), memory_gb=memory_gb)
    length, left_out, enough = _tail(interaction, mesh, 0.0 if cutoff is None else cutoff, rtol, memory_gb)
    if cutoff is None:
        if not enough:
            hint = "It is a part of the model then."
            raise fail("cutoff", "given where form factors do not fall with momentum", None, hint)
        # The slack keeps all momenta of the last shell, however they were rounded.
        cutoff = float(length[np.argmax(left_out <= rtol * left_out[0])]) * (1 + 1e-6)
    beyond = np.searchsorted(length, cutoff, side="right")
    return MomentumCutoff(cutoff, float(left_out[beyond]) if enough else math.nan, float(left_out[0]))


def _tail(
    interaction: AbstractInteraction, mesh: ProjectedBands, start: float, rtol: float, memory_gb: float
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Lengths |p| in ascending order, `left_out` from each of them on, and whether the sums have converged."""
    unit = float(np.linalg.norm(np.asarray(lattice.reciprocal_vectors(mesh.problem.vectors)), axis=1).max())
    reach = max(start + unit, FIRST_REACH * unit)
    while True:
        moves = transfers(mesh, mesh, reach, memory_gb=memory_gb)
        lengths, energies = (np.asarray(x) for x in _energies_by_momentum(interaction, mesh, moves))
        order = np.argsort(lengths)
        from_here_on = np.cumsum(energies[order][::-1], axis=0)[::-1].max(axis=-1)
        length, left_out = np.append(lengths[order], np.inf), np.append(from_here_on, 0.0)
        last_shell = left_out[np.searchsorted(length, reach - unit)]
        if last_shell <= rtol * left_out[0] / 100:
            return length, left_out, True
        if reach > LAST_REACH * unit:
            return length, left_out, False
        reach *= GROWTH


@eqx.filter_jit
def _energies_by_momentum(
    interaction: AbstractInteraction, mesh: ProjectedBands, moves: Transfers
) -> tuple[Float[Array, " momentum"], Float[Array, "momentum initial"]]:
    """|p| of all transfers, and V(p) tr M†(k, p) M(k, p)/2A of every initial k."""
    reciprocal = lattice.reciprocal_vectors(mesh.problem.vectors)

    def of_block(block):
        factors, momenta = block_of_form_factors(mesh, mesh, moves, block)
        weight = weights(interaction, mesh, momenta, moves.cutoff)
        strength = jnp.sum(jnp.abs(factors) ** 2, axis=(-2, -1))
        energies = weight[None] * strength / 2
        start = jax.nn.one_hot(moves.initial[block], mesh.k.shape[0], dtype=energies.dtype)
        return momenta, jnp.einsum("fdg,fdk->dgk", energies, start)

    momenta, energies = jax.lax.map(of_block, jnp.arange(moves.final.shape[0]))
    momenta, energies = momenta[0], jnp.sum(energies, axis=0)
    return jnp.linalg.norm(momenta @ reciprocal, axis=-1).reshape(-1), energies.reshape(-1, energies.shape[-1])
