"""Berry flux of many groups of bands at once: groups of one size share one array operation.

A group of a single band needs no determinant, only the overlap of that band with itself. So all single bands together
cost no more than one product of two arrays of states, and a program for a hundred bands is no longer than one for two.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float

from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter.topology import berry, links
from hofstadter.topology.slopes import slopes, stay_apart
from hofstadter_kernels import det_small
from hofstadter_kernels.det_small.reference import MOST_EXPANDED

Groups = Sequence[tuple[int, int]]


class PlaquetteFluxes(NamedTuple):
    """Berry flux of groups of bands through plaquettes, and whether it can be trusted.

    Attributes:
        flux: Flux in radians, positive for C > 0.
        link: Smallest modulus of the links around each plaquette.
        gap: Smallest direct gap to the other bands at its corners.
        resolved: Whether the flux is certain modulo 2π; the conditions stand at `berry.BerryFluxPatch`.
    """

    flux: Float[Array, "n1 n2 group"]
    link: Float[Array, "n1 n2 group"]
    gap: Float[Array, "n1 n2 group"]
    resolved: Bool[Array, "n1 n2 group"]


def flux_patch(
    problem: AbstractMagneticBlochProblem,
    groups: Groups,
    corner: Float[Array, " 2"],
    step: Float[Array, ""],
    n: int,
) -> PlaquetteFluxes:
    """Fluxes of groups of bands through n × n plaquettes of side `step`, the first one with its corner at `corner`."""
    k, energies, states = berry.solve_corners(problem, corner, step, n)
    return plaquette_fluxes(problem, groups, k, step, energies, states)


def plaquette_fluxes(
    problem: AbstractMagneticBlochProblem,
    groups: Groups,
    k: Float[Array, "corner1 corner2 2"],
    step: Float[Array, ""],
    energies: Float[Array, "corner1 corner2 band"],
    states: Complex[Array, "corner1 corner2 basis band"],
) -> PlaquetteFluxes:
    """Flux of each group of bands [first, last) through the plaquettes between solved momenta.

    Args:
        problem: The magnetic Bloch problem.
        groups: Band ranges; they may overlap.
        k: Corners of the plaquettes, a square mesh.
        step: Side of a plaquette.
        energies: Ascending energies at the corners.
        states: Eigenvectors at the corners.

    Returns:
        Fluxes of n1 × n2 plaquettes, one less than there are corners per direction.
    """
    zero = jnp.zeros_like(step)
    dk1, dk2 = jnp.stack([step, zero]), jnp.stack([zero, step])
    phase1, modulus1 = link_variables(problem, groups, k[:-1], dk1, states[:-1], states[1:])
    if max(last - first for first, last in groups) > MOST_EXPANDED:
        # LAPACK calls that run side by side can deadlock XLA's CPU threads, so the second set waits for the first.
        states = jnp.where(jnp.isnan(modulus1).any(), jnp.nan, states)
    phase2, modulus2 = link_variables(problem, groups, k[:, :-1], dk2, states[:, :-1], states[:, 1:])
    flux = berry.plaquette_flux(phase1, phase2)
    sides = [modulus1[:, :-1], modulus1[:, 1:], modulus2[:-1], modulus2[1:]]
    link = jnp.min(jnp.stack(sides), axis=0)
    gap = jnp.min(berry.at_corners(direct_gaps(energies, groups)), axis=0)
    apart = jnp.all(berry.at_corners(_stay_apart(problem, groups, k, step, energies, states)), axis=0)
    resolved = (jnp.abs(flux) < berry.MAX_PLAQUETTE_FLUX) & (link > berry.MIN_LINK) & apart
    return PlaquetteFluxes(flux, link, gap, resolved)


def link_variables(
    problem: AbstractMagneticBlochProblem,
    groups: Groups,
    k: Float[Array, "*mesh 2"],
    dk: Float[Array, " 2"],
    bra: Complex[Array, "*mesh basis band"],
    ket: Complex[Array, "*mesh basis band"],
) -> tuple[Complex[Array, "*mesh group"], Float[Array, "*mesh group"]]:
    """Phase factors and moduli of det ⟨u_a(k)|u_b(k + dk)⟩, a and b in the group, for each group."""

    def moved(point, right):
        return problem.apply_plane_wave(point, dk, right)

    for _ in range(k.ndim - 1):
        moved = jax.vmap(moved)
    left, right = bra.conj(), moved(k, ket)
    firsts, sizes = np.array([first for first, _ in groups]), np.array([last - first for first, last in groups])
    parts, order = [], []
    for size in np.unique(sizes):
        (members,) = np.nonzero(sizes == size)
        order.append(members)
        if size == 1:
            parts.append(_take(jnp.sum(left * right, axis=-2), firsts[members]))
            continue
        if size > MOST_EXPANDED and parts:
            # Where several sizes need LAPACK, each waits for the one before.
            right = jnp.where(jnp.isnan(parts[-1]).any(), jnp.nan, right)
        bands = firsts[members][:, None] + np.arange(size)
        parts.append(determinant(jnp.einsum("...iga,...igb->...gab", left[..., bands], right[..., bands])))
    values = _take(jnp.concatenate(parts, axis=-1), np.argsort(np.concatenate(order)))
    modulus = jnp.abs(values)
    return jnp.where(modulus > 0, values / jnp.where(modulus > 0, modulus, 1), 1), modulus


def _take(values: Complex[Array, "*mesh n"], index: np.ndarray) -> Complex[Array, "*mesh group"]:
    """`values[..., index]`, without a copy if that is all of them in order."""
    return values if np.array_equal(index, np.arange(values.shape[-1])) else values[..., index]


def determinant(matrix: Complex[Array, "*batch m m"]) -> Complex[Array, "*batch"]:
    """Determinants; small ones are written out, which costs a small part of a call of LAPACK."""
    if matrix.shape[-1] <= MOST_EXPANDED:
        return det_small(matrix)
    phase, modulus = links.determinant(matrix)
    return phase * modulus


def direct_gaps(energies: Float[Array, "*mesh band"], groups: Groups) -> Float[Array, "*mesh group"]:
    """Smallest distance from a level of each group to one out of it; infinite for all bands together."""
    none = jnp.full_like(energies[..., :1], jnp.inf)
    below = jnp.concatenate([none, jnp.diff(energies, axis=-1), none], axis=-1)
    first, last = np.array(groups).T
    return jnp.minimum(below[..., first], below[..., last])


def direct_gap(energies: Float[Array, "*mesh band"], bands: tuple[int, int]) -> Float[Array, "*mesh"]:
    """`direct_gaps` of one group."""
    return direct_gaps(energies, [bands])[..., 0]


def _stay_apart(problem, groups, k, step, energies, states):
    """Whether each group keeps apart from other bands within a plaquette, judging by the slopes at its corners."""
    above = stay_apart(energies, step * slopes(problem, k, states))
    always = jnp.ones_like(above[..., :1])
    first, last = np.array(groups).T
    edges = jnp.concatenate([always, above[..., :-1], always], axis=-1)
    return edges[..., first] & edges[..., last]
