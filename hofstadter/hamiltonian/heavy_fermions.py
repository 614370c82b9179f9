"""Topological heavy fermions in a field: Landau levels of the c electrons, localized orbitals of the f electrons.

The c electrons stand in the basis of `magnetic.landau_basis`, Landau levels ⊗ guiding centers. The f electrons stay
localized: each orbital has q states |f; k, j⟩, Bloch sums over magnetic translations of an orbital at j a2. The
hybridization of a c electron at r with an orbital at R is the kernel W(r − R), the Fourier transform of the one at zero
field, times the phase of the straight line from R to r. Around R = 0 the Gaussian in it is the sum over Landau levels

    Σ_n i^n h_n |n⟩ ⊗ |χ_n⟩,    h_n = (1 − τ)^n/(1 + τ)^(n+1),    τ = λ²/2ℓ²,

with the number states χ_n of `magnetic.number_states`. In its covariant derivatives (√2/ℓ) a/(1 − τ) acts on |n⟩ in
place of k_x − ik_y and (√2/ℓ) a†/(1 + τ) in place of k_x + ik_y; the schemes "ordered" and "exp" leave the
denominators out. The kinetic energy has (√2/ℓ) a and (√2/ℓ) a† there. In valley η = +1, c1 and c2 keep n_c levels, c3
one less and c4 one more, so that it maps the kept levels into each other; in valley −1 c3 and c4 exchange their
numbers. H has 4 n_c p + 2q states per momentum; for M = v⋆'' = 0 it is bipartite, with 2q zero modes at every flux.

Replacing momenta by a and a† in the f orbitals, too, would be wrong: see `naive_heavy_fermions`.
"""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float, Int

from hofstadter.flux import Flux
from hofstadter.hamiltonian import cutoff
from hofstadter.hamiltonian._abstract import AbstractTruncatedProblem
from hofstadter.hamiltonian.batch import padded_cells
from hofstadter.hamiltonian.heavy_fermion_blocks import (
    C_ORBITALS,
    F_ORBITALS,
    hybridization_bound,
    hybridized,
    without_hybridization,
)
from hofstadter.hamiltonian.landau_levels import inverse_modulo, rounded_up
from hofstadter.magnetic import landau_basis, number_states
from hofstadter.magnetic.translations import shift_states
from hofstadter.models.heavy_fermions import HeavyFermions, Scheme

# Landau levels that c1, …, c4 keep more than c1, by valley.
LEVEL_OFFSETS = {1: (0, 0, -1, 1), -1: (0, 0, 1, -1)}
# Levels to try first, at one flux quantum per cell.
FIRST_LEVELS = 12


