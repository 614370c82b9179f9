"""Interactive pages: what they hold, and what a browser shows on hover."""

import functools
import json
import re
import shutil
import sys

import numpy as np
import pytest
import xarray as xr
from bokeh.document import Document
from bokeh.models import ColumnDataSource, HoverTool
from bokeh.plotting import figure as figure_class
from playwright.sync_api import Error, sync_playwright

from hofstadter.plots import save_html
from tests.plots import harper

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


@functools.cache
def square():
    return harper.butterfly(harper.farey(9))


@functools.cache
def fan():
    """A made-up fan: one gap on the line n = 1/2 + 2φ, of 3 meV at the second flux, and μ = 100 B + n."""
    p, q = np.array([1, 1, 1]), np.array([8, 4, 3])
    flux, filling = p / q, np.linspace(-1, 3, 9)
    field, number = 80 * flux, len(flux)
    table = {
        "s": np.full((number, 2), [0.5, np.nan]),
        "t": np.full((number, 2), [2.0, np.nan]),
        "size": np.array([[2.0, np.nan], [3.0, np.nan], [2.5, np.nan]]),
        "status": np.full((number, 2), [0, 8]),
    }
    table["density"] = table["s"] + table["t"] * flux[:, None]
    table["lower"], table["upper"] = np.zeros((number, 2)), table["size"]
    plane = {
        "chemical_potential": 100 * field[:, None] + filling,
        "inverse_compressibility": 1 + np.abs(field[:, None] - filling),
    }
    return xr.Dataset(
        {name: (("flux", "gap"), values) for name, values in table.items()}
        | {name: (("flux", "filling"), values) for name, values in plane.items()},
        coords={"flux": flux, "p": ("flux", p), "q": ("flux", q), "filling": filling, "field_tesla": ("flux", field)},
        attrs={"model": "made up", "energy_unit": "meV", "density_per_filling": 1.5},
    )


def document(path):
    """The bokeh document that a page holds."""
    page = path.read_text(encoding="utf-8")
    (text,) = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
    (content,) = json.loads(text).values()
    return Document.from_json(content)


def columns(path):
    (source,) = document(path).select({"type": ColumnDataSource, "name": "gaps"})
    return source.data


def test_a_page_needs_no_other_file(tmp_path):
    path = save_html(square(), tmp_path / "new" / "fly.html", title="Harper & <co>")
    page = path.read_text(encoding="utf-8")
    assert not re.search(r"<(script|link|img)[^>]*(src|href)\s*=", page)
    assert "<title>Harper &amp; &lt;co&gt;</title>" in page
    assert path.stat().st_size < 4e6


def test_the_gaps_of_a_butterfly_are_in_its_page(tmp_path):
    data = square()
    path = save_html(data, tmp_path / "fly.html")
    gaps = columns(path)
    rows = np.argwhere((data["status"] == 0).values)
    assert len(gaps["size"]) == len(rows) > 50
    np.testing.assert_allclose(gaps["size"], [data["size"].values[i, j] for i, j in rows])
    assert gaps["fraction"] == [f"{int(data.p[i])}/{int(data.q[i])}" for i, _ in rows]
    assert gaps["s_label"] == [f"{data.s.values[i, j]:.0f}".replace("-", "−") for i, j in rows]
    assert gaps["t_label"] == [f"{data.t.values[i, j]:.0f}".replace("-", "−") for i, j in rows]
    # The pieces of the Wannier diagram lie on n = s + t φ, through the gap's density.
    slope = np.array([data.t.values[i, j] for i, j in rows])
    np.testing.assert_allclose(gaps["n_right"] - gaps["n_left"], slope * (gaps["right"] - gaps["left"]), atol=1e-12)
    tooltips = [tool.tooltips for tool in document(path).select({"type": HoverTool})]
    assert len(tooltips) == 2
    shown = dict(tuple(row) for row in tooltips[0])
    assert list(shown) == ["Φ/Φ₀", "n", "s", "t", "gap"]
    assert shown["gap"] == "@size{%.6g} t"
    assert set(re.findall(r"@(\w+)", " ".join(shown.values()))) <= set(gaps)


