"""Flavors of electrons in a few bands that repel each other, reduced to what a mean field needs.

For a density-density repulsion of electrons with valley v and spin s, counted from half filling of the bands,

    H = Σ h0 + (1/2A) Σ_p V(p) O(−p) O(p),   O(p) = Σ_k Σ_vs tr M^v(k, p) [c†c − 1/2],

sums over all momentum transfers of products of two form factors are done once. What remains is a matrix between the
density at k' and Fock's potential at k,

    X_nn'(k) = Σ_k' Σ_mm' [(1/A) Σ_G V(p) M^v_mn(k, p)* M^v'_m'n'(k, p)] P_mm'(k'),   p = k' − k + G,

of (mesh points × bands²)² numbers for each pair of valleys, the same for all spins: an iteration costs one product with
it, whatever the cut-off.
"""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from hofstadter._checks import as_integer, fail
from hofstadter.interactions.coulomb import AbstractInteraction
from hofstadter.interactions.form_factors import (
    ProjectedBands,
    Transfers,
    block_of_form_factors,
    transfers,
    weights,
)
from hofstadter.interactions.mean_fields import vertical_form_factors

DensityMatrix = Complex[Array, "point orbital orbital"]


class InteractingBands(eqx.Module):
    """Electrons in the same bands of several valleys and spins. An orbital is (valley, spin, band), the last fastest.

    Attributes:
        valleys: The group of bands of each valley, on one mesh.
        spins: Number of spins.
        kinetic: One-body energies.
        kernel: Fock's potential X of valleys v, v' at k, from the density at k'.
        vertical: Form factors M(k, G) of each valley.
        charging: V(G)/A.
    """

    valleys: tuple[ProjectedBands, ...]
    spins: int = eqx.field(static=True)
    kinetic: Float[Array, "valley point band"]
    kernel: Complex[Array, "valley valley2 point n n2 point2 m m2"]
    vertical: Complex[Array, "valley g point band band"]
    charging: Float[Array, " g"]

    @property
    def flavors(self) -> int:
        """Number of valleys times spins."""
        return len(self.valleys) * self.spins

    @property
    def orbitals(self) -> int:
        """Orbitals at each momentum."""
        return self.flavors * self.kinetic.shape[-1]

    @property
    def points(self) -> int:
        """Momenta of the mesh."""
        return self.kinetic.shape[1]

    @property
    def cells(self) -> Int[Array, ""]:
        """Primitive cells of the sample that the mesh stands for."""
        return self.points * self.valleys[0].problem.q

    @property
    def one_body(self) -> DensityMatrix:
        """The one-body Hamiltonian."""
        valleys, points, bands = self.kinetic.shape
        shape = (valleys, self.spins, points, bands)
        diagonal = jnp.broadcast_to(self.kinetic[:, None], shape).transpose(2, 0, 1, 3).reshape(points, -1)
        return jax.vmap(jnp.diag)(diagonal).astype(self.kernel.dtype)

    def fock(self, density: DensityMatrix) -> DensityMatrix:
        """h0 + h[P − 1/2] − X[P − 1/2], the derivative of the energy by the density matrix."""
        return self.one_body + self._repulsion(self._from_half_filling(density))

    def energy(self, density: DensityMatrix) -> Float[Array, ""]:
        """⟨H⟩ of the Slater determinant of this density matrix; zero for full and empty flavors, neutral in sum."""
        deviation = self._from_half_filling(density)
        half = self._from_half_filling(jnp.broadcast_to(jnp.eye(self.orbitals), density.shape).astype(density.dtype))
        mean_field = _trace(self.one_body, density) + _trace(self._repulsion(deviation), deviation) / 2
        return mean_field + _trace(self._exchange(half), half) / 2

    def _repulsion(self, deviation: DensityMatrix) -> DensityMatrix:
        """H − X of a deviation from half filling."""
        orbital = self._as_orbitals(deviation)
        charge = jnp.einsum("kvsmvsn,vgknm->g", orbital, self.vertical)
        potential = jnp.einsum("g,vgkmn->kvmn", self.charging * charge.conj(), self.vertical)
        valley, spin = jnp.eye(len(self.valleys)), jnp.eye(self.spins)
        same = jnp.einsum("vw,st->vswt", valley, spin).astype(potential.dtype)
        hartree = jnp.einsum("kvmn,vswt->kvsmwtn", potential, same).reshape(deviation.shape)
        return hartree - self._exchange(deviation)

    def _exchange(self, deviation: DensityMatrix) -> DensityMatrix:
        orbital = self._as_orbitals(deviation)
        return jnp.einsum("vwknalmb,lvsmwtb->kvsnwta", self.kernel, orbital).reshape(deviation.shape)

    def _as_orbitals(self, matrix: DensityMatrix) -> Complex[Array, "point v s m v s m"]:
        parts = (len(self.valleys), self.spins, self.kinetic.shape[-1])
        return matrix.reshape(matrix.shape[0], *parts, *parts)

    def _from_half_filling(self, density: DensityMatrix) -> DensityMatrix:
        return density - jnp.eye(self.orbitals, dtype=density.dtype)[None] / 2


