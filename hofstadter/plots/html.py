"""Self-contained interactive pages: butterflies, Wannier diagrams and maps over a field to zoom into, with labels.

The script that draws them (bokeh) is a part of the page, so it opens without a network.
"""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hofstadter._checks import fail
from hofstadter.plots import _html_maps, _style, _table, _wings
from hofstadter.plots._html_parts import (
    add_key_of_colors,
    gap_rows,
    hex_colors,
    hover_tool,
    label_texts,
    line_widths,
    new_figure,
)


def save_html(dataset: xr.Dataset, path: str | Path, *, title: str = "") -> Path:
    """Write an interactive page of a butterfly with its Wannier diagram, of a Landau fan, or of a map over a field.

    The wheel zooms, dragging moves, hovering a gap shows its flux or field B, density n, labels s and t, and size. On a
    map, hovering shows the field and the values there.

    Args:
        dataset: A dataset of `hofstadter.butterfly`, `hofstadter.landau_fan`, `hofstadter.density_of_states` or
            `hofstadter.magnetization`.
        path: The file to write, ending in .html.
        title: What to call the page; by default the name of the model.

    Returns:
        The path.

    Raises:
        ValueError: If the dataset is none of these, has further dimensions, or the path does not end in .html.
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
    figures = _butterfly(dataset) if "band_lower" in dataset else _html_maps.figures(dataset)
    name = title or str(dataset.attrs.get("model", "Hofstadter"))
    page = file_html(row(*figures, sizing_mode="stretch_both"), INLINE, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def _butterfly(dataset: xr.Dataset) -> list[Any]:
    """Energy over flux and density over flux, of the same gaps: what is pointed at in one is marked in the other."""
    from bokeh.models import ColumnDataSource

    table = _table.read(dataset)
    colors = _style.chern_colors(None, table.t, table.area)
    column = table.column
    left, right = table.cells[column].T
    unknown = np.where(table.known, 0.0, np.nan)
    # A gap without a label has no slope either.
    slope = np.where(table.known, table.t, 0.0)
    middle = table.density - slope * table.flux[column]
    columns: dict[str, Any] = {
        "left": left,
        "right": right,
        "lower": table.lower,
        "upper": table.upper,
        "n_left": middle + slope * left,
        "n_right": middle + slope * right,
        "width": line_widths(table.size),
        "color": hex_colors(colors(table.t + unknown)),
        "fraction": [f"{p}/{q}" for p, q in zip(table.p[column], table.q[column], strict=True)],
        "density": table.density,
        "size": table.size,
        "s_label": label_texts(table.s + unknown),
        "t_label": label_texts(table.t + unknown),
    }
    if "field_tesla" in dataset.coords:
        tesla = dict(zip(dataset["flux"].values.tolist(), dataset["field_tesla"].values.tolist(), strict=True))
        columns["field"] = np.array([tesla[flux] for flux in table.flux[column].tolist()])
    source = ColumnDataSource(columns, name="gaps")
    rows = gap_rows(columns, dataset.attrs.get("energy_unit", ""))

    energy = new_figure("flux per cell Φ/Φ₀", _style.energy_label(dataset), name="butterfly")
    _draw_wings(energy, table, colors)
    boxes = {"left": "left", "right": "right", "bottom": "lower", "top": "upper", "source": source}
    looks = {"fill_alpha": 0.0, "line_alpha": 0.0, "fill_color": "#ffffff", "line_color": _style.INK}
    quads = energy.quad(**boxes, **looks, hover_fill_alpha=0.35, hover_line_alpha=1.0)
    energy.add_tools(hover_tool(quads, rows))

    name = "wannier_diagram"
    density = new_figure("flux per cell Φ/Φ₀", "density (states per cell)", name=name, x_range=energy.x_range)
    ends = {"x0": "left", "x1": "right", "y0": "n_left", "y1": "n_right", "source": source}
    lines = density.segment(**ends, line_width="width", line_color="color", hover_line_color=_style.INK)
    density.add_tools(hover_tool(lines, rows))
    add_key_of_colors(density, colors)
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
    fills = hex_colors(colors(table.t[chains.order[chains.start]])) if shapes else []
    xs, ys = [shape[:, 0] for shape in shapes], [shape[:, 1] for shape in shapes]
    axes.patches(xs, ys, fill_color=fills, line_color=_style.INK, line_width=0.3)
    # Fluxes that are joined to no other are level diagrams: bands as bars.
    number, band = np.nonzero(np.isfinite(table.band_lower) & table.alone[:, None])
    left, right = table.cells[number].T
    low, high = table.band_lower[number, band], table.band_upper[number, band]
    axes.quad(left=left, right=right, bottom=low, top=high, fill_color=_style.INK, line_color=_style.INK)
