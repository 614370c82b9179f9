"""The part of a task's section that says how many bands of a continuum model are wanted, and how accurately."""

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

import pydantic

from hofstadter.flux import Flux
from hofstadter.models import Model
from hofstadter.tasks._basis import check_basis, with_bands
from hofstadter.tasks._task import Section

AnyModel = TypeVar("AnyModel", bound=Model)


class WantedBands(Section):
    """Continuum models only: how many bands, and how accurately."""

    bands_per_cell: Annotated[int, pydantic.Field(ge=1)] | None = pydantic.Field(
        None,
        description="Continuum models: bands per cell, on each side of the model's reference; by default its own.",
    )
    rtol: Annotated[float, pydantic.Field(gt=0, lt=1)] | None = pydantic.Field(
        None,
        description="Continuum models: accuracy of energies over their range; by default 1e-11, for a butterfly 1e-6.",
    )


class Basis(WantedBands):
    """Continuum models only: the wanted bands, or the basis itself."""

    levels: Annotated[int, pydantic.Field(ge=1)] | None = pydantic.Field(
        None,
        description="Continuum models: Landau levels to keep; by default as many as rtol needs.",
    )

    def basis(self) -> dict[str, Any]:
        """The arguments of this section for the functions that compute."""
        return {"bands_per_cell": self.bands_per_cell, "rtol": self.rtol, "levels": self.levels}

    def checked(self, model: AnyModel, fluxes: Sequence[Flux]) -> AnyModel:
        """The model with the wanted number of bands.

        Raises:
            ValueError: If the model or a flux does not go with this section.
        """
        model = with_bands(model, self.bands_per_cell)
        check_basis(model, fluxes, self.levels, self.rtol)
        return model