class HeavyFermionProblem(AbstractTruncatedProblem[HeavyFermions]):
    """Heavy fermions at flux p/q > 0. The basis is, valley by valley, c1, …, c4 with `rows` rows each, f1 and f2.

    Rows of c electrons are (Landau level, guiding-center state), the `cells` rows of an f orbital the places j of the
    magnetic cell. Rows beyond the kept levels and j ≥ q are padding, as many far above as far below all bands.

    Attributes:
        model: The zero-field model.
        p: Numerator of the flux, may be traced.
        q: Denominator of the flux, may be traced.
        levels: n_c, Landau levels of c1 and c2.
        rows: Rows of each c orbital, at least (n_c + 2) p.
        cells: Rows of each f orbital.
        table: Bound on n_c + 2.
        terms: Terms of the lattice sums, from `number_states.window`.
        below: Wanted bands below neutrality.
        above: Wanted bands above it.
        cutoff_error: Largest change of a wanted energy when a quarter more levels are kept; NaN if not estimated.
        cutoff_tolerance: What `cutoff_error` was meant to be at most.
        constant: H without the hybridization.
    """

    model: HeavyFermions
    p: Int[Array, ""]
    q: Int[Array, ""]
    levels: Int[Array, ""]
    rows: int = eqx.field(static=True)
    cells: int = eqx.field(static=True)
    table: int = eqx.field(static=True)
    terms: int = eqx.field(static=True)
    below: int = eqx.field(static=True)
    above: int = eqx.field(static=True)
    cutoff_error: Float[Array, ""]
    cutoff_tolerance: Float[Array, ""]
    constant: Complex[Array, "basis basis"]

    @property
    def basis_size(self) -> int:
        """Rows of the matrix."""
        return len(self.model.valleys) * (C_ORBITALS * self.rows + F_ORBITALS * self.cells)

    @property
    def size(self) -> Int[Array, ""]:
        """Landau levels of c1 and c2."""
        return self.levels

    def kept_rows(self, size: int | Int[Array, ""]) -> Bool[Array, " basis"]:
        """Rows of the basis with fewer levels."""
        return inside(self.model, jnp.asarray(size), self.p, self.rows, self.cells, self.q)

    @property
    def reference_filling(self) -> Float[Array, ""]:
        """How many of the wanted bands are filled at neutrality."""
        return jnp.asarray(self.below, self.vectors.dtype)

    def _matrix_at(self, k: Float[Array, " 2"]) -> Complex[Array, "basis basis"]:
        model, rows, cells = self.model, self.rows, self.cells
        folded, _ = landau_basis.fold(k, self.q)
        overlaps = number_states.overlaps(
            folded, self.vectors, self.p, self.q, levels=self.table, rows=rows, cells=cells, terms=self.terms
        )
        same, minus, plus = hybridization(model, overlaps, self.p, self.q, self.table)
        return hybridized(model, self.constant, same, minus, plus, self.kept_rows(self.levels))

    def apply_plane_wave(
        self, k: Float[Array, " 2"], dk: Float[Array, " 2"], states: Complex[Array, "basis band"]
    ) -> Complex[Array, "basis band"]:
        """Components of exp(−i dk·r)|ψ⟩ at k; f orbitals are points, at j a2. Cost rows² × orbitals × bands."""
        k, dk = k.astype(self.vectors.dtype), dk.astype(self.vectors.dtype)
        c, f = self._split(states)
        origin = jnp.zeros_like(k)
        c = jax.vmap(lambda part: landau_basis.carried_back(k, dk, origin, self.p, self.q, part))(c)
        table = self.table + c.shape[1] - self.rows
        c = landau_basis.displaced(-dk, c, self.vectors, self.p, self.q, table)
        turns = -dk[1] * jnp.arange(self.cells).astype(k.dtype)
        return self._joined(c, landau_basis.turns_to_phase(turns)[None, :, None] * f)

    def shift_k1(self, k: Float[Array, " 2"], states: Complex[Array, "basis band"]) -> Complex[Array, "basis band"]:
        """Eigenstates at (k1 + 1/q, k2) from those at k, by T(a2)^j with j p ≡ 1 (mod q)."""
        k = k.astype(self.vectors.dtype)
        steps = inverse_modulo(self.p, self.q)
        c, f = self._split(states)
        origin = jnp.zeros_like(k)
        c = jax.vmap(lambda part: landau_basis.translated(k, steps, origin, self.p, self.q, part))(c)
        f = jnp.moveaxis(shift_states(jnp.moveaxis(f, 0, 1), self.q, k[1], steps), 0, 1)
        return self._joined(c, f)

    def widened(self, states: Complex[Array, "*batch basis band"], reach: float) -> Complex[Array, "*batch wide band"]:
        """The same states with higher levels of the c electrons, enough to hold exp(−i dk·r)|ψ⟩ for |dk| ≤ `reach`."""
        extra = landau_basis.levels_beyond(self.table, reach, self.vectors, self.p, self.q) * int(self.p)
        more = rounded_up(self.rows + extra) - self.rows

        def one(part):
            c, f = self._split(part)
            return self._joined(jnp.pad(c, [(0, 0), (0, more), (0, 0)]), f)

        return jnp.vectorize(one, signature="(n,b)->(m,b)")(states)

    def _split(
        self, states: Complex[Array, "basis band"]
    ) -> tuple[Complex[Array, "c rows band"], Complex[Array, "f cells band"]]:
        """Rows of all c orbitals and of all f orbitals."""
        valleys, bands = len(self.model.valleys), states.shape[-1]
        parts = states.reshape(valleys, -1, bands)
        middle = parts.shape[1] - F_ORBITALS * self.cells
        c = parts[:, :middle].reshape(valleys * C_ORBITALS, -1, bands)
        return c, parts[:, middle:].reshape(valleys * F_ORBITALS, self.cells, bands)

    def _joined(
        self, c: Complex[Array, "c rows band"], f: Complex[Array, "f cells band"]
    ) -> Complex[Array, "basis band"]:
        """The inverse of `_split`."""
        valleys, bands = len(self.model.valleys), c.shape[-1]
        parts = [x.reshape(valleys, -1, bands) for x in (c, f)]
        return jnp.concatenate(parts, axis=1).reshape(-1, bands)


