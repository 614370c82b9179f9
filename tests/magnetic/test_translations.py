import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hofstadter as hof
from hofstadter.magnetic import translations
from tests import strategies, systems

CELLS = systems.CELLS
_irrep = jax.jit(translations.irrep, static_argnames="cells")
_shift = jax.jit(translations.shift_states)

cells = st.tuples(st.integers(-5, 5), st.integers(-9, 9))


def irreps(flux, k, *translation):
    """The matrices D_k(R) for up to four R."""
    p, q = flux
    rows = jnp.asarray([*translation] + [(0, 0)] * (4 - len(translation)))
    column, turns = map(np.asarray, _irrep(rows, jnp.asarray(p), jnp.asarray(q), jnp.asarray(k, float), cells=CELLS))
    matrices = np.zeros((len(translation), q, q), complex)
    for h in range(len(translation)):
        for m in range(q):
            matrices[h, m, column[h, m]] = np.exp(2j * np.pi * turns[h, m])
    return matrices


@given(strategies.fluxes(), strategies.momenta(), cells)
def test_every_matrix_is_unitary(flux, k, translation):
    (d,) = irreps(flux, k, translation)
    np.testing.assert_allclose(d @ d.conj().T, np.eye(flux[1]), atol=1e-12)


@given(strategies.fluxes(), strategies.momenta())
def test_group_law_of_the_magnetic_translations(flux, k):
    p, q = flux
    d1, d2 = irreps(flux, k, (1, 0), (0, 1))
    # The translation T(R) itself is the complex conjugate of D_k(R), the factor that stands in H.
    t1, t2 = d1.conj(), d2.conj()
    np.testing.assert_allclose(t1 @ t2, np.exp(-2j * np.pi * p / q) * t2 @ t1, atol=1e-12)
    # T(a1)|k⟩ = exp(−2πi k1)|k⟩ on the cell m = 0, and T(q a2)|k⟩ = exp(−2πi q k2)|k⟩.
    np.testing.assert_allclose(t1[0, 0], np.exp(-2j * np.pi * k[0]), atol=1e-12)
    power = np.linalg.matrix_power(t2, q)
    np.testing.assert_allclose(power, np.exp(-2j * np.pi * q * k[1]) * np.eye(q), atol=1e-12)
    # T(a1)^q is a number too: q² matrices up to phases, the finite Heisenberg group.
    power = np.linalg.matrix_power(t1, q)
    np.testing.assert_allclose(power, np.exp(-2j * np.pi * q * k[0]) * np.eye(q), atol=1e-12)


@given(strategies.fluxes(), strategies.momenta(), cells, cells)
def test_products_of_any_two_translations(flux, k, left, right):
    p, q = flux
    d_left, d_right, d_sum = irreps(flux, k, left, right, (left[0] + right[0], left[1] + right[1]))
    factor = np.exp(-2j * np.pi * p / q * left[1] * right[0])
    np.testing.assert_allclose(d_left @ d_right, factor * d_sum, atol=1e-11)


@given(strategies.fluxes(), strategies.momenta(), st.integers(0, 99))
def test_irreducible(flux, k, seed):
    # Schur: averaging any matrix over the group leaves a multiple of the identity.
    q = flux[1]
    m = np.random.default_rng(seed).normal(size=(q, q))
    d1, d2 = irreps(flux, k, (1, 0), (0, 1))
    average = np.zeros((q, q), complex)
    for r1 in range(q):
        for r2 in range(q):
            d = np.linalg.matrix_power(d1, r1) @ np.linalg.matrix_power(d2, r2)
            average += d @ m @ d.conj().T / q**2
    np.testing.assert_allclose(average, np.trace(m) / q * np.eye(q), atol=1e-12)


@given(strategies.momenta(), cells, st.integers(-2, 2))
def test_whole_quanta_leave_the_bloch_factor(k, translation, p):
    (d,) = irreps((p, 1), k, translation)
    np.testing.assert_allclose(d[0, 0], np.exp(2j * np.pi * np.dot(k, translation)), atol=1e-11)


@given(strategies.fluxes(), strategies.momenta(), cells)
def test_periodic_over_the_magnetic_zone(flux, k, translation):
    q = flux[1]
    (d,) = irreps(flux, k, translation)
    for step in ((1, 0), (0, 1 / q)):
        (moved,) = irreps(flux, np.add(k, step), translation)
        np.testing.assert_allclose(moved, d, atol=1e-11)


def test_padding_rows_repeat_valid_ones():
    translation = jnp.array([[2, 3], [-1, -4]])
    column, turns = _irrep(translation, jnp.asarray(2), jnp.asarray(3), jnp.array([0.1, 0.2]), cells=8)
    np.testing.assert_array_equal(column[:, 3:6], column[:, :3])
    np.testing.assert_array_equal(turns[:, 3:6], turns[:, :3])
    assert int(column.max()) < 3


