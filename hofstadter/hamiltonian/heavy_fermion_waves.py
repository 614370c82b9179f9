"""Topological heavy fermions at zero field: plane waves of the c electrons, Bloch sums of the f orbitals."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float, Int

from hofstadter import lattice
from hofstadter.flux import Flux
from hofstadter.hamiltonian import cutoff
from hofstadter.hamiltonian._abstract import AbstractTruncatedProblem
from hofstadter.hamiltonian.heavy_fermion_blocks import C_ORBITALS, F_ORBITALS, hybridized, without_hybridization
from hofstadter.hamiltonian.plane_waves import shifted_waves, shortest
from hofstadter.magnetic import landau_basis
from hofstadter.models.heavy_fermions import HeavyFermions

# Plane waves per c orbital to try first.
FIRST_PLANE_WAVES = 19


class HeavyFermionWaveProblem(AbstractTruncatedProblem[HeavyFermions]):
    """Heavy fermions without a field. The basis is, valley by valley, c1, …, c4 with a row per plane wave, f1 and f2.

    Attributes:
        model: The model.
        p: 0.
        q: 1.
        below: Wanted bands below neutrality.
        above: Wanted bands above it.
        cutoff_error: Largest change of a wanted energy when a quarter more plane waves are kept; NaN if not estimated.
        cutoff_tolerance: What `cutoff_error` was meant to be at most.
        reciprocal: G of each plane wave in units of b1 and b2, the shortest ones.
    """

    model: HeavyFermions
    p: Int[Array, ""]
    q: Int[Array, ""]
    below: int = eqx.field(static=True)
    above: int = eqx.field(static=True)
    cutoff_error: Float[Array, ""]
    cutoff_tolerance: Float[Array, ""]
    reciprocal: Int[Array, "wave 2"]

    @property
    def basis_size(self) -> int:
        """Rows of the matrix."""
        return len(self.model.valleys) * (C_ORBITALS * len(self.reciprocal) + F_ORBITALS)

    @property
    def size(self) -> Int[Array, ""]:
        """Plane waves per c orbital."""
        return jnp.asarray(len(self.reciprocal))

    def kept_rows(self, size: int) -> Bool[Array, " basis"]:
        """Rows of the basis with fewer plane waves."""
        waves = jnp.tile(jnp.arange(len(self.reciprocal)) < size, C_ORBITALS)
        return jnp.tile(jnp.concatenate([waves, jnp.ones(F_ORBITALS, bool)]), len(self.model.valleys))

    @property
    def reference_filling(self) -> Float[Array, ""]:
        """How many of the wanted bands are filled at neutrality."""
        return jnp.asarray(self.below, self.vectors.dtype)

    def _matrix_at(self, k: Float[Array, " 2"]) -> Complex[Array, "basis basis"]:
        folded, _ = landau_basis.fold(k, self.q)
        momentum = folded[None] + self.reciprocal.astype(k.dtype)
        x, y = jnp.moveaxis(momentum @ lattice.reciprocal_vectors(self.vectors), -1, 0)
        plus = jax.lax.complex(x, y)
        damping = jnp.exp(-(self.model.damping**2) * (x**2 + y**2) / 2).astype(plus.dtype)
        terms = (damping[:, None], (damping * plus.conj())[:, None], (damping * plus)[:, None])
        everything = jnp.ones(self.basis_size, bool)
        return hybridized(self.model, without_hybridization(self.model, jnp.diag(plus), 1), *terms, everything)

    def apply_plane_wave(
        self, k: Float[Array, " 2"], dk: Float[Array, " 2"], states: Complex[Array, "basis band"]
    ) -> Complex[Array, "basis band"]:
        """Components of exp(−i dk·r)|ψ⟩ at k: the same ones and, across the edge of the zone, those of a shifted G.

        Plane waves that leave the basis are lost. The f orbitals are points at the origin of the cell.
        """
        k, dk = k.astype(self.vectors.dtype), dk.astype(self.vectors.dtype)
        _, home = landau_basis.fold(k, self.q)
        _, away = landau_basis.fold(k + dk, self.q)
        waves, bands = len(self.reciprocal), states.shape[-1]
        shift = shifted_waves(self.reciprocal, home - away).astype(states.dtype)
        parts = states.reshape(len(self.model.valleys), -1, bands)
        c = parts[:, : C_ORBITALS * waves].reshape(-1, waves, bands)
        moved = (shift @ c).reshape(len(parts), -1, bands)
        return jnp.concatenate([moved, parts[:, C_ORBITALS * waves :]], axis=1).reshape(states.shape)

    def shift_k1(self, k: Float[Array, " 2"], states: Complex[Array, "basis band"]) -> Complex[Array, "basis band"]:
        """The states themselves: k1 + 1 is k1."""
        return states


def heavy_fermion_wave_problem(
    model: HeavyFermions,
    *,
    plane_waves: int | None = None,
    bands_per_cell: int | None = None,
    rtol: float = 1e-11,
) -> HeavyFermionWaveProblem:
    """Heavy fermions at zero field, with as many plane waves of c electrons as their accuracy needs.

    Args:
        model: The model.
        plane_waves: Plane waves per c orbital. By default grown until no wanted energy changes by more than `rtol` of
            their range, which needs numbers: inside `jit`, `grad` or `vmap` over the model it must be given.
        bands_per_cell: Wanted bands on each side of neutrality; by default the model's.
        rtol: Accuracy of the wanted energies relative to their range.

    Returns:
        The problem, with its `cutoff_error` and, where that exceeds the tolerance, `basis_status` CUTOFF_TOO_LOW.

    Raises:
        ValueError: If `plane_waves` is too small to hold the wanted bands, or not given where it must be.
    """
    bands = model.wanted_bands(Flux(0, 1), bands_per_cell)
    valleys = len(model.valleys)
    fewest = max(1, -(-(sum(bands) - F_ORBITALS * valleys) // (C_ORBITALS * valleys)))

    def build(count: int) -> HeavyFermionWaveProblem:
        return _assemble(model, count, bands)

    return cutoff.with_size(
        "plane_waves",
        plane_waves,
        build,
        fewest=fewest,
        wanted=bands,
        find=lambda: cutoff.smallest_sufficient(build, max(fewest, FIRST_PLANE_WAVES), rtol),
        model=model,
        rtol=rtol,
    )


@eqx.filter_jit
def _assemble(model: HeavyFermions, waves: int, bands: tuple[int, int]) -> HeavyFermionWaveProblem:
    nan = jnp.full((), jnp.nan, model.vectors.dtype)
    return HeavyFermionWaveProblem(
        model=model,
        p=jnp.asarray(0),
        q=jnp.asarray(1),
        below=bands[0],
        above=bands[1],
        cutoff_error=nan,
        cutoff_tolerance=nan,
        reciprocal=shortest(model.vectors, jnp.zeros(2, model.vectors.dtype), waves),
    )
