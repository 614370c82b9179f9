import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from hofstadter.plots import berry_curvature, quantum_metric, wannier_flow


@pytest.fixture
def plane():
    k1, k2 = np.meshgrid(np.arange(6), np.arange(6), indexing="ij")
    kx, ky = k1 + 0.5 * k2, 0.9 * k2
    values = np.cos(2 * np.pi * k1 / 6) - 0.25
    names = ("berry_curvature", "metric_xx", "metric_yy")
    return xr.Dataset(
        {name: (("k1", "k2"), values + shift) for name, shift in zip(names, (0, 2, 3), strict=True)},
        coords={"kx": (("k1", "k2"), kx), "ky": (("k1", "k2"), ky)},
        attrs={"flux": "0/1", "bands": [1, 3]},
    )


def test_curvature_is_white_at_zero_and_closes_periodically(plane):
    ax = berry_curvature(plane)
    (mesh,) = ax.collections
    assert mesh.norm.vmin == -mesh.norm.vmax == -1.25
    np.testing.assert_allclose(mesh.cmap(mesh.norm(0.0))[:3], 0.97, atol=0.02)
    drawn = mesh.get_array().reshape(7, 7)
    np.testing.assert_array_equal(drawn[:6, :6], plane["berry_curvature"])
    np.testing.assert_array_equal(drawn[6], drawn[0])
    corners = mesh.get_coordinates()
    np.testing.assert_allclose(corners[6, 6] - corners[0, 0], [6 + 3, 5.4])
    assert ax.get_title() == "bands 1 … 2 at Φ/Φ₀ = 0"
    assert len(ax.figure.axes) == 2


def test_metric_is_its_trace_and_positive(plane):
    _, ax = plt.subplots()
    assert quantum_metric(plane, ax, colorbar=False) is ax
    (mesh,) = ax.collections
    assert mesh.norm.vmin == 0
    np.testing.assert_allclose(mesh.norm.vmax, 2 * 0.75 + 5)
    assert len(ax.figure.axes) == 1


def test_touching_points_are_left_white(plane):
    plane["berry_curvature"][2, 3] = np.nan
    (mesh,) = berry_curvature(plane).collections
    assert mesh.get_array().mask.sum() == 1


def test_wannier_centers_leave_out_what_did_not_converge():
    flow = xr.Dataset(
        {
            "phase": (("loop", "center"), np.linspace(-3, 3, 8).reshape(4, 2)),
            "transverse": ("loop", np.arange(4) / 4),
            "loop_status": ("loop", [0, 0, 5, 0]),
            "chern": -2.0,
        },
        attrs={"flux": "2/5", "direction": 1},
    )
    ax = wannier_flow(flow)
    places = ax.collections[0].get_offsets()
    assert len(places) == 6
    np.testing.assert_allclose(places[-1], [0.75, 3 / (2 * np.pi)])
    assert ax.get_xlabel() == "$k_2$"
    assert ax.get_title() == "Φ/Φ₀ = 2/5, C = −2"


def test_other_datasets_are_refused(plane):
    with pytest.raises(ValueError, match=r"`dataset` must be one of `hofstadter.wannier_flow`, with `phase`"):
        wannier_flow(plane)
    with pytest.raises(ValueError, match="with `berry_curvature`"):
        berry_curvature(plane.drop_vars("berry_curvature"))
