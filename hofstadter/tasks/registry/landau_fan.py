"""The task `landau_fan` of run files."""

from collections.abc import Callable, Sequence
from typing import Annotated

import numpy as np
import pydantic
import xarray as xr

from hofstadter.flux import Flux
from hofstadter.models import Model
from hofstadter.tasks._sample import Sample
from hofstadter.tasks._task import Task
from hofstadter.tasks.landau_fan import chosen_fillings, fan_of
from hofstadter.tasks.registry.sample import Conditions, Numbers, continuum_matrices, counting_seconds, numbers

_PLANE = ["chemical_potential", "inverse_compressibility", "density_of_states", "quantum_capacitance", "entropy"]
_GAPS = ["lower", "upper", "size", "density", "s", "t", "status"]
_OTHERS = ["heat_capacity", "hall_conductivity", "fan_status"]
NAMES = frozenset(["flux", "p", "q", "field_tesla", "filling", "gap", *_PLANE, *_OTHERS, *_GAPS])


class FanParameters(Conditions):
    """Compressibility, Hall conductivity and gaps over field and density."""

    filling: Numbers | None = pydantic.Field(
        None, description="Electrons per cell, counted from neutral_filling; or give carrier_density; by default all."
    )
    carrier_density: Numbers | None = pydantic.Field(None, description="Densities in 10¹² cm⁻².")
    neutral_filling: float = pydantic.Field(0.0, description="Electrons per cell of the neutral sample.")
    max_gaps: Annotated[int, pydantic.Field(ge=1, le=10_000)] = pydantic.Field(
        64, description="How many gaps to keep at each flux."
    )
    labels: bool = pydantic.Field(True, description="Whether to compute the Chern numbers of the gaps.")

    def checked(self, model: Model, fluxes: Sequence[Flux]) -> tuple[Sample, np.ndarray]:
        """The sample, and the fillings that are asked for."""
        sample = self.sample(model, needs_units=self.carrier_density is not None)
        given = numbers(self.filling), numbers(self.carrier_density)
        return sample, chosen_fillings(sample, fluxes, *given, self.neutral_filling)


def _sizes(model: Model, parameters: FanParameters, points: Sequence[Flux]) -> dict[str, int]:
    return {"filling": len(parameters.checked(model, points)[1]), "gap": parameters.max_gaps}


def _compute(
    model: Model,
    parameters: FanParameters,
    points: Sequence[Flux],
    *,
    memory_gb: float,
    progress: Callable[[int], None] | None,
) -> xr.Dataset:
    every = parameters.listed_fluxes(model)
    sample, filling = parameters.checked(model, every)
    return fan_of(
        sample,
        points,
        filling,
        parameters.neutral_filling,
        sample.energy_step(every),
        max_gaps=parameters.max_gaps,
        labels=parameters.labels,
        memory_gb=memory_gb,
        progress=progress,
    )


LANDAU_FAN = Task(
    name="landau_fan",
    summary="Compressibility, Hall conductivity and labelled gaps over field and density.",
    parameters=FanParameters,
    points=lambda model, parameters: parameters.listed_fluxes(model),
    sizes=_sizes,
    compute=_compute,
    matrices=continuum_matrices,
    counting_seconds=counting_seconds,
    names=NAMES,
    plots=("landau_fan", "gap_map", "hall_fan", "html"),
)
