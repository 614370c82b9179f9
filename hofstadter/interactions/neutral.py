"""Neutral excitations of filled flavors: one electron moved from a filled flavor to an empty one, with momentum Q.

The states c†_{k+Q, m, e} c_{k, n, h}|Ψ⟩ of an electron in the empty flavor e and a hole in the filled flavor h are
closed under H, so their energies above |Ψ⟩ are the eigenvalues of

    S(k'mn', kmn) = δ_kk' [(R0 + h)^e_{m'm}(k + Q) δ_n'n + δ_m'm (R0 − h)^h_{n'n}(k)*]
                    − (1/A) Σ_p V(p) M^e_{m'm}(k + Q, p) M^h_{n'n}(k, p)*,   k' = k + p,

exactly, at every filling. Where e and h have the same form factors (two spins, or two valleys with the particle-hole
symmetry C2z P), Q = 0 holds a mode of zero energy: the Goldstone mode that turns one flavor into the other. There are
as many as pairs of a filled and an empty flavor. Otherwise that mode has a gap. A negative energy says that |Ψ⟩ is not
the ground state.
"""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from hofstadter._checks import fail
from hofstadter.eigensolver import dense
from hofstadter.eigensolver._threads import single_threaded_blas
from hofstadter.interactions.coulomb import AbstractInteraction
from hofstadter.interactions.form_factors import (
    ProjectedBands,
    Transfers,
    block_of_form_factors,
    points_after,
    weights,
)
from hofstadter.interactions.strong_coupling import FilledFlavors, charge_matrices


def neutral_energies(
    state: FilledFlavors,
    electron: int,
    hole: int,
    momenta: Float[Array, "*batch 2"],
    *,
    memory_gb: float = 4.0,
) -> Float[Array, "*batch excitation"]:
    """Energies of all neutral excitations at given momenta, ascending.

    Args:
        state: The state.
        electron: Kind of the empty flavor.
        hole: Kind of the filled flavor, which may be the same.
        momenta: Reduced Q, differences of points of the mesh.
        memory_gb: Working memory.

    Raises:
        ValueError: If there is no such pair of flavors, or Q leads off the mesh.
    """
    momenta = jnp.asarray(momenta)
    flat = momenta.reshape(-1, 2)
    size = state.bands.k.shape[0] * state.bands.width**2
    chunk = max(1, int(memory_gb * 1e9 / (64 * size**2)))
    parts = []
    for start in range(0, len(flat), chunk):
        matrices = neutral_matrices(state, electron, hole, flat[start : start + chunk], memory_gb=memory_gb)
        with single_threaded_blas():
            parts.append(dense.eigenvalues(matrices))
    return jnp.concatenate(parts).reshape(*momenta.shape[:-1], size)


def neutral_matrices(
    state: FilledFlavors,
    electron: int,
    hole: int,
    momenta: Float[Array, "momentum 2"],
    *,
    memory_gb: float = 4.0,
) -> Complex[Array, "momentum excitation excitation"]:
    """The Hermitian matrices S of `neutral_energies`; excitations are (k, m, n), n the fastest."""
    bands = state.bands
    if not state.flavors(electron, 1) or not state.flavors(hole, -1):
        raise fail("electron, hole", "kinds with an empty and a filled flavor", (electron, hole))
    ends = points_after(bands.kinds[hole], bands.kinds[electron], np.asarray(momenta).reshape(-1, 2))
    points, _, width = bands.kinds[hole].states.shape
    # One block of all final momenta, and as many reciprocal vectors at a time as memory holds.
    moves = dataclasses.replace(
        bands.moves,
        final=bands.moves.final.reshape(1, -1),
        initial=bands.moves.initial.reshape(1, points, -1),
        steps=bands.moves.steps,
    )
    rows = max(kind.states.shape[1] for kind in bands.kinds)
    per_vector = 16 * (3 * points**2 * width**2 + 2 * points * rows * width)
    piece = max(1, min(len(moves.reciprocal), int(memory_gb * 1e9 / (4 * per_vector))))
    attraction = jnp.zeros((len(ends), points, points, width, width, width, width), bands.kinds[hole].states.dtype)
    for start in range(0, len(moves.reciprocal), piece):
        part = dataclasses.replace(moves, reciprocal=moves.reciprocal[start : start + piece])
        of_hole, weight = _form_factors(bands.interaction, bands.kinds[hole], part)
        same = electron == hole
        of_electron = of_hole if same else _form_factors(bands.interaction, bands.kinds[electron], part)[0]
        attraction = attraction + _attraction(of_electron, of_hole, weight, jnp.asarray(ends))
    above, below = charge_matrices(state, electron, 1), charge_matrices(state, hole, -1)
    return _with_diagonal(attraction, moves.initial[0], above, below, jnp.asarray(ends))


@eqx.filter_jit
def _form_factors(
    interaction: AbstractInteraction, kind: ProjectedBands, moves: Transfers
) -> tuple[Complex[Array, "f d g m n"], Float[Array, "d g"]]:
    """M(k, p) of all k' = k + p, steps and reciprocal vectors, and V(p)/A."""
    factors, momenta = block_of_form_factors(kind, kind, moves, jnp.zeros((), int))
    return factors, weights(interaction, kind, momenta, moves.cutoff)


@eqx.filter_jit
def _attraction(
    of_electron: Complex[Array, "f d g m m"],
    of_hole: Complex[Array, "f d g n n"],
    weight: Float[Array, "d g"],
    ends: Int[Array, "momentum point"],
) -> Complex[Array, "momentum f d m m n n"]:
    """(1/A) Σ_G V(p) M^e_m'm(k + Q, p) M^h_n'n(k, p)* for each final k' and each step."""
    weighted = weight.astype(of_hole.dtype)[None, :, :, None, None] * of_hole.conj()

    def at_momentum(end):
        return jnp.einsum("fdgij,fdgkl->fdijkl", of_electron[end], weighted, optimize="optimal")

    return jax.lax.map(at_momentum, ends)


@eqx.filter_jit
def _with_diagonal(
    attraction: Complex[Array, "momentum f d m m n n"],
    initial: Int[Array, "f d"],
    above: Complex[Array, "point m m"],
    below: Complex[Array, "point n n"],
    ends: Int[Array, "momentum point"],
) -> Complex[Array, "momentum excitation excitation"]:
    """S, with rows (k', m', n') and columns (k, m, n)."""
    points, width = above.shape[0], above.shape[-1]
    one = jnp.eye(width, dtype=above.dtype)
    finals = jnp.arange(points)

    def at_momentum(entry):
        part, end = entry
        # Every k is reached from every k' by one step, so that this puts the steps in the order of k.
        table = jnp.zeros_like(part).at[finals[:, None], initial].set(-part)
        own = jnp.einsum("kij,nl->kijnl", above[end], one) + jnp.einsum("ij,knl->kijnl", one, below)
        table = table.at[finals, finals].add(own)
        size = points * width**2
        return jnp.transpose(table, (0, 2, 4, 1, 3, 5)).reshape(size, size)

    return jax.lax.map(at_momentum, (attraction, ends))
