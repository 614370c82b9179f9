"""Charged excitations of heavy fermions: energy over flux, flavor by flavor, and the gaps of all of them."""

import itertools

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.ticker import FixedLocator

from hofstadter.errors import Status
from hofstadter.plots import _style

FLAVOR_COLORS = ("#16161a", "#2c7f4f", "#8a4fa3", "#b8860b")
# Gaps lower than this part of the picture have no room for a label.
LABELLED = 0.045


def heavy_fermion_excitations(
    dataset: xr.Dataset,
    ax: Axes | None = None,
    *,
    max_chern: int | None = None,
    energies: tuple[float, float] | None = None,
) -> Axes:
    """Draw levels of each flavor over flux, and behind them the gaps of all flavors in the colors of their t.

    Args:
        dataset: A dataset of `hofstadter.heavy_fermion_excitations`.
        ax: Axes to draw on; by default those of a new figure.
        max_chern: Largest |t| with a color of its own; by default what colors most of the area, at most 6.
        energies: Lowest and highest energy to show, in meV; by default the range that the bands of all flavors cover.

    Returns:
        The axes. Wide gaps are labelled (s, t), counted from neutrality of all flavors together.
    """
    dataset = dataset.sortby("flux")
    flux = np.atleast_1d(dataset["flux"].values)
    edges = _borders(flux)
    low, high = energies or _covered(dataset)
    gaps = {name: dataset[name].transpose("flux", "gap").values for name in ("lower", "upper", "s", "t", "status")}
    known = gaps["status"] == Status.OK
    row, column = np.nonzero(np.isfinite(gaps["lower"]))
    t = np.where(known, gaps["t"], np.nan)[row, column]
    lower, upper = (np.clip(gaps[name][row, column], low, high) for name in ("lower", "upper"))
    boxes = [
        [(edges[i], a), (edges[i + 1], a), (edges[i + 1], b), (edges[i], b)]
        for i, a, b in zip(row, lower, upper, strict=True)
    ]
    with _style.style():
        ax = _style.new_axes(ax, (6.4, 5.0))
        sure = np.isfinite(t)
        colors = _style.chern_colors(max_chern, t[sure], (upper - lower)[sure])
        faces = colors(np.where(sure, t, 0))
        faces[~sure] = (1.0, 1.0, 1.0, 1.0)
        ax.add_collection(
            PolyCollection(boxes, facecolors=faces, linewidths=0.0, zorder=1, label="gaps"), autolim=False
        )
        for number, name in enumerate(dataset.attrs["flavors"]):
            segments = _segments(dataset.isel(flavor=number), edges)
            color = FLAVOR_COLORS[number % len(FLAVOR_COLORS)]
            bands = LineCollection(segments, colors=color, linewidths=1.3, zorder=2, label=str(name))
            ax.add_collection(bands, autolim=False)
        for i, a, b, place in zip(row, lower, upper, column, strict=True):
            if known[i, place] and b - a > LABELLED * (high - low):
                text = f"({gaps['s'][i, place]:g}, {gaps['t'][i, place]:g})"
                ax.text(
                    (edges[i] + edges[i + 1]) / 2, (a + b) / 2, text, ha="center", va="center", fontsize=7.5, zorder=3
                )
        ax.set(xlim=(edges[0], edges[-1]), ylim=(low, high))
        ax.xaxis.set_major_locator(FixedLocator(flux.tolist()))
        names = zip(dataset["p"].values.reshape(-1), dataset["q"].values.reshape(-1), strict=True)
        ax.set_xticklabels([f"{p}/{q}" if q > 1 else str(p) for p, q in names])
        ax.set_xlabel(r"flux per cell $\phi/\phi_0$")
        ax.set_ylabel(_style.energy_label(dataset))
        if np.any(sure):
            colors.colorbar(ax, t[sure])
        handles = [artist for artist in ax.collections if isinstance(artist, LineCollection)]
        ax.legend(handles=handles, loc="upper right", frameon=True, fontsize=8.0)
    return ax


def _borders(flux: np.ndarray) -> np.ndarray:
    """Borders of the columns of all fluxes, half way between them."""
    if len(flux) == 1:
        return flux[0] + np.array([-0.5, 0.5])
    middle = (flux[1:] + flux[:-1]) / 2
    return np.concatenate([[2 * flux[0] - middle[0]], middle, [2 * flux[-1] - middle[-1]]])


def _covered(dataset: xr.Dataset) -> tuple[float, float]:
    """The energies that the wanted bands of all flavors reach at every flux."""
    lowest = dataset["band_lower"].min("band").max().item()
    highest = dataset["band_upper"].max("band").min().item()
    return lowest, highest


def _segments(flavor: xr.Dataset, edges: np.ndarray) -> list[list[tuple[float, float]]]:
    """A line along each band edge, and one across each band, in the middle of the flux's column."""
    lower, upper = (flavor[name].transpose("flux", "band").values for name in ("band_lower", "band_upper"))
    segments = []
    for number, (left, right) in enumerate(itertools.pairwise(edges.tolist())):
        a, b = left + 0.12 * (right - left), right - 0.12 * (right - left)
        for low, high in zip(lower[number], upper[number], strict=True):
            if np.isfinite(low):
                segments += [[(a, low), (b, low)], [(a, high), (b, high)], [((a + b) / 2, low), ((a + b) / 2, high)]]
    return segments
