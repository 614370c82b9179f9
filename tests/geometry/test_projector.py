"""P(k) and its derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.geometry.projector import eigenbasis, group_projector, projector, projector_derivatives
from tests import systems
from tests.geometry import finite_differences
from tests.oracles import peierls

BANDS = (1, 3)


@pytest.fixture(scope="module")
def problem():
    return hof.at_flux(systems.random_model(1, 5), (2, 3))


def test_projects_on_the_group(problem, rng):
    k = jnp.asarray(rng.uniform(-1, 1, (2, 3, 2)))
    found = np.asarray(jax.jit(lambda k: projector(problem, BANDS, k))(k))
    assert found.shape == (2, 3, 6, 6)
    h = systems.matrix(problem, k)
    np.testing.assert_allclose(found @ found, found, atol=1e-13)
    np.testing.assert_allclose(np.trace(found, axis1=-2, axis2=-1), 2, atol=1e-13)
    np.testing.assert_allclose(found @ h, h @ found, atol=1e-13)


def test_derivatives_are_finite_differences_of_the_smooth_projector(problem, rng):
    k = rng.uniform(-1, 1, 2)
    derivatives = np.asarray(jax.jit(lambda k: projector_derivatives(problem, BANDS, k))(jnp.asarray(k)))
    model = systems.plain(problem.model)
    x = peierls.site_positions(model, 3)
    # The oracle works on bare sites: undo the phases of the translated ones, and the plane wave at k.
    phases = np.exp(-2j * np.pi * x @ k) * peierls.translated_site_phases(model, 2, 3)
    for axis in range(2):
        d = 2e-4 * np.eye(2)[axis]
        a, b, c, e = (finite_differences.projector(model, 2, 3, BANDS, k + n * d, x) for n in (-2, -1, 1, 2))
        expected = (a - 8 * b + 8 * c - e) / 24e-4
        found = phases[:, None] * derivatives[axis] * phases.conj()[None, :]
        np.testing.assert_allclose(found, expected, atol=1e-8)


def spin_doubled(strengths):
    """Two decoupled copies of one orbital, with hops between them of the given strengths."""
    hops = [(-1.0, (1, 0)), (-0.8, (0, 1)), (0.3 + 0.2j, (1, 1))]
    copies = [(t, spin, spin, cell) for t, cell in hops for spin in (0, 1)]
    mixing = [(s, 0, 1, cell) for s, cell in zip(strengths, ((1, 0), (0, 1), (0, 0)), strict=True)]
    onsite = [(strengths[0].real, 0, 0, (0, 0))]
    return hof.models.tight_binding([[1.0, 0.1], [0.2, 1.1]], [[0.1, 0.2], [0.4, -0.3]], copies + mixing + onsite)


def weighted_projector(strengths, k):
    """A smooth function of the projector on an exactly degenerate pair, which the strengths split."""
    found = projector(hof.at_flux(spin_doubled(strengths), (1, 3)), (0, 2), k)
    weights = jnp.asarray(np.random.default_rng(1).normal(size=(6, 6)))
    return jnp.sum(weights * found.real) + jnp.sum(weights.T * found.imag)


def test_first_and_second_derivatives_at_an_exact_degeneracy_inside_the_group():
    k = jnp.array([0.11, 0.07])
    direction = jnp.array([0.6 + 0.3j, -0.4j, 0.5])

    def along(s):
        return weighted_projector(s * direction, k)

    value, slope, bend = jax.jit(along), jax.jit(jax.grad(along)), jax.jit(jax.grad(jax.grad(along)))
    h = 1e-3
    a, b, c, e = (float(value(n * h)) for n in (-2, -1, 1, 2))
    np.testing.assert_allclose(slope(0.0), (a - 8 * b + 8 * c - e) / (12 * h), rtol=1e-7)
    a, b, c, e = (float(slope(n * h)) for n in (-2, -1, 1, 2))
    np.testing.assert_allclose(bend(0.0), (a - 8 * b + 8 * c - e) / (12 * h), rtol=1e-7)


def test_nan_where_the_group_touches(unchecked_types):
    graphene = hof.at_flux(hof.models.honeycomb(), (0, 1))
    found = projector(graphene, (0, 1), jnp.array([[1 / 3, 2 / 3], [0.1, 0.2]]))
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1]).all()


# The projector of a matrix H + t D, where D splits levels of H that are exactly degenerate.


def hermitian(rng, size):
    matrix = rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))
    return (matrix + matrix.conj().T) / 2


def of_matrix(matrix, bands):
    # No velocity: the largest |energy| alone tells which gaps are closed.
    return group_projector(bands, eigenbasis(matrix, jnp.zeros((2, *matrix.shape), matrix.dtype)), matrix)


@pytest.mark.parametrize(("levels", "copies", "bands"), [(6, 1, (0, 2)), (3, 3, (3, 6)), (2, 2, (0, 4))])
def test_derivatives_along_a_line_of_matrices(levels, copies, bands, rng):
    matrix = np.kron(hermitian(rng, levels), np.eye(copies))
    direction, operator = (hermitian(rng, levels * copies) for _ in range(2))

    def expectation(t):
        return jnp.sum(of_matrix(matrix + t.astype(complex) * direction, bands) * operator.T).real

    def expected(t):
        states = np.linalg.eigh(matrix + t * direction)[1][:, slice(*bands)]
        return np.trace(states.conj().T @ operator @ states).real

    step, zero = 1e-5, jnp.zeros(())
    slope = (expected(step) - expected(-step)) / (2 * step)
    np.testing.assert_allclose(jax.jit(expectation)(zero), expected(0.0), atol=1e-12)
    reverse = jax.jit(jax.grad(expectation))(zero)
    _, forward = jax.jit(lambda t: jax.jvp(expectation, (t,), (jnp.ones(()),)))(zero)
    np.testing.assert_allclose([reverse, forward], slope, rtol=0, atol=1e-7 * max(1.0, abs(slope)))
    # All bands together have the identity for a projector, which nothing changes.
    assert (abs(slope) > 1e-3) == (bands != (0, levels * copies))


def test_matrices_in_a_batch_do_not_mix(rng):
    matrices = np.stack([hermitian(rng, 5) for _ in range(3)])
    found = jax.jit(jax.vmap(lambda matrix: of_matrix(matrix, (1, 3))))(matrices)
    states = np.linalg.eigh(matrices)[1][..., 1:3]
    np.testing.assert_allclose(found, states @ np.swapaxes(states, -1, -2).conj(), atol=1e-12)


def test_no_silent_conversion_of_dtypes_or_ranks(strict_jax, rng):
    matrix = jnp.asarray(hermitian(rng, 5))
    with strict_jax():
        jax.jit(jax.grad(lambda m: jnp.sum(jnp.abs(of_matrix(m, (0, 2))))))(matrix)
