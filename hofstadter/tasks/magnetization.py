"""Magnetization over chemical potential and field, de Haas–van Alphen oscillations among it, by differences in flux."""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import xarray as xr

from hofstadter._checks import fail, warn_if_single_precision
from hofstadter.errors import Status
from hofstadter.flux import Flux, FluxLike, simplest_flux
from hofstadter.models import AbstractContinuum, Model
from hofstadter.tasks._basis import with_bands
from hofstadter.tasks._sample import Sample, chosen_fluxes, make_sample
from hofstadter.tasks._thermal import thermal_functions
from hofstadter.tasks.density_of_states import chosen_energies
from hofstadter.units import BOHR_MAGNETON_MEV_PER_TESLA

# Of the distance to the nearest other flux, how far the neighbors for differences are away at most, and how close
# the simplest fraction may be.
FARTHEST, CLOSEST = 0.25, 0.2
# Without another flux, of the flux quantum.
ALONE = 4e-3
# Small differences need energies so much closer than a picture does, and edges of gaps to this part of that.
FINER = 5
RESOLUTION = 1 / 1024


def magnetization(
    model: Model,
    chemical_potential: Sequence[float] | np.ndarray | None = None,
    *,
    field_tesla: Sequence[float] | np.ndarray | None = None,
    fluxes: Iterable[FluxLike] | FluxLike | None = None,
    flux_step: float | None = None,
    bands_per_cell: int | None = None,
    memory_gb: float = 4.0,
    progress: Callable[[int], None] | None = None,
    **conditions: Any,
) -> xr.Dataset:
    """Magnetization M = −∂Ω/∂B at constant chemical potential, of orbits and (through moments of flavors) spins.

    Ω is counted at each flux and at two close by, and its slope taken from the three. `orbital_magnetization` is the
    slope at exactly one flux, by perturbation theory; this is for many fluxes and large magnetic cells.

    Args:
        model: The zero-field model; its spectrum must have a bottom.
        chemical_potential: Ascending, in meV where laboratory units are known, else in the model's unit. By default
            400 over all bands of a lattice model.
        field_tesla: Ascending fields in tesla; or give `fluxes`.
        fluxes: Flux quanta per cell, as fractions.
        flux_step: How far the fluxes close by are away, in flux quanta per cell; by default a quarter of the distance
            to the nearest other flux. It must be small compared with the period of oscillations.
        bands_per_cell: Continuum models only: how many bands per cell.
        memory_gb: Working memory.
        progress: Called with the number of fluxes finished since the last call.
        **conditions: Temperature, broadening, flavors, units and `rtol`, as for `landau_fan`.

    Returns:
        Dataset with dims (flux, chemical_potential): `magnetization` per cell in Bohr magnetons where units are known,
        else in energy per flux quantum; `density` n in states per cell; `density_slope` ∂n/∂φ = ∂M/∂μ, in a gap its
        Chern number; `grand_potential`, `entropy` and `heat_capacity` (constant density, k_B) per cell;
        `magnetization_status`.

    Raises:
        ValueError: If the spectrum has no bottom, temperature and broadening are both zero, or an argument is wrong.
    """
    warn_if_single_precision()
    if not memory_gb > 0:
        raise fail("memory_gb", "positive", memory_gb)
    sample = make_sample(with_bands(model, bands_per_cell), needs_units=field_tesla is not None, **conditions)
    check_bottom(sample.model)
    points = chosen_fluxes(sample.model, field_tesla, fluxes, sample.units)
    neighbors = flux_neighbors(points, flux_step)
    places = chosen_energies(sample, points, chemical_potential)
    step = sample.energy_step(points) / FINER
    return magnetization_of(sample, points, neighbors, places, step, memory_gb=memory_gb, progress=progress)


def check_bottom(model: Model) -> None:
    """Refuse models whose lowest states are not known."""
    if isinstance(model, AbstractContinuum) and model.reference != "bottom":
        raise fail("model", "of a spectrum that has a bottom", f"counted from its {model.reference}")


def flux_neighbors(fluxes: Sequence[Flux], flux_step: float | None) -> list[tuple[Flux, Flux]]:
    """A simple fraction on either side of each flux."""
    if flux_step is not None and not 0 < flux_step < 1:
        raise fail("flux_step", "between 0 and 1", flux_step)
    exact = [Fraction(flux.p, flux.q) for flux in fluxes]
    result = []
    for number, center in enumerate(exact):
        others = [abs(center - other) for index, other in enumerate(exact) if index != number]
        room = Fraction(flux_step) / Fraction(FARTHEST) if flux_step else min(others, default=Fraction(ALONE))
        near, far = room * Fraction(CLOSEST), room * Fraction(FARTHEST)
        result.append((simplest_flux(center - far, center - near), simplest_flux(center + near, center + far)))
    return result


def magnetization_of(
    sample: Sample,
    fluxes: Sequence[Flux],
    neighbors: Sequence[tuple[Flux, Flux]],
    chemical_potential: np.ndarray,
    step: float,
    *,
    memory_gb: float,
    progress: Callable[[int], None] | None = None,
) -> xr.Dataset:
    """The rows at some fluxes, for arguments that were checked; chemical potentials as in the dataset."""
    unit = sample.energy_mev
    places = chemical_potential / unit
    every = [flux for pair, center in zip(neighbors, fluxes, strict=True) for flux in (pair[0], center, pair[1])]
    span = -np.inf, float(places[-1])
    totals = sample.totals(every, step, energies=span, resolution=RESOLUTION, labels=False, memory_gb=memory_gb)
    thermal = thermal_functions(sample, every, totals, step)
    names = ("density", "grand_potential", "entropy", "heat_capacity")
    # (flux, neighbor, chemical potential); below the grid there is nothing.
    tables = {
        name: np.stack([_from_bottom(one.at(name, places), places, one.chemical_potential[0]) for one in thermal])
        for name in names
    }
    three = {name: table.reshape(len(fluxes), 3, -1) for name, table in tables.items()}
    quanta = np.array([float(flux) for flux in every]).reshape(-1, 3)
    status = np.array([int(total.status) for total in totals]).reshape(-1, 3).max(axis=1, keepdims=True)
    slope = -_slope(quanta, three["grand_potential"])
    if sample.units:
        slope *= unit / sample.units.tesla_per_quantum / BOHR_MAGNETON_MEV_PER_TESLA
    if progress is not None:
        progress(len(fluxes))
    dims = ("flux", "chemical_potential")
    found = np.all(np.isfinite(three["density"]), axis=1)
    return xr.Dataset(
        {
            "magnetization": (dims, slope),
            "density_slope": (dims, _slope(quanta, three["density"])),
            **{name: (dims, table[:, 1] * (unit if name == "grand_potential" else 1)) for name, table in three.items()},
            "magnetization_status": (dims, np.where(found, status, int(Status.OUT_OF_RANGE))),
        },
        coords={**sample.flux_coordinates(fluxes), "chemical_potential": chemical_potential},
        attrs=sample.attributes(),
    )


def _from_bottom(values: np.ndarray, places: np.ndarray, first: float) -> np.ndarray:
    return np.where(places < first, 0.0, values)


def _slope(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Slope at the middle one of three places (row, 3) of the parabola through values (row, 3, column)."""
    left, right = (x[:, 1] - x[:, 0])[:, None], (x[:, 2] - x[:, 1])[:, None]
    below, above = (y[:, 1] - y[:, 0]) / left, (y[:, 2] - y[:, 1]) / right
    return (below * right + above * left) / (left + right)
