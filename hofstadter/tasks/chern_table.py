"""Chern numbers of groups of bands at many fluxes, as one table."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import xarray as xr

from hofstadter._checks import fail
from hofstadter.errors import Status
from hofstadter.flux import Flux, FluxLike, as_fluxes
from hofstadter.models import AbstractContinuum, Model
from hofstadter.tasks._basis import band_range, bands_below, basis_variables, model_attributes, problem_at, with_bands
from hofstadter.topology.chern import chern_numbers

Groups = Literal["bands", "gaps"] | Sequence[tuple[int, int]]


def chern_table(
    model: Model,
    fluxes: Sequence[FluxLike],
    *,
    groups: Groups = "bands",
    from_reference: bool = False,
    levels: int | None = None,
    bands_per_cell: int | None = None,
    rtol: float | None = None,
    progress: Callable[[int], None] | None = None,
) -> xr.Dataset:
    """Chern numbers of groups of bands, each with its status.

    Args:
        model: The zero-field model.
        fluxes: Fluxes per primitive cell.
        groups: "bands" for every band by itself, "gaps" for the bands between every direct gap and the model's
            reference (its bottom, for all lattice models: the filled bands), or band ranges (first, last), the last one
            not included.
        from_reference: Whether ranges count from the model's reference, say charge neutrality: −1 is the first band
            below it. By default they count from the lowest of the model's bands.
        levels: Continuum only: Landau levels to keep; by default as many as the accuracy needs.
        bands_per_cell: Continuum only: how many bands per cell on each side of the model's reference; by default the
            model's own number.
        rtol: Continuum only: accuracy of the energies relative to their range; by default that of `at_flux`.
        progress: Called with 1 after each flux.

    Returns:
        Dataset with dims (flux, group): `first`, `last`, `chern` (NaN where not certified), `min_gap` (smallest direct
        gap seen), `min_gap_k1`, `min_gap_k2` and `status`. Rows are filled up with status ABSENT. `first` and `last`
        count from the lowest band. Of a continuum model also `reference_filling`, `levels`, `cutoff_error` and
        `basis_status` (flux), as in `bands`.

    Raises:
        ValueError: If a group is empty or outside of the spectrum at one of the fluxes.
    """
    listed, model = as_fluxes(fluxes), with_bands(model, bands_per_cell)
    ranges = [group_ranges(groups, model, flux, from_reference) for flux in listed]
    width = max(map(len, ranges))
    columns = {
        name: np.full((len(listed), width), fill)
        for name, fill in {"chern": np.nan, "min_gap": np.nan, "min_gap_k1": np.nan, "min_gap_k2": np.nan}.items()
    }
    columns |= {name: np.full((len(listed), width), -1) for name in ("first", "last")}
    columns["status"] = np.full((len(listed), width), int(Status.ABSENT))
    basis: list[dict] = []
    for row, (flux, here) in enumerate(zip(listed, ranges, strict=True)):
        problem = problem_at(model, flux, levels, rtol)
        basis.append(basis_variables(problem))
        for column, (bands, number) in enumerate(zip(here, chern_numbers(problem, here), strict=True)):
            columns["first"][row, column], columns["last"][row, column] = bands
            columns["chern"][row, column] = number.value
            columns["status"][row, column] = int(number.status)
            columns["min_gap"][row, column] = number.min_gap
            columns["min_gap_k1"][row, column], columns["min_gap_k2"][row, column] = number.min_gap_k
        if progress is not None:
            progress(1)
    return xr.Dataset(
        {
            **{name: (("flux", "group"), values) for name, values in columns.items()},
            **{name: ("flux", [entry[name] for entry in basis]) for name in basis[0]},
        },
        coords={
            "flux": [float(flux) for flux in listed],
            "p": ("flux", [flux.p for flux in listed]),
            "q": ("flux", [flux.q for flux in listed]),
        },
        attrs=model_attributes(model),
    )


def group_ranges(groups: Groups, model: Model, flux: Flux, from_reference: bool = False) -> list[tuple[int, int]]:
    """The band ranges that `groups` means at a flux, counted from the lowest band."""
    bands, reference = model.bands_at(flux), bands_below(model, flux)
    if groups == "bands":
        return [(band, band + 1) for band in range(bands)]
    if groups == "gaps":
        # Above all bands of a lattice model there is no gap.
        gaps = range(bands + 1) if isinstance(model, AbstractContinuum) else range(1, bands)
        return [(min(gap, reference), max(gap, reference)) for gap in gaps if gap != reference] or [(0, bands)]
    if isinstance(groups, str) or not len(groups):
        raise fail("groups", '"bands", "gaps" or band ranges such as [(0, 2)]', repr(groups))
    return [
        band_range(model, flux, (first, last), from_reference, f"groups[{number}]")
        for number, (first, last) in enumerate(groups)
    ]
