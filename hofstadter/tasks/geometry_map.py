"""Berry curvature and quantum metric of a group of bands over the magnetic zone."""

import numpy as np
import xarray as xr

from hofstadter import lattice
from hofstadter._checks import as_integer
from hofstadter.errors import Status
from hofstadter.flux import Flux, FluxLike
from hofstadter.geometry.metric import quantum_geometric_tensor, zone_average
from hofstadter.models import Model
from hofstadter.tasks._basis import band_range, basis_variables, group_attributes, problem_at, with_bands

# What the averages over the zone are to be accurate to.
AVERAGE_RTOL = 1e-10


def geometry_map(
    model: Model,
    flux: FluxLike,
    bands: tuple[int, int],
    *,
    from_reference: bool = False,
    points: int = 48,
    levels: int | None = None,
    bands_per_cell: int | None = None,
    rtol: float | None = None,
    memory_gb: float = 4.0,
) -> xr.Dataset:
    """Berry curvature and quantum metric on a mesh of [0, 1/q)², and their averages over the magnetic zone.

    Args:
        model: The zero-field model.
        flux: Flux per primitive cell.
        bands: First band and the one after the last; the group must be separated from the others at every k.
        from_reference: Whether `bands` counts from the model's reference, say charge neutrality: −1 is the first band
            below it. By default it counts from the lowest of the model's bands.
        points: Momenta per direction of the map. Averages choose their own mesh, for an accuracy of 1e-10, or `rtol`.
        levels: Continuum only: Landau levels to keep; by default as many as the accuracy needs.
        bands_per_cell: Continuum only: how many bands per cell on each side of the model's reference; by default the
            model's own number.
        rtol: Continuum only: accuracy of the energies relative to their range; by default that of `at_flux`.
        memory_gb: Working memory.

    Returns:
        Dataset with dims (k1, k2): `berry_curvature`, `metric_xx`, `metric_xy`, `metric_yy` in units of the lattice
        vectors' length squared, with coordinates `kx` and `ky`; NaN where the group touches another band. Without
        dims: `chern`, `t_ratio`, `trace_violation`, `min_gap`, `min_gap_k1`, `min_gap_k2` and `status` of
        `hofstadter.zone_average`, and of a continuum model `reference_filling`, `levels`, `cutoff_error` and
        `basis_status`, as in `hofstadter.bands`.
    """
    flux, model = Flux.of(flux), with_bands(model, bands_per_cell)
    bands = band_range(model, flux, bands, from_reference)
    problem = problem_at(model, flux, levels, rtol)
    k = problem.reduced_mesh(points := as_integer("points", points, minimum=2), points)
    tensor = quantum_geometric_tensor(problem, bands, k, memory_gb=memory_gb, throw=False)
    metric, curvature = np.asarray(tensor.real), np.asarray(-2 * tensor[..., 0, 1].imag)
    # A basis that is less accurate than a mesh would let the averages wander for ever.
    average = zone_average(problem, bands, rtol=max(AVERAGE_RTOL, rtol or 0), memory_gb=memory_gb)
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
            **basis_variables(problem),
        },
        coords={"kx": (plane, momenta[..., 0]), "ky": (plane, momenta[..., 1])},
        attrs={**group_attributes(model, flux, bands), "status_meaning": Status(int(average.status)).name},
    )
