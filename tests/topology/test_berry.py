"""Plaquette fluxes: known Chern numbers, and what must not change them."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.topology import berry, group_flux, slopes
from tests import systems
from tests.oracles import fukui, peierls

CORNER = (0.013, 0.007)
# One padded size and one mesh for most tests, so that few programs are compiled.
CELLS, N = 3, 12

gap_patch = jax.jit(berry.gap_flux_patch, static_argnums=3)
group_patch = jax.jit(group_flux.flux_patch, static_argnums=(1, 4))


def haldane(phase=np.pi / 2, *, t2=0.15, mass=0.0):
    """Haldane's model; with `phase` = 0 all hoppings are real, and without t2 it is the honeycomb lattice."""
    return hof.models.haldane(1.0, t2, phase, mass)


def patch_of(model, flux, corner=CORNER, *, step=None, n=N, cells=CELLS):
    """Fluxes through n × n plaquettes that cover [0, 1/q)² moved to `corner`, for the physical bands."""
    problem = hof.at_flux(model, flux, cells=max(cells, flux[1]))
    step = 1 / (n * flux[1]) if step is None else step
    patch = gap_patch(problem, jnp.asarray(corner), jnp.asarray(step), n)
    return jax.tree.map(lambda x: np.asarray(x)[..., : flux[1] * model.orbitals], patch)


def gap_cherns(model, flux, corner=CORNER, **options):
    """q/2π times the sum of the fluxes: t of every gap, and 0 for all bands."""
    return flux[1] * patch_of(model, flux, corner, **options).flux.sum(axis=(0, 1)) / (2 * np.pi)


def assert_known(found, expected):
    """Compare where a gap exists; None stands for touching bands."""
    for r, t in enumerate(expected):
        if t is not None:
            np.testing.assert_allclose(found[r], t, atol=1e-9, err_msg=f"gap {r + 1}")


def where_open(patch, values):
    """The values where the direct gap is not tiny, elsewhere zero."""
    return np.where(patch.min_gap > 1e-2, values, 0)


@pytest.mark.parametrize(
    ("flux", "bands"), [((1, 3), [1, -2, 1]), ((2, 5), [-2, 3, -2, 3, -2]), ((-1, 3), [-1, 2, -1])]
)
def test_square_lattice(flux, bands):
    np.testing.assert_allclose(gap_cherns(systems.build("square"), flux, cells=5), np.cumsum(bands), atol=1e-9)


@pytest.mark.parametrize(
    ("name", "bands"),
    [
        ("triangular", [1, 1, -2]),
        pytest.param("kagome", [1, -2, 4, -2, -2, 1, 1, -2, 1], marks=pytest.mark.slow),
    ],
)
def test_other_lattices_at_one_third(name, bands):
    np.testing.assert_allclose(gap_cherns(systems.build(name), (1, 3)), np.cumsum(bands), atol=1e-9)


@pytest.mark.parametrize(
    ("flux", "gaps"),
    [((1, 3), [1, -1, None, 1, -1, 0]), ((0, 1), [None, 0]), ((1, 2), [None, None, None, 0])],
)
def test_honeycomb_lattice(flux, gaps):
    assert_known(gap_cherns(haldane(0.0, t2=0.0), flux), gaps)


@pytest.mark.parametrize(("phase", "mass", "t"), [(np.pi / 2, 0, -1), (-np.pi / 2, 0, 1), (np.pi / 2, 2, 0)])
def test_haldane_model_without_a_field(phase, mass, t):
    np.testing.assert_allclose(gap_cherns(haldane(phase, mass=float(mass)), (0, 1)), [t, 0], atol=1e-9)


@pytest.mark.parametrize("flux", [(1, 3), (-2, 3)])
def test_equals_the_oracle(flux):
    model, (p, q) = haldane(1.1, mass=0.2), flux
    found = gap_cherns(model, flux)
    plain = systems.plain(model)
    k1, k2 = np.arange(N * q) / (N * q) + 0.003, np.arange(N) / (N * q) + 0.001
    energies, states = np.linalg.eigh([[peierls.bloch(plain, p, q, (a, b)) for b in k2] for a in k1])
    positions = peierls.site_positions(plain, q)
    checked = 0
    for r in range(1, q * model.orbitals):
        if (energies[..., r] - energies[..., r - 1]).min() > 0.3:
            t, largest = fukui.chern(states[..., :r], positions, 1.0, 1 / q)
            assert largest < 0.5
            np.testing.assert_allclose(found[r - 1], t, atol=1e-9)
            checked += 1
    assert checked >= 2


@pytest.mark.parametrize("flux", [(0, 1), (1, 3), (-1, 2)])
def test_all_bands_together_carry_nothing(flux):
    patch = patch_of(haldane(), flux, cells=flux[1])
    np.testing.assert_allclose(patch.flux[..., -1], 0, atol=1e-10)
    assert np.all(np.isinf(patch.min_gap[..., -1]))


