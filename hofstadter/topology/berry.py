"""Berry flux through plaquettes of the magnetic zone.

The lattice field strength of Fukui, Hatsugai and Suzuki, J. Phys. Soc. Jpn. 74, 1674 (2005), Eqs. (7)-(9), in its
determinant form for groups of bands. Every plaquette flux is gauge invariant by itself, so a patch of plaquettes
needs no boundary condition. The spectrum repeats q times over the magnetic zone: the flux through [0, 1/q)² is 2π
C/q.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float

from hofstadter.eigensolver import dense
from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter.topology import links
from hofstadter.topology.slopes import slopes, stay_apart

# A flux below 1.5 rad is far from the cut at ±π, and halving the mesh step quarters it. Where fine plaquettes meet
# coarse ones, a link and the product of its two halves have different phases: little different if links are long.
MAX_PLAQUETTE_FLUX = 1.5
MIN_LINK = 0.7


class BerryFluxPatch(eqx.Module):
    """Berry flux of the filled bands below every gap through a patch of plaquettes.

    Attributes:
        flux: Flux in radians, positive for C > 0.
        resolved: Whether the flux can be trusted modulo 2π: it is small, its links are long, and at none of the four
            corners levels of the group and other levels would meet nearby if they went on with the slopes that they
            have there. Without the last condition avoided crossings that together carry 2π could hide inside one
            plaquette: energies and states at corners that symmetry relates show nothing of them, but the slopes do.
        min_gap: Smallest direct gap to the other bands at the corners.
    """

    flux: Float[Array, "n1 n2 gap"]
    resolved: Bool[Array, "n1 n2 gap"]
    min_gap: Float[Array, "n1 n2 gap"]


def gap_flux_patch(
    problem: AbstractMagneticBlochProblem, corner: Float[Array, " 2"], step: Float[Array, ""], n: int
) -> BerryFluxPatch:
    """Berry flux of the filled bands below every gap at once, through n × n plaquettes.

    Args:
        problem: The magnetic Bloch problem; padding is allowed.
        corner: Momentum of the lower left corner of the patch.
        step: Side of a plaquette, as a reduced momentum.
        n: Plaquettes per direction.

    Returns:
        The fluxes; entry r − 1 of the last axis belongs to the gap above the r lowest bands.
    """
    k, energies, states = solve_corners(problem, corner, step, n)
    phase, modulus = _links(problem, k, step, states)
    gap = jnp.roll(energies, -1, axis=-1).at[..., -1].set(jnp.inf) - energies
    return _patch(phase, modulus, gap, stay_apart(energies, step * slopes(problem, k, states)))


def solve_corners(
    problem: AbstractMagneticBlochProblem, corner: Float[Array, " 2"], step: Float[Array, ""], n: int
) -> tuple[
    Float[Array, "corner1 corner2 2"],
    Float[Array, "corner1 corner2 band"],
    Complex[Array, "corner1 corner2 basis band"],
]:
    """Momenta, and energies and states of the `solved_bands`, at the (n + 1)² corners of n × n plaquettes."""
    index = jnp.arange(n + 1)
    offsets = jnp.stack(jnp.meshgrid(index, index, indexing="ij"), axis=-1)
    k = corner + step * offsets.astype(corner.dtype)
    solved = slice(*problem.solved_bands)

    def solve(point):
        energies, states = dense.eigensystem(problem.matrix(point))
        return energies[solved], states[:, solved]

    return k, *jax.vmap(jax.vmap(solve))(k)


def _links(problem, k, step, states):
    """Phases and moduli of the links along k1 (n, n + 1) and k2 (n + 1, n), evaluated as one stack."""
    zero = jnp.zeros_like(step)
    dk1, dk2 = jnp.stack([step, zero]), jnp.stack([zero, step])
    along1 = links.overlaps(problem, k[:-1], dk1, states[:-1], states[1:])
    along2 = links.overlaps(problem, k[:, :-1], dk2, states[:, :-1], states[:, 1:])
    sides = [along1.reshape(-1, *along1.shape[2:]), along2.reshape(-1, *along2.shape[2:])]
    # Two LAPACK calls side by side can deadlock XLA's CPU threads, and one is faster.
    values = jax.vmap(links.nested_determinants)(jnp.concatenate(sides))
    count = len(sides[0])
    shape1, shape2 = along1.shape[:2], along2.shape[:2]
    return tuple((x[:count].reshape(*shape1, *x.shape[1:]), x[count:].reshape(*shape2, *x.shape[1:])) for x in values)


def plaquette_flux(
    phase1: Complex[Array, "n1 corner2 *group"], phase2: Complex[Array, "corner1 n2 *group"]
) -> Float[Array, "n1 n2 *group"]:
    """Berry flux through each plaquette, from the link phases along k1 and k2."""
    around = phase1[:, :-1] * phase2[1:] * phase1[:, 1:].conj() * phase2[:-1].conj()
    return -jnp.angle(around)


def _patch(phase, modulus, gap, apart) -> BerryFluxPatch:
    flux = plaquette_flux(*phase)
    link1, link2 = modulus
    shortest = jnp.minimum(jnp.minimum(link1[:, :-1], link1[:, 1:]), jnp.minimum(link2[:-1], link2[1:]))
    min_gap = jnp.min(at_corners(gap), axis=0)
    resolved = (jnp.abs(flux) < MAX_PLAQUETTE_FLUX) & (shortest > MIN_LINK) & jnp.all(at_corners(apart), axis=0)
    return BerryFluxPatch(flux, resolved, min_gap)


def at_corners(value: Array) -> Array:
    """Values at the four corners of every plaquette, stacked."""
    return jnp.stack([value[:-1, :-1], value[1:, :-1], value[:-1, 1:], value[1:, 1:]])
