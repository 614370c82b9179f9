"""Parallel transport of a group of bands along a path of momenta, and the eigenvalues of unitary matrices."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Int

from hofstadter.eigensolver import dense
from hofstadter.errors import Status
from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter.topology.chern import CLOSED_GAP
from hofstadter.topology.group_flux import direct_gap

# Overlaps of neighboring momenta with a singular value below this do not describe one smooth group of bands.
MIN_OVERLAP = 0.3


class Transport(NamedTuple):
    """Parallel transport along paths, step by step.

    Attributes:
        links: Unitary factors of the overlap matrices ⟨u(k_j)|u(k_{j+1})⟩.
        min_overlap: Smallest singular value of an overlap along each path; 1 for an infinitely fine path.
        min_gap: Smallest direct gap to the other bands along each path.
        worst_k: Momentum that the status is about: of the smallest gap if it is closed, else where the step with
            `min_overlap` starts.
        status: OK, NOT_FINITE, GAP_CLOSED or MESH_TOO_COARSE.
    """

    links: Complex[Array, "path step m m"]
    min_overlap: Float[Array, " path"]
    min_gap: Float[Array, " path"]
    worst_k: Float[Array, "path 2"]
    status: Int[Array, " path"]


def transport(
    problem: AbstractMagneticBlochProblem,
    bands: tuple[int, int],
    k: Float[Array, "path point 2"],
    energies: Float[Array, "path point band"],
    states: Complex[Array, "path point basis m"],
    *,
    closing: Float[Array, " 2"] | None = None,
    translations: int = 0,
) -> Transport:
    """Transport the bands [first, last) along paths of momenta.

    Args:
        problem: The magnetic Bloch problem.
        bands: The group.
        k: The momenta of each path, in order.
        energies: All energies there.
        states: The states of the group there.
        closing: None for open paths. Else each path is closed by a last step to its start moved by this momentum,
            (n1, n2)/q with integers.
        translations: n1 modulo q: how often the states at the start are translated along a2 to get those at the end.
    """
    following, steps = states[:, 1:], jnp.diff(k, axis=1)
    if closing is not None:
        end = jax.vmap(lambda start, at_start: _moved(problem, translations, start, at_start))(k[:, 0], states[:, 0])
        following = jnp.concatenate([following, end[:, None]], axis=1)
        steps = jnp.concatenate([steps, (k[:, 0] + closing - k[:, -1])[:, None]], axis=1)
    count = steps.shape[1]

    def overlap(point, dk, left, right):
        return left.conj().T @ problem.apply_plane_wave(point, dk, right)

    links, overlaps = unitary_factor(jax.vmap(jax.vmap(overlap))(k[:, :count], steps, states[:, :count], following))
    every = jnp.arange(k.shape[0])
    gap = direct_gap(energies, bands)
    min_gap, min_overlap = jnp.min(gap, axis=1), jnp.min(overlaps, axis=1)
    closed = min_gap <= CLOSED_GAP * jnp.max(jnp.abs(energies), axis=(1, 2))
    finite = jnp.all(jnp.isfinite(energies), axis=(1, 2))
    status = jnp.where(min_overlap > MIN_OVERLAP, int(Status.OK), int(Status.MESH_TOO_COARSE))
    status = jnp.where(closed, int(Status.GAP_CLOSED), status)
    status = jnp.where(finite, status, int(Status.NOT_FINITE)).astype(jnp.int32)
    worst = jnp.where(closed, jnp.argmin(gap, axis=1), jnp.argmin(overlaps, axis=1))
    worst = jnp.where(finite, worst, jnp.argmin(jnp.all(jnp.isfinite(energies), axis=2), axis=1))
    return Transport(links, min_overlap, min_gap, k[every, worst], status)


def _moved(problem, translations, k, states):
    """States at k + (translations/q, 0) by repeated magnetic translation along a2."""
    for number in range(translations):
        here = k + jnp.stack([number / problem.q.astype(k.dtype), jnp.zeros((), k.dtype)])
        states = problem.shift_k1(here, states)
    return states


def product(links: Complex[Array, "path step m m"]) -> Complex[Array, "path m m"]:
    """Ordered product of all steps of each path, the first step on the left."""
    start = jnp.broadcast_to(jnp.eye(links.shape[-1], dtype=links.dtype), (links.shape[0], *links.shape[2:]))
    return jax.lax.scan(lambda line, link: (line @ link, None), start, jnp.swapaxes(links, 0, 1))[0]


@jax.custom_jvp
def unitary_factor(
    matrix: Complex[Array, "*batch m m"],
) -> tuple[Complex[Array, "*batch m m"], Float[Array, "*batch"]]:
    """U of the polar decomposition A = U √(A†A), and the smallest singular value of A.

    In place of an overlap, U is parallel transport without the shrinking of a finite step. Its derivative has only sums
    of singular values in the denominator, so it exists wherever A is regular.
    """
    left, singular, right = jnp.linalg.svd(matrix)
    return left @ right, singular[..., -1]


@unitary_factor.defjvp
def _unitary_factor_jvp(primals, tangents):
    left, singular, right = jnp.linalg.svd(primals[0])
    inner = _adjoint(left) @ tangents[0] @ _adjoint(right)
    sums = singular[..., :, None] + singular[..., None, :]
    turn = (inner - _adjoint(inner)) / sums.astype(inner.dtype)
    return (left @ right, singular[..., -1]), (left @ turn @ right, inner[..., -1, -1].real)


def berry_phases(matrix: Complex[Array, "*batch m m"]) -> Float[Array, "*batch m"]:
    """Phases θ of the eigenvalues exp(−iθ) of unitary matrices, ascending in [−π, π)."""
    return jnp.sort(-jnp.angle(unitary_eigensystem(matrix)[0]), axis=-1)


def unitary_eigensystem(
    matrix: Complex[Array, "*batch m m"],
) -> tuple[Complex[Array, "*batch m"], Complex[Array, "*batch m m"]]:
    """Eigenvalues and eigenvectors of unitary matrices by Hermitian solvers, which run on every device.

    A unitary matrix shares its eigenvectors with cos χ Re W + sin χ Im W, where Re W = (W + W†)/2 and
    Im W = (W − W†)/2i; a generic angle χ makes eigenvalues differ that the real part alone would not tell apart.
    """
    hermitian = 0.7 * (matrix + _adjoint(matrix)) / 2 - 0.3j * (matrix - _adjoint(matrix))
    _, vectors = dense.eigensystem(hermitian)
    return jnp.einsum("...ji,...jk,...ki->...i", vectors.conj(), matrix, vectors), vectors


def _adjoint(matrix):
    return jnp.swapaxes(matrix, -1, -2).conj()
