"""Heavy fermions with f electrons in Landau levels: the naive substitution, for comparison. It is wrong.

Replacing k by a and a† everywhere puts the f electrons into n_f Landau levels. Their low levels are right, since the
number states around the points of a lattice (`magnetic.number_states`) are nearly orthonormal for n ≪ q/p. But 2 n_f p
states per momentum, 2 n_f p/q per cell, are not the 2 per cell that two localized orbitals have: at M = 0 there are
2 n_f p zero modes, and the gap around the narrow bands follows (s, t) = (0, ±n_f) instead of (±1, 0), however n_f is
chosen. Use `hofstadter.at_flux` for results.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float, Int

from hofstadter._checks import as_integer, fail
from hofstadter.flux import Flux, FluxLike
from hofstadter.hamiltonian._abstract import AbstractTruncatedProblem
from hofstadter.hamiltonian.heavy_fermion_blocks import C_ORBITALS, F_ORBITALS, hybridized
from hofstadter.hamiltonian.heavy_fermions import hybridization, inside, padded_constant, padded_rows
from hofstadter.hamiltonian.landau_levels import inverse_modulo
from hofstadter.magnetic import landau_basis
from hofstadter.models.heavy_fermions import HeavyFermions


class NaiveHeavyFermionProblem(AbstractTruncatedProblem[HeavyFermions]):
    """All orbitals in Landau levels; see the module. Each orbital of each valley has `rows` rows.

    Attributes:
        model: The zero-field model.
        p: Numerator of the flux.
        q: Denominator of the flux.
        levels: n_c, Landau levels of c1 and c2.
        f_levels: n_f, Landau levels of each f orbital.
        rows: Rows of each orbital.
        below: Wanted bands below neutrality.
        above: Wanted bands above it.
        cutoff_error: NaN: there is no limit that these levels would converge to.
        cutoff_tolerance: NaN.
    """

    model: HeavyFermions
    p: Int[Array, ""]
    q: Int[Array, ""]
    levels: Int[Array, ""]
    f_levels: Int[Array, ""]
    rows: int = eqx.field(static=True)
    below: int = eqx.field(static=True)
    above: int = eqx.field(static=True)
    cutoff_error: Float[Array, ""]
    cutoff_tolerance: Float[Array, ""]

    @property
    def basis_size(self) -> int:
        """Rows of the matrix."""
        return self.model.components * self.rows

    @property
    def size(self) -> Int[Array, ""]:
        """Landau levels of c1 and c2."""
        return self.levels

    def kept_rows(self, size: int | Int[Array, ""]) -> Bool[Array, " basis"]:
        """Rows of the basis with fewer levels of c electrons."""
        return inside(self.model, jnp.asarray(size), self.p, self.rows, self.rows, self.f_levels * self.p)

    @property
    def reference_filling(self) -> Float[Array, ""]:
        """How many of the wanted bands are filled at neutrality."""
        return jnp.asarray(self.below, self.vectors.dtype)

    def _matrix_at(self, k: Float[Array, " 2"]) -> Complex[Array, "basis basis"]:
        """H, the same at every momentum."""
        level, _ = landau_basis.levels_and_states(self.rows, self.p)
        # In place of the overlaps of number states around lattice points, those of orthonormal ones.
        phase = jnp.asarray([1, -1j, -1, 1j], self.model.potential.dtype)[level % 4]
        terms = hybridization(self.model, jnp.diag(phase), self.p, self.q, self.rows)
        f_states = self.f_levels * self.p
        constant = padded_constant(self.model, self.p, self.q, self.levels, self.rows, self.rows, f_states)
        return hybridized(self.model, constant, *terms, self.kept_rows(self.levels))

    def apply_plane_wave(
        self, k: Float[Array, " 2"], dk: Float[Array, " 2"], states: Complex[Array, "basis band"]
    ) -> Complex[Array, "basis band"]:
        """Components of exp(−i dk·r)|ψ⟩ at k."""
        k, dk = k.astype(self.vectors.dtype), dk.astype(self.vectors.dtype)
        origin, parts = jnp.zeros_like(k), states.reshape(self.model.components, self.rows, -1)
        parts = jax.vmap(lambda part: landau_basis.carried_back(k, dk, origin, self.p, self.q, part))(parts)
        return landau_basis.displaced(-dk, parts, self.vectors, self.p, self.q, self.rows).reshape(states.shape)

    def shift_k1(self, k: Float[Array, " 2"], states: Complex[Array, "basis band"]) -> Complex[Array, "basis band"]:
        """Eigenstates at (k1 + 1/q, k2) from those at k, by T(a2)^j with j p ≡ 1 (mod q)."""
        k = k.astype(self.vectors.dtype)
        steps, origin = inverse_modulo(self.p, self.q), jnp.zeros_like(k)
        parts = states.reshape(self.model.components, self.rows, -1)
        moved = jax.vmap(lambda part: landau_basis.translated(k, steps, origin, self.p, self.q, part))(parts)
        return moved.reshape(states.shape)


def naive_heavy_fermion_problem(
    model: HeavyFermions, flux: FluxLike, *, levels: int, f_levels: int, bands_per_cell: int | None = None
) -> NaiveHeavyFermionProblem:
    """Heavy fermions with f electrons in Landau levels, a wrong substitution to compare with.

    Args:
        model: The zero-field model.
        flux: The flux, positive.
        levels: n_c, Landau levels of c1 and c2.
        f_levels: n_f, Landau levels of f1 and f2, at most n_c. The spectrum depends on it at any size.
        bands_per_cell: Wanted bands per primitive cell, on each side of neutrality; by default the model's.

    Raises:
        ValueError: If the flux is not positive, or the levels do not hold the wanted bands.
    """
    flux = Flux.of(flux)
    if flux.p <= 0:
        raise fail("flux", "positive", flux)
    below, above = model.wanted_bands(flux, bands_per_cell)
    as_integer("f_levels", f_levels, minimum=1)
    if as_integer("levels", levels, minimum=2) < f_levels:
        raise fail("f_levels", f"at most the {levels} levels of c electrons", f_levels)
    states = len(model.valleys) * flux.p * (C_ORBITALS * levels + F_ORBITALS * f_levels)
    if states < below + above:
        raise fail("levels", f"enough to hold the {below + above} wanted bands", levels)
    nan = jnp.full((), jnp.nan, model.vectors.dtype)
    return NaiveHeavyFermionProblem(
        model=model,
        p=jnp.asarray(flux.p),
        q=jnp.asarray(flux.q),
        levels=jnp.asarray(levels),
        f_levels=jnp.asarray(f_levels),
        rows=padded_rows(flux, levels),
        below=below,
        above=above,
        cutoff_error=nan,
        cutoff_tolerance=nan,
    )
