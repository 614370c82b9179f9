"""Continuum models under jit, vmap, grad and export, and in single precision."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.hamiltonian.landau import landau_problem
from tests import continua

models, compiled = hof.models, continua.quickly_compiled
each_route = pytest.mark.parametrize("route", ["landau", pytest.param("theta", marks=pytest.mark.slow)])
GAMMA, K_POINT = (0.5, 0.5), (1 / 6, 1 / 6)


def bands(theta, ratio, k, levels=20):
    """Four energies around neutrality of twisted bilayer graphene at one flux quantum."""
    model = models.bistritzer_macdonald(theta, w0_over_w1=ratio, rotated_paulis=True)
    problem = hof.at_flux(model, 1, levels=levels, bands_per_cell=2)
    return hof.solve(problem, jnp.asarray(k), states=False).energies


@pytest.mark.slow
def test_many_angles_at_once():
    """64 angles × 3 momenta in one compiled call equal single calls."""
    angles, k = jnp.linspace(0.9, 1.4, 64), [GAMMA, K_POINT, (0.13, 0.29)]
    energies = compiled(jax.vmap(lambda theta: bands(theta, 0.8, k)))(angles)
    assert energies.shape == (64, 3, 4)
    for index in (0, 40):
        model = models.bistritzer_macdonald(float(angles[index]), rotated_paulis=True)
        problem = continua.assemble("landau", model, (1, 1), 20, 32, 32, (2, 2))
        np.testing.assert_allclose(energies[index], continua.energies(problem, k), rtol=0, atol=1e-10)


def test_slopes_in_parameters():
    """d(bandwidth)/d(w0/w1) and d(gap)/dθ at 2π flux are the finite differences."""

    def quantities(x):
        energies = bands(x[0], x[1], [GAMMA, K_POINT])
        return jnp.stack([energies[0, 2] - energies[0, 1], energies[1, 2] - energies[1, 1]])

    value, x = compiled(quantities), jnp.asarray([1.05, 0.8])
    slopes = np.asarray(compiled(jax.jacrev(quantities))(x))
    for axis in range(2):
        # Richardson's step takes the error to h⁴.
        step = 1e-3 * jnp.eye(2)[axis]
        near, far = ((value(x + n * step) - value(x - n * step)) / (2e-3 * n) for n in (1, 2))
        np.testing.assert_allclose(slopes[:, axis], (4 * near - far) / 3, rtol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("route", continua.ROUTES)
def test_slopes_in_momentum_and_amplitudes(route, rng):
    """Of a sum of low energies of the general model, also across the zone's edge; both bases."""
    model = continua.trimmed(continua.general())
    direction = jnp.asarray(rng.normal(size=model.potential.shape) + 1j * rng.normal(size=model.potential.shape))

    def number(x):
        changed = dataclasses.replace(
            model, potential=model.potential + x[2] * direction, offsets=model.offsets * (1 + x[3])
        )
        problem = continua.ROUTES[route](changed, jnp.asarray(1), jnp.asarray(2), jnp.asarray(15), 16, 16, (0, 4))
        return jnp.sum(jnp.linalg.eigvalsh(problem.matrix(x[:2]))[:4])

    value, gradient = compiled(number), compiled(jax.grad(number))
    # k1 at the edge of the zone, ∓ 0.478 (mod 1).
    for x in ([0.13, 0.29, 0.0, 0.0], [0.52183068, 0.11, 0.0, 0.0]):
        x = jnp.asarray(x)
        exact = np.asarray(gradient(x))
        for axis in range(4):
            step = 1e-4 * jnp.eye(4)[axis]
            difference = (8 * (value(x + step) - value(x - step)) - value(x + 2 * step) + value(x - 2 * step)) / 12e-4
            np.testing.assert_allclose(exact[axis], difference, rtol=1e-7, atol=1e-7)


@each_route
def test_single_precision_is_exported_without_doubles(route):
    single = models.cast(models.bistritzer_macdonald(rotated_paulis=True), "single")
    problem = continua.assemble(route, single, (1, 1), 20, 32, 32, (2, 2))
    assert {x.dtype.name for x in jax.tree.leaves(problem)} <= {"float32", "complex64", "int64"}
    k = jnp.asarray([[0.13, 0.29], [0.5, 0.5]], jnp.float32)
    exported = jax.export.export(jax.jit(lambda k: problem.matrix(k)), platforms=("cpu", "cuda", "tpu"))(k)
    assert exported.platforms == ("cpu", "cuda", "tpu")
    assert "f32" in exported.mlir_module()
    assert not re.search(r"(\b|x)f64\b", exported.mlir_module())
    double = continua.assemble(route, models.cast(single, "double"), (1, 1), 20, 32, 32, (2, 2))
    expected = np.asarray(continua.matrices(double, continua.five(k)))[:2]
    found = exported.call(k)
    assert found.dtype == jnp.complex64
    np.testing.assert_allclose(found, expected, rtol=0, atol=3e-6 * abs(expected).max())


@pytest.mark.slow
def test_single_precision_stays_single():
    """Through `at_flux` and `solve`, whose cut-off is judged by what single precision can tell."""
    single = models.cast(models.electron_gas(3.0), "single")
    problem = hof.at_flux(single, 1, levels=40, bands_per_cell=2)
    assert hof.Status(int(problem.basis_status)) == hof.Status.OK
    spectrum = hof.solve(problem, jnp.asarray([[0.13, 0.29]]), states=False)
    assert spectrum.energies.dtype == jnp.float32
    exact = continua.assemble("landau", models.electron_gas(3.0), (1, 1), 40, 48, 48, (0, 2))
    np.testing.assert_allclose(spectrum.energies, continua.energies(exact, (0.13, 0.29)), rtol=3e-6)


K_BATCH = np.array([[[0.1, 0.2], [0.5, 0.1], [0.9, 0.7]], [[0.3, 0.2], [-0.1, 0.4], [0.0, 0.0]]])


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(
            lambda model: landau_problem(model, hof.Flux(1, 2), levels=8, bands_per_cell=1), marks=pytest.mark.slow
        ),
        pytest.param(lambda model: hof.theta_problem(model, "1/2", levels=8, bands_per_cell=1), marks=pytest.mark.slow),
        lambda model: hof.at_flux(model, 0, plane_waves=19, bands_per_cell=2),
    ],
    ids=["landau", "theta", "plane_waves"],
)
def test_any_batch_with_nothing_converted_by_jax(build, strict_jax):
    """Leading shapes of k are kept, and each matrix is that of its momentum alone."""
    model = models.bistritzer_macdonald(rotated_paulis=True)
    k, dk = jnp.asarray(K_BATCH), jnp.asarray(np.broadcast_to([0.1, 0.2], K_BATCH.shape))
    with strict_jax():
        problem = compiled(build)(model)
        h, w = compiled(lambda problem: (problem.matrix(k), problem.plane_wave(k, dk)))(problem)
        identity = jnp.eye(problem.basis_size, dtype=complex)
        jax.eval_shape(lambda k: problem.shift_k1(k, identity), k[0, 0])
        alone = continua.matrices(problem, continua.five(K_BATCH[1, 2]))[0]
    assert h.shape == w.shape == (2, 3, problem.basis_size, problem.basis_size)
    np.testing.assert_allclose(h[1, 2], alone, rtol=0, atol=1e-12 * abs(alone).max())
