"""A group of bands with a repulsion, reduced to what a mean field needs.

For the Hamiltonian of `flat_bands` and the group's own energies, sums over all momentum transfers of products of two
form factors are done once. What remains is a matrix between the density at k' and Fock's potential at k,

    X_nn'(k) = Σ_k' Σ_mm' [(1/A) Σ_G V(p) M^v_mn(k, p)* M^v'_m'n'(k, p)] P_mm'(k'),   p = k' − k + G,

of (mesh points × bands²)² numbers for each pair of valleys, the same for all spins: an iteration costs
one product with it, whatever the cut-off.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Int

from hofstadter._checks import fail
from hofstadter.interactions.flat_bands import FlatBands
from hofstadter.interactions.form_factors import block_of_form_factors, weights

DensityMatrix = Complex[Array, "point orbital orbital"]


class InteractingBands(eqx.Module):
    """What a mean field of `FlatBands` needs. An orbital is (valley, spin, band), the last fastest.

    Attributes:
        bands: The bands; their kinds are called valleys here, and the copies of each spins.
        kinetic: One-body energies.
        kernel: Fock's potential X of valleys v, v' at k, from the density at k'.
        vertical: Form factors M(k, G) of each valley.
    """

    bands: FlatBands
    kinetic: Float[Array, "valley point band"]
    kernel: Complex[Array, "valley valley2 point n n2 point2 m m2"]
    vertical: Complex[Array, "valley g point band band"]

    @property
    def valleys(self) -> int:
        """Number of valleys."""
        return len(self.bands.kinds)

    @property
    def spins(self) -> int:
        """Number of spins."""
        return self.bands.copies[0]

    @property
    def flavors(self) -> int:
        """Number of valleys times spins."""
        return self.valleys * self.spins

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
        return self.points * self.bands.kinds[0].problem.q

    @property
    def one_body(self) -> DensityMatrix:
        """The one-body Hamiltonian."""
        diagonal = jax.vmap(jax.vmap(jnp.diag))(self.kinetic)
        return self.same_for_spins(diagonal.astype(self.kernel.dtype))

    def same_for_spins(self, blocks: Complex[Array, "valley point band band"]) -> DensityMatrix:
        """A matrix of all orbitals from one block for each valley, without any mixing of flavors."""
        same = jnp.einsum("vw,st->vswt", jnp.eye(self.valleys), jnp.eye(self.spins)).astype(blocks.dtype)
        full = jnp.einsum("vkmn,vswt->kvsmwtn", blocks, same)
        return full.reshape(self.points, self.orbitals, self.orbitals)

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
        potential = jnp.einsum("g,vgkmn->vkmn", self.bands.weight * charge.conj(), self.vertical)
        return self.same_for_spins(potential) - self._exchange(deviation)

    def _exchange(self, deviation: DensityMatrix) -> DensityMatrix:
        orbital = self._as_orbitals(deviation)
        return jnp.einsum("vwknalmb,lvsmwtb->kvsnwta", self.kernel, orbital).reshape(deviation.shape)

    def _as_orbitals(self, matrix: DensityMatrix) -> Complex[Array, "point v s m v s m"]:
        parts = (self.valleys, self.spins, self.kinetic.shape[-1])
        return matrix.reshape(matrix.shape[0], *parts, *parts)

    def _from_half_filling(self, density: DensityMatrix) -> DensityMatrix:
        return density - jnp.eye(self.orbitals, dtype=density.dtype)[None] / 2


def interacting_bands(bands: FlatBands, *, kinetic: bool = True, memory_gb: float = 4.0) -> InteractingBands:
    """Reduce a group of bands of several flavors to what a mean field of it needs.

    Args:
        bands: From `flat_bands` or `moire_flat_bands`, with equally many flavors of each kind.
        kinetic: Whether the bands keep their own energies, those of the model without repulsion, at half filling; False
            is the flat-band limit.
        memory_gb: Working memory, and a bound on the memory of the result.

    Raises:
        ValueError: If kinds have different numbers of flavors, or the result does not fit in memory.
    """
    if len(set(bands.copies)) != 1:
        raise fail("bands", "of equally many flavors of each kind", bands.copies)
    points, count, width = bands.k.shape[0], len(bands.kinds), bands.width
    needed = 16e-9 * (count * points * width**2) ** 2
    if needed > memory_gb:
        hint = "Take a smaller mesh or fewer bands."
        raise fail("memory_gb", f"at least {needed:.3g} for {points} momenta and {width} bands", memory_gb, hint)
    energies = jnp.stack([kind.energies for kind in bands.kinds])
    return InteractingBands(
        bands=bands,
        kinetic=energies if kinetic else jnp.zeros_like(energies),
        kernel=_kernel(bands),
        vertical=jnp.stack([tables.vertical for tables in bands.on_mesh]),
    )


@eqx.filter_jit
def _kernel(bands: FlatBands) -> Complex[Array, "valley valley2 point n n2 point2 m m2"]:
    count, points, width, moves = len(bands.kinds), bands.k.shape[0], bands.width, bands.moves

    def add(total, block):
        found = [block_of_form_factors(kind, kind, moves, block) for kind in bands.kinds]
        factors = jnp.stack([each[0] for each in found])
        weight = weights(bands.interaction, bands.kinds[0], found[0][1], moves.cutoff).astype(factors.dtype)
        weighted = weight[None, None, :, :, None, None] * factors.conj()
        pairs = jnp.einsum("vfdgmn,wfdgba->fdvwnamb", weighted, factors, optimize="optimal")
        final = jnp.broadcast_to(moves.final[block][:, None], moves.initial[block].shape)
        return total.at[moves.initial[block], final].set(pairs), None

    zero = jnp.zeros((points, points, count, count, width, width, width, width), bands.kinds[0].states.dtype)
    total, _ = jax.lax.scan(add, zero, jnp.arange(moves.final.shape[0]))
    return total.transpose(2, 3, 0, 4, 5, 1, 6, 7)


def _trace(a: DensityMatrix, b: DensityMatrix) -> Float[Array, ""]:
    return jnp.einsum("kmn,knm->", a, b).real
