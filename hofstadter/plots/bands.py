"""Band structures: along a path of momenta, and as surfaces over the magnetic zone."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LightSource, Normalize, is_color_like
from matplotlib.ticker import MaxNLocator
from mpl_toolkits.mplot3d import Axes3D

from hofstadter._checks import as_integer, fail
from hofstadter.plots import _style

_GREEK = {"G": "Γ", "Gamma": "Γ", "GAMMA": "Γ", r"\Gamma": "Γ"}


def bands(dataset: xr.Dataset, ax: Axes | None = None, *, color: Any = None) -> Axes:
    """Draw energies along a path of momenta, with the names of its corners.

    Args:
        dataset: `energy` (point, band) and `distance` (point) along the path. Its attributes `corners`
            (points) and `corner_labels` (their names) place the ticks, `flux` is written above; each may be
            missing. With `chern` (band), bands take the colors of their Chern numbers; those that touch others are
            gray.
        ax: Axes to draw on; by default those of a new figure.
        color: A color of matplotlib, or one per band; by default by Chern number, or one dark blue.

    Returns:
        The axes.
    """
    energy = dataset["energy"].transpose("point", "band").values
    distance = dataset["distance"].values
    with _style.style():
        ax = _style.new_axes(ax, (4.6, 4.2))
        lines = ax.plot(distance, energy, linewidth=1.3, solid_capstyle="round")
        chosen = color
        if color is None:
            chosen = _chern_colors(dataset, ax) if "chern" in dataset else _style.LINE
        for line, shade in zip(lines, _per_band(chosen, len(lines)), strict=True):
            line.set_color(shade)
        ax.set_xlim(distance.min(), max(distance.max(), distance.min() + 1e-9))
        ax.set_ylabel(_style.energy_label(dataset))
        corners = np.atleast_1d(dataset.attrs.get("corners", ())).astype(int)
        names = np.atleast_1d(dataset.attrs.get("corner_labels", ()))
        if corners.size:
            if names.size not in (0, corners.size):
                raise fail("corner_labels", f"as many as the {corners.size} `corners`", f"{names.size} names")
            ax.set_xticks(distance[corners], [_GREEK.get(str(n), str(n)) for n in names] or None)
            ax.tick_params(axis="x", length=0.0, pad=7.0)
            for x in distance[corners].tolist():
                ax.axvline(x, color=_style.HATCH, linewidth=0.6, zorder=0.5)
        ax.set_xlabel("momentum")
        if "flux" in dataset.attrs:
            ax.set_title(_style.flux_title(dataset), fontsize=10.0)
    return ax


def _chern_colors(dataset: xr.Dataset, ax: Axes) -> list:
    """The color of each band's Chern number, with their key beside the axes."""
    chern = dataset["chern"].values
    known = np.isfinite(chern)
    if not known.any():
        return [_style.HATCH] * len(chern)
    colors = _style.ChernColors(int(np.clip(np.abs(chern[known]).max(), 1, 6)), _style.NEUTRAL_LINE)
    colors.colorbar(ax, chern[known], label="Chern number C")
    return [shade if sure else _style.HATCH for shade, sure in zip(colors(chern), known, strict=True)]


def _per_band(color: Any, count: int) -> list:
    if is_color_like(color):
        return [color] * count
    if len(color) != count:
        raise fail("color", f"one color, or {count}, one per band", f"{len(color)} entries")
    return list(color)


def band_surface(dataset: xr.Dataset, ax: Axes | None = None, *, bands: int | Sequence[int] | None = None) -> Axes:
    """Draw bands as surfaces over the momentum plane, colored by energy.

    Args:
        dataset: `energy` (k1, k2, band) with the coordinates `kx` and `ky` (k1, k2).
        ax: Axes with `projection="3d"` to draw on; by default those of a new figure.
        bands: Which bands, by number from the bottom; by default all.

    Returns:
        The axes.

    Raises:
        ValueError: If `ax` is flat or a band does not exist.
    """
    energy = dataset["energy"].transpose("k1", "k2", "band").values
    kx, ky = (dataset[name].transpose("k1", "k2").values for name in ("kx", "ky"))
    numbers = range(energy.shape[-1]) if bands is None else np.atleast_1d(np.asarray(bands)).tolist()
    for number in numbers:
        if not 0 <= as_integer("bands", number) < energy.shape[-1]:
            raise fail("bands", f"between 0 and {energy.shape[-1] - 1}", number)
    if ax is not None and not isinstance(ax, Axes3D):
        raise fail("ax", "three-dimensional", type(ax).__name__, 'Make it with projection="3d".')
    shown = energy[..., list(numbers)]
    norm = Normalize(shown.min(), max(shown.max(), shown.min() + 1e-9))
    with _style.style():
        ax3d = cast(Axes3D, _style.new_axes(ax, (5.6, 5.0), projection="3d"))
        # Matplotlib sorts whole surfaces by their mean depth, which is wrong for stacked ones; from above,
        # higher is nearer.
        ax3d.computed_zorder = False
        for order, number in enumerate(sorted(numbers)):
            height = energy[..., number]
            ax3d.plot_surface(
                kx,
                ky,
                height,
                facecolors=_shaded(_style.SURFACE(norm(height)), height),
                shade=False,
                rcount=72,
                ccount=72,
                linewidth=0.0,
                antialiased=False,
                rasterized=True,
                zorder=order + 1,
            )
        ax3d.set(xlabel="$k_x$", ylabel="$k_y$", zlabel=_style.energy_label(dataset))
        # The magnetic zone is narrow, so momenta keep their proportions only up to 2 : 1.
        width, depth = (max(np.ptp(k), 0.5 * max(np.ptp(kx), np.ptp(ky)), 1e-9) for k in (kx, ky))
        ax3d.set_box_aspect((width, depth, 0.9 * max(width, depth)), zoom=cast(Any, 0.92))
        ax3d.view_init(elev=18, azim=-60)
        for axis in (ax3d.xaxis, ax3d.yaxis, ax3d.zaxis):
            cast(Any, axis).set_pane_color((1.0, 1.0, 1.0, 0.0))
            cast(Any, axis)._axinfo["grid"].update(color="#d5d5da", linewidth=0.5)
            axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    return ax3d


def _shaded(colors: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Colors a little brighter where the surface faces the light; matplotlib's own shading only darkens."""
    exaggeration = 0.3 * max(height.shape) / max(float(np.ptp(height)), 1e-9)
    light = LightSource(azdeg=315, altdeg=50).hillshade(height, vert_exag=exaggeration)[..., None]
    rgb = colors[..., :3]
    return np.clip(rgb * (0.7 + 0.4 * light) + 0.12 * light, 0, 1)
