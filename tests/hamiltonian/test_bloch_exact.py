"""Exact facts about lattices in a field: periods, symmetries, determinants, traces, Chern numbers."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

import hofstadter as hof
from tests import strategies, systems
from tests.oracles import fukui, peierls

models = hof.models
REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "reference_flux_pq.json").read_text())
ENERGY_POINTS = (0.37 + 0.21j, -1.3, 2.2 - 0.4j)


def full_spectrum(model, flux, n=12):
    """All energies on the n × n mesh over the reduced zone, sorted; n = 12 holds every shift of k by 1/12."""
    return np.sort(systems.energies(model, flux, systems.reduced_mesh(flux[1], n)).ravel())


@pytest.mark.parametrize("system", systems.SYSTEMS, ids=lambda system: system.name)
def test_flux_period(system):
    model, (p, q) = systems.build(system.name), (1, 3)
    start = full_spectrum(model, (p, q))
    for quanta in range(1, system.flux_period):
        assert np.max(np.abs(full_spectrum(model, (p + quanta * q, q)) - start)) > 1e-2
    repeated = full_spectrum(model, (p + system.flux_period * q, q))
    np.testing.assert_allclose(repeated, start, atol=1e-11)


@pytest.mark.parametrize("flux", [(1, 3), (3, 2), (-2, 5)])
@pytest.mark.parametrize("system", systems.SYSTEMS, ids=lambda system: system.name)
def test_bipartite_spectra_and_their_zero_modes(system, flux, rng):
    energies = systems.energies(systems.build(system.name), flux, rng.uniform(-1, 1, (4, 2)))
    # E → −E at one k, or between k and k + (1/2, 1/2)/q when the sublattice is not that of the cell (square
    # lattice).
    spectrum = full_spectrum(systems.build(system.name), flux)
    asymmetry = np.max(np.abs(spectrum + spectrum[::-1]))
    if system.bipartite:
        assert asymmetry < 1e-11
    elif flux[1] > 2:  # at half-integer flux E(φ + 2π) = −E(φ) makes some other spectra symmetric too
        assert asymmetry > 1e-2
    if system.zero_modes:
        zeros = system.zero_modes * flux[1]
        np.testing.assert_array_equal(np.sum(np.abs(energies) < 1e-12, axis=1), zeros)


def test_square_lattice_at_half_a_quantum(rng):
    k = rng.uniform(-1, 1, (8, 2))
    root = 2 * np.sqrt(np.sum(np.cos(2 * np.pi * k) ** 2, axis=1))
    np.testing.assert_allclose(
        systems.energies(models.square(), (1, 2), k), np.stack([-root, root], axis=1), atol=1e-13
    )


FLUXES_OF_EDGES = [
    (1, 1),
    (-2, 1),
    (1, 2),
    (1, 3),
    (-1, 3),
    (5, 3),
    (1, 4),
    (3, 4),
    (2, 5),
    (1, 6),
    (5, 6),
    (3, 7),
    (5, 7),
]


@pytest.mark.parametrize(("p", "q"), FLUXES_OF_EDGES)
def test_square_band_edges_are_those_of_real_tridiagonals(p, q, rng):
    edges = peierls.square_band_edges(p, q)
    corners = systems.energies(models.square(), (p, q), [(0, 0), (0.5 / q, 0.5 / q)])
    np.testing.assert_allclose(np.sort(corners.T, axis=1), edges, atol=1e-13)
    inside = systems.energies(models.square(), (p, q), rng.uniform(-1, 1, (16, 2)))
    assert np.all(inside >= edges[:, 0] - 1e-12)
    assert np.all(inside <= edges[:, 1] + 1e-12)


@pytest.mark.parametrize(("p", "q", "expected"), REFERENCE["square_total_width_times_q"][:2])
def test_total_width_of_the_square_bands(p, q, expected):
    corners = systems.energies(models.square(), (p, q), [(0, 0), (0.5 / q, 0.5 / q)])
    np.testing.assert_allclose(q * np.sum(np.abs(corners[0] - corners[1])), expected, atol=1e-10)


def test_total_width_tends_to_thouless_number():
    for p, q, expected in REFERENCE["square_total_width_times_q"]:
        np.testing.assert_allclose(q * np.sum(np.ptp(peierls.square_band_edges(p, q), axis=1)), expected, atol=1e-10)


CHAMBERS_FLUXES = [(0, 1), (1, 1), (1, 2), (-3, 2), (1, 3), (4, 3), (3, 4), (-2, 5), (7, 5), (3, 7)]


def determinants(model, flux, k, energy):
    size = flux[1] * model.orbitals
    return np.linalg.det(energy * np.eye(size) - systems.matrices(model, flux, k))


def assert_chambers(model, flux, k, modulation):
    """det(E − H(k)) − modulation(k) is the same for every k."""
    for energy in ENERGY_POINTS:
        constant = determinants(model, flux, k, energy) - modulation
        np.testing.assert_allclose(constant, constant[0], rtol=1e-11, atol=1e-10)


@pytest.mark.parametrize(("p", "q"), CHAMBERS_FLUXES)
def test_chambers_relation_of_the_square_lattice(p, q, rng):
    k = rng.uniform(-1, 1, (6, 2))
    x1, x2 = 2 * np.pi * q * k.T
    assert_chambers(models.square(), (p, q), k, -((-1) ** q) * 2 * (np.cos(x1) + np.cos(x2)))


@pytest.mark.parametrize(("p", "q"), CHAMBERS_FLUXES)
def test_chambers_relation_of_the_triangular_lattice(p, q, rng):
    k = rng.uniform(-1, 1, (6, 2))
    x1, x2 = 2 * np.pi * q * k.T
    modulation = -((-1) ** q) * 2 * (np.cos(x1) + np.cos(x2)) + (-1) ** p * 2 * np.cos(x1 - x2)
    assert_chambers(models.triangular(), (p, q), k, modulation)


@pytest.mark.parametrize(("p", "q"), CHAMBERS_FLUXES)
def test_chambers_relation_of_the_honeycomb_lattice(p, q, rng):
    k = rng.uniform(-1, 1, (6, 2))
    x1, x2 = 2 * np.pi * q * k.T
    third = np.pi * p / 3
    modulation = np.cos(x1 - third) + np.cos(x2 + third) + (-1) ** (p * q) * np.cos(x1 - x2 + third)
    assert_chambers(models.honeycomb(), (p, q), k, -2 * modulation)
    with pytest.raises(AssertionError):
        assert_chambers(models.honeycomb(), (p, q), k, 2 * modulation)


def squared(name, base, factor, constant, flux, k):
    """Energies ±√(constant + factor ε) with the zero modes between, ε of H = +Σ on the base lattice."""
    epsilon = -systems.energies(base, flux, k)[:, ::-1]
    root = np.sqrt(np.maximum(constant + factor * epsilon, 0))
    zeros = np.zeros((len(k), flux[1]))
    return np.sort(np.concatenate([-root, zeros, root], axis=1), axis=1)


@pytest.mark.parametrize(("p", "q"), CHAMBERS_FLUXES)
def test_squares_of_bipartite_lattices(p, q, rng):
    # The smaller sublattice feels S S†, which is a hopping model on it: Lieb → square, dice → triangular with
    # the flux p/6q of a rhombus in every bond, edge-centered honeycomb → honeycomb.
    k = rng.uniform(-1, 1, (4, 2))
    for model, base, factor, constant in (
        (models.lieb(), models.square(), 1, 4),
        (models.dice(), models.triangular(), 2 * np.cos(np.pi * p / q / 3), 6),
        (models.edge_centered_honeycomb(), models.honeycomb(), 1, 3),
    ):
        expected = squared(model.name, base, factor, constant, (p, q), k)
        found = systems.energies(model, (p, q), k)
        # A square root turns 1e-15 into 3e-8 next to zero, so compare squares, and signs by the order.
        np.testing.assert_allclose(found**2, expected**2, atol=1e-12)
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_dice_cages_every_state_at_three_halves(rng):
    energies = systems.energies(models.dice(), (3, 2), rng.uniform(-1, 1, (8, 2)))
    expected = np.tile([-np.sqrt(6)] * 2 + [0] * 2 + [np.sqrt(6)] * 2, (8, 1))
    np.testing.assert_allclose(energies, expected, atol=1e-13)


# One orbital: another quantum changes the sign of hops with odd R1 R2, and k + (1/2, 1/2) of those with odd
# R1 + R2, together all but those with R1 and R2 even.
@pytest.mark.parametrize(("p", "q"), [(1, 3), (-2, 5), (1, 2)])
@pytest.mark.parametrize(
    ("name", "quanta"),
    [("triangular", 1), ("square_nnn", 1), ("oblique", 1), ("triangular_nnn", 1), ("kagome", 4)],
)
def test_half_a_flux_period_reverses_the_energy(name, quanta, p, q):
    model = systems.build(name)
    start, there = full_spectrum(model, (p, q)), full_spectrum(model, (p + quanta * q, q))
    np.testing.assert_allclose(there, -start[::-1], atol=1e-11)


def test_hops_by_two_cells_spoil_the_reversal():
    model = systems.build("square_third")
    start, there = full_spectrum(model, (1, 3)), full_spectrum(model, (4, 3))
    assert np.max(np.abs(there + start[::-1])) > 1e-2


@pytest.mark.parametrize(("p", "q"), [(1, 3), (-2, 5), (7, 4)])
def test_haldane_reverses_field_and_phase_together(p, q, rng):
    k = rng.uniform(-1, 1, (4, 2))
    expected = systems.energies(models.haldane(1.0, 0.2, 0.7, 0.3), (p, q), k)
    found = systems.energies(models.haldane(1.0, 0.2, -0.7, 0.3), (-p, q), -k)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    wrong = systems.energies(models.haldane(1.0, 0.2, 0.7, 0.3), (-p, q), -k)
    assert np.max(np.abs(wrong - expected)) > 1e-2


def moment(model, flux, power):
    """Mean over the magnetic zone of Tr H^power per primitive cell; 12 × 12 momenta integrate it exactly."""
    q = flux[1]
    k = systems.reduced_mesh(1, 12) / [1, q]
    h = systems.matrices(model, flux, k)
    product = h
    for _ in range(power - 1):
        product = product @ h
    return np.trace(product, axis1=1, axis2=2).mean() / q


@pytest.mark.parametrize("flux", [(1, 3), (-3, 2)])
@pytest.mark.parametrize("name", [name for name in systems.MODEL_NAMES if name != "kapit_mueller"])
def test_traces_are_sums_over_closed_walks(name, flux):
    model = systems.build(name)
    for power in (1, 2, 3):
        expected = peierls.closed_walks(systems.plain(model), *flux, power)
        np.testing.assert_allclose(moment(model, flux, power), expected, atol=1e-11)


@pytest.mark.parametrize("name", ["square", "oblique", "lieb", "random_0"])
def test_fourth_traces_see_the_plaquettes(name):
    model = systems.build(name)
    expected = peierls.closed_walks(systems.plain(model), 1, 3, 4)
    np.testing.assert_allclose(moment(model, (1, 3), 4), expected, atol=1e-11)
    other = peierls.closed_walks(systems.plain(model), 1, 4, 4)
    assert (abs(other - expected) > 1e-2) == (name != "lieb")


@given(strategies.recipes(), strategies.fluxes(max_q=5))
def test_third_traces_of_random_models(recipe, flux):
    model = systems.random_model(*recipe)
    expected = peierls.closed_walks(systems.plain(model), *flux, 3)
    np.testing.assert_allclose(moment(model, flux, 3), expected, atol=1e-10)


@pytest.mark.parametrize("flux", ["1/3", "2/5"])
@pytest.mark.parametrize("name", REFERENCE["lattices"])
def test_reference_energies(name, flux):
    expected = REFERENCE["lattices"][name][flux]["energies"]
    p, q = map(int, flux.split("/"))
    found = systems.energies(models.PRESETS[name](), (p, q), (0.1 / q, 0.2 / q))
    np.testing.assert_allclose(found[0], expected, atol=2e-10)


def chern(model, flux, bands, n):
    """Chern number of the lowest bands over the magnetic zone, on an n q × n mesh."""
    problem = hof.at_flux(model, flux)
    q = flux[1]
    k = np.asarray(problem.mesh(n * q, n)).reshape(-1, 2)
    _, states = np.linalg.eigh(systems.matrices(model, flux, k))
    positions = np.asarray(problem.site_positions)
    return fukui.chern(states[:, :, :bands].reshape(n * q, n, -1, bands), positions, 1, 1 / q)


@pytest.mark.parametrize("name", REFERENCE["lattices"])
def test_reference_chern_numbers(name):
    for gap in REFERENCE["lattices"][name]["1/3"]["gaps"]:
        found, largest = chern(models.PRESETS[name](), (1, 3), gap["r"], 6)
        np.testing.assert_allclose(found, gap["C"], atol=1e-9)
        assert largest < 0.9
        assert gap["r"] == 3 * gap["s"] + gap["C"]


@pytest.mark.parametrize(("flux", "expected"), [((1, 4), 1), ((-1, 4), -1)])
@pytest.mark.parametrize("name", ["square", "triangular", "honeycomb", "kapit_mueller", "oblique"])
def test_the_lowest_landau_level_carries_the_sign_of_the_field(name, flux, expected):
    found, largest = chern(systems.build(name), flux, 1, 5)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert largest < 0.9
