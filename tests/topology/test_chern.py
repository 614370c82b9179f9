"""Chern numbers on adaptive and fixed meshes: laws, agreement with loops from the paper, and refusals."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from tests import systems
from tests.oracles import fukui, peierls

KAGOME = [1, -2, 4, -2, -2, 1, 1, -2, 1]


def test_single_bands_on_a_mesh_equal_the_oracle():
    model, (p, q), n = systems.random_model(1, 6), (2, 3), 24
    found = hof.chern_on_mesh(hof.at_flux(model, (p, q)), points=n)
    plain = systems.plain(model)
    k1, k2 = np.arange(n * q) / (n * q) + 0.003, np.arange(n) / (n * q) + 0.001
    _, states = np.linalg.eigh([[peierls.bloch(plain, p, q, (a, b)) for b in k2] for a in k1])
    positions = peierls.site_positions(plain, q)
    certified = np.flatnonzero(np.asarray(found.status) == hof.Status.OK)
    assert len(certified) >= 3
    for band in certified:
        expected, largest = fukui.chern(states[..., band : band + 1], positions, 1.0, 1 / q)
        np.testing.assert_allclose(found.value[band], expected, atol=1e-9)
        np.testing.assert_allclose(found.max_flux[band], largest * np.pi, rtol=0.2)


def test_known_lists_and_certificates():
    result = hof.chern_on_mesh(hof.at_flux(hof.models.square(), (2, 5)), points=12)
    np.testing.assert_array_equal(result.value, [-2, 3, -2, 3, -2])
    np.testing.assert_array_equal(result.status, hof.Status.OK)
    assert np.max(result.max_flux) < 0.5
    assert np.min(result.min_link) > 0.9
    assert np.max(result.residual) < 1e-9
    assert np.isnan(result.unresolved_k).all()


def test_the_opposite_field_reverses_all_signs():
    values = [hof.chern_on_mesh(hof.at_flux(hof.models.square(), flux), points=12).value for flux in [(2, 5), (-2, 5)]]
    np.testing.assert_array_equal(values[0], -values[1])


def test_groups_of_every_size_add_up():
    problem = hof.at_flux(hof.models.square(), (2, 5))
    groups = [(0, 4), (0, 1), (2, 4), (1, 4), (0, 5)]
    expected = [sum([-2, 3, -2, 3, -2][first:last]) for first, last in groups]
    np.testing.assert_array_equal(hof.chern_on_mesh(problem, groups, points=12).value, expected)
    assert [int(number) for number in hof.chern_numbers(problem, groups)] == expected


def test_memory_and_pieces_change_nothing():
    problem = hof.at_flux(hof.models.square(), (2, 5))
    expected, found = (hof.chern_on_mesh(problem, points=12, memory_gb=memory) for memory in (4.0, 1e-5))
    for name in ("value", "status", "max_flux", "min_link", "min_gap", "min_gap_k", "unresolved"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-10)


def test_padding_changes_nothing():
    exact = hof.chern_on_mesh(hof.at_flux(hof.models.square(), (2, 5)), points=12)
    padded = hof.chern_on_mesh(hof.at_flux(hof.models.square(), (2, 5), cells=7), points=12)
    for name in ("value", "status", "max_flux", "min_gap"):
        np.testing.assert_allclose(getattr(padded, name), getattr(exact, name), atol=1e-10)


@pytest.mark.slow
def test_fluxes_and_models_batch_under_jit_and_vmap():
    problems = [hof.at_flux(hof.models.square(1.0, t2), (p, 5), cells=5) for t2, p in [(0.1, 2), (0.05, -2)]]
    groups = [(0, 1)]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *problems)
    together = jax.jit(jax.vmap(lambda problem: hof.chern_on_mesh(problem, groups, points=16)))(stacked)
    for n, problem in enumerate(problems):
        alone = hof.chern_on_mesh(problem, groups, points=16)
        np.testing.assert_array_equal(together.value[n], alone.value)
        np.testing.assert_allclose(together.max_flux[n], alone.max_flux, atol=1e-10)


def test_bands_that_touch_are_refused_with_their_momentum():
    problem = hof.at_flux(hof.models.honeycomb(), (0, 1))
    result = hof.chern_on_mesh(problem, [(0, 1), (0, 2)], points=24)
    assert np.isnan(result.value[0])
    assert result.status[0] in (hof.Status.GAP_CLOSED, hof.Status.MESH_TOO_COARSE)
    assert result.unresolved[0] > 0
    dirac = np.array([[1 / 3, 2 / 3], [2 / 3, 1 / 3]])
    assert np.abs(dirac - result.unresolved_k[0]).max(axis=1).min() < 2 / 24
    assert (result.value[1], result.status[1]) == (0, hof.Status.OK)
    with pytest.raises(hof.CalculationError, match=r"Bands \[0, 1\) near k"):
        hof.chern_on_mesh(problem, [(0, 1), (0, 2)], points=24, throw=True)


def test_a_touching_point_that_the_adaptive_mesh_finds():
    number = hof.chern(hof.at_flux(hof.models.honeycomb(), (0, 1)), (0, 1))
    assert number.status == hof.Status.GAP_CLOSED
    with pytest.raises(hof.CalculationError, match="k = "):
        int(number)


def test_a_mesh_that_is_too_coarse_gives_no_number():
    result = hof.chern_on_mesh(hof.at_flux(hof.models.kagome(), (1, 3)), points=2)
    assert (np.asarray(result.status) == hof.Status.MESH_TOO_COARSE).any()
    wrong = np.isfinite(result.value) & (result.value != np.array(KAGOME))
    assert not wrong.any()
    np.testing.assert_array_equal(np.isnan(result.value), np.asarray(result.status) != hof.Status.OK)


def test_nan_gives_nan_and_a_status():
    problem = hof.at_flux(hof.models.square(), (2, 5))
    broken = eqx.tree_at(lambda p: p.model.onsite, problem, problem.model.onsite * jnp.nan)
    result = hof.chern_on_mesh(broken, points=12)
    assert np.isnan(result.value).all()
    np.testing.assert_array_equal(result.status, hof.Status.NOT_FINITE)


@pytest.mark.parametrize(("groups", "points"), [([], 12), ([(0, 0)], 12), ([(0, 6)], 12), ([(0, 1)], 1)])
def test_what_makes_no_sense_is_refused(groups, points):
    with pytest.raises(ValueError, match="Argument"):
        hof.chern_on_mesh(hof.at_flux(hof.models.square(), (2, 5)), groups, points=points)


def test_haldane_phase_diagram_in_one_call():
    """C of the lower band over mass and phase: |M| < 3√3 t2 |sin φ| is topological (Haldane 1988)."""
    phases, masses = np.linspace(-0.9, 0.9, 7) * np.pi, np.linspace(-1.2, 1.2, 6)

    def lower_band(phase, mass):
        model = hof.models.haldane(1.0, 0.15, phase, mass)
        return hof.chern_on_mesh(hof.at_flux(model, (0, 1)), [(0, 1)], points=24)

    over_masses = jax.vmap(lower_band, in_axes=(None, 0))
    result = jax.jit(jax.vmap(over_masses, in_axes=(0, None)))(jnp.asarray(phases), jnp.asarray(masses))
    border = 3 * np.sqrt(3) * 0.15 * np.sin(phases)[:, None]
    expected = np.where(np.abs(masses) < np.abs(border), -np.sign(border), 0)
    found = np.asarray(result.value[..., 0])
    known = np.asarray(result.status[..., 0]) == hof.Status.OK
    np.testing.assert_array_equal(found[known], np.broadcast_to(expected, found.shape)[known])
    assert known.mean() > 0.7
    assert {-1, 0, 1} == set(found[known])
