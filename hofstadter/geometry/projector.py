"""Projector P(k) on a group of bands and its derivatives in k, by perturbation theory between bands in and out of it.

The derivative of the cell-periodic projector needs no smooth gauge of the states. With the plane waves of the problem

    H̃_k(dk) = ⟨k| exp(−i dk·r) |k + dk⟩ H(k + dk) ⟨k + dk| exp(i dk·r) |k⟩

is H(k + dk) seen from k, with every position in it, and ∂H̃ is its derivative at dk = 0. Then

    ∂P̃ = X + X†,   X = Σ_{n in, m out} |m⟩ ⟨m|∂H̃|n⟩ / (E_n − E_m) ⟨n|.

Only differences of an energy in the group and one out of it appear, so degeneracies inside the group are harmless, in
the value and in derivatives of every order. `group_projector` does the same for any Hermitian matrix.
"""

import functools
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from hofstadter._checks import fail, is_concrete
from hofstadter.eigensolver import dense
from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter.topology.chern import CLOSED_GAP, check_bands
from hofstadter.topology.group_flux import direct_gap


class Eigenbasis(NamedTuple):
    """Energies and states of one matrix as constants, and the direct gap that counts as closed there."""

    energies: Float[Array, " n"]
    states: Complex[Array, "n n"]
    closed_gap: Float[Array, ""]


def projector(
    problem: AbstractMagneticBlochProblem, bands: tuple[int, int], k: Float[Array, "*batch 2"]
) -> Complex[Array, "*batch basis basis"]:
    """P(k) on the bands [first, last), in the periodic basis of `problem.matrix`.

    Args:
        problem: From `hofstadter.at_flux`.
        bands: First band and the one after the last, counted from 0 at the bottom.
        k: Reduced momenta of any leading shape.

    Returns:
        The projectors; NaN where the group touches another band.

    Raises:
        ValueError: If the band range is empty or outside of the spectrum, or `k` does not end in two components.
    """
    bands, k = check_group(problem, bands), as_momenta(k)

    return _over_momenta(_projector_at, problem, bands, k)


def projector_derivatives(
    problem: AbstractMagneticBlochProblem, bands: tuple[int, int], k: Float[Array, "*batch 2"]
) -> Complex[Array, "*batch 2 basis basis"]:
    """∂P̃/∂k1 and ∂P̃/∂k2 of the cell-periodic projector, in the basis at k; arguments as in `projector`.

    For tight binding P̃(k) = D†(k) P(k) D(k) with the diagonal D = exp(2πi k·x) of the true positions x, and this is
    D(k) ∂P̃ D†(k).
    """
    bands, k = check_group(problem, bands), as_momenta(k)

    return _over_momenta(_derivatives_at, problem, bands, k)


def velocity(problem: AbstractMagneticBlochProblem, k: Float[Array, " 2"]) -> Complex[Array, "2 basis basis"]:
    """∂H̃/∂k1 and ∂H̃/∂k2 at k, by automatic differentiation of `matrix` between two plane waves."""

    def seen_from_k(dk):
        half = problem.apply_plane_wave(k, dk, problem.matrix(k + dk))
        return problem.apply_plane_wave(k, dk, half.conj().T)

    return _derivatives(seen_from_k, jnp.zeros_like(k))


def periodic_velocity(problem: AbstractMagneticBlochProblem, k: Float[Array, " 2"]) -> Complex[Array, "2 basis basis"]:
    """∂H/∂k1 and ∂H/∂k2 of the periodic matrix: `velocity` with all orbitals of the magnetic cell at the origin."""
    return _derivatives(problem.matrix, k)


def _derivatives(function, at):
    return jax.vmap(lambda direction: jax.jvp(function, (at,), (direction,))[1])(jnp.eye(2, dtype=at.dtype))


def eigenbasis(matrix: Complex[Array, "n n"], change: Complex[Array, "2 n n"]) -> Eigenbasis:
    """Eigenbasis of H without derivatives, which `group_projector` and `group_mixing` carry.

    A direct gap counts as closed up to 1e-9 (in single precision, its rounding) of the energy scale: the largest
    |energy| or, since that may vanish at a touching point, the norm of the velocity `change`.
    """
    matrix, change = jax.lax.stop_gradient((matrix, change))
    energies, states = dense.eigensystem(matrix)
    scale = jnp.maximum(jnp.max(jnp.abs(energies)), jnp.linalg.norm(change) / (2 * jnp.pi))
    rounding = 8 * energies.shape[-1] * float(jnp.finfo(energies.dtype).eps)
    return Eigenbasis(energies, states, max(CLOSED_GAP, rounding) * scale)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def group_projector(bands: tuple[int, int], basis: Eigenbasis, matrix: Complex[Array, "n n"]) -> Complex[Array, "n n"]:
    """P of `matrix`, whose `eigenbasis` is given."""
    inside = basis.states[:, slice(*bands)]
    closed = direct_gap(basis.energies, bands) <= basis.closed_gap
    value = inside @ inside.conj().T
    return jnp.where(closed, jnp.full_like(value, jnp.nan), value)


