"""The Wannier diagram: density over flux, where every gap lies on a straight line n = s + t φ."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.ticker import MaxNLocator

from hofstadter.plots import _style, _table, _wings

_WIDEST = 4.0
"""Line width in points of the largest gap. Widths go with the root of the gap, else few lines would show."""

_THINNEST = 0.12


def wannier_diagram(
    dataset: xr.Dataset,
    ax: Axes | None = None,
    *,
    max_chern: int | None = None,
    colorbar: bool = True,
) -> Axes:
    """Draw the gaps over density and flux, after Wannier, Phys. Stat. Sol. (b) 88, 757 (1978).

    Each gap (s, t) is a piece of the line n = s + t φ, n states per cell, in the color of t; its width goes
    with the square root of the gap. Up to eight fluxes are not joined: each gap then is a short dash with its
    slope.

    Args:
        dataset: A dataset of `hofstadter.butterfly`, its fluxes in any order.
        ax: Axes to draw on; by default those of a new figure.
        max_chern: Largest |t| with a color of its own; by default the one of `hofstadter.plots.butterfly`.
        colorbar: Whether to add the key of colors.

    Returns:
        The axes. Gaps without a label are gray dots if they are large enough to be seen, and counted in a
        legend.
    """
    table = _table.read(dataset)
    chains = _wings.wings(table)
    colors = _style.chern_colors(max_chern, table.t, table.area)
    segments, size, chern = _segments(table, chains)
    largest = float(table.size.max(initial=0.0)) or 1.0
    # Wide lines last: thin ones cross them everywhere.
    order = np.argsort(size, kind="stable")
    segments, size, chern = segments[order], size[order], chern[order]
    with _style.style():
        ax = _style.new_axes(ax, (6.8, 5.0))
        _style.set_flux_axis(ax, table)
        # Density of all bands together, the same at every flux.
        full = np.isfinite(table.band_lower[0]).sum() / table.q[0]
        ax.set_ylim(0, full)
        ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        ax.set_ylabel("density (states per cell)")
        lines = LineCollection(
            list(segments),
            colors=colors(chern),
            linewidths=np.maximum(_WIDEST * np.sqrt(size / largest), _THINNEST),
            capstyle="round",
            rasterized=len(segments) > 10_000,
            label="gaps",
        )
        ax.add_collection(lines, autolim=False)
        _draw_unknown(ax, table)
        if colorbar:
            colors.colorbar(ax, chern)
    return ax


def _segments(table: _table.Table, chains: _wings.Wings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pieces of lines (piece, 2, 2) from gap to gap and to the ends of each chain, their mean gap and t."""
    x, size, rows = table.flux[table.column[chains.order]], table.size[chains.order], chains.order
    inner = np.ones(rows.size, bool)
    inner[chains.stop - 1] = False
    a = np.flatnonzero(inner)
    pieces = [(rows[a], x[a], x[a + 1], (size[a] + size[a + 1]) / 2)]
    for side, position in ((0, chains.start), (1, chains.stop - 1)):
        # A pointed end has no width left, a flat one keeps it.
        share = np.where(np.isfinite(chains.tips[:, side]), 0.5, 1.0)
        pieces.append((rows[position], chains.ends[:, side], x[position], share * size[position]))
    row, first, last, width = (np.concatenate(part) for part in zip(*pieces, strict=True))
    keep = first != last
    row, first, last, width = row[keep], first[keep], last[keep], width[keep]
    s, t = table.s[row], table.t[row]
    return np.stack([first, s + t * first, last, s + t * last], axis=-1).reshape(-1, 2, 2), width, t


def _draw_unknown(ax: Axes, table: _table.Table) -> None:
    rows = table.visible_unknown()
    if rows.size == 0:
        return
    look = {"linestyle": "none", "marker": "o", "markersize": 2.0, "color": _style.HATCH}
    dots = ax.plot(table.flux[table.column[rows]], table.density[rows], **look)
    _style.legend_unknown(ax, dots[0], rows.size)
