"""The flow of Wannier centers of a group of bands around the magnetic zone."""

import numpy as np
import xarray as xr

from hofstadter.flux import Flux, FluxLike
from hofstadter.models import Model
from hofstadter.tasks._basis import band_range, basis_variables, group_attributes, problem_at, with_bands
from hofstadter.topology.wannier_flow import wilson_chern
from hofstadter.topology.wilson import wilson_loop


def wannier_flow(
    model: Model,
    flux: FluxLike,
    bands: tuple[int, int],
    *,
    from_reference: bool = False,
    direction: int = 2,
    steps: int | None = None,
    loops: int = 96,
    levels: int | None = None,
    bands_per_cell: int | None = None,
    rtol: float | None = None,
    memory_gb: float = 4.0,
) -> xr.Dataset:
    """Berry phases of Wilson loops as the transverse momentum goes around the zone, and their winding.

    Args:
        model: The zero-field model.
        flux: Flux per primitive cell.
        bands: First band and the one after the last.
        from_reference: Whether `bands` counts from the model's reference, say charge neutrality: −1 is the first band
            below it. By default it counts from the lowest of the model's bands.
        direction: Which momentum runs along the loops, 1 or 2; see `hofstadter.wilson_loop`.
        steps: Momenta along a loop.
        loops: Number of transverse momenta.
        levels: Continuum only: Landau levels to keep; by default as many as the accuracy needs.
        bands_per_cell: Continuum only: how many bands per cell on each side of the model's reference; by default the
            model's own number.
        rtol: Continuum only: accuracy of the energies relative to their range; by default that of `at_flux`.
        memory_gb: Working memory.

    Returns:
        Dataset with dims (loop, center): `phase` in radians, in [−π, π); `transverse` (loop), the reduced momentum that
        stays fixed; `min_overlap` and `loop_status` (loop). Without dims: `chern` (NaN if not certified) and its
        `status`, and of a continuum model `reference_filling`, `levels`, `cutoff_error` and `basis_status`, as in
        `hofstadter.bands`.
    """
    flux, model = Flux.of(flux), with_bands(model, bands_per_cell)
    bands = band_range(model, flux, bands, from_reference)
    problem = problem_at(model, flux, levels, rtol)
    flow = wilson_loop(problem, bands, direction=direction, steps=steps, loops=loops, memory_gb=memory_gb)
    number = wilson_chern(problem, bands, direction=direction, memory_gb=memory_gb)
    return xr.Dataset(
        {
            "phase": (("loop", "center"), np.asarray(flow.phases)),
            "transverse": ("loop", np.asarray(flow.transverse)),
            "min_overlap": ("loop", np.asarray(flow.min_overlap)),
            "loop_status": ("loop", np.asarray(flow.status)),
            "chern": float(number.value),
            "status": int(number.status),
            **basis_variables(problem),
        },
        attrs={**group_attributes(model, flux, bands), "direction": direction},
    )
