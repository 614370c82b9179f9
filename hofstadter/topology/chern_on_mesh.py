"""Chern numbers of many groups of bands on one uniform mesh, in one compiled program of bounded memory.

The method of Fukui, Hatsugai and Suzuki, J. Phys. Soc. Jpn. 74, 1674 (2005). The mesh covers [0, 1/q)², over which the
spectrum is periodic and the flux is 2π C/q; on a uniform mesh that sum is exact up to rounding and whole turns.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from hofstadter._checks import as_integer, fail, is_concrete, warn_if_single_precision
from hofstadter.eigensolver import dense
from hofstadter.eigensolver._threads import single_threaded_blas
from hofstadter.eigensolver.pieces import in_pieces
from hofstadter.eigensolver.spectrum import chunk_size
from hofstadter.errors import CalculationError, Status
from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter.topology.chern import CLOSED_GAP, check_bands
from hofstadter.topology.group_flux import Groups, plaquette_fluxes
from hofstadter.topology.plaquettes import OFFSET

# Matrices solved at once: enough to keep all cores busy, few enough to stay in cache.
MATRICES_AT_ONCE = 512
# The integer and the sum over plaquettes differ by rounding alone unless a flux was not resolved.
MAX_ROUNDING = 1e-3


class MeshChern(eqx.Module):
    """Chern numbers on a mesh of given size, with what certifies them. All arrays have one entry per group.

    Attributes:
        value: The Chern numbers; NaN where they are not certified.
        status: `Status` code: OK, GAP_CLOSED (a touching point on the mesh), MESH_TOO_COARSE or NOT_FINITE.
        max_flux: Largest |flux| of a plaquette in radians; π would be a guess.
        min_link: Smallest modulus of a link; 1 on an infinitely fine mesh.
        min_gap: Smallest direct gap to the other bands.
        min_gap_k: Reduced momentum where it is.
        unresolved: Number of plaquettes whose flux cannot be trusted.
        unresolved_k: Lower left corner of the worst of them: the one with the smallest gap.
        residual: Distance of the sum over plaquettes from the integer.
        points: Momenta per direction in [0, 1/q)².
    """

    value: Float[Array, " group"]
    status: Int[Array, " group"]
    max_flux: Float[Array, " group"]
    min_link: Float[Array, " group"]
    min_gap: Float[Array, " group"]
    min_gap_k: Float[Array, "group 2"]
    unresolved: Int[Array, " group"]
    unresolved_k: Float[Array, "group 2"]
    residual: Float[Array, " group"]
    points: int = eqx.field(static=True)


def chern_on_mesh(
    problem: AbstractMagneticBlochProblem,
    groups: Groups | None = None,
    *,
    points: int = 24,
    memory_gb: float = 4.0,
    throw: bool = False,
) -> MeshChern:
    """Chern numbers of several groups of bands on one mesh, which is not refined: fast, and traceable.

    For all single bands this costs little more than the eigenvectors. `chern` refines the mesh where needed and so gets
    through narrow gaps. Works under `jit` and `vmap`, also over models and over fluxes of padded problems.

    Args:
        problem: From `hofstadter.at_flux`.
        groups: Band ranges [first, last); by default every band by itself.
        points: Momenta per direction in [0, 1/q)².
        memory_gb: Working memory.
        throw: Raise if any number is not certified. Outside `jit` only.

    Returns:
        Numbers and certificate of each group.

    Raises:
        ValueError: If a band range is empty or outside of the spectrum, or there is no group.
        hofstadter.CalculationError: With `throw`, if a number is not certified; the message names group and k.
    """
    warn_if_single_precision()
    if groups is None:
        available = int(problem.bands) if is_concrete(problem.q) else problem.basis_size
        groups = [(n, n + 1) for n in range(available)]
    groups = tuple(check_bands(problem, bands) for bands in groups)
    if not groups:
        raise fail("groups", "at least one pair (first, last)", "empty")
    points = as_integer("points", points, minimum=2)
    if not memory_gb > 0:
        raise fail("memory_gb", "positive", memory_gb)
    chunk = min(MATRICES_AT_ONCE, chunk_size(problem.basis_size, memory_gb))
    if not is_concrete(problem):
        return _on_mesh(problem, groups, points, chunk)
    with single_threaded_blas():
        result = jax.block_until_ready(_on_mesh(problem, groups, points, chunk))
    if throw:
        _raise_first_failure(result, groups)
    return result


class _Summary(NamedTuple):
    """What is kept of one slab of plaquettes, per group."""

    flux: Array
    max_flux: Array
    min_link: Array
    min_gap: Array
    min_gap_k: Array
    unresolved: Array
    unresolved_gap: Array
    unresolved_k: Array
    largest_energy: Array
    finite: Array


@eqx.filter_jit
def _on_mesh(problem: AbstractMagneticBlochProblem, groups: Groups, points: int, chunk: int) -> MeshChern:
    real = problem.vectors.dtype
    q = problem.q.astype(real)
    step = 1 / (points * q)
    rows = max(d for d in range(1, points + 1) if points % d == 0 and d <= max(1, chunk // points))

    def solve_rows(index):
        """Momenta, energies and states of some rows; the last column repeats the first one, at k2 + 1/q."""
        places = jnp.stack(jnp.meshgrid(index, jnp.arange(points + 1), indexing="ij"), axis=-1)
        k = step * (places.astype(real) + jnp.asarray(OFFSET, real))
        flat = k[:, :-1].reshape(-1, 2)
        energies, states = _solve(problem, flat, chunk)
        shape = k[:, :-1].shape[:2]
        energies, states = energies.reshape(*shape, -1), states.reshape(*shape, *states.shape[1:])
        return k, *(jnp.concatenate([x, x[:, :1]], axis=1) for x in (energies, states))

    def slab(last_row, index):
        solved = solve_rows(index)
        k, energies, states = (jnp.concatenate([x, y]) for x, y in zip(last_row, solved, strict=True))
        fluxes = plaquette_fluxes(problem, groups, k, step, energies, states)
        return tuple(x[-1:] for x in solved), _summarize(k, energies, fluxes)

    first_row = solve_rows(jnp.arange(1))
    slabs = 1 + jnp.arange(points).reshape(-1, rows)
    _, parts = jax.lax.scan(slab, first_row, slabs)
    return _result(problem, groups, points, parts)


def _solve(problem, k, chunk):
    def one(point):
        return dense.eigensystem(problem.matrix(point))

    return in_pieces(one, k, chunk)


def _summarize(k, energies, fluxes) -> _Summary:
    flux, link, gap, resolved = (
        x.reshape(-1, x.shape[-1]) for x in (fluxes.flux, fluxes.link, fluxes.gap, fluxes.resolved)
    )
    corners = k[:-1, :-1].reshape(-1, 2)
    unresolved_gap = jnp.where(resolved, jnp.full_like(gap, jnp.inf), gap)
    return _Summary(
        flux=jnp.sum(flux, axis=0),
        max_flux=jnp.max(jnp.abs(flux), axis=0),
        min_link=jnp.min(link, axis=0),
        min_gap=jnp.min(gap, axis=0),
        min_gap_k=corners[jnp.argmin(gap, axis=0)],
        unresolved=jnp.sum(~resolved, axis=0),
        unresolved_gap=jnp.min(unresolved_gap, axis=0),
        unresolved_k=corners[jnp.argmin(unresolved_gap, axis=0)],
        largest_energy=jnp.max(jnp.abs(energies)),
        finite=jnp.all(jnp.isfinite(energies)),
    )


def _result(problem, groups, points, parts: _Summary) -> MeshChern:
    q, p = problem.q, problem.p
    real = parts.flux.dtype
    every = np.arange(len(groups))
    lowest, worst = jnp.argmin(parts.min_gap, axis=0), jnp.argmin(parts.unresolved_gap, axis=0)
    min_gap, unresolved = jnp.min(parts.min_gap, axis=0), jnp.sum(parts.unresolved, axis=0)
    total = q.astype(real) * jnp.sum(parts.flux, axis=0) / (2 * jnp.pi)
    value = jnp.round(total)
    residual = jnp.abs(total - value)
    # r = s q + t p: the number of bands in the group fixes C modulo q.
    sizes = jnp.asarray([last - first for first, last in groups])
    allowed = jnp.mod(jnp.where(jnp.isfinite(value), value, 0).astype(sizes.dtype) * p - sizes, q) == 0
    closed = min_gap <= CLOSED_GAP * jnp.max(parts.largest_energy)
    certain = (unresolved == 0) & (residual < MAX_ROUNDING) & allowed
    status = jnp.where(certain, int(Status.OK), int(Status.MESH_TOO_COARSE))
    status = jnp.where(closed, int(Status.GAP_CLOSED), status)
    status = jnp.where(jnp.all(parts.finite), status, int(Status.NOT_FINITE)).astype(jnp.int32)
    unresolved_k = parts.unresolved_k[worst, every]
    return MeshChern(
        value=jnp.where(status == int(Status.OK), value, jnp.full_like(value, jnp.nan)),
        status=status,
        max_flux=jnp.max(parts.max_flux, axis=0),
        min_link=jnp.min(parts.min_link, axis=0),
        min_gap=min_gap,
        min_gap_k=parts.min_gap_k[lowest, every],
        unresolved=unresolved,
        unresolved_k=jnp.where((unresolved > 0)[:, None], unresolved_k, jnp.full_like(unresolved_k, jnp.nan)),
        residual=residual,
        points=points,
    )


def _raise_first_failure(result: MeshChern, groups: Groups) -> None:
    failed = np.flatnonzero(np.asarray(result.status))
    if failed.size:
        n = failed[0]
        status = Status(int(result.status[n]))
        k = np.asarray(result.min_gap_k if status == Status.GAP_CLOSED else result.unresolved_k)[n]
        where = f"Bands [{groups[n][0]}, {groups[n][1]}) near k = ({k[0]:.6g}, {k[1]:.6g})"
        raise CalculationError(status, where)
