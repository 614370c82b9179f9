"""The task `chern` of run files."""

from collections.abc import Callable, Sequence
from typing import Literal

import pydantic
import xarray as xr

from hofstadter.flux import Flux
from hofstadter.models import Model
from hofstadter.tasks._basis import BASIS_NAMES
from hofstadter.tasks._task import Task
from hofstadter.tasks.chern_table import chern_table, group_ranges
from hofstadter.tasks.registry.band_range import BandRange, CountedBands, check_band_range
from hofstadter.tasks.registry.basis import Basis
from hofstadter.tasks.registry.fluxes import FluxList, listed_fluxes


class ChernParameters(Basis, CountedBands, FluxList):
    """Chern numbers of groups of bands at many fluxes."""

    groups: Literal["bands", "gaps"] | list[BandRange] = pydantic.Field(
        "bands",
        description="bands: every band; gaps: the bands from the model's bottom (of a continuum model, its reference) "
        "to every gap; or ranges [first, last).",
    )

    @pydantic.model_validator(mode="after")
    def _check_groups(self) -> "ChernParameters":
        if not self.groups:
            raise ValueError("`groups` must name at least one group.")
        if not isinstance(self.groups, str):
            for bands in self.groups:
                check_band_range("groups", bands, self.from_reference)
        return self

    def ranges(self) -> Literal["bands", "gaps"] | list[tuple[int, int]]:
        """The groups as the calculation takes them."""
        return self.groups if isinstance(self.groups, str) else [(first, last) for first, last in self.groups]


def _sizes(model: Model, parameters: ChernParameters, points: Sequence[Flux]) -> dict[str, int]:
    model = parameters.checked(model, points)
    ranges = [group_ranges(parameters.ranges(), model, flux, parameters.from_reference) for flux in points]
    return {"group": max(map(len, ranges))}


def _compute(
    model: Model,
    parameters: ChernParameters,
    points: Sequence[Flux],
    *,
    memory_gb: float,
    progress: Callable[[int], None] | None,
) -> xr.Dataset:
    return chern_table(
        model,
        list(points),
        groups=parameters.ranges(),
        from_reference=parameters.from_reference,
        **parameters.basis(),
        progress=progress,
    )


CHERN = Task(
    name="chern",
    summary="Chern numbers of bands, or of the filled bands below each gap, at many fluxes.",
    parameters=ChernParameters,
    points=listed_fluxes,
    sizes=_sizes,
    compute=_compute,
    # Corners of the plaquettes, and what their refinement was measured to take.
    matrices=lambda model, parameters, flux: 120,
    names=frozenset(
        ["flux", "p", "q", "group", "first", "last", "chern", "min_gap", "min_gap_k1", "min_gap_k2", "status"]
    )
    | BASIS_NAMES,
    plots=(),
)
