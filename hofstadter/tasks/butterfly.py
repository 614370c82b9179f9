"""Band edges, gaps and butterflies: from a model and its fluxes to labelled datasets."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import xarray as xr

from hofstadter._checks import fail, warn_if_single_precision
from hofstadter.counting.continuum import DEFAULT_RTOL, ContinuumSpectra
from hofstadter.counting.edges import BandEdges, find_band_edges
from hofstadter.counting.gaps import Gaps, find_gaps, label_gaps
from hofstadter.errors import Status
from hofstadter.flux import Flux, FluxLike, as_fluxes, farey
from hofstadter.models import AbstractContinuum, Model
from hofstadter.tasks._basis import check_basis, model_attributes, with_bands

# Gaps below this part of the largest possible |energy| are not told apart from touching bands.
RELATIVE_MIN_GAP = 5e-5
# Of continuum models the edges are known less accurately, and the range is that of the wanted bands only.
CONTINUUM_MIN_GAP = 2e-3


def band_edges(model: Model, fluxes: Iterable[FluxLike] | FluxLike, *, memory_gb: float = 4.0) -> xr.Dataset:
    """Lower and upper edge of every band over the magnetic zone.

    Args:
        model: The zero-field model.
        fluxes: Fluxes per primitive cell.
        memory_gb: Working memory.

    Returns:
        Dataset with dims (flux, band): `band_lower`, `band_upper` in the model's energy unit, NaN beyond the last band
        of a flux; `edge_status` (flux) holds `Status` codes.
    """
    warn_if_single_precision()
    if not memory_gb > 0:
        raise fail("memory_gb", "positive", memory_gb)
    points = as_fluxes(fluxes)
    if isinstance(model, AbstractContinuum):
        spectra = ContinuumSpectra(model, memory_gb=memory_gb)
        edges = [spectra.at(flux).edges for flux in points]
    else:
        edges = find_band_edges(model, points, memory_gb=memory_gb)
    return _edges_dataset(model, points, edges)


def gaps(model: Model, flux: FluxLike, *, min_gap: float | None = None, memory_gb: float = 4.0) -> xr.Dataset:
    """The open gaps at one flux with their computed labels (s, t).

    Args:
        model: The zero-field model.
        flux: Flux per primitive cell.
        min_gap: Narrowest gap to list, in the model's energy unit; by default 5e-5 of the largest possible |energy|.
        memory_gb: Working memory.

    Returns:
        Dataset with dim (gap), ascending in energy: `lower`, `upper`, `size`, `density` (states per cell below the gap;
        of a continuum model counted from its reference), `s`, `t` with density = s + t p/q, `bands_below`, `route`
        (flags: 1 Berry flux, 2 Středa) and `status`.
        `s` and `t` are NaN where `status` is not OK.
    """
    return butterfly(model, fluxes=[flux], min_gap=min_gap, memory_gb=memory_gb).isel(flux=0)


def butterfly(
    model: Model,
    *,
    fluxes: Iterable[FluxLike] | FluxLike | None = None,
    max_denominator: int | None = None,
    min_gap: float | None = None,
    labels: bool = True,
    bands_per_cell: int | None = None,
    rtol: float | None = None,
    memory_gb: float = 4.0,
    progress: Callable[[int], None] | None = None,
) -> xr.Dataset:
    """Bands, gaps and gap Chern numbers at many fluxes.

    Fluxes do not depend on each other: part of a list gives exactly its rows of the whole. Continuum models at fluxes
    with more than 24 cells × components per magnetic cell are solved in the sparse strip basis (`strip_problem`).

    Args:
        model: The zero-field model.
        fluxes: Fluxes per primitive cell; or give `max_denominator`.
        max_denominator: All reduced p/q in [0, 1] with q up to this.
        min_gap: Narrowest gap to list, in the model's energy unit; by default 5e-5 of the largest possible |energy|,
            for continuum models 2e-3 of the range of the wanted bands.
        labels: Whether to compute (s, t). Without it gaps have status LABEL_NOT_ESTABLISHED.
        bands_per_cell: Continuum models only: how many bands per cell on each side of the model's reference; by
            default the model's own number.
        rtol: Continuum models only: accuracy of the wanted energies relative to their range; by default 1e-6.
        memory_gb: Working memory.
        progress: Called with the number of fluxes finished since the last call.

    Returns:
        Dataset with dims (flux, band, gap) and the variables of `band_edges` and `gaps`, padded with NaN (status
        ABSENT) for fluxes with fewer bands or gaps than the largest.

    Raises:
        ValueError: If neither or both of `fluxes` and `max_denominator` are given, a flux is not reduced, or the model
            does not go with a flux, `bands_per_cell` or `rtol`.
    """
    warn_if_single_precision()
    if (fluxes is None) == (max_denominator is None):
        raise ValueError("Give either `fluxes` or `max_denominator`, and not both.")
    if min_gap is not None and not min_gap > 0:
        raise fail("min_gap", "positive", min_gap)
    if not memory_gb > 0:
        raise fail("memory_gb", "positive", memory_gb)
    points = as_fluxes(fluxes) if fluxes is not None else farey(max_denominator or 0)
    model = with_bands(model, bands_per_cell)
    check_basis(model, points, None, rtol)
    if isinstance(model, AbstractContinuum):
        accuracy = DEFAULT_RTOL if rtol is None else rtol
        spectra = ContinuumSpectra(model, accuracy, memory_gb)
        edges, found, reference = _continuum_gaps(spectra, points, min_gap, labels, progress)
    else:
        threshold = RELATIVE_MIN_GAP * float(model.norm_bound()) if min_gap is None else min_gap
        edges = find_band_edges(model, points, memory_gb=memory_gb)
        found = [find_gaps(edge, threshold) for edge in edges]
        if labels:
            widths = [edge.upper.max() - edge.lower.min() for edge in edges]
            found = label_gaps(model, points, found, widths, memory_gb=memory_gb)
        reference = [0.0] * len(points)
        if progress is not None:
            progress(len(points))
    return _edges_dataset(model, points, edges).merge(
        _gaps_dataset(points, found, reference), compat="equals", combine_attrs="override"
    )


def _continuum_gaps(
    spectra: ContinuumSpectra,
    points: Sequence[Flux],
    min_gap: float | None,
    labels: bool,
    progress: Callable[[int], None] | None,
) -> tuple[list[BandEdges], list[Gaps], list[float]]:
    """Edges, gaps and reference filling of each flux."""
    edges, found, reference = [], [], []
    for flux in points:
        spectrum = spectra.at(flux)
        width = spectrum.edges.upper.max() - spectrum.edges.lower.min()
        gaps_here = find_gaps(spectrum.edges, CONTINUUM_MIN_GAP * width if min_gap is None else min_gap)
        if labels:
            gaps_here = spectra.labelled(flux, spectrum, gaps_here)
        edges.append(spectrum.edges)
        found.append(gaps_here)
        reference.append(float(spectrum.problem.reference_filling))
        if progress is not None:
            progress(1)
    return edges, found, reference


def _edges_dataset(model: Model, fluxes: Sequence[Flux], edges: Sequence[BandEdges]) -> xr.Dataset:
    bands = max(len(edge.lower) for edge in edges)
    return xr.Dataset(
        {
            "band_lower": (("flux", "band"), _padded([edge.lower for edge in edges], bands, np.nan)),
            "band_upper": (("flux", "band"), _padded([edge.upper for edge in edges], bands, np.nan)),
            "edge_status": ("flux", np.array([int(edge.status) for edge in edges])),
        },
        coords=_flux_coordinates(fluxes),
        attrs=model_attributes(model),
    )


def _gaps_dataset(fluxes: Sequence[Flux], found: Sequence[Gaps], reference: Sequence[float]) -> xr.Dataset:
    slots = max(len(gap.t) for gap in found)
    dims = ("flux", "gap")
    density = [(gap.bands_below - n) / flux.q for gap, flux, n in zip(found, fluxes, reference, strict=True)]
    variables = {
        "lower": [gap.lower for gap in found],
        "upper": [gap.upper for gap in found],
        "size": [gap.size for gap in found],
        "density": density,
        "s": [gap.s for gap in found],
        "t": [gap.t for gap in found],
        "bands_below": [gap.bands_below for gap in found],
    }
    return xr.Dataset(
        {
            **{name: (dims, _padded(rows, slots, np.nan)) for name, rows in variables.items()},
            "route": (dims, _padded([gap.route for gap in found], slots, 0)),
            "status": (dims, _padded([gap.status for gap in found], slots, int(Status.ABSENT))),
        },
        coords=_flux_coordinates(fluxes),
    )


def _flux_coordinates(fluxes: Sequence[Flux]) -> dict:
    return {
        "flux": ("flux", np.array([float(flux) for flux in fluxes])),
        "p": ("flux", np.array([flux.p for flux in fluxes])),
        "q": ("flux", np.array([flux.q for flux in fluxes])),
    }


def _padded(rows: Sequence[np.ndarray], length: int, fill: float | int) -> np.ndarray:
    table = np.full((len(rows), length), fill, float if np.isnan(fill) else int)
    for number, row in enumerate(rows):
        table[number, : len(row)] = row
    return table
