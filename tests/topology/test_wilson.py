"""Wilson lines and loops: laws of parallel transport, and the plaquette flux in the limit of small loops."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.topology import group_flux
from tests import systems
from tests.oracles import fukui, peierls

# One structure, one size and one group for most tests, so that few programs are compiled.
FLUX, BANDS = (2, 3), (1, 4)
SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])


def problem_at(flux=FLUX, seed=6):
    return hof.at_flux(systems.random_model(1, seed), flux)


def turns(phase):
    """A phase in turns, modulo one, around zero."""
    turn = np.asarray(phase) / (2 * np.pi)
    return turn - np.round(turn)


def winding(phases):
    """Turns of the total phase around a closed flow of loops."""
    total = np.asarray(phases).sum(axis=-1)
    return turns(np.diff(np.append(total, total[0]))).sum()


def path(rng, points=5, size=0.05):
    return 0.2 + np.cumsum(size * rng.uniform(-1, 1, (points, 2)), axis=0)


def test_lines_are_unitary_and_reversed_paths_give_the_inverse(rng):
    problem, k = problem_at(), path(rng)
    there, back = hof.wilson_line(problem, BANDS, k), hof.wilson_line(problem, BANDS, k[::-1])
    np.testing.assert_allclose(there.matrix @ back.matrix, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(there.matrix.conj().T, back.matrix, atol=1e-12)
    assert there.status == hof.Status.OK
    assert np.isnan(there.phases).all()


def test_lines_compose_and_batches_are_loops_of_single_paths(rng):
    problem, k = problem_at(), path(rng, 9)
    whole = hof.wilson_line(problem, BANDS, k)
    halves = hof.wilson_line(problem, BANDS, np.stack([k[:5], k[4:]]))
    np.testing.assert_allclose(halves.matrix[0] @ halves.matrix[1], whole.matrix, atol=1e-12)
    single = hof.wilson_line(problem, BANDS, k[:5])
    np.testing.assert_allclose(halves.matrix[0], single.matrix, atol=1e-12)
    assert halves.worst_k.shape == (2, 2)


def test_small_loops_give_the_flux_of_the_plaquette(rng):
    problem = problem_at()
    corners, step = rng.uniform(size=(4, 2)), 0.01
    loops = hof.wilson_line(problem, BANDS, corners[:, None] + step * SQUARE, closing=(0, 0))
    patch = jax.jit(lambda corner: group_flux.flux_patch(problem, (BANDS,), corner, jnp.asarray(step), 1).flux)
    fluxes = [patch(jnp.asarray(corner))[0, 0, 0] for corner in corners]
    np.testing.assert_allclose(loops.phases.sum(axis=-1), fluxes, atol=1e-10)
    reverse = hof.wilson_line(problem, BANDS, corners[:, None] + step * SQUARE[[0, 3, 2, 1]], closing=(0, 0))
    np.testing.assert_allclose(reverse.phases, -loops.phases[:, ::-1], atol=1e-10)


def test_contractible_loops_do_not_depend_on_the_origin(rng):
    problem, d = problem_at(), rng.uniform(-1, 1, 2)
    moved = eqx.tree_at(lambda p: p.model.positions, problem, problem.model.positions + d)
    k = rng.uniform(size=2) + 0.03 * SQUARE
    here = hof.wilson_line(problem, BANDS, k, closing=(0, 0))
    there = hof.wilson_line(moved, BANDS, k + np.array([d[1], -d[0]]) * 2 / 3, closing=(0, 0))
    np.testing.assert_allclose(there.phases, here.phases, atol=1e-10)


@pytest.mark.parametrize("closing", [(0, 1), (3, 0), (1, 0), (2, -1), (-1, 2)])
def test_closed_loops_do_not_depend_on_where_they_start(closing, rng):
    problem = problem_at()
    end = np.array(closing) / 3
    k = np.array([0.1, 0.05]) + np.linspace(0, 1, 120, endpoint=False)[:, None] * end
    first = hof.wilson_line(problem, BANDS, k, closing=closing)
    second = hof.wilson_line(problem, BANDS, np.concatenate([k[7:], k[:7] + end]), closing=closing)
    assert first.min_overlap > 0.5
    np.testing.assert_allclose(first.min_overlap, second.min_overlap, atol=1e-10)
    # A translation contributes a common phase that depends on k2, which may turn the order.
    turned = np.array([np.roll(first.phases, n) - second.phases for n in range(3)])
    turned = turns(turned - turned[:, :1])
    assert np.abs(turned).max(axis=1).min() < 1e-9
    if closing[0] % 3 == 0:
        np.testing.assert_allclose(turns(first.phases - second.phases), 0, atol=1e-9)


@pytest.mark.parametrize(("flux", "seed"), [((2, 3), 6), ((-1, 3), 8), ((2, 3), 9)])
def test_winding_of_the_phases_is_the_chern_number(flux, seed):
    problem, bands = problem_at(flux, seed), (0, 2)
    along2 = hof.wilson_loop(problem, bands, loops=60)
    along1 = hof.wilson_loop(problem, bands, direction=1, loops=40)
    assert (along1.status == hof.Status.OK).all()
    assert (along2.status == hof.Status.OK).all()
    plain, (p, q) = systems.plain(problem.model), flux
    k1, k2 = np.arange(60) / 60 + 0.003, np.arange(24) / 72 + 0.001
    _, states = np.linalg.eigh([[peierls.bloch(plain, p, q, (a, b)) for b in k2] for a in k1])
    expected, _ = fukui.chern(states[..., :2], peierls.site_positions(plain, q), 1.0, 1 / q)
    np.testing.assert_allclose([winding(along2.phases), -winding(along1.phases)], expected, atol=1e-9)


def test_matrices_of_loops_are_unitary_with_their_phases():
    loop = hof.wilson_loop(problem_at(), (0, 2), loops=60)
    np.testing.assert_allclose(
        loop.matrix @ np.swapaxes(loop.matrix, 1, 2).conj(), np.tile(np.eye(2), (60, 1, 1)), atol=1e-12
    )
    determinant = np.exp(-1j * np.asarray(loop.phases).sum(axis=1))
    np.testing.assert_allclose(np.linalg.det(loop.matrix), determinant, atol=1e-10)


def test_loops_repeat_after_one_qth_of_the_zone_but_for_one_common_phase():
    loop = hof.wilson_loop(problem_at(), (0, 2), loops=60)
    phases = np.asarray(loop.phases).reshape(3, 20, 2)
    # T(a2)^s with s p = 1 mod q multiplies each link by a phase that adds up to 2π s/q per band.
    moved = (phases[0] + 2 * np.pi * 2 / 3 + np.pi) % (2 * np.pi) - np.pi
    np.testing.assert_allclose(np.sort(moved, axis=-1), phases[1], atol=1e-9)


@pytest.mark.slow
def test_phases_and_overlaps_have_derivatives(rng):
    problem, k = problem_at(), jnp.asarray(0.3 + 0.05 * SQUARE)
    direction = jnp.asarray(rng.uniform(-1, 1, k.shape))

    def weighted(t):
        line = hof.wilson_line(problem, BANDS, k + t * direction, closing=(0, 0))
        return jnp.sum(line.phases * jnp.arange(1.0, 4.0)) + line.min_overlap

    step = 1e-4
    expected = (weighted(step) - weighted(-step)) / (2 * step)
    np.testing.assert_allclose(jax.grad(weighted)(0.0), expected, rtol=1e-5, atol=1e-7)
    with pytest.raises(NotImplementedError, match="first derivatives only"):
        jax.grad(jax.grad(weighted))(0.0)


def test_works_inside_jit_and_vmap():
    k = 0.3 + 0.05 * SQUARE
    phases = jax.jit(jax.vmap(lambda shift: hof.wilson_line(problem_at(), BANDS, k + shift, closing=(0, 0)).phases))
    shifts = jnp.linspace(0, 0.1, 3)
    expected = [hof.wilson_line(problem_at(), BANDS, k + float(shift), closing=(0, 0)).phases for shift in shifts]
    np.testing.assert_allclose(phases(shifts), expected, atol=1e-10)


def test_a_touching_point_on_the_path_is_named():
    graphene = hof.at_flux(hof.models.honeycomb(), (0, 1))
    energies = hof.solve(graphene, jnp.array([[1 / 3, 1 / 3], [1 / 3, 2 / 3]]), states=False).energies
    dirac = np.array([1 / 3, 1 / 3 if abs(energies[0, 0]) < 1e-9 else 2 / 3])
    k = dirac + np.linspace(-0.1, 0.1, 5)[:, None] * np.array([1, 0.3])
    line = hof.wilson_line(graphene, (0, 1), k, closing=(0, 0))
    assert line.status == hof.Status.GAP_CLOSED
    np.testing.assert_allclose(line.worst_k, dirac, atol=1e-12)
    assert np.isnan(line.phases).all()
    with pytest.raises(hof.CalculationError, match=r"k = \(0.333333"):
        hof.wilson_line(graphene, (0, 1), k, closing=(0, 0), throw=True)


def test_steps_that_are_too_long_are_noticed(rng):
    lines = hof.wilson_line(problem_at(), BANDS, rng.uniform(size=(16, 3, 2)), closing=(0, 0))
    coarse = np.asarray(lines.status) == hof.Status.MESH_TOO_COARSE
    np.testing.assert_array_equal(coarse, np.asarray(lines.min_overlap) <= 0.3)
    assert coarse.any()


def test_nan_in_the_model_gives_nan_and_a_status():
    problem = problem_at()
    broken = eqx.tree_at(lambda p: p.model.amplitudes, problem, problem.model.amplitudes.at[0].set(jnp.nan))
    line = hof.wilson_line(broken, BANDS, 0.3 + 0.05 * SQUARE, closing=(0, 0))
    assert line.status == hof.Status.NOT_FINITE
    assert np.isnan(line.phases).all()


@pytest.mark.parametrize("k", [np.zeros((1, 2)), np.zeros(2), np.zeros((4, 3))])
def test_what_is_no_path_is_refused(k):
    with pytest.raises(ValueError, match="paths"):
        hof.wilson_line(problem_at(), BANDS, k)
