"""Dense Hermitian eigenproblems: against NumPy, with derivatives, on every backend."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hofstadter.eigensolver import dense

STEP = 1e-5


def hermitian(rng, *shape, dtype="complex128"):
    """Random Hermitian matrices of shape (*batch, n, n)."""
    matrix = rng.normal(size=shape)
    if dtype.startswith("complex"):
        matrix = matrix + 1j * rng.normal(size=shape)
    return ((matrix + np.swapaxes(matrix.conj(), -1, -2)) / 2).astype(dtype)


def assert_eigensystem(matrix, energies, states):
    """Eigenvectors are right up to phases and rotations in degenerate groups."""
    size = matrix.shape[-1]
    tolerance = 30 * size * np.finfo(matrix.dtype).eps * max(1.0, np.abs(matrix).max(initial=0))
    np.testing.assert_allclose(matrix @ states, states * energies[..., None, :], atol=tolerance)
    adjoint = np.swapaxes(states, -1, -2).conj()
    np.testing.assert_allclose(adjoint @ states, np.broadcast_to(np.eye(size), matrix.shape), atol=tolerance)


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        *(((n, n), "complex128") for n in (1, 2, 3, 17, 60)),
        ((5, 4, 4), "complex128"),
        ((2, 3, 6, 6), "complex128"),
        ((0, 3, 3), "complex128"),
        ((3, 9, 9), "complex64"),
        ((3, 9, 9), "float64"),
        ((3, 9, 9), "float32"),
    ],
)
def test_agrees_with_numpy(shape, dtype, rng):
    matrix = hermitian(rng, *shape, dtype=dtype)
    expected = np.linalg.eigvalsh(matrix)
    real = np.finfo(dtype).dtype
    tolerance = 30 * shape[-1] * np.finfo(dtype).eps
    alone = jax.jit(dense.eigenvalues)(jnp.asarray(matrix))
    energies, states = jax.jit(dense.eigensystem)(jnp.asarray(matrix))
    for values in (alone, energies):
        assert (values.shape, values.dtype) == (shape[:-1], real)
        np.testing.assert_allclose(values, expected, atol=tolerance)
    assert (states.shape, states.dtype) == (shape, np.dtype(dtype))
    assert_eigensystem(matrix, np.asarray(energies), np.asarray(states))


def test_all_sizes_up_to_60(rng):
    # One padded shape: a block matrix whose second block lies above the first one.
    solve = jax.jit(dense.eigenvalues)
    for n in range(1, 61):
        matrix = np.diag(np.full(60, 1000.0)).astype(complex)
        matrix[:n, :n] = hermitian(rng, n, n)
        expected = np.linalg.eigvalsh(matrix[:n, :n])
        np.testing.assert_allclose(solve(jnp.asarray(matrix))[:n], expected, atol=1e-11)


def test_extreme_scales(rng):
    matrix = hermitian(rng, 4, 8, 8)
    solve = jax.jit(dense.eigenvalues)
    for scale in (1e-200, 1e-12, 1e12, 1e200):
        np.testing.assert_allclose(solve(jnp.asarray(scale * matrix)) / scale, np.linalg.eigvalsh(matrix), atol=1e-12)
    np.testing.assert_array_equal(solve(jnp.zeros((4, 8, 8), complex)), 0)


def lapack_modes(function, dtype=jnp.complex128) -> set[str]:
    """The `jobz` arguments, N or V, of all LAPACK calls in the program."""
    argument = jax.ShapeDtypeStruct((3, 8, 8), dtype)
    lines = jax.jit(function).lower(argument).as_text().splitlines()
    calls = [line for line in lines if "heevd_ffi" in line]
    return {job for line in calls for job in "NV" if f"mode = {ord(job)} :" in line}


def test_values_alone_do_not_compute_vectors():
    assert dense.load_lapack()
    assert lapack_modes(dense.eigenvalues) == {"N"}
    assert lapack_modes(dense.eigenvalues, jnp.complex64) == {"N"}
    assert lapack_modes(dense.eigensystem) == {"V"}
    # Through `vmap` and under `jit` as well.
    assert lapack_modes(jax.vmap(dense.eigenvalues)) == {"N"}


def test_values_without_the_private_lapack_targets(monkeypatch, rng):
    monkeypatch.setattr(dense, "load_lapack", lambda: False)
    matrix = hermitian(rng, 3, 8, 8)

    def fresh(matrix):  # a new function, so that JAX cannot reuse what it traced before
        return dense._lapack_values(matrix)

    assert lapack_modes(fresh) == {"V"}
    np.testing.assert_allclose(jax.jit(fresh)(matrix), np.linalg.eigvalsh(matrix), atol=1e-12)


@pytest.mark.parametrize("platform", ["cuda", "tpu", "rocm"])
@pytest.mark.parametrize("function", ["eigenvalues", "eigensystem"])
def test_exports_to_accelerators(platform, function):
    argument = jax.ShapeDtypeStruct((3, 8, 8), jnp.complex128)
    exported = jax.export.export(jax.jit(getattr(dense, function)), platforms=[platform])(argument)
    assert "lapack" not in exported.mlir_module()


@pytest.mark.parametrize("row", [0, 3])
@pytest.mark.parametrize("column", [0, 2, 3])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_spoils_its_own_matrix_only(row, column, value, rng):
    matrix = hermitian(rng, 3, 4, 4)
    expected = np.linalg.eigvalsh(matrix)
    matrix[1, row, column] = matrix[1, column, row] = value
    alone = np.asarray(jax.jit(dense.eigenvalues)(matrix))
    energies, _ = jax.jit(dense.eigensystem)(matrix)
    for values in (alone, np.asarray(energies)):
        assert np.all(np.isnan(values[1]))
        np.testing.assert_allclose(values[[0, 2]], expected[[0, 2]], atol=1e-13)


@pytest.mark.parametrize("size", [1, 2, 8])
def test_a_single_nan_on_the_diagonal_of_a_diagonal_matrix(size):
    # LAPACK returns finite numbers for such a matrix.
    matrix = np.eye(size, dtype=complex)
    matrix[0, 0] = np.nan
    assert np.all(np.isnan(jax.jit(dense.eigenvalues)(matrix)))
    assert np.all(np.isnan(jax.jit(dense.eigensystem)(matrix)[0]))


def test_mapping_is_looping(rng):
    matrix = hermitian(rng, 4, 3, 5, 5)
    expected = np.linalg.eigvalsh(matrix)
    mapped = jax.jit(jax.vmap(jax.vmap(dense.eigenvalues)))(matrix)
    np.testing.assert_allclose(mapped, expected, atol=1e-13)
    inner = jax.jit(jax.vmap(dense.eigenvalues, in_axes=2, out_axes=1))(matrix.transpose(0, 2, 1, 3))
    expected = np.linalg.eigvalsh(matrix.transpose(1, 0, 2, 3).swapaxes(-1, -2)).transpose(1, 0, 2)
    np.testing.assert_allclose(inner, expected, atol=1e-13)


# Derivatives along a line of matrices H + t D. A level's weights are such that only whole groups count.


def line(rng, levels, copies):
    """H with `copies`-fold degenerate levels, and a direction D that splits them."""
    return np.kron(hermitian(rng, levels, levels), np.eye(copies)), hermitian(rng, *2 * [levels * copies])


def energy_sum(t, matrix, direction, weights, library):
    matrix = matrix + t * direction
    values = np.linalg.eigvalsh(matrix) if library is np else dense.eigenvalues(matrix)
    return library.sum(weights * values)


def assert_derivatives(function, *arguments):
    """Forward and reverse mode against the central difference of the NumPy version."""
    forward_difference, backward_difference = (function(t, *arguments, library=np) for t in (STEP, -STEP))
    expected = (forward_difference - backward_difference) / (2 * STEP)
    arguments = [jnp.asarray(argument) for argument in arguments]

    def differentiable(t):
        return function(t.astype(arguments[0].dtype), *arguments, library=jnp)

    reverse = jax.jit(jax.grad(differentiable))(jnp.zeros(()))
    _, forward = jax.jit(lambda t: jax.jvp(differentiable, (t,), (jnp.ones(()),)))(jnp.zeros(()))
    scale = max(1.0, abs(expected))
    np.testing.assert_allclose([reverse, forward], expected, rtol=0, atol=1e-7 * scale)
    return expected


@pytest.mark.parametrize(("levels", "copies"), [(6, 1), (3, 2), (1, 4)])
def test_derivatives_of_energies(levels, copies, rng):
    matrix, direction = line(rng, levels, copies)
    weights = np.repeat(rng.normal(size=levels), copies)
    assert abs(assert_derivatives(energy_sum, matrix, direction, weights)) > 1e-3


def test_derivatives_of_a_batch(rng):
    matrix, direction = hermitian(rng, 3, 5, 5), hermitian(rng, 3, 5, 5)
    weights = rng.normal(size=(3, 5))
    assert_derivatives(energy_sum, matrix, direction, weights)


def test_second_derivative_of_energies(rng):
    matrix, direction = (jnp.asarray(hermitian(rng, 5, 5)) for _ in range(2))

    def lowest(t):
        return dense.eigenvalues(matrix + t.astype(complex) * direction)[0]

    energies, states = np.linalg.eigh(matrix)
    coupling = np.abs(states.conj().T @ np.asarray(direction) @ states[:, 0]) ** 2
    expected = 2 * np.sum(coupling[1:] / (energies[0] - energies[1:]))
    np.testing.assert_allclose(jax.jit(jax.grad(jax.grad(lowest)))(jnp.zeros(())), expected, rtol=1e-9)


def test_no_silent_conversion_of_dtypes_or_ranks(strict_jax, rng):
    matrix = jnp.asarray(hermitian(rng, 2, 5, 5))
    with strict_jax():
        jax.jit(jax.grad(lambda m: jnp.sum(dense.eigenvalues(m)[..., 0])))(matrix)
        jax.jit(jax.grad(lambda m: jnp.sum(jnp.abs(dense.eigensystem(m)[1]))))(matrix)


def test_derivatives_are_finite_where_everything_is_degenerate():
    def total(t):
        matrix = t.astype(complex) * jnp.eye(4, dtype=complex)
        energies, states = dense.eigensystem(matrix)
        return jnp.sum(jnp.abs(states) ** 2) + jnp.sum(energies + dense.eigenvalues(matrix)) / 2

    for t in (0.0, 1.0):
        np.testing.assert_allclose(jax.grad(total)(jnp.asarray(t)), 4.0, atol=1e-14)


def test_a_function_of_states_of_separate_levels(rng):
    # tr(f(H) O) from energies and states, f = exp.
    matrix, direction = hermitian(rng, 5, 5), hermitian(rng, 5, 5)
    operator = hermitian(rng, 5, 5)

    def thermal(t, matrix, direction, operator, library):
        matrix = matrix + t * direction
        energies, states = np.linalg.eigh(matrix) if library is np else dense.eigensystem(matrix)
        diagonal = library.einsum("ia,ij,ja->a", states.conj(), operator, states).real
        return library.sum(library.exp(-energies) * diagonal)

    assert_derivatives(thermal, matrix, direction, operator)


def test_the_derivative_test_notices_a_wrong_derivative(monkeypatch, rng):
    matrix, direction = line(rng, 3, 2)

    @jax.custom_jvp
    def wrong(matrix):
        return dense.eigensystem(matrix)[0]

    @functools.partial(wrong.defjvp)
    def _wrong_jvp(primals, tangents):
        return wrong(*primals), jnp.diagonal(tangents[0]).real

    monkeypatch.setattr(dense, "eigenvalues", wrong)
    with pytest.raises(AssertionError):
        assert_derivatives(energy_sum, matrix, direction, np.repeat(rng.normal(size=3), 2))
