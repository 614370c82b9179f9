"""Band edges: exact ones, laws they obey, and meshes that no edge may be inside of."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.counting import chambers, edges, peaks
from hofstadter.eigensolver.stacks import energies_at
from hofstadter.errors import Status
from hofstadter.flux import Flux
from tests import systems
from tests.oracles import peierls

models = hof.models
SQUARE = [[1.0, 0.0], [0.0, 1.0]]


def find(model, *fluxes, **options):
    return edges.find_band_edges(model, [Flux(*flux) for flux in fluxes], **options)


def edges_at(model, flux):
    """(band, 2) lower and upper edges; the search must have converged."""
    (found,) = find(model, flux)
    assert found.status == Status.OK
    return np.stack([found.lower, found.upper], axis=1)


def mesh_edges(model, flux, n, rng):
    """Extrema over an n × n mesh of the reduced zone, moved by a random fraction of its step."""
    k = systems.reduced_mesh(flux[1], n) + rng.uniform(size=2) / (n * flux[1])
    (bands,) = energies_at(model, [Flux(*flux)], [k])
    return np.stack([bands.min(axis=0), bands.max(axis=0)], axis=1)


def assert_not_inside(found, mesh, tolerance):
    """No energy of the mesh lies beyond an edge."""
    assert np.max(found[:, 0] - mesh[:, 0]) < tolerance
    assert np.max(mesh[:, 1] - found[:, 1]) < tolerance


# Exact edges.


@pytest.mark.parametrize(
    "fluxes", [[(0, 1), (1, 1)], [(1, 2), (-3, 2)], [(1, 3), (3, 7), (-3, 7), (10, 7)], [(21, 55)]]
)
def test_square_lattice(fluxes):
    for (p, q), found in zip(fluxes, find(models.square(), *fluxes), strict=True):
        expected = peierls.harper_band_edges(p % q, q)
        np.testing.assert_allclose(np.stack([found.lower, found.upper], axis=1), expected, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("flux", [(1, 499), (144, 499), (377, 610)])
def test_square_lattice_with_large_cells(flux):
    np.testing.assert_allclose(edges_at(models.square(), flux), peierls.harper_band_edges(*flux), atol=1e-11)


@pytest.mark.parametrize("flux", [(1, 3), (-1, 4)])
def test_lieb_lattice(flux):
    # E² = 4 + ε of the square lattice, and q zero modes.
    p, q = flux
    positive = np.sort(np.sqrt(np.maximum(4 + peierls.square_band_edges(p % q, q), 0)), axis=1)
    expected = np.concatenate([-positive[::-1, ::-1], np.zeros((q, 2)), positive])
    # The square root turns rounding errors of ε = −4 into 1e-8.
    np.testing.assert_allclose(edges_at(models.lieb(), flux), expected, atol=1e-7)


@pytest.mark.parametrize(
    ("model", "flux", "expected"),
    [
        (lambda: models.triangular(), (0, 1), [[-6, 3]]),
        (lambda: models.triangular(), (1, 1), [[-3, 6]]),
        (lambda: models.honeycomb(), (0, 1), [[-3, 0], [0, 3]]),
        (lambda: models.kagome(), (0, 1), [[-4, -1], [-1, 2], [2, 2]]),
        (lambda: models.dice(), (3, 2), [[-(6**0.5)] * 2] * 2 + [[0, 0]] * 2 + [[6**0.5] * 2] * 2),
    ],
)
def test_other_lattices(model, flux, expected):
    np.testing.assert_allclose(edges_at(model(), flux), expected, atol=1e-12)


@pytest.mark.parametrize("gap", [0.3, 1e-3])
def test_haldane_model(gap):
    # The gap is the smaller of the masses at the two Dirac points, m ± 3√3 t2.
    model = models.haldane(1.0, 0.1, np.pi / 2, 3 * 3**0.5 * 0.1 + gap / 2)
    found = edges_at(model, (0, 1))
    np.testing.assert_allclose(found[1, 0] - found[0, 1], gap, atol=1e-12)


# One orbital on the square lattice: two momenta hold all edges.


def bonds(t1, t2, *, position=(0.0, 0.0), cells=((1, 0), (0, 1))):
    return models.tight_binding(SQUARE, [position], [(t1, 0, 0, cells[0]), (t2, 0, 0, cells[1])])


@pytest.mark.parametrize(
    ("t1", "t2"),
    [(1.0, 1.0), (-1.0, 1.0), (-0.3, -1.0), (0.7j, -1.0), (0.6 + 0.8j, 0.2 - 1.1j), (1.0, 1e-6), (0.5, 0.0)],
)
def test_phases_of_hoppings_move_k_only(t1, t2):
    # The oracle diagonalizes the whole matrix at the two momenta.
    for p, q in [(0, 1), (1, 2), (1, 3), (-1, 4), (7, 4), (3, 8)]:
        expected = peierls.harper_band_edges(p % q, q, abs(t1), abs(t2))
        for cells in [((1, 0), (0, 1)), ((-1, 0), (0, -1))]:
            np.testing.assert_allclose(edges_at(bonds(t1, t2, cells=cells), (p, q)), expected, atol=1e-12)


@pytest.mark.parametrize("position", [(0.3, 0.0), (0.0, 0.2), (-1.7, 0.9)])
@pytest.mark.parametrize("flux", [(1, 3), (-1, 4)])
def test_the_orbital_may_sit_anywhere(position, flux):
    expected = edges_at(models.square(), flux)
    np.testing.assert_allclose(edges_at(bonds(-1.0, -1.0, position=position), flux), expected, atol=1e-12)


@pytest.mark.parametrize("flux", [(1, 3), (3, 4)])
def test_two_momenta_are_enough(flux, rng):
    model = bonds(0.6 + 0.8j, -0.7j)
    mesh = mesh_edges(model, flux, 41, rng)
    found = edges_at(model, flux)
    assert_not_inside(found, mesh, 1e-12)
    np.testing.assert_allclose(found, mesh, atol=0.05)  # bands touch at q = 4


def test_other_models_have_no_two_momenta():
    assert chambers.applies_to(models.square())
    assert chambers.applies_to(models.rectangular(1.0, 0.5))
    for model in (models.square(1.0, 0.1), models.square(1.0, 0.0, 0.1), models.triangular(), models.lieb()):
        assert not chambers.applies_to(model)
    assert not chambers.applies_to(models.rashba(1.0, 0.0))


# Laws.


def moved_in_k(model, shift):
    """The same bands at k + shift: every hop by R gets the phase exp(2πi shift · R)."""
    translations = jnp.asarray(model.hops)[:, 2:].astype(float)
    phases = jnp.exp(2j * jnp.pi * translations @ jnp.asarray(shift))
    return eqx.tree_at(lambda m: m.amplitudes, model, model.amplitudes * phases)


@pytest.mark.parametrize("shift", [(0.013, 0.0082), (0.41, 0.377)])
@pytest.mark.parametrize("flux", [(0, 1), (1, 3)])
@pytest.mark.parametrize("name", ["triangular", "honeycomb", "haldane", "kagome"])
def test_edges_need_not_lie_on_the_mesh(name, flux, shift):
    model = systems.build(name)
    expected = edges_at(model, flux)
    np.testing.assert_allclose(edges_at(moved_in_k(model, shift), flux), expected, atol=1e-7)


def test_moving_the_orbitals_together_changes_nothing(rng):
    model = systems.build("haldane")
    moved = eqx.tree_at(lambda m: m.positions, model, model.positions + rng.uniform(-1, 1, 2))
    np.testing.assert_allclose(edges_at(moved, (1, 3)), edges_at(model, (1, 3)), atol=1e-8)


@pytest.mark.parametrize("name", ["triangular", "kagome"])
def test_the_opposite_field_has_the_same_edges(name):
    here, there = find(systems.build(name), (1, 3), (-1, 3))
    np.testing.assert_allclose(here.lower, there.lower, atol=1e-8)
    np.testing.assert_allclose(here.upper, there.upper, atol=1e-8)


def test_energies_scale_and_shift():
    model = systems.build("haldane")
    changed = eqx.tree_at(lambda m: (m.onsite, m.amplitudes), model, (1e3 * model.onsite + 7.0, 1e3 * model.amplitudes))
    np.testing.assert_allclose(edges_at(changed, (1, 3)), 1e3 * edges_at(model, (1, 3)) + 7, atol=1e-5)


# Models without symmetry: nothing found by brute force may lie outside.


def assert_nothing_outside(model, flux, n, rng):
    (found,) = find(model, flux)
    assert found.status == Status.OK
    tolerance = 1e-8 * float(model.norm_bound())
    assert_not_inside(np.stack([found.lower, found.upper], axis=1), mesh_edges(model, flux, n, rng), tolerance)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3))])
@pytest.mark.parametrize("structure", range(3))
def test_random_models(structure, seed, rng):
    model = systems.random_model(structure, 500 + seed)
    for flux, n in (((0, 1), 120), ((1, 3), 60), ((-3, 4), 40)):
        assert_nothing_outside(model, flux, n, rng)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("structure", range(3))
def test_more_random_models(structure, seed, rng):
    model = systems.random_model(structure, 1000 + seed)
    for flux, n in (((0, 1), 200), ((1, 2), 120), ((-1, 3), 80), ((2, 5), 60), ((3, 7), 40)):
        assert_nothing_outside(model, flux, n, rng)


@pytest.mark.parametrize("gap", [0.1, 0.01, 1e-4])
@pytest.mark.parametrize("fraction", [(0.5, 0.5), (0.5, 0.0), (0.25, 0.4)])
def test_dirac_points_between_mesh_points(gap, fraction):
    # The Dirac points ±(1/3, −1/3) lie on the mesh; this moves them by a part of its step 1/48.
    model = models.haldane(1.0, 0.1, np.pi / 2, 3 * 3**0.5 * 0.1 + gap / 2)
    found = edges_at(moved_in_k(model, np.array(fraction) / 48), (0, 1))
    np.testing.assert_allclose(found[1, 0] - found[0, 1], gap, atol=1e-6)


def test_the_lighter_of_two_dirac_points_between_mesh_points():
    # Unequal bonds move the Dirac points to k1 = −k2 = ±16.25/48; then both are moved so that the one with mass 0.02
    # lies on the mesh and the one with mass 0.005 halfway between its points.
    step = 1 / 48
    strong = -2 * np.cos(2 * np.pi * 16.25 * step)
    vectors = [[1.0, 0.0], [0.5, 3**0.5 / 2]]
    hoppings = [(-strong, 1, 0, (0, 0)), (-1.0, 1, 0, (1, 0)), (-1.0, 1, 0, (0, 1))]
    # m(k) = 0.0125 + c sin 2π(k1 − k2) on A and its opposite on B.
    slope = 0.0075 / np.sin(4 * np.pi * 16.25 * step)
    hoppings += [(0.0125, 0, 0, (0, 0)), (-0.0125, 1, 1, (0, 0))]
    hoppings += [(-0.5j * slope, 0, 0, (1, -1)), (0.5j * slope, 1, 1, (1, -1))]
    model = models.tight_binding(vectors, [[0, 0], [1 / 3, 1 / 3]], hoppings)
    masses = []
    for place in (16.25 * step, -16.25 * step):
        lower, upper = np.linalg.eigvalsh(peierls.zero_field(systems.plain(model), (place, -place)))
        masses.append((upper - lower) / 2)
    np.testing.assert_allclose(sorted(masses), [0.005, 0.02], atol=1e-12)
    for sign in (1, -1):
        found = edges_at(moved_in_k(model, sign * np.array([0.25, -0.25]) * step), (0, 1))
        # The mass changes along k, which lowers the gap by (c/v)²/2 ~ 1e-5 of itself.
        np.testing.assert_allclose(found[1, 0] - found[0, 1], 0.01, atol=1e-6)


@pytest.mark.parametrize("zeeman", [0.1, 0.5])
@pytest.mark.parametrize("flux", [(1, 2), (3, 4)])
def test_bands_that_cross_along_lines(zeeman, flux):
    # Two copies of the square lattice, one up and one down in energy; the middle bands meet at zero.
    found = edges_at(models.rashba(1.0, 0.0, zeeman), flux)
    middle = len(found) // 2
    np.testing.assert_allclose([found[middle - 1, 1], found[middle, 0]], 0, atol=1e-6)


# Models with little or nothing in them.


def test_models_without_hops():
    no_hops = models.tight_binding(SQUARE, [[0, 0], [0.3, 0.4]], [(2.0, 0, 0, (0, 0)), (-1.0, 1, 1, (0, 0))])
    np.testing.assert_allclose(edges_at(no_hops, (1, 3)), [[-1, -1]] * 3 + [[2, 2]] * 3, atol=1e-13)
    alone = models.tight_binding(SQUARE, [[0, 0]], [(0.7, 0, 0, (0, 0))])
    np.testing.assert_allclose(edges_at(alone, (-4, 3)), [[0.7, 0.7]] * 3, atol=1e-14)
    nothing = models.tight_binding(SQUARE, [[0, 0]], [])
    np.testing.assert_array_equal(edges_at(nothing, (-4, 3)), 0)


def test_chains():
    for cell in ((1, 0), (1, 1)):
        chain = models.tight_binding(SQUARE, [[0, 0]], [(-1.0, 0, 0, cell)])
        found = edges_at(chain, (1, 3))
        np.testing.assert_allclose([found[0, 0], found[-1, 1]], [-2, 2], atol=1e-9)
        assert np.max(found[1:, 0] - found[:-1, 1]) < 1e-6  # a chain has no gaps in any field


@pytest.mark.parametrize("far", [1e3, 1e6])
def test_an_orbital_far_away_in_energy(far):
    hoppings = [(-1.0, 0, 0, (1, 0)), (-1.0, 0, 0, (0, 1)), (far, 1, 1, (0, 0))]
    found = edges_at(models.tight_binding(SQUARE, [[0, 0], [0.5, 0.5]], hoppings), (1, 3))
    np.testing.assert_allclose(found[:3], peierls.square_band_edges(1, 3), atol=1e-9 * far)
    np.testing.assert_allclose(found[3:], far, rtol=1e-12)


# Status and options.


@pytest.mark.parametrize(
    ("name", "field"), [("square", "amplitudes"), ("honeycomb", "onsite"), ("honeycomb", "amplitudes")]
)
def test_models_that_are_not_finite(name, field):
    model = models.PRESETS[name]()
    model = eqx.tree_at(lambda m: getattr(m, field), model, getattr(model, field).at[0].set(np.nan))
    for found, bands in zip(find(model, (0, 1), (1, 3)), (1, 3), strict=True):
        assert found.status == Status.NOT_FINITE
        assert found.lower.shape == found.upper.shape == (bands * model.orbitals,)
        assert np.isnan(found.lower).all()
        assert np.isnan(found.upper).all()


def test_a_search_that_is_cut_short_says_so():
    model = moved_in_k(systems.build("triangular"), (0.013, 0.0082))
    (found,) = find(model, (0, 1), max_refinements=1)
    assert found.status == Status.EDGES_NOT_CONVERGED
    (found,) = find(model, (0, 1))
    assert found.status == Status.OK


def test_one_flux_after_the_other():
    model, fluxes = moved_in_k(systems.build("haldane"), (0.013, 0.0082)), [(0, 1), (1, 3), (-2, 3)]
    together = find(model, *fluxes)
    for flux, entry in zip(fluxes, together, strict=True):
        assert entry.lower.shape == entry.upper.shape == (2 * flux[1],)
        assert np.all(np.diff(entry.lower) >= -1e-12)
        assert np.all(entry.lower <= entry.upper)
        expected = edges_at(model, flux)
        np.testing.assert_allclose(np.stack([entry.lower, entry.upper], axis=1), expected, atol=1e-12)


@pytest.mark.parametrize("size", [6, 12])
def test_interpolation_is_exact_for_smooth_functions(size):
    matrix = peaks.interpolation_matrix(size)
    points, fine = np.arange(size) / size, np.arange(peaks.FINER * size) / (peaks.FINER * size)
    np.testing.assert_allclose(matrix[:: peaks.FINER], np.eye(size), atol=1e-13)
    for m in range(size // 2):
        for function in (np.cos, np.sin):
            np.testing.assert_allclose(
                matrix @ function(2 * np.pi * m * points), function(2 * np.pi * m * fine), atol=1e-12
            )
