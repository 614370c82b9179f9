"""Continuum models in a field by theta functions: a basis that is periodic in k, independent of `hamiltonian.landau`.

The magnetic cell a1 × q a2 holds p flux quanta. On the finer lattice of a1/p and q a2, one quantum per cell, magnetic
translations commute and `magnetic.siegel_theta` gives one state |κ, n⟩ per momentum and level. The Hamiltonian has
only the periods of the magnetic cell, so it couples the p momenta k + j b1:

    |α; n, j⟩ = exp(iK_α·r) |k + j b1 − K_α, n⟩,   j = 0 … p − 1,
    ⟨α; n, j| exp(iG·r) |β; n', j'⟩ = ⟨n|D(Q)|n'⟩ g(k + j b1 − K_α, −Q),   j' = j − G1 (mod p),   Q = G − K_α + K_β.

At 2π flux (p = q = 1) these are the irreps of Herzog-Arbeitman, Chew and Bernevig, Phys. Rev. B 106, 085140 (2022).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Int

from hofstadter._checks import fail
from hofstadter.flux import Flux, FluxLike
from hofstadter.hamiltonian.landau_levels import (
    AbstractLandauProblem,
    inside,
    inverse_modulo,
    with_sufficient_levels,
)
from hofstadter.magnetic import landau_basis, siegel_theta
from hofstadter.magnetic.form_factors import displacement
from hofstadter.magnetic.translations import turns_to_phase
from hofstadter.models.continuum import Continuum


class ThetaProblem(AbstractLandauProblem):
    """A continuum model at flux p/q > 0, its guiding centers by theta functions.

    Attributes:
        model: The zero-field model.
        p: Numerator of the flux, may be traced.
        q: Denominator of the flux, may be traced.
        levels: Landau levels of component 0; the others keep `model.level_offsets` more.
        rows: Rows of each component.
        table: Bound on the number of levels of any component.
        below: Wanted bands below the reference.
        above: Wanted bands above it.
        cutoff_error: Largest change of a wanted energy when a quarter more levels are kept; NaN if not estimated.
        cutoff_tolerance: What `cutoff_error` was meant to be at most.
        constant: Kinetic energy and padding.
        harmonics: Displacements of Landau levels, amplitude included.
    """

    model: Continuum
    p: Int[Array, ""]
    q: Int[Array, ""]
    levels: Int[Array, ""]
    rows: int = eqx.field(static=True)
    table: int = eqx.field(static=True)
    below: int = eqx.field(static=True)
    above: int = eqx.field(static=True)
    cutoff_error: Float[Array, ""]
    cutoff_tolerance: Float[Array, ""]
    constant: Complex[Array, "basis basis"]
    harmonics: Complex[Array, "harmonic rows rows"]

    def guiding_center_phases(self, k: Float[Array, " 2"]) -> Complex[Array, "harmonic rows"]:
        """g(k + j b1 − K_α, −Q) for each harmonic and row."""
        folded, _ = _fold(k)
        index = jnp.asarray(self.model.harmonics, dtype=int).reshape(-1, 4)
        origin_a, origin_b = self.model.offsets[index[:, 0]], self.model.offsets[index[:, 1]]
        momentum = index[:, 2:].astype(k.dtype) - origin_a + origin_b
        return self._gauge_phases(folded, origin_a, -momentum, self.rows)

    def apply_plane_wave(
        self, k: Float[Array, " 2"], dk: Float[Array, " 2"], states: Complex[Array, "basis band"]
    ) -> Complex[Array, "basis band"]:
        """Components of exp(−i dk·r)|ψ⟩ at k; cost rows² × components × bands."""
        k, dk = k.astype(self.vectors.dtype), dk.astype(self.vectors.dtype)
        here, home = _fold(k)
        _, away = _fold(k + dk)
        parts = self.components(states)
        rows = parts.shape[1]
        moved = parts[:, self._moved_rows(away - home, rows)]
        phases = self._gauge_phases(here, self.model.offsets, jnp.broadcast_to(dk, self.model.offsets.shape), rows)
        return (phases[:, :, None] * self.displaced(-dk, moved)).reshape(states.shape)

    def shift_k1(self, k: Float[Array, " 2"], states: Complex[Array, "basis band"]) -> Complex[Array, "basis band"]:
        """Eigenstates at (k1 + 1/q, k2) from those at k, by a translation along a2 with j p ≡ 1 (mod q)."""
        k = k.astype(self.vectors.dtype)
        turns = inverse_modulo(self.p, self.q)
        here, start = _fold(k)
        step = jnp.where(self.q > 1, 1 / self.q.astype(k.dtype), 0)
        _, end = _fold(k + jnp.stack([step, jnp.zeros_like(step)]))
        # The translation moves k by (j p/q) b1, which is `step` and a whole number of b1.
        move = turns.astype(k.dtype) * self.p.astype(k.dtype) / self.q.astype(k.dtype)
        shift = jnp.stack([move, jnp.zeros_like(move)])
        phases = self._gauge_phases(
            here + shift, self.model.offsets, jnp.broadcast_to(-shift, self.model.offsets.shape), self.rows
        )
        phases = phases * turns_to_phase(-turns.astype(k.dtype) * self.model.offsets[:, 1])[:, None]
        moved = phases[:, :, None] * self.components(states)
        whole = (turns * self.p) // self.q
        return moved[:, self._moved_rows(-(end - start + whole), self.rows)].reshape(states.shape)

    def _gauge_phases(
        self, k: Float[Array, " 2"], origin: Float[Array, "item 2"], momentum: Float[Array, "item 2"], rows: int
    ) -> Complex[Array, "item rows"]:
        """g(k + j b1 − K, Q) for the j of each row, by pairs of K and Q."""
        p, q = self.p.astype(k.dtype), self.q.astype(k.dtype)
        one = jnp.ones_like(p)
        fine = jnp.stack([self.vectors[0] / p, self.vectors[1] * q])
        in_fine_cell = jnp.stack([one / p, q])
        _, state = landau_basis.levels_and_states(rows, self.p)
        ladder = jnp.stack([state.astype(k.dtype), jnp.zeros(rows, k.dtype)], axis=-1)
        momenta = (k[None] + ladder)[None] - origin[:, None, :]
        return siegel_theta.gauge_phase(
            momenta * in_fine_cell[None, None], momentum[:, None, :] * in_fine_cell[None, None], fine
        )

    def _moved_rows(self, change: Int[Array, ""], rows: int) -> Int[Array, " rows"]:
        """Row of (n, j + change mod p) for each row (n, j)."""
        level, state = landau_basis.levels_and_states(rows, self.p)
        return level * self.p + jnp.mod(state + change, self.p)


def theta_problem(
    model: Continuum,
    flux: FluxLike = 1,
    *,
    levels: int | None = None,
    bands_per_cell: int | None = None,
    rtol: float = 1e-11,
) -> ThetaProblem:
    """A continuum model at flux p/q > 0 in the theta-function basis; one flux quantum per cell by default.

    Its spectrum is that of `at_flux`, by independent code. `matrix` and `plane_wave` are periodic in k and, where
    k − K_α meets the zero of the theta function, have the vortex that a Landau level's Chern number demands.

    Args:
        model: The zero-field model.
        flux: The flux, positive.
        levels: As in `at_flux`.
        bands_per_cell: As in `at_flux`.
        rtol: As in `at_flux`.

    Raises:
        ValueError: If the flux is not positive, or `levels` is too small or not given where it must be.
    """
    flux = Flux.of(flux)
    if flux.p <= 0:
        raise fail("flux", "positive for a theta-function basis", flux)
    return with_sufficient_levels(
        ThetaProblem, _harmonics, model, flux, levels=levels, bands_per_cell=bands_per_cell, rtol=rtol
    )


def _fold(k: Float[Array, " 2"]) -> tuple[Float[Array, " 2"], Int[Array, ""]]:
    """Momentum with k1 in one period from `landau_basis.CUT` on, and the periods taken off."""
    count = jnp.floor(k[0] - landau_basis.CUT[0])
    return jnp.stack([k[0] - count, k[1]]), count.astype(int)


def _harmonics(
    model: Continuum, p: Int[Array, ""], q: Int[Array, ""], levels: Int[Array, ""], rows: int, table: int
) -> Complex[Array, "harmonic rows rows"]:
    """Displacements D(Q) between j and j' = j − G1 (mod p), amplitude included."""
    kept = inside(model, levels, p, rows)
    level, state = landau_basis.levels_and_states(rows, p)
    level = jnp.minimum(level, table - 1)

    def one(amplitude, index):
        a, b, m = index[0], index[1], index[2:]
        momentum = m.astype(model.vectors.dtype) - model.offsets[a] + model.offsets[b]
        z = landau_basis.displacement_parameter(momentum, model.vectors, p, q)
        connected = (state[:, None] - m[0] - state[None, :]) % p == 0
        coupled = connected & kept[a][:, None] & kept[b][None, :]
        one = jnp.ones((), amplitude.dtype)
        half = jnp.where((a == b) & jnp.all(m == 0), one / 2, one)
        return jnp.where(coupled, half * amplitude * displacement(z, table)[level[:, None], level[None, :]], 0)

    return jax.vmap(one)(model.potential, jnp.asarray(model.harmonics, dtype=int).reshape(-1, 4))
