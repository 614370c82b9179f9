"""The task `hartree_fock` of run files."""

from collections.abc import Callable, Sequence
from typing import Annotated

import pydantic
import xarray as xr

from hofstadter._checks import fail
from hofstadter.flux import Flux
from hofstadter.models import Model
from hofstadter.models.continuum import Continuum
from hofstadter.tasks._task import Task
from hofstadter.tasks.mean_fields import mean_fields
from hofstadter.tasks.registry.fluxes import FluxList, listed_fluxes
from hofstadter.tasks.registry.repulsion import Repulsion

Line = Annotated[list[int], pydantic.Field(min_length=2, max_length=2)]


_LINES = ["line", "line_s", "line_t", "filling"]
_STATES = ["start", "valley", "spin", "filled", "energy", "gap", "s", "t", "residual", "coherence", "status"]
HARTREE_FOCK_NAMES = frozenset(
    ["flux", "p", "q", *_LINES, *_STATES, "label_status", "steps", "cutoff", "band_gap", "basis_status"]
)


class HartreeFockParameters(FluxList, Repulsion):
    """Self-consistent states of the narrow bands of a moiré model, two valleys and two spins, along lines of gaps."""

    lines: Annotated[list[Line], pydantic.Field(min_length=1)] = pydantic.Field(
        description="Gap labels [s, t]: fillings s + t p/q, in electrons per cell from neutrality."
    )
    points: Annotated[int, pydantic.Field(ge=2)] = pydantic.Field(
        6, description="Momenta per direction of the zero-field zone."
    )
    pairs: Annotated[int, pydantic.Field(ge=1)] = pydantic.Field(
        1, description="Narrow bands per cell on each side of neutrality."
    )
    kinetic: bool = pydantic.Field(True, description="Whether the bands keep their own energies.")
    random_starts: Annotated[int, pydantic.Field(ge=0)] = pydantic.Field(3, description="Starts from noise.")
    seed: Annotated[int, pydantic.Field(ge=0)] = pydantic.Field(0, description="Of the noise.")
    levels: Annotated[int, pydantic.Field(ge=1)] | None = pydantic.Field(
        None, description="Landau levels to keep; by default as many as level_rtol needs."
    )
    level_rtol: Annotated[float, pydantic.Field(gt=0, lt=1)] = pydantic.Field(
        1e-6, description="Accuracy of the bands' energies relative to their range."
    )
    max_steps: Annotated[int, pydantic.Field(ge=1)] = pydantic.Field(500, description="Most steps of each run.")
    rtol: Annotated[float, pydantic.Field(gt=0, lt=1)] = pydantic.Field(
        1e-7, description="Commutator of Fock and density matrix at which to stop, relative."
    )


def _checked(model: Model, points: Sequence[Flux]) -> Continuum:
    if not isinstance(model, Continuum) or model.reference != "neutrality":
        raise fail("model", "a continuum model whose bands count from neutrality", model.name)
    if any(flux.p <= 0 for flux in points):
        raise fail("fluxes", "positive", [str(flux) for flux in points if flux.p <= 0])
    return model


def _sizes(model: Model, parameters: HartreeFockParameters, points: Sequence[Flux]) -> dict[str, int]:
    _checked(model, points)
    return {"line": len(parameters.lines), "start": 2 + parameters.random_starts, "valley": 2, "spin": 2}


def _compute(
    model: Model,
    parameters: HartreeFockParameters,
    points: Sequence[Flux],
    *,
    memory_gb: float,
    progress: Callable[[int], None] | None,
) -> xr.Dataset:
    continuum = _checked(model, points)
    own = parameters.model_dump(include={"points", "pairs", "kinetic", "random_starts", "seed", "levels", "level_rtol"})
    return mean_fields(
        continuum,
        list(points),
        [(s, t) for s, t in parameters.lines],
        parameters.interaction(continuum),
        **own,
        max_steps=parameters.max_steps,
        rtol=parameters.rtol,
        momentum_rtol=parameters.momentum_rtol,
        memory_gb=memory_gb,
        progress=progress,
    )


def _matrices(model: Model, parameters: HartreeFockParameters, flux: Flux) -> int:
    return 4 * parameters.points * -(-parameters.points // flux.q)


HARTREE_FOCK = Task(
    name="hartree_fock",
    summary="Self-consistent Hartree–Fock states of the narrow bands of a moiré model in a field.",
    parameters=HartreeFockParameters,
    points=listed_fluxes,
    sizes=_sizes,
    compute=_compute,
    matrices=_matrices,
    names=HARTREE_FOCK_NAMES,
    plots=("mean_fields",),
)
