"""Landau fans over density and field, and maps over energy and field, in the units of the laboratory if known."""

from collections.abc import Sequence
from typing import Any, cast

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, LogNorm, Normalize
from matplotlib.figure import Figure

from hofstadter._checks import fail
from hofstadter.plots import _style
from hofstadter.tasks.gap_lines import gap_lines

_CONTRAST = 99.0
"""Percentile of a quantity that gets the end of the color scale: narrow peaks would hide all else."""

_FEW = 0.02
"""Gaps below this part of the largest one are not drawn as lines."""

_MOST_LABELS = 14
"""How many lines are labelled, the ones with the largest gaps."""

_WIDEST, _THINNEST = 5.0, 0.3
"""Line widths in points of gap maps. They go with the root of the gap, else few lines would show."""


def landau_fan(
    dataset: xr.Dataset,
    ax: Axes | None = None,
    *,
    lines: bool = True,
    overlay: Sequence[tuple[float, float]] = (),
    min_gap: float | None = None,
    colorbar: bool = True,
) -> Axes:
    """Draw the inverse compressibility dμ/dn over density and field, and the lines of the gaps on it.

    Args:
        dataset: A dataset of `hofstadter.landau_fan`.
        ax: Axes to draw on; by default those of a new figure.
        lines: Whether to mark the ends of each gap's line (s, t) and label the largest ones.
        overlay: Further lines (s, t) to draw dashed, say of a broken symmetry, whether the model has them or not.
        min_gap: Smallest gap to mark; by default 2 % of the largest.
        colorbar: Whether to add the key of colors.
    """
    values = _values(dataset, "inverse_compressibility", "landau_fan")
    finite = values[np.isfinite(values) & (values > 0)]
    top = float(np.percentile(finite, _CONTRAST)) if finite.size else 1.0
    bottom = max(float(np.percentile(finite, 2)) if finite.size else 0.1, top / 1e4)
    unit = f"d$\\mu$/d$n$ ({dataset.attrs.get('energy_unit', 'E')} per electron and cell)"
    with _style.style():
        ax = _style.new_axes(ax, (6.4, 5.0))
        norm = LogNorm(bottom, max(top, bottom * 1.01))
        _density_map(dataset, values, ax, norm, _style.SURFACE, unit if colorbar else None)
        if lines:
            _mark_lines(dataset, ax, min_gap)
        _overlay(dataset, ax, overlay)
    return ax


def hall_fan(dataset: xr.Dataset, ax: Axes | None = None, *, max_chern: int = 6, colorbar: bool = True) -> Axes:
    """Draw the Hall conductivity over density and field: flat along the lines of gaps.

    Args:
        dataset: A dataset of `hofstadter.landau_fan`.
        ax: Axes to draw on; by default those of a new figure.
        max_chern: The conductivity at the end of the scale of colors, in e²/h.
        colorbar: Whether to add the key of colors.
    """
    values = _values(dataset, "hall_conductivity", "landau_fan")
    label = "Hall conductivity, sign of d$n$/d$\\phi$ (e²/h)"
    with _style.style():
        ax = _style.new_axes(ax, (6.4, 5.0))
        norm = Normalize(-max_chern, max_chern)
        _density_map(dataset, values, ax, norm, mpl.colormaps["RdBu_r"], label if colorbar else None)
    return ax


