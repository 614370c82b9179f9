"""Plaquette fluxes: known Chern numbers, and what must not change them."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.topology import berry
from tests import systems
from tests.oracles import fukui, peierls

CORNER = (0.013, 0.007)

# Chern numbers of all bands, or of all gaps where bands touch (None: no gap).
KNOWN_BANDS = [
    ("square", (1, 3), [1, -2, 1]),
    ("square", (2, 5), [-2, 3, -2, 3, -2]),
    ("square", (-1, 3), [-1, 2, -1]),
    ("triangular", (1, 3), [1, 1, -2]),
    ("kagome", (1, 3), [1, -2, 4, -2, -2, 1, 1, -2, 1]),
]
KNOWN_GAPS = [
    ("honeycomb", (1, 3), [1, 2, None, -2, -1]),
    ("square", (1, 4), [1, None, -1]),
    ("lieb", (1, 3), [1, -1, 0, None, None, 0, 1, -1]),
]


gap_patch = jax.jit(berry.gap_flux_patch, static_argnums=3)
group_patch = jax.jit(berry.group_flux_patch, static_argnums=(1, 4))


def whole_zone(problem, n, corner=CORNER):
    """Fluxes through n × n plaquettes that cover [0, 1/q)², moved to `corner`."""
    return gap_patch(problem, jnp.asarray(corner), jnp.asarray(1 / (n * problem.flux.q)), n)


def gap_cherns(problem, n, corner=CORNER):
    """q/2π times the sum of the fluxes: t of every gap, and 0 for all bands."""
    return problem.flux.q * np.asarray(whole_zone(problem, n, corner).flux).sum(axis=(0, 1)) / (2 * np.pi)


@pytest.mark.parametrize(("name", "flux", "bands"), KNOWN_BANDS)
def test_known_bands(name, flux, bands):
    found = gap_cherns(hof.at_flux(systems.build(name), flux), 16)
    np.testing.assert_allclose(found, np.cumsum(bands), atol=1e-9)


@pytest.mark.parametrize(("name", "flux", "gaps"), KNOWN_GAPS)
def test_known_gaps(name, flux, gaps):
    problem = hof.at_flux(systems.build(name), flux)
    found = gap_cherns(problem, 16)
    for r, t in enumerate(gaps, 1):
        if t is not None:
            np.testing.assert_allclose(found[r - 1], t, atol=1e-9, err_msg=f"gap {r}")


@pytest.mark.parametrize(("phase", "t"), [(np.pi / 2, -1), (-np.pi / 2, 1)])
def test_haldane_without_a_field(phase, t):
    model = hof.models.haldane(1.0, 0.15, phase)
    np.testing.assert_allclose(gap_cherns(hof.at_flux(model, 0), 24), [t, 0], atol=1e-9)
    trivial = hof.models.haldane(1.0, 0.15, phase, 2.0)
    np.testing.assert_allclose(gap_cherns(hof.at_flux(trivial, 0), 24), [0, 0], atol=1e-9)


@pytest.mark.parametrize(("name", "flux"), [("haldane", (1, 3)), ("random_1", (2, 3))])
def test_equals_the_oracle(name, flux):
    model, (p, q) = systems.build(name), flux
    n = 12
    found = gap_cherns(hof.at_flux(model, flux), 2 * n)
    plain = systems.plain(model)
    k1, k2 = np.arange(n * q) / (n * q) + 0.003, np.arange(n) / (n * q) + 0.001
    energies, states = np.linalg.eigh([[peierls.bloch(plain, p, q, (a, b)) for b in k2] for a in k1])
    positions = peierls.site_positions(plain, q)
    for r in range(1, q * model.orbitals):
        if (energies[..., r] - energies[..., r - 1]).min() > 0.3:
            t, largest = fukui.chern(states[..., :r], positions, 1.0, 1 / q)
            assert largest < 0.5
            np.testing.assert_allclose(found[r - 1], t, atol=1e-9)


@pytest.mark.parametrize(("name", "flux"), [("haldane", (1, 3)), ("kagome", (-1, 2)), ("random_2", (1, 2))])
def test_all_bands_together_carry_nothing(name, flux):
    patch = whole_zone(hof.at_flux(systems.build(name), flux), 4)
    np.testing.assert_allclose(patch.flux[..., -1], 0, atol=1e-10)
    assert np.all(np.isinf(patch.min_gap[..., -1]))


def test_each_plaquette_is_independent_of_the_origin(rng):
    # Moving the origin by d multiplies states by phases and moves k by d × a.
    model, (p, q) = systems.build("haldane"), (2, 5)
    d = rng.uniform(-1, 1, 2)
    moved = eqx.tree_at(lambda m: m.positions, model, model.positions + d)
    here = whole_zone(hof.at_flux(model, (p, q)), 6)
    corner = np.array(CORNER) + np.array([d[1], -d[0]]) * p / q
    there = whole_zone(hof.at_flux(moved, (p, q)), 6, corner)
    clear = np.asarray(here.min_gap) > 1e-2
    np.testing.assert_allclose(there.min_gap, here.min_gap, atol=1e-10)
    np.testing.assert_allclose(np.where(clear, there.flux, 0), np.where(clear, here.flux, 0), atol=1e-8)
    np.testing.assert_array_equal(there.resolved, here.resolved)


def test_where_the_mesh_starts_does_not_matter():
    problem = hof.at_flux(systems.build("square"), (1, 3))
    for corner in [(0.0, 0.0), (-0.4, 0.3), (0.9, 7.1)]:
        np.testing.assert_allclose(gap_cherns(problem, 16, corner), [1, -1, 0], atol=1e-9)


def test_pieces_add_up_to_the_whole():
    problem = hof.at_flux(systems.build("haldane"), (1, 3))
    whole = whole_zone(problem, 8)
    step = 1 / 24
    corners = [(CORNER[0] + 4 * i * step, CORNER[1] + 4 * j * step) for i in range(2) for j in range(2)]
    pieces = [gap_patch(problem, jnp.asarray(corner), jnp.asarray(step), 4) for corner in corners]
    for name in ("flux", "resolved", "min_gap"):
        a, b, c, d = (getattr(piece, name) for piece in pieces)
        joined = np.block([[[np.moveaxis(a, -1, 0)], [np.moveaxis(b, -1, 0)]]])
        joined = np.concatenate([np.concatenate([a, b], axis=1), np.concatenate([c, d], axis=1)])
        np.testing.assert_allclose(joined, getattr(whole, name), atol=1e-10)


@pytest.mark.parametrize("name", ["kagome", "lieb_dimerized"])
def test_the_opposite_field_reverses_the_sign(name):
    model = systems.build(name)
    n, step = 6, 1 / 18
    up = whole_zone(hof.at_flux(model, (1, 3)), n)
    # Complex conjugation maps k to −k: the opposite corner of the plaquettes.
    corner = -np.array(CORNER) - n * step
    down = whole_zone(hof.at_flux(model, (-1, 3)), n, corner)
    clear = np.asarray(up.min_gap) > 1e-2
    mirrored = np.asarray(down.flux)[::-1, ::-1]
    np.testing.assert_allclose(np.where(clear, mirrored, 0), np.where(clear, -up.flux, 0), atol=1e-8)


def test_padding_changes_nothing():
    model = systems.build("haldane")
    exact = whole_zone(hof.at_flux(model, (1, 3)), 6)
    padded = whole_zone(hof.at_flux(model, (1, 3), cells=5), 6)
    assert padded.flux.shape == (6, 6, 10)
    for name in ("flux", "resolved", "min_gap"):
        np.testing.assert_allclose(getattr(padded, name)[..., :5], getattr(exact, name)[..., :5], atol=1e-10)


def test_groups_are_differences_of_gaps():
    problem = hof.at_flux(systems.build("kagome"), (1, 3))
    groups = ((0, 1), (1, 2), (2, 4), (0, 5), (5, 9), (0, 9))
    n, q = 16, 3
    patch = group_patch(problem, groups, jnp.asarray(CORNER), jnp.asarray(1 / (n * q)), n)
    totals = q * np.asarray(patch.flux).sum(axis=(0, 1)) / (2 * np.pi)
    np.testing.assert_allclose(totals, [1, -2, 2, -1, 1, 0], atol=1e-9)
    gaps = whole_zone(problem, n)
    for i, r in ((0, 1), (3, 5), (5, 9)):  # groups that start at the bottom: plaquette by plaquette
        np.testing.assert_allclose(patch.flux[..., i], gaps.flux[..., r - 1], atol=1e-9)
        np.testing.assert_allclose(patch.min_gap[..., i], gaps.min_gap[..., r - 1], atol=1e-12)
        np.testing.assert_array_equal(patch.resolved[..., i], gaps.resolved[..., r - 1])
    # A group is separated by the smaller of its two gaps.
    both = np.minimum(gaps.min_gap[..., 1], gaps.min_gap[..., 3])
    np.testing.assert_allclose(patch.min_gap[..., 2], both, atol=1e-12)


def test_smallest_gap_at_the_corners():
    model, flux, n = systems.build("haldane"), (1, 3), 5
    patch = whole_zone(hof.at_flux(model, flux), n)
    ticks = np.arange(n + 1) / (3 * n)
    k = np.stack(np.meshgrid(CORNER[0] + ticks, CORNER[1] + ticks, indexing="ij"), axis=-1)
    direct = np.diff(systems.energies(model, flux, k).reshape(n + 1, n + 1, 6), axis=-1)
    expected = np.minimum.reduce([direct[:-1, :-1], direct[1:, :-1], direct[:-1, 1:], direct[1:, 1:]])
    np.testing.assert_allclose(patch.min_gap[..., :-1], expected, atol=1e-11)


@pytest.mark.parametrize("size", [0.2, 1e-2, 1e-4])
def test_a_dirac_point_is_never_resolved(size):
    # At flux 1/2 the two bands of the square lattice touch at k = (1/4, 1/4).
    problem = hof.at_flux(systems.build("square"), (1, 2))
    corner = jnp.array([0.25, 0.25]) - size * jnp.array([0.4, 0.3])
    patch = gap_patch(problem, corner, jnp.asarray(size), 1)
    assert not patch.resolved[0, 0, 0]


def test_a_smooth_plaquette_is_resolved():
    problem = hof.at_flux(systems.build("haldane"), 0)
    assert np.all(whole_zone(problem, 24).resolved[..., 0])


def quadratic_touching(mass):
    """Two bands with a touching of winding 2 at k = 0, opened by a mass: 2π of Berry flux within k ~ √mass."""
    hoppings = [(-0.5 + mass, 0, 0, (0, 0)), (0.5 - mass, 1, 1, (0, 0))]
    hoppings += [(0.25, 0, 0, (1, 0)), (0.25, 0, 0, (0, 1)), (-0.25, 1, 1, (1, 0)), (-0.25, 1, 1, (0, 1))]
    # (sin 2πk1 − i sin 2πk2)² between the orbitals.
    hoppings += [(-0.25, 0, 1, (2, 0)), (-0.25, 0, 1, (-2, 0)), (0.25, 0, 1, (0, 2)), (0.25, 0, 1, (0, -2))]
    hoppings += [(s / 2 * 1j, 0, 1, cell) for cell, s in (((1, 1), 1), ((-1, -1), 1), ((1, -1), -1), ((-1, 1), -1))]
    return hof.models.tight_binding([[1, 0], [0, 1]], [[0, 0], [0, 0]], hoppings)


@pytest.mark.parametrize("offset", [(0.5, 0.5), (0.45, 0.55), (0.38, 0.28)])
@pytest.mark.parametrize("mass", [1e-2, 1e-3, 1e-5])
def test_two_quanta_do_not_hide_in_one_plaquette(mass, offset):
    problem = hof.at_flux(quadratic_touching(mass), 0)
    for size in (0.25, 0.125, 0.05):
        corner = -size * jnp.array(offset)
        patch = gap_patch(problem, corner, jnp.asarray(size), 1)
        fine = gap_patch(problem, corner, jnp.asarray(size / 64), 64)
        if np.all(np.abs(fine.flux[..., 0]) < 2) and patch.resolved[0, 0, 0]:
            np.testing.assert_allclose(patch.flux[0, 0, 0], fine.flux[..., 0].sum(), atol=np.pi)


def test_the_tests_notice_missing_positions(monkeypatch):
    problem = hof.at_flux(systems.build("haldane"), (1, 3))
    expected = np.asarray(whole_zone(problem, 6).flux)
    without = eqx.tree_at(lambda m: m.model.positions, problem, jnp.zeros((2, 2)))
    assert np.abs(np.asarray(whole_zone(without, 6).flux) - expected).max() > 0.1