def test_each_plaquette_is_independent_of_the_origin(rng):
    # Moving the origin by d multiplies states by phases and moves k by d × a.
    model, (p, q) = haldane(), (2, 3)
    d = rng.uniform(-1, 1, 2)
    moved = eqx.tree_at(lambda m: m.positions, model, model.positions + d)
    here = patch_of(model, (p, q))
    there = patch_of(moved, (p, q), np.array(CORNER) + np.array([d[1], -d[0]]) * p / q)
    np.testing.assert_allclose(there.min_gap, here.min_gap, atol=1e-10)
    np.testing.assert_allclose(where_open(here, there.flux), where_open(here, here.flux), atol=1e-8)
    np.testing.assert_array_equal(there.resolved, here.resolved)


@pytest.mark.parametrize("corner", [(0.0, 0.0), (-0.4, 0.3), (0.9, 7.1)])
def test_where_the_mesh_starts_does_not_matter(corner):
    assert_known(gap_cherns(haldane(0.0, t2=0.0), (1, 3), corner), [1, -1, None, 1, -1, 0])


def test_pieces_make_up_the_whole():
    model, step = haldane(), 1 / (2 * N * 3)
    whole = patch_of(model, (1, 3), step=step, n=2 * N)
    rows = []
    for i in range(2):
        corners = [np.array(CORNER) + N * step * np.array([i, j]) for j in range(2)]
        rows.append([patch_of(model, (1, 3), corner, step=step) for corner in corners])
    for name in ("flux", "resolved", "min_gap"):
        joined = np.concatenate([np.concatenate([getattr(x, name) for x in row], axis=1) for row in rows])
        if name == "flux":
            joined, expected = where_open(whole, joined), where_open(whole, whole.flux)
        else:
            expected = getattr(whole, name)
        np.testing.assert_allclose(joined, expected, atol=1e-9)


def test_the_opposite_field_reverses_the_sign():
    model = haldane(0.0, mass=0.3)
    up = patch_of(model, (1, 3))
    # Complex conjugation maps k to −k: the opposite corner of the plaquettes.
    down = patch_of(model, (-1, 3), -np.array(CORNER) - 1 / 3)
    np.testing.assert_allclose(where_open(up, down.flux[::-1, ::-1]), where_open(up, -up.flux), atol=1e-8)


def test_padding_changes_nothing():
    exact, padded = patch_of(haldane(), (1, 2), cells=2), patch_of(haldane(), (1, 2))
    np.testing.assert_allclose(padded.min_gap[..., :3], exact.min_gap[..., :3], atol=1e-10)
    np.testing.assert_allclose(where_open(exact, padded.flux), where_open(exact, exact.flux), atol=1e-9)
    np.testing.assert_array_equal(padded.resolved[..., :3], exact.resolved[..., :3])


@pytest.mark.slow
def test_groups_are_differences_of_gaps():
    problem = hof.at_flux(haldane(0.0, t2=0.0), (1, 3))
    groups = ((0, 1), (1, 2), (2, 4), (0, 5), (5, 6), (0, 6))
    step = 1 / (N * 3)
    patch = group_patch(problem, groups, jnp.asarray(CORNER), jnp.asarray(step), N)
    totals = 3 * np.asarray(patch.flux).sum(axis=(0, 1)) / (2 * np.pi)
    np.testing.assert_allclose(totals, [1, -2, 2, -1, 1, 0], atol=1e-9)
    gaps = patch_of(problem.model, (1, 3))
    for i, r in ((0, 1), (3, 5), (5, 6)):  # groups that start at the bottom: plaquette by plaquette
        np.testing.assert_allclose(patch.flux[..., i], gaps.flux[..., r - 1], atol=1e-9)
        if r < 6:
            np.testing.assert_allclose(patch.gap[..., i], gaps.min_gap[..., r - 1], atol=1e-12)
            np.testing.assert_array_equal(patch.resolved[..., i], gaps.resolved[..., r - 1])
    # A group is separated by the smaller of its two gaps.
    both = np.minimum(gaps.min_gap[..., 1], gaps.min_gap[..., 3])
    np.testing.assert_allclose(patch.gap[..., 2], both, atol=1e-12)


def test_smallest_gap_at_the_corners():
    model, flux = haldane(), (1, 3)
    patch = patch_of(model, flux)
    ticks = np.arange(N + 1) / (3 * N)
    k = np.stack(np.meshgrid(CORNER[0] + ticks, CORNER[1] + ticks, indexing="ij"), axis=-1)
    direct = np.diff(systems.energies(model, flux, k).reshape(N + 1, N + 1, 6), axis=-1)
    expected = np.minimum.reduce([direct[:-1, :-1], direct[1:, :-1], direct[:-1, 1:], direct[1:, 1:]])
    np.testing.assert_allclose(patch.min_gap[..., :-1], expected, atol=1e-11)


@pytest.mark.parametrize("size", [0.2, 1e-2, 1e-4])
def test_a_dirac_point_is_never_resolved(size):
    # At zero flux the bands of the honeycomb lattice touch at k = (1/3, −1/3).
    corner = np.array([1 / 3, -1 / 3]) - size * np.array([0.4, 0.3])
    patch = patch_of(haldane(0.0, t2=0.0), (0, 1), corner, step=size, n=1)
    assert not patch.resolved[0, 0, 0]


