import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import rgb_to_hsv, to_rgba

from hofstadter.plots import _style, butterfly
from tests.plots import harper


@pytest.mark.parametrize("max_chern", [1, 2, 5, 6, 12])
def test_every_chern_number_has_its_own_color(max_chern):
    colors = _style.ChernColors(max_chern)
    rows = colors(np.arange(-max_chern, max_chern + 1))
    assert len(np.unique(rows, axis=0)) == 2 * max_chern + 1
    assert tuple(rows[max_chern]) == to_rgba(_style.NEUTRAL)
    # Negative is cold, positive is warm.
    hue = rgb_to_hsv(rows[:, :3])[:, 0]
    assert np.all((hue[:max_chern] > 0.25) & (hue[:max_chern] < 0.7))
    assert np.all((hue[max_chern + 1 :] < 0.2) | (hue[max_chern + 1 :] > 0.9))


def test_colors_beyond_the_last_repeat_and_nan_has_none():
    colors = _style.ChernColors(2)
    np.testing.assert_array_equal(colors([3, -9]), colors([2, -2]))
    assert tuple(colors([np.nan])[0]) == to_rgba(_style.UNKNOWN)


def test_number_of_colors_follows_the_area():
    chern = np.array([1, -1, 2, 3, 40, np.nan])
    assert _style.choose_max_chern(chern, np.array([5, 5, 0.1, 0.1, 0.1, 9])) == 1
    assert _style.choose_max_chern(chern, np.array([5, 5, 2, 1, 0.1, 9])) == 3
    assert _style.choose_max_chern(chern, np.array([1, 1, 1, 1, 1, 1])) == 6
    assert _style.choose_max_chern(np.array([0.0]), np.array([1.0])) == 1
    assert _style.choose_max_chern(np.array([np.nan]), np.array([1.0])) == 1


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_saved_files_depend_on_the_picture_alone(tmp_path, suffix):
    data = harper.butterfly(harper.farey(9))
    files = [_style.save(butterfly(data), tmp_path / "new" / f"{n}.{suffix}", dpi=60) for n in (1, 2)]
    first, second = (file.read_bytes() for file in files)
    assert first == second
    assert b"atplotlib v" not in first


def test_saving_keeps_300_dots_per_inch(tmp_path):
    ax = plt.figure(figsize=(2, 1)).add_subplot()
    height, width, _ = plt.imread(_style.save(ax, tmp_path / "a.png")).shape
    assert 400 < width < 700
    assert 200 < height < 400


def test_arrows_of_the_colorbar_show_what_lies_beyond():
    data = harper.butterfly(harper.farey(9))
    for max_chern, extend in ((2, "both"), (8, "neither")):
        ax = butterfly(data, max_chern=max_chern)
        (key,) = [other for other in ax.figure.axes if other is not ax]
        assert key._colorbar.extend == extend
