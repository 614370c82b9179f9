"""The task `fit` of run files."""

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import pydantic
import xarray as xr

from hofstadter._checks import fail
from hofstadter.errors import CalculationError, Status
from hofstadter.fits.fit import fit
from hofstadter.fits.minimize import Method, load_packages
from hofstadter.fits.observations import GapSize, LevelEnergy, Observation, tabulate
from hofstadter.flux import Flux
from hofstadter.models import Model
from hofstadter.tasks._rebuilt import RebuildsModel
from hofstadter.tasks._task import FluxText, Section, Task
from hofstadter.tasks.fit import fit_dataset

Positive = Annotated[float, pydantic.Field(gt=0)]


class GapEntry(Section):
    """A measured gap size."""

    flux: FluxText = pydantic.Field(description="The flux, such as 1/20.")
    s: float = pydantic.Field(description="Density of the gap's line n = s + t φ at zero flux.", multiple_of=0.5)
    t: float = pydantic.Field(description="Chern number of the gap.", multiple_of=0.5)
    size: Positive = pydantic.Field(description="The measured size.")
    error: Positive = pydantic.Field(description="Its standard error.")

    def observation(self) -> GapSize:
        """What a fit takes."""
        return GapSize(self.flux, self.s, self.t, self.size, self.error)


class LevelEntry(Section):
    """A measured energy of a band edge."""

    flux: FluxText = pydantic.Field(description="The flux, such as 1/20.")
    band: int = pydantic.Field(description="The band, counted from the model's reference: 0 is the first above it.")
    side: Literal["lower", "upper"] = pydantic.Field(description="Which edge of the band.")
    energy: float = pydantic.Field(description="The measured energy.")
    error: Positive = pydantic.Field(description="Its standard error.")

    def observation(self) -> LevelEnergy:
        """What a fit takes."""
        return LevelEnergy(self.flux, self.band, self.side, self.energy, self.error)


class FitParameters(RebuildsModel):
    """Numbers of the model from measured gap sizes and level energies; the model section holds where they start."""

    parameters: Annotated[list[str], pydantic.Field(min_length=1)] = pydantic.Field(
        description="Entries of the model section that are free, such as [t2, mass] or hoppings.2.0."
    )
    gaps: list[GapEntry] = pydantic.Field([], description="Entries {flux: 1/20, s: 0, t: 1, size: 0.5, error: 0.01}.")
    level_energies: list[LevelEntry] = pydantic.Field(
        [], description="Entries {flux: 1/20, band: 0, side: lower, energy: -2.5, error: 0.01}."
    )
    method: Method = pydantic.Field("gauss_newton", description="How the sum of squares is minimized.")
    energy_offset: bool = pydantic.Field(False, description="Whether level energies have an unknown common zero.")
    energy_scale: bool = pydantic.Field(False, description="Whether all energies have an unknown common scale.")
    full_hessian: bool = pydantic.Field(
        False, description="Whether standard errors come from all second derivatives, not Gauss-Newton's alone."
    )
    max_steps: Annotated[int, pydantic.Field(ge=1)] = pydantic.Field(
        200, description="Most steps between two searches for momenta."
    )
    rtol: Annotated[float, pydantic.Field(gt=0, lt=1)] = pydantic.Field(
        1e-7, description="Continuum models: accuracy of energies over their range."
    )

    @pydantic.model_validator(mode="after")
    def _check_entries(self) -> "FitParameters":
        twice = sorted({name for name in self.parameters if self.parameters.count(name) > 1})
        if twice:
            raise ValueError(f"`parameters` must not repeat itself, but {', '.join(twice)} is there twice.")
        if not self.gaps and not self.level_energies:
            raise ValueError("Give `gaps` or `level_energies` that were measured.")
        return self

    def names(self) -> list[str]:
        """All parameters of the fit."""
        nuisances = {"energy_offset": self.energy_offset, "energy_scale": self.energy_scale}
        return [*self.parameters, *(name for name, free in nuisances.items() if free)]

    def observations(self) -> list[Observation]:
        """What was measured, gaps first."""
        return [*(entry.observation() for entry in self.gaps), *(entry.observation() for entry in self.level_energies)]


def _sizes(model: Model, parameters: FitParameters, points: Sequence[Flux]) -> dict[str, int]:
    """Sizes of the dataset; refuses what the fit would refuse."""
    parameters.builder.start(parameters.parameters)
    for name in ("gaps", "level_energies"):
        if entries := getattr(parameters, name):
            tabulate(model, [entry.observation() for entry in entries], name)
    names, count = parameters.names(), len(parameters.observations())
    if count < len(names):
        raise fail("parameters", f"at most as many as the {count} observations", ", ".join(names))
    try:
        load_packages()
    except ImportError as error:
        raise ValueError(str(error)) from None
    return {"observation": count, "parameter": len(names), "with_parameter": len(names)}


def _compute(
    model: Model,
    parameters: FitParameters,
    points: Sequence[Flux],
    *,
    memory_gb: float,
    progress: Callable[[int], None] | None,
) -> xr.Dataset:
    if model.vectors.dtype.itemsize < 8:
        raise fail("precision", "double for a fit", "single")
    observations = parameters.observations()
    result = fit(
        parameters.builder,
        parameters.builder.start(parameters.parameters),
        observations,
        method=parameters.method,
        energy_offset=parameters.energy_offset,
        energy_scale=parameters.energy_scale,
        full_hessian=parameters.full_hessian,
        max_steps=parameters.max_steps,
        rtol=parameters.rtol,
        memory_gb=memory_gb,
    )
    if result.status in (Status.NOT_FINITE, Status.FIT_NOT_CONVERGED):
        raise CalculationError(result.status, ", ".join(f"{name} = {x:.6g}" for name, x in result.values.items()))
    if progress is not None:
        progress(1)
    return fit_dataset(result, observations)


FIT = Task(
    name="fit",
    summary="Numbers of a model from measured gap sizes and level energies, with their uncertainties.",
    parameters=FitParameters,
    # The task is one point, whose flux stands for all that were measured.
    points=lambda model, parameters: [
        max((entry.flux for entry in parameters.observations()), key=lambda flux: flux.q)
    ],
    sizes=_sizes,
    compute=_compute,
    # Two edges per gap, meshes of some 150 momenta, a few searches for the momenta and as many steps.
    matrices=lambda model, parameters, flux: 1000 * len(parameters.observations()),
    names=frozenset(["flux", "p", "q", "observation", "parameter", "with_parameter", "covariance"])
    | frozenset(["observed_p", "observed_q", "is_level", "s", "t", "band", "side"])
    | frozenset(["measured", "error", "predicted", "residual", "observation_status"])
    | frozenset(["chi_squared", "degrees_of_freedom", "steps", "status"]),
    plots=("fit",),
    splits=False,
)
