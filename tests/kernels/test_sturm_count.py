"""`sturm_count`: against dense matrices, the package's own counts, Pallas' interpreters; lowering for GPU and TPU."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hofstadter.counting import sturm
from hofstadter_kernels import sturm_count
from hofstadter_kernels.sturm_count import pallas_mosaic, pallas_tpu, reference
from tests.kernels.backends import CALLS, interpreted, lowered, matrices

SPECS = ["one number", "odd", "two tiles"]
INTERPRETED = [("pallas_mosaic", np.float32), ("pallas_mosaic", np.float64), ("pallas_tpu", np.float32)]


def miscounts(counts, energies, levels) -> int:
    """Wrong counts, of energies farther from all levels than a few rounding errors."""
    energies = np.asarray(energies)
    wrong = np.asarray(counts) != (levels[:, None] < energies[..., None]).sum(-1)
    far = np.abs(levels[:, None] - energies[..., None]).min(-1) > 100 * np.finfo(energies.dtype).eps
    assert far.mean() > 0.9
    return int((wrong & far).sum())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("spec", SPECS)
def test_counts_of_dense_matrices(spec, dtype):
    *arguments, levels = matrices(spec, dtype)
    counts = sturm_count(*arguments)
    assert counts.dtype == jnp.int32
    assert miscounts(counts, arguments[2], levels) == 0


def test_the_tester_notices():
    *arguments, levels = matrices("odd", np.float64)
    assert miscounts(sturm_count(*arguments) + 1, arguments[2], levels) > 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_reference_is_the_count_of_the_package(dtype):
    *arguments, _ = matrices("odd", dtype)
    rows_first = arguments[0].T, arguments[1].T
    np.testing.assert_array_equal(sturm_count(*arguments), sturm.count_chain(*rows_first, arguments[2]))


@pytest.mark.parametrize(("backend", "dtype"), INTERPRETED)
@pytest.mark.parametrize("spec", SPECS)
def test_interpreted_backends_equal_the_reference(spec, backend, dtype):
    *arguments, _ = matrices(spec, dtype)
    counts = interpreted("sturm_count", backend, *arguments)
    np.testing.assert_array_equal(counts, reference.sturm_count(*arguments))


@pytest.mark.parametrize(("backend", "dtype"), INTERPRETED)
def test_zero_pivots(backend, dtype):
    # Alternating on-site energies of zero: without the smallest pivot, 0/0 in the second row.
    diagonal, squared = jnp.zeros((1, 4), dtype), jnp.asarray([[0, 1, 0, 1]], dtype)
    energies = jnp.asarray([[-2, 0, 2]], dtype)
    counts = interpreted("sturm_count", backend, diagonal, squared, energies)
    assert counts.tolist() == [[0, 2, 4]]
    assert sturm_count(diagonal, squared, energies).tolist() == [[0, 2, 4]]


def test_padding_is_not_counted():
    diagonal, squared, energies, _ = matrices("odd", np.float32)
    longer = jnp.pad(diagonal, ((0, 0), (5, 3)), constant_values=sturm.PADDING), jnp.pad(squared, ((0, 0), (5, 3)))
    np.testing.assert_array_equal(sturm_count(*longer, energies), sturm_count(diagonal, squared, energies))


def test_batch_axes_and_transformations():
    *arguments, _ = matrices("two tiles", np.float64)
    counts = sturm_count(*arguments)
    np.testing.assert_array_equal(sturm_count(*(x[0] for x in arguments)), counts[0])
    np.testing.assert_array_equal(sturm_count(*(x[:, None] for x in arguments)), counts[:, None])
    np.testing.assert_array_equal(jax.jit(jax.vmap(sturm_count))(*arguments), counts)
    assert sturm_count(*arguments[:2], jnp.zeros((2, 0))).shape == (2, 0)
    assert sturm_count(jnp.zeros((2, 0)), jnp.zeros((2, 0)), arguments[2]).sum() == 0


def test_nothing_is_promoted(strict_jax):
    *arguments, _ = matrices("odd", np.float32)
    with strict_jax():
        for implementation in ("reference", None):
            sturm_count(*arguments, implementation=implementation)
        lowered(pallas_mosaic.sturm_count, "cuda", *(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in arguments))


@pytest.mark.parametrize(("platform", "dtype"), [("cuda", "float32"), ("cuda", "float64"), ("tpu", "float32")])
@pytest.mark.parametrize("x64", [False, True])
def test_lowering(platform, dtype, x64):
    backend = {"cuda": "pallas_mosaic", "tpu": "pallas_tpu"}[platform]
    with jax.enable_x64(x64 or dtype == "float64"):
        chain, energies = (jax.ShapeDtypeStruct((3, n), dtype) for n in (50, 300))
        program = lowered(functools.partial(sturm_count, implementation=backend), platform, chain, chain, energies)
    assert f"custom_call @{CALLS[platform]}" in program
    assert ("f64" in program) == (dtype == "float64")


@pytest.mark.parametrize(("platform", "backend"), [("cuda", "pallas_mosaic"), ("tpu", "pallas_tpu")])
def test_lowering_under_vmap(platform, backend):
    chain, energies = (jax.ShapeDtypeStruct((2, 3, n), "float32") for n in (50, 300))
    mapped = jax.vmap(functools.partial(sturm_count, implementation=backend))
    assert f"custom_call @{CALLS[platform]}" in lowered(mapped, platform, chain, chain, energies)


@pytest.mark.usefixtures("unchecked_types")
def test_wrong_arguments():
    *arguments, _ = matrices("odd", np.float64)
    diagonal, squared, energies = arguments
    with pytest.raises(ValueError, match="Argument `squared_bonds` must have the shape"):
        sturm_count(diagonal, squared[:, 1:], energies)
    with pytest.raises(ValueError, match="Argument `energies` must have the batch axes"):
        sturm_count(diagonal, squared, energies[:1])
    with pytest.raises(ValueError, match="Argument `energies` must have the batch axes and the dtype"):
        sturm_count(diagonal, squared, energies.astype(np.float32))
    with pytest.raises(ValueError, match="Argument `diagonal` must be float32 or float64, but is complex128"):
        sturm_count(diagonal + 0j, squared + 0j, energies + 0j)
    with pytest.raises(ValueError, match=r'Argument `implementation` must be one of .*, but is "fast"'):
        sturm_count(*arguments, implementation="fast")


def test_backends_say_what_they_cannot_do():
    *arguments, _ = matrices("odd", np.float64)
    with pytest.raises(NotImplementedError, match='"pallas_tpu" does float32, not float64'):
        sturm_count(*arguments, implementation="pallas_tpu")
    long = jnp.zeros((1, pallas_tpu.MOST_ROWS + 1), np.float32)
    with pytest.raises(NotImplementedError, match="at most 16384 rows"):
        sturm_count(long, long, long[:, :1], implementation="pallas_tpu")


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="shows that arrays on a CPU are refused")
@pytest.mark.parametrize("backend", ["pallas_mosaic", "pallas_tpu"])
def test_backends_refuse_other_devices(backend):
    *arguments, _ = matrices("odd", np.float32)
    with pytest.raises(NotImplementedError, match=f'"{backend}" runs on devices of the platform'):
        sturm_count(*arguments, implementation=backend)


@pytest.mark.gpu
@pytest.mark.skipif(jax.default_backend() != "gpu", reason="runs the backend for GPUs on one")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("spec", SPECS)
def test_counts_on_a_gpu(spec, dtype):
    *arguments, levels = matrices(spec, dtype)
    assert miscounts(sturm_count(*arguments, implementation="pallas_mosaic"), arguments[2], levels) == 0
