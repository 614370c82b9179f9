"""States of a group of bands, with a derivative that never looks inside the group.

Berry phases, Wilson loops and everything else in this stage do not depend on which orthonormal states span the group.
So their derivatives may be taken with |dn⟩ = Σ_{m out} |m⟩ ⟨m|dH|n⟩ / (E_n − E_m), which is harmless where bands of the
group touch each other.
"""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from hofstadter.eigensolver import dense
from hofstadter.eigensolver.pieces import in_pieces
from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter.topology.slopes import slopes


def group_states(
    matrix: Complex[Array, "n n"], bands: tuple[int, int]
) -> tuple[Float[Array, " n"], Complex[Array, "n n"], Complex[Array, "n m"]]:
    """Energies and states of a Hermitian matrix as constants, and the states of the bands [first, last).

    Only the latter carry derivatives, of first order; they are NaN where the group touches another band. One
    diagonalization serves value and derivative: two of them side by side can deadlock XLA's CPU threads.
    """
    energies, states = dense.eigensystem(jax.lax.stop_gradient(matrix))
    return energies, states, _group(bands, energies, states, matrix)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _group(bands, energies, states, matrix):
    """The states of the group, as functions of the matrix that they belong to."""
    return states[:, slice(*bands)]


@_group.defjvp
def _group_jvp(bands, primals, tangents):
    energies, states, matrix = primals
    change = tangents[2] + _once(matrix)
    first, last = bands
    level = jnp.arange(energies.shape[0])
    outside = ((level < first) | (level >= last))[:, None]
    difference = energies[None, first:last] - energies[:, None]
    rounding = 8 * energies.shape[0] * jnp.finfo(energies.dtype).eps * jnp.max(jnp.abs(energies))
    touching = jnp.abs(difference) <= rounding
    inverse = jnp.where(touching, jnp.full_like(difference, jnp.nan), 1 / jnp.where(touching, 1, difference))
    coupling = states.conj().T @ change @ states[:, first:last]
    inverse = jnp.where(outside, inverse, 0).astype(coupling.dtype)
    return states[:, first:last], states @ (coupling * inverse)


@jax.custom_jvp
def _once(matrix):
    """Zero; refuses to be differentiated, because the derivative above holds energies and states as constants."""
    return jnp.zeros_like(matrix)


@_once.defjvp
def _once_jvp(primals, tangents):
    raise NotImplementedError("Wilson loops have first derivatives only; `hofstadter.geometry` has higher ones.")


def solve_group(
    problem: AbstractMagneticBlochProblem, bands: tuple[int, int], k: Float[Array, "*batch 2"], chunk: int
) -> tuple[Float[Array, "*batch band"], Complex[Array, "*batch basis m"]]:
    """Energies and states of the group at many momenta, at most `chunk` matrices at a time."""

    def one(point):
        energies, _, group = group_states(problem.matrix(point), bands)
        return energies, group

    return _over_momenta(one, k, chunk)


def solve_group_with_slopes(
    problem: AbstractMagneticBlochProblem, bands: tuple[int, int], k: Float[Array, "*batch 2"], chunk: int
) -> tuple[Float[Array, "*batch band"], Complex[Array, "*batch basis m"], Float[Array, "*batch band"]]:
    """`solve_group`, and |∂E/∂k1| + |∂E/∂k2| of every level, without derivatives of its own."""

    def one(point):
        energies, states, group = group_states(problem.matrix(point), bands)
        return energies, group, slopes(problem, jax.lax.stop_gradient(point), states)

    return _over_momenta(one, k, chunk)


def _over_momenta(one, k, chunk):
    solved = in_pieces(one, k.reshape(-1, 2), chunk)
    return jax.tree.map(lambda x: x.reshape(*k.shape[:-1], *x.shape[1:]), solved)
