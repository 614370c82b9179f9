"""Integrated density of states."""

import equinox as eqx
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.flux import farey_neighbors
from tests import systems

models = hof.models


def middles(data):
    """Flux number, r/q and energy of the middle of every gap."""
    for i in range(data.sizes["flux"]):
        for j in np.flatnonzero(data.status.values[i] != hof.Status.ABSENT):
            yield i, float(data.density[i, j]), float(data.lower[i, j] + data["upper"][i, j]) / 2


@pytest.mark.parametrize("name", ["square", "haldane"])
def test_in_a_gap_it_is_exactly_the_number_of_bands(name):
    model, fluxes = models.PRESETS[name](), ["1/3", "-3/4", "2/3"]
    data = hof.butterfly(model, fluxes=fluxes, min_gap=1e-2, labels=False)
    gaps = list(middles(data))
    assert len(gaps) >= 6
    density = hof.integrated_density(model, fluxes, [energy for _, _, energy in gaps], mesh=4)
    for number, (i, expected, _) in enumerate(gaps):
        assert density[i, number] == expected
    # Also right beside the band edges.
    edges = np.concatenate([data.lower.values + 1e-9, data["upper"].values - 1e-9], axis=1)
    for i in range(3):
        beside = edges[i][~np.isnan(edges[i])]
        found = hof.integrated_density(model, fluxes[i], beside).values[0]
        expected = np.tile(data.density.values[i][~np.isnan(data.density.values[i])], 2)
        np.testing.assert_array_equal(found, expected)


def test_it_grows_from_nothing_to_all_orbitals():
    model = models.haldane()
    energies = np.linspace(-4, 4, 101)
    density = hof.integrated_density(model, ["0", "4/3"], energies)
    assert density.shape == (2, 101)
    np.testing.assert_array_equal(density[:, 0], 0)
    np.testing.assert_array_equal(density[:, -1], 2)
    assert np.all(np.diff(density, axis=1) >= 0)
    assert not np.all(density[0] == density[1])


def test_dimensions_and_coordinates():
    density = hof.integrated_density(models.square(), ["1/2", "1/3"], [1.0, -1.0, 0.5], mesh=4)
    assert density.dims == ("flux", "energy")
    assert density.name == "integrated_density"
    np.testing.assert_array_equal(density.flux, [1 / 2, 1 / 3])
    np.testing.assert_array_equal(density.energy, [1.0, -1.0, 0.5])
    assert density.attrs == {"model": "square", "orbitals": 1}
    assert hof.integrated_density(models.square(), "1/3", 0.3, mesh=4).shape == (1, 1)
    assert hof.integrated_density(models.square(), "1/3", [], mesh=4).shape == (1, 0)


def test_the_order_of_energies_does_not_matter(rng):
    energies = np.linspace(-3, 3, 20)
    order = rng.permutation(20)
    sorted_, shuffled = (hof.integrated_density(models.square(), "1/3", e, mesh=6) for e in (energies, energies[order]))
    np.testing.assert_array_equal(shuffled, sorted_[:, order])


@pytest.mark.parametrize("flux", [(1, 3), (-2, 3)])
def test_it_counts_the_levels_of_the_mesh(flux):
    model, mesh, q = models.haldane(), 5, flux[1]
    k = systems.reduced_mesh(q, mesh) + 0.5 / (mesh * q)
    levels = systems.energies(model, flux, k)
    energies = np.linspace(-3, 3, 31)
    expected = (levels.ravel() < energies[:, None]).sum(axis=1) / (mesh**2 * q)
    np.testing.assert_allclose(hof.integrated_density(model, [flux], energies, mesh=mesh)[0], expected, atol=1e-14)


def test_particle_hole_symmetry():
    energies = np.linspace(0.013, 4, 40)
    up = hof.integrated_density(models.honeycomb(), "1/3", energies, mesh=6)
    down = hof.integrated_density(models.honeycomb(), "1/3", -energies, mesh=6)
    np.testing.assert_allclose(up + down, 2, atol=1e-12)


@pytest.mark.slow
def test_slope_between_neighboring_fluxes_is_the_chern_number():
    model, flux = models.haldane(), hof.Flux(1, 3)
    gaps = hof.gaps(model, flux, min_gap=0.3)
    middle = (gaps.lower + gaps["upper"]) / 2
    here = hof.integrated_density(model, flux, middle, mesh=2)
    for neighbor in farey_neighbors(flux, 40):
        there = hof.integrated_density(model, neighbor, middle, mesh=1)
        slope = (there.values - here.values)[0] / (float(neighbor) - float(flux))
        np.testing.assert_allclose(slope, gaps.t, atol=1e-9)


def test_default_mesh_is_good_inside_bands():
    # Free electrons at the bottom of the band: n = (E + 4)/(4π) per cell, and a little more as the mass grows.
    density = hof.integrated_density(models.square(), 0, [-3.7, -3.5])
    np.testing.assert_allclose(density[0], np.array([0.3, 0.5]) / (4 * np.pi), rtol=0.1)
    np.testing.assert_allclose(hof.integrated_density(models.square(), 0, 0.0)[0], 0.5, atol=0.03)


def test_progress_counts_every_matrix():
    counts = []
    hof.integrated_density(models.square(), ["1/3", "1/2"], 0.0, mesh=4, progress=counts.append)
    assert sum(counts) == 32


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("energies", [np.nan, [0.0, np.inf], [[0.0, 1.0]]])
def test_bad_energies(energies):
    with pytest.raises(ValueError, match=r"Argument `energies` must be a list of finite numbers, but is "):
        hof.integrated_density(models.square(), "1/3", energies)


@pytest.mark.usefixtures("unchecked_types")
def test_bad_arguments():
    with pytest.raises(ValueError, match=r"Argument `mesh` must be at least 1, but is 0"):
        hof.integrated_density(models.square(), "1/3", 0.0, mesh=0)
    with pytest.raises(TypeError, match=r"Argument `mesh` must be an integer, but is 2\.5"):
        hof.integrated_density(models.square(), "1/3", 0.0, mesh=2.5)
    with pytest.raises(ValueError, match=r"Argument `flux` must be coprime, but is 2/4"):
        hof.integrated_density(models.square(), "2/4", 0.0)
    with pytest.raises(ValueError, match=r"Argument `memory_gb` must be positive, but is nan"):
        hof.integrated_density(models.square(), "1/3", 0.0, memory_gb=np.nan)


@pytest.mark.parametrize("field", ["onsite", "amplitudes"])
def test_models_that_are_not_finite(field):
    model = models.honeycomb()
    model = eqx.tree_at(lambda m: getattr(m, field), model, getattr(model, field).at[0].set(np.nan))
    for flux in ("0", "1/3"):
        with pytest.raises(ValueError, match=r"Argument `model` must be free of NaN and infinity, but is honeycomb"):
            hof.integrated_density(model, flux, 0.0, mesh=4)
