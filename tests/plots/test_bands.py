import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_rgba
from mpl_toolkits.mplot3d.art3d import Poly3DCollection

from hofstadter.plots import _style, band_surface, bands


@pytest.fixture
def path():
    k = np.linspace(0, 2 * np.pi, 41)
    return xr.Dataset(
        {
            "energy": (("point", "band"), np.stack([-2 - np.cos(k), np.cos(k)], axis=1)),
            "distance": ("point", k),
        },
        attrs={
            "corners": [0, 20, 40],
            "corner_labels": ["Gamma", "X", "Gamma"],
            "flux": "1/2",
            "energy_unit": "t",
        },
    )


@pytest.fixture
def surface():
    kx, ky = np.meshgrid(np.linspace(-3, 3, 12), np.linspace(-1, 1, 9), indexing="ij")
    energy = np.stack([-3 - np.cos(kx), np.cos(kx) + np.cos(ky), 3 + np.sin(ky)], axis=-1)
    return xr.Dataset(
        {"energy": (("k1", "k2", "band"), energy)},
        coords={"kx": (("k1", "k2"), kx), "ky": (("k1", "k2"), ky)},
    )


def test_one_line_per_band_with_corner_names(path):
    ax = bands(path)
    lines = [line for line in ax.lines if len(line.get_xdata()) == 41]
    for number, line in enumerate(lines):
        np.testing.assert_array_equal(line.get_ydata(), path["energy"][:, number])
    assert len(lines) == 2
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["Γ", "X", "Γ"]
    np.testing.assert_allclose(ax.get_xticks(), [0, np.pi, 2 * np.pi])
    assert ax.get_ylabel() == "energy (t)"
    assert "1/2" in ax.get_title()


def test_bands_in_the_caller_s_axes_and_colors(path):
    _, ax = plt.subplots()
    assert bands(path, ax, color=["tab:red", "k"]) is ax
    assert [to_rgba(line.get_color()) for line in ax.lines[:2]] == [to_rgba("tab:red"), to_rgba("k")]
    assert all(to_rgba(line.get_color()) == to_rgba("g") for line in bands(path, color="g").lines[:2])
    with pytest.raises(ValueError, match="`color` must be one color, or 2"):
        bands(path, color=["r", "g", "b"])


def test_bands_take_the_colors_of_their_chern_numbers(path):
    ax = bands(path.assign(chern=("band", [-2.0, np.nan])))
    lower, upper = (to_rgba(line.get_color()) for line in ax.lines[:2])
    np.testing.assert_allclose(lower, _style.ChernColors(2)(-2)[0])
    assert upper == to_rgba(_style.HATCH)
    assert len(ax.figure.axes) == 2
    nothing = bands(path.assign(chern=("band", [np.nan, np.nan])))
    assert len(nothing.figure.axes) == 1


def test_a_path_without_attributes_is_drawn(path):
    path.attrs.clear()
    ax = bands(path)
    assert ax.get_title() == ""
    assert ax.get_ylabel() == "energy"


def test_names_must_fit_the_corners(path):
    path.attrs["corner_labels"] = ["X"]
    with pytest.raises(ValueError, match="`corner_labels` must be as many as the 3 `corners`"):
        bands(path)


def test_one_surface_per_band_lowest_first(surface):
    ax = band_surface(surface)
    found = [c for c in ax.collections if isinstance(c, Poly3DCollection)]
    assert len(found) == 3
    assert np.all(np.diff([c.get_zorder() for c in found]) > 0)
    ax.figure.canvas.draw()


@pytest.mark.parametrize(("chosen", "count"), [(1, 1), ([2, 0], 2), (range(2), 2)])
def test_some_bands_only(surface, chosen, count):
    assert len(band_surface(surface, bands=chosen).collections) == count


def test_surfaces_in_the_caller_s_axes(surface):
    ax = plt.figure().add_subplot(projection="3d")
    assert band_surface(surface, ax) is ax
    with pytest.raises(ValueError, match="`ax` must be three-dimensional, but is Axes"):
        band_surface(surface, plt.figure().add_subplot())


def test_bands_that_do_not_exist_are_refused(surface):
    with pytest.raises(ValueError, match="`bands` must be between 0 and 2, but is 3"):
        band_surface(surface, bands=[3])


def test_a_flat_band_is_a_plane(surface):
    surface["energy"][..., 1] = 0.0
    band_surface(surface, bands=1).figure.canvas.draw()
