"""Derivatives of levels and band edges."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.fits.levels import level_energy
from hofstadter.fits.observations import tabulate
from hofstadter.fits.residuals import EdgeSearch

models = hof.models
ROW = jnp.asarray(2)


def hermitian(rng, size):
    matrix = rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))
    return matrix + matrix.conj().T


@jax.jit
def _level_along(matrix, change):
    return jax.jvp(lambda x: level_energy(matrix + x * change, ROW), (0.0,), (1.0,))


def level_along(matrix, change):
    """Level 2 of a matrix, and its derivative along a change."""
    value, slope = _level_along(jnp.asarray(matrix), jnp.asarray(change))
    return float(value), float(slope)


def test_derivative_of_a_level(rng):
    matrix, change = hermitian(rng, 6), hermitian(rng, 6)
    value, slope = level_along(matrix, change)
    assert value == pytest.approx(np.linalg.eigvalsh(matrix)[2], abs=1e-12)
    step = 1e-5
    ends = [np.linalg.eigvalsh(matrix + x * change)[2] for x in (-step, step)]
    assert slope == pytest.approx((ends[1] - ends[0]) / (2 * step), rel=1e-7)
    backward = jax.jit(jax.grad(lambda x: level_energy(matrix + x * change, ROW)))(0.0)
    assert float(backward) == pytest.approx(slope, rel=1e-12)


def test_degenerate_levels_share_the_mean(rng):
    """Levels 1, 2 and 3 are one energy; whatever states the eigensolver picks, the derivative is their mean."""
    states = np.linalg.qr(hermitian(rng, 6))[0]
    change = hermitian(rng, 6)
    group = states[:, 1:4]
    expected = np.trace(group.conj().T @ change @ group).real / 3
    for turn in range(3):
        matrix = states * np.array([-1.0, 0.5, 0.5, 0.5, 2.0, 3.0]) @ states.conj().T
        _, slope = level_along(matrix + 1e-17 * turn * hermitian(rng, 6), change)
        assert slope == pytest.approx(expected, abs=1e-12)


@pytest.mark.slow
def test_derivatives_of_gaps_are_those_with_moving_momenta():
    """Without symmetry: the momenta of the edges lie anywhere, and move with the parameters."""
    positions = [[0, 0], [0.4, 0.3]]

    def build(a, b):
        hops = [(-1.0, 0, 0, (1, 0)), (0.7 + 0.2j, 1, 1, (0, 1)), (-0.5, 0, 1, (0, 0)), (0.4j, 0, 1, (1, 0))]
        hops += [(a, 0, 1, (0, -1)), (0.3 - 0.1j, 0, 0, (1, 1)), (b, 0, 0, (0, 0))]
        return models.tight_binding([[1, 0], [0, 1]], positions, hops)

    data = [hof.GapSize("1/3", s, t, 1.0, 1e-3) for s, t in ((0, 1), (1, 0), (1, 1), (2, -1))]
    data += [hof.LevelEnergy("1/4", 3, "upper", 0.0, 1e-3)]
    values = np.array([0.35, 0.6])
    search = EdgeSearch(build, ("a", "b"), tabulate(build(0.3, 0.6), data), 1e-7, 4.0)
    edges = search.search(values)
    on_mesh = edges.momenta * np.array([edge.flux.q for edge in search.table.edges])[:, None] * 24
    assert np.abs(on_mesh - np.round(on_mesh)).max(axis=1).min() > 1e-3
    jacobian = search.linearized(values)[1] * 1e-3
    step = 1e-3
    for column in range(2):
        beside = [np.array(values), np.array(values)]
        beside[0][column] -= step
        beside[1][column] += step
        low, high = (hof.predict_observations(build(*place), data) for place in beside)
        np.testing.assert_allclose(jacobian[:, column], (high - low) / (2 * step), atol=2e-5)
