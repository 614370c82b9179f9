import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter import Flux
from hofstadter.magnetic.symmetry_points import default_corners, named_points, place_corners

SIXTY = np.array([[1.0, 0.0], [0.5, np.sqrt(3) / 2]])
ONE_TWENTY = np.array([[1.0, 0.0], [-0.5, np.sqrt(3) / 2]])


@pytest.mark.parametrize("flux", ["1", pytest.param("1/2", marks=pytest.mark.slow)])
@pytest.mark.parametrize("vectors", [SIXTY, ONE_TWENTY], ids=["60", "120"])
def test_points_of_one_name_have_the_same_energy(vectors, flux):
    """A potential with all rotations about the origin: three M, and a threefold axis at Γ, K and K'."""
    flux = Flux.of(flux)
    third = (1, -1) if vectors is ONE_TWENTY else (1, 1)
    waves = [(-1.0, 0, 0, m) for m in ((1, 0), (0, 1), third)]
    model = hof.models.continuum(vectors, [(0.3, 0, 0, (1, 1))], waves, bands_per_cell=1)
    problem = hof.at_flux(model, flux, levels=10)
    points = named_points(vectors, flux, continuum=True)
    middles = hof.solve(problem, jnp.asarray(points["M"]), states=False).energies
    np.testing.assert_allclose(middles, np.broadcast_to(middles[0], middles.shape), atol=1e-3)
    inverse = np.linalg.inv(2 * np.pi * np.linalg.inv(vectors).T)
    for name in ("Γ", "K", "K'"):
        angles = np.array([0, 2 * np.pi / 3, 4 * np.pi / 3]) + 0.3
        around = 0.4 * np.stack([np.cos(angles), np.sin(angles)], axis=-1) @ inverse / flux.q
        rotated = hof.solve(problem, jnp.asarray(points[name] + around), states=False).energies
        np.testing.assert_allclose(rotated, np.broadcast_to(rotated[0], rotated.shape), atol=1e-3)
    assert np.abs(middles[0] - rotated[0]).max() > 1e-2  # the levels that are kept do not hide the potential


def test_the_path_of_twisted_graphene_at_one_quantum_per_cell():
    vectors = hof.models.bistritzer_macdonald().vectors
    names = default_corners(vectors, Flux(1), continuum=True)
    places, labels = place_corners(names, vectors, Flux(1), continuum=True)
    assert labels == ["K", "Γ", "M", "K'"]
    np.testing.assert_allclose(places, [(1 / 6, 1 / 6), (1 / 2, 1 / 2), (1, 1 / 2), (5 / 6, 5 / 6)])


def test_the_next_of_equivalent_points_is_taken():
    places, labels = place_corners(["G", "K", "M", [0.1, 0.2]], SIXTY, Flux(0), continuum=True)
    assert labels == ["Γ", "K", "M", "(0.1, 0.2)"]
    lengths = np.linalg.norm(np.diff(places[:3], axis=0) @ (2 * np.pi * np.linalg.inv(SIXTY).T), axis=1)
    side = 4 * np.pi / 3
    np.testing.assert_allclose(lengths, [side, side / 2])  # the edge of a regular hexagon, and half of it


def test_lattice_models_and_other_cells_are_rectangular():
    for vectors, continuum in ((SIXTY, False), (np.diag([1.0, 2.0]), True)):
        assert default_corners(vectors, Flux(1, 3), continuum=continuum) == ["Γ", "X", "M", "Γ"]
        places, _ = place_corners(["Γ", "X", "M", "Y"], vectors, Flux(1, 3), continuum=continuum)
        np.testing.assert_allclose(3 * np.asarray(places), [(0, 0), (0.5, 0), (0.5, 0.5), (0, 0.5)])
    with pytest.raises(ValueError, match=r"Argument `corners\[1\]` must be a momentum or one of Γ, X, Y, M here, but"):
        place_corners(["Γ", "K"], np.eye(2), Flux(1), continuum=True)
