"""The flow of Wannier centers of a group of bands around the magnetic zone."""

import numpy as np
import xarray as xr

from hofstadter.flux import FluxLike
from hofstadter.hamiltonian.at_flux import at_flux
from hofstadter.models.tight_binding import TightBinding
from hofstadter.topology.wannier_flow import wilson_chern
from hofstadter.topology.wilson import wilson_loop


def wannier_flow(
    model: TightBinding,
    flux: FluxLike,
    bands: tuple[int, int],
    *,
    direction: int = 2,
    steps: int | None = None,
    loops: int = 96,
    memory_gb: float = 4.0,
) -> xr.Dataset:
    """Berry phases of Wilson loops as the transverse momentum goes around the zone, and their winding.

    Args:
        model: The zero-field model.
        flux: Flux per primitive cell.
        bands: First band and the one after the last.
        direction: Which momentum runs along the loops, 1 or 2; see `hofstadter.wilson_loop`.
        steps: Momenta along a loop.
        loops: Number of transverse momenta.
        memory_gb: Working memory.

    Returns:
        Dataset with dims (loop, center): `phase` in radians, in [−π, π); `transverse` (loop), the reduced momentum that
        stays fixed; `min_overlap` and `loop_status` (loop). Without dims: `chern` (NaN if not certified) and its
        `status`.
    """
    problem = at_flux(model, flux)
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
        },
        attrs={"model": model.name, "flux": str(problem.flux), "bands": list(bands), "direction": direction},
    )
