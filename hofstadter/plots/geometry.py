"""Maps of Berry curvature and quantum metric over the momentum plane."""

from typing import Any, cast

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize, TwoSlopeNorm
from matplotlib.figure import Figure

from hofstadter._checks import fail
from hofstadter.plots import _style


def berry_curvature(dataset: xr.Dataset, ax: Axes | None = None, *, colorbar: bool = True) -> Axes:
    """Draw the Berry curvature of a group of bands over one period of it, [0, 1/q)² of the reduced momenta.

    Args:
        dataset: A dataset of `hofstadter.geometry_map`.
        ax: Axes to draw on; by default those of a new figure.
        colorbar: Whether to add the key of colors.

    Returns:
        The axes. Momenta where the group touches another band are left white.
    """
    values = _on_plane(dataset, "berry_curvature")
    largest = float(np.nanmax(np.abs(values), initial=1e-300))
    norm = TwoSlopeNorm(0.0, -largest, largest)
    return _map(dataset, values, ax, norm, _style.SIGNED, f"Berry curvature Ω ({_area(dataset)})" if colorbar else None)


def quantum_metric(dataset: xr.Dataset, ax: Axes | None = None, *, colorbar: bool = True) -> Axes:
    """Draw the trace of the quantum metric of a group of bands; arguments as in `berry_curvature`."""
    values = _on_plane(dataset, "metric_xx") + _on_plane(dataset, "metric_yy")
    norm = Normalize(0.0, float(np.nanmax(values, initial=1e-300)))
    return _map(dataset, values, ax, norm, _style.SURFACE, f"tr g ({_area(dataset)})" if colorbar else None)


def _on_plane(dataset: xr.Dataset, name: str) -> np.ndarray:
    if name not in dataset:
        raise fail("dataset", f"one of `hofstadter.geometry_map`, with `{name}`", f"with {sorted(map(str, dataset))}")
    return dataset[name].transpose("k1", "k2").values


def _map(
    dataset: xr.Dataset, values: np.ndarray, ax: Axes | None, norm: Normalize, cmap: Colormap, label: str | None
) -> Axes:
    kx, ky = (_with_far_edge(dataset[name].transpose("k1", "k2").values) for name in ("kx", "ky"))
    # Values repeat at the far edges.
    closed = np.pad(values, ((0, 1), (0, 1)), mode="wrap")
    with _style.style():
        ax = _style.new_axes(ax, (5.4, 4.6))
        shown = np.ma.masked_invalid(closed)
        # Smooth shading spreads a hole over its neighbors, so maps with holes are drawn in flat tiles.
        shading = "gouraud" if np.isfinite(closed).all() else "nearest"
        mesh = ax.pcolormesh(kx, ky, shown, norm=norm, cmap=cmap, shading=shading, rasterized=True)
        ax.set_aspect("equal")
        ax.set(xlabel="$k_x$", ylabel="$k_y$")
        if label is not None:
            bar = cast(Figure, ax.figure).colorbar(mesh, ax=ax, pad=0.02, aspect=30)
            bar.set_label(label)
            cast(Any, bar.outline).set_linewidth(0.8)
        if group := _style.group_name(dataset):
            ax.set_title(f"{group} at {_style.flux_title(dataset)}", fontsize=10.0)
    return ax


def _area(dataset: xr.Dataset) -> str:
    return f"{dataset.attrs.get('length_unit', 'a')}²"


def _with_far_edge(momenta: np.ndarray) -> np.ndarray:
    """One more row and column of a uniform mesh of a parallelogram."""
    along1, along2 = momenta[1, 0] - momenta[0, 0], momenta[0, 1] - momenta[0, 0]
    first, second = np.ogrid[: momenta.shape[0] + 1, : momenta.shape[1] + 1]
    return momenta[0, 0] + first * along1 + second * along2
