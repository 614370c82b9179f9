"""Clock and shift of the guiding centers: their algebra, how they move momenta, and stored matrices."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hofstadter as hof
from hofstadter.magnetic import landau_basis
from tests import continua, strategies
from tests.oracles import continuum_models as plain

OBLIQUE = json.loads((Path(__file__).parents[1] / "data" / "reference_continuum.json").read_text())["mtg"]["oblique"]

# Rows for two whole levels of p = 1 … 6 states, one shape for all.
ROWS = 12
FLUXES = [(1, 1), (2, 1), (1, 2), (2, 3), (3, 2), (4, 3), (6, 5), (5, 7)]

fluxes = st.sampled_from(FLUXES)
whole = st.tuples(st.integers(-7, 7), st.integers(-7, 7))


@jax.jit
def _guiding_center(g, p):
    shift = landau_basis.guiding_center(g, p, ROWS, jnp.float64)
    unit = jnp.eye(ROWS, dtype=complex)
    return shift.apply(unit), shift.apply_adjoint(unit)


@jax.jit
def _change(k, g, offset, p, q):
    shift = landau_basis.change_of_frame(k, g, offset, p, q, ROWS)
    unit = jnp.eye(ROWS, dtype=complex)
    return shift.apply(unit), shift.apply_adjoint(unit)


def guiding_center(g, p):
    """exp(ig·R) at k = 0 on two levels."""
    size = 2 * p
    matrix, adjoint = (np.asarray(x)[:size, :size] for x in _guiding_center(jnp.asarray(g), jnp.asarray(p)))
    np.testing.assert_array_equal(adjoint, matrix.conj().T)
    return matrix


def change_of_frame(k, g, offset, flux):
    size = 2 * flux[0]
    arrays = jnp.asarray(k, float), jnp.asarray(g), jnp.asarray(offset, float), *map(jnp.asarray, flux)
    matrix, adjoint = (np.asarray(x)[:size, :size] for x in _change(*arrays))
    np.testing.assert_array_equal(adjoint, matrix.conj().T)
    return matrix


def turns(x):
    return np.exp(2j * np.pi * x)


@pytest.mark.parametrize("flux", FLUXES)
def test_clock_and_shift(flux):
    """X = exp(ib1·R) and Y = exp(ib2·R) are clock and shift with XY = exp(−2πi q/p) YX, and X^p = Y^p = 1."""
    p, q = flux
    x, y = guiding_center((1, 0), p), guiding_center((0, q), p)
    np.testing.assert_allclose(x, np.diag(np.tile(turns(-np.arange(p) / p), 2)), atol=1e-15)
    np.testing.assert_array_equal(y, np.kron(np.eye(2), np.roll(np.eye(p), q, axis=0)))
    np.testing.assert_allclose(x @ y, turns(-q / p) * y @ x, atol=2e-15)
    unit = np.eye(2 * p)
    for power in (np.linalg.matrix_power(x, p), np.linalg.matrix_power(y, p)):
        np.testing.assert_allclose(power, unit, atol=5e-15)


@given(fluxes, whole, whole)
def test_guiding_centers_translate_each_other(flux, g, other):
    """exp(ig·R) exp(ig'·R) = exp(−iℓ² g×g'/2) exp(i(g + g')·R), with ℓ² g×g' = 2π (n1 n2' − n2 n1')/p for n2 b2/q."""
    p, _ = flux
    area = g[0] * other[1] - g[1] * other[0]
    product = guiding_center(g, p) @ guiding_center(other, p)
    together = guiding_center(np.add(g, other), p)
    np.testing.assert_allclose(product, turns(-area / (2 * p)) * together, atol=5e-15)


def test_exact_for_many_flux_quanta():
    p = 1_000_003
    shift = landau_basis.guiding_center(jnp.array([123_457, 98_765]), jnp.asarray(p), 7, jnp.float64)
    # Integers of any size.
    expected = [turns(((123_457 * 98_765 - 2 * 123_457 * s) % (2 * p)) / (2 * p)) for s in range(7)]
    np.testing.assert_allclose(shift.phase, expected, atol=1e-14)


@given(fluxes, strategies.momenta(), whole, whole, strategies.momenta())
def test_changes_of_frame_follow_each_other(flux, k, g, other, offset):
    """|k + g + g'⟩ = |k⟩ U(k; g) U(k + g; g')."""
    there = np.asarray(k) + np.asarray(g) / (1, flux[1])
    product = change_of_frame(k, g, offset, flux) @ change_of_frame(there, other, offset, flux)
    np.testing.assert_allclose(product, change_of_frame(k, np.add(g, other), offset, flux), atol=3e-13)


@given(fluxes, strategies.momenta(), whole, strategies.momenta())
def test_frames_of_two_offsets_differ_by_a_translation(flux, k, g, offset):
    """Momentum and its origin enter as k − K only, and U is exp(ig·R) at that momentum."""
    moved = change_of_frame(np.subtract(k, offset), g, (0, 0), flux)
    np.testing.assert_allclose(change_of_frame(k, g, offset, flux), moved, atol=3e-13)
    at_zero = guiding_center(g, flux[0])
    np.testing.assert_allclose(change_of_frame((0, 0), g, (0, 0), flux), at_zero, atol=1e-14)


@jax.jit
def fold(k, q):
    return landau_basis.fold(k, q)


@given(fluxes, strategies.momenta(), whole)
def test_fold(flux, k, g):
    q = flux[1]
    k = np.asarray(k, float)
    folded, count = (np.asarray(x) for x in fold(jnp.asarray(k), jnp.asarray(q)))
    np.testing.assert_allclose(folded + count / (1, q), k, atol=1e-15)
    assert np.all(folded * (1, q) >= np.array(landau_basis.CUT) - 1e-12)
    assert np.all(folded * (1, q) < np.array(landau_basis.CUT) + 1 + 1e-12)
    again, more = fold(jnp.asarray(k + np.asarray(g) / (1, q)), jnp.asarray(q))
    np.testing.assert_allclose(again, folded, atol=5e-15)
    np.testing.assert_array_equal(np.asarray(more) - count, g)


@pytest.mark.parametrize("q", [1, 2, 3, 6, 8, 12])
def test_no_mesh_meets_the_cut(q):
    for size in (12, 24, 36, 48, 100, 128, 250):
        steps = np.arange(4 * size) / size
        for cut in landau_basis.CUT:
            distance = abs((steps - cut) - np.round(steps - cut)).min()
            assert distance > 1e-5
    shift = np.asarray(fold(jnp.array([0.5, 0.5 / q]), jnp.asarray(q))[1])
    np.testing.assert_array_equal(shift, [0, 1])


def test_magnetic_length_and_displacement_parameter():
    vectors = jnp.asarray([OBLIQUE["a1"], OBLIQUE["a2"]])
    for case in OBLIQUE["cases"]:
        p, q = jnp.asarray(case["p"]), jnp.asarray(case["q"])
        length = float(landau_basis.magnetic_length(vectors, p, q))
        assert abs(length**2 - case["l2"]) < 1e-12
        x, y = plain.reciprocal(np.asarray(vectors))[0] * 0.3 + plain.reciprocal(np.asarray(vectors))[1] * (-0.7)
        z = landau_basis.displacement_parameter(jnp.array([0.3, -0.7]), vectors, p, q)
        np.testing.assert_allclose(z, length * (x - 1j * y) / np.sqrt(2), rtol=1e-14)


def reduced(cartesian):
    """In units of b1 and b2."""
    return np.asarray(cartesian) @ np.array([OBLIQUE["a1"], OBLIQUE["a2"]]).T / (2 * np.pi)


@pytest.mark.parametrize("case", OBLIQUE["cases"], ids=lambda case: f"{case['p']}-{case['q']}")
def test_stored_plane_wave_between_components(case):
    """exp(ib1·r) between components of different offset at some k, on three levels."""
    expected = np.array(case["expG(1,0)_3LL_block"]) @ [1, 1j]
    model = hof.models.continuum(
        [OBLIQUE["a1"], OBLIQUE["a2"]],
        [(1.0, 0, 0, (1, 1)), (1.0, 1, 1, (1, 1))],
        [(1.0, 0, 1, (1, 0))],
        offsets=[reduced(OBLIQUE["Ka"]), reduced(OBLIQUE["Kb"])],
    )
    problem = continua.assemble("landau", model, (case["p"], case["q"]), 6, 16, 8, (0, 3))
    h = np.asarray(continua.matrices(problem, continua.five(reduced(OBLIQUE["k_cart"]))))[0]
    size = 3 * case["p"]
    block = h[:size, problem.rows : problem.rows + size]
    np.testing.assert_allclose(block, expected, rtol=0, atol=2e-12)
