import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from hofstadter.plots import _style, butterfly, wannier_diagram
from tests.plots import harper


def collection(ax, label):
    (found,) = [c for c in ax.collections if c.get_label() == label]
    return found


def color_at(ax, flux, energy):
    gaps = collection(ax, "gaps")
    owners = [i for i, path in enumerate(gaps.get_paths()) if path.contains_point((flux, energy))]
    assert len(owners) == 1
    return tuple(gaps.get_facecolors()[owners[0]])


@pytest.fixture(scope="module")
def data():
    return harper.butterfly(harper.farey(11))


PICTURES = pytest.mark.parametrize("draw", [butterfly, wannier_diagram])


def test_colors_are_those_of_the_chern_numbers(data):
    ax = butterfly(data, max_chern=3)
    colors = _style.ChernColors(3)
    for i in range(data.sizes["flux"]):
        at = data.isel(flux=i)
        for g in np.flatnonzero((at["status"] == 0) & (at["size"] > 0.05)):
            middle = float(at["lower"][g] + at["upper"][g]) / 2
            assert color_at(ax, float(at["flux"]), middle) == tuple(colors(at["t"][g])[0])


def test_one_polygon_per_wing_and_bands_below_all(data):
    ax = butterfly(data)
    gaps, bands = collection(ax, "gaps"), collection(ax, "bands")
    assert len(gaps.get_paths()) == len(gaps.get_facecolors())
    assert len(gaps.get_paths()) < 0.6 * int((data["status"] == 0).sum())
    assert bands.get_zorder() < gaps.get_zorder()
    assert len(bands.get_paths()) == 1
    assert bands.get_paths()[0].contains_point((0.5, 1.0))


def test_bands_can_be_left_blank(data):
    ax = butterfly(data, show_bands=False)
    assert [c.get_label() for c in ax.collections] == ["gaps"]
    assert len(collection(ax, "gaps").get_edgecolors()) == 0


def test_axes_say_what_they_show(data):
    ax = butterfly(data)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("flux per cell Φ/Φ₀", "energy (t)")
    assert ax.get_xlim() == (0, 1)
    low, high = ax.get_ylim()
    assert low < -4
    assert high > 4
    ax.figure.canvas.draw()
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0", "1/4", "1/3", "1/2", "2/3", "3/4", "1"]
    (key,) = [other for other in ax.figure.axes if other is not ax]
    assert key.get_ylabel() == "gap Chern number t"
    assert "+1" in [tick.get_text() for tick in key.get_yticklabels()]
    assert "0" in [tick.get_text() for tick in key.get_yticklabels()]


@PICTURES
def test_the_caller_s_axes_are_used(draw, data):
    figure, axes = plt.subplots(1, 2)
    assert draw(data, axes[1], colorbar=False) is axes[1]
    assert plt.get_fignums() == [figure.number]
    assert not axes[0].collections
    assert len(figure.axes) == 2


@PICTURES
def test_global_settings_stay(draw, data):
    before = mpl.rcParams.copy()
    draw(data).figure.canvas.draw()
    assert mpl.rcParams == before


@PICTURES
def test_order_of_fluxes_does_not_matter(draw, data, rng):
    shuffled = data.isel(flux=rng.permutation(data.sizes["flux"]))
    a, b = (collection(draw(d), "gaps") for d in (data, shuffled))
    for one, other in zip(a.get_paths(), b.get_paths(), strict=True):
        np.testing.assert_array_equal(one.vertices, other.vertices)
    np.testing.assert_array_equal(a.get_facecolors(), b.get_facecolors())
    np.testing.assert_array_equal(a.get_edgecolors(), b.get_edgecolors())


@PICTURES
@pytest.mark.parametrize(
    "fluxes",
    [
        [(2, 5)],
        [(0, 1)],
        [(1, 5), (1, 3), (2, 3)],
        [(-1, 3), (1, 3), (4, 3)],
        harper.farey(6, -1, 2),
        [(p, 23) for p in range(1, 23)],
        [(1, q) for q in range(3, 14)],
    ],
    ids=["one", "zero field", "three", "negative", "three quanta", "even", "towards zero"],
)
def test_any_list_of_fluxes_is_drawn(draw, fluxes):
    ax = draw(harper.butterfly(fluxes))
    ax.figure.canvas.draw()
    low, high = ax.get_xlim()
    assert low <= min(p / q for p, q in fluxes)
    assert high >= max(p / q for p, q in fluxes)
    assert high > low


