"""Interactive maps of quantities over a field: Landau fans with their gaps, density of states, magnetization."""

import dataclasses
from typing import Any

import numpy as np
import xarray as xr

from hofstadter._checks import fail
from hofstadter.errors import Status
from hofstadter.plots import _style
from hofstadter.plots._html_parts import (
    add_key_of_colors,
    gap_rows,
    hex_colors,
    hover_tool,
    label_texts,
    line_widths,
    new_figure,
)

_FEW = 0.02
"""Gaps of a fan below this part of the largest one are not drawn."""

_CONTRAST = 99.0
"""Percentile of a quantity that gets the end of the color scale: narrow peaks would hide all else."""


_FINER = 3
"""Most rows of an even grid, per row of an uneven one."""


@dataclasses.dataclass(frozen=True)
class _Map:
    """What a map shows.

    Attributes:
        quantity: The variable that is drawn.
        column: Its dimension next to `flux`.
        rows: Names of variables in labels, the unit of each after a bar.
        scale: "log", "linear" from zero, or "signed" around zero.
    """

    quantity: str
    column: str
    rows: dict[str, str]
    scale: str


# `energy` and `moment` stand for units of the dataset.
_MAPS = {
    "landau_fan": _Map(
        "inverse_compressibility",
        "filling",
        {
            "chemical_potential": "μ|{energy}",
            "inverse_compressibility": "dμ/dn|{energy} per electron and cell",
            "hall_conductivity": "σ|e²/h",
        },
        "log",
    ),
    "density_of_states": _Map(
        "density_of_states",
        "energy",
        {"density_of_states": "DOS|per cell and {energy}", "integrated_density": "n|per cell"},
        "linear",
    ),
    "magnetization": _Map(
        "magnetization",
        "chemical_potential",
        {"magnetization": "M|{moment} per cell", "density": "n|per cell", "density_slope": "∂n/∂φ|"},
        "signed",
    ),
}


def figures(dataset: xr.Dataset) -> list[Any]:
    """The bokeh figures of a dataset that is one of the maps.

    Raises:
        ValueError: If it is none, has further dimensions, or no values.
    """
    found = [name for name, kind in _MAPS.items() if kind.quantity in dataset and kind.column in dataset.dims]
    if not found:
        possible = "a butterfly, a Landau fan, a density of states or a magnetization"
        raise fail("dataset", possible, f"one with {', '.join(map(str, dataset.data_vars))}")
    name, kind = found[0], _MAPS[found[0]]
    swept = [str(dim) for dim in dataset[kind.quantity].dims if dim not in ("flux", kind.column)]
    if swept:
        raise fail("dataset", "a single map", f"one for each {', '.join(swept)}", f"Select one by .isel({swept[0]}=0).")
    if not np.isfinite(dataset[kind.quantity]).any():
        raise fail("dataset", f"one with values of `{kind.quantity}`", "without any")
    dataset = dataset.sortby("flux")
    drawn = _map_figure(dataset, name, kind)
    return [drawn, *_fan_gaps(dataset, drawn)] if name == "landau_fan" else [drawn]


def _map_figure(dataset: xr.Dataset, name: str, kind: _Map) -> Any:
    """A colored map, and a label with the values under the pointer."""
    from bokeh.models import ColorBar, ColumnDataSource

    units = {"energy": dataset.attrs.get("energy_unit", "E")}
    units["moment"] = "μ_B" if "field_tesla" in dataset.coords else f"{units['energy']} per quantum"
    axes = [(_field(dataset), *_field_words(dataset)), _column_axis(dataset, kind.column)]
    # Densities run to the right and fields up, as laboratories draw fans; energies run up.
    fan = kind.column == "filling"
    horizontal, vertical = axes[::-1] if fan else axes
    planes, box = {}, {}
    shown = {name: text.format(**units).split("|") for name, text in kind.rows.items() if name in dataset}
    for variable in shown:
        plane = dataset[variable].transpose(*(("flux", kind.column) if fan else (kind.column, "flux"))).values
        planes[variable], box = _even_grid(plane, vertical[0], horizontal[0])
    figure = new_figure(horizontal[1], vertical[1], name=name)
    mapper = _color_mapper(planes[kind.quantity], kind.scale)
    source = ColumnDataSource({variable: [plane] for variable, plane in planes.items()}, name="map")
    image = figure.image(kind.quantity, source=source, color_mapper=mapper, level="image", **box)
    label, of = shown[kind.quantity]
    figure.add_layout(ColorBar(color_mapper=mapper, title=f"{label} ({of})"), "right")
    rows = [(vertical[2], f"$y {vertical[3]}"), (horizontal[2], f"$x {horizontal[3]}")]
    rows += [(label, f"@{variable}{{%.6g}} {of}") for variable, (label, of) in shown.items()]
    figure.add_tools(hover_tool(image, rows, "below"))
    figure.x_range.start, figure.x_range.end = box["x"], box["x"] + box["dw"]
    figure.y_range.start, figure.y_range.end = box["y"], box["y"] + box["dh"]
    return figure


def _field(dataset: xr.Dataset) -> np.ndarray:
    return dataset["field_tesla" if "field_tesla" in dataset.coords else "flux"].values


def _field_words(dataset: xr.Dataset) -> tuple[str, str, str]:
    """Label of the axis, short name and unit of the field."""
    known = "field_tesla" in dataset.coords
    return ("magnetic field (T)", "B", "T") if known else ("flux per cell Φ/Φ₀", "Φ/Φ₀", "")