def gap_map(
    dataset: xr.Dataset,
    ax: Axes | None = None,
    *,
    max_chern: int | None = None,
    min_gap: float | None = None,
    colorbar: bool = True,
) -> Axes:
    """Draw the gaps as pieces of their lines n = s + t φ, wide where the gap is large, in the color of t.

    Args:
        dataset: A dataset of `hofstadter.landau_fan`.
        ax: Axes to draw on; by default those of a new figure.
        max_chern: Largest |t| with a color of its own; by default what colors most of the lines, at most 6.
        min_gap: Smallest gap to draw; by default 2 % of the largest.
        colorbar: Whether to add the key of colors.
    """
    _values(dataset, "inverse_compressibility", "landau_fan")
    found = gap_lines(dataset.sortby("flux"), min_gap=_threshold(dataset, min_gap))
    field, scale = _field(found), _density_scale(dataset)
    segments, width, chern = [], [], []
    for line in range(found.sizes["line"]):
        gap, density = found["gap"].values[line], found["density"].values[line] * scale
        both = np.flatnonzero(np.isfinite(gap[1:]) & np.isfinite(gap[:-1]))
        segments += [[(density[i], field[i]), (density[i + 1], field[i + 1])] for i in both]
        width += list((gap[both] + gap[both + 1]) / 2)
        chern += [float(found["t"].values[line])] * len(both)
    sizes, t = np.array(width), np.array(chern)
    colors = _style.chern_colors(max_chern, np.round(t), sizes)
    order = np.argsort(sizes, kind="stable")
    thick = np.maximum(_WIDEST * np.sqrt(sizes / sizes.max(initial=1e-300)), _THINNEST)
    with _style.style():
        ax = _style.new_axes(ax, (6.4, 5.0))
        pieces = LineCollection(
            [segments[i] for i in order],
            colors=colors(np.round(t))[order] if len(t) else None,
            linewidths=thick[order],
            capstyle="round",
            rasterized=len(segments) > 10_000,
            label="gaps",
        )
        ax.add_collection(pieces, autolim=False)
        _density_axes(dataset, ax)
        if colorbar:
            colors.colorbar(ax, np.round(t))
    return ax


def density_of_states(dataset: xr.Dataset, ax: Axes | None = None, *, colorbar: bool = True) -> Axes:
    """Draw the density of states over field and energy.

    Args:
        dataset: A dataset of `hofstadter.density_of_states`.
        ax: Axes to draw on; by default those of a new figure.
        colorbar: Whether to add the key of colors.
    """
    values = _values(dataset, "density_of_states", "density_of_states", column="energy")
    top = float(np.nanpercentile(values, _CONTRAST)) if np.isfinite(values).any() else 1.0
    label = f"states per cell and {dataset.attrs.get('energy_unit', 'E')}"
    norm = Normalize(0, max(top, 1e-300))
    return _energy_map(dataset, "energy", values, ax, norm, _style.SURFACE, label if colorbar else None)


def magnetization(dataset: xr.Dataset, ax: Axes | None = None, *, colorbar: bool = True) -> Axes:
    """Draw the magnetization over field and chemical potential.

    Args:
        dataset: A dataset of `hofstadter.magnetization`.
        ax: Axes to draw on; by default those of a new figure.
        colorbar: Whether to add the key of colors.
    """
    values = _values(dataset, "magnetization", "magnetization", column="chemical_potential")
    top = float(np.nanpercentile(np.abs(values), _CONTRAST)) if np.isfinite(values).any() else 1.0
    unit = "$\\mu_B$" if "field_tesla" in dataset.coords else f"{dataset.attrs.get('energy_unit', 'E')} per quantum"
    norm = Normalize(-max(top, 1e-300), max(top, 1e-300))
    cmap, label = mpl.colormaps["RdBu_r"], f"magnetization per cell ({unit})"
    return _energy_map(dataset, "chemical_potential", values, ax, norm, cmap, label if colorbar else None)


def _values(dataset: xr.Dataset, name: str, maker: str, column: str = "filling") -> np.ndarray:
    if name not in dataset or column not in dataset.dims:
        raise fail("dataset", f"one of `hofstadter.{maker}`, with `{name}`", f"with {sorted(map(str, dataset))}")
    return dataset[name].sortby("flux").transpose("flux", column).values


def _field(dataset: xr.Dataset) -> np.ndarray:
    """Ascending fields in tesla, or fluxes."""
    return np.sort(dataset["field_tesla" if "field_tesla" in dataset.coords else "flux"].values)


def _field_label(dataset: xr.Dataset) -> str:
    return "magnetic field (T)" if "field_tesla" in dataset.coords else "flux per cell Φ/Φ₀"


def _density_scale(dataset: xr.Dataset) -> float:
    """What fillings are multiplied with to be densities in 10¹² cm⁻², where these are known."""
    return float(dataset.attrs.get("density_per_filling", 1.0))


def _density_axes(dataset: xr.Dataset, ax: Axes) -> None:
    known = "density_per_filling" in dataset.attrs
    ax.set_xlabel("density (10¹² cm⁻²)" if known else "electrons per cell")
    ax.set_ylabel(_field_label(dataset))
    density, field = dataset["filling"].values * _density_scale(dataset), _field(dataset)
    ax.set_xlim(float(density.min()), float(density.max()))
    low, high = _borders(field)[[0, -1]]
    ax.set_ylim(max(float(low), 0.0) if field[0] >= 0 else float(low), float(high))


