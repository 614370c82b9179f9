"""A fit: measured values against those of the model, and residuals below."""

from typing import cast

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from hofstadter._checks import fail
from hofstadter.plots import _style

_NEEDED = ("measured", "error", "predicted", "residual", "covariance", "chi_squared", "degrees_of_freedom")

_NAMED = 30
"""Up to so many observations are named one by one."""

_DATA, _MODEL = "#16418c", "#e2502f"


def fit(dataset: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw measured gap sizes and level energies with their error bars, what the model gives, and the residuals.

    Args:
        dataset: A dataset of `hofstadter.fit_dataset`, or of a store of the task `fit`.
        ax: Axes to draw on; by default those of a new figure. The residuals, in standard errors, hang below.

    Returns:
        The axes with the values; the parameters stand above.
    """
    missing = [name for name in _NEEDED if name not in dataset]
    if missing:
        raise fail("dataset", "a fit", f"without {', '.join(missing)}")
    if dataset["measured"].ndim != 1:
        raise fail("dataset", "a single fit", f"one for each {', '.join(map(str, dataset['measured'].dims[:-1]))}")
    place = np.arange(dataset.sizes["observation"])
    with _style.style():
        ax = _style.new_axes(ax, (6.8, 5.0))
        measured = {"fmt": "o", "markersize": 4.0, "color": _DATA, "capsize": 2.0, "label": "measured"}
        ax.errorbar(place, dataset["measured"], dataset["error"], **measured)
        ax.plot(place, dataset["predicted"], "_", markersize=11.0, markeredgewidth=1.6, color=_MODEL, label="model")
        ax.set_ylabel(_style.energy_label(dataset))
        ax.set_title(_title(dataset), fontsize=9.0)
        ax.legend(loc="best")
        ax.tick_params(labelbottom=False)
        below = cast(Axes, ax.inset_axes((0.0, -0.42, 1.0, 0.36), sharex=ax))
        below.tick_params(direction="out", labelsize=10.0, color=_style.INK, labelcolor=_style.INK)
        below.axhspan(-1, 1, color=_style.NEUTRAL, linewidth=0)
        below.axhline(0, color=_style.INK, linewidth=0.8)
        below.plot(place, dataset["residual"], "o", markersize=4.0, color=_DATA)
        below.set_ylabel("residual (σ)")
        ax.set_xlim(-0.6, len(place) - 0.4)
        if len(place) <= _NAMED:
            below.set_xticks(place, _names(dataset), rotation=90, fontsize=7.5)
        else:
            below.xaxis.set_major_locator(MaxNLocator(integer=True))
            below.set_xlabel("observation")
    return ax


def _names(dataset: xr.Dataset) -> list[str]:
    """Flux and label of each gap, flux and band of each level."""
    names = []
    for number in range(dataset.sizes["observation"]):
        row = dataset.isel(observation=number)
        flux = f"{int(row['observed_p'])}/{int(row['observed_q'])}".removesuffix("/1")
        if int(row["is_level"]):
            what = f"band {int(row['band'])} {'top' if int(row['side']) > 0 else 'bottom'}"
        else:
            what = f"({float(row['s']):g}, {float(row['t']):g})"
        names.append(f"{flux}  {what}".replace("-", "−"))
    return names


def _title(dataset: xr.Dataset) -> str:
    """Parameters with their standard errors, and chi²."""
    parts = []
    for name in dataset.attrs.get("parameters", []):
        value, error = float(dataset[f"fitted_{name}"]), float(dataset[f"error_{name}"])
        digits = max(0, 1 - int(np.floor(np.log10(error)))) if np.isfinite(error) and error > 0 else 4
        shown = f"{error:.{digits}f}" if np.isfinite(error) else "∞"
        parts.append(f"{name} = {value:.{digits}f} ± {shown}")
    chi_squared, free = float(dataset["chi_squared"]), int(dataset["degrees_of_freedom"])
    return ",  ".join(parts) + f"\nχ² = {chi_squared:.3g} with {free} degrees of freedom"
