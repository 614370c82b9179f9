"""Quantum geometry averaged over the magnetic zone: reference numbers, laws, convergence and closed gaps."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.geometry.metric import quantum_metric, zone_average
from hofstadter.geometry.projector import eigenbasis, group_mixing, periodic_velocity
from hofstadter.topology.chern import chern
from tests import systems
from tests.geometry import finite_differences

models = hof.models


def square_at(flux, bands=(0, 1), **options):
    return zone_average(hof.at_flux(models.square(), flux, cells=6), bands, **options)


@pytest.mark.parametrize(("q", "t_ratio"), [(4, 1.0830766), (6, 1.0172028)])
def test_lowest_band_of_the_square_lattice(q, t_ratio):
    found = square_at((1, q))
    assert found.status == hof.Status.OK
    np.testing.assert_allclose(found.t_ratio, t_ratio, atol=1e-6)
    np.testing.assert_allclose(found.chern, 1, atol=1e-10)
    np.testing.assert_allclose(found.metric[0, 0], found.metric[1, 1], atol=1e-10)
    np.testing.assert_allclose(found.metric[0, 1], 0, atol=1e-10)
    np.testing.assert_allclose(found.trace_violation, found.t_ratio - 1, atol=1e-10)
    assert 0 < found.determinant_violation < found.trace_violation
    if q == 4:
        np.testing.assert_allclose(found.metric[0, 0], 0.3448, atol=5e-5)


def test_reversed_field():
    plus, minus = square_at((1, 4)), square_at((-1, 4))
    np.testing.assert_allclose(minus.metric, plus.metric, atol=1e-10)
    np.testing.assert_allclose(minus.chern, -1, atol=1e-10)


def test_positions_of_the_sublattices_matter():
    # All q sites of the magnetic cell in one place: the Chern number survives, the metric along a2 does not.
    problem, bands = hof.at_flux(models.square(), (1, 4)), (0, 1)

    def without_positions(k):
        matrix, change = problem.matrix(k), periodic_velocity(problem, k)
        mixing = group_mixing(bands, eigenbasis(matrix, change), matrix, change)
        return jnp.einsum("iab,jab->ij", mixing.conj(), mixing) / (2 * np.pi) ** 2

    wrong = jnp.mean(jax.jit(jax.vmap(without_positions))(problem.mesh(80, 20).reshape(-1, 2)), axis=0)
    np.testing.assert_allclose(np.diag(wrong.real), [0.3448, 1.081], atol=5e-4)
    np.testing.assert_allclose(-2 * wrong[0, 1].imag * 2 * np.pi / 4, 1, atol=1e-8)


def test_kapit_mueller_saturates_the_trace_condition():
    found = zone_average(hof.at_flux(models.kapit_mueller(0.25), (1, 4)), (0, 1))
    np.testing.assert_allclose(found.t_ratio, 1, atol=1e-12)
    np.testing.assert_allclose(found.chern, 1, atol=1e-12)
    np.testing.assert_allclose([found.trace_violation, found.determinant_violation], 0, atol=1e-12)
    np.testing.assert_allclose(found.curvature_std, found.metric_std, rtol=1e-10)
    assert found.curvature_std > 0.01


# One padded size per model, so that fluxes share a compilation.
@pytest.mark.parametrize(
    ("build", "cases"),
    [
        (models.lieb, [((1, 4), (4, 8)), ((1, 3), (0, 1)), ((2, 3), (3, 6))]),
        pytest.param(
            lambda: models.square(1.0, 0.2, 0.1), [((1, 4), (0, 1)), ((2, 5), (0, 2))], marks=pytest.mark.slow
        ),
        pytest.param(models.checkerboard, [((1, 3), (0, 1)), ((1, 4), (0, 1))], marks=pytest.mark.slow),
        pytest.param(lambda: models.rashba(1.0, 0.5, 0.3), [((1, 3), (0, 1))], marks=pytest.mark.slow),
    ],
)
def test_fourfold_rotation_makes_the_metric_isotropic(build, cases):
    for flux, bands in cases:
        found = zone_average(hof.at_flux(build(), flux, cells=5), bands)
        assert found.status == hof.Status.OK
        np.testing.assert_allclose(found.metric, found.metric[0, 0] * np.eye(2), atol=1e-10)
        assert found.metric[0, 0] > 0.05


@pytest.mark.slow
def test_pair_masses_that_follow_from_the_metric():
    # 1/(m* U) = 2 G_min / N_orb, with N_orb the orbitals that carry weight; T-ratio/2π for one band of these lattices.
    for model, flux, bands, expected, atol in [
        (models.square(), (1, 4), (0, 1), 0.1723770, 1e-6),
        (models.lieb(), (1, 4), (4, 8), 0.1818599, 1e-6),
        (models.kapit_mueller(0.25), (1, 4), (0, 1), 1 / (2 * np.pi), 1e-12),
    ]:
        orbitals = bands[1] if model.name == "lieb" else flux[1]
        metric = zone_average(hof.at_flux(model, flux, cells=6), bands).metric
        np.testing.assert_allclose(2 * np.asarray(metric) / orbitals, expected * np.eye(2), atol=atol)


def test_dimerized_lieb_lattice_without_field():
    found = zone_average(hof.at_flux(models.lieb(1.0, dimerization=0.5), (0, 1)), (1, 2))
    np.testing.assert_allclose(found.metric, [[0.0828968, -0.0564237], [-0.0564237, 0.0828968]], atol=1e-6)
    np.testing.assert_allclose(found.chern, 0, atol=1e-10)


@pytest.mark.slow
def test_the_average_of_the_oracle_and_of_the_whole_zone(rng):
    # One band of a model without symmetry; the same coarse mesh for everybody, so nothing has to converge.
    model, flux, bands = systems.random_model(0, 5), (1, 2), (0, 1)
    problem = hof.at_flux(model, flux)
    found = zone_average(problem, bands, points=3)
    np.testing.assert_allclose(
        found.metric, jnp.mean(quantum_metric(problem, bands, problem.mesh(6, 3)), axis=(0, 1)), rtol=1e-9
    )
    expected = finite_differences.mean_metric(systems.plain(model), *flux, bands, 3)
    np.testing.assert_allclose(found.metric, expected, rtol=1e-6)
    assert np.isnan(found.change)


def test_the_origin_does_not_matter():
    model = models.square()
    moved = eqx.tree_at(lambda m: m.positions, model, jnp.array([[0.3, -0.45]]))
    expected = square_at((1, 4))
    found = zone_average(hof.at_flux(moved, (1, 4), cells=6), (0, 1))
    np.testing.assert_allclose(found.metric, expected.metric, atol=1e-10)
    np.testing.assert_allclose(found.chern, 1, atol=1e-10)


@pytest.mark.slow
def test_gradient_of_the_average_under_jit():
    # The lowest band of a rectangular lattice; the flux is traced, so the mesh must be given.
    def t_ratio(strength):
        model = models.square(1.0, strength)
        return zone_average(hof.at_flux(model, (1, 3)), (0, 1), points=8).t_ratio

    value, slope = jax.jit(t_ratio), jax.jit(jax.grad(t_ratio))
    a, b, c, d = (float(value(0.1 + n * 1e-3)) for n in (-2, -1, 1, 2))
    np.testing.assert_allclose(slope(0.1), (a - 8 * b + 8 * c - d) / 12e-3, rtol=1e-7)


@pytest.mark.slow
def test_touching_bands_are_reported():
    # The two middle bands at 1/4 touch at a momentum of the mesh, those of graphene between momenta.
    on_mesh = square_at((1, 4), (1, 2))
    assert on_mesh.status == hof.Status.GAP_CLOSED
    assert np.isnan(on_mesh.t_ratio)
    graphene = hof.at_flux(models.honeycomb(), (0, 1))
    between = zone_average(graphene, (0, 1), max_points=16)
    assert between.status == hof.Status.GAP_CLOSED
    k = np.asarray(between.min_gap_k) % 1
    assert min(np.abs(k - corner).max() for corner in ([1 / 3, 2 / 3], [2 / 3, 1 / 3])) < 1e-6
    assert np.isnan(between.metric).all()
    with pytest.raises(hof.CalculationError, match="Near k = "):
        zone_average(graphene, (0, 1), max_points=16, throw=True)


@pytest.mark.slow
def test_a_line_of_crossings_without_coupling_is_reported():
    # Two spins in a field that crosses their bands: each sorted level has a smooth projector except on a line.
    copies = [(t, spin, spin, cell) for t, cell in ((-1.0, (1, 0)), (-1.0, (0, 1))) for spin in (0, 1)]
    model = models.tight_binding(
        [[1, 0], [0, 1]], [[0, 0], [0, 0]], [*copies[:-1], (-0.5, 1, 1, (0, 1)), (0.7, 0, 0, (0, 0))]
    )
    found = zone_average(hof.at_flux(model, (0, 1)), (0, 1), max_points=16)
    assert found.status == hof.Status.GAP_CLOSED


@pytest.mark.slow
def test_an_unresolved_gap_is_reported():
    nearly_closed = models.haldane(1.0, 0.15, np.pi / 2, 0.99 * 3 * np.sqrt(3) * 0.15)
    found = zone_average(hof.at_flux(nearly_closed, (0, 1)), (0, 1), max_points=16)
    assert found.status == hof.Status.MESH_TOO_COARSE
    # The gap at K = (1/3, 2/3) is 2 (3√3 t2 − mass), found although no mesh holds that momentum.
    np.testing.assert_allclose(found.min_gap, 2 * 0.01 * 3 * np.sqrt(3) * 0.15, rtol=1e-6)


def test_wrong_arguments(unchecked_types):
    problem = hof.at_flux(models.square(), (1, 3))
    with pytest.raises(ValueError, match="Argument `bands`"):
        zone_average(problem, (0, 4))
    with pytest.raises(ValueError, match="Argument `points` must be at least 1"):
        zone_average(problem, (0, 1), points=0)
    with pytest.raises(ValueError, match="Argument `max_points` must be at least 8"):
        zone_average(problem, (0, 1), max_points=4)
    with pytest.raises(ValueError, match="Argument `points` must be given while the problem is traced"):
        jax.jit(lambda t: zone_average(hof.at_flux(models.square(t), (1, 3)), (0, 1)).metric)(1.0)


def test_triangular_lattice_is_nearly_ideal():
    found = zone_average(hof.at_flux(models.triangular(), (1, 10)), (0, 1))
    np.testing.assert_allclose(found.t_ratio - 1, 2.1e-5, atol=5e-7)
    np.testing.assert_allclose(found.metric, found.metric[0, 0] * np.eye(2), atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "flux", "bands"),
    [
        ("square", (1, 3), (0, 1)),
        ("square", (2, 5), (0, 2)),
        ("square", (1, 3), (1, 2)),
        ("haldane", (0, 1), (0, 1)),
        ("haldane", (1, 2), (0, 1)),
        ("kagome", (1, 3), (0, 1)),
        ("checkerboard_flux", (0, 1), (0, 1)),
        ("random_0", (1, 3), (0, 1)),
        ("random_1", (1, 2), (0, 1)),
        ("random_2", (-1, 2), (0, 1)),
    ],
)
def test_integrated_curvature_is_the_chern_number(name, flux, bands):
    problem = hof.at_flux(systems.build(name), flux)
    found = zone_average(problem, bands)
    expected = chern(problem, bands)
    assert found.status == expected.status == hof.Status.OK
    np.testing.assert_allclose(found.chern, int(expected), atol=1e-10)
    assert found.t_ratio >= abs(int(expected)) - 1e-12
    if (name, flux, bands) == ("square", (1, 3), (0, 1)):
        assert int(expected) == 1


@pytest.mark.slow
@pytest.mark.parametrize("flux", [(0, 1), (1, 2)])
def test_moving_an_orbital_by_a_lattice_vector_changes_nothing(flux):
    # Orbital B of the next cell is renamed: its position and every hop that it takes part in move along.
    model = models.haldane()
    shift = (1, -2)

    def moved(hop):
        i, j, r1, r2 = hop
        sign = (j == 1) - (i == 1)
        return (i, j, r1 - sign * shift[0], r2 - sign * shift[1])

    renamed = models.TightBinding(
        model.vectors,
        model.positions.at[1].add(jnp.array(shift)),
        model.onsite,
        model.amplitudes,
        tuple(moved(hop) for hop in model.hops),
    )
    expected = zone_average(hof.at_flux(model, flux), (0, flux[1]))
    found = zone_average(hof.at_flux(renamed, flux), (0, flux[1]))
    np.testing.assert_allclose(found.metric, expected.metric, atol=1e-9)
    np.testing.assert_allclose(found.chern, expected.chern, atol=1e-9)
