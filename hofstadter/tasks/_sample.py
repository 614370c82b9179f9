"""The sample that is measured: its units, flavors, temperature and disorder, and the staircases of all flavors."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np

from hofstadter import lattice
from hofstadter._checks import check_finite, fail
from hofstadter.counting.continuum import ContinuumSpectra
from hofstadter.counting.staircase import (
    SampledStates,
    Staircase,
    continuum_staircase,
    count_staircases,
    energies_at_densities,
)
from hofstadter.flux import Flux, FluxLike, as_fluxes, fluxes_near
from hofstadter.models import AbstractContinuum, Model, time_reversed
from hofstadter.tasks._basis import check_basis, model_attributes
from hofstadter.thermodynamics.flavors import Flavor, Total, combine
from hofstadter.thermodynamics.grand_canonical import Lineshape
from hofstadter.units import MILLIELECTRONVOLTS, NANOMETERS, LaboratoryUnits, laboratory_units

BroadeningLaw = Literal["constant", "sqrt_field"]

# Full widths at half maximum: of −∂f/∂E in units of k_B T, of a Gaussian and a Lorentzian in units of their widths.
THERMAL_FWHM = 3.5254943480781717
FWHM = {"gaussian": 2.3548200450309493, "lorentzian": 2.0}
# Steps of the grid of energies per full width.
STEPS_PER_LINE = 20
# How far the tails of lines are followed, in units of k_B T and of their widths.
THERMAL_TAIL = 20.0
TAIL = {"gaussian": 6.0, "lorentzian": 60.0}
# How many Landau levels to look at beyond the densities that are asked for, for the gaps on either side of these.
LEVELS_BEYOND = 1.5
# More energies than this per flux are refused: lines as narrow as that are not resolved by any picture.
MOST_ENERGIES = 100_000
# Of a continuum model's range of energies, the narrowest gap to list.
CONTINUUM_MIN_GAP = 2e-3
CONTINUUM_RTOL = 1e-4


@dataclasses.dataclass(frozen=True)
class Sample:
    """A model under the conditions of an experiment. `make_sample` builds and checks one.

    Attributes:
        model: The zero-field model.
        units: Its laboratory units; None if they are not known.
        temperature: k_B T in the model's unit.
        broadening: Width of the levels in the model's unit; with the law "sqrt_field", at one tesla, or one flux
            quantum per cell without laboratory units.
        lineshape: Shape of the broadened levels.
        broadening_law: How the width depends on the field.
        flavors: Copies of the spectrum, shifts in the model's unit.
        rtol: Continuum models: accuracy of the energies relative to their range.
    """

    model: Model
    units: LaboratoryUnits | None
    temperature: float
    broadening: float
    lineshape: Lineshape
    broadening_law: BroadeningLaw
    flavors: tuple[Flavor, ...]
    rtol: float

    @property
    def energy_mev(self) -> float:
        """What energies are multiplied with for datasets, which are in meV where units are known."""
        return self.units.energy_mev if self.units else 1.0

    @property
    def copies(self) -> int:
        """Number of flavors with their degeneracies."""
        return sum(flavor.degeneracy for flavor in self.flavors)

    def widths(self, fluxes: Sequence[Flux]) -> np.ndarray:
        """Width of the levels at each flux."""
        if self.broadening_law == "constant":
            return np.full(len(fluxes), self.broadening)
        return self.broadening * np.sqrt(np.abs(self._fields(fluxes)))

    def shifts(self, fluxes: Sequence[Flux]) -> np.ndarray:
        """Energy shift of each flavor at each flux, (flavor, flux)."""
        moments = np.array([flavor.moment for flavor in self.flavors])
        constant = np.array([flavor.shift for flavor in self.flavors])
        if not moments.any() or self.units is None:
            return np.repeat(constant[:, None], len(fluxes), axis=1)
        return constant[:, None] + moments[:, None] * self.units.magnetic_energy(self._fields(fluxes))

    def energy_step(self, fluxes: Sequence[Flux]) -> float:
        """Distance of energies that resolves the narrowest line."""
        narrowest = np.maximum(THERMAL_FWHM * self.temperature, FWHM[self.lineshape] * self.widths(fluxes)).min()
        return float(f"{narrowest / STEPS_PER_LINE:.3g}")

    def tail(self, fluxes: Sequence[Flux]) -> float:
        """How far from the chemical potential states matter."""
        return THERMAL_TAIL * self.temperature + TAIL[self.lineshape] * float(self.widths(fluxes).max())

    def totals(
        self,
        fluxes: Sequence[Flux],
        step: float,
        *,
        densities: tuple[float, float] | None = None,
        energies: tuple[float, float] | None = None,
        resolution: float = 1 / 64,
        labels: bool = True,
        memory_gb: float = 4.0,
        progress: Callable[[int], None] | None = None,
    ) -> list[Total]:
        """All flavors together at each flux, over a range of densities, of energies, or all of them."""
        shifts, tail = self.shifts(fluxes), self.tail(fluxes)
        kinds = sorted({flavor.time_reversed for flavor in self.flavors})
        model = self.model
        if isinstance(model, AbstractContinuum):
            models = [time_reversed(model) if kind else model for kind in kinds]
            spectra = [ContinuumSpectra(own, self.rtol, memory_gb) for own in models]
            parts = _of_continuum(spectra, fluxes, step, tail, labels, progress)
        else:
            models = [time_reversed(model) if kind else model for kind in kinds]
            states = [SampledStates(own, fluxes, memory_gb) for own in models]
            # The chemical potential of a density differs from that of one flavor by no more than the largest shift,
            # and each flavor is needed so far beyond it.
            reach = 2 * float(np.abs(shifts).max()) + tail
            share = densities and (densities[0] / self.copies, densities[1] / self.copies)
            windows = _windows(states, step, reach, share, energies)
            parts = [count_staircases(own, windows, step, resolution=resolution, labels=labels) for own in states]
            if progress is not None:
                progress(len(fluxes))
        staircases = dict(zip(kinds, parts, strict=True))
        degeneracies = [flavor.degeneracy for flavor in self.flavors]
        return [
            combine([staircases[flavor.time_reversed][i] for flavor in self.flavors], degeneracies, shifts[:, i], step)
            for i in range(len(fluxes))
        ]

    def flux_coordinates(self, fluxes: Sequence[Flux]) -> dict[str, Any]:
        """Coordinates of the dimension `flux`, with fields in tesla where units are known."""
        quanta = np.array([float(flux) for flux in fluxes])
        coordinates = {
            "flux": quanta,
            "p": ("flux", np.array([flux.p for flux in fluxes])),
            "q": ("flux", np.array([flux.q for flux in fluxes])),
        }
        if self.units:
            coordinates["field_tesla"] = ("flux", self.units.field_tesla(quanta))
        return coordinates

    def attributes(self) -> dict[str, Any]:
        """Attributes of a dataset about the model and the conditions."""
        own = {
            **model_attributes(self.model),
            "temperature": self.temperature * self.energy_mev,
            "broadening": self.broadening * self.energy_mev,
            "lineshape": self.lineshape,
            "broadening_law": self.broadening_law,
            "copies": self.copies,
        }
        if self.units:
            own |= {
                "energy_unit": "meV",
                "cell_nm2": self.units.cell_nm2,
                "tesla_per_quantum": self.units.tesla_per_quantum,
                "density_per_filling": self.units.density(1.0),
            }
        return own

    def _fields(self, fluxes: Sequence[Flux]) -> np.ndarray:
        """Teslas, or flux quanta per cell if units are not known."""
        quanta = np.array([float(flux) for flux in fluxes])
        return self.units.field_tesla(quanta) if self.units else quanta


def _windows(
    states: Sequence[SampledStates],
    step: float,
    reach: float,
    densities: tuple[float, float] | None,
    energies: tuple[float, float] | None,
) -> np.ndarray:
    """Lowest and highest energy at each flux, (flux, 2): where all models have the densities, and the reach beyond."""
    bound = max(own.bound for own in states) + reach
    windows = np.tile([-bound, bound], (len(states[0].fluxes), 1))
    if densities is not None:
        resolution = max(step, reach / 4, bound / 1000)
        beyond = LEVELS_BEYOND * np.abs([float(flux) for flux in states[0].fluxes])
        wanted = np.stack([densities[0] - beyond, densities[1] + beyond], axis=1)
        found = [energies_at_densities(own, wanted, resolution) for own in states]
        low, high = np.min([x[:, 0] for x in found], axis=0), np.max([x[:, 1] for x in found], axis=0)
        windows = np.clip(np.stack([low - reach, high + reach], axis=1), -bound, bound)
    elif energies is not None:
        low, high = max(-bound, energies[0] - reach), min(bound, energies[1] + reach)
        # Energies that are asked for are in the window even where there is nothing.
        high = max(high, energies[1] + step)
        low = min(low, energies[0] - step if math.isfinite(energies[0]) else high - 2 * step)
        windows[:] = low, high
    most = float(np.max(windows[:, 1] - windows[:, 0])) / step
    if most > MOST_ENERGIES:
        raise ValueError(
            f"Resolving the lines takes {most:.3g} energies per flux, more than {MOST_ENERGIES}: raise the temperature "
            "or the broadening, or ask for a smaller range of densities or energies."
        )
    return windows


def _of_continuum(
    spectra: Sequence[ContinuumSpectra],
    fluxes: Sequence[Flux],
    step: float,
    tail: float,
    labels: bool,
    progress: Callable[[int], None] | None,
) -> list[list[Staircase]]:
    """Staircases of each model at each flux."""
    steps = math.ceil(tail / step)
    parts: list[list[Staircase]] = [[] for _ in spectra]
    for flux in fluxes:
        for part, own in zip(parts, spectra, strict=True):
            part.append(continuum_staircase(own, flux, step, tail=steps, min_gap=CONTINUUM_MIN_GAP, labels=labels))
        if progress is not None:
            progress(1)
    return parts


def make_sample(
    model: Model,
    *,
    temperature: float | None = None,
    temperature_kelvin: float | None = None,
    broadening: float | None = None,
    broadening_mev: float | None = None,
    lineshape: Lineshape = "gaussian",
    broadening_law: BroadeningLaw = "constant",
    flavors: Sequence[Flavor] = (Flavor(),),
    length_unit_nm: float | None = None,
    energy_unit_mev: float | None = None,
    rtol: float | None = None,
    needs_units: bool = False,
) -> Sample:
    """Check the conditions and bring them to the model's units.

    Raises:
        ValueError: If a quantity is given twice, is negative or not finite, units are missing, or temperature and
            broadening are both zero.
    """
    flavors = tuple(flavors)
    if not flavors:
        raise fail("flavors", "at least one", "empty")
    known = model.length_unit in NANOMETERS and model.energy_unit in MILLIELECTRONVOLTS
    given = length_unit_nm is not None or energy_unit_mev is not None
    wanted = {
        "temperature_kelvin": temperature_kelvin is not None,
        "broadening_mev": broadening_mev is not None,
        "flavors (their moments)": any(flavor.moment for flavor in flavors),
    }
    units = None
    if known or given or needs_units or any(wanted.values()):
        area = float(lattice.cell_area(model.vectors))
        own = {"length_unit_nm": length_unit_nm, "energy_unit_mev": energy_unit_mev}
        units = laboratory_units(area, model.length_unit, model.energy_unit, **own)
    thermal = _one_of(
        "temperature", temperature, "temperature_kelvin", temperature_kelvin, units and units.thermal_energy
    )
    width = _one_of("broadening", broadening, "broadening_mev", broadening_mev, units and units.energy)
    if lineshape not in FWHM:
        raise fail("lineshape", " or ".join(map(repr, FWHM)), repr(lineshape))
    if broadening_law not in ("constant", "sqrt_field"):
        raise fail("broadening_law", "'constant' or 'sqrt_field'", repr(broadening_law))
    if not thermal and not width:
        raise ValueError(
            "Temperature and broadening are both zero, so densities of states are needles and compressibilities have "
            "no value: give `temperature`, `temperature_kelvin`, `broadening` or `broadening_mev`."
        )
    if rtol is not None:
        check_basis(model, [], None, rtol)
    if units:
        flavors = tuple(dataclasses.replace(flavor, shift=units.energy(flavor.shift)) for flavor in flavors)
    return Sample(
        model, units, thermal, width, lineshape, broadening_law, flavors, CONTINUUM_RTOL if rtol is None else rtol
    )


def _one_of(name: str, value: float | None, other: str, laboratory: float | None, convert: Callable | None) -> float:
    """A quantity in the model's unit, given in it or in a laboratory unit."""
    if value is not None and laboratory is not None:
        raise ValueError(f"Give `{name}` or `{other}`, and not both.")
    for key, number in ((name, value), (other, laboratory)):
        if number is not None:
            check_finite(key, number)
            if number < 0:
                raise fail(key, "at least 0", number)
    if laboratory is not None:
        assert convert is not None  # the caller made units for it
        return float(convert(laboratory))
    return float(value or 0.0)


