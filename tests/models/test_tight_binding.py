import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import hofstadter as hof
from hofstadter import _checks
from tests import strategies, systems

UNIT = [[1, 0], [0, 1]]
ORIGIN = [[0, 0]]


def make(hoppings, *, vectors=UNIT, positions=((0, 0), (0.5, 0.25))):
    return hof.models.tight_binding(vectors, positions, hoppings)


def test_a_model_is_its_data():
    model = hof.models.tight_binding(
        [[1, 0], [0.5, 2]],
        [[0, 0], [-0.5, 1.25]],
        [(0.7, 0, 0, (0, 0)), (-1, 0, 1, (0, 0)), (0.5j, 1, 0, (2, -1)), (1 + 1j, 1, 1, (0, 1))],
        name="mine",
    )
    assert model.orbitals == 2
    assert model.hops == ((0, 1, 0, 0), (1, 0, 2, -1), (1, 1, 0, 1))
    assert model.name == "mine"
    np.testing.assert_array_equal(model.vectors, [[1, 0], [0.5, 2]])
    np.testing.assert_array_equal(model.positions, [[0, 0], [-0.5, 1.25]])
    np.testing.assert_array_equal(model.onsite, [0.7, 0])
    np.testing.assert_array_equal(model.amplitudes, [-1, 0.5j, 1 + 1j])
    for leaf, dtype in zip(
        jax.tree.leaves(model), (jnp.float64, jnp.float64, jnp.float64, jnp.complex128), strict=True
    ):
        assert leaf.dtype == dtype


def test_a_model_without_hops_has_its_onsite_energies():
    model = make([(0.7, 0, 0, (0, 0)), (-0.2, 1, 1, (0, 0))])
    assert model.amplitudes.shape == (0,)
    np.testing.assert_allclose(systems.energies(model, (1, 3), [[0.1, 0.2]]), [[-0.2] * 3 + [0.7] * 3], atol=1e-15)


def test_plain_zeros_are_left_out_and_arrays_stay():
    zeros = [(0, 0, 1, (0, 0)), (0.0, 0, 1, (1, 0)), (0j, 0, 1, (0, 1)), (jnp.zeros(()), 0, 1, (1, 1))]
    assert make(zeros).hops == ((0, 1, 1, 1),)


@pytest.mark.usefixtures("unchecked_types")
def test_amplitudes_may_be_any_kind_of_number():
    numbers = [
        2,
        2.0,
        2 + 0j,
        np.float32(2),
        np.int64(2),
        np.complex64(2),
        np.array(2.0),
        jnp.asarray(2),
        jnp.asarray(2.0),
    ]
    model = make([(number, 0, 1, (n, 0)) for n, number in enumerate(numbers)])
    np.testing.assert_array_equal(model.amplitudes, np.full(len(numbers), 2.0 + 0j))


@pytest.mark.usefixtures("unchecked_types")
def test_integers_may_be_numpy_integers():
    model = make([(1.0, np.int64(0), np.int32(1), np.array([1, -1]))])
    assert model.hops == ((0, 1, 1, -1),)
    assert all(type(n) is int for n in model.hops[0])


def test_an_onsite_energy_may_be_written_as_a_complex_number():
    model = make([(0.5 + 0j, 0, 0, (0, 0)), (np.complex128(0.25), 1, 1, (0, 0))])
    np.testing.assert_array_equal(model.onsite, [0.5, 0.25])


@pytest.mark.parametrize(
    ("vectors", "words"),
    [
        ([[0, 1], [1, 0]], "right-handed (a1 × a2 > 0), but is [[0.0, 1.0], [1.0, 0.0]]. Exchange a1 and a2."),
        ([[1, 0], [2, 0]], "right-handed (a1 × a2 > 0), but is [[1.0, 0.0], [2.0, 0.0]]."),
        ([1, 0, 0, 1], "an array of shape (2, 2), but is of shape (4,)."),
        ([[1, 0, 0], [0, 1, 0]], "an array of shape (2, 2), but is of shape (2, 3)."),
        ([[1, 0]], "an array of shape (2, 2), but is of shape (1, 2)."),
        ([[1, 0], [0, np.nan]], "finite, but is [[1, 0], [0, nan]]."),
        ([[1j, 0], [0, 1]], "real, but is of type complex128."),
    ],
)
def test_refuses_bad_vectors(vectors, words):
    with pytest.raises(ValueError, match=re.escape(f"Argument `vectors` must be {words}")):
        hof.models.tight_binding(vectors, ORIGIN, [])


