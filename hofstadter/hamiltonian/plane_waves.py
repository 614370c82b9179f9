"""Continuum models at zero field: plane waves, on the same footing as the bases in a field.

The basis at k is exp(i (k + G)·r) of every component, with k folded to one Brillouin zone. A harmonic exp(iQ·r) takes
G' to G = G' + Q, and the kinetic momentum of component α is k + G − K_α.
"""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float, Int

from hofstadter import lattice
from hofstadter.flux import Flux
from hofstadter.hamiltonian import cutoff
from hofstadter.hamiltonian._abstract import AbstractTruncatedProblem
from hofstadter.magnetic import landau_basis
from hofstadter.models.continuum import Continuum

# Plane waves per component to try first.
FIRST_PLANE_WAVES = 91


class PlaneWaveProblem(AbstractTruncatedProblem[Continuum]):
    """A continuum model without a field. The basis is (component, plane wave), those of smallest |G − K_α| first.

    Attributes:
        model: The model.
        p: 0.
        q: 1.
        below: Wanted bands below the reference.
        above: Wanted bands above it.
        cutoff_error: Largest change of a wanted energy when a quarter more plane waves are kept; NaN if not estimated.
        cutoff_tolerance: What `cutoff_error` was meant to be at most.
        reciprocal: G of each row, in units of b1 and b2.
        potential: All harmonics.
    """

    model: Continuum
    p: Int[Array, ""]
    q: Int[Array, ""]
    below: int = eqx.field(static=True)
    above: int = eqx.field(static=True)
    cutoff_error: Float[Array, ""]
    cutoff_tolerance: Float[Array, ""]
    reciprocal: Int[Array, "component wave 2"]
    potential: Complex[Array, "basis basis"]

    @property
    def rows(self) -> int:
        """Plane waves of each component."""
        return self.reciprocal.shape[1]

    @property
    def basis_size(self) -> int:
        """Rows of the matrix."""
        return self.model.components * self.rows

    @property
    def reference_filling(self) -> Float[Array, ""]:
        """How many of the wanted bands are filled at the reference."""
        return jnp.asarray(self.below, self.vectors.dtype)

    @property
    def size(self) -> Int[Array, ""]:
        """Plane waves per component."""
        return jnp.asarray(self.rows)

    def kept_rows(self, size: int) -> Bool[Array, " basis"]:
        """Rows of the basis with fewer plane waves."""
        return jnp.tile(jnp.arange(self.rows) < size, self.model.components)

    def _matrix_at(self, k: Float[Array, " 2"]) -> Complex[Array, "basis basis"]:
        model, waves = self.model, self.rows
        folded, _ = landau_basis.fold(k, self.q)
        momentum = folded[None, None] + self.reciprocal.astype(k.dtype) - model.offsets[:, None, :]
        x, y = jnp.moveaxis(momentum @ lattice.reciprocal_vectors(self.vectors), -1, 0)
        plus = jax.lax.complex(x, y)
        index = jnp.arange(waves)
        matrix = self.potential
        for amplitude, (a, b, i, j) in zip(model.kinetic, model.terms, strict=True):
            value = amplitude * plus[b] ** i * plus[b].conj() ** j
            own_partner = (a, i) == (b, j)
            matrix = matrix.at[a * waves + index, b * waves + index].add(
                value.real.astype(value.dtype) if own_partner else value
            )
            if not own_partner:
                matrix = matrix.at[b * waves + index, a * waves + index].add(value.conj())
        return matrix

    def apply_plane_wave(
        self, k: Float[Array, " 2"], dk: Float[Array, " 2"], states: Complex[Array, "basis band"]
    ) -> Complex[Array, "basis band"]:
        """Components of exp(−i dk·r)|ψ⟩ at k: the same ones and, across the edge of the zone, those of a shifted G.

        Plane waves that leave the basis are lost.
        """
        k, dk = k.astype(self.vectors.dtype), dk.astype(self.vectors.dtype)
        _, home = landau_basis.fold(k, self.q)
        _, away = landau_basis.fold(k + dk, self.q)
        component = jnp.repeat(jnp.arange(self.model.components), self.rows)
        same = shifted_waves(self.reciprocal.reshape(-1, 2), home - away)
        shift = same & (component[:, None] == component[None, :])
        return shift.astype(states.dtype) @ states

    def shift_k1(self, k: Float[Array, " 2"], states: Complex[Array, "basis band"]) -> Complex[Array, "basis band"]:
        """The states themselves: k1 + 1 is k1."""
        return states


