"""Density of states over energy and field."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from hofstadter._checks import check_finite, fail, warn_if_single_precision
from hofstadter.errors import Status
from hofstadter.flux import Flux, FluxLike
from hofstadter.models import AbstractContinuum, Model
from hofstadter.tasks._basis import with_bands
from hofstadter.tasks._sample import Sample, chosen_fluxes, make_sample
from hofstadter.tasks._thermal import thermal_functions


def density_of_states(
    model: Model,
    energies: Sequence[float] | np.ndarray | None = None,
    *,
    field_tesla: Sequence[float] | np.ndarray | None = None,
    fluxes: Iterable[FluxLike] | FluxLike | None = None,
    bands_per_cell: int | None = None,
    memory_gb: float = 4.0,
    progress: Callable[[int], None] | None = None,
    **conditions: Any,
) -> xr.Dataset:
    """Density of states ∂n/∂μ and density n(μ) over chemical potential and field.

    Args:
        model: The zero-field model.
        energies: Ascending chemical potentials, in meV where laboratory units are known, else in the model's unit. By
            default 400 over all bands of a lattice model; a continuum model needs them.
        field_tesla: Ascending fields in tesla; or give `fluxes`.
        fluxes: Flux quanta per cell, as fractions.
        bands_per_cell: Continuum models only: how many bands per cell on each side of the model's reference.
        memory_gb: Working memory.
        progress: Called with the number of fluxes finished since the last call.
        **conditions: Temperature, broadening, flavors, units and `rtol`, as for `landau_fan`.

    Returns:
        Dataset with dims (flux, energy): `density_of_states` per cell and unit of energy, `integrated_density` in
        states per cell, counted from the bottom (of a continuum model, from its reference), and `dos_status`.

    Raises:
        ValueError: If temperature and broadening are both zero, or an argument is wrong.
    """
    warn_if_single_precision()
    if not memory_gb > 0:
        raise fail("memory_gb", "positive", memory_gb)
    sample = make_sample(with_bands(model, bands_per_cell), needs_units=field_tesla is not None, **conditions)
    points = chosen_fluxes(sample.model, field_tesla, fluxes, sample.units)
    places = chosen_energies(sample, points, energies)
    return dos_of(sample, points, places, sample.energy_step(points), memory_gb=memory_gb, progress=progress)


def dos_of(
    sample: Sample,
    fluxes: Sequence[Flux],
    energies: np.ndarray,
    step: float,
    *,
    memory_gb: float,
    progress: Callable[[int], None] | None = None,
) -> xr.Dataset:
    """The rows at some fluxes, for arguments that were checked; energies as in the dataset."""
    unit = sample.energy_mev
    places = energies / unit
    span = float(places[0]), float(places[-1])
    totals = sample.totals(fluxes, step, energies=span, labels=False, memory_gb=memory_gb, progress=progress)
    thermal = thermal_functions(sample, fluxes, totals, step)
    density = np.stack([one.at("density", places) for one in thermal])
    status = np.array([[int(total.status)] for total in totals])
    dims = ("flux", "energy")
    return xr.Dataset(
        {
            "density_of_states": (dims, np.stack([one.at("density_of_states", places) for one in thermal]) / unit),
            "integrated_density": (dims, density),
            "dos_status": (dims, np.where(np.isfinite(density), status, int(Status.OUT_OF_RANGE))),
        },
        coords={**sample.flux_coordinates(fluxes), "energy": energies},
        attrs=sample.attributes(),
    )


def chosen_energies(sample: Sample, fluxes: Sequence[Flux], energies: Any, points: int = 400) -> np.ndarray:
    """The energies that are asked for, as in the dataset."""
    if energies is None:
        if isinstance(sample.model, AbstractContinuum):
            raise fail("energies", "given for a continuum model, whose spectrum has no end", None)
        reach = float(np.abs(sample.shifts(fluxes)).max()) + sample.tail(fluxes) / 2
        bound = (float(sample.model.norm_bound()) + reach) * sample.energy_mev
        return np.linspace(-bound, bound, points)
    values = np.atleast_1d(np.asarray(energies, float))
    check_finite("energies", values)
    if values.ndim != 1 or len(values) < 2 or np.any(np.diff(values) <= 0):
        raise fail("energies", "a list of at least two ascending numbers", values.tolist())
    return values
