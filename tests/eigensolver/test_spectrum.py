"""`solve`: any batch of momenta, in pieces or at once, with a status for every one."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.eigensolver import spectrum as module
from hofstadter.errors import Status
from tests import systems

FLUX = (2, 5)


@pytest.fixture
def problem():
    return hof.at_flux(systems.random_model(1, 3), FLUX)


@pytest.fixture
def k(rng):
    return jnp.asarray(rng.uniform(-1, 1, (3, 4, 2)))


def assert_same(left, right, atol=1e-12):
    for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=atol)


def test_energies_and_states(problem, k):
    expected = systems.energies(problem.model, FLUX, k).reshape(3, 4, 10)
    spectrum = hof.solve(problem, k)
    np.testing.assert_allclose(spectrum.energies, expected, atol=1e-12)
    assert spectrum.states.shape == (3, 4, 10, 10)
    assert spectrum.status.shape == spectrum.residual.shape == (3, 4)
    assert not np.asarray(spectrum.status).any()
    states, h = np.asarray(spectrum.states), np.asarray(problem.matrix(jnp.asarray(k)))
    np.testing.assert_allclose(h @ states, states * np.asarray(spectrum.energies)[..., None, :], atol=1e-12)
    identity = np.broadcast_to(np.eye(10), states.shape)
    np.testing.assert_allclose(states.swapaxes(-1, -2).conj() @ states, identity, atol=1e-12)


def test_residual_is_the_error_of_the_worst_state(problem, k):
    spectrum = hof.solve(problem, k)
    states, h = np.asarray(spectrum.states), np.asarray(problem.matrix(jnp.asarray(k)))
    energies = np.asarray(spectrum.energies)
    error = np.linalg.norm(h @ states - states * energies[..., None, :], axis=-2).max(axis=-1)
    np.testing.assert_allclose(spectrum.residual, error / np.abs(energies).max(axis=-1), atol=1e-15)
    assert np.all(np.asarray(spectrum.residual) < 1e-14)


def test_energies_alone(problem, k):
    full, alone = hof.solve(problem, k), hof.solve(problem, k, states=False)
    assert alone.states is None
    assert not np.asarray(alone.residual).any()
    np.testing.assert_allclose(alone.energies, full.energies, atol=1e-12)
    np.testing.assert_array_equal(alone.status, full.status)


@pytest.mark.parametrize("states", [True, False])
def test_a_batch_is_a_loop(problem, k, states):
    batch = hof.solve(problem, k, states=False)
    for index in np.ndindex(3, 4):
        one = hof.solve(problem, k[index], states=states)
        assert one.energies.shape == (10,)
        np.testing.assert_allclose(one.energies, batch.energies[index], atol=1e-12)


def test_one_momentum_at_a_time_is_all_at_once(problem, k):
    whole = hof.solve(problem, k)
    for count in (1, 5):  # twelve momenta: pieces of one, and a last piece that is not full
        memory_gb = (count + 0.5) * module.BYTES_PER_ENTRY * problem.basis_size**2 / 1e9
        assert module.chunk_size(problem.basis_size, memory_gb) == count
        pieces = hof.solve(problem, k, memory_gb=memory_gb)
        np.testing.assert_allclose(pieces.energies, whole.energies, atol=1e-12)
        np.testing.assert_array_equal(pieces.status, whole.status)
        # States agree up to a phase.
        overlap = np.einsum("...ia,...ia->...a", np.conj(pieces.states), whole.states)
        np.testing.assert_allclose(np.abs(overlap), 1, atol=1e-10)


def test_chunks_stay_within_memory():
    for size in (1, 7, 400, 5000):
        for memory_gb in (1e-9, 0.1, 4.0):
            count = module.chunk_size(size, memory_gb)
            assert count == 1 or count * module.BYTES_PER_ENTRY * size**2 <= memory_gb * 1e9


def test_no_momenta(problem):
    spectrum = hof.solve(problem, jnp.zeros((0, 2)))
    assert (spectrum.energies.shape, spectrum.states.shape) == ((0, 10), (0, 10, 10))
    assert hof.solve(problem, jnp.zeros((3, 0, 2)), states=False).status.shape == (3, 0)


def test_padding_comes_last(problem, k):
    padded = hof.solve(hof.at_flux(problem.model, FLUX, cells=7), k)
    np.testing.assert_allclose(padded.energies[..., :10], hof.solve(problem, k).energies, atol=1e-12)
    assert padded.states.shape == (3, 4, 14, 14)
    assert not np.asarray(padded.states)[..., 10:, :10].any()
    assert not np.asarray(padded.status).any()


@pytest.mark.usefixtures("unchecked_types")
def test_momenta_of_other_types():
    problem = hof.at_flux(hof.models.square(), 0)
    for k in ([0.0, 0.0], (0, 1), np.zeros(2), np.zeros(2, np.float32), jnp.array([0, 1])):
        np.testing.assert_allclose(hof.solve(problem, k, states=False).energies, [-4])


# A model with a parameter that is not finite.


def spoiled(name, field, entry, value):
    model = hof.models.PRESETS[name]()
    return eqx.tree_at(lambda m: getattr(m, field), model, getattr(model, field).at[entry].set(value))


@pytest.mark.parametrize("states", [True, False])
@pytest.mark.parametrize("flux", [(0, 1)])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    ("name", "field", "entry"),
    [
        ("square", "amplitudes", 0),
        ("honeycomb", "onsite", 0),
        ("honeycomb", "onsite", 1),
        ("honeycomb", "amplitudes", 1),
    ],
)
def test_models_that_are_not_finite(name, field, entry, value, flux, states):
    problem = hof.at_flux(spoiled(name, field, entry, value), flux)
    spectrum = hof.solve(problem, jnp.array([[0.1, 0.2], [0.3, 0.05]]), states=states)
    np.testing.assert_array_equal(spectrum.status, [Status.NOT_FINITE] * 2)
    assert not np.isfinite(spectrum.energies).any()


def test_throw_names_the_momentum():
    problem = hof.at_flux(spoiled("square", "amplitudes", 0, np.nan), 0)
    with pytest.raises(hof.CalculationError, match=r"^At k = \(0\.25, 0\.5\): .* not finite") as error:
        hof.solve(problem, jnp.array([[0.25, 0.5], [0.1, 0.1]]), throw=True)
    assert error.value.status == Status.NOT_FINITE


def test_throw_names_the_first_momentum_that_fails():
    problem = hof.at_flux(hof.models.square(), 0)
    k = jnp.array([[[0.0, 0.0], [0.1, 0.2]], [[np.nan, 0.25], [np.nan, 0.5]]])
    spectrum = hof.solve(problem, k)
    np.testing.assert_array_equal(spectrum.status, [[0, 0], [1, 1]])
    with pytest.raises(hof.CalculationError, match=r"At k = \(nan, 0\.25\): "):
        hof.solve(problem, k, throw=True)


def test_throw_is_silent_where_all_is_well(problem, k):
    assert_same(hof.solve(problem, k, throw=True), hof.solve(problem, k))


def test_a_wrong_state_is_noticed():
    energies = jnp.array([1.0, 2.0])
    assert module._status(energies, jnp.asarray(1e-3), 2) == Status.RESIDUAL_TOO_LARGE
    assert module._status(energies, jnp.asarray(np.nan), 2) != Status.OK
    assert module._status(energies.at[0].set(np.nan), jnp.asarray(np.nan), 2) == Status.NOT_FINITE


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("k", [0.1, [0.1, 0.2, 0.3], np.zeros((2, 3))])
def test_bad_momenta(problem, k):
    with pytest.raises(ValueError, match=r"Argument `k` must be an array of pairs \(k1, k2\), but is of shape"):
        hof.solve(problem, k)


@pytest.mark.parametrize("memory_gb", [0.0, -1.0, np.nan])
def test_bad_memory(problem, k, memory_gb):
    with pytest.raises(ValueError, match=r"Argument `memory_gb` must be positive, but is "):
        hof.solve(problem, k, memory_gb=memory_gb)


# Transformations of JAX.


def test_inside_jit(problem, k):
    inside = jax.jit(lambda problem, k: hof.solve(problem, k, states=False))(problem, jnp.asarray(k))
    assert_same(inside, hof.solve(problem, k, states=False))


def test_mapped_over_model_parameters(rng):
    k = jnp.asarray(rng.uniform(size=(4, 2)))
    t2, mass = jnp.array([0.0, 0.1, 0.3]), jnp.array([0.2, -0.4, 1.0])

    def energies(t2, mass):
        return hof.solve(hof.at_flux(hof.models.haldane(1.0, t2, 1.1, mass), (1, 3)), k, states=False).energies

    mapped = jax.jit(jax.vmap(energies))(t2, mass)
    for row, *parameters in zip(mapped, t2, mass, strict=True):
        model = hof.models.haldane(1.0, float(parameters[0]), 1.1, float(parameters[1]))
        np.testing.assert_allclose(row, systems.energies(model, (1, 3), k), atol=1e-12)


def test_mapped_over_fluxes(rng):
    model, k = hof.models.kagome(), jnp.asarray(rng.uniform(size=(2, 2)))

    def energies(p, q):
        return hof.solve(hof.TightBindingProblem(model, p, q, 5), k, states=False).energies

    mapped = jax.jit(jax.vmap(energies))(jnp.array([1, -2, 2]), jnp.array([3, 5, 1]))
    for row, flux in zip(mapped, [(1, 3), (-2, 5), (2, 1)], strict=True):
        np.testing.assert_allclose(row[:, : 3 * flux[1]], systems.energies(model, flux, k), atol=1e-12)


@pytest.mark.parametrize("memory_gb", [4.0, 1e-6])
def test_gradient_with_respect_to_hoppings(memory_gb, rng):
    k, weights = rng.uniform(size=(3, 2)), rng.normal(size=(3, 6))

    def model(parameters):
        return hof.models.haldane(*parameters)

    def weighted(parameters):
        problem = hof.at_flux(model(parameters), (1, 3))
        return jnp.sum(
            jnp.asarray(weights) * hof.solve(problem, jnp.asarray(k), states=False, memory_gb=memory_gb).energies
        )

    parameters = np.array([1.0, 0.2, 0.7, 0.3])
    gradient = jax.jit(jax.grad(weighted))(jnp.asarray(parameters))
    for i, step in enumerate(1e-5 * np.eye(4)):
        above, below = (np.sum(weights * systems.energies(model(parameters + s), (1, 3), k)) for s in (step, -step))
        np.testing.assert_allclose(gradient[i], (above - below) / 2e-5, atol=1e-8)


def test_gradient_at_a_degenerate_level():
    # Both spins of every level: the sum over the lower half of the bands of each is smooth.
    def lowest(t):
        problem = hof.at_flux(hof.models.rashba(t, 0.0), (1, 3))
        return jnp.sum(hof.solve(problem, jnp.array([0.05, 0.07])).energies[:2])

    value, slope = jax.jit(jax.value_and_grad(lowest))(jnp.asarray(1.0))
    np.testing.assert_allclose(slope, value, atol=1e-12)  # energies are proportional to t


def test_single_precision(k):
    model = hof.models.cast(systems.random_model(1, 3), "single")
    problem = hof.at_flux(model, FLUX)
    spectrum = hof.solve(problem, k)
    assert spectrum.energies.dtype == spectrum.residual.dtype == jnp.float32
    assert spectrum.states.dtype == jnp.complex64
    assert not np.asarray(spectrum.status).any()
    double = hof.solve(hof.at_flux(hof.models.cast(model, "double"), FLUX), k)
    np.testing.assert_allclose(spectrum.energies, double.energies, atol=1e-4)
    np.testing.assert_allclose(spectrum.energies, hof.solve(problem, k, states=False).energies, atol=1e-4)


def test_nothing_is_converted_silently(problem, k, strict_jax):
    with strict_jax():
        hof.solve(problem, jnp.asarray(k), memory_gb=1e-9)
        hof.solve(problem, jnp.asarray(k), states=False)
