"""Parts of interactive pages: bokeh figures, what labels show, widths and colors of gaps. Bokeh is imported late."""

from typing import Any, Literal

import numpy as np
from matplotlib.colors import to_hex

from hofstadter.plots import _style

_TOOLS = "pan,wheel_zoom,box_zoom,reset,save"

_WIDEST, _THINNEST = 5.0, 0.6
"""Widths of the lines of gaps in pixels. They go with the root of the gap, else few lines would show."""


def new_figure(x: str, y: str, **options: Any) -> Any:
    """Axes with labels, that fill the page and zoom by the wheel: a bokeh figure."""
    from bokeh.models import WheelZoomTool
    from bokeh.plotting import figure

    # Bokeh's own types know neither selectors by class nor the ends of a range.
    axes: Any = figure(x_axis_label=x, y_axis_label=y, tools=_TOOLS, sizing_mode="stretch_both", **options)
    axes.toolbar.active_scroll = axes.select_one(WheelZoomTool)
    axes.toolbar.logo = None
    axes.xgrid.visible = axes.ygrid.visible = False
    return axes


def hover_tool(
    renderer: Any, rows: list[tuple[str, str]], side: Literal["horizontal", "above", "below"] = "horizontal"
) -> Any:
    """A label with these rows beside the pointer. Columns that are shown with a % are formatted as by printf."""
    from bokeh.models import HoverTool

    formats: dict[str, Any] = {text.partition("{%")[0]: "printf" for _, text in rows if "{%" in text}
    return HoverTool(
        renderers=[renderer], tooltips=rows, formatters=formats, point_policy="follow_mouse", attachment=side
    )


def gap_rows(columns: dict[str, Any], unit: str) -> list[tuple[str, str]]:
    """What the label of a gap shows, for columns with `fraction`, `density`, `s_label`, `t_label` and `size`.

    `field` (tesla) and `carriers` (10¹² cm⁻²) are shown where they are known.
    """
    rows = [("Φ/Φ₀", "@fraction")]
    rows += [("B", "@field{0.0000} T")] if "field" in columns else []
    rows += [("n", "@density{0.000000} per cell")]
    rows += [("n", "@carriers{0.0000} · 10¹² cm⁻²")] if "carriers" in columns else []
    return [*rows, ("s", "@s_label"), ("t", "@t_label"), ("gap", f"@size{{%.6g}} {unit}")]


def label_texts(labels: np.ndarray) -> list[str]:
    """Integers and half-integers as text; a question mark where a label is not known."""
    return [f"{x:g}".replace("-", "−") if np.isfinite(x) else "?" for x in np.round(labels, 6) + 0.0]


def hex_colors(rows: np.ndarray) -> list[str]:
    """RGB rows as text."""
    return [to_hex(row) for row in rows]


def line_widths(size: np.ndarray) -> np.ndarray:
    """Widths in pixels of the lines of gaps."""
    return np.maximum(_WIDEST * np.sqrt(size / (size.max(initial=0.0) or 1.0)), _THINNEST)


def add_key_of_colors(axes: Any, colors: _style.ChernColors) -> None:
    """The key of the colors of gap Chern numbers, to the right."""
    from bokeh.models import ColorBar, FixedTicker, LinearColorMapper

    numbers = np.arange(-colors.max_chern, colors.max_chern + 1)
    mapper = LinearColorMapper(palette=hex_colors(colors(numbers)), low=numbers[0] - 0.5, high=numbers[-1] + 0.5)
    ticker = FixedTicker(ticks=[int(number) for number in numbers])
    axes.add_layout(ColorBar(color_mapper=mapper, ticker=ticker, title="t"), "right")
