"""The task `magnetization` of run files."""

from collections.abc import Callable, Sequence
from typing import Annotated

import pydantic
import xarray as xr

from hofstadter.flux import Flux
from hofstadter.models import Model
from hofstadter.tasks._task import Task
from hofstadter.tasks.density_of_states import chosen_energies
from hofstadter.tasks.magnetization import FINER, check_bottom, flux_neighbors, magnetization_of
from hofstadter.tasks.registry.sample import Conditions, Numbers, continuum_matrices, counting_seconds, numbers

_VARIABLES = ["magnetization", "density", "density_slope", "grand_potential", "entropy", "heat_capacity"]
NAMES = frozenset(["flux", "p", "q", "field_tesla", "chemical_potential", "magnetization_status", *_VARIABLES])


class MagnetizationParameters(Conditions):
    """Magnetization over chemical potential and field."""

    chemical_potential: Numbers | None = pydantic.Field(
        None, description="In meV where units are known; by default all bands of a lattice."
    )
    flux_step: Annotated[float, pydantic.Field(gt=0, lt=1)] | None = pydantic.Field(
        None,
        description="Differences in flux; by default a quarter of the distance to the nearest other flux.",
    )


def _sizes(model: Model, parameters: MagnetizationParameters, points: Sequence[Flux]) -> dict[str, int]:
    sample = parameters.sample(model)
    check_bottom(sample.model)
    return {"chemical_potential": len(chosen_energies(sample, points, numbers(parameters.chemical_potential)))}


def _compute(
    model: Model,
    parameters: MagnetizationParameters,
    points: Sequence[Flux],
    *,
    memory_gb: float,
    progress: Callable[[int], None] | None,
) -> xr.Dataset:
    sample, every = parameters.sample(model), parameters.listed_fluxes(model)
    neighbors = dict(zip(every, flux_neighbors(every, parameters.flux_step), strict=True))
    places = chosen_energies(sample, every, numbers(parameters.chemical_potential))
    return magnetization_of(
        sample,
        points,
        [neighbors[flux] for flux in points],
        places,
        sample.energy_step(every) / FINER,
        memory_gb=memory_gb,
        progress=progress,
    )


MAGNETIZATION = Task(
    name="magnetization",
    summary="Magnetization, entropy and heat capacity over chemical potential and field.",
    parameters=MagnetizationParameters,
    points=lambda model, parameters: parameters.listed_fluxes(model),
    sizes=_sizes,
    compute=_compute,
    matrices=continuum_matrices,
    counting_seconds=lambda model, parameters, flux: 9 * counting_seconds(model, parameters, flux),
    names=NAMES,
    plots=("magnetization", "html"),
)
