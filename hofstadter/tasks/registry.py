"""The tasks that run files can name. To add one: a parameter section and an entry in `TASKS`."""

import itertools
from collections.abc import Callable, Sequence
from typing import Annotated

import pydantic
import xarray as xr

from hofstadter.counting.edges import mesh_size
from hofstadter.flux import Flux, farey
from hofstadter.models import TightBinding
from hofstadter.tasks._task import FluxText, Section, Task
from hofstadter.tasks.bands import bands
from hofstadter.tasks.butterfly import butterfly

# All p/q up to this denominator are 300 000 fluxes, months of work: more is a slip of the keyboard.
LARGEST_MAX_DENOMINATOR = 1000

BUTTERFLY_NAMES = frozenset(
    ["flux", "p", "q", "band", "gap", "band_lower", "band_upper", "lower", "upper", "size", "density",
     "s", "t", "bands_below", "route", "status", "edge_status"]
)  # fmt: skip
BANDS_NAMES = frozenset(["flux", "p", "q", "point", "band", "component", "energy", "k", "distance", "corner"])


class ButterflyParameters(Section):
    """Band edges, gaps and their Chern numbers at many fluxes."""

    fluxes: Annotated[list[FluxText], pydantic.Field(min_length=1)] | None = pydantic.Field(
        None, description="The fluxes, such as [1/3, 2/5]; or give max_denominator."
    )
    max_denominator: Annotated[int, pydantic.Field(ge=1, le=LARGEST_MAX_DENOMINATOR)] | None = pydantic.Field(
        None, description="All reduced fractions p/q with q up to this, from low to high."
    )
    low: int = pydantic.Field(0, description="Smallest flux, used with max_denominator.")
    high: int = pydantic.Field(1, description="Largest flux, used with max_denominator.")
    min_gap: Annotated[float, pydantic.Field(gt=0)] | None = pydantic.Field(
        None,
        description="Narrowest gap to list; by default 1e-6 of the largest possible |energy|.",
    )
    labels: bool = pydantic.Field(True, description="Whether to compute the Chern numbers of the gaps.")

    @pydantic.model_validator(mode="after")
    def _check_fluxes(self) -> "ButterflyParameters":
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


def _butterfly_points(parameters: ButterflyParameters) -> list[Flux]:
    if parameters.fluxes is not None:
        return list(parameters.fluxes)
    assert parameters.max_denominator is not None  # the validator above
    return farey(parameters.max_denominator, parameters.low, parameters.high)


def _butterfly_sizes(model: TightBinding, parameters: ButterflyParameters, points: Sequence[Flux]) -> dict[str, int]:
    bands = max(flux.q for flux in points) * model.orbitals
    return {"band": bands, "gap": bands - 1}


def _butterfly_matrices(parameters: ButterflyParameters, flux: Flux) -> int:
    """The mesh, half as many again for its refinement, and what Berry fluxes were measured to take."""
    return mesh_size(flux.q) ** 2 * 3 // 2 + (60 if parameters.labels else 0)


def _compute_butterfly(
    model: TightBinding,
    parameters: ButterflyParameters,
    points: Sequence[Flux],
    *,
    memory_gb: float,
    progress: Callable[[int], None] | None,
) -> xr.Dataset:
    return butterfly(
        model,
        fluxes=list(points),
        min_gap=parameters.min_gap,
        labels=parameters.labels,
        memory_gb=memory_gb,
        progress=progress,
    )


# What `hofstadter.tasks.bands` takes by default, in units of 1/q.
DEFAULT_CORNERS = [[0.0, 0.0], [0.5, 0.0], [0.5, 0.5], [0.0, 0.0]]


class BandsParameters(Section):
    """Bands along a path through the magnetic zone at one flux."""

    flux: FluxText = pydantic.Field(description="The flux, such as 1/3.")
    corners: list[Annotated[list[float], pydantic.Field(min_length=2, max_length=2)]] | None = pydantic.Field(
        None,
        description="Corners (k1, k2) of the path, in reduced momenta; by default around the magnetic zone.",
    )
    points: Annotated[int, pydantic.Field(ge=2)] = pydantic.Field(100, description="Number of momenta.")

    @pydantic.model_validator(mode="after")
    def _check_corners(self) -> "BandsParameters":
        corners = self.corners or DEFAULT_CORNERS
        if len(corners) < 2 or any(a == b for a, b in itertools.pairwise(corners)):
            raise ValueError("`corners` must be at least two momenta, each different from the one before.")
        if self.points < len(corners):
            raise ValueError(f"`points` must be at least the {len(corners)} corners, but is {self.points}.")
        return self


def _bands_sizes(model: TightBinding, parameters: BandsParameters, points: Sequence[Flux]) -> dict[str, int]:
    return {"point": parameters.points, "band": points[0].q * model.orbitals, "component": 2}


def _compute_bands(
    model: TightBinding,
    parameters: BandsParameters,
    points: Sequence[Flux],
    *,
    memory_gb: float,
    progress: Callable[[int], None] | None,
) -> xr.Dataset:
    result = bands(model, points[0], corners=parameters.corners, points=parameters.points, memory_gb=memory_gb)
    if progress is not None:
        progress(1)
    return result


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task(
            name="butterfly",
            summary="Band edges, gaps and gap Chern numbers (s, t) at many fluxes.",
            parameters=ButterflyParameters,
            points=_butterfly_points,
            sizes=_butterfly_sizes,
            compute=_compute_butterfly,
            matrices=_butterfly_matrices,
            names=BUTTERFLY_NAMES,
            plots=("butterfly", "wannier_diagram"),
        ),
        Task(
            name="bands",
            summary="Energies along a path of momenta at one flux.",
            parameters=BandsParameters,
            points=lambda parameters: [parameters.flux],
            sizes=_bands_sizes,
            compute=_compute_bands,
            matrices=lambda parameters, flux: parameters.points,
            names=BANDS_NAMES,
            plots=("bands",),
            splits=False,
        ),
    )
}
