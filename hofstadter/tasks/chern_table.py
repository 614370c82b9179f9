"""Chern numbers of groups of bands at many fluxes, as one table."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import xarray as xr

from hofstadter._checks import fail
from hofstadter.errors import Status
from hofstadter.flux import FluxLike, as_fluxes
from hofstadter.hamiltonian.at_flux import at_flux
from hofstadter.models.tight_binding import TightBinding
from hofstadter.topology.chern import chern_numbers

Groups = Literal["bands", "gaps"] | Sequence[tuple[int, int]]


def chern_table(
    model: TightBinding,
    fluxes: Sequence[FluxLike],
    *,
    groups: Groups = "bands",
    progress: Callable[[int], None] | None = None,
) -> xr.Dataset:
    """Chern numbers of groups of bands, each with its status.

    Args:
        model: The zero-field model.
        fluxes: Fluxes per primitive cell.
        groups: "bands" for every band by itself, "gaps" for the filled bands below every direct gap, or band ranges
            (first, last), the last one not included.
        progress: Called with 1 after each flux.

    Returns:
        Dataset with dims (flux, group): `first`, `last`, `chern` (NaN where not certified), `min_gap` (smallest direct
        gap seen), `min_gap_k1`, `min_gap_k2` and `status`. Rows are filled up with status ABSENT.

    Raises:
        ValueError: If a group is empty or outside of the spectrum at one of the fluxes.
    """
    listed = as_fluxes(fluxes)
    ranges = [group_ranges(groups, flux.q * model.orbitals) for flux in listed]
    width = max(map(len, ranges))
    columns = {
        name: np.full((len(listed), width), fill)
        for name, fill in {"chern": np.nan, "min_gap": np.nan, "min_gap_k1": np.nan, "min_gap_k2": np.nan}.items()
    }
    columns |= {name: np.full((len(listed), width), -1) for name in ("first", "last")}
    columns["status"] = np.full((len(listed), width), int(Status.ABSENT))
    for row, (flux, here) in enumerate(zip(listed, ranges, strict=True)):
        for column, (bands, number) in enumerate(zip(here, chern_numbers(at_flux(model, flux), here), strict=True)):
            columns["first"][row, column], columns["last"][row, column] = bands
            columns["chern"][row, column] = number.value
            columns["status"][row, column] = int(number.status)
            columns["min_gap"][row, column] = number.min_gap
            columns["min_gap_k1"][row, column], columns["min_gap_k2"][row, column] = number.min_gap_k
        if progress is not None:
            progress(1)
    return xr.Dataset(
        {name: (("flux", "group"), values) for name, values in columns.items()},
        coords={
            "flux": [float(flux) for flux in listed],
            "p": ("flux", [flux.p for flux in listed]),
            "q": ("flux", [flux.q for flux in listed]),
        },
        attrs={"model": model.name, "orbitals": model.orbitals, "energy_unit": "t"},
    )


def group_ranges(groups: Groups, bands: int) -> list[tuple[int, int]]:
    """The band ranges that `groups` means for a spectrum of so many bands."""
    if groups == "bands":
        return [(band, band + 1) for band in range(bands)]
    if groups == "gaps":
        return [(0, filled) for filled in range(1, bands)] or [(0, bands)]
    if isinstance(groups, str) or not len(groups):
        raise fail("groups", '"bands", "gaps" or band ranges such as [(0, 2)]', repr(groups))
    return [(int(first), int(last)) for first, last in groups]
