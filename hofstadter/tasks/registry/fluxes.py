"""The part of a task's section that says at which fluxes."""

from typing import Annotated, Any

import pydantic

from hofstadter.flux import Flux, farey
from hofstadter.models import Model
from hofstadter.tasks._task import FluxText, Section

# All p/q up to this denominator are 300 000 fluxes, months of work: more is a slip of the keyboard.
LARGEST_MAX_DENOMINATOR = 1000


class FluxList(Section):
    """A list of fluxes, or all p/q up to a denominator."""

    fluxes: Annotated[list[FluxText], pydantic.Field(min_length=1)] | None = pydantic.Field(
        None, description="The fluxes, such as [1/3, 2/5]; or give max_denominator."
    )
    max_denominator: Annotated[int, pydantic.Field(ge=1, le=LARGEST_MAX_DENOMINATOR)] | None = pydantic.Field(
        None, description="All reduced fractions p/q with q up to this, from low to high."
    )
    low: int = pydantic.Field(0, description="Smallest flux, used with max_denominator.")
    high: int = pydantic.Field(1, description="Largest flux, used with max_denominator.")

    @pydantic.model_validator(mode="after")
    def _check_fluxes(self) -> "FluxList":
        if (self.fluxes is None) == (self.max_denominator is None):
            raise ValueError("Give either `fluxes` or `max_denominator`.")
        if self.fluxes is not None:
            if {"low", "high"} & self.model_fields_set and (self.low, self.high) != (0, 1):
                raise ValueError("`low` and `high` go with `max_denominator`, not with `fluxes`.")
            twice = sorted({str(flux) for flux in self.fluxes if self.fluxes.count(flux) > 1})
            if twice:
                raise ValueError(f"`fluxes` must not repeat itself, but {', '.join(twice)} is there twice.")
        elif self.high <= self.low:
            raise ValueError(f"`high` must be above `low` = {self.low}, but is {self.high}.")
        return self

    def listed_fluxes(self) -> list[Flux]:
        """The fluxes, one by one."""
        if self.fluxes is not None:
            return list(self.fluxes)
        assert self.max_denominator is not None  # the validator above
        return farey(self.max_denominator, self.low, self.high)


def listed_fluxes(model: Model, parameters: Any) -> list[Flux]:
    """The points of a task with such a section."""
    return parameters.listed_fluxes()
