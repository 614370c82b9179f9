"""Number of states below an energy without diagonalizing: inertia of a block-cyclic matrix.

By Sylvester's law the negative pivots of H − E = L D L† count the eigenvalues below E. In the basis of
`hamiltonian.bloch` only cells within the model's reach of each other around the ring of q cells are coupled. Cell after
cell is put into a window, which keeps just the sites that later cells have bonds to, and the others are eliminated. The
sites that the first cells have bonds to, beyond the seam, stay as ghosts; at the end they are the last sites but for
the phase of k2. The work grows with q, not q³, so magnetic cells of thousands are cheap.

Every matrix element is an array of its own over (matrix, energy), and elements that are always zero do not exist, so
that XLA fuses the elimination of a cell into few loops over the lanes.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from hofstadter.counting.elements import Elements, Matrices, distances, reach
from hofstadter.counting.lanes import count_in_lanes
from hofstadter.counting.sparse import Complex, Site, SparseHermitian, decoupled
from hofstadter.magnetic import translations
from hofstadter.models.tight_binding import TightBinding


def count_below(model: TightBinding, p: np.ndarray, q: np.ndarray, k1: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """States of one magnetic Bloch matrix below an energy, for a list of (flux, k, energy).

    Args:
        model: The zero-field model.
        p: Numerators of the fluxes, one per entry.
        q: Denominators, at least `reach(model)`.
        k1: Reduced momenta along b1; k2 is zero.
        energies: Energies, in the model's unit.

    Returns:
        For each entry the number of eigenvalues of H(k1, 0) at p/q below the energy, out of q × orbitals; accurate as
        `lanes.count_in_lanes` says.

    Raises:
        ValueError: If a magnetic cell is smaller than the model's reach.
    """
    if np.any(np.asarray(q) < reach(model)):
        raise ValueError(f"Argument `q` must be at least the reach {reach(model)} of the model, but is {np.min(q)}.")
    p, q, k1, energies = (np.asarray(x) for x in (p, q, k1, energies))
    return count_in_lanes(count_blocks, model, Matrices(p, q, k1, np.zeros((len(q), 1))), energies[:, None])[:, 0]


def updates_per_cell(model: TightBinding) -> int:
    """Matrix elements that change when a cell is eliminated, the measure of the work per cell, energy and k1."""
    sites = Sites(model)
    left = 2 * len(sites.window) + model.orbitals
    return sum((left - n) * (left - n - 1) // 2 for n in range(len(sites.leaving)))


def count_blocks(
    model: TightBinding, matrices: Matrices, energies: Float[Array | np.ndarray, "matrix energy"]
) -> tuple[Int[Array, "matrix energy"], Float[Array, "matrix energy"]]:
    """Counts and growth of any model at q ≥ `reach(model)`, as `lanes.Kernel` describes."""
    return _count(model, matrices, energies)


@eqx.filter_jit
def _count(
    model: TightBinding, matrices: Matrices, energies: Float[Array | np.ndarray, "matrix energy"]
) -> tuple[Int[Array, "matrix energy"], Float[Array, "matrix energy"]]:
    real = model.positions.dtype
    elements = Elements(model, matrices)
    energies, k2, q = jnp.asarray(energies, real) / elements.unit, jnp.asarray(matrices.k2, real), elements.q
    sites = Sites(model)
    cells = jnp.max(q)

    def add_cell(number, matrix):
        # The ends of all rings meet in the last round. Cells before the first are unit rows, with positive pivots.
        matrix = _insert(matrix, elements, sites, number - (cells - q)[None, :], energies)
        return matrix.eliminate(sites.leaving).renamed(sites.older)

    start = decoupled(dict.fromkeys(sites.window, 1.0) | dict.fromkeys(sites.ghosts, 0.0), energies)
    chain = jax.lax.fori_loop(0, cells, add_cell, start)
    turns = -q[:, None] * k2

    def close(number, state):
        count, growth = state
        ring = _close(chain, sites, turns[:, number][:, None]).eliminate(sites.window)
        return count + ring.count, jnp.maximum(growth, ring.growth)

    closings = k2.shape[1]
    return jax.lax.fori_loop(0, closings, close, (chain.count * closings, chain.growth))


class Sites:
    """Which sites stand in the window, by age and orbital; a site of age a is that many cells behind the newest one.

    Attributes:
        window: Sites that cells to come have bonds to, oldest first. After a round each is one cell older.
        ghosts: The same sites as cells before the first one, by their distance from it.
        new: A new cell's sites, of age 0.
        leaving: Sites that no later cell has bonds to, once a new cell is there.
        older: New labels of the sites that stay.
    """

    def __init__(self, model: TightBinding):
        """Find out which sites a model's hops need."""
        orbitals = range(model.orbitals)
        last = [max([0, *(abs(d) for i in orbitals for d in distances(model, i, j) if d < 0)]) for j in orbitals]
        aged = sorted(((age, j) for j in orbitals for age in range(1, last[j] + 1)), reverse=True)
        self.new = [Site("window", 0, j) for j in orbitals]
        self.window = [Site("window", age, j) for age, j in aged]
        self.ghosts = [Site("ghost", age, j) for age, j in aged]
        self.leaving = [site for site in self.window + self.new if site.age == last[site.orbital]]
        self.older = {site: site._replace(age=site.age + 1) for site in self.window + self.new}


