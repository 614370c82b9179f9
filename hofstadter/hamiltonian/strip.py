"""Continuum models at low fields: plane waves along a1 times finite elements along a2, a sparse matrix.

In reduced coordinates r = x1 a1 + x2 a2 and the gauge eA·dl = −2π (p/q) x2 dx1 the components of the wave function are

    ψ_α = exp(iK_α·r) Σ_n exp[2πi (k1 + n − κ1) x1] g_n(x2),   g_{n+p}(x2 + q) = exp[2πi q (k2 − κ2)] g_n(x2),

with K_α = κ1 b1 + κ2 b2, which are T(a1) = exp(−2πi k1) and T(q a2) = exp(−2πi q k2) of the electron. On g_n

    π − K_α = b1 u + b2 (−i/2π) d/dx2,   u = k1 + n − κ1 − (p/q) x2,

exp(i b2·r) multiplies by exp(2πi x2), and exp(i b1·r) sends g_n to g_{n+1}. At x2 only the `waves` waves of smallest
|u| are kept, and each g_n consists of the polynomials of `magnetic.finite_elements`. So the cost grows with q, and not
with q³ as that of Landau levels. Smoothness drops by one where a component holds one Landau level more, which keeps the
index of Dirac operators. Everything here is NumPy and SciPy: direct sparse solvers exist only there.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse
from jaxtyping import Complex, Float, Int

from hofstadter.errors import Status
from hofstadter.flux import Flux
from hofstadter.magnetic import finite_elements
from hofstadter.magnetic.finite_elements import ElementFunctions
from hofstadter.models.continuum import Continuum, Term

# Degree of the polynomials of the roughest components, more where smoothness needs it.
DEGREE = 8
# Functions per cell and wave along a2, so that waves and elements cut off about the same momentum.
FUNCTIONS_PER_WAVE = 2.0


class Pencil(NamedTuple):
    """H and S of the generalized eigenproblem H v = E S v, both Hermitian, S positive.

    Attributes:
        hamiltonian: H.
        overlap: S.
        size: Their number of rows.
        norm: Largest column sum of |H|.
    """

    hamiltonian: scipy.sparse.csc_matrix
    overlap: scipy.sparse.csc_matrix
    size: int
    norm: float

    @classmethod
    def of(cls, hamiltonian: scipy.sparse.csc_matrix, overlap: scipy.sparse.csc_matrix) -> "Pencil":
        """The pencil of two matrices."""
        columns = np.asarray(abs(hamiltonian).sum(axis=0))
        return cls(hamiltonian, overlap, columns.size, float(columns.max()))


@dataclasses.dataclass(frozen=True, eq=False)
class StripProblem:
    """A continuum model at flux p/q > 0 in the strip basis; build one with `hofstadter.strip_problem`.

    It has energies and counts of states, by `hofstadter.solve(problem, k, states=False)` and
    `hofstadter.states_below`, but no dense matrix.

    Attributes:
        model: The zero-field model.
        flux: Flux per cell.
        waves: Plane waves along a1 that are kept at each x2, an even number.
        below: Wanted bands below the reference.
        above: Wanted bands above it.
        cutoff_error: Largest change of a wanted energy when a quarter more waves are kept; NaN if not estimated.
        cutoff_tolerance: What `cutoff_error` was meant to be at most.
    """

    model: Continuum
    flux: Flux
    waves: int
    below: int
    above: int
    cutoff_error: float = math.nan
    cutoff_tolerance: float = math.nan

    @property
    def reference(self) -> str:
        """Where bands are counted from."""
        return self.model.reference

    @property
    def returned_bands(self) -> int:
        """Number of wanted bands."""
        return self.below + self.above

    @functools.cached_property
    def basis_size(self) -> int:
        """Rows of the pencil: where the window of waves moves on, p times in q cells, one end of a wave is lost."""
        functions = sum(len(part.coefficients) - part.at_end for part in self.functions)
        return self.elements * self.waves * functions - self.flux.p * sum(part.at_end for part in self.functions)

    @property
    def first_band(self) -> int:
        """How many eigenvalues of the pencil lie below the first wanted band."""
        row = {"bottom": 0, "neutrality": (self.basis_size + 1) // 2, "top": self.basis_size}[self.reference]
        return row - self.below

    @property
    def reference_filling(self) -> float:
        """How many of the wanted bands are filled at the reference; half-integer for an odd number of Dirac levels."""
        return self.below - (self.basis_size % 2 / 2 if self.reference == "neutrality" else 0.0)

    @property
    def basis_status(self) -> Status:
        """OK, or CUTOFF_TOO_LOW."""
        return Status.CUTOFF_TOO_LOW if self.cutoff_error > self.cutoff_tolerance else Status.OK

    @functools.cached_property
    def smoothness(self) -> tuple[int, ...]:
        """Continuous derivatives of each component, as few as the kinetic terms allow."""
        raised = self._level_offsets
        base = -1
        while any(i + j > 2 * (base + 1 + max(raised)) - raised[a] - raised[b] for a, b, i, j in self.model.terms):
            base += 1
        return tuple(base + max(raised) - offset for offset in raised)

    @functools.cached_property
    def functions(self) -> tuple[ElementFunctions, ...]:
        """Of each component the functions on one element."""
        degree = max(DEGREE, 2 * max(self.smoothness) + 4)
        return tuple(
            finite_elements.element_functions(degree - offset, smoothness)
            for offset, smoothness in zip(self._level_offsets, self.smoothness, strict=True)
        )

    @functools.cached_property
    def elements(self) -> int:
        """Elements along the q cells."""
        b1, b2 = np.linalg.norm(self._reciprocal, axis=1)
        functions = FUNCTIONS_PER_WAVE * self.waves * b1 / b2 * self.flux.q
        # Between two elements the window of waves moves by less than half of itself.
        return max(2, math.ceil(functions / DEGREE), math.ceil(2 * self.flux.p / self.waves))

    def pencil(self, k: Float[np.ndarray, " 2"]) -> Pencil:
        """H and S at a reduced momentum."""
        spaces = self._spaces(np.asarray(k, float))
        hamiltonian, overlap = _Triplets(self.basis_size), _Triplets(self.basis_size)
        every = np.arange(self.elements)[:, None], np.arange(self.waves)[None, :]
        for space in spaces:
            coefficients = space.functions.coefficients
            overlap.add(space, every, space, every, coefficients @ coefficients.T, own=True)
        for amplitude, term in zip(np.asarray(self.model.kinetic), self.model.terms, strict=True):
            a, b, i, j = term
            block = amplitude * self._kinetic(term, spaces)
            hamiltonian.add(spaces[a], every, spaces[b], every, block, own=(a, i) == (b, j))
        for amplitude, (a, b, m1, m2) in zip(np.asarray(self.model.potential), self.model.harmonics, strict=True):
            turns = m2 + self._offsets[b, 1] - self._offsets[a, 1]
            # Wave n of b becomes n + m1 of a, which may lie outside of its window.
            target = every[1] + (spaces[b].lowest - spaces[a].lowest + m1)[:, None]
            element, wave = np.nonzero((target >= 0) & (target < self.waves))
            phase = amplitude * np.exp(2j * np.pi * turns * self._centers[element])
            shape = finite_elements.wave(self.functions[a], self.functions[b], turns * self._width / 2)
            hamiltonian.add(
                spaces[a],
                (element, target[element, wave]),
                spaces[b],
                (element, wave),
                phase[:, None, None] * shape,
                own=a == b and m1 == m2 == 0,
            )
        return Pencil.of(hamiltonian.matrix(), overlap.matrix())

    def _kinetic(self, term: Term, spaces: "Sequence[_Space]") -> Complex[np.ndarray, "element wave bra ket"]:
        """⟨α| π₊^i π₋^j |β⟩, averaged over the orders of the factors, each acting to the side that is smooth enough."""
        a, b, i, j = term
        order = i + j
        to_left = min(self.smoothness[a] + 1, max(order // 2, order - self.smoothness[b] - 1))
        size = max(part.coefficients.shape[1] for part in self.functions) + order
        u = spaces[a].lowest[:, None] + np.arange(self.waves) + spaces[a].origin - self._flux * self._centers[:, None]
        factors = {sign: self._momentum(sign, u, size) for sign in (1, -1)}
        bra, ket = (_extended(self.functions[c].coefficients, size) for c in (a, b))
        total, orders = 0.0, 0
        for plus in itertools.combinations(range(order), i):
            signs = [1 if place in plus else -1 for place in range(order)]
            # π±† = π∓.
            left = functools.reduce(lambda states, sign: factors[-sign] @ states, signs[:to_left], bra.T)
            right = functools.reduce(lambda states, sign: factors[sign] @ states, signs[to_left:][::-1], ket.T)
            total, orders = total + np.swapaxes(left.conj(), -1, -2) @ right, orders + 1
        return np.broadcast_to(total / orders, (*u.shape, len(bra), len(ket)))

    def _momentum(
        self, sign: int, u: Float[np.ndarray, "element wave"], size: int
    ) -> Complex[np.ndarray, "element wave size size"]:
        """π_x ± iπ_y between Legendre coefficients, for u at the centers of the elements."""
        b1, b2 = self._reciprocal @ np.array([1.0, sign * 1j])
        across = -b1 * self._flux * self._width / 2 * finite_elements.position(size)
        along = -1j * b2 / (np.pi * self._width) * finite_elements.derivative(size)
        return b1 * u[..., None, None] * np.eye(size) + across + along

    def _spaces(self, k: Float[np.ndarray, " 2"]) -> "list[_Space]":
        """Of each component the rows of its functions at a momentum."""
        spaces, start = [], 0
        for functions, (shift1, shift2) in zip(self.functions, self._offsets, strict=True):
            origin = k[0] - shift1
            lowest = np.ceil(self._flux * self._centers - origin - self.waves / 2).astype(int)
            seam = np.exp(2j * np.pi * self.flux.q * (k[1] - shift2))
            space = _space(functions, lowest, float(origin), self.waves, self.flux.p, complex(seam), start)
            start = max(start, int(space.rows.max()) + 1)
            spaces.append(space)
        return spaces

    @property
    def _flux(self) -> float:
        return float(self.flux)

    @property
    def _width(self) -> float:
        return self.flux.q / self.elements

    @property
    def _centers(self) -> Float[np.ndarray, " element"]:
        return (np.arange(self.elements) + 0.5) * self._width

    @property
    def _offsets(self) -> Float[np.ndarray, "component 2"]:
        return np.asarray(self.model.offsets)

    @property
    def _level_offsets(self) -> tuple[int, ...]:
        """Landau levels of each component beyond those of the component with fewest."""
        fewest = min(self.model.level_offsets)
        return tuple(offset - fewest for offset in self.model.level_offsets)

    @property
    def _reciprocal(self) -> Float[np.ndarray, "2 2"]:
        return 2 * np.pi * np.linalg.inv(np.asarray(self.model.vectors, float)).T


class _Space(NamedTuple):
    """Where the functions of a component are in the pencil.

    Attributes:
        functions: On one element.
        lowest: Lowest wave of each element's window.
        origin: k1 − κ1.
        rows: Row of each function; −1 if it must vanish because its wave ends there.
        phases: Factor of the function in its row: the seam, for those at the end of the last element.
    """

    functions: ElementFunctions
    lowest: Int[np.ndarray, " element"]
    origin: float
    rows: Int[np.ndarray, "element wave function"]
    phases: Complex[np.ndarray, "element wave function"]


def _space(
    functions: ElementFunctions,
    lowest: Int[np.ndarray, " element"],
    origin: float,
    waves: int,
    p: int,
    seam: complex,
    start: int,
) -> _Space:
    """Number the bubbles, then the functions of the nodes, which two elements share."""
    elements, at_end = len(lowest), functions.at_end
    rows = np.full((elements, waves, len(functions.coefficients)), -1)
    phases = np.ones(rows.shape, complex)
    bubbles = rows[:, :, 2 * at_end :]
    bubbles[...] = start + np.arange(bubbles.size).reshape(bubbles.shape)
    if at_end:
        # g_{n+p} before the seam is g_n behind it.
        before = np.concatenate([[lowest[-1] - p], lowest[:-1]])
        previous = lowest[:, None] + np.arange(waves) - before[:, None]
        element, wave = np.nonzero((previous >= 0) & (previous < waves))
        shared = start + bubbles.size + np.arange(element.size * at_end).reshape(-1, at_end)
        rows[element, wave, :at_end] = shared
        rows[element - 1, previous[element, wave], at_end : 2 * at_end] = shared
        phases[-1, :, at_end : 2 * at_end] = seam
    return _Space(functions, lowest, origin, rows, phases)


class _Triplets:
    """Entries of a sparse Hermitian matrix, as they come."""

    def __init__(self, size: int):
        self.size = size
        self.rows: list[np.ndarray] = []
        self.columns: list[np.ndarray] = []
        self.values: list[np.ndarray] = []

    def add(
        self,
        bra: _Space,
        bra_place: tuple[np.ndarray, np.ndarray],
        ket: _Space,
        ket_place: tuple[np.ndarray, np.ndarray],
        block: Complex[np.ndarray, "*place bra ket"] | Float[np.ndarray, "bra ket"],
        *,
        own: bool,
    ) -> None:
        """Add blocks between functions at places (element, wave), and their adjoints unless they are their own."""
        values = bra.phases[bra_place].conj()[..., :, None] * block * ket.phases[ket_place][..., None, :]
        rows = np.broadcast_to(bra.rows[bra_place][..., :, None], values.shape)
        columns = np.broadcast_to(ket.rows[ket_place][..., None, :], values.shape)
        used = (rows >= 0) & (columns >= 0) & (values != 0)
        self._extend(rows[used], columns[used], values[used])
        if not own:
            self._extend(columns[used], rows[used], values[used].conj())

    def matrix(self) -> scipy.sparse.csc_matrix:
        """The matrix; entries of the same place add up."""
        place = np.concatenate(self.rows), np.concatenate(self.columns)
        return scipy.sparse.csc_matrix((np.concatenate(self.values), place), shape=(self.size, self.size))

    def _extend(self, rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> None:
        self.rows.append(rows)
        self.columns.append(columns)
        self.values.append(values)


def _extended(coefficients: Float[np.ndarray, "function power"], size: int) -> Float[np.ndarray, "function size"]:
    return np.pad(coefficients, ((0, 0), (0, size - coefficients.shape[1])))