def heavy_fermion_problem(
    model: HeavyFermions,
    flux: Flux,
    *,
    levels: int | None = None,
    bands_per_cell: int | None = None,
    rtol: float = 1e-11,
) -> HeavyFermionProblem:
    """Heavy fermions at flux p/q > 0, with as many Landau levels of c electrons as their accuracy needs.

    Args:
        model: The zero-field model.
        flux: The flux, positive.
        levels: n_c, Landau levels of c1 and c2. By default as many as leave every wanted energy within `rtol` of their
            range when a quarter more are kept, which needs numbers: inside `jit`, `grad` or `vmap` over the model it
            must be given.
        bands_per_cell: Wanted bands per primitive cell, on each side of neutrality; by default the model's.
        rtol: Accuracy of the wanted energies relative to their range.

    Returns:
        The problem, with its `cutoff_error` and, where that exceeds the tolerance, `basis_status` CUTOFF_TOO_LOW.

    Raises:
        ValueError: If `levels` is too small to hold the wanted bands, or not given where it must be.
    """
    wanted = model.wanted_bands(flux, bands_per_cell)
    fewest = _fewest_levels(model, flux, wanted)
    return cutoff.with_size(
        "levels",
        levels,
        lambda count: with_levels(model, flux, count, wanted),
        fewest=fewest,
        wanted=wanted,
        find=lambda: sufficient_levels(model, flux, bands_per_cell, rtol),
        model=model,
        rtol=rtol,
    )


def with_levels(model: HeavyFermions, flux: Flux, levels: int, wanted: tuple[int, int]) -> HeavyFermionProblem:
    """The problem in a basis of given size, its cut-off error not estimated."""
    table = rounded_up(levels + 2)
    terms = number_states.window(flux.p, flux.q, table)
    shape = padded_rows(flux, levels), padded_cells(flux.q), table, terms
    return _assemble(model, jnp.asarray(flux.p), jnp.asarray(flux.q), jnp.asarray(levels), *shape, wanted)


def padded_rows(flux: Flux, levels: int) -> int:
    """Rows of each c orbital: two levels more than c1 has, which the derivatives of the hybridization look at."""
    return rounded_up((levels + 2) * flux.p)


def padded_size(model: HeavyFermions, flux: Flux, levels: int) -> int:
    """Rows of the matrix at a positive flux, with so many Landau levels."""
    return len(model.valleys) * (C_ORBITALS * padded_rows(flux, levels) + F_ORBITALS * padded_cells(flux.q))


@eqx.filter_jit
def _assemble(
    model: HeavyFermions,
    p: Int[Array, ""],
    q: Int[Array, ""],
    levels: Int[Array, ""],
    rows: int,
    cells: int,
    table: int,
    terms: int,
    wanted: tuple[int, int],
) -> HeavyFermionProblem:
    nan = jnp.full((), jnp.nan, model.vectors.dtype)
    return HeavyFermionProblem(
        model=model,
        p=p,
        q=q,
        levels=levels,
        rows=rows,
        cells=cells,
        table=table,
        terms=terms,
        below=wanted[0],
        above=wanted[1],
        cutoff_error=nan,
        cutoff_tolerance=nan,
        constant=padded_constant(model, p, q, levels, rows, cells, q),
    )


def inside(
    model: HeavyFermions, levels: Int[Array, ""], p: Int[Array, ""], rows: int, cells: int, f_states: Int[Array, ""]
) -> Bool[Array, " basis"]:
    """Which rows are states and not padding; each f orbital has `f_states` of them."""
    parts = []
    for valley in model.valleys:
        parts += [jnp.arange(rows) < (levels + offset) * p for offset in LEVEL_OFFSETS[valley]]
        parts += [jnp.arange(cells) < f_states] * F_ORBITALS
    return jnp.concatenate(parts)


