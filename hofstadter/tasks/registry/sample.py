"""The part of a task's section that says under which conditions a sample is measured, and grids of numbers."""

from typing import Annotated, Any, Literal

import numpy as np
import pydantic

from hofstadter.counting.continuum import continuum_mesh_size
from hofstadter.counting.inertia import updates_per_cell
from hofstadter.counting.staircase import sampling_size
from hofstadter.counting.states import NS_PER_UPDATE
from hofstadter.flux import Flux
from hofstadter.models import AbstractContinuum, Model
from hofstadter.tasks._basis import with_bands
from hofstadter.tasks._sample import Sample, chosen_fluxes, make_sample
from hofstadter.tasks._task import FluxText, Section
from hofstadter.tasks.registry.basis import WantedBands
from hofstadter.thermodynamics.flavors import Flavor, spin_flavors

# More than these are a slip of the keyboard.
MOST_POINTS = 100_000
# How many energies it takes to resolve the lines depends on the range of densities; for estimates of time.
TYPICAL_ENERGIES = 1000


class Range(Section):
    """Evenly spaced numbers."""

    first: float = pydantic.Field(description="The first number.")
    last: float = pydantic.Field(description="The last number.")
    points: Annotated[int, pydantic.Field(ge=2, le=MOST_POINTS)] = pydantic.Field(description="How many.")

    @pydantic.model_validator(mode="after")
    def _check_order(self) -> "Range":
        if not self.first < self.last:
            raise ValueError(f"`last` must be above `first` = {self.first:g}, but is {self.last:g}.")
        return self


Numbers = Range | Annotated[list[float], pydantic.Field(min_length=1, max_length=MOST_POINTS)]
"""A list of numbers, or {first, last, points}."""


def numbers(given: Range | list[float] | None) -> np.ndarray | None:
    """The numbers one by one."""
    if isinstance(given, Range):
        return np.linspace(given.first, given.last, given.points)
    return None if given is None else np.array(given)


class FlavorSection(Section):
    """A copy of the spectrum."""

    name: str = pydantic.Field("", description="What to call it.")
    degeneracy: Annotated[int, pydantic.Field(ge=1)] = pydantic.Field(1, description="Equal copies it stands for.")
    moment: float = pydantic.Field(0.0, description="Its energies rise by moment × μ_B B: ±1 for spins at g = 2.")
    shift: float = pydantic.Field(0.0, description="Chemical shift, in meV where units are known.")
    time_reversed: bool = pydantic.Field(False, description="Whether it is the other valley of a moiré material.")


class Conditions(WantedBands):
    """Fields, temperature, disorder, flavors and units."""

    field_tesla: Numbers | None = pydantic.Field(None, description="Fields in tesla; or give fluxes.")
    fluxes: Annotated[list[FluxText], pydantic.Field(min_length=1)] | None = pydantic.Field(
        None, description="Flux quanta per cell, such as [1/3, 2/5]; or give field_tesla."
    )
    temperature: Annotated[float, pydantic.Field(ge=0)] | None = pydantic.Field(
        None, description="k_B T in the model's unit; or give temperature_kelvin."
    )
    temperature_kelvin: Annotated[float, pydantic.Field(ge=0)] | None = pydantic.Field(None, description="In kelvin.")
    broadening: Annotated[float, pydantic.Field(ge=0)] | None = pydantic.Field(
        None, description="Width of the levels in the model's unit; or give broadening_mev."
    )
    broadening_mev: Annotated[float, pydantic.Field(ge=0)] | None = pydantic.Field(None, description="In meV.")
    lineshape: Literal["gaussian", "lorentzian"] = pydantic.Field("gaussian", description="Shape of the levels.")
    broadening_law: Literal["constant", "sqrt_field"] = pydantic.Field(
        "constant",
        description="sqrt_field: the width is that at 1 T (without units at one quantum) × root of the field.",
    )
    flavors: Annotated[list[FlavorSection], pydantic.Field(min_length=1)] | None = pydantic.Field(
        None, description="Copies of the spectrum that are filled together; or give spin."
    )
    spin: Literal["none", "spin", "spin and valley"] = pydantic.Field(
        "none", description="Two spins, or two spins in each of two valleys that are related by time reversal."
    )
    g_factor: float = pydantic.Field(2.0, description="Of the spins.")
    length_unit_nm: Annotated[float, pydantic.Field(gt=0)] | None = pydantic.Field(
        None, description="The model's unit of length in nm, where that is not nm or Å."
    )
    energy_unit_mev: Annotated[float, pydantic.Field(gt=0)] | None = pydantic.Field(
        None, description="The model's unit of energy in meV, where that is not meV or eV."
    )

    @pydantic.model_validator(mode="after")
    def _check_conditions(self) -> "Conditions":
        if (self.field_tesla is None) == (self.fluxes is None):
            raise ValueError("Give either `field_tesla` or `fluxes`.")
        if self.flavors is not None and self.spin != "none":
            raise ValueError("Give either `flavors` or `spin`.")
        return self

    def conditions(self) -> dict[str, Any]:
        """The arguments of this section for the functions that compute."""
        names = ("temperature", "temperature_kelvin", "broadening", "broadening_mev", "lineshape", "broadening_law")
        names = (*names, "length_unit_nm", "energy_unit_mev", "rtol")
        return {**{name: getattr(self, name) for name in names}, "flavors": self.flavor_list()}

    def sample(self, model: Model, *, needs_units: bool = False) -> Sample:
        """The sample that is measured."""
        model = with_bands(model, self.bands_per_cell)
        needs_units = needs_units or self.field_tesla is not None
        return make_sample(model, needs_units=needs_units, **self.conditions())

    def listed_fluxes(self, model: Model) -> list[Flux]:
        """The fluxes, one by one."""
        return chosen_fluxes(model, numbers(self.field_tesla), self.fluxes, self.sample(model).units)

    def flavor_list(self) -> tuple[Flavor, ...]:
        """The flavors, one by one."""
        if self.flavors is not None:
            return tuple(Flavor(**section.model_dump()) for section in self.flavors)
        return (Flavor(),) if self.spin == "none" else spin_flavors(self.g_factor, valleys=self.spin != "spin")


def continuum_matrices(model: Model, parameters: Conditions, flux: Flux) -> int:
    """How many matrices a point diagonalizes: those of a continuum model, whose states are not counted."""
    if not isinstance(model, AbstractContinuum):
        return 0
    return 2 * continuum_mesh_size(flux) ** 2 * len({flavor.time_reversed for flavor in parameters.flavor_list()})


def counting_seconds(model: Model, parameters: Conditions, flux: Flux) -> float:
    """Rough seconds to count the states of a lattice below some `TYPICAL_ENERGIES`, on one core."""
    if isinstance(model, AbstractContinuum):
        return 0.0
    per_energy = NS_PER_UPDATE * updates_per_cell(model) * sampling_size(flux.q) * flux.q
    return 1e-9 * per_energy * TYPICAL_ENERGIES
