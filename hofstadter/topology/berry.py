"""Berry flux through plaquettes of the magnetic zone, and Chern numbers that are certified or refused.

The lattice field strength of Fukui, Hatsugai and Suzuki, J. Phys. Soc. Jpn. 74, 1674 (2005), Eqs. (7)-(9), in its
determinant form for groups of bands. The spectrum repeats q times over the magnetic zone, so the flux through the
reduced zone [0, 1/q)² is 2π C/q.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter.topology import links

# A plaquette flux below 1 rad is far from the cut at ±π, and halving the mesh step quarters it; a link of modulus 0.1
# still has a phase good to 1e-14. Finer meshes cost, coarser ones could lose a whole 2π.
MAX_PLAQUETTE_FLUX = 1.0
MIN_LINK = 0.1


class BerryFlux(eqx.Module):
    """Berry flux of band groups, summed over the magnetic zone.

    Attributes:
        chern: Total flux over 2π, not rounded.
        max_plaquette_flux: Largest |flux| of a plaquette, in radians.
        min_link: Smallest modulus of a link determinant.
        min_gap: Smallest direct gap that separates the group from the other bands, on the mesh.
        min_gap_k: Where it is.
    """

    chern: Float[Array, "*group"]
    max_plaquette_flux: Float[Array, "*group"]
    min_link: Float[Array, "*group"]
    min_gap: Float[Array, "*group"]
    min_gap_k: Float[Array, "*group 2"]

    @property
    def certified(self) -> Array:
        """Whether every plaquette is resolved, so that rounding `chern` is safe."""
        integer = jnp.abs(self.chern - jnp.round(self.chern)) < 1e-3
        return (self.max_plaquette_flux < MAX_PLAQUETTE_FLUX) & (self.min_link > MIN_LINK) & integer


def gap_berry_flux(problem: AbstractMagneticBlochProblem, n: int) -> BerryFlux:
    """Berry flux of the filled bands below every gap at once, on an n × n mesh of the reduced zone.

    Args:
        problem: The magnetic Bloch problem; padding is allowed.
        n: Mesh points along each direction.

    Returns:
        Arrays whose entry r − 1 belongs to the gap above the r lowest bands.
    """
    mesh = links.states_on_mesh(problem, n, n)
    # The overlaps along k1 and k2 go in as one stack: one elimination instead of two.
    along1, along2 = (x.reshape(-1, *x.shape[2:]) for x in links.mesh_overlaps(problem, mesh))
    phase, modulus = jax.vmap(links.nested_determinants)(jnp.concatenate([along1, along2]))
    above = jnp.roll(mesh.energies[:-1], -1, axis=-1).at[..., -1].set(jnp.inf)
    return _sum_plaquettes(problem, mesh, phase, modulus, above - mesh.energies[:-1])


def group_berry_flux(problem: AbstractMagneticBlochProblem, bands: tuple[int, int], n: int) -> BerryFlux:
    """Berry flux of the bands [first, last) on an n × n mesh of the reduced zone."""
    first, last = bands
    mesh = links.states_on_mesh(problem, n, n)
    along1, along2 = (x.reshape(-1, *x.shape[2:]) for x in links.mesh_overlaps(problem, mesh, first, last))
    phase, modulus = links.determinant(jnp.concatenate([along1, along2]))
    energies = mesh.energies[:-1]
    gap = jnp.full(energies.shape[:-1], jnp.inf)
    if first > 0:
        gap = jnp.minimum(gap, energies[..., first] - energies[..., first - 1])
    if last < energies.shape[-1]:
        gap = jnp.minimum(gap, energies[..., last] - energies[..., last - 1])
    return _sum_plaquettes(problem, mesh, phase, modulus, gap)


def plaquette_flux(phase1: Array, phase2: Array) -> Array:
    """Flux through each plaquette in radians, from the link phases along k1 and (one row more) along k2."""
    around = phase1 * phase2[1:] * jnp.roll(phase1, -1, axis=1).conj() * phase2[:-1].conj()
    return -jnp.angle(around)


def _sum_plaquettes(problem, mesh, phase, modulus, gap) -> BerryFlux:
    """Sum fluxes; `phase` and `modulus` list the links along k1 and then those along k2, mesh point by mesh point."""
    n1, n2 = gap.shape[:2]
    phase1, phase2 = (x.reshape(-1, n2, *phase.shape[1:]) for x in (phase[: n1 * n2], phase[n1 * n2 :]))
    flux = plaquette_flux(phase1, phase2)
    flat_gap = gap.reshape(n1 * n2, *gap.shape[2:])
    where = jnp.argmin(flat_gap, axis=0)
    return BerryFlux(
        chern=problem.q * jnp.sum(flux, axis=(0, 1)) / (2 * jnp.pi),
        max_plaquette_flux=jnp.max(jnp.abs(flux), axis=(0, 1)),
        min_link=jnp.min(modulus, axis=0),
        min_gap=jnp.min(flat_gap, axis=0),
        min_gap_k=mesh.k[:-1].reshape(-1, 2)[where],
    )