@pytest.mark.parametrize(
    ("positions", "words"),
    [
        ([0, 0], "an array of shape (orbital, 2), but is of shape (2,)."),
        ([[0, 0, 0]], "an array of shape (orbital, 2), but is of shape (1, 3)."),
        (np.zeros((0, 2)), "an array of shape (orbital, 2), but is of shape (0, 2)."),
        ([[0, np.inf]], "finite, but is [[0, inf]]."),
        ([[0, 1j]], "real, but is of type complex128."),
    ],
)
def test_refuses_bad_positions(positions, words):
    with pytest.raises(ValueError, match=re.escape(f"Argument `positions` must be {words}")):
        hof.models.tight_binding(UNIT, positions, [])


@pytest.mark.parametrize("entry", [(1.0, 0, 1), (1.0, 0, 1, 0, 1), (1.0, 0, 1, 3), (1.0, 0, 1, (1, 2, 3)), 7])
@pytest.mark.usefixtures("unchecked_types")
def test_refuses_entries_of_the_wrong_form(entry):
    error = f"Argument `hoppings[1]` must be (amplitude, i, j, (R1, R2)), but is {entry}."
    with pytest.raises(ValueError, match=re.escape(error)):
        make([(1.0, 0, 1, (0, 0)), entry])


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (("t", 0, 1, (0, 0)), "led by a number, but is 't'."),
        (([1, 2], 0, 1, (0, 0)), "led by a number, but is [1, 2]."),
        ((np.nan, 0, 1, (0, 0)), "finite, but is nan."),
        ((complex(0, np.inf), 0, 1, (0, 0)), "finite, but is infj."),
        ((1.0, 0, 2, (0, 0)), "between orbitals 0 and 1, but is about orbital 2."),
        ((1.0, -1, 0, (0, 0)), "between orbitals 0 and 1, but is about orbital -1."),
        ((1j, 1, 1, (0, 0)), "real, being an on-site term of a Hermitian matrix, but is 1j."),
    ],
)
@pytest.mark.usefixtures("unchecked_types")
def test_refuses_bad_entries(entry, words):
    with pytest.raises(ValueError, match=re.escape(f"Argument `hoppings[0]` must be {words}")):
        make([entry])


@pytest.mark.parametrize(
    ("hoppings", "repetition"),
    [
        ([(1, 0, 1, (2, 1)), (1, 0, 1, (2, 1))], "entry 1 (0, 1, 2, 1) repeats entry 0"),
        ([(1, 0, 1, (2, 1)), (5, 0, 0, (0, 0)), (1, 1, 0, (-2, -1))], "entry 2 (1, 0, -2, -1) repeats entry 0"),
        ([(1, 0, 0, (1, 0)), (1, 0, 0, (-1, 0))], "entry 1 (0, 0, -1, 0) repeats entry 0"),
        ([(1, 0, 0, (0, 0)), (2, 0, 0, (0, 0))], "entry 1 (0, 0, 0, 0) repeats entry 0"),
        ([(0, 0, 1, (0, 0)), (1, 1, 0, (0, 0))], "entry 1 (1, 0, 0, 0) repeats entry 0"),
    ],
)
def test_refuses_pairs_that_are_there_twice(hoppings, repetition):
    error = (
        f"Argument `hoppings` must list each pair of orbitals once, but {repetition} or is its Hermitian partner. "
        "The partner is implied: leave it out, or add the amplitudes."
    )
    with pytest.raises(ValueError, match=re.escape(error)):
        make(hoppings)


@pytest.mark.parametrize(
    "entry", [(1.0, 0.0, 1, (0, 0)), (1.0, 0, 1, (0.5, 0)), (1.0, True, 1, (0, 0)), (1.0, 0, "1", (0, 0))]
)
@pytest.mark.usefixtures("unchecked_types")
def test_refuses_indices_that_are_no_integers(entry):
    with pytest.raises(TypeError, match=r"Argument `hoppings\[0\]` must be an integer, but is "):
        make([entry])


