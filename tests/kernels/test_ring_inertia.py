"""`ring_inertia`: against dense matrices, the package's own counts, Pallas' interpreters; lowering for GPU and TPU."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.counting import inertia
from hofstadter.counting.elements import Matrices
from hofstadter_kernels import ring_inertia
from hofstadter_kernels.ring_inertia import api, pallas_tpu
from hofstadter_kernels.ring_inertia.arg_specs import ARG_SPECS, draw
from tests.kernels.backends import CALLS, interpreted, lowered

PRECISIONS = [np.complex64, np.complex128]
SPECS = ["two sites"]
MORE_SPECS = ["one cell", "two cells", "one site", "three sites", "honeycomb, q = 97", "kagome, q = 97"]
INTERPRETED = [("pallas_mosaic", np.complex64), ("pallas_mosaic", np.complex128), ("pallas_tpu", np.complex64)]


def dense(blocks, bonds) -> np.ndarray:
    """The whole matrices, in double precision."""
    matrices, cells, sites = blocks.shape[:3]
    whole = np.zeros((matrices, cells, sites, cells, sites), complex)
    for cell in range(cells):
        whole[:, cell, :, cell] += blocks[:, cell]
        whole[:, cell, :, cell - 1] += bonds[:, cell]
        whole[:, cell - 1, :, cell] += bonds[:, cell].conj().swapaxes(-1, -2)
    return whole.reshape(matrices, cells * sites, cells * sites)


def problem(spec: str, dtype) -> tuple[tuple[jax.Array, ...], np.ndarray]:
    """Arguments, and the eigenvalues of the dense matrices by NumPy."""
    arrays = draw(ARG_SPECS[spec], dtype)
    return tuple(jnp.asarray(x) for x in arrays), np.linalg.eigvalsh(dense(*arrays[:2]))


def miscounts(found, energies, levels) -> int:
    """Wrong counts, of energies farther from all levels than the growth allows."""
    counts, growth = (np.asarray(x) for x in found)
    energies = np.asarray(energies)
    wrong = counts != (levels[:, None] < energies[..., None]).sum(-1)
    distance = np.abs(levels[:, None] - energies[..., None]).min(-1)
    far = distance > 10 * np.finfo(energies.dtype).eps * (1 + growth)
    assert far.mean() > 0.9
    return int((wrong & far).sum())


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("spec", SPECS)
def test_counts_of_dense_matrices(spec, dtype):
    arguments, levels = problem(spec, dtype)
    counts, growth = found = ring_inertia(*arguments)
    assert counts.dtype == jnp.int32
    assert growth.dtype == arguments[2].dtype
    assert miscounts(found, arguments[2], levels) == 0


@pytest.mark.slow
@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("spec", MORE_SPECS)
def test_counts_of_larger_matrices(spec, dtype):
    arguments, levels = problem(spec, dtype)
    assert miscounts(ring_inertia(*arguments), arguments[2], levels) == 0


def test_the_tester_notices():
    arguments, levels = problem("two sites", np.complex128)
    counts, growth = ring_inertia(*arguments)
    assert miscounts((counts + 1, growth), arguments[2], levels) > 0


@pytest.mark.parametrize(("dtype", "distances"), [(np.complex128, [1e-12, 1e-10, 1e-6]), (np.complex64, [1e-4, 1e-3])])
def test_distances_from_a_level(dtype, distances):
    # Stated limits: growth × eps.
    (blocks, bonds, _), levels = problem("two sites", dtype)
    real = np.finfo(dtype).dtype
    steps = np.array([side * distance for distance in distances for side in (-1, 1)])
    energies = (levels[:, :, None] + steps).reshape(3, -1).astype(real)
    counts, growth = ring_inertia(blocks, bonds, jnp.asarray(energies))
    right = (levels[:, None] < energies[..., None]).sum(-1)
    certain = np.tile(np.abs(steps), levels.shape[1]) > 10 * np.finfo(real).eps * (1 + np.asarray(growth))
    assert certain.mean() > 0.8
    np.testing.assert_array_equal(np.asarray(counts)[certain], right[certain])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["honeycomb", "kagome"])
def test_the_counts_of_the_package(name):
    # Rows of H(k) in the order (cell, orbital): the blocks are cut out of it.
    model, flux, k1 = getattr(hof.models, name)(), hof.Flux(2, 7), 0.03
    matrix = np.array(hof.at_flux(model, flux).matrix(jnp.array([k1, 0.0])))
    unit, sites = float(model.norm_bound()), model.orbitals
    cells = matrix.reshape(7, sites, 7, sites).swapaxes(1, 2) / unit
    blocks, bonds = cells[range(7), range(7)], cells[range(7), range(-1, 6)]
    energies = np.linspace(-1, 1, 130) + 1e-3
    counts, _ = ring_inertia(*(jnp.asarray(x) for x in (blocks, bonds, energies)))
    matrices = Matrices(np.array([2]), np.array([7]), np.array([k1]), np.zeros((1, 1)))
    expected, _ = inertia.count_blocks(model, matrices, energies[None] * unit)
    np.testing.assert_array_equal(counts, expected[0])


def test_zero_pivots_and_flat_levels():
    # Two bonds of 1/2 of a dimer, others absent: levels −1/2 and 1/2, the latter met exactly; pivots vanish at 0.
    blocks, bonds = jnp.zeros((4, 1, 1), complex), jnp.zeros((4, 1, 1), complex).at[jnp.array([1, 3])].set(0.5)
    counts, growth = ring_inertia(blocks, bonds, jnp.array([-0.6, 0.0, 0.6]))
    assert counts.tolist() == [0, 2, 4]
    assert growth[1] > 1e6


@pytest.mark.parametrize(("backend", "dtype"), INTERPRETED)
def test_interpreted_backends_equal_the_reference(backend, dtype):
    # More lanes than one block has.
    (blocks, bonds, energies), _ = problem("one site", dtype)
    tables = *api.pack(blocks, bonds, jnp.array([1] * len(blocks))), energies
    found, expected = interpreted("ring_inertia", backend, *tables), api.BACKENDS["reference"](*tables)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], rtol=1e3 * np.finfo(energies.dtype).eps * np.max(expected[1]))


def test_padding_batch_axes_and_transformations():
    (blocks, bonds, energies), _ = problem("two sites", np.complex128)
    counts, growth = ring_inertia(blocks, bonds, energies)
    longer = (jnp.pad(x, ((0, 0), (2, 0), (0, 0), (0, 0)), constant_values=np.nan) for x in (blocks, bonds))
    padding = jnp.full(len(blocks), 2)
    mapped = jax.jit(jax.vmap(lambda *x: ring_inertia(*x[:3], padding=x[3])))(*longer, energies, padding)
    np.testing.assert_array_equal(mapped[0], counts)
    np.testing.assert_allclose(mapped[1], growth, rtol=1e-6)
    empty = ring_inertia(blocks, bonds, energies[:, :0])
    assert [x.shape for x in empty] == [(3, 0), (3, 0)]


@pytest.mark.parametrize(("platform", "dtype"), [("cuda", "complex64"), ("cuda", "complex128"), ("tpu", "complex64")])
@pytest.mark.parametrize("sites", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_lowering(platform, dtype, sites, strict_jax):
    backend = {"cuda": "pallas_mosaic", "tpu": "pallas_tpu"}[platform]
    count = functools.partial(ring_inertia, implementation=backend)
    block = jax.ShapeDtypeStruct((3, 20, sites, sites), dtype)
    energies = jax.ShapeDtypeStruct((3, 300), np.finfo(dtype).dtype)
    with strict_jax():
        program = lowered(count, platform, block, block, energies)
    assert f"custom_call @{CALLS[platform]}" in program
    assert ("f64" in program) == (dtype == "complex128")


@pytest.mark.usefixtures("unchecked_types")
def test_wrong_arguments():
    (blocks, bonds, energies), _ = problem("two cells", np.complex128)
    for arguments, message in (
        ((blocks.real, bonds, energies), "Argument `blocks` must be complex64 or complex128, but is float64"),
        ((blocks[..., :1], bonds, energies), r"Argument `blocks` must end in \(cell, site, site\)"),
        ((blocks, bonds[:, :1], energies), "Argument `bonds` must have the shape and the dtype of `blocks`"),
        ((blocks, bonds, energies[:1]), "Argument `energies` must have the batch axes of `blocks`"),
        ((blocks, bonds, energies.astype(np.float32)), "Argument `energies` must .* be float64"),
    ):
        with pytest.raises(ValueError, match=message):
            ring_inertia(*arguments)
    with pytest.raises(ValueError, match="Argument `padding` must have the batch axes"):
        ring_inertia(blocks, bonds, energies, padding=jnp.zeros(3, int))


def test_backends_say_what_they_cannot_do():
    (blocks, bonds, energies), _ = problem("two cells", np.complex128)
    with pytest.raises(NotImplementedError, match='"pallas_tpu" does float32, not float64'):
        ring_inertia(blocks, bonds, energies, implementation="pallas_tpu")
    wide = jnp.zeros((2, 2, 5, 5), complex)
    with pytest.raises(NotImplementedError, match="at most 4 sites per cell, not 5"):
        ring_inertia(wide, wide, energies, implementation="pallas_mosaic")
    long = jnp.zeros((1, pallas_tpu.MOST_NUMBERS // 5 + 2, 1, 1), np.complex64)
    with pytest.raises(NotImplementedError, match="at most 32768 numbers"):
        ring_inertia(long, long, jnp.zeros((1, 1), np.float32), implementation="pallas_tpu")


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="shows that arrays on a CPU are refused")
@pytest.mark.parametrize("backend", ["pallas_mosaic", "pallas_tpu"])
def test_backends_refuse_other_devices(backend):
    arguments, _ = problem("two cells", np.complex64)
    with pytest.raises(NotImplementedError, match=f'"{backend}" runs on devices of the platform'):
        ring_inertia(*arguments, implementation=backend)


@pytest.mark.gpu
@pytest.mark.skipif(jax.default_backend() != "gpu", reason="runs the backend for GPUs on one")
@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("spec", [*SPECS, *MORE_SPECS])
def test_counts_on_a_gpu(spec, dtype):
    arguments, levels = problem(spec, dtype)
    found = ring_inertia(*arguments, implementation="pallas_mosaic")
    assert miscounts(found, arguments[2], levels) == 0
