"""Charge gaps of Hartree–Fock states against filling."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from hofstadter._checks import fail
from hofstadter.errors import Status
from hofstadter.plots import _style

# States whose density matrix has more than this share between valleys count as coherent.
COHERENT = 0.01
_NEEDED = ("energy", "gap", "filling", "status", "coherence", "t")


def mean_fields(dataset: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw the gap of each self-consistent state, the one of lowest energy filled, with its Chern number.

    Args:
        dataset: A dataset of `hofstadter.mean_fields`, or of a store of the task `hartree_fock`.
        ax: Axes to draw on; by default those of a new figure.

    Returns:
        The axes. Diamonds are states with coherence between valleys. Runs that did not converge are crosses.
    """
    missing = [name for name in _NEEDED if name not in dataset]
    if missing:
        raise fail("dataset", "one of mean fields", f"without {', '.join(missing)}")
    with _style.style():
        ax = _style.new_axes(ax, (6.4, 4.4))
        shades = _style.SURFACE(np.linspace(0.05, 0.8, dataset.sizes["flux"]))
        for number, shade in enumerate(shades):
            row = dataset.isel(flux=number)
            _draw_flux(ax, row, shade)
            ax.plot([], [], "s", color=shade, markersize=7.0, label=f"flux {_fraction(row)}")
        for marker, text in (("o", "valleys apart"), ("D", "valleys coherent"), ("x", "not converged")):
            ax.plot([], [], marker, color=_style.INK, markersize=5.0, label=text)
        ax.axhline(0, color=_style.INK, linewidth=0.8)
        ax.set(
            xlabel="electrons per cell from neutrality",
            ylabel=_style.energy_label(dataset).replace("energy", "charge gap"),
        )
        ax.legend(loc="best", fontsize=8.5)
    return ax


def _draw_flux(ax: Axes, row: xr.Dataset, shade) -> None:
    for line in range(row.sizes["line"]):
        states = row.isel(line=line)
        energy, gap, status = (states[name].values for name in ("energy", "gap", "status"))
        there = np.isfinite(energy)
        if not there.any():
            continue
        failed = status == int(Status.HARTREE_FOCK_NOT_CONVERGED)
        filling = float(states["filling"])
        best = int(np.lexsort((energy, failed))[0])
        for start in np.flatnonzero(there):
            coherent = float(states["coherence"][start]) > COHERENT
            marker = "x" if failed[start] else "D" if coherent else "o"
            inner = shade if start == best or failed[start] else "none"
            size = 7.0 if start == best else 5.0
            ax.plot(filling, gap[start], marker, markersize=size, color=shade, markerfacecolor=inner)
        t = float(states["t"][best])
        if np.isfinite(t):
            ax.annotate(
                f"t = {t:g}".replace("-", "−"),
                (filling, gap[best]),
                xytext=(6, 4),
                textcoords="offset points",
                fontsize=7.5,
                color=shade,
            )


def _fraction(row: xr.Dataset) -> str:
    return f"{int(row['p'])}/{int(row['q'])}".removesuffix("/1")
