"""The position-free metric: reference numbers, its definition as a minimum, and its independence of positions."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.geometry.metric import zone_average
from hofstadter.geometry.minimal import minimal_metric
from tests import systems
from tests.geometry import finite_differences

models = hof.models


def creutz_ladder():
    """H = 2 sin k σz + 2 cos k σx along a1; nothing hops along a2."""
    hops = [(-1j, 0, 0, (1, 0)), (1j, 1, 1, (1, 0)), (1.0, 0, 1, (1, 0)), (1.0, 0, 1, (-1, 0))]
    return models.tight_binding([[1, 0], [0, 1]], [[0, 0], [0, 0]], hops)


def test_creutz_ladder():
    problem = hof.at_flux(creutz_ladder(), (0, 1))
    for found in (minimal_metric(problem, (0, 1)), zone_average(problem, (0, 1))):
        np.testing.assert_allclose(found.metric, [[0.25, 0], [0, 0]], atol=1e-12)


def test_dimerized_lieb_lattice():
    problem = hof.at_flux(models.lieb(1.0, dimerization=0.5), (0, 1))
    found = minimal_metric(problem, (1, 2))
    assert found.status == hof.Status.OK
    np.testing.assert_allclose(found.metric, [[0.0278555, -0.0013825], [-0.0013825, 0.0278555]], atol=1e-6)
    np.testing.assert_allclose(found.weights, [0, 0.5, 0.5], atol=1e-12)
    assert found.uniform
    assert found.carrying == 2
    # The corner site carries nothing and stays; the edge sites move towards each other, their center stays.
    np.testing.assert_allclose(found.positions[0], 0, atol=1e-12)
    np.testing.assert_allclose(np.mean(found.positions[1:], axis=0), [0.25, 0.25], atol=1e-12)


@pytest.mark.slow
def test_trimers_have_no_minimal_metric():
    found = minimal_metric(hof.at_flux(models.lieb(1.0, dimerization=1.0), (0, 1)), (1, 2))
    np.testing.assert_allclose(found.metric, 0, atol=1e-14)


def test_zero_modes_of_the_lieb_lattice_in_a_field():
    problem = hof.at_flux(models.lieb(), (1, 4))
    found = minimal_metric(problem, (4, 8))
    np.testing.assert_allclose(found.metric, 0.7274398 * np.eye(2), atol=1e-6)
    assert found.uniform
    assert found.carrying == 8
    np.testing.assert_allclose(found.weights.reshape(4, 3), np.tile([0, 0.5, 0.5], (4, 1)), atol=1e-12)
    np.testing.assert_allclose(found.positions, problem.site_positions @ problem.vectors, atol=1e-9)


@pytest.mark.slow
def test_sites_of_high_symmetry_are_minimal_already():
    problem = hof.at_flux(models.square(), (1, 4), cells=5)
    found = minimal_metric(problem, (0, 1))
    np.testing.assert_allclose(found.metric, 0.3447540 * np.eye(2), atol=1e-6)
    np.testing.assert_allclose(found.metric, zone_average(problem, (0, 1)).metric, atol=1e-10)
    np.testing.assert_allclose(found.positions[:4], [[0, m] for m in range(4)], atol=1e-10)
    assert found.uniform
    assert found.carrying == 4


def two_bands(offset):
    """No symmetry, no field; the positions do not enter the hops, so they can be moved freely."""
    hops = [(0.9, 0, 1, (0, 0)), (0.3 + 0.2j, 0, 1, (1, 0)), (0.4j, 0, 1, (0, -1)), (0.2, 0, 0, (1, 1))]
    positions = [[0.0, 0.0], [0.3 + offset[0], -0.2 + offset[1]]]
    return models.tight_binding([[1.0, 0.0], [0.3, 1.1]], positions, [*hops, (0.5, 0, 0, (0, 0))])


@pytest.mark.slow
def test_is_the_metric_at_its_own_positions_and_below_all_others(rng):
    problem = hof.at_flux(two_bands([0.0, 0.0]), (0, 1))
    found = minimal_metric(problem, (0, 1))
    assert not found.uniform
    reduced = np.asarray(found.positions) @ np.linalg.inv(problem.vectors)
    options = {"points": 64}

    def metric_at(positions):
        moved = eqx.tree_at(lambda p: p.model.positions, problem, jnp.asarray(positions))
        return np.asarray(zone_average(moved, (0, 1), **options).metric)

    np.testing.assert_allclose(metric_at(reduced), found.metric, atol=1e-10)
    for _ in range(3):
        other = metric_at(reduced + rng.normal(size=(2, 2)))
        assert (np.linalg.eigvalsh(other - found.metric) > -1e-10).all()
    # Moved models give the same minimum, at the same distance of the orbitals.
    moved = minimal_metric(hof.at_flux(two_bands([0.7, 0.4]), (0, 1)), (0, 1))
    np.testing.assert_allclose(moved.metric, found.metric, atol=1e-10)
    np.testing.assert_allclose(
        moved.positions[1] - moved.positions[0], found.positions[1] - found.positions[0], atol=1e-10
    )


def test_the_oracle_has_this_metric_at_the_minimal_positions():
    model, flux = systems.random_model(0, 5), (1, 2)
    # The relation between G and the positions holds on every mesh, so a coarse one will do.
    found = minimal_metric(hof.at_flux(model, flux), (0, 1), points=4)
    plain = systems.plain(model)
    reduced = np.asarray(found.positions) @ np.linalg.inv(plain.vectors)
    expected = finite_differences.mean_metric(plain, *flux, (0, 1), 4, reduced)
    np.testing.assert_allclose(found.metric, expected, rtol=1e-6)


@pytest.mark.slow
def test_gradient():
    def minimal(dimerization):
        problem = hof.at_flux(models.lieb(1.0, dimerization), (0, 1))
        return minimal_metric(problem, (1, 2), points=16).metric[0, 0]

    value, slope = jax.jit(minimal), jax.jit(jax.grad(minimal))
    a, b, c, d = (float(value(0.5 + n * 1e-3)) for n in (-2, -1, 1, 2))
    np.testing.assert_allclose(slope(0.5), (a - 8 * b + 8 * c - d) / 12e-3, rtol=1e-7)


@pytest.mark.slow
def test_touching_bands_are_reported():
    graphene = hof.at_flux(models.honeycomb(), (0, 1))
    found = minimal_metric(graphene, (0, 1), max_points=16)
    assert found.status == hof.Status.GAP_CLOSED
    assert np.isnan(found.metric).all()
    with pytest.raises(hof.CalculationError, match="Near k = "):
        minimal_metric(graphene, (0, 1), max_points=16, throw=True)


def test_wrong_arguments(unchecked_types):
    problem = hof.at_flux(models.square(), (1, 3))
    with pytest.raises(ValueError, match="Argument `bands`"):
        minimal_metric(problem, (3, 4))
    with pytest.raises(ValueError, match="Argument `memory_gb` must be positive"):
        minimal_metric(problem, (0, 1), memory_gb=-1.0)


@pytest.mark.slow
def test_never_above_the_metric_at_true_positions():
    for name, flux, bands in [("random_1", (1, 2), (0, 1)), ("honeycomb_full", (1, 3), (0, 1))]:
        problem = hof.at_flux(systems.build(name), flux)
        minimal, true = minimal_metric(problem, bands), zone_average(problem, bands)
        assert minimal.status == true.status == hof.Status.OK
        assert (np.linalg.eigvalsh(np.asarray(true.metric - minimal.metric)) > -1e-9).all()
