"""What tasks do alike for lattice and continuum models: how many bands, how they are counted, and the basis."""

import dataclasses
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from hofstadter._checks import as_integer, fail
from hofstadter.flux import Flux
from hofstadter.hamiltonian import heavy_fermions, landau_levels
from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem, AbstractTruncatedProblem
from hofstadter.hamiltonian.at_flux import at_flux
from hofstadter.models import AbstractContinuum, Continuum, HeavyFermions, Model

AnyModel = TypeVar("AnyModel", bound=Model)

BASIS_NAMES = frozenset(["reference_filling", "levels", "cutoff_error", "basis_status"])
"""Names of the variables of `basis_variables`."""


def with_bands(model: AnyModel, bands_per_cell: int | None) -> AnyModel:
    """The model with another number of wanted bands, which only continuum models have."""
    if bands_per_cell is None:
        return model
    if not isinstance(model, AbstractContinuum):
        raise _only_continuum("bands_per_cell", bands_per_cell)
    return dataclasses.replace(model, bands_per_cell=as_integer("bands_per_cell", bands_per_cell, minimum=1))


def problem_at(model: Model, flux: Flux, levels: int | None, rtol: float | None) -> AbstractMagneticBlochProblem:
    """The problem at a flux, with the basis that is asked for.

    Raises:
        ValueError: If the model or the flux does not go with `levels` or `rtol`, or the flux with the model.
    """
    check_basis(model, [flux], levels, rtol)
    if not isinstance(model, AbstractContinuum):
        return at_flux(model, flux)
    if rtol is None:
        return at_flux(model, flux, levels=levels)
    return at_flux(model, flux, levels=levels, rtol=rtol)


def check_basis(model: Model, fluxes: Sequence[Flux], levels: int | None, rtol: float | None) -> None:
    """Refuse what `problem_at` refuses at any of the fluxes, without computing."""
    if not isinstance(model, AbstractContinuum):
        for name, value in (("levels", levels), ("rtol", rtol)):
            if value is not None:
                raise _only_continuum(name, value)
        return
    if levels is not None and any(flux.p == 0 for flux in fluxes):
        raise fail("levels", "left out at zero flux, where the basis are plane waves", levels)
    if rtol is not None and not rtol > 0:
        raise fail("rtol", "positive", rtol)
    for flux in fluxes:
        if flux.p < 0:
            raise fail("flux", "zero or positive for a continuum model", flux, "Reverse the valley instead.")


def _only_continuum(name: str, value: Any) -> ValueError:
    return fail(name, "left out for a lattice model, which has all its bands", value)


def padded_size(model: AbstractContinuum, flux: Flux, levels: int) -> int:
    """Rows of the matrix of a continuum model at a positive flux, with so many Landau levels."""
    if isinstance(model, HeavyFermions):
        return heavy_fermions.padded_size(model, flux, levels)
    assert isinstance(model, Continuum)  # there are no others
    return landau_levels.padded_rows(model, flux, levels) * model.components


def bands_below(model: Model, flux: Flux) -> int:
    """How many of the returned bands lie below the reference that the model's bands are counted from."""
    return model.wanted_bands(flux)[0] if isinstance(model, AbstractContinuum) else 0


def band_range(
    model: Model, flux: Flux, bands: tuple[int, int], from_reference: bool, name: str = "bands"
) -> tuple[int, int]:
    """A group [first, last) counted from the lowest returned band.

    Args:
        model: The model.
        flux: The flux.
        bands: First band and the one after the last.
        from_reference: Whether `bands` counts from the model's reference: 0 is the first band above it, −1 the first
            one below.
        name: What the caller calls `bands`.

    Raises:
        ValueError: If there are no such bands.
    """
    below, available = bands_below(model, flux) if from_reference else 0, model.bands_at(flux)
    first, last = (as_integer(name, band) for band in bands)
    if not -below <= first < last <= available - below:
        hint = ""
        if not from_reference and first < 0:
            hint = "Negative numbers count from the reference: say so by `from_reference`."
        elif isinstance(model, AbstractContinuum):
            hint = "Raise `bands_per_cell` for more."
        raise fail(
            name,
            f"a range [first, last) within the {available} bands {-below} … {available - below - 1} at flux {flux}",
            [first, last],
            hint,
        )
    return first + below, last + below


def basis_variables(problem: AbstractMagneticBlochProblem) -> dict[str, Any]:
    """Variables of a dataset about a truncated basis; nothing for lattice models.

    `reference_filling`, how many of the bands are filled at the reference; `levels`, Landau levels or, at zero flux,
    plane waves that each component keeps; `cutoff_error`, the largest change of an energy if there were a quarter more;
    `basis_status`.
    """
    if not isinstance(problem, AbstractTruncatedProblem):
        return {}
    return {
        "reference_filling": float(problem.reference_filling),
        "levels": int(problem.size),
        "cutoff_error": float(problem.cutoff_error),
        "basis_status": int(problem.basis_status),
    }


def model_attributes(model: Model) -> dict[str, Any]:
    """Attributes of a dataset about the model: its name and units, and what its densities are counted by.

    Those of a lattice model count from the bottom to the number of its `orbitals`, those of a continuum model from its
    `reference`.
    """
    own = {"reference": model.reference} if isinstance(model, AbstractContinuum) else {"orbitals": model.orbitals}
    return {"model": model.name, "energy_unit": model.energy_unit, "length_unit": model.length_unit, **own}


def group_attributes(model: Model, flux: Flux, bands: tuple[int, int]) -> dict[str, Any]:
    """Attributes of a dataset about a group of bands, and its place counted from the reference."""
    own = {"bands": list(bands)}
    if isinstance(model, AbstractContinuum):
        own["bands_from_reference"] = (np.asarray(bands) - bands_below(model, flux)).tolist()
    return {**model_attributes(model), "flux": str(flux), **own}
