"""Chern number as the winding of Wannier centers.

The Berry phases θ of Wilson loops along k2 are, up to a factor, the centers of hybrid Wannier functions along a2. As k1
goes around the zone their sum winds by 2π C (Yu et al., Phys. Rev. B 84, 075119 (2011)). Along k1 everything repeats q
times: from k1 to k1 + 1/q the sum gains 2π C/q, so loops over [0, 1/q) are enough.
"""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from hofstadter._checks import as_integer, warn_if_single_precision
from hofstadter.eigensolver.spectrum import chunk_size
from hofstadter.errors import Status
from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter.topology.chern import ChernNumber, check_bands
from hofstadter.topology.group_states import solve_group_with_slopes
from hofstadter.topology.plaquettes import OFFSET
from hofstadter.topology.settle import Attempt, gaps_and_slopes, settle
from hofstadter.topology.transport import MIN_OVERLAP, berry_phases, product, transport
from hofstadter.topology.wilson import MATRICES_AT_ONCE, check_direction, zone_loops

# A jump of the total phase between neighboring loops that is this far below π cannot be a turn that was missed.
MAX_JUMP = 1.5
# The jumps add up to an integer but for rounding, since the two ends of the flow are the same loop translated.
MAX_RESIDUAL = 1e-3


def wilson_chern(
    problem: AbstractMagneticBlochProblem,
    bands: tuple[int, int],
    *,
    direction: int = 2,
    max_points: int = 96,
    memory_gb: float = 4.0,
    throw: bool = False,
) -> ChernNumber:
    """Chern number of the bands [first, last) from the winding of their Wannier centers.

    Independent of `chern` in method: matrices are parallel transported around the zone, and their eigenvalues followed.
    The mesh is doubled until no winding can be missed: the total phase of neighboring loops differs by far less than π,
    no overlap is ill conditioned, and no gap could close between momenta.

    Args:
        problem: From `hofstadter.at_flux`, not padded.
        bands: First band and the one after the last, counted from 0 at the bottom.
        direction: Which momentum runs along the loops, 1 or 2. Loops along k1 need q times as many momenta.
        max_points: Largest number of momenta per direction in [0, 1/q)².
        memory_gb: Working memory.
        throw: Raise if the number cannot be certified, instead of returning a status.

    Returns:
        The number with its status: OK, GAP_CLOSED, MESH_TOO_COARSE or NOT_FINITE.

    Raises:
        ValueError: If the band range or the direction does not exist.
        hofstadter.CalculationError: With `throw`, if the group touches another band or cannot be resolved.

    Examples:
        >>> import hofstadter as hof
        >>> int(hof.wilson_chern(hof.at_flux(hof.models.square(), "1/3"), (0, 1)))
        1
    """
    warn_if_single_precision()
    bands = check_bands(problem, bands)
    check_direction(direction)
    max_points = as_integer("max_points", max_points, minimum=4)
    chunk = min(MATRICES_AT_ONCE, chunk_size(problem.basis_size, memory_gb))

    def evaluate(points):
        along = points * (problem.flux.q if direction == 1 else 1)
        return _flow(problem, bands, direction, points, along, chunk)

    settled = settle(problem, bands, evaluate, max_points, MAX_RESIDUAL)
    value = float(round(settled.turns)) if settled.status == Status.OK else float("nan")
    number = ChernNumber(value, settled.status, settled.min_gap, settled.min_gap_k)
    if throw:
        int(number)
    return number


def winding(total_phase: Float[Array, " loop"]) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Turns of a phase from the first to the last entry, each step by the shorter way; and the longest step."""
    steps = jnp.diff(total_phase)
    steps = steps - 2 * jnp.pi * jnp.round(steps / (2 * jnp.pi))
    return jnp.sum(steps) / (2 * jnp.pi), jnp.max(jnp.abs(steps))


@eqx.filter_jit
def _flow(problem, bands, direction, points, along, chunk) -> Attempt:
    real = problem.vectors.dtype
    q = problem.q.astype(real)
    step = 1 / (points * q)
    transverse = step * (jnp.arange(points + 1, dtype=real) + float(OFFSET[2 - direction]))
    k, period = zone_loops(problem, direction, along, transverse, float(OFFSET[direction - 1]))
    energies, states, slopes = solve_group_with_slopes(problem, bands, k, chunk)
    carried = transport(problem, bands, k, energies, states, closing=period)
    turns, longest = winding(jnp.sum(berry_phases(product(carried.links)), axis=-1))
    gap, apart = gaps_and_slopes(bands, energies, slopes, step)
    return Attempt(
        turns=turns * q if direction == 2 else -turns,
        certain=(longest < MAX_JUMP) & jnp.all(carried.min_overlap > MIN_OVERLAP),
        gap=gap,
        apart=apart,
        k=k.reshape(-1, 2),
        largest_energy=jnp.max(jnp.abs(energies)),
    )
