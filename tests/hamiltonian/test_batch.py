"""Points (flux, k) sorted into stacks: every point once, few sizes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hofstadter.flux import Flux, farey
from hofstadter.hamiltonian.batch import Stack, padded_cells, stack_points
from tests import strategies


def test_padded_sizes():
    sizes = [padded_cells(q) for q in range(1, 401)]
    assert sizes == sorted(sizes)
    assert all(size >= q for q, size in enumerate(sizes, 1))
    assert all(padded_cells(size) == size for size in set(sizes))
    # Few programs; and work grows as the cube of the size, so padding must cost little where matrices are large.
    assert len(set(sizes)) <= 32
    assert all(size <= 2 * q for q, size in enumerate(sizes, 1))
    assert all(size < 1.2 * q for q, size in enumerate(sizes, 1) if q > 80)


def points(pairs, lengths, rng):
    fluxes = [Flux(*pair) for pair in pairs]
    return fluxes, [rng.uniform(size=(n, 2)) for n in lengths]


@given(st.lists(st.tuples(strategies.fluxes(max_q=40), st.integers(0, 5)), min_size=1, max_size=12))
def test_every_point_comes_once(drawn):
    fluxes, momenta = points(*zip(*drawn, strict=True), np.random.default_rng(0))
    stacks = stack_points(fluxes, momenta)
    assert [stack.cells for stack in stacks] == sorted({padded_cells(flux.q) for flux in fluxes})
    seen = set()
    for stack in stacks:
        for p, q, k, (i, j) in zip(stack.p, stack.q, stack.k, stack.index, strict=True):
            assert Flux(int(p), int(q)) == fluxes[i]
            assert padded_cells(int(q)) == stack.cells
            np.testing.assert_array_equal(k, momenta[i][j])
            assert (i, j) not in seen
            seen.add((int(i), int(j)))
    assert len(seen) == sum(len(k) for k in momenta)


@pytest.mark.parametrize(("total", "size", "valid"), [(7, 3, [3, 3, 1]), (6, 3, [3, 3]), (2, 8, [2]), (1, 1, [1])])
def test_pieces_have_one_size(total, size, valid, rng):
    (stack,) = stack_points([Flux(1, 3)], [rng.uniform(size=(total, 2))])
    pieces = list(stack.pieces(size))
    assert [count for _, count in pieces] == valid
    assert all(len(piece.p) == len(piece.q) == len(piece.k) == len(piece.index) == size for piece, _ in pieces)
    rows = np.concatenate([piece.index[:count] for piece, count in pieces])
    np.testing.assert_array_equal(rows, stack.index)
    for piece, _ in pieces:
        assert isinstance(piece, Stack)
        np.testing.assert_array_equal(piece.k, stack.k[piece.index[:, 1]])  # repeated points are real ones


def test_all_fluxes_up_to_denominator_40_make_few_stacks():
    fluxes = farey(40)
    stacks = stack_points(fluxes, [np.zeros((1, 2))] * len(fluxes))
    cells = [stack.cells for stack in stacks]
    assert cells == sorted(set(cells))
    assert len(cells) <= 10
    assert sum(len(stack.p) for stack in stacks) == len(fluxes)
