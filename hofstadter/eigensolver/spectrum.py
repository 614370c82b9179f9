"""`solve`: the spectrum of a magnetic Bloch problem on any array of momenta, in memory-bounded batches."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from hofstadter._checks import fail, is_concrete, warn_if_single_precision
from hofstadter.eigensolver import dense
from hofstadter.eigensolver._threads import single_threaded_blas
from hofstadter.eigensolver.chiral import Sublattices, chiral_energies, sublattices
from hofstadter.eigensolver.low_field import strip_energies
from hofstadter.eigensolver.pieces import in_pieces, within_memory
from hofstadter.errors import CalculationError, Status
from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter.hamiltonian.strip import StripProblem

# Input, eigenvectors, workspace and one copy, of 16 bytes per number.
BYTES_PER_ENTRY = 64


class Spectrum(eqx.Module):
    """Energies and states of a magnetic Bloch problem.

    Attributes:
        energies: Ascending in the last axis.
        states: Columns are the eigenvectors in the basis of `problem.matrix`; None if only energies were asked for.
        status: `Status` code of each momentum.
        residual: Largest ‖H v − E v‖ of each momentum, relative to the largest |E| of H; zero without states.
    """

    energies: Float[Array, "*batch band"]
    states: Complex[Array, "*batch basis band"] | None
    status: Int[Array, "*batch"]
    residual: Float[Array, "*batch"]


def solve(
    problem: AbstractMagneticBlochProblem | StripProblem,
    k: Float[Array, "*batch 2"],
    *,
    states: bool = True,
    memory_gb: float = 4.0,
    throw: bool = False,
) -> Spectrum:
    """Diagonalize H(k) on an array of momenta.

    Args:
        problem: From `hofstadter.at_flux` or, for energies only and outside `jit`, `hofstadter.strip_problem`. A padded
            problem returns its padding too, above all bands.
        k: Reduced momenta, e.g. from `problem.mesh(n1, n2)`.
        states: Whether to return eigenvectors. Energies alone cost a half to a third on CPU.
        memory_gb: Working memory; larger batches are done in pieces of that size.
        throw: Raise if any momentum fails, instead of marking it in `status`. Outside `jit` only.

    Returns:
        The spectrum, with `status` other than OK where H is not finite, the residual of an eigenvector is large or the
        basis of a continuum model was cut off too low.

    Raises:
        ValueError: If `k` does not end in two components, or states of a strip are asked for.
        hofstadter.CalculationError: With `throw`, if any momentum fails.
    """
    warn_if_single_precision()
    k = jnp.asarray(k)
    if k.ndim == 0 or k.shape[-1] != 2:
        raise fail("k", "an array of pairs (k1, k2)", f"of shape {k.shape}")
    if not memory_gb > 0:
        raise fail("memory_gb", "positive", memory_gb)
    if isinstance(problem, StripProblem):
        spectrum = _solve_strip(problem, k, states)
    else:
        spectrum = _solve_dense(problem, k, states, memory_gb)
    if throw and is_concrete(spectrum.status):
        raise_first_failure(spectrum.status, k)
    return spectrum


def _solve_dense(problem: AbstractMagneticBlochProblem, k: Array, states: bool, memory_gb: float) -> Spectrum:
    chunk = chunk_size(problem.basis_size, memory_gb)
    size = min(chunk, k.size // 2 or 1)
    if is_concrete(problem, k):
        # On CPUs singular values of half the size take a third to a sixth of the time.
        parts = None if states or jax.default_backend() != "cpu" else sublattices(problem)
        with single_threaded_blas():
            return within_memory(lambda size: _solve(problem, k, states, size, parts), size)[0]
    return _solve(problem, k, states, size)


def _solve_strip(problem: StripProblem, k: Array, states: bool) -> Spectrum:
    if states:
        raise fail("states", "False for a strip, which has energies only", states)
    if not is_concrete(k):
        raise fail("k", "made of numbers for a strip", "traced", "`at_flux` works under `jit`.")
    energies, status = strip_energies(problem, np.asarray(k))
    return Spectrum(jnp.asarray(energies), None, jnp.asarray(status, jnp.int32), jnp.zeros(status.shape))


def chunk_size(basis_size: int, memory_gb: float) -> int:
    """How many matrices of this size may be worked on at once within `memory_gb` (at least one)."""
    return max(1, int(memory_gb * 1e9 / (BYTES_PER_ENTRY * basis_size**2)))


def solve_one(
    problem: AbstractMagneticBlochProblem,
    k: Float[Array, " 2"],
    states: bool = True,
    parts: Sublattices | None = None,
) -> Spectrum:
    """The spectrum at a single momentum; the function that everything batched maps over.

    Energies alone of a bipartite model are found by its `parts`, if these are given.
    """
    matrix = problem.matrix(k)
    wanted = slice(problem.first_band, problem.first_band + problem.returned_bands)
    if not states:
        energies = dense.eigenvalues(matrix) if parts is None else chiral_energies(matrix, parts)
        zero = jnp.zeros((), energies.dtype)
        return Spectrum(energies[wanted], None, _with_basis(problem, _status(energies, zero, problem.basis_size)), zero)
    energies, vectors = dense.eigensystem(matrix)
    scale = jnp.max(jnp.abs(energies))
    energies, vectors = energies[wanted], vectors[:, wanted]
    error = jnp.linalg.norm(matrix @ vectors - vectors * energies.astype(vectors.dtype)[None, :], axis=0)
    residual = jnp.max(error) / jnp.where(scale > 0, scale, 1)
    return Spectrum(energies, vectors, _with_basis(problem, _status(energies, residual, problem.basis_size)), residual)


def _with_basis(problem: AbstractMagneticBlochProblem, status: Int[Array, ""]) -> Int[Array, ""]:
    """The status of a diagonalization or, if that is OK, of the basis."""
    return jnp.where(status == int(Status.OK), problem.basis_status, status)


def _status(energies: Float[Array, " band"], residual: Float[Array, ""], basis_size: int) -> Int[Array, ""]:
    # A backward stable solver leaves a few n eps; a wrong vector leaves order one.
    tolerance = 100 * basis_size * jnp.finfo(energies.dtype).eps
    finite = jnp.all(jnp.isfinite(energies))
    accurate = residual <= tolerance
    bad = jnp.where(finite, int(Status.RESIDUAL_TOO_LARGE), int(Status.NOT_FINITE))
    return jnp.where(finite & accurate, int(Status.OK), bad).astype(jnp.int32)


@eqx.filter_jit
def _solve(
    problem: AbstractMagneticBlochProblem, k: Array, states: bool, chunk: int, parts: Sublattices | None = None
) -> Spectrum:
    flat = k.reshape(-1, 2)

    def one(point):
        return solve_one(problem, point, states, parts)

    return jax.tree.map(lambda x: x.reshape(*k.shape[:-1], *x.shape[1:]), in_pieces(one, flat, chunk))


def raise_first_failure(status: Array, k: Array) -> None:
    """Raise a `CalculationError` that names the first momentum that failed, if any did."""
    failed = np.flatnonzero(np.asarray(status))
    if failed.size:
        where = np.asarray(k).reshape(-1, 2)[failed[0]]
        code = Status(int(np.asarray(status).reshape(-1)[failed[0]]))
        raise CalculationError(code, f"At k = ({where[0]:.6g}, {where[1]:.6g})")