def _density_map(
    dataset: xr.Dataset, values: np.ndarray, ax: Axes, norm: Normalize, cmap: Colormap, label: str | None
) -> None:
    density = _borders(dataset["filling"].values * _density_scale(dataset))
    shown = np.ma.masked_invalid(values)
    mesh = ax.pcolormesh(density, _borders(_field(dataset)), shown, norm=norm, cmap=cmap, rasterized=True)
    _density_axes(dataset, ax)
    _key(ax, mesh, label)


def _energy_map(
    dataset: xr.Dataset,
    column: str,
    values: np.ndarray,
    ax: Axes | None,
    norm: Normalize,
    cmap: Colormap,
    label: str | None,
) -> Axes:
    with _style.style():
        ax = _style.new_axes(ax, (6.4, 5.0))
        shown = np.ma.masked_invalid(values.T)
        energies = _borders(dataset[column].values)
        mesh = ax.pcolormesh(_borders(_field(dataset)), energies, shown, norm=norm, cmap=cmap, rasterized=True)
        ax.set_xlabel(_field_label(dataset))
        name = "chemical potential" if column == "chemical_potential" else "energy"
        ax.set_ylabel(_style.energy_label(dataset).replace("energy", name))
        _key(ax, mesh, label)
    return ax


def _key(ax: Axes, mesh: Any, label: str | None) -> None:
    if label is not None:
        bar = cast(Figure, ax.figure).colorbar(mesh, ax=ax, pad=0.02, aspect=30, extend="both")
        bar.set_label(label)
        cast(Any, bar.outline).set_linewidth(0.8)


def _borders(centers: np.ndarray) -> np.ndarray:
    """The borders of cells around ascending centers."""
    if len(centers) < 2:
        half = 0.5 * (abs(float(centers[0])) or 1.0)
        return np.array([centers[0] - half, centers[0] + half])
    middle = (centers[1:] + centers[:-1]) / 2
    return np.concatenate([[2 * centers[0] - middle[0]], middle, [2 * centers[-1] - middle[-1]]])


def _threshold(dataset: xr.Dataset, min_gap: float | None) -> float:
    return _FEW * float(dataset["size"].max()) if min_gap is None else min_gap


def _mark_lines(dataset: xr.Dataset, ax: Axes, min_gap: float | None) -> None:
    """Thin lines along the largest gaps, each with its (s, t) at its upper end."""
    threshold = _threshold(dataset, min_gap)
    found = gap_lines(dataset.sortby("flux"), min_gap=threshold)
    field, scale = _field(found), _density_scale(dataset)
    weight = found["gap"].fillna(0).sum("flux").values
    (left, right), labels = ax.get_xlim(), 0
    for line in np.argsort(-weight, kind="stable"):
        density = found["density"].values[line] * scale
        there = (found["gap"].values[line] > threshold) & (density >= left) & (density <= right)
        if not there.any():
            continue
        gaps = np.where(there, density, np.nan)
        ax.plot(gaps, field, color="white", linewidth=0.6, alpha=0.7)
        if labels < _MOST_LABELS:
            top = int(np.flatnonzero(there)[-1])
            text = _line_name(float(found["s"].values[line]), float(found["t"].values[line]))
            # Above the axes where the line leaves through the top, else inside, away from the sides.
            leaves = top == len(field) - 1
            place = float(density[top]), ax.get_ylim()[1] if leaves else float(field[top])
            inside = "left" if 2 * density[top] < left + right else "right"
            ax.annotate(
                text,
                place,
                xytext=(0, 2),
                textcoords="offset points",
                ha="center" if leaves else inside,
                va="bottom",
                fontsize=6.5,
                rotation=90 if leaves else 0,
                color=_style.INK if leaves else "white",
                annotation_clip=False,
            )
            labels += 1


def _line_name(s: float, t: float) -> str:
    return f"({s:g}, {t:g})".replace("-", "−")


def _overlay(dataset: xr.Dataset, ax: Axes, lines: Sequence[tuple[float, float]]) -> None:
    field, scale = _field(dataset), _density_scale(dataset)
    flux = np.sort(dataset["flux"].values)
    for s, t in lines:
        ax.plot((s + t * flux) * scale, field, color=_style.UNKNOWN, linewidth=0.8, linestyle=(0, (4, 3)))
    if lines:
        _density_axes(dataset, ax)