def chosen_fluxes(
    model: Model,
    field_tesla: Sequence[float] | np.ndarray | None,
    fluxes: Iterable[FluxLike] | FluxLike | None,
    units: LaboratoryUnits | None,
) -> list[Flux]:
    """The fluxes of fields, or those that are given.

    Raises:
        ValueError: If neither or both are given, fields do not ascend, or one is above a flux quantum per cell.
    """
    if (field_tesla is None) == (fluxes is None):
        raise ValueError("Give either `field_tesla` or `fluxes`, and not both.")
    if fluxes is not None:
        points = as_fluxes(fluxes)
        if len(set(points)) < len(points):
            raise fail("fluxes", "different from each other", [str(flux) for flux in points])
    else:
        assert units is not None  # `make_sample` was told
        fields = np.atleast_1d(np.asarray(field_tesla, float))
        check_finite("field_tesla", fields)
        if np.any(fields < 0):
            raise fail("field_tesla", "at least 0", fields.min(), "Reverse the valley or the Chern numbers instead.")
        if not isinstance(model, AbstractContinuum) and fields.max() > units.tesla_per_quantum:
            hint = "Check `length_unit_nm`, or give `fluxes`."
            limit = f"at most {units.tesla_per_quantum:.6g}, where the flux through a cell is one quantum"
            raise fail("field_tesla", limit, fields.max(), hint)
        if fields.ndim != 1 or np.any(np.diff(fields) <= 0):
            raise fail("field_tesla", "a list of ascending fields", field_tesla)
        points = fluxes_near(units.flux(fields))
    check_basis(model, points, None, None)
    return points