def test_smooth_plaquettes_are_resolved():
    assert np.all(patch_of(haldane(), (0, 1)).resolved[..., 0])


def quadratic_touching(mass):
    """Two bands with a touching of winding 2 at k = 0, opened by a mass: 2π of Berry flux within k ~ √mass."""
    hoppings = [(-0.5 + mass, 0, 0, (0, 0)), (0.5 - mass, 1, 1, (0, 0))]
    hoppings += [(0.25, 0, 0, (1, 0)), (0.25, 0, 0, (0, 1)), (-0.25, 1, 1, (1, 0)), (-0.25, 1, 1, (0, 1))]
    # (sin 2πk1 − i sin 2πk2)² between the orbitals.
    hoppings += [(-0.25, 0, 1, (2, 0)), (-0.25, 0, 1, (-2, 0)), (0.25, 0, 1, (0, 2)), (0.25, 0, 1, (0, -2))]
    hoppings += [(0.5j * s, 0, 1, cell) for cell, s in (((1, 1), 1), ((-1, -1), 1), ((1, -1), -1), ((-1, 1), -1))]
    return hof.models.tight_binding([[1, 0], [0, 1]], [[0, 0], [0, 0]], hoppings)


OFFSETS = [(0.45, 0.55), (0.38, 0.28)]


# The first plaquette is centered on the touching: energies and states at its four corners show nothing of it.
@pytest.mark.parametrize("offset", [(0.5, 0.5), *(pytest.param(x, marks=pytest.mark.slow) for x in OFFSETS)])
@pytest.mark.parametrize("mass", [1e-2, pytest.param(1e-3, marks=pytest.mark.slow), 1e-4])
def test_two_quanta_do_not_hide_in_one_plaquette(mass, offset):
    model = quadratic_touching(mass)
    for size in (0.25, 0.125, 0.05):
        corner = -size * np.array(offset)
        patch = patch_of(model, (0, 1), corner, step=size, n=1)
        fine = patch_of(model, (0, 1), corner, step=size / 64, n=64)
        assert np.abs(fine.flux[..., 0]).max() < 2
        if patch.resolved[0, 0, 0]:
            np.testing.assert_allclose(patch.flux[0, 0, 0], fine.flux[..., 0].sum(), atol=np.pi)


def stretched_touching(mass, flatter):
    """As `quadratic_touching`, (sin 2πk1 − i flatter sin 2πk2)² between the orbitals, at four momenta of the zone."""
    square = flatter**2
    hoppings = [(mass, 0, 0, (0, 0)), (-mass, 1, 1, (0, 0)), (0.5 - 0.5 * square, 0, 1, (0, 0))]
    hoppings += [(-0.25, 0, 1, (2, 0)), (-0.25, 0, 1, (-2, 0)), (0.25 * square, 0, 1, (0, 2))]
    hoppings += [(0.25 * square, 0, 1, (0, -2)), (0.5j * flatter, 0, 1, (1, 1)), (0.5j * flatter, 0, 1, (-1, -1))]
    hoppings += [(-0.5j * flatter, 0, 1, (1, -1)), (-0.5j * flatter, 0, 1, (-1, 1))]
    return hof.models.tight_binding([[1, 0], [0, 1]], [[0, 0], [0, 0]], hoppings)


@pytest.mark.parametrize("size", [0.25, pytest.param(0.1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("flatter", [0.1, pytest.param(0.2, marks=pytest.mark.slow)])
def test_only_slopes_show_a_stretched_touching(flatter, size, monkeypatch):
    model, corner = stretched_touching(1e-4, flatter), (-size / 2, -size / 2)
    fine = patch_of(model, (0, 1), corner, step=size / 64, n=64)
    assert abs(fine.flux[..., 0].sum()) > np.pi
    assert not patch_of(model, (0, 1), corner, step=size, n=1).resolved[0, 0, 0]
    # Without them the plaquette looks harmless.
    monkeypatch.setattr(slopes, "REACH", 0.0)
    problem = hof.at_flux(model, (0, 1), cells=CELLS)
    # A function of its own, so that JAX traces it with the changed constant.
    blind = jax.jit(lambda *where: berry.gap_flux_patch(problem, *where, 1))(jnp.asarray(corner), jnp.asarray(size))
    assert blind.resolved[0, 0, 0]
    assert abs(blind.flux[0, 0, 0]) < 0.1


def test_positions_make_a_difference_that_is_noticed():
    right = patch_of(haldane(), (1, 3))
    problem = hof.at_flux(haldane(), (1, 3))
    without = eqx.tree_at(lambda m: m.model.positions, problem, jnp.zeros((2, 2)))
    wrong = gap_patch(without, jnp.asarray(CORNER), jnp.asarray(1 / (N * 3)), N)
    assert np.abs(wrong.flux - right.flux)[..., 0].max() > 0.01