def test_numbers_may_be_traced():
    def energy(t, length, x):
        vectors = jnp.array([[1.0, 0.0], [0.3, 1.0]]) * length
        hoppings = [(2 * t, 0, 0, (0, 0)), (t, 0, 1, (0, 0)), (jnp.asarray(t, complex) * 1j, 1, 1, (1, 0))]
        model = hof.models.tight_binding(vectors, jnp.array([[0.0, 0.0], [0.5, 0.5]]) + x, hoppings)
        return jnp.sum(jnp.abs(model.amplitudes)) + model.onsite[0] + jnp.sum(model.vectors) + jnp.sum(model.positions)

    value, gradient = jax.value_and_grad(energy, argnums=(0, 1, 2))(0.5, 2.0, 0.25)
    np.testing.assert_allclose(value, 1.0 + 1.0 + 2 * 2.3 + 2.0, atol=1e-14)
    np.testing.assert_allclose(gradient, (4.0, 2.3, 4.0), atol=1e-14)
    np.testing.assert_allclose(jax.jit(energy)(0.5, 2.0, 0.25), value, atol=1e-14)
    batch = jax.vmap(energy, (0, None, None))(jnp.array([0.5, 1.0]), 2.0, 0.25)
    np.testing.assert_allclose(batch, [value, value + 2.0], atol=1e-14)


def test_models_that_differ_in_numbers_share_their_structure():
    structures = {jax.tree.structure(hof.models.honeycomb(t, 0.1 * t, mass=t)) for t in (0.5, 1.0, 2.0)}
    assert len(structures) == 1


@given(strategies.recipes(), strategies.fluxes(), strategies.momenta())
def test_norm_bound_holds_in_a_field(recipe, flux, k):
    model = systems.random_model(*recipe)
    largest = np.max(np.abs(systems.energies(model, flux, [k])))
    assert largest <= float(model.norm_bound()) * (1 + 1e-12)


def test_norm_bound_is_reached_by_the_square_lattice():
    assert float(hof.models.square().norm_bound()) == 4.0


def test_cast():
    model = systems.random_model(1, 3)
    single = hof.models.cast(model, "single")
    assert [leaf.dtype for leaf in jax.tree.leaves(single)] == [jnp.float32] * 3 + [jnp.complex64]
    assert systems.matrix(hof.at_flux(single, (1, 3)), jnp.array([0.1, 0.2])).dtype == jnp.complex64
    double = hof.models.cast(single, "double")
    assert [leaf.dtype for leaf in jax.tree.leaves(double)] == [jnp.float64] * 3 + [jnp.complex128]
    np.testing.assert_allclose(double.amplitudes, model.amplitudes, rtol=1e-6)
    with pytest.raises(ValueError, match=r"Argument `precision` must be \"single\" or \"double\", but is 'half'\."):
        hof.models.cast(model, "half")


@pytest.mark.parametrize("vectors", [np.float32, np.float64])
@pytest.mark.parametrize("positions", [np.float32, np.float64])
def test_one_precision_throughout(vectors, positions):
    model = hof.models.tight_binding(np.eye(2, dtype=vectors), np.zeros((1, 2), positions), [(-0.1, 0, 0, (1, 0))])
    kinds = {leaf.real.dtype for leaf in jax.tree.leaves(model)}
    assert len(kinds) == 1
    if np.float64 in (vectors, positions):
        assert model.amplitudes[0] == -0.1


def test_says_once_that_precision_is_single(monkeypatch):
    monkeypatch.setattr(_checks, "_warned_precision", False)
    with jax.enable_x64(False):
        with pytest.warns(hof.PrecisionWarning, match=r"64-bit mode is off, so hofstadter works in single precision"):
            model = hof.models.square()
        hof.models.square()
    assert model.amplitudes.dtype == jnp.complex64


def test_says_nothing_about_precision_in_double(monkeypatch):
    monkeypatch.setattr(_checks, "_warned_precision", False)
    hof.models.square()
    assert not _checks._warned_precision
