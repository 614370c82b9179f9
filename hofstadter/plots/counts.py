"""Pictures of counted states: gaps where the density stays the same from one energy to the next."""

from typing import Any, cast

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure

from hofstadter._checks import fail
from hofstadter.plots import _style

# Gap sizes differ by orders of magnitude: the root of the root keeps small ones visible.
_FADING = 0.25
# Inside of bands the density is an average over momenta, and can stay the same over a few energies there; but only in
# gaps it is a whole number of bands.
_WHOLE = 1e-6


def integrated_density(dataset: xr.DataArray | xr.Dataset, ax: Axes | None = None, *, colorbar: bool = True) -> Axes:
    """Draw the butterfly of counted states: gaps in the color of the density below them, bands black.

    What is a gap shows down to the distance of two energies, whatever the number of bands. Where bands touch in a
    point, a gap shows as wide as the levels of the mesh are apart.

    Args:
        dataset: What `hofstadter.integrated_density` gives, energies ascending.
        ax: Axes to draw on; by default those of a new figure.
        colorbar: Whether to add the key of colors.
    """
    data = _sorted(dataset)
    density, gap = _gaps(data)
    top = float(data.attrs.get("orbitals", density.max(initial=1.0)))
    with _style.style():
        ax = _style.new_axes(ax, (6.8, 5.0))
        ax.set_facecolor(_style.INK)
        shown = np.ma.masked_array(density, ~gap).T
        borders = _flux_borders(data)
        mesh = ax.pcolormesh(
            borders,
            data["energy"].values,
            shown,
            norm=Normalize(0, top),
            cmap=mpl.colormaps["turbo"],
            rasterized=True,
        )
        ax.set_xlim(borders[0], borders[-1])
        ax.set_xlabel("flux per cell Φ/Φ₀")
        ax.set_ylabel("energy")
        if colorbar:
            _key(ax, mesh, "density in gaps (states per cell)")
    return ax


def wannier_map(dataset: xr.DataArray | xr.Dataset, ax: Axes | None = None, *, colorbar: bool = True) -> Axes:
    """Draw the gaps of counted states over flux and density: points on the straight lines n = s + t φ.

    After Wannier, Phys. Stat. Sol. (b) 88, 757 (1978). A point is the darker the larger the gap; no label is needed.

    Args:
        dataset: What `hofstadter.integrated_density` gives, energies ascending.
        ax: Axes to draw on; by default those of a new figure.
        colorbar: Whether to add the key of colors.
    """
    data = _sorted(dataset)
    flux, density, size = _gap_sizes(data)
    order = np.argsort(size, kind="stable")
    with _style.style():
        ax = _style.new_axes(ax, (6.8, 5.0))
        norm = PowerNorm(_FADING, 0, size.max(initial=0.0) or 1.0)
        look: dict[str, Any] = {"s": 36 / max(6.0, data.sizes["flux"] ** 0.5), "linewidths": 0, "rasterized": True}
        dots = ax.scatter(flux[order], density[order], c=size[order], norm=norm, cmap="Greys", **look)
        borders = _flux_borders(data)
        ax.set_xlim(borders[0], borders[-1])
        ax.set_ylim(0, float(data.attrs.get("orbitals", data.max())))
        ax.set_xlabel("flux per cell Φ/Φ₀")
        ax.set_ylabel("density (states per cell)")
        if colorbar:
            _key(ax, dots, "size of the gap")
    return ax


def _sorted(dataset: xr.DataArray | xr.Dataset) -> xr.DataArray:
    """The counts (flux, energy), fluxes ascending."""
    data = dataset.get("integrated_density") if isinstance(dataset, xr.Dataset) else dataset
    if data is None or not {"flux", "energy", "q"} <= set(data.coords) or data.name != "integrated_density":
        raise fail("dataset", "one of `hofstadter.integrated_density`", f"with {sorted(map(str, dataset.coords))}")
    if data.sizes["energy"] < 2 or np.any(np.diff(data["energy"]) <= 0):
        raise fail("dataset", "one with at least two ascending energies", f"one with {data['energy'].values.tolist()}")
    if isinstance(dataset, xr.Dataset):
        data = data.assign_attrs(dataset.attrs)
    return data.sortby("flux").transpose("flux", "energy")


def _gaps(data: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    """Between neighboring energies (flux, interval): the density, and whether no state lies there."""
    density = data.values[:, :-1]
    bands = density * data["q"].values[:, None]
    whole = np.abs(bands - np.round(bands)) < _WHOLE * np.maximum(1, bands)
    return density, whole & (data.values[:, 1:] == density)


def _gap_sizes(data: xr.DataArray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flux, density and size of every gap that holds at least two energies."""
    density, gap = _gaps(data)
    top = float(data.attrs.get("orbitals", density.max(initial=0.0)))
    gap &= (density > 0) & (density < top)
    row, column = np.nonzero(gap)
    bands = np.round(density[row, column] * data["q"].values[row]).astype(int)
    key, place = np.unique(np.stack([row, bands], axis=1), axis=0, return_inverse=True)
    size = np.bincount(place.ravel(), weights=np.diff(data["energy"].values)[column], minlength=len(key))
    return data["flux"].values[key[:, 0]], key[:, 1] / data["q"].values[key[:, 0]], size


def _flux_borders(data: xr.DataArray) -> np.ndarray:
    """Borders half-way between fluxes; a lone flux gets a strip."""
    flux = data["flux"].values
    if len(flux) < 2:
        return np.array([flux[0] - 0.5, flux[0] + 0.5])
    middle = (flux[1:] + flux[:-1]) / 2
    return np.concatenate([[2 * flux[0] - middle[0]], middle, [2 * flux[-1] - middle[-1]]])


def _key(ax: Axes, shown: Any, label: str) -> None:
    bar = cast(Figure, ax.figure).colorbar(shown, ax=ax, pad=0.02, aspect=32)
    bar.set_label(label)
    cast(Any, bar.outline).set_linewidth(0.8)
