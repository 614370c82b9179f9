"""The task `density` of run files."""

from collections.abc import Callable, Sequence
from typing import Annotated

import numpy as np
import pydantic
import xarray as xr

from hofstadter.counting import chambers
from hofstadter.counting.edges import mesh_size
from hofstadter.counting.inertia import updates_per_cell
from hofstadter.counting.states import NS_PER_UPDATE
from hofstadter.flux import Flux, farey, fluxes_near
from hofstadter.models import Model
from hofstadter.models.tight_binding import TightBinding
from hofstadter.tasks._task import FluxText, Section, Task
from hofstadter.tasks.density import check_countable, integrated_density
from hofstadter.tasks.registry.fluxes import LARGEST_MAX_DENOMINATOR
from hofstadter.tasks.registry.sample import Numbers, Range, numbers

# Energies where none are given.
DEFAULT_ENERGIES = 400


class DensityParameters(Section):
    """States per cell below energies, counted without diagonalizing: for very many fluxes and energies."""

    fluxes: Range | Annotated[list[FluxText], pydantic.Field(min_length=1)] | None = pydantic.Field(
        None,
        description="A list such as [1/3, 2/5], or {first, last, points} for a simple fraction near each of evenly "
        "spaced fluxes; or give max_denominator.",
    )
    max_denominator: Annotated[int, pydantic.Field(ge=1, le=LARGEST_MAX_DENOMINATOR)] | None = pydantic.Field(
        None, description="All reduced fractions p/q between 0 and 1 with q up to this."
    )
    energies: Numbers | None = pydantic.Field(
        None, description="A list, or {first, last, points}, in the model's unit; by default 400 over all bands."
    )
    mesh: Annotated[int, pydantic.Field(ge=1)] | None = pydantic.Field(
        None, description="Momenta per direction of the reduced zone, inside of bands; by default finer for small q."
    )

    @pydantic.model_validator(mode="after")
    def _check_fluxes(self) -> "DensityParameters":
        if (self.fluxes is None) == (self.max_denominator is None):
            raise ValueError("Give either `fluxes` or `max_denominator`.")
        return self

    def listed_fluxes(self) -> list[Flux]:
        """The fluxes, one by one."""
        if isinstance(self.fluxes, Range):
            return fluxes_near(np.linspace(self.fluxes.first, self.fluxes.last, self.fluxes.points))
        return farey(self.max_denominator or 1) if self.fluxes is None else list(self.fluxes)

    def listed_energies(self, model: TightBinding) -> np.ndarray:
        """The energies, one by one."""
        given = numbers(self.energies)
        bound = float(model.norm_bound())
        return np.linspace(-bound, bound, DEFAULT_ENERGIES) if given is None else given


def _compute(
    model: Model,
    parameters: DensityParameters,
    points: Sequence[Flux],
    *,
    memory_gb: float,
    progress: Callable[[int], None] | None,
) -> xr.Dataset:
    model = check_countable(model)
    energies = parameters.listed_energies(model)
    density = integrated_density(model, points, energies, mesh=parameters.mesh, memory_gb=memory_gb)
    if progress is not None:
        progress(len(points))
    return density.to_dataset().assign_attrs(density.attrs)


def _seconds(model: Model, parameters: DensityParameters, flux: Flux) -> float:
    """Rough seconds on one core."""
    model = check_countable(model)
    momenta = 1 if chambers.applies_to(model) else parameters.mesh or mesh_size(flux.q)
    return 1e-9 * NS_PER_UPDATE * updates_per_cell(model) * momenta * flux.q * len(parameters.listed_energies(model))


DENSITY = Task(
    name="density",
    summary="States per cell below energies, counted: maps of thousands of fluxes and energies.",
    parameters=DensityParameters,
    points=lambda model, parameters: parameters.listed_fluxes(),
    sizes=lambda model, parameters, points: {"energy": len(parameters.listed_energies(check_countable(model)))},
    compute=_compute,
    matrices=lambda model, parameters, flux: 0,
    counting_seconds=_seconds,
    names=frozenset(["flux", "p", "q", "energy", "integrated_density"]),
    plots=("integrated_density", "wannier_map"),
)