@PICTURES
def test_few_fluxes_are_named(draw):
    ax = draw(harper.butterfly([(1, 5), (1, 3), (2, 3)]))
    ax.figure.canvas.draw()
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1/5", "1/3", "2/3"]


def test_few_fluxes_are_level_diagrams():
    ax = butterfly(harper.butterfly([(1, 5), (1, 3), (2, 3)]))
    levels = collection(ax, "levels")
    assert len(levels.get_paths()) == 5 + 3 + 3
    assert levels.get_zorder() > collection(ax, "gaps").get_zorder()
    assert len(collection(ax, "bands").get_paths()) == 0
    assert len(collection(ax, "gaps").get_paths()) == 4 + 2 + 2


@PICTURES
def test_gaps_without_a_label_are_counted(draw, data):
    assert draw(data).get_legend() is None
    wide = (data["size"] > 0.5) & (data["flux"] > 0.4) & (data["flux"] < 0.5) & (data["t"] == 1)
    count = int(wide.sum())
    assert count > 1
    ax = draw(harper.without_labels(data, wide))
    ax.figure.canvas.draw()
    (text,) = ax.get_legend().get_texts()
    assert text.get_text() == f"no label ({count} gaps)"


def test_gaps_without_a_label_are_hatched_and_without_color(data):
    wide = (data["size"] > 0.5) & (data["flux"] == 2 / 5)
    ax = butterfly(harper.without_labels(data, wide))
    unknown = collection(ax, "gaps without label")
    assert unknown.get_hatch()
    assert len(unknown.get_paths()) == int(wide.sum()) == 2
    table = data.sel(flux=2 / 5)
    middle = float(table["lower"][1] + table["upper"][1]) / 2
    assert any(path.contains_point((2 / 5, middle)) for path in unknown.get_paths())
    assert not any(path.contains_point((2 / 5, middle)) for path in collection(ax, "gaps").get_paths())


def test_a_butterfly_without_any_label_is_black_and_white(data):
    ax = butterfly(harper.without_labels(data, data["status"] == 0))
    ax.figure.canvas.draw()
    assert [c.get_label() for c in ax.collections] == ["levels", "bands"]
    bands = collection(ax, "bands")
    assert len(bands.get_paths()) == int(data["q"].sum())
    assert ax.get_legend() is None
    assert len(ax.figure.axes) == 1
    # Bands of exponentially small width are still seen.
    assert min(np.ptp(path.vertices[:, 1]) for path in bands.get_paths()) > 0.01


@PICTURES
def test_max_chern_must_be_positive(draw, data):
    with pytest.raises(ValueError, match="`max_chern` must be at least 1, but is 0"):
        draw(data, max_chern=0)


def test_lines_of_the_wannier_diagram_are_straight(data):
    ax = wannier_diagram(data, max_chern=2)
    lines = collection(ax, "gaps")
    colors = _style.ChernColors(2)
    assert ax.get_ylabel() == "density (states per cell)"
    assert ax.get_ylim() == (0, 1)
    assert len(lines.get_linewidths()) == len(lines.get_paths())
    for path, color in zip(lines.get_paths(), lines.get_edgecolors(), strict=True):
        (x0, n0), (x1, n1) = path.vertices
        slope = (n1 - n0) / (x1 - x0)
        assert slope == pytest.approx(round(slope), abs=1e-6)
        assert n0 - slope * x0 == pytest.approx(round(n0 - slope * x0), abs=1e-6)
        assert tuple(color) == tuple(colors(round(slope))[0])


def test_wide_gaps_are_wide_lines(data):
    lines = collection(wannier_diagram(data), "gaps")
    ends = np.array([path.vertices for path in lines.get_paths()])
    chern = np.rint((ends[:, 1, 1] - ends[:, 0, 1]) / (ends[:, 1, 0] - ends[:, 0, 0]))
    width = np.array(lines.get_linewidths())
    mean = [width[np.abs(chern) == t].mean() for t in (1, 2, 3, 4)]
    assert np.all(np.diff(mean) < 0)
    assert 3 < width.max() <= 4
