"""The task `strong_coupling` of run files."""

from collections.abc import Callable, Sequence
from typing import Annotated

import pydantic
import xarray as xr

from hofstadter.flux import Flux
from hofstadter.models import Model
from hofstadter.tasks._task import FluxText, Task
from hofstadter.tasks.bands import path_corners
from hofstadter.tasks.registry.bands import CornerText
from hofstadter.tasks.registry.repulsion import Repulsion
from hofstadter.tasks.strong_coupling import (
    CHARGES,
    MODES,
    PAIRS,
    VALLEYS,
    check_strong_coupling,
    possible_fillings,
    strong_coupling,
)


class StrongCouplingParameters(Repulsion):
    """Insulators of completely filled flavors: gaps, excitations and the fan that they predict."""

    fillings: Annotated[list[float], pydantic.Field(min_length=1)] = pydantic.Field(
        [-2.0, 0.0, 2.0], description="Electrons per cell from neutrality that complete flavors make."
    )
    flux: FluxText = pydantic.Field(Flux(1, 1), description="The flux, 1 for one flux quantum per cell.")
    points: Annotated[int, pydantic.Field(ge=2)] = pydantic.Field(
        12, description="Momenta along each direction of the magnetic zone."
    )
    pairs: Annotated[int, pydantic.Field(ge=1)] = pydantic.Field(
        1, description="Bands per cell on each side of the model's reference that make the group."
    )
    levels: Annotated[int, pydantic.Field(ge=1)] | None = pydantic.Field(
        None, description="Landau levels to keep; by default as many as rtol needs."
    )
    rtol: Annotated[float, pydantic.Field(gt=0, lt=1)] = pydantic.Field(
        1e-7, description="Accuracy of the group's own energies over their range."
    )
    cutoff: Annotated[float, pydantic.Field(gt=0)] | None = pydantic.Field(
        None,
        description="Largest momentum transfer, in the model's inverse length; by default what momentum_rtol needs.",
    )
    kinetic: bool = pydantic.Field(False, description="Whether charges also have the group's own energies.")
    neutral: bool = pydantic.Field(True, description="Whether to compute neutral modes.")
    corners: list[CornerText] | None = pydantic.Field(
        None, description="Corners of a path for the charged excitations, such as [K, Γ, M]."
    )
    labels: list[str] | None = pydantic.Field(None, description="What to call the corners in plots.")
    path_points: Annotated[int, pydantic.Field(ge=0)] = pydantic.Field(0, description="Momenta on the path.")
    chern_number: float | None = pydantic.Field(
        None, description="Chern number of the group, the slope of insulators per flavor; by default computed."
    )
    steps: Annotated[int, pydantic.Field(ge=0)] = pydantic.Field(4, description="Landau levels of each side of a line.")


def _sizes(model: Model, parameters: StrongCouplingParameters, points: Sequence[Flux]) -> dict[str, int]:
    continuum = check_strong_coupling(model, points[0], parameters.fillings)
    possible = possible_fillings(continuum, points[0], parameters.pairs, parameters.fillings)
    edges = sum((filling > possible[0]) + (filling < possible[-1]) for filling in parameters.fillings)
    sizes = {
        "filling": len(parameters.fillings),
        "charge": len(CHARGES),
        "component": 2,
        "axis": 2,
        "valley": VALLEYS,
        "line": 2 * (len(parameters.fillings) + parameters.steps * edges),
    }
    if parameters.neutral:
        sizes |= {"pair": len(PAIRS), "momentum": parameters.points**2, "mode": MODES}
    if parameters.path_points:
        width = sum(continuum.wanted_bands(points[0], parameters.pairs))
        path_corners(continuum, points[0], parameters.corners, parameters.labels)
        sizes |= {"point": parameters.path_points, "band": width}
    return sizes


def _compute(
    model: Model,
    parameters: StrongCouplingParameters,
    points: Sequence[Flux],
    *,
    memory_gb: float,
    progress: Callable[[int], None] | None,
) -> xr.Dataset:
    continuum = check_strong_coupling(model, points[0], parameters.fillings)
    screening = set(Repulsion.model_fields) - {"momentum_rtol"}
    own = parameters.model_dump(exclude=screening)
    result = strong_coupling(continuum, parameters.interaction(continuum), **own, memory_gb=memory_gb)
    if progress is not None:
        progress(1)
    return result


STRONG_COUPLING = Task(
    name="strong_coupling",
    summary="Insulators of completely filled flavors at one flux quantum per cell, exact for flat bands.",
    parameters=StrongCouplingParameters,
    points=lambda model, parameters: [parameters.flux],
    sizes=_sizes,
    compute=_compute,
    # Two valleys, twice each: for the gaps to other bands, and for states.
    matrices=lambda model, parameters, flux: 4 * parameters.points**2 + 2 * parameters.path_points,
    names=frozenset(["flux", "p", "q", "filling", "charge", "axis", "component", "valley", "point", "band", "pair"])
    | frozenset(["mode", "momentum", "line", "charge_gap", "state_energy", "status", "edge_energy", "degeneracy"])
    | frozenset(
        [
            "edge_k",
            "mass",
            "charge_energy",
            "k",
            "distance",
            "neutral_energy",
            "neutral_gap",
            "transfer",
            "transfer_length",
        ]
    )
    | frozenset(["line_filling", "line_side", "line_charge", "line_step", "line_s", "line_t", "line_status"])
    | frozenset(["min_gap", "group_chern", "momentum_cutoff", "cutoff_error", "levels"]),
    plots=("charge_excitations", "neutral_modes", "reentrant_fan"),
    splits=False,
)
