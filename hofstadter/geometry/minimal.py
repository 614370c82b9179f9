"""The quantum metric that does not depend on where orbitals are said to sit.

Moving the orbitals of the magnetic cell to x changes the averaged metric G but no physics. The positions that make its
trace smallest, and the smallest G, follow from the problem with all orbitals at the origin:

    G(x)_ij = G(0)_ij − x_i·b_j − x_j·b_i + x_i·L x_j,   L_ab = δ_ab ⟨P_aa⟩ − ⟨|P_ab|²⟩,   b_a,i = (i/2) ⟨[P, ∂iP]_aa⟩,
    L x_i = b_i,   G_min,ij = G(0)_ij − b_i·L⁺ b_j,

with ⟨ ⟩ the average over the magnetic zone. This is the metric of pair masses and superfluid weights: Huhtinen,
Herzog-Arbeitman, Chew, Bernevig and Törmä, Phys. Rev. B 106, 014518 (2022).
"""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from hofstadter._checks import as_integer, fail, warn_if_single_precision
from hofstadter.geometry import averaging
from hofstadter.geometry.metric import cartesian
from hofstadter.geometry.projector import (
    check_group,
    eigenbasis,
    group_mixing,
    group_projector,
    periodic_velocity,
)
from hofstadter.hamiltonian.bloch import TightBindingProblem
from hofstadter.topology.group_flux import direct_gap

# Weights are averages of numbers up to one, exact to rounding: what is below or closer than this is zero or equal.
WEIGHT_TOLERANCE = 1e-9
# Zero modes of L come out at 1e-16; a true eigenvalue this small belongs to orbitals that are all but disconnected.
ZERO_MODE = 1e-12


class MinimalMetric(eqx.Module):
    """Minimal quantum metric of a group of bands. All real numbers are NaN if the gap closes.

    Attributes:
        metric: G_min in Cartesian axes.
        positions: Cartesian positions of the orbitals of the magnetic cell that give it, in the order of the basis.
            What G does not depend on (shifts of connected orbitals, orbitals without weight) is left at the true place.
        weights: ⟨P_aa⟩ of each orbital.
        uniform: Whether all orbitals that carry weight carry the same, the uniform pairing condition.
        carrying: Number of orbitals that carry weight.
        status: `Status` code: OK, GAP_CLOSED, MESH_TOO_COARSE or NOT_FINITE.
        min_gap: Smallest direct gap to the other bands that was seen.
        min_gap_k: Reduced momentum where it was seen.
        change: Change of G_min in the last doubling of the mesh, relative to its trace; NaN for a mesh of given size.
        points: Momenta along k2; there are q times as many along k1.
    """

    metric: Float[Array, "xy xy"]
    positions: Float[Array, "basis xy"]
    weights: Float[Array, " basis"]
    uniform: Bool[Array, ""]
    carrying: Int[Array, ""]
    status: Int[Array, ""]
    min_gap: Float[Array, ""]
    min_gap_k: Float[Array, " 2"]
    change: Float[Array, ""]
    points: int = eqx.field(static=True)


def minimal_metric(
    problem: TightBindingProblem,
    bands: tuple[int, int],
    *,
    points: int | None = None,
    rtol: float = 1e-10,
    max_points: int = 256,
    memory_gb: float = 4.0,
    throw: bool = False,
) -> MinimalMetric:
    """Smallest averaged quantum metric of the bands [first, last) over all positions of the orbitals.

    Args:
        problem: From `hofstadter.at_flux` on a tight-binding model.
        bands: First band and the one after the last, counted from 0 at the bottom.
        points: Momenta along k2 (q times as many along k1); by default doubled until converged. Needed under `jit` and
            `grad`, where the flux must be known.
        rtol: Largest accepted change of G_min in the last doubling, relative to its trace.
        max_points: Where to stop doubling.
        memory_gb: Working memory.
        throw: Raise if the status is not OK. Outside `jit` only.

    Returns:
        The metric, the positions that give it, and the weights of the orbitals.

    Raises:
        ValueError: If the band range is empty or outside of the spectrum.
        hofstadter.CalculationError: With `throw`, if the group touches another band or the mesh is too coarse.
    """
    warn_if_single_precision()
    if not isinstance(problem, TightBindingProblem):
        hint = "A continuum model has no orbitals that could be moved."
        raise fail("problem", "of a tight-binding model", f"a {type(problem).__name__}", hint)
    bands = check_group(problem, bands)
    if points is not None:
        points = as_integer("points", points, minimum=1)
    if not memory_gb > 0:
        raise fail("memory_gb", "positive", memory_gb)
    # The periodic matrix with all orbitals in one place repeats only after the whole magnetic zone.
    average = functools.partial(_average, problem, bands, memory_gb)
    return averaging.converge(MinimalMetric, problem, bands, average, points, rtol, max_points, throw)


def _average(problem, bands, memory_gb, points) -> tuple[dict[str, Array], averaging.Gaps]:
    k = averaging.meshes(problem, problem.cells * points, points)[0]
    tiles, gap, closed_gap = averaging.over_mesh(_tile, problem, bands, k, memory_gb)
    gaps = averaging.Gaps(k, gap.reshape(k.shape[:2]), closed_gap.reshape(k.shape[:2]))
    return _minimize(problem, jax.tree.map(lambda x: x.mean(axis=0), tiles)), gaps


def _tile(problem, bands, k):
    sums, gap, closed_gap = jax.vmap(functools.partial(_one_momentum, problem, bands))(k)
    return jax.tree.map(lambda x: jnp.mean(x, axis=0), sums), gap, closed_gap


@eqx.filter_jit
def _minimize(problem, means) -> dict[str, Array]:
    squares, weights, sources, metric = means
    laplacian = jnp.diag(weights) - squares
    sites = problem.site_positions @ problem.vectors
    inverse = jnp.linalg.pinv(laplacian, rtol=averaging.attainable(ZERO_MODE, laplacian.dtype), hermitian=True)
    minimal = metric - sources @ inverse @ sources.T
    smallest = averaging.attainable(WEIGHT_TOLERANCE, weights.dtype)
    carrying = weights > smallest
    mean_weight = jnp.sum(weights) / jnp.sum(carrying).astype(weights.dtype)
    equal = jnp.abs(weights - mean_weight) <= smallest
    return {
        "metric": (minimal + minimal.T) / 2,
        # The solution of the least-squares problem that is closest to the true positions.
        "positions": sites + inverse @ (sources.T - laplacian @ sites),
        "weights": weights,
        "uniform": jnp.any(carrying) & jnp.all(~carrying | equal),
        "carrying": jnp.sum(carrying),
    }


def _one_momentum(problem, bands, k):
    """|P_ab|², P_aa, (i/2) [P, ∂P]_aa and the metric, with all orbitals at the origin and in Cartesian axes."""
    matrix, change = problem.matrix(k), periodic_velocity(problem, k)
    basis = eigenbasis(matrix, change)
    projector = group_projector(bands, basis, matrix)
    mixing = group_mixing(bands, basis, matrix, change)
    # With X = (1 − P) ∂P P the commutator [P, ∂P] is X† − X.
    sources = jnp.diagonal(mixing, axis1=-2, axis2=-1).imag
    tensor = cartesian(problem, jnp.einsum("iab,jab->ij", mixing.conj(), mixing))
    sums = (
        projector.real**2 + projector.imag**2,
        jnp.diagonal(projector).real,
        (problem.vectors / (2 * jnp.pi)).T @ sources,
        tensor.real,
    )
    return sums, direct_gap(basis.energies, bands), basis.closed_gap
