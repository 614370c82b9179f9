"""Non-Abelian Wilson lines and loops, and Wannier centers, of groups of bands.

Along a path k_0, k_1, …, k_N the Wilson line of the cell-periodic states is the ordered product of overlap matrices
W = Π_j ⟨u(k_j)|u(k_{j+1})⟩ = P exp(−i ∫ A · dk) (Yu et al., Phys. Rev. B 84, 075119 (2011)). On a closed path, k_N =
k_0 + G, its eigenvalues are exp(−iθ); the Berry phases θ = ∮ A · dk locate the hybrid Wannier centers.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from hofstadter._checks import as_integer, fail, is_concrete, warn_if_single_precision
from hofstadter.eigensolver._threads import single_threaded_blas
from hofstadter.eigensolver.spectrum import chunk_size
from hofstadter.errors import CalculationError, Status
from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter.topology.chern import check_bands
from hofstadter.topology.group_states import solve_group
from hofstadter.topology.transport import Transport, berry_phases, product, transport

# Matrices solved at once: enough to keep all cores busy, few enough to stay in cache.
MATRICES_AT_ONCE = 512


class WilsonLine(eqx.Module):
    """Wilson lines of a group of bands along given paths.

    Attributes:
        matrix: Unitary Wilson line, from the states at the end of the path to those at its start.
        phases: Berry phases θ of the eigenvalues exp(−iθ), ascending in [−π, π); NaN for open paths, where they depend
            on the choice of states, and where the group touches another band.
        min_overlap: Smallest singular value of an overlap along each path; 1 for an infinitely fine path.
        min_gap: Smallest direct gap to the other bands along each path; infinite for all bands together.
        worst_k: Momentum that the status is about: of the smallest gap if that is closed, of the first matrix that is
            not finite, and else where the step with the smallest overlap starts.
        status: OK, NOT_FINITE, GAP_CLOSED, or MESH_TOO_COARSE where `min_overlap` is too small.
    """

    matrix: Complex[Array, "*batch m m"]
    phases: Float[Array, "*batch m"]
    min_overlap: Float[Array, "*batch"]
    min_gap: Float[Array, "*batch"]
    worst_k: Float[Array, "*batch 2"]
    status: Int[Array, "*batch"]


class WilsonLoop(eqx.Module):
    """Wilson loops around the magnetic zone, one per transverse momentum.

    Attributes:
        transverse: The momentum that stays fixed along each loop.
        matrix: Unitary Wilson loop in the basis of the eigenstates at the loop's start.
        phases: Berry phases θ of its eigenvalues exp(−iθ), ascending in [−π, π); NaN where the group touches another
            band.
        min_overlap: Smallest singular value of an overlap along each loop; 1 for an infinitely fine path.
        min_gap: Smallest direct gap to the other bands along each loop.
        worst_k: Momentum that the status is about, as in `WilsonLine`.
        status: OK, NOT_FINITE, GAP_CLOSED, or MESH_TOO_COARSE where `min_overlap` is too small (too few steps, or a
            band touching nearby).
    """

    transverse: Float[Array, " loop"]
    matrix: Complex[Array, "loop m m"]
    phases: Float[Array, "loop m"]
    min_overlap: Float[Array, " loop"]
    min_gap: Float[Array, " loop"]
    worst_k: Float[Array, "loop 2"]
    status: Int[Array, " loop"]


def wilson_line(
    problem: AbstractMagneticBlochProblem,
    bands: tuple[int, int],
    k: Any,
    *,
    closing: tuple[int, int] | None = None,
    memory_gb: float = 4.0,
    throw: bool = False,
) -> WilsonLine:
    """Wilson lines along any paths of momenta.

    The phases of a small closed path add up to the Berry flux through it, positive for C > 0 and a path that runs
    counterclockwise. Differentiable in k and the model.

    Args:
        problem: From `hofstadter.at_flux`.
        bands: First band and the one after the last, counted from 0 at the bottom.
        k: Reduced momenta (*batch, points, 2) in the order of the path.
        closing: By default the path is open and ends at its last momentum. (n1, n2) closes it: one more step leads from
            the last momentum to k_0 + (n1, n2)/q, so (0, 0) closes a contractible path, (0, 1) and (q, 0) one around
            the magnetic zone. The states there are those at k_0, translated by a2 n1 p⁻¹ times; such a translation
            multiplies the matrix by a phase that depends on the origin if n1 is no multiple of q.
        memory_gb: Working memory.
        throw: Raise if a status is not OK. Outside `jit` only.

    Returns:
        Matrices, phases and status, with the leading shape of `k`.

    Raises:
        ValueError: If the band range is empty or outside of the spectrum, or `k` is no path.
        hofstadter.CalculationError: With `throw`, if the group touches another band or the steps are too long; the
            message names k.
    """
    warn_if_single_precision()
    bands = check_bands(problem, bands)
    k = jnp.asarray(k)
    if k.ndim < 2 or k.shape[-1] != 2 or k.shape[-2] < (2 if closing is None else 1):
        raise fail("k", "an array of paths (*batch, points, 2)", f"of shape {k.shape}")
    if not memory_gb > 0:
        raise fail("memory_gb", "positive", memory_gb)
    k = k.astype(problem.vectors.dtype)
    shift, translations = None, 0
    if closing is not None:
        n1, n2 = (as_integer("closing", n) for n in closing)
        if n1 and not is_concrete(problem.q):
            raise fail("closing[0]", "0 while q is traced", n1, "How to translate the states depends on q.")
        shift, translations = (n1, n2), n1 % int(problem.q) if n1 else 0
    chunk = min(MATRICES_AT_ONCE, chunk_size(problem.basis_size, memory_gb))
    if not is_concrete(problem, k):
        return _wilson_line(problem, bands, k, shift, translations, chunk)
    with single_threaded_blas():
        line = jax.block_until_ready(_wilson_line(problem, bands, k, shift, translations, chunk))
    if throw:
        raise_first_failure(line.status, line.worst_k)
    return line


def wilson_loop(
    problem: AbstractMagneticBlochProblem,
    bands: tuple[int, int],
    *,
    direction: int = 2,
    steps: int | None = None,
    loops: int = 48,
    memory_gb: float = 4.0,
) -> WilsonLoop:
    """Wilson loops around the magnetic zone.

    With `direction=2` each loop runs over k2 in [0, 1/q) at fixed k1 in [0, 1); the sum of the phases then winds by 2π
    C as k1 goes around. With `direction=1` it runs over k1 in [0, 1) at fixed k2 in [0, 1/q) and the winding is −2π C.
    θ/2π is a Wannier center along a1 (direction 1) or, times q, along a2 (direction 2), in lattice units.

    Args:
        problem: From `hofstadter.at_flux`, not padded.
        bands: First band and the one after the last.
        direction: Which momentum runs along the loop, 1 or 2.
        steps: Momenta along a loop; by default 24, times q for direction 1. The error falls as its inverse square.
        loops: Number of transverse momenta, spread over the zone.
        memory_gb: Working memory.

    Returns:
        Matrices, phases and status of each loop.

    Raises:
        ValueError: If the band range or the direction does not exist.
    """
    warn_if_single_precision()
    bands = check_bands(problem, bands)
    check_direction(direction)
    loops = as_integer("loops", loops, minimum=1)
    if steps is None:
        if not is_concrete(problem.q):
            raise fail("steps", "given while q is traced", None)
        steps = 24 * (problem.flux.q if direction == 1 else 1)
    steps = as_integer("steps", steps, minimum=2)
    chunk = min(MATRICES_AT_ONCE, chunk_size(problem.basis_size, memory_gb))
    if not is_concrete(problem):
        return _wilson_loop(problem, bands, direction, steps, loops, chunk)
    with single_threaded_blas():
        return jax.block_until_ready(_wilson_loop(problem, bands, direction, steps, loops, chunk))


def check_direction(direction: int) -> None:
    """Refuse directions other than 1 and 2."""
    if direction not in (1, 2):
        raise fail("direction", "1 or 2", direction)


def zone_loops(
    problem: AbstractMagneticBlochProblem,
    direction: int,
    steps: int,
    transverse: Float[Array, " loop"],
    offset: float = 0,
) -> tuple[Float[Array, "loop steps 2"], Float[Array, " 2"]]:
    """Momenta along loops around the magnetic zone, and the period that closes them.

    Args:
        problem: The magnetic Bloch problem.
        direction: Which momentum runs along the loop, 1 or 2.
        steps: Momenta along each loop.
        transverse: The momenta that stay fixed.
        offset: Where the loops start, in steps.
    """
    real = problem.vectors.dtype
    length = jnp.ones((), real) if direction == 1 else 1 / problem.q.astype(real)
    along = (jnp.arange(steps, dtype=real) + offset) / steps * length
    fixed, along = jnp.broadcast_arrays(transverse[:, None], along[None, :])
    k = jnp.stack([along, fixed] if direction == 1 else [fixed, along], axis=-1)
    return k, jnp.zeros(2, real).at[direction - 1].set(length)


def raise_first_failure(status: Array, k: Array) -> None:
    """Raise for the first status that is not OK, naming its momentum."""
    failed = np.flatnonzero(np.asarray(status))
    if failed.size:
        place = np.asarray(k).reshape(-1, 2)[failed[0]]
        code = Status(int(np.asarray(status).reshape(-1)[failed[0]]))
        raise CalculationError(code, f"Near k = ({place[0]:.6g}, {place[1]:.6g})")


def _phases(carried: Transport, matrix: Complex[Array, "path m m"]) -> Float[Array, "path m"]:
    defined = (carried.status == int(Status.OK)) | (carried.status == int(Status.MESH_TOO_COARSE))
    phases = berry_phases(matrix)
    return jnp.where(defined[:, None], phases, jnp.full_like(phases, jnp.nan))


@eqx.filter_jit
def _wilson_line(problem, bands, k, closing, translations, chunk) -> WilsonLine:
    paths = k.reshape(-1, *k.shape[-2:])
    shift = None if closing is None else jnp.asarray(closing, k.dtype) / problem.q.astype(k.dtype)
    solved = solve_group(problem, bands, paths, chunk)
    carried = transport(problem, bands, paths, *solved, closing=shift, translations=translations)
    matrix = product(carried.links)
    phases = jnp.full(matrix.shape[:-1], jnp.nan, k.dtype) if closing is None else _phases(carried, matrix)
    line = WilsonLine(matrix, phases, carried.min_overlap, carried.min_gap, carried.worst_k, carried.status)
    return jax.tree.map(lambda x: x.reshape(*k.shape[:-2], *x.shape[1:]), line)


@eqx.filter_jit
def _wilson_loop(problem, bands, direction, steps, loops, chunk) -> WilsonLoop:
    real = problem.vectors.dtype
    width = 1 / problem.q.astype(real) if direction == 1 else jnp.ones((), real)
    transverse = jnp.arange(loops, dtype=real) / loops * width
    k, period = zone_loops(problem, direction, steps, transverse)
    carried = transport(problem, bands, k, *solve_group(problem, bands, k, chunk), closing=period)
    matrix = product(carried.links)
    return WilsonLoop(
        transverse=transverse,
        matrix=matrix,
        phases=_phases(carried, matrix),
        min_overlap=carried.min_overlap,
        min_gap=carried.min_gap,
        worst_k=carried.worst_k,
        status=carried.status,
    )