def hybridization(
    model: HeavyFermions, overlaps: Complex[Array, "rows cells"], p: Int[Array, ""], q: Int[Array, ""], levels: int
) -> tuple[Complex[Array, "rows cells"], Complex[Array, "rows cells"], Complex[Array, "rows cells"]]:
    """What takes the place of D(k), D(k) (k_x − ik_y) and D(k) (k_x + ik_y) between c electrons and f orbitals."""
    real = model.damping.dtype
    length = landau_basis.magnetic_length(model.vectors, p, q)
    level, _ = landau_basis.levels_and_states(overlaps.shape[0], p)
    plain, below, above = _damping(model.scheme, (model.damping / length) ** 2 / 2, levels + 1)
    phase = jnp.asarray([1, 1j, -1, -1j], overlaps.dtype)
    index = jnp.minimum(level, levels)
    n = level.astype(real)
    unit = math.sqrt(2) / length

    def term(factor, order, states):
        return (phase[(level + order) % 4] * factor.astype(phase.dtype))[:, None] * states

    same = term(plain[index], 0, overlaps)
    lowered = term(unit * jnp.sqrt(n + 1) * above[index], 1, jnp.roll(overlaps, -p, axis=0))
    raised = term(unit * jnp.sqrt(n) * below[index], -1, jnp.roll(overlaps, p, axis=0))
    return same, lowered, raised


def _damping(
    scheme: Scheme, tau: Float[Array, ""], levels: int
) -> tuple[Float[Array, " level"], Float[Array, " level"], Float[Array, " level"]]:
    """For n < `levels` the Gaussian's h_n, and what stands in for h_(n−1) and h_(n+1) in its derivatives."""
    if scheme == "exp":
        n = jnp.arange(-1, levels + 1, dtype=tau.dtype)
        h = jnp.exp(-tau * (2 * n + 1))
        return h[1:-1], h[:-2], h[2:]
    ratio = (1 - tau) / (1 + tau)
    powers = jnp.cumprod(jnp.concatenate([jnp.ones(1, tau.dtype), jnp.repeat(ratio, levels)]))
    h = powers / (1 + tau)
    below = jnp.concatenate([jnp.zeros(1, tau.dtype), h[: levels - 1]])
    if scheme == "ordered":
        return h[:-1], below, h[1:]
    # h_(n+1)/(1 − τ) without the quotient, since τ may be 1.
    return h[:-1], below / (1 + tau), powers[:-1] / (1 + tau) ** 2


def padded_constant(
    model: HeavyFermions,
    p: Int[Array, ""],
    q: Int[Array, ""],
    levels: Int[Array, ""],
    rows: int,
    cells: int,
    f_states: Int[Array, ""],
) -> Complex[Array, "basis basis"]:
    """H without the hybridization, and the padding."""
    level, state = landau_basis.levels_and_states(rows, p)
    one_up = (state[:, None] == state[None, :]) & (level[:, None] == level[None, :] + 1)
    length = landau_basis.magnetic_length(model.vectors, p, q)
    plus = jnp.where(one_up, jnp.sqrt(level.astype(length.dtype))[:, None] * (math.sqrt(2) / length), 0)
    kept = inside(model, levels, p, rows, cells, f_states)
    matrix = without_hybridization(model, plus.astype(model.potential.dtype), cells)
    matrix = jnp.where(kept[:, None] & kept[None, :], matrix, 0)
    padding = ~kept
    far = 2 * (jnp.max(jnp.sum(jnp.abs(matrix), axis=1)) + hybridization_bound(model) + 1)
    below = jnp.cumsum(padding) <= jnp.sum(padding) // 2
    return matrix + jnp.diag(jnp.where(padding, jnp.where(below, -far, far), 0)).astype(matrix.dtype)


def _fewest_levels(model: HeavyFermions, flux: Flux, wanted: tuple[int, int]) -> int:
    """Fewest levels that hold the wanted bands, with at least one level in every orbital."""
    valleys = len(model.valleys)
    states = sum(wanted) - valleys * F_ORBITALS * flux.q
    return max(2, -(-states // (C_ORBITALS * valleys * flux.p)))


def sufficient_levels(model: HeavyFermions, flux: Flux, bands_per_cell: int | None, rtol: float) -> int:
    """Fewest levels that reach the accuracy; below one quantum per cell counted there, where matrices are smallest."""
    at = flux if flux.p > flux.q else Flux(1, 1)
    wanted = model.wanted_bands(at, bands_per_cell)
    # At other fluxes the same number of states may leave a larger error.
    stricter = rtol if at == flux else rtol / 4
    start = max(_fewest_levels(model, at, wanted), math.ceil(FIRST_LEVELS * at.q / at.p))
    found = cutoff.smallest_sufficient(lambda count: with_levels(model, at, count, wanted), start, stricter)
    fewest = _fewest_levels(model, flux, model.wanted_bands(flux, bands_per_cell))
    return max(fewest, math.ceil(found * flux.q * at.p / (flux.p * at.q)))
