"""A butterfly dataset as plain columns: fluxes in ascending order, open gaps as one row each."""

import dataclasses

import numpy as np
import xarray as xr

from hofstadter._checks import fail
from hofstadter.errors import Status

_NEEDED = ("band_lower", "band_upper", "lower", "upper", "density", "s", "t", "bands_below", "status")

_FEW = 8
"""Up to this many fluxes are drawn as level diagrams: straight edges between them would be invented."""

_CLOSE = 0.03
"""In longer lists, fluxes nearer than this are joined. Farey neighbors, p'q − pq' = 1, are so always."""

_ALONE = 0.03
"""Largest half-width of the bars at a flux that is joined to no other."""


@dataclasses.dataclass(frozen=True)
class Table:
    """What the pictures of a butterfly need, as arrays.

    Attributes:
        flux: Fluxes, ascending, without repetitions.
        p: Numerators.
        q: Denominators.
        joined: Whether gaps are joined between flux i and flux i + 1.
        cells: Voronoi cell of each flux (flux, 2): left and right end. It ends at the flux itself towards a
            side where nothing is joined.
        band_lower: Lower band edges (flux, band), NaN padded.
        band_upper: Upper band edges.
        column: Index of the flux of each gap.
        below: Bands below each gap.
        density: States per cell below each gap, from where the model counts them.
        lower: Lower edge of each gap.
        upper: Upper edge of each gap.
        s: First label, NaN if not established.
        t: Gap Chern number, NaN if not established.
    """

    flux: np.ndarray
    p: np.ndarray
    q: np.ndarray
    joined: np.ndarray
    cells: np.ndarray
    band_lower: np.ndarray
    band_upper: np.ndarray
    column: np.ndarray
    below: np.ndarray
    density: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    s: np.ndarray
    t: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """Which gaps have a label."""
        return np.isfinite(self.s) & np.isfinite(self.t)

    @property
    def alone(self) -> np.ndarray:
        """Which fluxes are joined to no other."""
        return ~(np.append(self.joined, False) | np.append(False, self.joined))

    @property
    def size(self) -> np.ndarray:
        """Width in energy of each gap."""
        return self.upper - self.lower

    @property
    def area(self) -> np.ndarray:
        """Energy times flux that each gap covers."""
        return self.size * (self.cells[:, 1] - self.cells[:, 0])[self.column]

    @property
    def spectrum(self) -> np.ndarray:
        """Lowest and highest energy at each flux (flux, 2)."""
        return np.stack([np.nanmin(self.band_lower, axis=1), np.nanmax(self.band_upper, axis=1)], axis=1)

    def visible_unknown(self) -> np.ndarray:
        """Rows of the gaps without a label that are at least 0.2 % of the picture's height."""
        height = self.spectrum[:, 1].max() - self.spectrum[:, 0].min()
        return np.flatnonzero(~self.known & (self.size > 0.002 * height))


def read(dataset: xr.Dataset) -> Table:
    """Sort a butterfly dataset by flux and list its open gaps.

    Raises:
        ValueError: If the dataset lacks a variable, has further dimensions, or no flux with bands.
    """
    missing = [name for name in _NEEDED if name not in dataset]
    if missing:
        raise fail("dataset", f"a butterfly with {', '.join(_NEEDED)}", f"without {', '.join(missing)}")
    swept = [str(name) for name in dataset["band_lower"].dims if name not in ("flux", "band")]
    if swept:
        hint = f"Select one, such as dataset.isel({swept[0]}=0)."
        raise fail("dataset", "a single butterfly", f"one for each {', '.join(swept)}", hint)
    # A flux whose calculation failed has no bands, and is left out.
    solved = (dataset["band_lower"].notnull() & dataset["band_upper"].notnull()).any("band").values
    if not solved.any():
        raise fail("dataset", "a butterfly with bands at one flux at least", "without any")
    dataset = dataset.isel(flux=solved)
    flux, first = np.unique(dataset["flux"].values.astype(float), return_index=True)

    def take(name: str) -> np.ndarray:
        return np.asarray(dataset[name].transpose("flux", ...).values)[first]

    p, q = take("p").astype(int), take("q").astype(int)
    band_lower, band_upper = take("band_lower"), take("band_upper")
    lower, upper, status = take("lower"), take("upper"), take("status")
    # Comparing with NaN is False, so padding and gaps that were not found drop out here.
    column, gap = np.nonzero((upper > lower) & (status != Status.ABSENT) & (status != Status.GAP_CLOSED))
    neighbors = p[1:] * q[:-1] - p[:-1] * q[1:] == 1
    joined = (neighbors | (np.diff(flux) <= _CLOSE)) & (flux.size > _FEW)
    return Table(
        flux=flux,
        p=p,
        q=q,
        joined=joined,
        cells=_voronoi(flux, joined),
        band_lower=band_lower,
        band_upper=band_upper,
        column=column,
        below=take("bands_below")[column, gap].astype(int),
        density=take("density")[column, gap],
        lower=lower[column, gap],
        upper=upper[column, gap],
        s=take("s")[column, gap],
        t=take("t")[column, gap],
    )


def _voronoi(flux: np.ndarray, joined: np.ndarray) -> np.ndarray:
    """Cells that reach halfway to joined neighbors; a bar of fixed width around a flux with none."""
    half = np.where(joined, np.diff(flux) / 2, 0.0)
    reach = np.stack([np.append(0.0, half), np.append(half, 0.0)], axis=1)
    bar = min(_ALONE, 0.3 * np.diff(flux).min()) if flux.size > 1 else _ALONE
    reach[(reach == 0).all(axis=1)] = bar
    return flux[:, None] + reach * np.array([-1.0, 1.0])
