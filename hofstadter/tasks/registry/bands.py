"""The task `bands` of run files."""

import itertools
from collections.abc import Callable, Sequence
from typing import Annotated

import pydantic
import xarray as xr

from hofstadter.flux import Flux
from hofstadter.models import TightBinding
from hofstadter.tasks._task import FluxText, Section, Task
from hofstadter.tasks.bands import bands

BANDS_NAMES = frozenset(["flux", "p", "q", "point", "band", "component", "energy", "k", "distance", "chern", "status"])

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

    chern: bool = pydantic.Field(False, description="Whether to compute the Chern number of each band.")

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
    result = bands(
        model,
        points[0],
        corners=parameters.corners,
        points=parameters.points,
        chern=parameters.chern,
        memory_gb=memory_gb,
    )
    if progress is not None:
        progress(1)
    return result


BANDS = Task(
    name="bands",
    summary="Energies along a path of momenta at one flux.",
    parameters=BandsParameters,
    points=lambda parameters: [parameters.flux],
    sizes=_bands_sizes,
    compute=_compute_bands,
    matrices=lambda model, parameters, flux: parameters.points + (120 if parameters.chern else 0),
    names=BANDS_NAMES,
    plots=("bands",),
    splits=False,
)
