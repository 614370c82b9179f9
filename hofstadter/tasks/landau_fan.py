"""Landau fans: what a gate and a magnet show, from a model, in the units of the laboratory."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from hofstadter._checks import as_integer, check_finite, fail, warn_if_single_precision
from hofstadter.errors import Status
from hofstadter.flux import Flux, FluxLike
from hofstadter.models import AbstractContinuum, Model
from hofstadter.tasks._basis import with_bands
from hofstadter.tasks._sample import BroadeningLaw, Sample, chosen_fluxes, make_sample
from hofstadter.tasks._thermal import Thermal, thermal_functions
from hofstadter.thermodynamics.flavors import Flavor, Total
from hofstadter.thermodynamics.grand_canonical import Lineshape
from hofstadter.units import MICROFARAD_PER_CM2

# Densities closer than this are the same: the rounding errors of a gap.
PLATEAU = 1e-9


def landau_fan(
    model: Model,
    *,
    field_tesla: Sequence[float] | np.ndarray | None = None,
    fluxes: Iterable[FluxLike] | FluxLike | None = None,
    filling: Sequence[float] | np.ndarray | None = None,
    carrier_density: Sequence[float] | np.ndarray | None = None,
    neutral_filling: float = 0.0,
    temperature: float | None = None,
    temperature_kelvin: float | None = None,
    broadening: float | None = None,
    broadening_mev: float | None = None,
    lineshape: Lineshape = "gaussian",
    broadening_law: BroadeningLaw = "constant",
    flavors: Sequence[Flavor] = (Flavor(),),
    length_unit_nm: float | None = None,
    energy_unit_mev: float | None = None,
    max_gaps: int = 64,
    labels: bool = True,
    bands_per_cell: int | None = None,
    rtol: float | None = None,
    memory_gb: float = 4.0,
    progress: Callable[[int], None] | None = None,
) -> xr.Dataset:
    """Thermodynamics over magnetic field and density, and the gaps in it with their labels.

    Each field is computed at a fraction p/q of a flux quantum per cell within a quarter of the distance to the next
    one. Lattice models are not diagonalized but their states counted, so q may be thousands. At each flux the chemical
    potential follows from n(μ, B, T) of all flavors together. Fluxes do not depend on each other, but for the
    resolution in energy, a twentieth of the narrowest line.

    Args:
        model: The zero-field model.
        field_tesla: Ascending fields in tesla; or give `fluxes`.
        fluxes: Flux quanta per cell, as fractions.
        filling: Ascending electrons per cell of all flavors, counted from `neutral_filling`; or give
            `carrier_density`. By default 200 between the smallest and the largest possible.
        carrier_density: The same in 10¹² cm⁻².
        neutral_filling: Electrons per cell of the neutral sample, counted from the bottom of the bands (of a continuum
            model, from its reference).
        temperature: k_B T in the model's unit; or give `temperature_kelvin`.
        temperature_kelvin: Temperature in kelvin.
        broadening: Disorder broadening of the levels in the model's unit, standard deviation of a Gaussian or half
            width of a Lorentzian; or give `broadening_mev`.
        broadening_mev: The same in meV.
        lineshape: "gaussian" or "lorentzian".
        broadening_law: "constant", or "sqrt_field": broadening × √(B / 1 T), without laboratory units × √φ.
        flavors: Copies of the spectrum; `spin_flavors` makes the usual ones. Their shifts are in meV where laboratory
            units are known, else in the model's unit.
        length_unit_nm: The model's unit of length in nm, where it is not nm or Å.
        energy_unit_mev: The model's unit of energy in meV, where it is not meV or eV.
        max_gaps: How many gaps to keep at each flux, the largest ones.
        labels: Whether to compute (s, t).
        bands_per_cell: Continuum models only: how many bands per cell on each side of the model's reference.
        rtol: Continuum models only: accuracy of the energies relative to their range; by default 1e-4.
        memory_gb: Working memory.
        progress: Called with the number of fluxes finished since the last call.

    Returns:
        Dataset with dims (flux, filling, gap). Energies are in meV where units are known. Over (flux, filling):
        `chemical_potential`; `inverse_compressibility` dμ/dn, averaged over one step of filling, so that its sum
        over a line is the gap; `density_of_states` ∂n/∂μ; `quantum_capacitance` in µF/cm² (with units); `entropy` and
        `heat_capacity` per cell in k_B, the latter at constant density; `hall_conductivity` in e²/h with the sign of
        dn/dφ, that of the gaps and between them in proportion to the states filled; `fan_status`. Over (flux, gap):
        `lower`, `upper`, `size`, `density`, `s`, `t` with density = s + t p/q counted from `neutral_filling`, and
        `status`, as in `hofstadter.butterfly`; `gap_lines` sorts them into lines. Coordinates: `p`, `q`, and with units
        `field_tesla`; one electron per cell is `density_per_filling` × 10¹² cm⁻², an
        attribute.

    Raises:
        ValueError: If temperature and broadening are both zero, a filling cannot be reached, a field is beyond one
            quantum per cell of a lattice, units are missing, or an argument is given twice.
    """
    warn_if_single_precision()
    if not memory_gb > 0:
        raise fail("memory_gb", "positive", memory_gb)
    model = with_bands(model, bands_per_cell)
    sample = make_sample(
        model,
        temperature=temperature,
        temperature_kelvin=temperature_kelvin,
        broadening=broadening,
        broadening_mev=broadening_mev,
        lineshape=lineshape,
        broadening_law=broadening_law,
        flavors=flavors,
        length_unit_nm=length_unit_nm,
        energy_unit_mev=energy_unit_mev,
        rtol=rtol,
        needs_units=field_tesla is not None or carrier_density is not None,
    )
    points = chosen_fluxes(model, field_tesla, fluxes, sample.units)
    places = chosen_fillings(sample, points, filling, carrier_density, neutral_filling)
    return fan_of(
        sample,
        points,
        places,
        neutral_filling,
        sample.energy_step(points),
        max_gaps=as_integer("max_gaps", max_gaps, minimum=1),
        labels=labels,
        memory_gb=memory_gb,
        progress=progress,
    )


def fan_of(
    sample: Sample,
    fluxes: Sequence[Flux],
    filling: np.ndarray,
    neutral_filling: float,
    step: float,
    *,
    max_gaps: int,
    labels: bool,
    memory_gb: float,
    progress: Callable[[int], None] | None = None,
) -> xr.Dataset:
    """The rows of a fan at some fluxes, for arguments that were checked; see `landau_fan`."""
    borders = cell_borders(filling)
    totals = sample.totals(
        fluxes,
        step,
        densities=(borders[0] + neutral_filling, borders[-1] + neutral_filling),
        labels=labels,
        memory_gb=memory_gb,
        progress=progress,
    )
    thermal = thermal_functions(sample, fluxes, totals, step)
    rows = [_row(sample, *pair, filling + neutral_filling) for pair in zip(totals, thermal, strict=True)]
    plane = {name: (("flux", "filling"), np.stack([row[name] for row in rows])) for name in rows[0]}
    gaps = [_largest(total, neutral_filling, sample.energy_mev, max_gaps) for total in totals]
    table = {name: (("flux", "gap"), np.stack([row[name] for row in gaps])) for name in gaps[0]}
    return xr.Dataset(
        {**plane, **table},
        coords={**sample.flux_coordinates(fluxes), "filling": filling},
        attrs={**sample.attributes(), "neutral_filling": neutral_filling},
    )


def chosen_fillings(
    sample: Sample,
    fluxes: Sequence[Flux],
    filling: Any,
    carrier_density: Any,
    neutral_filling: float,
    points: int = 200,
) -> np.ndarray:
    """Electrons per cell that are asked for.

    Raises:
        ValueError: If both are given, they do not ascend, or none of a flux or all fluxes can be reached.
    """
    if filling is not None and carrier_density is not None:
        raise ValueError("Give `filling` or `carrier_density`, and not both.")
    check_finite("neutral_filling", neutral_filling)
    low, high = _possible_fillings(sample, fluxes)
    low, high = low - neutral_filling, high - neutral_filling
    if filling is None and carrier_density is None:
        edges = np.linspace(low, high, points + 1)
        return (edges[1:] + edges[:-1]) / 2
    name = "filling" if carrier_density is None else "carrier_density"
    values = np.atleast_1d(np.asarray(filling if carrier_density is None else carrier_density, float))
    check_finite(name, values)
    if carrier_density is not None:
        assert sample.units is not None  # `make_sample` was told
        values = sample.units.filling(values)
    if values.ndim != 1 or len(values) < 2 or np.any(np.diff(values) <= 0):
        raise fail(name, "a list of at least two ascending numbers", values.tolist())
    if values[0] < low - 1e-9 or values[-1] > high + 1e-9:
        hint = f"Fillings are counted from {neutral_filling:g} per cell."
        if isinstance(sample.model, AbstractContinuum):
            hint = "Raise `bands_per_cell` for more."
        unit = 1.0 if carrier_density is None or sample.units is None else sample.units.density(1.0)
        found = [float(values[0] * unit), float(values[-1] * unit)]
        raise fail(name, f"between {low * unit:.6g} and {high * unit:.6g}, what the bands hold", found, hint)
    return values


def _possible_fillings(sample: Sample, fluxes: Sequence[Flux]) -> tuple[float, float]:
    """Fewest and most electrons per cell that the bands of at least one flux hold."""
    model = sample.model
    if not isinstance(model, AbstractContinuum):
        return 0.0, float(sample.copies * model.orbitals)
    wanted = [(model.wanted_bands(flux), flux.q) for flux in fluxes]
    low, high = (max(bands[side] / q for bands, q in wanted) for side in (0, 1))
    return -sample.copies * low, sample.copies * high


def cell_borders(centers: np.ndarray) -> np.ndarray:
    """The middles between neighboring numbers, and as far beyond the outer ones."""
    middle = (centers[1:] + centers[:-1]) / 2
    return np.concatenate([[2 * centers[0] - middle[0]], middle, [2 * centers[-1] - middle[-1]]])


def _row(sample: Sample, total: Total, thermal: Thermal, filling: np.ndarray) -> dict[str, np.ndarray]:
    """The variables over (filling) at one flux."""
    energies, density, unit = thermal.chemical_potential, thermal.density, sample.energy_mev
    borders = cell_borders(filling)
    # Beyond the outermost fillings there is no chemical potential.
    left = np.where(borders[:-1] > density[0], borders[:-1], filling)
    right = np.where(borders[1:] < density[-1], borders[1:], filling)
    potential, low, high = (_potential(energies, density, n) for n in (filling, left, right))
    names = ("density_of_states", "entropy", "heat_capacity", "hall_conductivity")
    row = {
        "chemical_potential": potential * unit,
        "inverse_compressibility": (high - low) / (right - left) * unit,
        **{name: thermal.at(name, potential) for name in names},
        "fan_status": np.where(np.isfinite(potential), int(total.status), int(Status.OUT_OF_RANGE)),
    }
    row["density_of_states"] /= unit
    if sample.units:
        row["quantum_capacitance"] = MICROFARAD_PER_CM2 * row["density_of_states"] / sample.units.cell_nm2
    return row


def _potential(energies: np.ndarray, density: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Chemical potentials of densities: in the middle of the energies that have one; NaN out of range."""
    density = np.maximum.accumulate(density)
    ends = []
    for offset in (-PLATEAU, PLATEAU):
        number = np.clip(np.searchsorted(density, wanted + offset), 1, len(density) - 1)
        lower, upper = density[number - 1], density[number]
        share = np.clip((wanted + offset - lower) / np.where(upper > lower, upper - lower, 1), 0, 1)
        ends.append(energies[number - 1] + share * (energies[number] - energies[number - 1]))
    inside = (wanted >= density[0] - PLATEAU) & (wanted <= density[-1] + PLATEAU)
    return np.where(inside, (ends[0] + ends[1]) / 2, np.nan)


def _largest(total: Total, neutral_filling: float, unit: float, slots: int) -> dict[str, np.ndarray]:
    """The largest gaps at a flux, ascending in energy, padded."""
    size = total.upper - total.lower
    rows = np.sort(np.argsort(-size, kind="stable")[:slots])
    columns = {
        "lower": total.lower * unit,
        "upper": total.upper * unit,
        "size": size * unit,
        "density": total.gap_density - neutral_filling,
        "s": total.s - neutral_filling,
        "t": total.t,
    }
    table = {name: np.full(slots, np.nan) for name in columns}
    for name, column in columns.items():
        table[name][: len(rows)] = column[rows]
    status = np.full(slots, int(Status.ABSENT))
    status[: len(rows)] = total.gap_status[rows]
    return {**table, "status": status}
