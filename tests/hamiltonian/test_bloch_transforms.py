"""The magnetic Bloch problem under jax.jit, vmap and grad, lowered for other machines, and in strict mode."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.hamiltonian.bloch import TightBindingProblem
from tests import systems

CELLS = 5


def at(model, p, q):
    return TightBindingProblem(model, p, q, CELLS)


def test_batches_of_momenta_equal_a_loop(rng):
    problem = hof.at_flux(systems.random_model(1, 2), (2, 3))
    k = jnp.asarray(rng.uniform(-1, 1, (2, 3, 2)))
    batch = systems.matrix(problem, k)
    assert batch.shape == (2, 3, 6, 6)
    for i in range(2):
        for j in range(3):
            np.testing.assert_allclose(batch[i, j], systems.matrix(problem, k[i, j]), atol=1e-14)
    # Without jit, and for no momenta at all.
    np.testing.assert_allclose(problem.matrix(k[0, 0]), batch[0, 0], atol=1e-14)
    assert systems.matrix(problem, k[:, :0]).shape == (2, 0, 6, 6)


def test_batches_of_plane_waves_equal_a_loop(rng):
    problem = hof.at_flux(systems.random_model(1, 2), (2, 3))
    k, dk = jnp.asarray(rng.uniform(-1, 1, (2, 4, 3, 2)))
    plane_wave = jax.jit(lambda k, dk: problem.plane_wave(k, dk))
    batch = plane_wave(k, dk)
    assert batch.shape == (4, 3, 6, 6)
    for i in range(4):
        for j in range(3):
            np.testing.assert_allclose(batch[i, j], plane_wave(k[i, j], dk[i, j]), atol=1e-14)


def test_vmap_over_flux_and_momentum_equals_a_loop(rng):
    model, k = systems.random_model(2, 3), rng.uniform(-1, 1, (6, 2))
    fluxes = [(0, 1), (-3, 1), (1, 2), (2, 3), (-5, 4), (7, 5)]
    p, q = (jnp.array(numbers) for numbers in zip(*fluxes, strict=True))
    batch = np.asarray(jax.jit(jax.vmap(lambda p, q, k: at(model, p, q).matrix(k)))(p, q, jnp.asarray(k)))
    assert batch.shape == (6, 15, 15)
    for flux, point, matrix in zip(fluxes, k, batch, strict=True):
        size = 3 * flux[1]
        np.testing.assert_allclose(matrix[:size, :size], systems.matrices(model, flux, point)[0], atol=1e-12)
        assert not matrix[:size, size:].any()


def test_vmap_over_models_equals_a_loop():
    models = [systems.random_model(0, seed) for seed in range(3)]
    k = jnp.array([0.1, 0.2])
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *models)
    batch = jax.jit(jax.vmap(lambda model: hof.at_flux(model, (1, 3)).matrix(k)))(stacked)
    for model, matrix in zip(models, batch, strict=True):
        np.testing.assert_allclose(matrix, systems.matrices(model, (1, 3), k)[0], atol=1e-13)


def test_vmap_over_a_parameter_of_a_preset(rng):
    k, strengths = jnp.asarray(rng.uniform(size=2)), jnp.array([0.0, 0.1, 0.3])
    batch = jax.jit(jax.vmap(lambda t2: hof.at_flux(hof.models.honeycomb(1.0, t2), (1, 3)).matrix(k)))(strengths)
    for t2, matrix in zip(strengths, batch, strict=True):
        expected = systems.matrices(hof.models.honeycomb(1.0, float(t2)), (1, 3), k)[0]
        np.testing.assert_allclose(matrix, expected, atol=1e-13)


def test_one_compilation_serves_every_flux():
    count = 0

    @jax.jit
    def matrix(problem, k):
        nonlocal count
        count += 1
        return problem.matrix(k)

    model, k = hof.models.kagome(), jnp.array([0.1, 0.2])
    for flux in ((0, 1), (1, 2), (5, 3), (-2, 5)):
        matrix(hof.at_flux(model, flux, cells=5), k)
    assert count == 1


@jax.jit
def traces(model, k):
    """A smooth function of everything: the first traces, with weights that break their symmetries."""
    h = at(model, jnp.asarray(2), jnp.asarray(3)).matrix(k)[:9, :9]
    weights = jnp.diag(jnp.linspace(0.5, 1.5, 9)).astype(h.dtype)
    return jnp.trace(weights @ h @ h @ h + h @ weights @ h).real


def directional_difference(function, step=1e-4):
    """Derivative of function(s) at s = 0 from five points; the error is of fourth order in the step."""
    a, b, c, d = (function(n * step) for n in (-2, -1, 1, 2))
    return float(a - 8 * b + 8 * c - d) / (12 * step)


@pytest.mark.parametrize("field", ["amplitudes", "positions", "onsite"])
def test_gradient_in_the_model_is_the_finite_difference(field, rng):
    model, k = systems.random_model(2, 6), jnp.array([0.13, 0.29])
    value = getattr(model, field)
    direction = rng.normal(size=value.shape)
    if jnp.iscomplexobj(value):
        direction = direction + 1j * rng.normal(size=value.shape)
    direction = jnp.asarray(direction)

    def function(s):
        return traces(eqx.tree_at(lambda m: getattr(m, field), model, value + s * direction), k)

    gradient = getattr(jax.grad(traces)(model, k), field)
    # JAX's gradient of a real function of z is ∂x − i∂y, so that the change is Re Σ gradient dz.
    reverse = float(jnp.sum(gradient * direction).real)
    expected = directional_difference(function)
    assert abs(expected) > 1e-2
    np.testing.assert_allclose(reverse, expected, rtol=1e-8)
    np.testing.assert_allclose(jax.jvp(function, (0.0,), (1.0,))[1], expected, rtol=1e-8)


def test_gradient_in_k_is_the_finite_difference(rng):
    model, k = systems.random_model(2, 6), jnp.array([0.13, 0.29])
    direction = jnp.asarray(rng.normal(size=2))
    expected = directional_difference(lambda s: traces(model, k + s * direction))
    assert abs(expected) > 1e-2
    np.testing.assert_allclose(jax.grad(traces, argnums=1)(model, k) @ direction, expected, rtol=1e-8)


def test_gradient_in_a_hopping_of_a_preset():
    # Honeycomb at q = 5: closed walks of two steps go out and back, Tr H² = 2 q (3 t² + 6 t2² + m²) at every
    # momentum.
    def second_trace(t, t2, mass):
        h = hof.at_flux(hof.models.honeycomb(t, t2, 0.0, mass), (2, 5)).matrix(jnp.array([0.1, 0.2]))
        return jnp.trace(h @ h).real

    value, gradient = jax.jit(jax.value_and_grad(second_trace, argnums=(0, 1, 2)))(1.1, 0.3, 0.2)
    np.testing.assert_allclose(value, 10 * (3 * 1.1**2 + 6 * 0.3**2 + 0.2**2), rtol=1e-13)
    np.testing.assert_allclose(gradient, (60 * 1.1, 120 * 0.3, 20 * 0.2), rtol=1e-12)


def test_single_precision_is_kept(rng):
    model, k = systems.random_model(1, 8), jnp.asarray(rng.uniform(-1, 1, (4, 2)))
    problem = hof.at_flux(hof.models.cast(model, "single"), (3, 5))
    single = systems.matrix(problem, k)
    assert single.dtype == jnp.complex64
    assert problem.plane_wave(k, k).dtype == jnp.complex64
    np.testing.assert_allclose(single, systems.matrices(model, (3, 5), k), atol=2e-5)


def as_single(tree):
    kinds = {"f": np.float32, "c": np.complex64, "i": np.int32}
    return jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf).astype(kinds[leaf.dtype.kind])), tree)


@pytest.mark.parametrize("platform", ["cpu", "cuda", "tpu"])
def test_lowers_for_every_platform_in_single_precision(platform):
    problem = hof.at_flux(systems.random_model(2, 0), (2, 5), cells=8)
    with jax.enable_x64(False):
        arguments = as_single((problem, jnp.zeros((4, 2))))
        exported = jax.export.export(jax.jit(lambda problem, k: problem.matrix(k)), platforms=[platform])(*arguments)
        text = exported.mlir_module()
    assert "f64" not in text
    assert "complex<f32>" in text
    assert exported.out_avals[0].shape == (4, 24, 24)


@pytest.mark.parametrize("platform", ["cpu", "cuda"])
def test_lowers_in_double_precision(platform):
    problem = hof.at_flux(systems.random_model(2, 0), (2, 5), cells=8)
    exported = jax.export.export(jax.jit(lambda problem, k: problem.matrix(k)), platforms=[platform])(
        problem, jnp.zeros((4, 2))
    )
    assert "f32" not in exported.mlir_module()
    assert exported.out_avals[0].dtype == jnp.complex128


STRICT_CALLS = {
    "matrix": lambda problem, k, states: problem.matrix(k),
    "plane_wave": lambda problem, k, states: problem.plane_wave(k, k),
    "apply_plane_wave": lambda problem, k, states: problem.apply_plane_wave(k[0], k[1], states),
    "shift_k1": lambda problem, k, states: problem.shift_k1(k[0], states),
    "mesh": lambda problem, k, states: problem.mesh(3, 4),
    "reduced_mesh": lambda problem, k, states: problem.reduced_mesh(3, 4),
    "norm_bound": lambda problem, k, states: problem.model.norm_bound(),
    "reciprocal_vectors": lambda problem, k, states: hof.lattice.reciprocal_vectors(problem.vectors),
}


@pytest.mark.parametrize("call", STRICT_CALLS.values(), ids=STRICT_CALLS.keys())
def test_nothing_is_converted_silently(call, strict_jax):
    problem = hof.at_flux(hof.models.haldane(), (2, 5), cells=6)
    k, states = jnp.array([[0.1, 0.2], [0.3, 0.4]]), jnp.eye(12, dtype=complex)
    expected = jax.jit(lambda *arguments: call(*arguments))(problem, k, states)
    with strict_jax():
        found = jax.jit(lambda *arguments: call(*arguments))(problem, k, states)
    np.testing.assert_allclose(found, expected, atol=1e-14)


@pytest.mark.parametrize("name", hof.models.TIGHT_BINDING_PRESETS)
def test_models_are_built_without_silent_conversions(name, strict_jax):
    with strict_jax():
        model = hof.models.PRESETS[name]()
    expected = hof.models.PRESETS[name]()
    np.testing.assert_array_equal(model.amplitudes, expected.amplitudes)
