"""What all Landau-level bases share: kinetic energy, padding, and the number of levels that a continuum model needs."""

import abc
import math
from collections.abc import Callable
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float, Int

from hofstadter.flux import Flux
from hofstadter.hamiltonian import cutoff
from hofstadter.hamiltonian._abstract import AbstractTruncatedProblem
from hofstadter.magnetic import landau_basis
from hofstadter.magnetic.form_factors import ladder_product
from hofstadter.models.continuum import Continuum

# Rows and levels come in multiples of this, so that fluxes of similar size share compiled programs; small ones, where
# it would make matrices a quarter larger, in multiples of 4.
ROW_STEP = 16
SMALL_ROW_STEP = 4
MANY_ROWS = 96
# Levels to try first, at one flux quantum per cell.
FIRST_LEVELS = 64


class AbstractLandauProblem(AbstractTruncatedProblem[Continuum]):
    """A continuum model at flux p/q > 0, in a basis (component, Landau level, guiding-center state), the last fastest.

    Each component has `rows` rows. Those beyond its (levels + level offset) × p states are padding, put far above and
    far below all bands in equal numbers (all above if bands are counted from the bottom, all below if from the top), so
    that the place of the first wanted band in the spectrum depends on `rows` alone. A harmonic of the potential is a
    displacement of Landau levels that does not depend on k, times the part of the guiding centers:
    `guiding_center_phases`.

    Attributes:
        levels: Landau levels of component 0; the others keep `model.level_offsets` more.
        rows: Rows of each component.
        table: Bound on the number of levels of any component.
        constant: Kinetic energy and padding.
        harmonics: For each harmonic the rows and columns of the components that it couples, without the phases of k;
            half of it where it is Hermitian by itself.
    """

    levels: eqx.AbstractVar[Int[Array, ""]]
    rows: eqx.AbstractVar[int]
    table: eqx.AbstractVar[int]
    constant: eqx.AbstractVar[Complex[Array, "basis basis"]]
    harmonics: eqx.AbstractVar[Complex[Array, "harmonic rows rows"]]

    @abc.abstractmethod
    def guiding_center_phases(self, k: Float[Array, " 2"]) -> Complex[Array, "harmonic rows_or_one"]:
        """Phases that the rows of each harmonic are multiplied by at k."""

    @property
    def basis_size(self) -> int:
        """Rows of the matrix."""
        return self.model.components * self.rows

    @property
    def size(self) -> Int[Array, ""]:
        """Landau levels of component 0."""
        return self.levels

    def kept_rows(self, size: int) -> Bool[Array, " basis"]:
        """Rows of the basis with fewer levels."""
        return inside(self.model, jnp.asarray(size), self.p, self.rows).reshape(-1)

    @property
    def reference_filling(self) -> Float[Array, ""]:
        """How many of the wanted bands are filled at the reference; half-integer for an odd number of Dirac levels."""
        states = jnp.sum(inside(self.model, self.levels, self.p, self.rows))
        odd = jnp.where(self.model.reference == "neutrality", states % 2, 0)
        return self.below - odd.astype(self.vectors.dtype) / 2

    def _matrix_at(self, k: Float[Array, " 2"]) -> Complex[Array, "basis basis"]:
        phases = self.guiding_center_phases(k)
        matrix = self.constant
        for a, b in sorted({harmonic[:2] for harmonic in self.model.harmonics}):
            members = np.array([i for i, harmonic in enumerate(self.model.harmonics) if harmonic[:2] == (a, b)])
            term = jnp.sum(phases[members, :, None] * self.harmonics[members], axis=0)
            rows, columns = (slice(c * self.rows, (c + 1) * self.rows) for c in (a, b))
            matrix = matrix.at[rows, columns].add(term).at[columns, rows].add(term.conj().T)
        return matrix

    def displaced(
        self, momentum: Float[Array, " 2"], states: Complex[Array, "component rows band"]
    ) -> Complex[Array, "component rows band"]:
        """D of a reduced momentum applied to the Landau levels of all components, which may have rows beyond `rows`."""
        table = self.table + states.shape[1] - self.rows
        return landau_basis.displaced(momentum, states, self.vectors, self.p, self.q, table)

    def components(self, states: Complex[Array, "basis band"]) -> Complex[Array, "component rows band"]:
        """The rows of each component."""
        return states.reshape(self.model.components, -1, states.shape[-1])

    def widened(self, states: Complex[Array, "*batch basis band"], reach: float) -> Complex[Array, "*batch wide band"]:
        """The same states with higher levels appended to each component, to hold exp(−i dk·r)|ψ⟩ for |dk| ≤ `reach`."""
        extra = landau_basis.levels_beyond(self.table, reach, self.vectors, self.p, self.q) * int(self.p)
        more = rounded_up(self.rows + extra) - self.rows
        parts = states.reshape(*states.shape[:-2], self.model.components, self.rows, states.shape[-1])
        wide = jnp.pad(parts, [(0, 0)] * (parts.ndim - 2) + [(0, more), (0, 0)])
        return wide.reshape(*states.shape[:-2], -1, states.shape[-1])


