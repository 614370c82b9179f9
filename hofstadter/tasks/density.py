"""Integrated density of states: states per cell below given energies."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import xarray as xr

from hofstadter._checks import as_integer, fail, warn_if_single_precision
from hofstadter.counting.edges import mesh_size
from hofstadter.counting.states import count_states
from hofstadter.flux import FluxLike, as_fluxes
from hofstadter.models import Model
from hofstadter.models.tight_binding import TightBinding


def integrated_density(
    model: TightBinding,
    fluxes: Iterable[FluxLike] | FluxLike,
    energies: Any,
    *,
    mesh: int | None = None,
    memory_gb: float = 4.0,
    progress: Callable[[int], None] | None = None,
) -> xr.DataArray:
    """States per primitive cell below each energy.

    In a gap the value is exact, r/q = s + t p/q. Inside a band it is an average over a mesh of momenta. States are
    counted without diagonalizing where that is faster (`counting.states`), so thousands of energies and magnetic cells
    of a thousand primitive ones are cheap. Of a level closer to an energy than about 1e-12 of the largest |energy|
    (1e-4 in single precision) it is not certain on which side it is.

    Args:
        model: The zero-field model.
        fluxes: Fluxes per primitive cell.
        energies: Energies, in the model's unit; any order.
        mesh: Momenta per direction of the reduced zone [0, 1/q)²; by default finer for small q, where bands are wide.
        memory_gb: Working memory.
        progress: Called with the number of matrices done since the last call.

    Returns:
        Array with dims (flux, energy). It grows from 0 to the number of orbitals. `hofstadter.plots.integrated_density`
        and `hofstadter.plots.wannier_map` draw it.
    """
    warn_if_single_precision()
    if not memory_gb > 0:
        raise fail("memory_gb", "positive", memory_gb)
    check_countable(model)
    points = as_fluxes(fluxes)
    levels = np.atleast_1d(np.asarray(energies, float))
    if levels.ndim != 1 or not np.all(np.isfinite(levels)):
        raise fail("energies", "a list of finite numbers", energies)
    if not all(np.all(np.isfinite(numbers)) for numbers in (model.positions, model.onsite, model.amplitudes)):
        raise fail("model", "free of NaN and infinity", model.name)
    grids = []
    for flux in points:
        size = mesh_size(flux.q) if mesh is None else as_integer("mesh", mesh, minimum=1)
        # Midpoints: the mean over them converges fast and no symmetric momentum is counted in full.
        grid = (np.arange(size) + 0.5) / (size * flux.q)
        grids.append((grid, grid))
    counts = count_states(model, points, grids, levels, memory_gb=memory_gb, progress=progress)
    states = np.array([[len(grid[0]) * len(grid[1]) * flux.q] for grid, flux in zip(grids, points, strict=True)])
    return xr.DataArray(
        counts / states,
        dims=("flux", "energy"),
        coords={
            "flux": [float(flux) for flux in points],
            "p": ("flux", [flux.p for flux in points]),
            "q": ("flux", [flux.q for flux in points]),
            "energy": levels,
        },
        name="integrated_density",
        attrs={"model": model.name, "orbitals": model.orbitals},
    )


def check_countable(model: Model) -> TightBinding:
    """The model, if it is a lattice whose states can be counted."""
    if not isinstance(model, TightBinding):
        hint = "Of a continuum model, gaps and their densities are in `hofstadter.butterfly`."
        raise fail("model", "a tight-binding model", f"the continuum model {model.name!r}", hint)
    return model
