"""Nested Wilson loops: polarization of Wannier bands (Benalcazar, Bernevig and Hughes, Science 357, 61 (2017)).

The Wilson loop along one direction has eigenvalues exp(−iθ), the Wannier bands. Where a gap separates some of them from
the others, at every momentum, their Wannier functions form a bundle of their own over the zone,

    |w_j(k)⟩ = Σ_n |u_n(k)⟩ [ν_j(k)]_n    (ν_j: eigenvectors of the Wilson loop that starts at k),

and a second Wilson loop of these along the other direction gives the polarization of the sector.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from hofstadter._checks import as_integer, fail, is_concrete, warn_if_single_precision
from hofstadter.eigensolver._threads import single_threaded_blas
from hofstadter.eigensolver.spectrum import chunk_size
from hofstadter.errors import Status
from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter.topology.chern import check_bands
from hofstadter.topology.group_states import solve_group
from hofstadter.topology.transport import (
    MIN_OVERLAP,
    berry_phases,
    product,
    transport,
    unitary_eigensystem,
    unitary_factor,
)
from hofstadter.topology.wilson import MATRICES_AT_ONCE, check_direction, raise_first_failure, zone_loops

# Wannier bands closer than this, in radians, to another sector or to the cut count as touching it.
MIN_WANNIER_GAP = 1e-2


class NestedWilsonLoop(eqx.Module):
    """Wilson loops of a sector of Wannier bands, one for each start of the first loops.

    Attributes:
        start: Momentum at which the first loops start, the one that stays fixed along the second loop.
        matrix: Unitary Wilson loop in the basis of the sector.
        phases: Berry phases θ of its eigenvalues exp(−iθ), ascending in [−π, π); NaN if the status is GAP_CLOSED or
            NOT_FINITE. Their sum over 2π is the polarization of the sector along the second direction.
        wannier_bands: Phases of the first loops, ascending from the cut, one row per momentum along the second loop.
        wannier_gap: Smallest distance, in radians, of the sector from the other Wannier bands, and of all Wannier bands
            from the cut.
        wannier_gap_at: Momentum along the second loop where it is.
        min_overlap: Smallest singular value of an overlap in the first and the second loops.
        worst_k: Momentum that the status is about.
        status: OK, NOT_FINITE, GAP_CLOSED (the group touches other bands, or the sector other Wannier bands or the cut)
            or MESH_TOO_COARSE.
    """

    start: Float[Array, " loop"]
    matrix: Complex[Array, "loop s s"]
    phases: Float[Array, "loop s"]
    wannier_bands: Float[Array, "steps m"]
    wannier_gap: Float[Array, ""]
    wannier_gap_at: Float[Array, ""]
    min_overlap: Float[Array, ""]
    worst_k: Float[Array, " 2"]
    status: Int[Array, ""]


def nested_wilson_loop(
    problem: AbstractMagneticBlochProblem,
    bands: tuple[int, int],
    sector: tuple[int, int],
    *,
    cut: float = 0.0,
    direction: int = 1,
    steps: int = 24,
    loops: int = 24,
    memory_gb: float = 4.0,
    throw: bool = False,
) -> NestedWilsonLoop:
    """Two-step polarization: Wilson loops along the other direction of some of the Wannier bands.

    Args:
        problem: From `hofstadter.at_flux`, not padded.
        bands: First band and the one after the last.
        sector: Wannier bands [first, last), counted upwards in phase from the cut.
        cut: A phase in radians that no Wannier band crosses, where counting starts.
        direction: Which momentum runs along the first loops, 1 or 2.
        steps: Momenta along the first loops, over the whole magnetic zone.
        loops: Momenta along the second loops, over the whole magnetic zone.
        memory_gb: Working memory.
        throw: Raise if the status is not OK. Outside `jit` only.

    Returns:
        The second loops and the status of both.

    Raises:
        ValueError: If the band range, the sector or the direction does not exist.
        hofstadter.CalculationError: With `throw`, if a gap of bands or of Wannier bands closes; the message names k.
    """
    warn_if_single_precision()
    bands = check_bands(problem, bands)
    first, last = (as_integer("sector", n) for n in sector)
    if not 0 <= first < last <= bands[1] - bands[0]:
        raise fail("sector", f"a non-empty range within 0 … {bands[1] - bands[0]}", f"({first}, {last})")
    check_direction(direction)
    steps, loops = as_integer("steps", steps, minimum=2), as_integer("loops", loops, minimum=2)
    chunk = min(MATRICES_AT_ONCE, chunk_size(problem.basis_size, memory_gb))
    arguments = (problem, bands, (first, last), float(cut), direction, steps, loops, chunk)
    if not is_concrete(problem):
        return _nested(*arguments)
    with single_threaded_blas():
        result = jax.block_until_ready(_nested(*arguments))
    if throw:
        raise_first_failure(result.status, result.worst_k)
    return result


@eqx.filter_jit
def _nested(problem, bands, sector, cut, direction, steps, loops, chunk) -> NestedWilsonLoop:
    real = problem.vectors.dtype
    other = 3 - direction
    width = jnp.ones((), real) if other == 1 else 1 / problem.q.astype(real)
    transverse = jnp.arange(loops, dtype=real) / loops * width
    k, period = zone_loops(problem, direction, steps, transverse)
    energies, states = solve_group(problem, bands, k, chunk)
    carried = transport(problem, bands, k, energies, states, closing=period)

    phases, vectors = _ordered(product(carried.links), cut)
    gap, gap_at = _wannier_gap(phases, sector, cut, transverse)
    # Eigenvectors of the loop that starts at the next momentum are those before, transported by the step in between.
    start = vectors[..., slice(*sector)]

    def carry(here, link):
        return jnp.swapaxes(link, -1, -2).conj() @ here, here

    _, along = jax.lax.scan(carry, start, jnp.swapaxes(carried.links, 0, 1))
    wannier = jnp.einsum("lsia,slab->lsib", states, along)

    dk = jnp.zeros(2, real).at[other - 1].set(width / loops)

    def overlap(point, left, right):
        return left.conj().T @ problem.apply_plane_wave(point, dk, right)

    links, singular = unitary_factor(jax.vmap(jax.vmap(overlap))(k, wannier, jnp.roll(wannier, -1, axis=0)))
    matrix = product(jnp.swapaxes(links, 0, 1))

    first_failure = jnp.argmax(carried.status != int(Status.OK))
    status = carried.status[first_failure]
    worst_k = carried.worst_k[first_failure]
    fine = status == int(Status.OK)
    coarse, closed = jnp.min(singular) <= MIN_OVERLAP, gap <= MIN_WANNIER_GAP
    lowest = k.reshape(-1, 2)[jnp.argmin(singular)]
    at_gap = jnp.zeros(2, real).at[other - 1].set(gap_at)
    worst_k = jnp.where(fine & closed, at_gap, jnp.where(fine, lowest, worst_k))
    here = jnp.where(coarse, int(Status.MESH_TOO_COARSE), int(Status.OK))
    status = jnp.where(fine, jnp.where(closed, int(Status.GAP_CLOSED), here), status).astype(jnp.int32)
    defined = (status == int(Status.OK)) | (status == int(Status.MESH_TOO_COARSE))
    return NestedWilsonLoop(
        start=k[0, :, direction - 1],
        matrix=matrix,
        phases=jnp.where(defined, berry_phases(matrix), jnp.nan),
        wannier_bands=phases,
        wannier_gap=gap,
        wannier_gap_at=gap_at,
        min_overlap=jnp.minimum(jnp.min(carried.min_overlap), jnp.min(singular)),
        worst_k=worst_k,
        status=status,
    )


def _ordered(matrix, cut):
    """Phases θ of the loops, ascending in [cut, cut + 2π), and their eigenvectors in that order."""
    values, vectors = unitary_eigensystem(matrix)
    phases = cut + jnp.mod(-jnp.angle(values) - cut, 2 * jnp.pi)
    order = jnp.argsort(phases, axis=-1)
    return jnp.take_along_axis(phases, order, axis=-1), jnp.take_along_axis(vectors, order[..., None, :], axis=-1)


def _wannier_gap(phases, sector, cut, transverse):
    """Smallest distance of the sector from other Wannier bands and of all from the cut, and where it is."""
    edges = [phases[:, 0] - cut, cut + 2 * np.pi - phases[:, -1]]
    edges += [phases[:, n] - phases[:, n - 1] for n in sector if 0 < n < phases.shape[1]]
    distance = jnp.min(jnp.stack(edges), axis=0)
    return jnp.min(distance), transverse[jnp.argmin(distance)]