Problem = TypeVar("Problem", bound=AbstractLandauProblem)


def with_sufficient_levels(
    kind: type[Problem],
    harmonics: Callable[..., Array],
    model: Continuum,
    flux: Flux,
    *,
    levels: int | None,
    bands_per_cell: int | None,
    rtol: float,
) -> Problem:
    """A problem of the given kind, with levels that suffice and `harmonics(model, p, q, levels, rows, table)`.

    Raises:
        ValueError: If `levels` is too small to hold the wanted bands, or not given while the model is traced.
    """

    def build(at: Flux, count: int, wanted: tuple[int, int]) -> Problem:
        p, q, count_array = jnp.asarray(at.p), jnp.asarray(at.q), jnp.asarray(count)
        rows, table = padded_rows(model, at, count), rounded_up(count + max(model.level_offsets))
        return assemble(kind, harmonics, model, p, q, count_array, rows, table, wanted)

    bands = model.wanted_bands(flux, bands_per_cell)
    fewest = _fewest_levels(model, flux, bands)
    return cutoff.with_size(
        "levels",
        levels,
        lambda count: build(flux, count, bands),
        fewest=fewest,
        wanted=bands,
        find=lambda: _sufficient_levels(build, model, flux, bands_per_cell, rtol),
        model=model,
        rtol=rtol,
    )


@eqx.filter_jit
def assemble(
    kind: type[Problem],
    harmonics: Callable[..., Array],
    model: Continuum,
    p: Int[Array, ""],
    q: Int[Array, ""],
    levels: Int[Array, ""],
    rows: int,
    table: int,
    bands: tuple[int, int],
) -> Problem:
    """The problem in a basis of given size, its cut-off error not estimated."""
    nan = jnp.full((), jnp.nan, model.vectors.dtype)
    return kind(
        model=model,
        p=p,
        q=q,
        levels=levels,
        rows=rows,
        table=table,
        below=bands[0],
        above=bands[1],
        cutoff_error=nan,
        cutoff_tolerance=nan,
        constant=kinetic_matrix(model, p, q, levels, rows),
        harmonics=harmonics(model, p, q, levels, rows, table),
    )


def padded_rows(model: Continuum, flux: Flux, levels: int) -> int:
    """Rows of each component at a positive flux, with so many Landau levels."""
    return rounded_up((levels + max(model.level_offsets)) * flux.p)


