"""Continuum models as data: what is refused, and what is derived from the terms."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.models.continuum import star
from tests import continua
from tests.oracles import continuum_models as plain

SQUARE = [[1.0, 0.0], [0.0, 1.0]]
FREE = [(1.0, 0, 0, (1, 1))]
DIRAC = [(1.0, 0, 1, (0, 1))]
TWO = [[0.0, 0.0], [0.0, 0.0]]


def build(kinetic=FREE, potential=(), vectors=SQUARE, **options):
    return hof.models.continuum(vectors, kinetic, potential, **options)


def test_a_model_is_its_data():
    model = build([(1.0, 0, 0, (1, 1)), (2.0, 1, 1, (1, 1))], [(1j, 0, 1, (1, 0)), (0.5, 1, 0, (1, 0))], offsets=TWO)
    assert model.components == 2
    assert model.terms == ((0, 0, 1, 1), (1, 1, 1, 1))
    assert model.harmonics == ((0, 1, 1, 0), (1, 0, 1, 0))
    np.testing.assert_array_equal(model.kinetic, [1, 2])
    np.testing.assert_array_equal(model.potential, [1j, 0.5])
    assert len(jax.tree.leaves(model)) == 4
    assert (model.reference, model.bands_at(hof.Flux(2, 3)), model.bands_at(hof.Flux(5, 3))) == ("bottom", 18, 30)
    assert build(DIRAC, offsets=TWO, reference="neutrality", bands_per_cell=2).bands_at(hof.Flux(1, 3)) == 12


def test_wanted_bands_lie_on_the_sides_of_the_reference():
    flux = hof.Flux(5, 3)
    assert build().wanted_bands(flux) == (0, 30)
    assert build([(-1.0, 0, 0, (1, 1))], reference="top").wanted_bands(flux, 2) == (10, 0)
    assert build(DIRAC, offsets=TWO, reference="neutrality").wanted_bands(hof.Flux(1, 3), 1) == (3, 3)


def test_no_potential_is_a_model_too():
    assert build().potential.shape == (0,)
    problem = continua.assemble("landau", build(), (1, 1), 4, 16, 4, (0, 2))
    np.testing.assert_allclose(continua.energies(problem, (0.1, 0.2)), [[2 * np.pi, 6 * np.pi]], rtol=1e-14)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"potential": [(1, 0, 0, (1, 0)), (2, 0, 0, (-1, 0))]}, r"entry 1 .* repeats entry 0 or is its Hermitian"),
        ({"potential": [(1, 0, 0, (1, 0)), (1, 0, 0, (1, 0))]}, r"entry 1 .* repeats entry 0"),
        (
            {"kinetic": [*DIRAC, (1.0, 1, 0, (1, 0))], "offsets": TWO, "reference": "neutrality"},
            r"Argument `kinetic` must list each term once, but entry 1",
        ),
        ({"potential": [(1j, 0, 0, (0, 0))]}, r"`potential\[0\]` must be real, being its own Hermitian partner"),
        ({"kinetic": [(1 + 1e-9j, 0, 0, (2, 2))]}, r"`kinetic\[0\]` must be real, being its own Hermitian partner"),
        (
            {"kinetic": [(1.0, 0, 1, (0, 1))], "offsets": [[0, 0], [0, 0.1]]},
            r"with the same offset, but is from 1 to 0",
        ),
        ({"kinetic": []}, r"`kinetic` must be a list with at least one term, but is empty"),
        ({"kinetic": [(1.0, 0, 0, (0, 0))]}, r"a positive power of π, but is \(0, 0\)\. Constants belong to"),
        ({"kinetic": [(1.0, 0, 0, (-1, 2))]}, r"a positive power of π"),
        ({"potential": [(1, 0, 1, (0, 0))]}, r"between components 0 and 0, but is about component 1"),
        ({"potential": [(float("nan"), 0, 0, (0, 0))]}, r"`potential\[0\]` must be finite"),
        ({"potential": [("1", 0, 0, (0, 0))]}, r"led by a number"),
        ({"potential": [([1.0, 2.0], 0, 0, (0, 0))]}, r"led by a number"),
        ({"potential": [(1.0, 0, 0)]}, r"must be \(amplitude, α, β, \(integer, integer\)\)"),
        ({"potential": [(1.0, 0, 0, (1, 0, 0))]}, r"must be \(amplitude, α, β, \(integer, integer\)\)"),
        ({"potential": [1.0]}, r"must be \(amplitude, α, β, \(integer, integer\)\)"),
        ({"vectors": [[0, 1], [1, 0]]}, r"`vectors` must be right-handed .* Exchange a1 and a2"),
        ({"vectors": [[1, 0], [2, 0]]}, r"`vectors` must be right-handed"),
        ({"vectors": [1, 0]}, r"`vectors` must be an array of shape \(2, 2\)"),
        ({"vectors": [[1, 0], [0, float("inf")]]}, r"`vectors` must be finite"),
        ({"offsets": [0.0, 0.0]}, r"`offsets` must be an array of shape \(component, 2\)"),
        ({"reference": "middle"}, r"`reference` must be \"bottom\", \"neutrality\" or \"top\""),
        ({"bands_per_cell": 0}, r"`bands_per_cell` must be at least 1, but is 0"),
        ({"kinetic": [(-1.0, 0, 0, (1, 1))]}, r"`reference` must be where the spectrum is bounded, but is 'bottom'"),
        ({"reference": "top"}, r"`reference` must be where the spectrum is bounded, but is 'top'"),
        ({"kinetic": DIRAC, "offsets": TWO}, r"`reference` must be where the spectrum is bounded, but is 'bottom'"),
        ({"kinetic": [*FREE, (-1e-4, 0, 0, (2, 2))]}, r"`reference` must be where the spectrum is bounded"),
        (
            {"kinetic": FREE, "offsets": TWO},
            r"`kinetic` must be nonzero in each component, but is missing in component 1",
        ),
    ],
)
@pytest.mark.usefixtures("unchecked_types")
def test_wrong_models(arguments, message):
    with pytest.raises(ValueError, match=message):
        build(**arguments)


@pytest.mark.parametrize("harmonic", [(0.5, 0), (1.0, 0), (True, 0), ("1", 0)])
@pytest.mark.usefixtures("unchecked_types")
def test_harmonics_are_integers(harmonic):
    with pytest.raises(TypeError, match=r"Argument `potential\[0\]` must be an integer, but is"):
        build(potential=[(1.0, 0, 0, harmonic)])


@pytest.mark.parametrize(
    ("kinetic", "components", "expected"),
    [
        (FREE, 1, (0,)),
        (DIRAC, 2, (0, 1)),
        ([(1.0, 1, 0, (0, 1))], 2, (0, -1)),
        # A bilayer's effective π², and a chain that is listed backwards.
        ([(1.0, 0, 1, (0, 2))], 2, (0, 2)),
        ([(1.0, 1, 2, (0, 1)), (1.0, 0, 1, (0, 1))], 3, (0, 1, 2)),
        # Trigonal warping contradicts the velocity: the lower order decides, in whatever order they are listed.
        ([(1.0, 0, 1, (2, 0)), (1.0, 0, 1, (0, 1))], 2, (0, 1)),
        # Layers that only a potential connects.
        ([(1.0, 0, 1, (0, 1)), (1.0, 3, 2, (0, 1))], 4, (0, 1, 0, -1)),
    ],
)
def test_levels_that_the_kinetic_energy_needs(kinetic, components, expected):
    model = build(kinetic, offsets=np.zeros((components, 2)), reference="neutrality" if components > 1 else "bottom")
    assert model.level_offsets == expected
    assert hof.models.time_reversed(model).level_offsets == tuple(-x for x in expected)


def test_reversing_time_twice():
    model = continua.general()
    twice = hof.models.time_reversed(hof.models.time_reversed(model))
    assert (twice.terms, twice.harmonics, twice.level_offsets) == (model.terms, model.harmonics, model.level_offsets)
    for here, there in zip(jax.tree.leaves(twice), jax.tree.leaves(model), strict=True):
        np.testing.assert_array_equal(here, there)
    once, expected = continua.to_plain(hof.models.time_reversed(model)), plain.time_reversed(continua.to_plain(model))
    np.testing.assert_allclose(once.offsets, expected.offsets)
    assert sorted(map(str, once.potential)) == sorted(map(str, expected.potential))
    assert sorted(str((complex(v), *rest)) for v, *rest in once.kinetic) == sorted(
        str((complex(v), *rest)) for v, *rest in expected.kinetic
    )


def test_stars():
    square, triangular = np.eye(2), np.array([[1, 0], [0.5, np.sqrt(3) / 2]])
    assert set(star(square)) == {(1, 0), (0, 1)}
    assert set(star(triangular)) == {(1, 0), (0, 1), (1, 1)}
    assert set(star(np.array([[1, 0], [-0.5, np.sqrt(3) / 2]]))) == {(1, 0), (0, 1), (1, -1)}
    assert len(star(square, 2)) == 4
    assert len(star(triangular, 2)) == 6
    # Of one pair ±G only one, and a long cell has a single shortest pair.
    assert star(np.diag([1.0, 2.0])) == ((0, 1),)


def test_numbers_may_be_traced():
    """Presets are differentiable functions of their parameters, and their checks do not look at tracers."""

    def amplitude(theta):
        model = hof.models.bistritzer_macdonald(theta, strain=theta / 1000)
        return jnp.sum(jnp.abs(model.offsets)) + jnp.sum(model.vectors**2) + jnp.sum(jnp.abs(model.potential))

    compiled = continua.quickly_compiled(jax.value_and_grad(amplitude))
    value, slope = compiled(1.05)
    difference = (compiled(1.05 + 1e-6)[0] - compiled(1.05 - 1e-6)[0]) / 2e-6
    np.testing.assert_allclose(slope, difference, rtol=1e-6)
    assert np.isfinite(value)
    batch = jax.vmap(lambda v: hof.models.electron_gas(v))(jnp.arange(3.0))
    assert batch.potential.shape == (3, 2)
    np.testing.assert_array_equal(batch.potential[:, 0], [0, 1, 2])


def test_precision_follows_the_numbers():
    model = hof.models.electron_gas()
    assert (model.vectors.dtype, model.kinetic.dtype) == (jnp.float64, jnp.complex128)
    single = hof.models.cast(model, "single")
    assert {leaf.dtype for leaf in jax.tree.leaves(single)} == {jnp.dtype("float32"), jnp.dtype("complex64")}
    assert dataclasses.replace(single, vectors=model.vectors).terms == model.terms
