"""Continuum models in a field: Landau levels ⊗ guiding centers at any rational flux.

Between components α and β with momentum origins K_α, K_β a harmonic exp(iG·r) has the matrix elements

    ⟨α; n, s| exp(iG·r) |β; n', s'⟩ = exp{(iℓ²/2) [(A + B)×G − A×B]} ⟨n|D(Q)|n'⟩ ⟨s|exp(iG·R)|s'⟩,
    A = k − K_α,  B = k − K_β,  Q = G − K_α + K_β,

in the frame of `magnetic.landau_basis`, with the displacement operator D of `magnetic.form_factors`. All of k stands in
the phase: H(k) = H_0 + Σ_h exp(2πi (q/p) k×M_h) A_h with M_h = G_h − (K_α − K_β)/2.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Int

from hofstadter.flux import Flux
from hofstadter.hamiltonian.landau_levels import (
    AbstractLandauProblem,
    inside,
    inverse_modulo,
    with_sufficient_levels,
)
from hofstadter.magnetic import landau_basis
from hofstadter.magnetic.form_factors import displacement
from hofstadter.magnetic.translations import turns_to_phase
from hofstadter.models.continuum import Continuum


class LandauProblem(AbstractLandauProblem):
    """A continuum model at flux p/q > 0, its guiding centers by clock and shift matrices.

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
        harmonics: The matrices A_h.
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

    def guiding_center_phases(self, k: Float[Array, " 2"]) -> Complex[Array, "harmonic 1"]:
        """exp(2πi (q/p) k×M_h), the same for all rows."""
        folded, _ = landau_basis.fold(k, self.q)
        index = jnp.asarray(self.model.harmonics, dtype=int).reshape(-1, 4)
        half = (self.model.offsets[index[:, 0]] - self.model.offsets[index[:, 1]]) / 2
        ratio = self.q.astype(k.dtype) / self.p.astype(k.dtype)
        return turns_to_phase(ratio * landau_basis.cross(folded[None], index[:, 2:].astype(k.dtype) - half))[:, None]

    def apply_plane_wave(
        self, k: Float[Array, " 2"], dk: Float[Array, " 2"], states: Complex[Array, "basis band"]
    ) -> Complex[Array, "basis band"]:
        """Components of exp(−i dk·r)|ψ⟩ at k; cost rows² × components × bands."""
        k, dk = k.astype(self.vectors.dtype), dk.astype(self.vectors.dtype)

        def of_component(offset, part):
            return landau_basis.carried_back(k, dk, offset, self.p, self.q, part)

        parts = jax.vmap(of_component)(self.model.offsets, self.components(states))
        return self.displaced(-dk, parts).reshape(states.shape)

    def shift_k1(self, k: Float[Array, " 2"], states: Complex[Array, "basis band"]) -> Complex[Array, "basis band"]:
        """Eigenstates at (k1 + 1/q, k2) from those at k, by T(a2)^j with j p ≡ 1 (mod q)."""
        k = k.astype(self.vectors.dtype)
        steps = inverse_modulo(self.p, self.q)

        def of_component(offset, part):
            return landau_basis.translated(k, steps, offset, self.p, self.q, part)

        return jax.vmap(of_component)(self.model.offsets, self.components(states)).reshape(states.shape)


def landau_problem(
    model: Continuum,
    flux: Flux,
    *,
    levels: int | None = None,
    bands_per_cell: int | None = None,
    rtol: float = 1e-11,
) -> LandauProblem:
    """A continuum model at flux p/q > 0, with as many Landau levels as its accuracy needs.

    Args:
        model: The zero-field model.
        flux: The flux, positive.
        levels: Landau levels of component 0. By default as many as leave every wanted energy within `rtol` of their
            range when a quarter more are kept, which needs numbers: inside `jit`, `grad` or `vmap` over the model it
            must be given.
        bands_per_cell: Wanted bands per primitive cell, on each side of the model's reference; by default the model's.
        rtol: Accuracy of the wanted energies relative to their range.

    Returns:
        The problem, with its `cutoff_error` and, where that exceeds the tolerance, `basis_status` CUTOFF_TOO_LOW.

    Raises:
        ValueError: If `levels` is too small to hold the wanted bands, or not given where it must be.
    """
    return with_sufficient_levels(
        LandauProblem, _harmonics, model, flux, levels=levels, bands_per_cell=bands_per_cell, rtol=rtol
    )


def _harmonics(
    model: Continuum, p: Int[Array, ""], q: Int[Array, ""], levels: Int[Array, ""], rows: int, table: int
) -> Complex[Array, "harmonic rows rows"]:
    """The matrices A_h, amplitude included."""
    real = model.vectors.dtype
    ratio = q.astype(real) / p.astype(real)
    kept = inside(model, levels, p, rows)
    level, _ = landau_basis.levels_and_states(rows, p)
    level = jnp.minimum(level, table - 1)
    row = jnp.arange(rows)

    def one(amplitude, index):
        a, b, m = index[0], index[1], index[2:]
        origin_a, origin_b, momentum = model.offsets[a], model.offsets[b], m.astype(real)
        z = landau_basis.displacement_parameter(momentum - origin_a + origin_b, model.vectors, p, q)
        shift = landau_basis.guiding_center(m * jnp.stack([jnp.ones_like(q), q]), p, rows, real)
        # exp(iG·R) connects s with one s': the states of rows that differ from `column` by whole levels.
        connected = (row[None, :] - shift.column[:, None]) % p == 0
        area = landau_basis.cross(origin_a + origin_b, momentum) + landau_basis.cross(origin_a, origin_b)
        one = jnp.ones((), amplitude.dtype)
        half = jnp.where((a == b) & jnp.all(m == 0), one / 2, one)
        scale = half * amplitude * turns_to_phase(-ratio * area / 2) * shift.phase[:, None]
        coupled = connected & kept[a][:, None] & kept[b][None, :]
        return jnp.where(coupled, scale * displacement(z, table)[level[:, None], level[None, :]], 0)

    index = jnp.asarray(model.harmonics, dtype=int).reshape(-1, 4)
    return jax.vmap(one)(model.potential, index)
