"""Non-Abelian Wilson loops and Wannier centers of groups of bands.

Along a closed path k_0, k_1, …, k_N = k_0 + G the Wilson loop of the cell-periodic states is the ordered product of
overlap matrices W = Π_j ⟨u(k_j)|u(k_{j+1})⟩ = P exp(−i ∮ A · dk) (Yu et al., Phys. Rev. B 84, 075119 (2011)).
Its eigenvalues are exp(−iθ); the Berry phases θ = ∮ A · dk locate the hybrid Wannier centers.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Int

from hofstadter._checks import as_integer, fail, is_concrete, warn_if_single_precision
from hofstadter.eigensolver import dense
from hofstadter.eigensolver._threads import single_threaded_blas
from hofstadter.errors import Status
from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter.topology import links
from hofstadter.topology.chern import check_bands

# Overlaps of neighboring momenta with a singular value below this do not describe one smooth group of bands.
MIN_OVERLAP = 0.3


class WilsonLoop(eqx.Module):
    """Wilson loops of a group of bands, one per transverse momentum.

    Attributes:
        transverse: The momentum that stays fixed along each loop.
        matrix: Unitary Wilson loop in the basis of the eigenstates at the loop's start.
        phases: Berry phases θ of its eigenvalues exp(−iθ), ascending in [−π, π).
        min_overlap: Smallest singular value of an overlap along each loop; 1 for an infinitely fine path.
        status: OK, or MESH_TOO_COARSE where `min_overlap` is too small (too few steps, or a band touching).
    """

    transverse: Float[Array, " loop"]
    matrix: Complex[Array, "loop m m"]
    phases: Float[Array, "loop m"]
    min_overlap: Float[Array, " loop"]
    status: Int[Array, " loop"]


def wilson_loop(
    problem: AbstractMagneticBlochProblem,
    bands: tuple[int, int],
    *,
    direction: int = 2,
    steps: int | None = None,
    loops: int = 48,
) -> WilsonLoop:
    """Wilson loops around the magnetic zone.

    With `direction=2` each loop runs over k2 in [0, 1/q) at fixed k1 in [0, 1); the sum of the phases then winds by
    2π C as k1 goes around. With `direction=1` it runs over k1 in [0, 1) at fixed k2 in [0, 1/q) and the winding is
    −2π C. θ/2π is a Wannier center along a1 (direction 1) or, times q, along a2 (direction 2), in lattice units.

    Args:
        problem: From `hofstadter.at_flux`, not padded.
        bands: First band and the one after the last.
        direction: Which momentum runs along the loop, 1 or 2.
        steps: Momenta along a loop; by default 24, times q for direction 1. The error falls as its inverse square.
        loops: Number of transverse momenta, spread over the zone.

    Returns:
        Matrices, phases and status of each loop.

    Raises:
        ValueError: If the band range or the direction does not exist.
    """
    warn_if_single_precision()
    bands = check_bands(problem, bands)
    if direction not in (1, 2):
        raise fail("direction", "1 or 2", direction)
    loops = as_integer("loops", loops, minimum=1)
    if steps is None:
        steps = 24 * (problem.flux.q if direction == 1 else 1)
    steps = as_integer("steps", steps, minimum=2)
    if not is_concrete(problem):
        return _wilson_loop(problem, bands, direction, steps, loops)
    with single_threaded_blas():
        return jax.block_until_ready(_wilson_loop(problem, bands, direction, steps, loops))


@eqx.filter_jit
def _wilson_loop(
    problem: AbstractMagneticBlochProblem, bands: tuple[int, int], direction: int, steps: int, loops: int
) -> WilsonLoop:
    real = problem.vectors.dtype
    lengths = jnp.stack([jnp.ones((), real), 1 / problem.q.astype(real)])
    along = jnp.arange(steps, dtype=real) / steps * lengths[direction - 1]
    transverse = jnp.arange(loops, dtype=real) / loops * lengths[2 - direction]
    step = lengths[direction - 1] / steps
    dk = jnp.zeros(2, real).at[direction - 1].set(step)

    def momenta(fixed):
        fixed = jnp.full_like(along, fixed)
        return jnp.stack([along, fixed] if direction == 1 else [fixed, along], axis=-1)

    k = jax.vmap(momenta)(transverse)
    _, states = jax.vmap(jax.vmap(lambda point: dense.eigensystem(problem.matrix(point))))(k)
    states = states[..., bands[0] : bands[1]]
    overlap = links.overlaps(problem, k, dk, states, jnp.roll(states, -1, axis=1))
    left, singular, right = jnp.linalg.svd(overlap)
    # The unitary factor of each overlap: parallel transport without the shrinking of a finite step.
    transport = left @ right
    matrix = jax.lax.associative_scan(jnp.matmul, transport, axis=1)[:, -1]
    phases = jnp.sort(-jnp.angle(_unitary_eigenvalues(matrix)), axis=-1)
    min_overlap = jnp.min(singular, axis=(1, 2))
    status = jnp.where(min_overlap > MIN_OVERLAP, int(Status.OK), int(Status.MESH_TOO_COARSE))
    return WilsonLoop(transverse, matrix, phases, min_overlap, status)


def _unitary_eigenvalues(matrix: Complex[Array, "loop m m"]) -> Complex[Array, "loop m"]:
    """Eigenvalues of unitary matrices by Hermitian solvers, which run on every device.

    A unitary matrix shares its eigenvectors with cos χ Re W + sin χ Im W, where Re W = (W + W†)/2 and
    Im W = (W − W†)/2i; a generic angle χ makes eigenvalues differ that the real part alone would not tell apart.
    """
    adjoint = jnp.swapaxes(matrix, -1, -2).conj()
    hermitian = 0.7 * (matrix + adjoint) / 2 - 0.3j * (matrix - adjoint)
    _, vectors = dense.eigensystem(hermitian)
    return jnp.einsum("lji,ljk,lki->li", vectors.conj(), matrix, vectors)
