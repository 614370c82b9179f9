"""Six ways to the same Chern numbers.

Plaquettes, Wannier flow, differentiated phases, integrated curvature, the Středa slope of the density, and markers in
real space.
"""

import numpy as np
import pytest

import hofstadter as hof
from tests import systems

# (model, flux, filled bands, C of the gap, cells of the patch)
CASES = [
    ("haldane", (0, 1), 1, -1, 14),
    ("square", (7, 25), 7, 1, 24),
    ("triangular", (1, 4), 1, 1, 16),
    ("honeycomb", (1, 5), 1, 1, 14),
    ("kapit_mueller", (1, 4), 1, 1, 16),
    ("kagome", (1, 3), 1, 1, 12),
]


def middle_of_gap(problem, filled):
    """Energy in the middle of the gap above `filled` bands, and its width."""
    energies = hof.solve(problem, problem.reduced_mesh(12, 12), states=False).energies
    top, bottom = float(energies[..., filled - 1].max()), float(energies[..., filled].min())
    return (top + bottom) / 2, bottom - top


def check(model, flux, filled, cells, *, marker_atol=0.05):
    """All methods agree on the filled bands below a gap; returns the number."""
    problem = hof.at_flux(model, flux)
    energy, width = middle_of_gap(problem, filled)
    number = int(hof.chern(problem, (0, filled), throw=True))
    assert int(hof.wilson_chern(problem, (0, filled), throw=True)) == number
    differentiated = hof.differentiated_chern(problem, (0, filled), throw=True)
    np.testing.assert_allclose(differentiated.integral, number, atol=1e-3)
    mesh = hof.chern_on_mesh(problem, [(0, filled), (0, problem.basis_size)], points=24)
    np.testing.assert_array_equal(mesh.value, [number, 0])
    curvature = hof.zone_average(problem, (0, filled), rtol=1e-6)
    np.testing.assert_allclose(curvature.chern, number, atol=1e-4)
    if width > 1e-3:
        gaps = hof.gaps(model, flux)
        row = int(np.flatnonzero(gaps["bands_below"].values == filled)[0])
        # Route 3: Berry flux and the Středa slope, and they agree.
        assert (int(gaps["t"][row]), int(gaps["route"][row])) == (number, 3)
    if cells and width > 0:
        marker = hof.local_chern_marker(model, flux, cells=(cells, cells), fermi_energy=energy, throw=True)
        np.testing.assert_allclose(marker.bulk, number, atol=marker_atol)
    return number


@pytest.mark.slow
@pytest.mark.parametrize(("name", "flux", "filled", "number", "cells"), CASES)
def test_gaps_of_presets(name, flux, filled, number, cells):
    assert check(systems.build(name), flux, filled, cells) == number


@pytest.mark.slow
@pytest.mark.parametrize(("name", "flux"), [("triangular", (-2, 7)), ("kagome", (2, 5))])
def test_widest_gap_of_presets_in_field(name, flux):
    model = systems.build(name)
    problem = hof.at_flux(model, flux)
    widths = [middle_of_gap(problem, filled)[1] for filled in range(1, problem.basis_size)]
    filled = int(np.argmax(widths)) + 1
    assert check(model, flux, filled, 0) == -check(model, (-flux[0], flux[1]), filled, 0)


@pytest.mark.slow
def test_rashba_electrons_in_a_field():
    # Spin-split Landau levels: one and two of them are filled.
    model = systems.build("rashba")
    assert [check(model, (1, 5), filled, 16, marker_atol=0.1) for filled in (1, 2)] == [1, 2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("structure", "seed", "filled"),
    [(0, 2, 1), (2, 8, 6)],
)
def test_random_models(structure, seed, filled):
    check(systems.random_model(structure, seed), (2, 3), filled, 0)


@pytest.mark.slow
@pytest.mark.parametrize(("flux", "filled"), [((0, 1), 1), ((1, 5), 5)])
def test_haldane_phase_diagram(flux, filled):
    """Over mass and phase, all methods agree wherever the gap is open; in field it moves with C along r = q + t p."""
    seen = set()
    for phase in np.linspace(-0.8, 0.8, 5) * np.pi:
        for mass in (-0.9, -0.3, 0.3, 0.9):
            model = hof.models.haldane(1.0, 0.15, float(phase), mass)
            problem = hof.at_flux(model, flux)
            number = hof.chern(problem, (0, filled))
            if number.min_gap > 0.1:
                assert hof.wilson_chern(problem, (0, filled)).value == number.value
                assert hof.differentiated_chern(problem, (0, filled)).value == number.value
                energy, width = middle_of_gap(problem, filled)
                if width > 0.3:
                    marker = hof.local_chern_marker(model, flux, cells=(16, 16), fermi_energy=energy)
                    np.testing.assert_allclose(marker.bulk, number.value, atol=0.2)
                    gaps = hof.gaps(model, flux)
                    t = gaps["t"].values[gaps["bands_below"].values == filled]
                    assert t == [number.value]
                seen.add(number.value)
    assert seen
    assert not np.isnan(list(seen)).any()
    assert seen == {-1, 0, 1} if flux == (0, 1) else {(filled - 5) % 5} == {number % 5 for number in seen}
