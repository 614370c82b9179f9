"""Self-contained interactive pages: butterflies, Wannier diagrams and Landau fans to zoom into, with labels on hover.

The script that draws them (bokeh) is a part of the page, so it opens without a network.
"""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
from matplotlib.colors import to_hex

from hofstadter._checks import fail
from hofstadter.errors import Status
from hofstadter.plots import _style, _table, _wings

_FAN = ("chemical_potential", "inverse_compressibility", "density", "size", "s", "t", "status")

_TOOLS = "pan,wheel_zoom,box_zoom,reset,save"

_WIDEST, _THINNEST = 5.0, 0.6
"""Widths of the lines of gaps in pixels. They go with the root of the gap, else few lines would show."""

_FEW = 1e-2
"""Gaps of a fan below this part of the largest one are not drawn as lines."""

_CONTRAST = 98.0
"""Percentile of the inverse compressibility that is the lightest color: narrow peaks in gaps would hide all else."""


def save_html(dataset: xr.Dataset, path: str | Path, *, title: str = "") -> Path:
    """Write an interactive page of a butterfly, with its Wannier diagram, or of a Landau fan.

    The wheel zooms, dragging moves, hovering a gap shows its flux or field B, density n, labels s and t, and size. In a
    fan, hovering anywhere shows B, n, the chemical potential and dμ/dn.

    Args:
        dataset: A dataset of `hofstadter.butterfly` or `hofstadter.landau_fan`.
        path: The file to write, ending in .html.
        title: What to call the page; by default the name of the model.

    Returns:
        The path.

    Raises:
        ValueError: If the dataset is neither, has further dimensions, or the path does not end in .html.
        ImportError: If bokeh (extra `html`) is not installed.
    """
    path = Path(path)
    if path.suffix.lower() != ".html":
        raise fail("path", "a file ending in .html", path)
    try:
        from bokeh.embed import file_html
        from bokeh.layouts import row
        from bokeh.resources import INLINE
    except ImportError as error:
        raise ImportError(
            f'Interactive pages need the package {error.name}. Install it by `pip install "hofstadter[html]"`.',
            name=error.name,
        ) from error
    if "inverse_compressibility" in dataset:
        figures = [_fan(dataset)]
    elif "band_lower" in dataset:
        figures = _butterfly(dataset)
    else:
        raise fail("dataset", "a butterfly or a Landau fan", f"one with {', '.join(map(str, dataset.data_vars))}")
    name = title or str(dataset.attrs.get("model", "Hofstadter"))
    page = file_html(row(*figures, sizing_mode="stretch_both"), INLINE, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def _figure(x: str, y: str, **options: Any) -> Any:
    """Axes with labels, that fill the page and zoom by the wheel: a bokeh figure."""
    from bokeh.models import WheelZoomTool
    from bokeh.plotting import figure

    # Bokeh's own types know neither selectors by class nor the ends of a range.
    axes: Any = figure(x_axis_label=x, y_axis_label=y, tools=_TOOLS, sizing_mode="stretch_both", **options)
    axes.toolbar.active_scroll = axes.select_one(WheelZoomTool)
    axes.toolbar.logo = None
    axes.xgrid.visible = axes.ygrid.visible = False
    return axes


def _hover(
    renderer: Any, rows: list[tuple[str, str]], side: Literal["horizontal", "above", "below"] = "horizontal"
) -> Any:
    from bokeh.models import HoverTool

    energies = ("@size", "@chemical_potential", "@inverse_compressibility")
    return HoverTool(
        renderers=[renderer],
        tooltips=rows,
        formatters=dict.fromkeys(energies, "printf"),
        point_policy="follow_mouse",
        attachment=side,
    )


def _gap_rows(columns: dict[str, Any], unit: str) -> list[tuple[str, str]]:
    """What the label of a gap shows."""
    energy = f" {unit}" if unit else ""
    rows = [("Φ/Φ₀", "@fraction")]
    rows += [("B", "@field{0.0000} T")] if "field" in columns else []
    rows += [("n", "@density{0.000000} per cell")]
    rows += [("n", "@carriers{0.0000} · 10¹² cm⁻²")] if "carriers" in columns else []
    return [*rows, ("s", "@s_label"), ("t", "@t_label"), ("gap", f"@size{{%.6g}}{energy}")]


def _label_texts(labels: np.ndarray) -> list[str]:
    """Integers and half-integers as text; a question mark where a label is not known."""
    return [f"{x:g}".replace("-", "−") if np.isfinite(x) else "?" for x in np.round(labels, 6) + 0.0]


def _hex_colors(rows: np.ndarray) -> list[str]:
    return [to_hex(row) for row in rows]


def _butterfly(dataset: xr.Dataset) -> list[Any]:
    """Energy over flux and density over flux, of the same gaps: what is selected in one is so in the other."""
    from bokeh.models import ColumnDataSource

    table = _table.read(dataset)
    colors = _style.chern_colors(None, table.t, table.area)
    column = table.column
    left, right = table.cells[column].T
    s, t = np.where(table.known, table.s, np.nan), np.where(table.known, table.t, 0.0)
    # A gap without a label has no slope either.
    middle = table.density - t * table.flux[column]
    width = np.sqrt(table.size / (table.size.max(initial=0.0) or 1.0))
    columns: dict[str, Any] = {
        "left": left,
        "right": right,
        "lower": table.lower,
        "upper": table.upper,
        "n_left": middle + t * left,
        "n_right": middle + t * right,
        "width": np.maximum(_WIDEST * width, _THINNEST),
        "color": _hex_colors(np.where(table.known[:, None], colors(table.t), colors(np.array([np.nan])))),
        "fraction": [f"{p}/{q}" for p, q in zip(table.p[column], table.q[column], strict=True)],
        "density": table.density,
        "size": table.size,
        "s_label": _label_texts(s),
        "t_label": _label_texts(np.where(table.known, table.t, np.nan)),
    }
    if "field_tesla" in dataset.coords:
        tesla = dict(zip(dataset["flux"].values.tolist(), dataset["field_tesla"].values.tolist(), strict=True))
        columns["field"] = np.array([tesla[flux] for flux in table.flux[column].tolist()])
    source = ColumnDataSource(columns, name="gaps")
    rows = _gap_rows(columns, dataset.attrs.get("energy_unit", ""))

    energy = _figure("flux per cell Φ/Φ₀", _style.energy_label(dataset), name="butterfly")
    _draw_wings(energy, table, colors)
    boxes = {"left": "left", "right": "right", "bottom": "lower", "top": "upper", "source": source}
    looks = {"fill_alpha": 0.0, "line_alpha": 0.0, "fill_color": "#ffffff", "line_color": _style.INK}
    quads = energy.quad(**boxes, **looks, hover_fill_alpha=0.35, hover_line_alpha=1.0, nonselection_fill_alpha=0.0)
    energy.add_tools(_hover(quads, rows))

    density = _figure("flux per cell Φ/Φ₀", "density (states per cell)", name="wannier_diagram", x_range=energy.x_range)
    ends = {"x0": "left", "x1": "right", "y0": "n_left", "y1": "n_right", "source": source}
    lines = density.segment(**ends, line_width="width", line_color="color", hover_line_color=_style.INK)
    density.add_tools(_hover(lines, rows))
    _key_of_colors(density, colors)
    return [energy, density]


def _draw_wings(axes: Any, table: _table.Table, colors: _style.ChernColors) -> None:
    """The gaps as colored polygons on black bands, as `hofstadter.plots.butterfly` draws them."""
    ground = []
    for run in np.split(np.arange(table.flux.size), np.flatnonzero(~table.joined) + 1):
        x, (low, high) = table.flux[run], table.spectrum[run].T
        ground.append((np.append(x, x[::-1]), np.append(low, high[::-1])))
    axes.patches([x for x, _ in ground], [y for _, y in ground], fill_color=_style.INK, line_alpha=0.0)
    chains = _wings.wings(table)
    shapes = _wings.polygons(table, chains)
    fills = _hex_colors(colors(table.t[chains.order[chains.start]])) if shapes else []
    xs, ys = [shape[:, 0] for shape in shapes], [shape[:, 1] for shape in shapes]
    axes.patches(xs, ys, fill_color=fills, line_color=_style.INK, line_width=0.3)
    alone = table.alone[table.column]
    if alone.any():
        # Fluxes that are joined to no other are level diagrams: bands as bars.
        number, band = np.nonzero(np.isfinite(table.band_lower) & table.alone[:, None])
        left, right = table.cells[number].T
        low, high = table.band_lower[number, band], table.band_upper[number, band]
        axes.quad(left=left, right=right, bottom=low, top=high, fill_color=_style.INK, line_color=_style.INK)


def _key_of_colors(axes: Any, colors: _style.ChernColors) -> None:
    from bokeh.models import ColorBar, FixedTicker, LinearColorMapper

    numbers = np.arange(-colors.max_chern, colors.max_chern + 1)
    mapper = LinearColorMapper(palette=_hex_colors(colors(numbers)), low=numbers[0] - 0.5, high=numbers[-1] + 0.5)
    ticker = FixedTicker(ticks=[int(number) for number in numbers])
    axes.add_layout(ColorBar(color_mapper=mapper, ticker=ticker, title="t"), "right")


def _fan(dataset: xr.Dataset) -> Any:
    """Inverse compressibility over density and field, with the gaps on their lines."""
    from bokeh.models import ColorBar, ColumnDataSource, LinearColorMapper

    missing = [name for name in _FAN if name not in dataset]
    if missing:
        raise fail("dataset", f"a fan with {', '.join(_FAN)}", f"without {', '.join(missing)}")
    swept = [str(name) for name in dataset["inverse_compressibility"].dims if name not in ("flux", "filling")]
    if swept:
        hint = f"Select one, such as dataset.isel({swept[0]}=0)."
        raise fail("dataset", "a single fan", f"one for each {', '.join(swept)}", hint)
    dataset = dataset.sortby("flux")
    tesla = "field_tesla" in dataset.coords and "density_per_filling" in dataset.attrs
    per_filling = float(dataset.attrs["density_per_filling"]) if tesla else 1.0
    flux, density = dataset["flux"].values, dataset["filling"].values * per_filling
    field = dataset["field_tesla"].values if tesla else flux
    unit = dataset.attrs.get("energy_unit", "")
    axes = _figure(
        "density (10¹² cm⁻²)" if tesla else "electrons per cell",
        "field B (T)" if tesla else "flux per cell Φ/Φ₀",
        name="landau_fan",
    )
    planes = {}
    for name in ("inverse_compressibility", "chemical_potential"):
        plane = dataset[name].transpose("flux", "filling").values
        planes[name], box = _even_grid(plane, field, density)
    if not np.isfinite(planes["inverse_compressibility"]).any():
        raise fail("dataset", "a fan with an inverse compressibility somewhere", "without any")
    low, high = np.nanpercentile(planes["inverse_compressibility"], [0, _CONTRAST])
    mapper = LinearColorMapper(palette="Viridis256", low=float(low), high=float(high), nan_color="#ffffff")
    image = ColumnDataSource({**{name: [plane] for name, plane in planes.items()}}, name="map")
    drawn = axes.image("inverse_compressibility", source=image, color_mapper=mapper, level="image", **box)
    axes.add_layout(ColorBar(color_mapper=mapper, title=f"dμ/dn ({unit})" if unit else "dμ/dn"), "right")
    place = [("Φ/Φ₀", "$y"), ("n", "$x per cell")]
    if tesla:
        place = [("B", "$y{0.0000} T"), ("n", "$x{0.0000} · 10¹² cm⁻²")]
    values = [("μ", f"@chemical_potential{{%.6g}} {unit}"), ("dμ/dn", f"@inverse_compressibility{{%.6g}} {unit}")]
    axes.add_tools(_hover(drawn, [*place, *values], "below"))

    columns = _gap_dashes(dataset, flux, field, per_filling, tesla)
    source = ColumnDataSource(columns, name="gaps")
    ends = {"x0": "n_below", "x1": "n_above", "y0": "b_below", "y1": "b_above", "source": source}
    lines = axes.segment(**ends, line_width="width", line_color="#ffffff", line_alpha=0.6, hover_line_color="#e2502f")
    axes.add_tools(_hover(lines, _gap_rows(columns, unit), "above"))
    axes.x_range.start, axes.x_range.end = box["x"], box["x"] + box["dw"]
    axes.y_range.start, axes.y_range.end = box["y"], box["y"] + box["dh"]
    return axes


def _even_grid(plane: np.ndarray, field: np.ndarray, density: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
    """Values on an even grid, each from the nearest of the given fields and densities, and the box it fills."""
    axes, starts, lengths = [], [], []
    for values in (field, density):
        step = (values[-1] - values[0]) / (len(values) - 1) if len(values) > 1 else 1.0
        start = values[0] - step / 2
        even = start + step * (np.arange(len(values)) + 0.5)
        borders = (values[1:] + values[:-1]) / 2
        axes.append(np.searchsorted(borders, even))
        starts.append(float(start))
        lengths.append(float(step * len(values)))
    box = {"x": starts[1], "y": starts[0], "dw": lengths[1], "dh": lengths[0]}
    return plane[np.ix_(*axes)].astype(np.float32), box


def _gap_dashes(
    dataset: xr.Dataset, flux: np.ndarray, field: np.ndarray, per_filling: float, tesla: bool
) -> dict[str, Any]:
    """Each labelled gap as a piece of its line n = s + t φ, halfway to the neighboring fluxes: columns for bokeh."""
    size = dataset["size"].transpose("flux", "gap").values
    wide = size > _FEW * np.nanmax(size, initial=0.0)
    row, slot = np.nonzero(wide & (dataset["status"].transpose("flux", "gap").values == Status.OK))
    taken = {name: dataset[name].transpose("flux", "gap").values[row, slot] for name in ("density", "size", "s", "t")}
    order = np.argsort(taken["size"], kind="stable")
    row, taken = row[order], {name: values[order] for name, values in taken.items()}
    half = np.diff(flux) / 2 if len(flux) > 1 else np.zeros(0)
    below, above = np.append(0.0, half)[row], np.append(half, 0.0)[row]
    tesla_per_flux = np.divide(field, flux, out=np.ones_like(field), where=flux > 0)[row]
    columns: dict[str, Any] = {
        "n_below": (taken["density"] - taken["t"] * below) * per_filling,
        "n_above": (taken["density"] + taken["t"] * above) * per_filling,
        "b_below": field[row] - below * tesla_per_flux,
        "b_above": field[row] + above * tesla_per_flux,
        "width": np.maximum(_WIDEST * np.sqrt(taken["size"] / taken["size"].max(initial=1e-300)), _THINNEST),
        "fraction": [f"{p}/{q}" for p, q in zip(dataset["p"].values[row], dataset["q"].values[row], strict=True)],
        "density": taken["density"],
        "size": taken["size"],
        "s_label": _label_texts(taken["s"]),
        "t_label": _label_texts(taken["t"]),
    }
    if tesla:
        columns |= {"field": field[row], "carriers": taken["density"] * per_filling}
    return columns
