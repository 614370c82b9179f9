"""Pictures of counted states: gaps are where known gaps are."""

import numpy as np
import pytest
import xarray as xr

import hofstadter as hof
from hofstadter.io.config import read_run_file
from hofstadter.tasks.registry.density import DENSITY, DensityParameters

models = hof.models
FLUXES = ["2/3", "1/2", "1/3"]


@pytest.fixture(scope="module")
def data():
    return hof.integrated_density(models.square(), FLUXES, np.linspace(-4, 4, 161))


def image(ax):
    (mesh,) = ax.collections
    return mesh.get_array()


def test_butterfly_of_counts(data):
    ax = hof.plots.integrated_density(data)
    shown = image(ax)
    assert shown.shape == (160, 3)
    # At 1/3 the gaps are √3 − 1 … 2 and their mirror images, and the bands reach to ±(1 + √3).
    middles = np.linspace(-4, 4, 161)[:-1] + 0.025
    gap = (np.abs(middles) > np.sqrt(3) - 1 + 0.05) & (np.abs(middles) < 1.95) | (np.abs(middles) > 2.8)
    band = (np.abs(middles) < np.sqrt(3) - 1 - 0.05) | (np.abs(middles) > 2.05) & (np.abs(middles) < 2.68)
    for column, flux in ((0, 1 / 3), (2, 2 / 3)):
        assert not shown.mask[gap, column].any()
        assert shown.mask[band, column].all()
        density = shown.data[gap, column]
        np.testing.assert_allclose(np.unique(np.round(density, 9)), np.round([0, 1 / 3, 2 / 3, 1], 9))
        assert ax.get_xlim()[0] < flux < ax.get_xlim()[1]
    # At 1/2 bands touch at zero, next to which the mesh has no level.
    assert shown.mask[(np.abs(middles) < 2.7) & (np.abs(middles) > 0.3), 1].all()


def test_wannier_diagram_of_counts(data):
    ax = hof.plots.wannier_map(data.to_dataset(), colorbar=False)
    (dots,) = ax.collections
    points, size = np.asarray(dots.get_offsets()), np.asarray(dots.get_array())
    large = size > 0.5
    expected = [(x, y) for x in (1 / 3, 2 / 3) for y in (1 / 3, 2 / 3)]
    np.testing.assert_allclose(sorted(map(tuple, points[large])), expected)
    np.testing.assert_allclose(size[large], 3 - np.sqrt(3), atol=0.06)
    # Small ones are next to a touching only.
    assert (points[~large] == 0.5).all()
    assert ax.get_ylim() == (0, 1)


def test_other_datasets_are_refused(data):
    for plot in (hof.plots.integrated_density, hof.plots.wannier_map):
        with pytest.raises(ValueError, match=r"one of `hofstadter.integrated_density`"):
            plot(xr.Dataset())
        with pytest.raises(ValueError, match="at least two ascending energies"):
            plot(data.isel(energy=slice(None, None, -1)))


def test_run_files_take_ranges_of_fluxes(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(
        "model: {name: square}\ntask: {name: density, fluxes: {first: 0.1, last: 0.9, points: 9}}\n"
        "output: {store: map.zarr}\n"
    )
    _, parameters = read_run_file(file).at(())
    points = DENSITY.points(models.square(), parameters)
    np.testing.assert_allclose([float(flux) for flux in points], np.arange(1, 10) / 10, atol=0.025)
    assert DENSITY.sizes(models.square(), parameters, points) == {"energy": 400}
    assert DENSITY.counting_seconds(models.kagome(), parameters, points[0]) > 0


def test_the_task_gives_what_the_function_gives(data):
    parameters = DensityParameters.model_validate({"fluxes": FLUXES, "energies": np.linspace(-4, 4, 161).tolist()})
    counts = []
    found = DENSITY.compute(
        models.square(), parameters, parameters.listed_fluxes(), memory_gb=1.0, progress=counts.append
    )
    np.testing.assert_array_equal(found["integrated_density"], data)
    assert (found["p"].values.tolist(), found["q"].values.tolist(), counts) == ([2, 1, 1], [3, 2, 3], [3])
    with pytest.raises(ValueError, match="tight-binding model"):
        DENSITY.compute(models.electron_gas(), parameters, parameters.listed_fluxes(), memory_gb=1.0, progress=None)


def test_fluxes_or_a_denominator():
    for section in ({}, {"fluxes": ["1/3"], "max_denominator": 3}):
        with pytest.raises(ValueError, match="Give either `fluxes` or `max_denominator`"):
            DensityParameters.model_validate(section)
