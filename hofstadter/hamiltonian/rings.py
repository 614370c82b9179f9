"""Block rings: magnetic Bloch problems whose basis states, put in order, couple along a closed chain of blocks only.

Two families are rings. In tight binding the copies of the primitive cell follow each other along a2, and bonds reach
only so many cells far. In the continuum the p guiding-center states of a Landau level do: exp(iG·r) moves a state s by
G2 q (by −G1 in the basis of theta functions), so that the states s, s + q, s + 2q, … (mod p) come in order.

The ring is cut open at its last places, the border. What is left is a chain of blocks, each coupled to the next block
and to the border:

    H = [ D_0  U_0           C_0 ]
        [ U_0† D_1  U_1      C_1 ]
        [      U_1† D_2 …    C_2 ]
        [            …        …  ]
        [ C_0† C_1† C_2† …   W   ]
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from hofstadter._checks import is_concrete
from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter.hamiltonian.bloch import TightBindingProblem
from hofstadter.hamiltonian.landau import LandauProblem
from hofstadter.hamiltonian.landau_levels import AbstractLandauProblem
from hofstadter.hamiltonian.theta import ThetaProblem

# Blocks of fewer rows cost more overhead than they save work.
LEAST_ROWS = 48


class BlockRing(eqx.Module):
    """A Hermitian matrix that is a chain of blocks and a border.

    Attributes:
        diagonal: D.
        upper: U, of each block to the next one; the last of them is zero.
        border: C.
        last: W.
    """

    diagonal: Complex[Array, "block row row"]
    upper: Complex[Array, "block row row"]
    border: Complex[Array, "block row edge"]
    last: Complex[Array, "edge edge"]

    def apply(self, states: Complex[Array, "basis band"]) -> Complex[Array, "basis band"]:
        """H ψ."""
        chain, edge = self.parts(states)
        after = jnp.concatenate([chain[1:], jnp.zeros_like(chain[:1])])
        below = adjoint_product(self.upper, chain)
        before = jnp.concatenate([jnp.zeros_like(chain[:1]), below[:-1]])
        result = self.diagonal @ chain + self.upper @ after + before + self.border @ edge
        last = self.last @ edge + jnp.sum(adjoint_product(self.border, chain), axis=0)
        return jnp.concatenate([result.reshape(-1, states.shape[1]), last])

    def parts(
        self, states: Complex[Array, "basis band"]
    ) -> tuple[Complex[Array, "block row band"], Complex[Array, "edge band"]]:
        """Rows of the chain and rows of the border."""
        blocks, rows, _ = self.border.shape
        return states[: blocks * rows].reshape(blocks, rows, -1), states[blocks * rows :]

    def norm(self) -> Float[Array, ""]:
        """Largest sum of |elements| of a row, a bound on |E|."""
        upper = jnp.abs(self.upper)
        before = jnp.concatenate([jnp.zeros_like(upper[:1, 0]), jnp.sum(upper, axis=1)[:-1]])
        border = jnp.abs(self.border)
        chain = jnp.sum(jnp.abs(self.diagonal), 2) + jnp.sum(upper, 2) + before + jnp.sum(border, 2)
        edge = jnp.sum(jnp.abs(self.last), axis=1) + jnp.sum(border, axis=(0, 1))
        return jnp.maximum(jnp.max(chain), jnp.max(edge))

    @property
    def size(self) -> int:
        """Rows of the matrix."""
        blocks, rows, edge = self.border.shape
        return blocks * rows + edge


def adjoint_product(
    matrix: Complex[Array, "*batch row column"], states: Complex[Array, "*batch row band"]
) -> Complex[Array, "*batch column band"]:
    """Adjoint of a large matrix times few states, without a transposed copy of the matrix."""
    return (states.mT.conj() @ matrix).mT.conj()


class RingLayout(NamedTuple):
    """How a ring of places is cut into blocks. Places in front that the problem does not have only pad.

    Attributes:
        blocks: Number of blocks.
        block: Places in a block.
        edge: Places in the border, as many as a coupling reaches.
        states: States at a place.
        order: In Landau levels, the guiding-center states in the order of the places.
    """

    blocks: int
    block: int
    edge: int
    states: int
    order: tuple[int, ...] = ()

    @property
    def places(self) -> int:
        """Places in all, padding included."""
        return self.blocks * self.block + self.edge


def ring_layout(problem: AbstractMagneticBlochProblem) -> RingLayout | None:
    """The ring that a problem is, as its model and flux show; None if it is none, or its flux is traced.

    A tight-binding problem may have traced p and q, since its number of places is static.
    """
    if isinstance(problem, TightBindingProblem):
        return _layout(problem.cells, problem.model.orbitals, [hop[3] for hop in problem.model.hops])
    if isinstance(problem, LandauProblem | ThetaProblem) and is_concrete(problem.p, problem.q):
        p, q, harmonics = int(problem.p), int(problem.q), problem.model.harmonics
        states = problem.model.components * (problem.rows // p)
        if isinstance(problem, LandauProblem):
            layout, step = _layout(p, states, [harmonic[3] for harmonic in harmonics]), q
        else:
            layout, step = _layout(p, states, [harmonic[2] for harmonic in harmonics]), 1
        return None if layout is None else layout._replace(order=tuple(place * step % p for place in range(p)))
    return None


def _layout(places: int, states: int, distances: list[int]) -> RingLayout | None:
    edge = max([1, *map(abs, distances)])
    if places < 3 * edge:
        return None
    block = min(max(edge, -(-LEAST_ROWS // states)), places - edge)
    blocks = -(-(places - edge) // block)
    # As even as possible, so that padding is short.
    return RingLayout(blocks, max(edge, -(-(places - edge) // blocks)), edge, states)


def block_ring(problem: AbstractMagneticBlochProblem, layout: RingLayout, k: Float[Array, " 2"]) -> BlockRing:
    """H(k) as a ring, without the dense matrix."""
    k = k.astype(problem.vectors.dtype)
    if isinstance(problem, TightBindingProblem):
        return _tight_binding_ring(problem, layout, k)
    assert isinstance(problem, AbstractLandauProblem)
    return _landau_ring(problem, layout, k)


def ring_rows(problem: AbstractMagneticBlochProblem, layout: RingLayout) -> Int[Array, " basis"]:
    """For each row of `problem.matrix` its row in the ring; beyond the ring's last row for rows that only pad."""
    size = layout.places * layout.states
    if isinstance(problem, TightBindingProblem):
        cell, orbital = jnp.divmod(jnp.arange(problem.basis_size), problem.model.orbitals)
        row = (cell + layout.places - problem.q) * layout.states + orbital
        return jnp.where(cell < problem.q, row, size)
    assert isinstance(problem, AbstractLandauProblem)
    chain, edge = _landau_rows(problem, layout)
    rows = np.concatenate([chain.reshape(-1), edge.reshape(-1)])
    result = np.full(problem.basis_size, size)
    result[rows[rows >= 0]] = np.flatnonzero(rows >= 0)
    return jnp.asarray(result)


