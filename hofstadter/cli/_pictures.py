"""Pictures of a store, one per plot and point of the sweep."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from hofstadter.io.store import DONE, open_store


def sweep_points(dataset: xr.Dataset) -> list[tuple[str, xr.Dataset]]:
    """The parts of a dataset of `open_store` at each point of its sweep, with names such as "t2=0.1"."""
    names = [str(dim) for dim in dataset["point_status"].dims if dim != dataset.attrs["axis"]]
    parts = []
    for index in itertools.product(*(range(dataset.sizes[name]) for name in names)):
        part = dataset.isel(dict(zip(names, index, strict=True)))
        parts.append((", ".join(f"{name}={part[name].item()}" for name in names), part.drop_vars(names)))
    return parts


def finished(part: xr.Dataset) -> xr.Dataset | None:
    """What is done of one point of the sweep; None if nothing is."""
    done = np.flatnonzero(part["point_status"].values == DONE)
    if not done.size:
        return None
    return part.isel(flux=done) if "flux" in part.dims else part


def draw(store: Path, plots: Sequence[str], out: Path | None = None) -> list[Path]:
    """Draw plots of what a store has so far.

    Args:
        store: The store.
        plots: Names of functions of `hofstadter.plots`.
        out: The picture to write; by default next to the store, named after it. For a sweep or several plots
            each picture's own name goes before the extension.

    Returns:
        The pictures that were written.
    """
    if not plots:
        return []
    from matplotlib.figure import Figure  # slow to import

    import hofstadter.plots
    from hofstadter.plots._style import save

    base = out or store.with_suffix(".png")
    parts = sweep_points(open_store(store))
    written = []
    for plot in plots:
        for name, part in parts:
            data = finished(part)
            if data is None:
                continue
            tags = [plot] if out is None or len(plots) > 1 else []
            tags += [name.replace(", ", "_")] if name else []
            suffix = ".html" if plot == "html" else base.suffix
            path = base.with_name("_".join([base.stem, *(tag for tag in tags if tag != "html")]) + suffix)
            if plot == "html":
                written.append(hofstadter.plots.save_html(data.load(), path, title=name))
                continue
            axes = getattr(hofstadter.plots, plot)(data.load(), ax=Figure(layout="constrained").subplots())
            if name:
                axes.set_title(name)
            written.append(save(axes, path, dpi=200))
    return written