def test_gaps_without_a_label_are_marked(tmp_path):
    data = square()
    gaps = columns(save_html(harper.without_labels(data, data["t"] == 1), tmp_path / "fly.html"))
    unknown = [t == "?" for t in gaps["t_label"]]
    assert unknown == [s == "?" for s in gaps["s_label"]]
    assert 0 < sum(unknown) < len(unknown)
    np.testing.assert_array_equal(gaps["n_left"][unknown], gaps["density"][unknown])


def test_the_gaps_of_a_fan_are_in_its_page(tmp_path):
    path = save_html(fan(), tmp_path / "fan.html")
    gaps = columns(path)
    np.testing.assert_allclose(gaps["size"], [2.0, 2.5, 3.0])
    np.testing.assert_allclose(gaps["field"], [10, 80 / 3, 20])
    np.testing.assert_allclose(gaps["density"], [0.75, 7 / 6, 1.0])
    np.testing.assert_allclose(gaps["carriers"], 1.5 * gaps["density"])
    # From 10 T halfway to 20 T, along the line.
    np.testing.assert_allclose([gaps["b_below"][0], gaps["b_above"][0]], [10, 15])
    np.testing.assert_allclose([gaps["n_below"][0], gaps["n_above"][0]], [1.5 * 0.75, 1.5 * 0.875])
    (image,) = document(path).select({"type": ColumnDataSource, "name": "map"})
    (plane,) = image.data["chemical_potential"]
    # 10, 20 and 26.7 T are not even: the four rows of an even grid have the nearest of them.
    np.testing.assert_allclose(plane[:, 0] + 1, [1000, 2000, 2000, 8000 / 3], rtol=1e-6)
    np.testing.assert_allclose(plane[1], 100 * 20 + fan()["filling"])


def test_a_fan_without_laboratory_units(tmp_path):
    data = fan().drop_vars("field_tesla")
    del data.attrs["density_per_filling"]
    gaps = columns(save_html(data, tmp_path / "fan.html"))
    assert not {"carriers", "field"} & set(gaps)
    np.testing.assert_allclose(gaps["b_below"][0], 1 / 8)