def _column_axis(dataset: xr.Dataset, column: str) -> tuple[np.ndarray, str, str, str]:
    """Values of the other axis, its label, short name and unit."""
    values = dataset[column].values
    if column == "filling":
        if "density_per_filling" in dataset.attrs:
            return values * float(dataset.attrs["density_per_filling"]), "density (10¹² cm⁻²)", "n", "· 10¹² cm⁻²"
        return values, "electrons per cell", "n", "per cell"
    unit = dataset.attrs.get("energy_unit", "E")
    name, letter = ("energy", "E") if column == "energy" else ("chemical potential", "μ")
    return values, f"{name} ({unit})", letter, unit


def _color_mapper(values: np.ndarray, scale: str) -> Any:
    from bokeh.models import LinearColorMapper, LogColorMapper

    looks = {"palette": hex_colors(_style.SURFACE(np.arange(256))), "nan_color": "#ffffff"}
    finite = values[np.isfinite(values)].astype(float)
    if scale == "log" and (finite > 0).any():
        low, high = np.percentile(finite[finite > 0], [2, _CONTRAST])
        low = max(low, high / 1e4)
        return LogColorMapper(low=low, high=max(high, 1.01 * low), **looks)
    top = max(float(np.percentile(np.abs(finite), _CONTRAST)), 1e-300)
    if scale == "signed":
        looks["palette"] = hex_colors(_style.SIGNED(np.arange(256)))
        return LinearColorMapper(low=-top, high=top, **looks)
    return LinearColorMapper(low=0.0, high=top, **looks)


def _even_grid(plane: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
    """Values on an even grid, each from the nearest of the given rows and columns, and the box that the grid fills.

    Where these are not even themselves the grid is finer, so that none is left out but for the closest ones.
    """
    axes, starts, lengths = [], [], []
    for values in (rows, columns):
        length, number = float(values[-1] - values[0]), len(values)
        if number > 1:
            number = int(np.clip(round(length / np.diff(values).min()) + 1, number, _FINER * number))
        step = length / (number - 1) if number > 1 else 1.0
        start = values[0] - step / 2
        even = start + step * (np.arange(number) + 0.5)
        axes.append(np.searchsorted((values[1:] + values[:-1]) / 2, even))
        starts.append(float(start))
        lengths.append(step * number)
    box = {"x": starts[1], "y": starts[0], "dw": lengths[1], "dh": lengths[0]}
    return plane[np.ix_(*axes)].astype(np.float32), box


def _fan_gaps(dataset: xr.Dataset, drawn: Any) -> list[Any]:
    """Mark the gaps of a fan on its map; a second figure shows them in the colors of t, as wide as they are large."""
    from bokeh.models import ColumnDataSource

    columns, t = _gap_dashes(dataset)
    if not columns["size"].size:
        return []
    colors = _style.chern_colors(None, np.round(t), columns["size"])
    columns["color"] = hex_colors(colors(np.round(t)))
    source = ColumnDataSource(columns, name="gaps")
    rows = gap_rows(columns, dataset.attrs.get("energy_unit", ""))
    ends = {"x0": "n_below", "x1": "n_above", "y0": "b_below", "y1": "b_above", "source": source}
    thin = drawn.segment(**ends, line_width=1.2, line_color="#ffffff", line_alpha=0.6, hover_line_color="#e2502f")
    drawn.add_tools(hover_tool(thin, rows, "above"))
    labels = drawn.xaxis.axis_label, drawn.yaxis.axis_label
    gaps = new_figure(*labels, name="gap_map", x_range=drawn.x_range, y_range=drawn.y_range)
    wide = gaps.segment(**ends, line_width="width", line_color="color", hover_line_color=_style.INK)
    gaps.add_tools(hover_tool(wide, rows))
    add_key_of_colors(gaps, colors)
    return [gaps]


def _gap_dashes(dataset: xr.Dataset) -> tuple[dict[str, Any], np.ndarray]:
    """Each labelled gap as a piece of its line n = s + t φ, halfway to the neighboring fluxes: columns, and t."""
    flux, field = dataset["flux"].values, _field(dataset)
    table = {name: dataset[name].transpose("flux", "gap").values for name in ("density", "size", "s", "t", "status")}
    wide = table["size"] > _FEW * np.nanmax(table["size"], initial=0.0)
    row, slot = np.nonzero(wide & (table["status"] == Status.OK))
    # Large gaps last: thin lines cross them everywhere.
    order = np.argsort(table["size"][row, slot], kind="stable")
    row, slot = row[order], slot[order]
    density, size, s, t = (table[name][row, slot] for name in ("density", "size", "s", "t"))
    half = np.diff(flux) / 2
    below, above = np.append(0.0, half)[row], np.append(half, 0.0)[row]
    half_field = np.diff(field) / 2
    scale = float(dataset.attrs.get("density_per_filling", 1.0))
    columns: dict[str, Any] = {
        "n_below": (density - t * below) * scale,
        "n_above": (density + t * above) * scale,
        "b_below": field[row] - np.append(0.0, half_field)[row],
        "b_above": field[row] + np.append(half_field, 0.0)[row],
        "width": line_widths(size),
        "fraction": [f"{p}/{q}" for p, q in zip(dataset["p"].values[row], dataset["q"].values[row], strict=True)],
        "density": density,
        "size": size,
        "s_label": label_texts(s),
        "t_label": label_texts(t),
    }
    if "field_tesla" in dataset.coords:
        columns["field"] = field[row]
    if "density_per_filling" in dataset.attrs:
        columns["carriers"] = density * scale
    return columns, t
