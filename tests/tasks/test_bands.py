"""Bands along a path."""

import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from tests import systems

models = hof.models
CORNERS = [(0.0, 0.0), (1 / 3, 1 / 3), (0.5, 0.0)]


def test_default_path():
    data = hof.bands(models.haldane(), "1/3", points=31)
    assert data.sizes == {"point": 31, "band": 6, "component": 2}
    assert data.attrs["corner_labels"] == ["Γ", "X", "M", "Γ"]
    assert data.attrs["flux"] == "1/3"
    places = np.array([[0, 0], [0.5, 0], [0.5, 0.5], [0, 0]]) / 3
    np.testing.assert_allclose(data.k[data.attrs["corners"]], places, atol=1e-15)


@pytest.mark.parametrize("flux", [(1, 3), (0, 1)])
def test_energies_are_those_of_the_momenta(flux):
    model = models.haldane()
    data = hof.bands(model, flux, corners=CORNERS, points=14)
    np.testing.assert_allclose(data.energy, systems.energies(model, flux, data.k), atol=1e-12)
    spectrum = hof.solve(hof.at_flux(model, flux), jnp.asarray(data.k.values))
    np.testing.assert_allclose(data.energy, spectrum.energies, atol=1e-12)


def test_length_of_the_path():
    corners = [(0.0, 0.0), (2 / 3, 1 / 3), (0.5, 0.5)]
    data = hof.bands(models.triangular(), 0, corners=corners, points=40)
    b = 2 * np.pi * np.linalg.inv(np.asarray(models.triangular().vectors)).T
    cartesian = data.k.values @ b
    steps = np.linalg.norm(np.diff(cartesian, axis=0), axis=1)
    np.testing.assert_allclose(np.diff(data.distance), steps, atol=1e-12)
    assert np.all(steps > 0)


def test_corners_are_named_by_their_momenta():
    data = hof.bands(models.square(), "1/2", corners=CORNERS, points=9)
    assert data.attrs["corner_labels"] == ["(0, 0)", "(0.333, 0.333)", "(0.5, 0)"]
    assert data.attrs["corners"][0] == 0
    assert data.attrs["corners"][-1] == 8


def test_the_period_of_the_spectrum():
    step = hof.bands(models.haldane(), "2/3", corners=[(0.01, 0.02), (0.3, 0.1)], points=5)
    shifted = hof.bands(models.haldane(), "2/3", corners=[(0.01 + 1 / 3, 0.02), (0.3 + 1 / 3, 0.1)], points=5)
    np.testing.assert_allclose(step.energy, shifted.energy, atol=1e-12)


@pytest.mark.usefixtures("unchecked_types")
def test_bad_arguments():
    with pytest.raises(ValueError, match=r"Argument `points` must be at least 4, but is 3"):
        hof.bands(models.square(), "1/3", points=3)
    with pytest.raises(TypeError, match=r"Argument `points` must be an integer, but is 10\.0"):
        hof.bands(models.square(), "1/3", points=10.0)
    with pytest.raises(ValueError, match=r"Argument `flux` must be coprime, but is 2/4"):
        hof.bands(models.square(), "2/4")
    with pytest.raises(ValueError, match=r"Argument `memory_gb` must be positive"):
        hof.bands(models.square(), "1/3", memory_gb=0)


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("corners", [[(0, 0)], [0, 1], [(0, 0, 0), (1, 1, 1)], []])
def test_bad_corners(corners):
    with pytest.raises(ValueError, match=r"Argument `corners` must be at least two pairs \(k1, k2\), but is "):
        hof.bands(models.square(), "1/3", corners=corners)


def test_models_that_are_not_finite():
    model = systems.models.cast(models.square(), "double")
    model = models.TightBinding(
        model.vectors, model.positions, model.onsite, model.amplitudes * np.nan, model.hops, model.name
    )
    assert np.isnan(hof.bands(model, "1/3", points=5).energy).all()