def rounded_up(size: int) -> int:
    """The number of rows that hold this many states."""
    step = SMALL_ROW_STEP if size <= MANY_ROWS else ROW_STEP
    return -(-size // step) * step


def _sufficient_levels(
    build: Callable[[Flux, int, tuple[int, int]], AbstractLandauProblem],
    model: Continuum,
    flux: Flux,
    bands_per_cell: int | None,
    rtol: float,
) -> int:
    """Fewest levels that reach the accuracy.

    The number of states per cell hardly depends on flux, so below one quantum per cell the levels are counted at one,
    where matrices are smallest.
    """
    at = flux if flux.p > flux.q else Flux(1, 1)
    wanted = model.wanted_bands(at, bands_per_cell)
    fewest = _fewest_levels(model, at, wanted)
    # At other fluxes the same number of states was measured to leave up to twice the error.
    stricter = rtol if at == flux else rtol / 4
    start = max(fewest, math.ceil(FIRST_LEVELS * at.q / at.p))
    found = cutoff.smallest_sufficient(lambda count: build(at, count, wanted), start, stricter)
    return math.ceil(found * flux.q * at.p / (flux.p * at.q))


def _fewest_levels(model: Continuum, flux: Flux, bands: tuple[int, int]) -> int:
    """Fewest levels that hold the wanted bands, with at least one level in every component."""
    offsets = model.level_offsets
    states = -(-sum(bands) // flux.p)
    return max(1 - min(offsets), -(-(states - sum(offsets)) // len(offsets)))


def inside(model: Continuum, levels: Int[Array, ""], p: Int[Array, ""], rows: int) -> Bool[Array, "component rows"]:
    """Which rows are states and not padding."""
    offsets = jnp.asarray(model.level_offsets)
    return jnp.arange(rows)[None, :] < ((levels + offsets) * p)[:, None]


def inverse_modulo(p: Int[Array, ""], q: Int[Array, ""]) -> Int[Array, ""]:
    """Inverse of p modulo q, by Euclid's algorithm; 0 for q = 1."""

    def step(state):
        a, b, x, y = state
        return b, a % b, y, x - (a // b) * y

    start = (q, jnp.mod(p, q), jnp.zeros_like(q), jnp.ones_like(q))
    _, _, inverse, _ = jax.lax.while_loop(lambda state: state[1] != 0, step, start)
    return jnp.mod(inverse, q)


def kinetic_matrix(
    model: Continuum, p: Int[Array, ""], q: Int[Array, ""], levels: Int[Array, ""], rows: int
) -> Complex[Array, "basis basis"]:
    """Kinetic energy in the Landau basis, and the padding beyond the kept levels."""
    real = model.vectors.dtype
    kept = inside(model, levels, p, rows)
    level, state = landau_basis.levels_and_states(rows, p)
    same_state = state[:, None] == state[None, :]
    unit = jnp.sqrt(2 * jnp.ones((), real)) / landau_basis.magnetic_length(model.vectors, p, q)
    size = model.components
    zero = jnp.zeros((rows, rows), model.kinetic.dtype)
    blocks = [[zero] * size for _ in range(size)]
    for amplitude, (a, b, i, j) in zip(model.kinetic, model.terms, strict=True):
        element = ladder_product(level, i, j, real) * unit ** (i + j)
        raised = same_state & (level[:, None] == level[None, :] + (i - j))
        inside_both = kept[a][:, None] & kept[b][None, :]
        term = jnp.where(raised & inside_both, amplitude * element.astype(amplitude.dtype)[None, :], 0)
        blocks[a][b] = blocks[a][b] + term
        if (a, i) != (b, j):
            blocks[b][a] = blocks[b][a] + term.conj().T
    matrix = jnp.block(blocks)
    far = jnp.max(jnp.sum(jnp.abs(matrix), axis=1)) + 2 * jnp.sum(jnp.abs(model.potential)) + 1
    padding = ~kept.reshape(-1)
    rank = jnp.cumsum(padding)
    below = {"bottom": 0, "neutrality": jnp.sum(padding) // 2, "top": rows * size}[model.reference]
    diagonal = jnp.where(padding, jnp.where(rank <= below, -2 * far, 2 * far), 0)
    return matrix + jnp.diag(diagonal).astype(matrix.dtype)
