"""The quantum geometric tensor at points: laws, an independent oracle, derivatives, and closed gaps."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.geometry.metric import berry_curvature, quantum_geometric_tensor, quantum_metric
from tests import systems
from tests.geometry import finite_differences
from tests.geometry.test_projector import spin_doubled

CELLS = 3


def at(model, flux):
    """Padded to one size, so that models of one structure share a compilation."""
    return hof.at_flux(model, flux, cells=CELLS)


@pytest.mark.parametrize("structure", [0, 1])
def test_is_the_finite_difference_of_projectors(structure, rng):
    for flux, bands in [((1, 3), (0, 1)), ((-5, 3), (0, 1)), ((1, 2), (0, 1))]:
        model = systems.random_model(structure, 17)
        k = rng.uniform(-1, 1, (4, 2))
        found = quantum_geometric_tensor(at(model, flux), bands, jnp.asarray(k))
        expected = [finite_differences.tensor(systems.plain(model), *flux, bands, point) for point in k]
        np.testing.assert_allclose(found, expected, atol=1e-8 * np.abs(expected).max())


@pytest.fixture(scope="module")
def problem():
    return hof.at_flux(systems.random_model(0, 17), (1, 3))


def test_real_and_imaginary_parts_and_batches(problem, rng):
    k = jnp.asarray(rng.uniform(-1, 1, (2, 2, 2)))
    tensor = np.asarray(quantum_geometric_tensor(problem, (0, 1), k))
    assert tensor.shape == (2, 2, 2, 2)
    np.testing.assert_allclose(tensor, np.swapaxes(tensor, -1, -2).conj(), atol=1e-14)
    metric, curvature = quantum_metric(problem, (0, 1), k), berry_curvature(problem, (0, 1), k)
    np.testing.assert_allclose(tensor.real, metric, atol=1e-14)
    np.testing.assert_allclose(tensor[..., 0, 1], metric[..., 0, 1] - 0.5j * curvature, atol=1e-14)
    np.testing.assert_allclose(quantum_metric(problem, (0, 1), k[0, 1]), metric[0, 1], atol=1e-13)
    small = quantum_metric(problem, (0, 1), k, memory_gb=1e-9)
    np.testing.assert_allclose(small, metric, atol=1e-13)
    assert quantum_metric(problem, (0, 1), k[:0]).shape == (0, 2, 2, 2)


def test_inequalities_complement_and_everything(problem, rng):
    k = jnp.asarray(rng.uniform(-1, 1, (50, 2)))
    metric, curvature = quantum_metric(problem, (0, 2), k), berry_curvature(problem, (0, 2), k)
    assert (np.trace(metric, axis1=-2, axis2=-1) >= np.abs(curvature) - 1e-12).all()
    assert (np.linalg.det(metric) >= curvature**2 / 4 - 1e-9).all()
    np.testing.assert_allclose(quantum_metric(problem, (2, 3), k), metric, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(berry_curvature(problem, (2, 3), k), -curvature, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(quantum_metric(problem, (0, 3), k), 0, atol=1e-20)


def test_repeats_q_times_in_both_directions(problem, rng):
    k = jnp.asarray(rng.uniform(-1, 1, (5, 2)))
    expected = quantum_geometric_tensor(problem, (0, 1), k)
    for shift in ([1 / 3, 0], [0, 1 / 3], [-2 / 3, 5 / 3]):
        shifted = quantum_geometric_tensor(problem, (0, 1), k + jnp.array(shift))
        np.testing.assert_allclose(shifted, expected, rtol=1e-9, atol=1e-9)


def test_reversed_field_reverses_the_curvature(rng):
    model = systems.random_model(0, 3, real=True)
    k = jnp.asarray(rng.uniform(-1, 1, (5, 2)))
    plus = quantum_geometric_tensor(at(model, (1, 3)), (0, 1), k)
    minus = quantum_geometric_tensor(at(model, (-1, 3)), (0, 1), -k)
    np.testing.assert_allclose(minus, plus.conj(), rtol=1e-9, atol=1e-9)


@pytest.mark.slow
def test_two_copies_have_twice_the_tensor(rng):
    k = jnp.asarray(rng.uniform(-1, 1, (5, 2)))
    doubled = spin_doubled(jnp.zeros(3, complex))
    doubled = eqx.tree_at(lambda m: m.positions, doubled, doubled.positions.at[1].set(doubled.positions[0]))
    chosen = [0, 2, 4]
    single = hof.models.TightBinding(
        doubled.vectors,
        doubled.positions[:1],
        doubled.onsite[:1],
        doubled.amplitudes[jnp.array(chosen)],
        tuple(doubled.hops[n] for n in chosen),
    )
    two = quantum_geometric_tensor(hof.at_flux(doubled, (1, 3)), (0, 2), k)
    one = quantum_geometric_tensor(hof.at_flux(single, (1, 3)), (0, 1), k)
    np.testing.assert_allclose(two, 2 * one, rtol=1e-10, atol=1e-11)


WEIGHTS = np.array([[1.0, 0.4 - 0.7j], [0.2j, 0.8]])


def number(model, k, bands):
    """One smooth number made of the whole tensor."""
    return jnp.sum(quantum_geometric_tensor(at(model, (1, 3)), bands, k) * WEIGHTS).real


def five_points(function, step):
    a, b, c, d = (np.asarray(function(n * step)) for n in (-2, -1, 1, 2))
    return (a - 8 * b + 8 * c - d) / (12 * step)


@pytest.mark.parametrize("case", [pytest.param("separate levels", marks=pytest.mark.slow), "degenerate pair"])
def test_gradients_are_finite_differences(case, rng):
    # In the degenerate case the hops between the copies are zero here, and the directions below split the pair.
    model = systems.random_model(0, 17) if case == "separate levels" else spin_doubled(jnp.zeros(3, complex))
    bands = (0, 1) if case == "separate levels" else (0, 2)
    k = jnp.array([0.05, 0.11])
    value = jax.jit(lambda model, k: number(model, k, bands))
    gradient, in_k = jax.jit(jax.grad(lambda model, k: number(model, k, bands), argnums=(0, 1)))(model, k)
    direction = jnp.asarray(rng.normal(size=2))
    np.testing.assert_allclose(
        in_k @ direction, five_points(lambda s: value(model, k + s * direction), 1e-4), rtol=1e-7
    )
    for field in ("amplitudes", "positions", "onsite", "vectors"):
        here = getattr(model, field)
        direction = rng.normal(size=here.shape)
        if jnp.iscomplexobj(here):
            direction = direction + 1j * rng.normal(size=here.shape)

        def along(s, field=field, here=here, direction=direction):
            return value(eqx.tree_at(lambda m: getattr(m, field), model, here + s * direction), k)

        # JAX's gradient of a real function of z is ∂x − i∂y, so that the change is Re Σ gradient dz.
        found = np.sum(np.asarray(getattr(gradient, field)) * direction).real
        np.testing.assert_allclose(found, five_points(along, 1e-4), rtol=1e-7, atol=1e-9, err_msg=field)


@pytest.mark.slow
def test_second_derivatives_at_a_degenerate_pair():
    k = jnp.array([0.05, 0.11])
    direction = jnp.array([0.6 + 0.3j, -0.4j, 0.5])

    def along(s):
        return number(spin_doubled(s * direction), k, (0, 2))

    slope = jax.jit(jax.grad(along))
    bend = jax.jit(lambda s: jax.jvp(jax.grad(along), (s,), (1.0,))[1])
    np.testing.assert_allclose(bend(0.0), five_points(slope, 1e-4), rtol=1e-7)


def test_a_touching_point_is_never_silent():
    graphene = hof.at_flux(hof.models.honeycomb(), (0, 1))
    k = jnp.array([[0.1, 0.2], [1 / 3, 2 / 3]])
    with pytest.raises(hof.CalculationError, match=r"k = \(0.333333, 0.666667\)") as error:
        quantum_metric(graphene, (0, 1), k)
    assert error.value.status == hof.Status.GAP_CLOSED
    for found in (
        quantum_metric(graphene, (0, 1), k, throw=False),
        jax.jit(lambda k: quantum_metric(graphene, (0, 1), k))(k),
    ):
        assert np.isfinite(found[0]).all()
        assert np.isnan(found[1]).all()


def test_not_finite_is_told_from_closed():
    model = hof.models.square(jnp.array(1.0))
    model = eqx.tree_at(lambda m: m.amplitudes, model, model.amplitudes * jnp.nan)
    with pytest.raises(hof.CalculationError) as error:
        quantum_metric(hof.at_flux(model, (1, 3)), (0, 1), jnp.zeros(2))
    assert error.value.status == hof.Status.NOT_FINITE


def test_wrong_arguments(unchecked_types):
    problem = hof.at_flux(hof.models.square(), (1, 3), cells=4)
    k = jnp.zeros(2)
    for bands in ((0, 4), (-1, 1), (1, 1), (2, 1)):
        with pytest.raises(ValueError, match=r"Argument `bands` must be a non-empty range within 0 … [34], but is"):
            quantum_metric(problem, bands, k)
    with pytest.raises(ValueError, match=r"Argument `bands` must be a pair"):
        quantum_metric(problem, 0, k)
    with pytest.raises(TypeError, match=r"Argument `bands` must be an integer"):
        quantum_metric(problem, (0, 1.0), k)
    with pytest.raises(ValueError, match=r"Argument `k` must be an array of pairs"):
        quantum_metric(problem, (0, 1), jnp.zeros(3))
    with pytest.raises(ValueError, match=r"Argument `memory_gb` must be positive"):
        quantum_metric(problem, (0, 1), k, memory_gb=0.0)
