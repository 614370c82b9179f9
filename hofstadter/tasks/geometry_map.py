"""Berry curvature and quantum metric of a group of bands over the magnetic zone."""

import numpy as np
import xarray as xr

from hofstadter import lattice
from hofstadter._checks import as_integer
from hofstadter.errors import Status
from hofstadter.flux import FluxLike
from hofstadter.geometry.metric import quantum_geometric_tensor, zone_average
from hofstadter.hamiltonian.at_flux import at_flux
from hofstadter.models.tight_binding import TightBinding


def geometry_map(
    model: TightBinding,
    flux: FluxLike,
    bands: tuple[int, int],
    *,
    points: int = 48,
    memory_gb: float = 4.0,
) -> xr.Dataset:
    """Berry curvature and quantum metric on a mesh of [0, 1/q)², and their averages over the magnetic zone.

    Args:
        model: The zero-field model.
        flux: Flux per primitive cell.
        bands: First band and the one after the last; the group must be separated from the others at every k.
        points: Momenta per direction of the map. Averages choose their own mesh.
        memory_gb: Working memory.

    Returns:
        Dataset with dims (k1, k2): `berry_curvature`, `metric_xx`, `metric_xy`, `metric_yy` in units of the lattice
        vectors' length squared, with coordinates `kx` and `ky`; NaN where the group touches another band. Without
        dims: `chern`, `t_ratio`, `trace_violation`, `min_gap`, `min_gap_k1`, `min_gap_k2` and `status` of
        `hofstadter.zone_average`.
    """
    problem = at_flux(model, flux)
    k = problem.reduced_mesh(points := as_integer("points", points, minimum=2), points)
    tensor = quantum_geometric_tensor(problem, bands, k, memory_gb=memory_gb, throw=False)
    metric, curvature = np.asarray(tensor.real), np.asarray(-2 * tensor[..., 0, 1].imag)
    average = zone_average(problem, bands, memory_gb=memory_gb)
    momenta = np.asarray(k) @ np.asarray(lattice.reciprocal_vectors(model.vectors))
    plane = ("k1", "k2")
    return xr.Dataset(
        {
            "berry_curvature": (plane, curvature),
            "metric_xx": (plane, metric[..., 0, 0]),
            "metric_xy": (plane, metric[..., 0, 1]),
            "metric_yy": (plane, metric[..., 1, 1]),
            "chern": float(average.chern),
            "t_ratio": float(average.t_ratio),
            "trace_violation": float(average.trace_violation),
            "min_gap": float(average.min_gap),
            "min_gap_k1": float(average.min_gap_k[0]),
            "min_gap_k2": float(average.min_gap_k[1]),
            "status": int(average.status),
        },
        coords={"kx": (plane, momenta[..., 0]), "ky": (plane, momenta[..., 1])},
        attrs={
            "model": model.name,
            "flux": str(problem.flux),
            "bands": list(bands),
            "status_meaning": Status(int(average.status)).name,
        },
    )