def interacting_bands(
    valleys: Sequence[ProjectedBands],
    interaction: AbstractInteraction,
    cutoff: float,
    *,
    spins: int = 2,
    kinetic: bool = True,
    reference: float = 0.0,
    memory_gb: float = 4.0,
) -> InteractingBands:
    """Electrons in the same bands of several valleys, each with all spins.

    Args:
        valleys: The group of each valley from `project`, all on one mesh of the magnetic zone.
        interaction: The repulsion.
        cutoff: Largest momentum transfer, an inverse length in the model's unit.
        spins: Number of spins.
        kinetic: Whether the bands keep their own energies; False is the flat-band limit.
        reference: Energy that these are counted from.
        memory_gb: Working memory, and a bound on the memory of the result.

    Raises:
        ValueError: If the meshes differ, or the result does not fit in memory.
    """
    spins = as_integer("spins", spins, minimum=1)
    first = valleys[0]
    for other in valleys[1:]:
        if other.states.shape[-1] != first.states.shape[-1] or not np.allclose(other.k, first.k):
            raise fail("valleys", "groups of equally many bands on one mesh", "of different shapes or momenta")
    points, bands = first.k.shape[0], first.states.shape[-1]
    needed = 16e-9 * (len(valleys) * points * bands**2) ** 2
    if needed > memory_gb:
        hint = "Take a smaller mesh or fewer bands."
        raise fail("memory_gb", f"at least {needed:.3g} for {points} momenta and {bands} bands", memory_gb, hint)
    moves = transfers(first, first, cutoff, memory_gb=memory_gb / (2 * len(valleys)))
    kernel = _kernel(interaction, tuple(valleys), moves)
    vertical = jnp.stack([vertical_form_factors(valley, moves.reciprocal) for valley in valleys])
    energies = jnp.stack([valley.energies - reference for valley in valleys])
    return InteractingBands(
        valleys=tuple(valleys),
        spins=spins,
        kinetic=energies if kinetic else jnp.zeros_like(energies),
        kernel=kernel,
        vertical=vertical,
        charging=weights(interaction, first, moves.reciprocal, moves.cutoff),
    )


@eqx.filter_jit
def _kernel(
    interaction: AbstractInteraction, valleys: tuple[ProjectedBands, ...], moves: Transfers
) -> Complex[Array, "valley valley2 point n n2 point2 m m2"]:
    first = valleys[0]
    count, points, bands = len(valleys), first.k.shape[0], first.states.shape[-1]

    def add(total, block):
        found = [block_of_form_factors(valley, valley, moves, block) for valley in valleys]
        factors = jnp.stack([each[0] for each in found])
        weight = weights(interaction, first, found[0][1], moves.cutoff).astype(factors.dtype)
        weighted = weight[None, None, :, :, None, None] * factors.conj()
        pairs = jnp.einsum("vfdgmn,wfdgba->fdvwnamb", weighted, factors, optimize="optimal")
        final = jnp.broadcast_to(moves.final[block][:, None], moves.initial[block].shape)
        return total.at[moves.initial[block], final].set(pairs), None

    zero = jnp.zeros((points, points, count, count, bands, bands, bands, bands), first.states.dtype)
    total, _ = jax.lax.scan(add, zero, jnp.arange(moves.final.shape[0]))
    return total.transpose(2, 3, 0, 4, 5, 1, 6, 7)


def _trace(a: DensityMatrix, b: DensityMatrix) -> Float[Array, ""]:
    return jnp.einsum("kmn,knm->", a, b).real