@group_projector.defjvp
def _group_projector_jvp(bands, primals, tangents):
    basis, matrix = primals
    mixing = group_mixing(bands, basis, matrix, tangents[1])
    return group_projector(bands, basis, matrix), mixing + mixing.conj().T


def group_mixing(
    bands: tuple[int, int],
    basis: Eigenbasis,
    matrix: Complex[Array, "n n"],
    changes: Complex[Array, "*changes n n"],
) -> Complex[Array, "*changes n n"]:
    """First-order change X = (1 − P) dP P of the group for each change dH of the matrix; NaN if it touches other bands.

    X solves X H − H X = (1 − P) dH P. Stated as a linear equation for `custom_linear_solve`, its own derivatives of any
    order (forward and reverse) are again solutions of that equation, and no derivative of a state is ever taken.
    """
    if changes.ndim > 2:
        return jax.vmap(lambda change: group_mixing(bands, basis, matrix, change))(changes)
    inside = group_projector(bands, basis, matrix)
    outside = jnp.eye(matrix.shape[0], dtype=matrix.dtype) - inside

    def equation(x):
        # Where x does not lead from the group to the other bands the identity keeps the equation regular.
        return x + outside @ (x @ matrix - matrix @ x - x) @ inside

    def solve(_, right):
        constant = jax.lax.stop_gradient(inside)
        to_others = right @ constant - constant @ right @ constant
        return right - to_others + _mixing(bands, basis, right)

    def solve_transposed(_, right):
        # The equation is its own adjoint; the transpose is the complex conjugate of the adjoint.
        return solve(_, right.conj()).conj()

    return jax.lax.custom_linear_solve(equation, outside @ changes @ inside, solve, solve_transposed)


def _mixing(bands: tuple[int, int], basis: Eigenbasis, change: Complex[Array, "n n"]) -> Complex[Array, "n n"]:
    """X = Σ_{n in, m out} |m⟩ ⟨m|change|n⟩ / (E_n − E_m) ⟨n|, for constant states."""
    energies, states, closed_gap = basis
    first, last = bands
    inside = states[:, first:last]
    outside = jnp.concatenate([states[:, :first], states[:, last:]], axis=1)
    others = jnp.concatenate([energies[:first], energies[last:]])
    difference = energies[None, first:last] - others[:, None]
    touching = jnp.abs(difference) <= closed_gap
    inverse = jnp.where(touching, jnp.full_like(difference, jnp.nan), 1 / jnp.where(touching, 1, difference))
    coupling = outside.conj().T @ change @ inside
    return outside @ (coupling * inverse.astype(coupling.dtype)) @ inside.conj().T


def check_group(problem: AbstractMagneticBlochProblem, bands: tuple[int, int]) -> tuple[int, int]:
    """`check_bands`, which refuses bands in the padding, too."""
    first, last = check_bands(problem, bands)
    if is_concrete(problem.q):
        with jax.ensure_compile_time_eval():
            available = int(problem.bands)
        if last - problem.first_band > available:
            raise fail("bands", f"a non-empty range within 0 … {available}", tuple(bands))
    return first, last


def as_momenta(k: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2"]:
    """Refuse arrays that are not pairs (k1, k2)."""
    k = jnp.asarray(k)
    if k.ndim == 0 or k.shape[-1] != 2:
        raise fail("k", "an array of pairs (k1, k2)", f"of shape {k.shape}")
    return k if jnp.issubdtype(k.dtype, jnp.floating) else k.astype(float)


@eqx.filter_jit
def _over_momenta(function, problem, bands, k):
    result = jax.vmap(lambda point: function(problem, bands, point))(k.reshape(-1, 2))
    return result.reshape(*k.shape[:-1], *result.shape[1:])


def _projector_at(problem, bands, k):
    matrix = problem.matrix(k)
    return group_projector(bands, eigenbasis(matrix, velocity(problem, k)), matrix)


def _derivatives_at(problem, bands, k):
    matrix, change = problem.matrix(k), velocity(problem, k)
    mixing = group_mixing(bands, eigenbasis(matrix, change), matrix, change)
    return mixing + jnp.swapaxes(mixing, -1, -2).conj()
