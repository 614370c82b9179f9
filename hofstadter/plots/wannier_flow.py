"""The flow of Wannier centers around the magnetic zone."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from hofstadter._checks import fail
from hofstadter.plots import _style


def wannier_flow(dataset: xr.Dataset, ax: Axes | None = None, *, color: str | None = None) -> Axes:
    """Draw the Berry phases of Wilson loops over the transverse momentum, on the cylinder −π … π.

    The number of times that the points wind around the cylinder from left to right is C for loops along k2 and −C for
    loops along k1.

    Args:
        dataset: A dataset of `hofstadter.wannier_flow`.
        ax: Axes to draw on; by default those of a new figure.
        color: A color of matplotlib; by default that of bands.

    Returns:
        The axes. Loops that are not well converged are left out.
    """
    if "phase" not in dataset:
        raise fail("dataset", "one of `hofstadter.wannier_flow`, with `phase`", f"with {sorted(map(str, dataset))}")
    phase = dataset["phase"].transpose("loop", "center").values
    transverse, along = dataset["transverse"].values, dataset.attrs.get("direction", 2)
    good = dataset["loop_status"].values == 0
    with _style.style():
        ax = _style.new_axes(ax, (5.0, 3.8))
        shade = _style.LINE if color is None else color
        x = np.repeat(transverse[good], phase.shape[1])
        ax.scatter(x, phase[good].ravel() / (2 * np.pi), s=7.0, color=shade, linewidths=0.0)
        spacing = transverse[1] - transverse[0] if len(transverse) > 1 else 1.0
        ax.set_xlim(transverse[0], transverse[-1] + spacing)
        ax.set_ylim(-0.5, 0.5)
        ax.axhline(0.0, color=_style.HATCH, linewidth=0.6, zorder=0.5)
        ax.set(xlabel=f"$k_{3 - along}$", ylabel=r"Berry phase $\theta/2\pi$")
        chern = float(dataset["chern"]) if "chern" in dataset else np.nan
        shown = f"{chern:+.0f}".replace("-", "−") if chern else "0"
        number = f", C = {shown}" if np.isfinite(chern) else ""
        group = _style.group_name(dataset)
        ax.set_title(f"{group} at {_style.flux_title(dataset)}{number}".removeprefix(" at "), fontsize=10.0)
    return ax
