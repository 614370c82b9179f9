"""The task `heavy_fermion_excitations` of run files."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import pydantic
import xarray as xr

from hofstadter._checks import fail
from hofstadter.counting.continuum import continuum_mesh_size
from hofstadter.flux import Flux
from hofstadter.interactions.heavy_fermion_mean_field import (
    HeavyFermionRepulsion,
    SpinState,
    ValleyState,
    heavy_fermion_repulsion,
    mean_field_flavors,
)
from hofstadter.models import HeavyFermions, Model
from hofstadter.tasks._basis import check_basis, with_bands
from hofstadter.tasks._task import Task
from hofstadter.tasks.heavy_fermion_excitations import heavy_fermion_excitations
from hofstadter.tasks.registry.basis import WantedBands
from hofstadter.tasks.registry.fluxes import FluxList, listed_fluxes

_Pair = Annotated[tuple[ValleyState, ValleyState], pydantic.Strict(False)]


class HeavyFermionParameters(WantedBands, FluxList):
    """Charged excitations of heavy fermions above a parent state, in a one-shot mean field."""

    parent: Annotated[list[Literal["K-IVC"] | _Pair], pydantic.Field(min_length=2, max_length=2)] = pydantic.Field(
        description="What each spin has: K-IVC, or states of valley +1 and valley -1 out of empty, f1, f2 and filled."
    )
    w0_over_w1: float = pydantic.Field(0.8, description="Whose published interactions to take, 0.7 or 0.8.")
    u1_mev: float | None = pydantic.Field(None, description="U1 instead of the published one.")
    u2_mev: float | None = pydantic.Field(None, description="U2; 0 leaves out the neighbors' shift of f levels.")
    w1_mev: float | None = pydantic.Field(None, description="W1 instead of the published one.")
    w3_mev: float | None = pydantic.Field(None, description="W3 instead of the published one.")
    exchange_mev: float | None = pydantic.Field(None, description="J instead of the published one.")
    min_gap: Annotated[float, pydantic.Field(gt=0)] | None = pydantic.Field(
        None, description="Narrowest gap to list; by default 2e-3 of the range of the wanted energies."
    )
    labels: bool = pydantic.Field(True, description="Whether to compute the Chern numbers of the gaps.")

    def repulsion(self) -> HeavyFermionRepulsion:
        """The interactions."""
        given = (self.u1_mev, self.u2_mev, self.w1_mev, self.w3_mev, self.exchange_mev)
        return heavy_fermion_repulsion(self.w0_over_w1, *given)

    def states(self) -> list[SpinState]:
        """The parent state, spin by spin."""
        return list(self.parent)


def _checked(model: Model, parameters: HeavyFermionParameters, points: Sequence[Flux]) -> HeavyFermions:
    if not isinstance(model, HeavyFermions):
        raise fail("model", "heavy_fermions for this task", model.name)
    model = with_bands(model, parameters.bands_per_cell)
    check_basis(model, points, None, parameters.rtol)
    return model


def _sizes(model: Model, parameters: HeavyFermionParameters, points: Sequence[Flux]) -> dict[str, int]:
    checked = _checked(model, parameters, points)
    flavors = mean_field_flavors(checked, parameters.states(), parameters.repulsion())
    counts = [[flavor.model.bands_at(flux) for flavor in flavors] for flux in points]
    gaps = max(sum(count - 1 for count in row) for row in counts)
    return {"flavor": len(flavors), "band": max(map(max, counts)), "gap": gaps}


def _matrices(model: Model, parameters: HeavyFermionParameters, flux: Flux) -> int:
    """The mesh, its refinement and Berry fluxes, for each flavor: two, or one with eight times the work."""
    return 2 * (2 * continuum_mesh_size(flux) ** 2 + (90 if parameters.labels else 0))


def _compute(
    model: Model,
    parameters: HeavyFermionParameters,
    points: Sequence[Flux],
    *,
    memory_gb: float,
    progress: Callable[[int], None] | None,
) -> xr.Dataset:
    return heavy_fermion_excitations(
        _checked(model, parameters, points),
        list(points),
        parameters.states(),
        repulsion=parameters.repulsion(),
        min_gap=parameters.min_gap,
        labels=parameters.labels,
        rtol=parameters.rtol,
        memory_gb=memory_gb,
        progress=progress,
    )


_FLAVORS: tuple[Any, ...] = ("band_lower", "band_upper", "hole_edge", "electron_edge", "flavor_t")
_GAPS = ("lower", "upper", "size", "density", "s", "t", "status")

HEAVY_FERMION_EXCITATIONS = Task(
    name="heavy_fermion_excitations",
    summary="Charged excitations of heavy fermions above a parent state, with gap labels, at many fluxes.",
    parameters=HeavyFermionParameters,
    points=listed_fluxes,
    sizes=_sizes,
    compute=_compute,
    matrices=_matrices,
    names=frozenset(
        ["flux", "p", "q", "flavor", "band", "gap", "parent_t", "charge_gap", "edge_status", *_FLAVORS, *_GAPS]
    ),
    plots=("heavy_fermion_excitations",),
)
