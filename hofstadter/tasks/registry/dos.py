"""The task `dos` of run files."""

from collections.abc import Callable, Sequence

import pydantic
import xarray as xr

from hofstadter.flux import Flux
from hofstadter.models import Model
from hofstadter.tasks._task import Task
from hofstadter.tasks.density_of_states import chosen_energies, dos_of
from hofstadter.tasks.registry.sample import Conditions, Numbers, continuum_matrices, counting_seconds, numbers

NAMES = frozenset(["flux", "p", "q", "field_tesla", "energy", "density_of_states", "integrated_density", "dos_status"])


class DosParameters(Conditions):
    """Density of states over energy and field."""

    energies: Numbers | None = pydantic.Field(
        None, description="Chemical potentials, in meV where units are known; by default all bands of a lattice."
    )


def _sizes(model: Model, parameters: DosParameters, points: Sequence[Flux]) -> dict[str, int]:
    return {"energy": len(chosen_energies(parameters.sample(model), points, numbers(parameters.energies)))}


def _compute(
    model: Model,
    parameters: DosParameters,
    points: Sequence[Flux],
    *,
    memory_gb: float,
    progress: Callable[[int], None] | None,
) -> xr.Dataset:
    sample, every = parameters.sample(model), parameters.listed_fluxes(model)
    energies = chosen_energies(sample, every, numbers(parameters.energies))
    return dos_of(sample, points, energies, sample.energy_step(every), memory_gb=memory_gb, progress=progress)


DOS = Task(
    name="dos",
    summary="Density of states over energy and field.",
    parameters=DosParameters,
    points=lambda model, parameters: parameters.listed_fluxes(model),
    sizes=_sizes,
    compute=_compute,
    matrices=continuum_matrices,
    counting_seconds=counting_seconds,
    names=NAMES,
    plots=("density_of_states", "html"),
)
