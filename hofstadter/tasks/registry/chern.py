"""The task `chern` of run files."""

from collections.abc import Callable, Sequence
from typing import Literal

import pydantic
import xarray as xr

from hofstadter.flux import Flux
from hofstadter.models import TightBinding
from hofstadter.tasks._task import Task
from hofstadter.tasks.chern_table import chern_table, group_ranges
from hofstadter.tasks.registry.band_range import BandRange, check_band_range
from hofstadter.tasks.registry.fluxes import FluxList


class ChernParameters(FluxList):
    """Chern numbers of groups of bands at many fluxes."""

    groups: Literal["bands", "gaps"] | list[BandRange] = pydantic.Field(
        "bands",
        description="bands: every band; gaps: the filled bands below every gap; or ranges [first, last).",
    )

    @pydantic.field_validator("groups")
    @classmethod
    def _check_groups(cls, groups: str | list[list[int]]) -> str | list[list[int]]:
        if not isinstance(groups, str):
            if not groups:
                raise ValueError("must name at least one group.")
            for bands in groups:
                check_band_range(bands)
        return groups

    def ranges(self) -> Literal["bands", "gaps"] | list[tuple[int, int]]:
        """The groups as the calculation takes them."""
        return self.groups if isinstance(self.groups, str) else [check_band_range(bands) for bands in self.groups]


def _sizes(model: TightBinding, parameters: ChernParameters, points: Sequence[Flux]) -> dict[str, int]:
    ranges = [group_ranges(parameters.ranges(), flux.q * model.orbitals) for flux in points]
    smallest = min(flux.q for flux in points) * model.orbitals
    if not isinstance(parameters.groups, str) and max(last for _, last in ranges[0]) > smallest:
        raise ValueError(f"Argument `groups` must stay within the {smallest} bands of the smallest magnetic cell.")
    return {"group": max(map(len, ranges))}


def _compute(
    model: TightBinding,
    parameters: ChernParameters,
    points: Sequence[Flux],
    *,
    memory_gb: float,
    progress: Callable[[int], None] | None,
) -> xr.Dataset:
    return chern_table(model, list(points), groups=parameters.ranges(), progress=progress)


CHERN = Task(
    name="chern",
    summary="Chern numbers of bands, or of the filled bands below each gap, at many fluxes.",
    parameters=ChernParameters,
    points=ChernParameters.listed_fluxes,
    sizes=_sizes,
    compute=_compute,
    # Corners of the plaquettes, and what their refinement was measured to take.
    matrices=lambda model, parameters, flux: 120,
    names=frozenset(
        ["flux", "p", "q", "group", "first", "last", "chern", "min_gap", "min_gap_k1", "min_gap_k2", "status"]
    ),
    plots=(),
)