def padding_left_out(problem: AbstractMagneticBlochProblem, layout: RingLayout) -> Int[Array, ""]:
    """How many rows of `problem.matrix` below all bands are not in the ring."""
    if not isinstance(problem, AbstractLandauProblem):
        return jnp.zeros((), int)
    left_out = ring_rows(problem, layout) == layout.places * layout.states
    return jnp.sum(left_out & (problem.constant.diagonal().real < 0))


def _tight_binding_ring(problem: TightBindingProblem, layout: RingLayout, k: Float[Array, " 2"]) -> BlockRing:
    model, states = problem.model, layout.states
    rows, chain = layout.block * states, layout.blocks * layout.block
    target, source, values, column = problem.hop_elements(k)
    cell = jnp.arange(problem.cells)[None, :]
    front = layout.places - problem.q
    place, other = cell + front, column + front
    shape = (layout.blocks, rows, 2 * rows + layout.edge * states)
    outside = layout.blocks

    def scattered(into, place, orbital, other, other_orbital, values, where):
        """Add elements between places of the chain and the same or next block, or the border."""
        block, inner = place // layout.block, place % layout.block * states + orbital
        ahead = other // layout.block - block
        in_chain = (ahead >= 0) & (ahead <= 1) & (other < chain)
        number = jnp.where(in_chain, ahead * rows + other % layout.block * states + other_orbital, 0)
        number = jnp.where(other >= chain, 2 * rows + (other - chain) * states + other_orbital, number)
        used = where & (place < chain) & (in_chain | (other >= chain))
        return into.at[jnp.where(used, block, outside), inner, number].add(values, mode="drop")

    def within(into, place, orbital, other, other_orbital, values, where):
        """Add elements of the border."""
        used = where & (place >= chain) & (other >= chain)
        row = jnp.where(used, (place - chain) * states + orbital, layout.edge * states)
        return into.at[row, (other - chain) * states + other_orbital].add(values, mode="drop")

    inside = cell < problem.q
    i, j = target[:, None], source[:, None]
    real = model.positions.dtype

    def assembled(function, shape):
        parts = []
        # Real and imaginary parts go in apart: 128-bit scatters run serially on GPUs.
        for part, sign in ((values.real, 1), (values.imag, -1)):
            empty = function(jnp.zeros(shape, real), place, i, other, j, part, inside)
            parts.append(function(empty, other, j, place, i, sign * part, inside))
        return jax.lax.complex(*parts)

    chain_part = assembled(scattered, shape)
    last = assembled(within, (layout.edge * states, layout.edge * states))
    padding = 2 * model.norm_bound() + 1
    number = jnp.arange(layout.places)[:, None] * jnp.ones((1, states), int)
    onsite = jnp.where(number >= front, model.onsite[None, :], padding).reshape(-1).astype(last.dtype)
    diagonal = chain_part[:, :, :rows] + jax.vmap(jnp.diag)(onsite[: chain * states].reshape(layout.blocks, rows))
    return BlockRing(
        diagonal,
        chain_part[:, :, rows : 2 * rows],
        chain_part[:, :, 2 * rows :],
        last + jnp.diag(onsite[chain * states :]),
    )


