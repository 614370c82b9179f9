"""The Hofstadter butterfly: energy over flux, every gap in the color of its Chern number."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.patches import Patch

from hofstadter.plots import _style, _table, _wings

_MANY_VERTICES = 20_000
"""Above this the colored areas are stored as pixels in vector formats, which else take minutes to open."""


def butterfly(
    dataset: xr.Dataset,
    ax: Axes | None = None,
    *,
    max_chern: int | None = None,
    show_bands: bool = True,
    colorbar: bool = True,
) -> Axes:
    """Draw a butterfly with colored gaps, after Osadchy and Avron, J. Math. Phys. 42, 5665 (2001).

    Gaps with the same label (s, t) at neighboring fluxes become one polygon; where a gap closes, it ends in a
    tip at the band edge that its Landau levels come from. What is left between the gaps is black: the bands,
    and between the fluxes of the dataset whatever it does not resolve. Up to eight fluxes are drawn as level
    diagrams.

    Without any label, the picture is the classical one: bands as black lines on white.

    Args:
        dataset: A dataset of `hofstadter.butterfly`, its fluxes in any order.
        ax: Axes to draw on; by default those of a new figure.
        max_chern: Largest |t| with a color of its own; by default what colors most of the area, at most 6.
        show_bands: Whether the bands are black, instead of left blank.
        colorbar: Whether to add the key of colors.

    Returns:
        The axes. Gaps without a label are hatched if they are large enough to be seen, and a legend counts
        them.
    """
    table = _table.read(dataset)
    chains = _wings.wings(table)
    shapes, chern = _wings.polygons(table, chains), table.t[chains.order[chains.start]]
    area = np.array([_area(shape) for shape in shapes])
    # Large wings last, so that no sliver of a neighbor lies on them.
    order = np.argsort(area, kind="stable")
    shapes, chern, area = [shapes[i] for i in order], chern[order], area[order]
    colors = _style.chern_colors(max_chern, table.t, table.area)
    low, high = table.spectrum[:, 0].min(), table.spectrum[:, 1].max()
    # An outline shows a flat band between two gaps as a line; around small wings it is thinner.
    outline = np.clip(2.0 * np.sqrt(area / max(high - low, 1e-300)), 0.0, 0.35) if show_bands else 0.0
    with _style.style():
        ax = _style.new_axes(ax, (6.8, 5.0))
        _style.set_flux_axis(ax, table)
        margin = 0.02 * (high - low) or 0.5
        ax.set_ylim(low - margin, high + margin)
        ax.set_ylabel(_style.energy_label(dataset))
        if show_bands:
            _draw_levels(ax, table)
        if table.column.size and not table.known.any():
            _draw_lines(ax, table)
            return ax
        if show_bands:
            _draw_ground(ax, table)
        gaps = PolyCollection(
            shapes,
            facecolors=colors(chern),
            edgecolors=_style.INK if show_bands else "none",
            linewidths=outline,
            joinstyle="round",
            rasterized=table.column.size * 2 > _MANY_VERTICES,
            zorder=1.0,
            label="gaps",
        )
        ax.add_collection(gaps, autolim=False)
        _draw_unknown(ax, table)
        if colorbar:
            colors.colorbar(ax, chern)
    return ax


def _area(corners: np.ndarray) -> float:
    x, y = corners.T
    return 0.5 * abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))))


def _boxes(left: np.ndarray, right: np.ndarray, bottom: np.ndarray, top: np.ndarray) -> list[np.ndarray]:
    corners = np.stack([left, bottom, right, bottom, right, top, left, top], axis=-1)
    return list(corners.reshape(-1, 4, 2))


def _draw_unknown(ax: Axes, table: _table.Table) -> None:
    """Hatch the gaps without a label, each as wide as its flux's cell, and count them in a legend."""
    rows = table.visible_unknown()
    if rows.size == 0:
        return
    left, right = table.cells[table.column[rows]].T
    look = {"facecolor": _style.UNKNOWN, "edgecolor": _style.HATCH, "hatch": "////////", "linewidth": 0.0}
    boxes = _boxes(left, right, table.lower[rows], table.upper[rows])
    ax.add_collection(PolyCollection(boxes, zorder=1.5, label="gaps without label", **look), autolim=False)
    _style.legend_unknown(ax, Patch(**look), rows.size)


def _draw_ground(ax: Axes, table: _table.Table) -> None:
    """Paint what the gaps lie on: everything from the lowest to the highest energy, between joined fluxes."""
    shapes = []
    for run in np.split(np.arange(table.flux.size), np.flatnonzero(~table.joined) + 1):
        if run.size > 1:
            x, (low, high) = table.flux[run], table.spectrum[run].T
            shapes.append(np.stack([np.append(x, x[::-1]), np.append(low, high[::-1])], axis=1))
    ground = PolyCollection(shapes, facecolors=_style.INK, edgecolors="none", zorder=0.5, label="bands")
    ax.add_collection(ground, autolim=False)


def _band_edges(table: _table.Table, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Column, lower and upper edge of each band at the fluxes of a mask; flat bands are made visible."""
    column, band = np.nonzero(np.isfinite(table.band_lower) & columns[:, None])
    low, high = table.band_lower[column, band], table.band_upper[column, band]
    shortest = 0.0025 * ((table.spectrum[:, 1].max() - table.spectrum[:, 0].min()) or 1.0)
    missing = np.maximum(shortest - (high - low), 0) / 2
    return column, low - missing, high + missing


def _draw_levels(ax: Axes, table: _table.Table) -> None:
    """Bands as bars at fluxes that stand alone, above the gaps so that a flat band is not covered."""
    column, low, high = _band_edges(table, table.alone)
    left, right = table.cells[column].T
    boxes = _boxes(left, right, low, high)
    levels = PolyCollection(boxes, facecolors=_style.INK, edgecolors="none", zorder=1.2, label="levels")
    ax.add_collection(levels, autolim=False)


def _draw_lines(ax: Axes, table: _table.Table) -> None:
    """Bands as vertical lines at the other fluxes, thinner where these are many."""
    column, low, high = _band_edges(table, ~table.alone)
    x = table.flux[column]
    lines = LineCollection(
        list(np.stack([x, low, x, high], axis=-1).reshape(-1, 2, 2)),
        colors=_style.INK,
        linewidths=np.clip(150 / table.flux.size, 0.25, 2.0),
        rasterized=column.size > _MANY_VERTICES,
        label="bands",
    )
    ax.add_collection(lines, autolim=False)