def plane_wave_problem(
    model: Continuum,
    *,
    plane_waves: int | None = None,
    bands_per_cell: int | None = None,
    rtol: float = 1e-11,
) -> PlaneWaveProblem:
    """A continuum model at zero field, with as many plane waves as its accuracy needs.

    Args:
        model: The model.
        plane_waves: Plane waves per component. By default grown until no wanted energy changes by more than `rtol` of
            their range, which needs numbers: inside `jit`, `grad` or `vmap` over the model it must be given.
        bands_per_cell: Wanted bands on each side of the model's reference; by default the model's.
        rtol: Accuracy of the wanted energies relative to their range.

    Returns:
        The problem, with its `cutoff_error` and, where that exceeds the tolerance, `basis_status` CUTOFF_TOO_LOW.

    Raises:
        ValueError: If `plane_waves` is too small to hold the wanted bands, or not given where it must be.
    """
    bands = model.wanted_bands(Flux(0, 1), bands_per_cell)
    fewest = -(-sum(bands) // model.components)

    def build(count: int) -> PlaneWaveProblem:
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
def _assemble(model: Continuum, waves: int, bands: tuple[int, int]) -> PlaneWaveProblem:
    reciprocal = jax.vmap(lambda offset: shortest(model.vectors, offset, waves))(model.offsets)
    flat = reciprocal.reshape(-1, 2)
    size = model.components * waves
    component = jnp.repeat(jnp.arange(model.components), waves)
    potential = jnp.zeros((size, size), model.kinetic.dtype)
    for amplitude, (a, b, m1, m2) in zip(model.potential, model.harmonics, strict=True):
        match = jnp.all(flat[:, None, :] == flat[None, :, :] + jnp.asarray([m1, m2])[None, None], axis=-1)
        match &= (component[:, None] == a) & (component[None, :] == b)
        term = amplitude * match.astype(potential.dtype)
        half = 0.5 if (a, m1, m2) == (b, 0, 0) else 1.0
        potential = potential + half * (term + term.conj().T)
    nan = jnp.full((), jnp.nan, model.vectors.dtype)
    return PlaneWaveProblem(
        model=model,
        p=jnp.asarray(0),
        q=jnp.asarray(1),
        below=bands[0],
        above=bands[1],
        cutoff_error=nan,
        cutoff_tolerance=nan,
        reciprocal=reciprocal,
        potential=potential,
    )


def shortest(vectors: Float[Array, "2 2"], offset: Float[Array, " 2"], waves: int) -> Int[Array, "wave 2"]:
    """The reciprocal vectors nearest to an origin K, nearest first."""
    reach = 2 * math.isqrt(waves) + 3
    line = jnp.arange(-reach, reach + 1)
    candidates = jnp.stack(jnp.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
    distance = (candidates.astype(offset.dtype) - offset[None]) @ lattice.reciprocal_vectors(vectors)
    return candidates[jnp.argsort(jnp.sum(distance**2, axis=-1))[:waves]]


def shifted_waves(reciprocal: Int[Array, "wave 2"], change: Int[Array, " 2"]) -> Bool[Array, "wave wave"]:
    """Which plane wave G' is G + `change`, row by row G'."""
    return jnp.all(reciprocal[:, None, :] == reciprocal[None, :, :] + change[None, None], axis=-1)
