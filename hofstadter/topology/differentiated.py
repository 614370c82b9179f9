"""Chern number by automatic differentiation of the Berry phase of loops.

Along k2 the total Berry phase of a discretized loop is Φ(k1) = −Im log Π_j det ⟨u(k_j)|u(k_{j+1})⟩. It does not depend
on the choice of states, and it is a smooth function of k1 whose derivative JAX takes through the eigenvectors
(`group_states`), the plane waves and the determinants. Since Φ gains 2π C as k1 goes around the zone,

    C = (1/2π) ∫ (dΦ/dk1) dk1.

dΦ/dk1 repeats with period 1/q, so its mean over a uniform mesh converges exponentially. Nothing is rounded: how far the
result is from an integer is a measure of its error.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from hofstadter._checks import as_integer, fail, is_concrete, warn_if_single_precision
from hofstadter.eigensolver._threads import single_threaded_blas
from hofstadter.eigensolver.pieces import in_pieces
from hofstadter.eigensolver.spectrum import chunk_size
from hofstadter.errors import CalculationError, Status
from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter.topology import berry
from hofstadter.topology.chern import check_bands
from hofstadter.topology.group_flux import determinant
from hofstadter.topology.group_states import solve_group_with_slopes
from hofstadter.topology.plaquettes import OFFSET
from hofstadter.topology.settle import Attempt, gaps_and_slopes, settle, status_on_mesh
from hofstadter.topology.wilson import MATRICES_AT_ONCE, zone_loops

# The mean over the mesh converges exponentially once the mesh resolves the bands at all, so an integer to this accuracy
# is no coincidence.
MAX_RESIDUAL = 1e-3


class DifferentiatedChern(eqx.Module):
    """A Chern number as an integral of a derivative.

    Attributes:
        value: The integer; NaN if it is not certified.
        integral: (1/2π) ∫ dΦ/dk1 as it came out; NaN if the group touches another band.
        residual: Its distance from the nearest integer.
        status: `Status` code: OK, GAP_CLOSED, MESH_TOO_COARSE or NOT_FINITE.
        min_gap: Smallest direct gap to the other bands that was seen.
        min_gap_k: Reduced momentum where it was seen.
        points: Momenta per direction in [0, 1/q)².
    """

    value: Float[Array, ""]
    integral: Float[Array, ""]
    residual: Float[Array, ""]
    status: Int[Array, ""]
    min_gap: Float[Array, ""]
    min_gap_k: Float[Array, " 2"]
    points: int = eqx.field(static=True)


def differentiated_chern(
    problem: AbstractMagneticBlochProblem,
    bands: tuple[int, int],
    *,
    points: int | None = None,
    max_points: int = 96,
    memory_gb: float = 4.0,
    throw: bool = False,
) -> DifferentiatedChern:
    """Chern number of the bands [first, last) by differentiating the Berry phase of loops along k2 with respect to k1.

    Args:
        problem: From `hofstadter.at_flux`, not padded.
        bands: First band and the one after the last, counted from 0 at the bottom.
        points: Momenta per direction in [0, 1/q)²; by default doubled until the number is certain. Needed under `jit`.
        max_points: Where to stop doubling.
        memory_gb: Working memory.
        throw: Raise if the number is not certified. Outside `jit` only.

    Returns:
        The integral, its residual, the integer and the status.

    Raises:
        ValueError: If the band range is empty or outside of the spectrum.
        hofstadter.CalculationError: With `throw`, if the group touches another band or the mesh is too coarse.
    """
    warn_if_single_precision()
    bands = check_bands(problem, bands)
    if points is not None:
        points = as_integer("points", points, minimum=2)
    max_points = as_integer("max_points", max_points, minimum=4)
    chunk = min(MATRICES_AT_ONCE, chunk_size(problem.basis_size, memory_gb))
    if not is_concrete(problem):
        if points is None:
            raise fail("points", "given while the problem is traced", None, "The mesh cannot be chosen then.")
        attempt = _integrate(problem, bands, points, chunk)
        residual = jnp.abs(attempt.turns - jnp.round(attempt.turns))
        lowest = jnp.argmin(attempt.gap)
        status = status_on_mesh(attempt, residual, MAX_RESIDUAL)
        return _result(attempt.turns, residual, status, attempt.gap[lowest], attempt.k[lowest], points)

    def evaluate(size):
        return jax.block_until_ready(_integrate(problem, bands, size, chunk))

    with single_threaded_blas():
        settled = settle(problem, bands, evaluate, points or max_points, MAX_RESIDUAL, first_points=points)
    if throw and settled.status != Status.OK:
        k1, k2 = settled.min_gap_k
        where = f"Near k = ({k1:.6g}, {k2:.6g}), direct gap {settled.min_gap:.3g}"
        raise CalculationError(settled.status, where)
    real = problem.vectors.dtype
    numbers = (settled.turns, settled.residual, settled.status, settled.min_gap, settled.min_gap_k)
    turns, residual, status, gap, k = (jnp.asarray(x) for x in numbers)
    return _result(turns.astype(real), residual.astype(real), status, gap.astype(real), k.astype(real), settled.points)


def _result(turns, residual, status, gap, k, points) -> DifferentiatedChern:
    touching = status == int(Status.GAP_CLOSED)
    undefined = jnp.full_like(turns, jnp.nan)
    return DifferentiatedChern(
        value=jnp.where(status == int(Status.OK), jnp.round(turns), undefined),
        integral=jnp.where(touching, undefined, turns),
        residual=jnp.where(touching, undefined, residual),
        status=status.astype(jnp.int32),
        min_gap=gap,
        min_gap_k=k,
        points=points,
    )


@eqx.filter_jit
def _integrate(problem, bands, points, chunk) -> Attempt:
    real = problem.vectors.dtype
    step = 1 / (points * problem.q.astype(real))
    transverse = step * (jnp.arange(points, dtype=real) + float(OFFSET[0]))

    def phase(k1):
        """Φ(k1), and what the certificate needs."""
        k, period = zone_loops(problem, 2, points, k1[None], float(OFFSET[1]))
        energies, states, slopes = solve_group_with_slopes(problem, bands, k[0], chunk)
        links = determinant(_overlaps(problem, k[0], states, period))
        return -jnp.sum(jnp.angle(links)), (k[0], energies, slopes, jnp.min(jnp.abs(links)))

    def derivative(k1):
        _, change, rest = jax.jvp(phase, (k1,), (jnp.ones_like(k1),), has_aux=True)
        return change, rest

    change, (k, energies, slopes, link) = in_pieces(derivative, transverse, max(1, chunk // points))
    gap, apart = gaps_and_slopes(bands, energies, slopes, step)
    return Attempt(
        turns=jnp.mean(change) / (2 * jnp.pi),
        certain=jnp.min(link) > berry.MIN_LINK,
        gap=gap,
        apart=apart,
        k=k.reshape(-1, 2),
        largest_energy=jnp.max(jnp.abs(energies)),
    )


def _overlaps(problem, k, states, period):
    """Overlaps ⟨u(k_j)|u(k_{j+1})⟩ around one loop."""
    step = period / k.shape[0]

    def overlap(point, left, right):
        return left.conj().T @ problem.apply_plane_wave(point, step, right)

    return jax.vmap(overlap)(k, states, jnp.roll(states, -1, axis=0))
