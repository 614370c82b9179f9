"""Following the direct gap of a group of bands down to where it is smallest."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from hofstadter.eigensolver import dense
from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter.topology.group_flux import direct_gap

# From the spacing of the mesh down to 1e-13 of it.
ROUNDS = 60
SHRINK = 0.6


@eqx.filter_jit
def smallest_gap_near(
    problem: AbstractMagneticBlochProblem,
    bands: tuple[int, int],
    starts: Float[Array, "start 2"],
    width: Float[Array, "*directions"],
) -> tuple[Float[Array, ""], Float[Array, " 2"]]:
    """Smallest direct gap of the bands [first, last), by pattern search on 3 × 3 momenta that shrink around it.

    Args:
        problem: The magnetic Bloch problem.
        bands: The group.
        starts: Reduced momenta to start from.
        width: First spacing of the 3 × 3 momenta, the same in both directions or one for each.

    Returns:
        The gap and its momentum.
    """
    index = jnp.arange(-1, 2)
    pattern = jnp.stack(jnp.meshgrid(index, index, indexing="ij"), axis=-1).reshape(-1, 2).astype(starts.dtype)

    def gap_at(k):
        return direct_gap(dense.eigenvalues(problem.matrix(k)), bands)

    def search(start):
        def shrink(number, center):
            k = center + pattern * width * SHRINK ** number.astype(starts.dtype)
            return k[jnp.argmin(jax.vmap(gap_at)(k))]

        return jax.lax.fori_loop(0, ROUNDS, shrink, start)

    places = jax.vmap(search)(starts)
    gaps = jax.vmap(gap_at)(places)
    lowest = jnp.argmin(gaps)
    return gaps[lowest], places[lowest]