def _landau_rows(
    problem: AbstractLandauProblem, layout: RingLayout
) -> tuple[Int[np.ndarray, "block component row"], Int[np.ndarray, "1 component edge"]]:
    """Row of the basis for each row of a block, component by component, and of the border; −1 for padding."""
    p, components = len(layout.order), problem.model.components
    row = problem.rows * np.arange(components)[:, None] + p * np.arange(problem.rows // p)
    padding = np.full((layout.places - p, *row.shape), -1)
    rows = np.concatenate([padding, np.array(layout.order)[:, None, None] + row])
    blocks = rows[: layout.blocks * layout.block].reshape(layout.blocks, layout.block, *row.shape)
    return (
        np.swapaxes(blocks, 1, 2).reshape(layout.blocks, components, -1),
        np.swapaxes(rows[layout.blocks * layout.block :], 0, 1).reshape(1, components, -1),
    )


def _landau_ring(problem: AbstractLandauProblem, layout: RingLayout, k: Float[Array, " 2"]) -> BlockRing:
    chain, edge = _landau_rows(problem, layout)
    phases = problem.guiding_center_phases(k)
    phases = jnp.broadcast_to(phases, (phases.shape[0], problem.rows))
    far = 4 * jnp.max(jnp.abs(problem.constant.diagonal()).real) + 1

    diagonal = _landau_elements(problem, phases, chain, chain)
    diagonal += jax.vmap(jnp.diag)(jnp.where(chain.reshape(layout.blocks, -1) < 0, far, 0)).astype(diagonal.dtype)
    following = np.concatenate([chain[1:], np.full_like(chain[:1], -1)])
    return BlockRing(
        diagonal,
        _landau_elements(problem, phases, chain, following),
        _landau_elements(problem, phases, chain, np.broadcast_to(edge, (layout.blocks, *edge.shape[1:]))),
        _landau_elements(problem, phases, edge, edge)[0],
    )


def _landau_elements(
    problem: AbstractLandauProblem,
    phases: Complex[Array, "harmonic rows"],
    bra: Int[np.ndarray, "block component row"],
    ket: Int[np.ndarray, "block component column"],
) -> Complex[Array, "block bra ket"]:
    """H between rows of the basis; zero where a row is −1."""
    blocks, components, size = bra.shape
    flat, other = bra.reshape(blocks, -1), ket.reshape(blocks, -1)
    exists = (flat[:, :, None] >= 0) & (other[:, None, :] >= 0)
    kinetic = problem.constant[flat[:, :, None], other[:, None, :]].reshape(blocks, components, size, components, -1)
    # Rows within their component; padding is masked in the end.
    bra, ket = np.maximum(bra, 0) % problem.rows, np.maximum(ket, 0) % problem.rows
    parts = {(a, b): kinetic[:, a, :, b] for a in range(components) for b in range(components)}
    for a, b in sorted({harmonic[:2] for harmonic in problem.model.harmonics}):
        members = np.array([i for i, harmonic in enumerate(problem.model.harmonics) if harmonic[:2] == (a, b)])
        rows, columns = bra[:, a], ket[:, b]
        term = problem.harmonics[members[:, None, None, None], rows[:, :, None], columns[:, None, :]]
        parts[a, b] += jnp.sum(phases[members[:, None, None], rows][..., None] * term, axis=0)
        # Of the Hermitian conjugate the columns are the rows of the harmonic.
        rows, columns = ket[:, a], bra[:, b]
        term = problem.harmonics[members[:, None, None, None], rows[:, :, None], columns[:, None, :]]
        parts[b, a] += jnp.sum(phases[members[:, None, None], rows][..., None] * term, axis=0).mT.conj()
    matrix = jnp.concatenate(
        [jnp.concatenate([parts[a, b] for b in range(components)], axis=2) for a in range(components)], axis=1
    )
    return jnp.where(exists, matrix, 0)