@pytest.mark.parametrize(
    ("data", "path", "message"),
    [
        (xr.Dataset({"energy": 1.0}), "a.html", "a butterfly, a Landau fan, .*, but is one with energy"),
        (xr.Dataset({"inverse_compressibility": 1.0}), "a.html", "but is one with inverse_compressibility"),
        (square(), "a.png", "`path` must be a file ending in .html"),
        (xr.concat([square()] * 2, "t2"), "a.html", "a single butterfly, but is one for each t2"),
        (xr.concat([fan()] * 2, "t2"), "a.html", "a single map, but is one for each t2"),
        (
            fan().assign(inverse_compressibility=fan()["inverse_compressibility"] * np.nan),
            "a.html",
            "but is without any",
        ),
    ],
)
def test_what_makes_no_page(data, path, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        save_html(data, tmp_path / path)
    assert not list(tmp_path.iterdir())


def test_without_bokeh(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "bokeh.embed", None)
    with pytest.raises(ImportError, match=r'pip install "hofstadter\[html\]"'):
        save_html(square(), tmp_path / "a.html")


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium: of the system, or the one that playwright installs."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        try:
            # Chromium's own sandbox does not start for root, as in containers.
            running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except Error as error:
            if path is None and "Executable doesn't exist" in str(error):
                pytest.skip("There is no Chromium: install the system's, or run `playwright install chromium`.")
            raise
        yield running
        running.close()


@pytest.fixture
def hover(browser):
    """Open a page without a network, point at a place of its first figure, and read the labels that appear."""

    def read(path, name, x, y):
        context = browser.new_context(viewport={"width": 1200, "height": 600}, offline=True)
        page = context.new_page()
        asked, wrong = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(path.as_uri())
        page.wait_for_function("window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].is_idle")
        place = page.evaluate(
            """([name, x, y]) => {
                const view = Bokeh.index.find_one(Bokeh.documents[0].get_model_by_name(name));
                const box = view.canvas_view.el.getBoundingClientRect();
                return [box.left + view.frame.x_scale.compute(x), box.top + view.frame.y_scale.compute(y)];
            }""",
            [name, x, y],
        )
        page.mouse.move(*place)
        page.locator(".bk-tooltip-row-value").first.wait_for()
        labels = page.locator(".bk-tooltip-row-label").all_inner_texts()
        values = page.locator(".bk-tooltip-row-value").all_inner_texts()
        context.close()
        assert (asked, wrong) == ([path.as_uri()], [])
        return [(label.strip().removesuffix(":"), value.strip()) for label, value in zip(labels, values, strict=True)]

    return read


def test_hovering_a_gap_of_a_butterfly(hover, tmp_path):
    path = save_html(square(), tmp_path / "fly.html")
    third = square().sel(flux=1 / 3, method="nearest")
    middle = float(third["lower"][0] + third["upper"][0]) / 2
    expected = [("Φ/Φ₀", "1/3"), ("n", "0.333333 per cell"), ("s", "0"), ("t", "1")]
    size = float(third["size"][0])
    assert hover(path, "butterfly", 1 / 3, middle) == [*expected, ("gap", f"{size:.6g} t")]
    # The same gap in the Wannier diagram.
    assert hover(path, "wannier_diagram", 1 / 3, 1 / 3) == [*expected, ("gap", f"{size:.6g} t")]


def test_hovering_a_fan(hover, tmp_path):
    path = save_html(fan(), tmp_path / "fan.html")
    seen = hover(path, "landau_fan", 1.5, 20.0)
    gap = [("Φ/Φ₀", "1/4"), ("B", "20.0000 T"), ("n", "1.000000 per cell"), ("n", "1.5000 · 10¹² cm⁻²")]
    gap += [("s", "0.5"), ("t", "2"), ("gap", "3 meV")]
    assert set(gap) <= set(seen)
    assert hover(path, "gap_map", 1.5, 20.0) == gap
    # Beside the line there is the map alone: the row of 20 T, and the column of −0.5 electrons per cell.
    seen = dict(hover(path, "landau_fan", -0.75, 20.0))
    assert list(seen) == ["B", "n", "μ", "dμ/dn"]
    assert float(seen["B"].removesuffix(" T")) == pytest.approx(20, abs=0.2)
    assert float(seen["μ"].removesuffix(" meV")) == pytest.approx(1999.5)
    assert seen["dμ/dn"] == "21.5 meV per electron and cell"


def test_a_fan_without_gaps_is_a_map_alone(tmp_path):
    data = fan().assign(status=fan()["status"] * 0 + 8)
    found = document(save_html(data, tmp_path / "fan.html"))
    assert [figure.name for figure in found.select({"type": figure_class})] == ["landau_fan"]


@pytest.mark.parametrize(
    ("quantity", "column", "labels"),
    [
        ("density_of_states", "energy", ["E", "B", "DOS", "n"]),
        ("magnetization", "chemical_potential", ["μ", "B", "M", "n", "∂n/∂φ"]),
    ],
)
def test_hovering_other_maps(hover, tmp_path, quantity, column, labels):
    energies, field = np.linspace(-2, 2, 5), np.array([10.0, 20.0, 40.0])
    values = 10 * field[:, None] + energies
    names = {"density_of_states": ["density_of_states", "integrated_density"]}
    names["magnetization"] = ["magnetization", "density", "density_slope"]
    data = xr.Dataset(
        {name: (("flux", column), values + shift) for shift, name in enumerate(names[quantity])},
        coords={"flux": field / 80, "field_tesla": ("flux", field), column: energies},
        attrs={"energy_unit": "meV"},
    )
    seen = dict(hover(save_html(data, tmp_path / "map.html"), quantity, 12.0, 1.2))
    assert list(seen) == labels
    # The nearest field is 10 T, the nearest energy 1 meV.
    assert [float(seen[name].split()[0]) for name in labels[2:]] == [101 + shift for shift in range(len(labels) - 2)]
    assert seen[column[0].upper() if quantity == "density_of_states" else "μ"].endswith(" meV")
