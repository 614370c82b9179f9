"""Maps of Berry curvature and quantum metric, and flows of Wannier centers, as datasets."""

import numpy as np
import pytest

import hofstadter as hof
from hofstadter.errors import Status

models = hof.models


def test_the_map_averages_to_the_numbers():
    model, bands = models.kagome(), (0, 1)
    data = hof.geometry_map(model, "1/4", bands, points=16)
    assert data.sizes == {"k1": 16, "k2": 16}
    area = 4 * abs(np.linalg.det(np.asarray(model.vectors)))
    np.testing.assert_allclose(2 * np.pi * data.berry_curvature.mean() / area, data.chern, atol=1e-6)
    trace = data.metric_xx + data.metric_yy
    np.testing.assert_allclose(2 * np.pi * trace.mean() / area, data.t_ratio, rtol=1e-6)
    np.testing.assert_allclose(data.chern, 1, atol=1e-9)
    assert data.status == Status.OK
    problem = hof.at_flux(model, "1/4")
    k = problem.reduced_mesh(16, 16)[3, 5]
    np.testing.assert_allclose(data.berry_curvature[3, 5], hof.berry_curvature(problem, bands, k), rtol=1e-12)
    momentum = np.asarray(k) @ (2 * np.pi * np.linalg.inv(np.asarray(model.vectors)).T)
    np.testing.assert_allclose([data.kx[3, 5], data.ky[3, 5]], momentum, atol=1e-12)


@pytest.mark.slow
def test_a_band_that_touches_another_has_no_averages():
    data = hof.geometry_map(models.honeycomb(), 0, (0, 1), points=6)  # the mesh holds the Dirac points
    assert data.status == Status.GAP_CLOSED
    assert np.isnan(data.t_ratio)
    np.testing.assert_allclose([data.min_gap_k1 % 1 + data.min_gap_k2 % 1, data.min_gap], [1, 0], atol=1e-9)
    assert np.isnan(data.berry_curvature).sum() == 2


def test_wannier_centers_wind_by_the_chern_number():
    for direction in (1, 2):
        data = hof.wannier_flow(models.square(), "1/3", (1, 2), direction=direction, loops=90)
        assert data.sizes == {"loop": 90, "center": 1}
        assert (data.loop_status == 0).all()
        steps = np.diff(data.phase[:, 0], append=data.phase[0, 0])
        turns = np.sum((steps + np.pi) % (2 * np.pi) - np.pi) / (2 * np.pi)
        assert round(float(turns)) == (-2 if direction == 2 else 2)
        assert (data.chern, data.status) == (-2, Status.OK)


@pytest.mark.slow
def test_wannier_centers_of_bands_that_touch():
    data = hof.wannier_flow(models.honeycomb(), 0, (0, 1), loops=6)
    assert data.status == Status.GAP_CLOSED
    assert np.isnan(data.chern)