def _insert(
    matrix: SparseHermitian,
    elements: Elements,
    sites: Sites,
    cell: Int[Array, "1 matrix"],
    energies: Float[Array, "matrix energy"],
) -> SparseHermitian:
    """Add a cell and its bonds to itself, to the window, and to ghosts in place of cells before the first one."""
    exists = cell[0] >= 0
    for new in sites.new:
        diagonal = elements.diagonal(new.orbital, cell)[0][:, None] - energies
        matrix = matrix.with_site(new, jnp.where(exists[:, None], diagonal, 1))

    def element(row: Site, orbital: int, age: int) -> Complex:
        value = elements.between(row.orbital, orbital, -age, cell)[0]
        return Complex(value.real, value.imag)

    def only(value: Complex, lanes: Bool[Array, " matrix"]) -> Complex:
        return Complex(*(jnp.where(lanes, part, 0)[:, None] for part in value))

    for number, row in enumerate(sites.new):
        for column in sites.new[:number]:
            if 0 in distances(elements.model, row.orbital, column.orbital):
                matrix = matrix.with_bond(row, column, only(element(row, column.orbital, 0), exists))
        for column in sites.window:
            if -column.age not in distances(elements.model, row.orbital, column.orbital):
                continue
            value = element(row, column.orbital, column.age)
            matrix = matrix.with_bond(row, column, only(value, cell[0] >= column.age))
            for ghost in sites.ghosts:
                if ghost.orbital == column.orbital and ghost.age <= column.age:
                    matrix = matrix.with_bond(row, ghost, only(value, cell[0] == column.age - ghost.age))
    return matrix


def _close(chain: SparseHermitian, sites: Sites, turns: Float[Array, "matrix 1"]) -> SparseHermitian:
    """The ring's last sites, with the ghosts replaced by them: ghost = exp(2πi turns) × site."""
    unit = translations.turns_to_phase(turns)
    phase = Complex(unit.real, unit.imag)
    ring = decoupled(dict.fromkeys(sites.window, 0.0), chain.growth)
    diagonal = {}
    places = list(zip(sites.window, sites.ghosts, strict=True))
    for number, (row, row_ghost) in enumerate(places):
        across = chain.bond(row, row_ghost)
        assert across is not None
        diagonal[row] = chain.diagonal[row] + chain.diagonal[row_ghost] + 2 * across.times(phase).real
        for column, column_ghost in places[:number]:
            for value, turned in (
                (chain.bond(row, column), None),
                (chain.bond(row_ghost, column_ghost), None),
                (chain.bond(row, column_ghost), phase),
                (chain.bond(row_ghost, column), phase.conj()),
            ):
                assert value is not None
                ring = ring.with_bond(row, column, value if turned is None else value.times(turned))
    return SparseHermitian(diagonal, ring.bonds, ring.count, ring.growth)
