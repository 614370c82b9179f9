"""Integrated densities on a grid of energies, and gaps seen on it, against diagonalized matrices."""

import numpy as np
import pytest

import hofstadter as hof
from hofstadter.counting import staircase
from hofstadter.counting.staircase import SampledStates, count_staircases, energies_at_densities, sampling_grid
from tests import systems

models = hof.models
FLUXES = [hof.Flux(1, 5), hof.Flux(3, 26), hof.Flux(0, 1)]


def levels_of(model, flux):
    k = np.stack(np.meshgrid(*sampling_grid(flux), indexing="ij"), axis=-1).reshape(-1, 2)
    return np.sort(systems.energies(model, (flux.p, flux.q), k), axis=None), len(k)


@pytest.mark.parametrize("name", ["square", pytest.param("honeycomb", marks=pytest.mark.slow)])
def test_densities_and_edges_are_those_of_the_levels(name):
    model, step = models.PRESETS[name](), 0.02
    bound = float(model.norm_bound()) + 0.1
    found = count_staircases(SampledStates(model, FLUXES), np.tile([-bound, bound], (3, 1)), step)
    for flux, stairs in zip(FLUXES, found, strict=True):
        levels, momenta = levels_of(model, flux)
        np.testing.assert_allclose(np.diff(stairs.energies), step)
        np.testing.assert_allclose(stairs.density, np.searchsorted(levels, stairs.energies) / (momenta * flux.q))
        assert stairs.bottom == pytest.approx(levels[0], abs=step / 64)
        assert stairs.top == pytest.approx(levels[-1], abs=step / 64)
        bands = levels.reshape(-1, momenta)  # in a gap, as many levels lie below at every momentum
        for r, lower, upper in zip(stairs.gaps.bands_below, stairs.gaps.lower, stairs.gaps.upper, strict=True):
            assert lower == pytest.approx(bands[r - 1].max(), abs=step / 64)
            assert upper == pytest.approx(bands[r].min(), abs=step / 64)


@pytest.mark.slow
def test_small_and_large_cells_agree(monkeypatch):
    model, step, window = models.honeycomb(mass=0.1), 0.01, np.array([[-1.0, 1.0]])
    small = count_staircases(SampledStates(model, [hof.Flux(2, 13)]), window, step)[0]
    monkeypatch.setattr(staircase, "LARGEST_DIAGONALIZED", 1)
    large = count_staircases(SampledStates(model, [hof.Flux(2, 13)]), window, step)[0]
    np.testing.assert_array_equal(small.density, large.density)
    np.testing.assert_allclose(small.gaps.lower, large.gaps.lower, atol=1e-12)
    np.testing.assert_array_equal(small.gaps.t, large.gaps.t)
    assert np.isnan(small.bottom)
    assert np.isnan(small.top)


def test_what_is_beyond_the_window_does_not_matter():
    model, step = models.square(), 0.01
    states = SampledStates(model, [hof.Flux(1, 30)])
    wide, narrow = (count_staircases(states, np.array([w]), step)[0] for w in ([-4.2, 4.2], [-3.0, -1.0]))
    inside = (wide.energies >= narrow.energies[0] - 1e-9) & (wide.energies <= narrow.energies[-1] + 1e-9)
    np.testing.assert_allclose(wide.energies[inside], narrow.energies, atol=1e-12)
    np.testing.assert_array_equal(wide.density[inside], narrow.density)
    shared = np.isin(wide.gaps.bands_below, narrow.gaps.bands_below[1:-1])
    np.testing.assert_allclose(wide.gaps.size[shared], narrow.gaps.size[1:-1], atol=1e-12)


def test_energies_at_densities_enclose_the_gaps_there():
    model = models.square()
    states = SampledStates(model, [hof.Flux(1, 3), hof.Flux(1, 25)])
    found = energies_at_densities(states, np.array([[1 / 3, 2 / 3], [0.2, 0.4]]), 1e-3)
    exact = hof.butterfly(model, fluxes=["1/3", "1/25"], labels=False)
    for i, (low, high) in enumerate(found):
        density = exact["density"].values[i]
        inside = (density >= (1 / 3, 0.2)[i] - 1e-9) & (density <= (2 / 3, 0.4)[i] + 1e-9)
        assert inside.any()
        assert np.all(exact["lower"].values[i][inside] > low)
        assert np.all(exact["upper"].values[i][inside] < high)
    everything = energies_at_densities(states, np.array([[0.0, 1.0], [0.0, 1.0]]), 1e-2)
    assert np.all(everything[:, 0] < -4)
    assert np.all(everything[:, 1] > 4)
