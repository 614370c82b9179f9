"""`det_small`: against LAPACK, laws of determinants, Pallas' interpreters; lowering for GPU and TPU."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hofstadter_kernels import det_small
from hofstadter_kernels.det_small import api
from hofstadter_kernels.det_small.arg_specs import ARG_SPECS, draw
from tests.kernels.backends import CALLS, interpreted, lowered

PRECISIONS = [np.complex64, np.complex128]
INTERPRETED = [("pallas_mosaic", np.complex64), ("pallas_mosaic", np.complex128), ("pallas_tpu", np.complex64)]


def largest_error(found, matrices) -> float:
    """Relative to the product of the rows' lengths, which bounds determinants (Hadamard), in rounding errors."""
    matrices = np.asarray(matrices)
    bound = np.prod(np.linalg.norm(matrices.astype(complex), axis=-1), axis=-1)
    error = np.abs(np.asarray(found) - np.linalg.det(matrices.astype(complex)))
    return float(np.max(error / bound)) / float(np.finfo(matrices.dtype).eps)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("spec", ["one number", "two rows", "odd"])
def test_determinants_of_lapack(spec, dtype):
    matrices = draw(ARG_SPECS[spec], dtype)
    found = det_small(jnp.asarray(matrices))
    assert found.dtype == dtype
    assert largest_error(found, matrices) < 20


@pytest.mark.slow
@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("spec", ["largest", "links of four bands", "links of eight bands"])
def test_more_determinants_of_lapack(spec, dtype):
    matrices = draw(ARG_SPECS[spec], dtype)
    assert largest_error(jax.jit(det_small)(jnp.asarray(matrices)), matrices) < 20


def test_the_tester_notices():
    matrices = draw(ARG_SPECS["two rows"], np.complex128)
    assert largest_error(det_small(jnp.asarray(matrices)) * (1 + 1e-10), matrices) > 20


@pytest.mark.parametrize("size", [5, pytest.param(7, marks=pytest.mark.slow)])
def test_pivots_that_vanish(size, rng):
    permutation = np.roll(np.eye(size), 1, axis=0)[[1, 0, *range(2, size)]]
    rank_two = rng.standard_normal((size, 2)) @ rng.standard_normal((2, size))
    matrices = [permutation, np.zeros((size, size)), rank_two, 1e-40 * np.eye(size), 1e40 * np.eye(size)]
    found = np.asarray(det_small(jnp.asarray(np.array(matrices, complex))))
    assert found[:2].tolist() == [-1, 0]
    assert abs(found[2]) < 1e-12
    np.testing.assert_allclose(found[3:], [10.0 ** (-40 * size), 10.0 ** (40 * size)], rtol=1e-14)


def test_derivatives(rng):
    # d det A = det A tr(A⁻¹ dA).
    matrix, direction = draw(ARG_SPECS["odd"], np.complex128)[:2]
    _, slope = jax.jvp(det_small, (jnp.asarray(matrix),), (jnp.asarray(direction),))
    np.testing.assert_allclose(slope, np.linalg.det(matrix) * np.trace(np.linalg.solve(matrix, direction)), rtol=1e-12)


@pytest.mark.parametrize(("backend", "dtype"), INTERPRETED)
def test_interpreted_backends_equal_the_reference(backend, dtype):
    # More matrices than one block has.
    matrices = draw(ARG_SPECS["two rows"], dtype)
    lanes = jnp.moveaxis(jnp.asarray(matrices), 0, -1)
    found = interpreted("det_small", backend, lanes.real, lanes.imag)
    expected = api.BACKENDS["reference"](lanes.real, lanes.imag)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=100 * np.finfo(dtype).eps)


def test_batch_axes_and_transformations():
    matrices = jnp.asarray(draw(ARG_SPECS["two rows"], np.complex128))
    found = det_small(matrices)
    assert found.shape == (130,)
    np.testing.assert_allclose(jax.jit(jax.vmap(det_small))(matrices.reshape(13, 10, 2, 2)).ravel(), found, rtol=1e-14)
    assert det_small(matrices[0]).shape == ()
    assert det_small(matrices[:0]).shape == (0,)


@pytest.mark.parametrize(("platform", "dtype"), [("cuda", "complex64"), ("cuda", "complex128"), ("tpu", "complex64")])
@pytest.mark.parametrize("size", [2, pytest.param(8, marks=pytest.mark.slow)])
def test_lowering(platform, dtype, size, strict_jax):
    backend = {"cuda": "pallas_mosaic", "tpu": "pallas_tpu"}[platform]
    matrices = jax.ShapeDtypeStruct((300, size, size), dtype)
    with strict_jax():
        program = lowered(functools.partial(det_small, implementation=backend), platform, matrices)
    assert f"custom_call @{CALLS[platform]}" in program
    assert ("f64" in program) == (dtype == "complex128")


@pytest.mark.usefixtures("unchecked_types")
def test_wrong_arguments():
    with pytest.raises(ValueError, match="Argument `matrices` must be complex64 or complex128, but is float64"):
        det_small(jnp.eye(2))
    for shape in ((2, 3), (9, 9), (0, 0), (2,)):
        with pytest.raises(ValueError, match="Argument `matrices` must end in two equal axes of 1 to 8"):
            det_small(jnp.zeros(shape, complex))
    with pytest.raises(NotImplementedError, match='"pallas_tpu" does float32, not float64'):
        det_small(jnp.eye(2) + 0j, implementation="pallas_tpu")


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="shows that arrays on a CPU are refused")
@pytest.mark.parametrize("backend", ["pallas_mosaic", "pallas_tpu"])
def test_backends_refuse_other_devices(backend):
    with pytest.raises(NotImplementedError, match=f'"{backend}" runs on devices of the platform'):
        det_small(jnp.eye(2, dtype=np.complex64), implementation=backend)


@pytest.mark.gpu
@pytest.mark.skipif(jax.default_backend() != "gpu", reason="runs the backend for GPUs on one")
@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("spec", ["two rows", "odd", "largest"])
def test_determinants_on_a_gpu(spec, dtype):
    matrices = draw(ARG_SPECS[spec], dtype)
    assert largest_error(det_small(jnp.asarray(matrices), implementation="pallas_mosaic"), matrices) < 20
