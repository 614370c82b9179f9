"""`sturm_bisect`: against dense matrices and Pallas' interpreters; lowering for GPU and TPU."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hofstadter_kernels import sturm_bisect
from hofstadter_kernels.sturm_bisect import api
from tests.kernels.backends import CALLS, interpreted, lowered, matrices

INTERPRETED = [("pallas_mosaic", np.float32), ("pallas_mosaic", np.float64), ("pallas_tpu", np.float32)]


def problem(spec: str, dtype):
    """Arguments for all eigenvalues, and these."""
    diagonal, squared, _, levels = matrices(spec, dtype)
    indices = jnp.broadcast_to(jnp.arange(diagonal.shape[1], dtype=jnp.int32), diagonal.shape)
    return (diagonal, squared, indices), levels


def accuracy(dtype) -> float:
    """Twenty rounding errors of |T|, which is about 5 here."""
    return 20 * 5 * float(jnp.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("spec", ["one number", "odd"])
def test_eigenvalues_of_dense_matrices(spec, dtype):
    arguments, levels = problem(spec, dtype)
    found = sturm_bisect(*arguments)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, levels, rtol=0, atol=accuracy(dtype))


@pytest.mark.parametrize(("backend", "dtype"), INTERPRETED)
@pytest.mark.parametrize("spec", ["one number", "short"])
def test_interpreted_backends_equal_the_reference(spec, backend, dtype):
    # More lanes than one block has.
    diagonal, squared, energies, _ = matrices(spec, dtype)
    indices = jnp.broadcast_to(jnp.arange(energies.shape[1], dtype=jnp.int32) % diagonal.shape[1], energies.shape)
    arguments = diagonal, squared, indices, *api.gershgorin(diagonal, squared)
    found = interpreted("sturm_bisect", backend, *arguments)
    np.testing.assert_array_equal(found, api.BACKENDS["reference"](*arguments))


def test_bounds_of_padded_matrices():
    (diagonal, squared, indices), levels = problem("odd", np.float32)
    bounds = api.gershgorin(diagonal, squared)
    longer = jnp.pad(diagonal, ((0, 0), (3, 0)), constant_values=1e6), jnp.pad(squared, ((0, 0), (3, 0)))
    found = sturm_bisect(*longer, indices, bounds=bounds)
    np.testing.assert_allclose(found, levels, rtol=0, atol=accuracy(np.float32))


def test_degenerate_eigenvalues_and_scalars():
    found = sturm_bisect(jnp.asarray([1.0, 1.0, 0.0]), jnp.zeros(3), jnp.asarray([2, 0, 1], jnp.int32))
    np.testing.assert_allclose(found, [1, 0, 1], atol=1e-15)


def test_batch_axes_and_transformations():
    arguments, levels = problem("odd", np.float64)
    found = jax.jit(jax.vmap(sturm_bisect))(*(x[:, None] for x in arguments))
    np.testing.assert_allclose(found, levels[:, None], rtol=0, atol=accuracy(np.float64))
    assert sturm_bisect(*arguments[:2], jnp.zeros((3, 0), jnp.int32)).shape == (3, 0)


def test_there_is_no_derivative():
    (diagonal, squared, indices), _ = problem("odd", np.float64)
    with pytest.raises(NotImplementedError, match="has no derivative"):
        jax.grad(lambda d: sturm_bisect(d, squared, indices).sum())(diagonal)


@pytest.mark.parametrize(("platform", "dtype"), [("cuda", "float32"), ("cuda", "float64"), ("tpu", "float32")])
@pytest.mark.parametrize("x64", [False, True])
def test_lowering(platform, dtype, x64):
    backend = {"cuda": "pallas_mosaic", "tpu": "pallas_tpu"}[platform]
    with jax.enable_x64(x64 or dtype == "float64"):
        chain, indices = jax.ShapeDtypeStruct((3, 50), dtype), jax.ShapeDtypeStruct((3, 300), "int32")
        program = lowered(functools.partial(sturm_bisect, implementation=backend), platform, chain, chain, indices)
    assert f"custom_call @{CALLS[platform]}" in program
    assert ("f64" in program) == (dtype == "float64")


@pytest.mark.usefixtures("unchecked_types")
def test_wrong_arguments():
    (diagonal, squared, indices), _ = problem("odd", np.float64)
    with pytest.raises(ValueError, match="Argument `indices` must be int32"):
        sturm_bisect(diagonal, squared, indices.astype(jnp.int64))
    with pytest.raises(ValueError, match="Argument `bounds` must have the batch axes"):
        sturm_bisect(diagonal, squared, indices, bounds=(diagonal[0], diagonal[0]))
    with pytest.raises(ValueError, match="Argument `diagonal` must have at least one row"):
        sturm_bisect(diagonal[:, :0], squared[:, :0], indices)
    with pytest.raises(NotImplementedError, match="does float32, not float64"):
        sturm_bisect(diagonal, squared, indices, implementation="pallas_tpu")


@pytest.mark.gpu
@pytest.mark.skipif(jax.default_backend() != "gpu", reason="runs the backend for GPUs on one")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_eigenvalues_on_a_gpu(dtype):
    arguments, levels = problem("odd", dtype)
    found = sturm_bisect(*arguments, implementation="pallas_mosaic")
    np.testing.assert_allclose(found, levels, rtol=0, atol=accuracy(dtype))