@pytest.mark.parametrize("whole", [0, 1, -7, 10**6])
def test_turns_to_phase(whole):
    turns = jnp.array([0.0, 0.25, 0.5, -0.25, 0.125]) + whole
    expected = [1, 1j, -1, -1j, (1 + 1j) / np.sqrt(2)]
    np.testing.assert_allclose(translations.turns_to_phase(turns), expected, atol=1e-15)


def test_gradient_of_a_phase_is_finite_where_whole_turns_are_removed():
    def real_part(turns):
        return translations.turns_to_phase(turns).imag

    for turns in (0.0, 0.5, 1.0, -2.3):
        np.testing.assert_allclose(jax.grad(real_part)(turns), 2 * np.pi * np.cos(2 * np.pi * turns), atol=1e-12)


def test_wrap():
    m = jnp.arange(-7, 8)
    inside, passed = translations.wrap(m, jnp.asarray(3))
    np.testing.assert_array_equal(inside + 3 * passed, m)
    assert (int(inside.min()), int(inside.max())) == (0, 2)


def eigenstates(model, flux, k):
    """Energies, and states padded to (cells, orbital, band) with zeros."""
    q = flux[1]
    energies, states = np.linalg.eigh(systems.matrices(model, flux, [k])[0])
    padded = np.zeros((CELLS, model.orbitals, q * model.orbitals), complex)
    padded[:q] = states.reshape(q, model.orbitals, -1)
    return energies, padded


def shift(states, q, k2, steps):
    return np.asarray(_shift(jnp.asarray(states), jnp.asarray(q), jnp.asarray(float(k2)), jnp.asarray(steps)))


@given(strategies.recipes(), strategies.fluxes(), strategies.momenta(), st.integers(-8, 8))
def test_translated_eigenstates_are_eigenstates(recipe, flux, k, steps):
    model = systems.random_model(*recipe)
    p, q = flux
    energies, states = eigenstates(model, flux, k)
    moved = shift(states, q, k[1], steps)
    assert not moved[q:].any()
    moved = moved[:q].reshape(q * model.orbitals, -1)
    there = systems.matrices(model, flux, [(k[0] + steps * p / q, k[1])])[0]
    np.testing.assert_allclose(there @ moved, moved * energies, atol=1e-11)
    np.testing.assert_allclose(moved.conj().T @ moved, np.eye(len(moved)), atol=1e-12)


@given(strategies.fluxes(), strategies.momenta(), st.integers(-8, 8), st.integers(-8, 8))
def test_translations_along_a2_add(flux, k, first, second):
    q = flux[1]
    rng = np.random.default_rng(0)
    states = rng.normal(size=(CELLS, 2, 3)) + 1j * rng.normal(size=(CELLS, 2, 3))
    twice = shift(shift(states, q, k[1], first), q, k[1], second)
    np.testing.assert_allclose(twice, shift(states, q, k[1], first + second), atol=1e-11)
    # A whole magnetic cell is the number exp(−2πi q k2); padding stays where it is.
    whole = shift(states, q, k[1], q)
    np.testing.assert_allclose(whole[:q], np.exp(-2j * np.pi * q * k[1]) * states[:q], atol=1e-11)
    np.testing.assert_array_equal(whole[q:], states[q:])


def test_translation_of_two_cells_written_out():
    # q = 2, one orbital: T(a2) exchanges the two cells and adds the seam phase to the one that comes around.
    states = jnp.eye(2, dtype=complex).reshape(2, 1, 2)
    moved = translations.shift_states(states, jnp.asarray(2), jnp.asarray(0.1), jnp.asarray(1))
    expected = np.array([[0, np.exp(-0.4j * np.pi)], [1, 0]])
    np.testing.assert_allclose(moved[:, 0, :], expected, atol=1e-15)
    assert moved.dtype == jnp.complex128


@given(strategies.recipes(), strategies.fluxes(), strategies.momenta())
def test_shift_k1_moves_eigenstates_by_one_reduced_zone(recipe, flux, k):
    model = systems.random_model(*recipe)
    q = flux[1]
    energies, padded = eigenstates(model, flux, k)
    problem = hof.at_flux(model, flux, cells=CELLS)
    states = jnp.asarray(padded.reshape(CELLS * model.orbitals, -1))
    moved = np.asarray(_shift_k1(problem, jnp.asarray(k, float), states))[: q * model.orbitals]
    there = systems.matrices(model, flux, [(k[0] + 1 / q, k[1])])[0]
    np.testing.assert_allclose(there @ moved, moved * energies, atol=1e-11)


@jax.jit
def _shift_k1(problem, k, states):
    return problem.shift_k1(k, states)
