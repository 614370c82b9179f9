"""Charged excitations of heavy fermions above an insulating parent state, against flux."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from hofstadter._checks import fail, warn_if_single_precision
from hofstadter.counting.continuum import DEFAULT_RTOL, ContinuumSpectra, FluxSpectrum
from hofstadter.counting.gaps import Gaps, find_gaps
from hofstadter.errors import Status
from hofstadter.flux import Flux, FluxLike, as_fluxes
from hofstadter.interactions.heavy_fermion_mean_field import (
    HeavyFermionRepulsion,
    MeanFieldFlavor,
    SpinState,
    heavy_fermion_repulsion,
    mean_field_flavors,
    parent_filling,
)
from hofstadter.models import HeavyFermions
from hofstadter.tasks._basis import check_basis, model_attributes, with_bands

# Of the range of wanted energies, the narrowest gap to list.
MIN_GAP = 2e-3


class FlavorSpectrum(NamedTuple):
    """One flavor at one flux.

    Attributes:
        spectrum: Its wanted bands.
        gaps: The gaps between them, with labels counted from its own neutrality.
        reference: How many of the bands are filled there.
    """

    spectrum: FluxSpectrum
    gaps: Gaps
    reference: float


class UnionGap(NamedTuple):
    """A range of energies without levels of any flavor, with what its flavors have below it, added up."""

    lower: float
    upper: float
    density: float
    s: float
    t: float
    status: int


def heavy_fermion_excitations(
    model: HeavyFermions,
    fluxes: Iterable[FluxLike] | FluxLike,
    parent: Sequence[SpinState],
    *,
    repulsion: HeavyFermionRepulsion | None = None,
    min_gap: float | None = None,
    labels: bool = True,
    bands_per_cell: int | None = None,
    rtol: float | None = None,
    memory_gb: float = 4.0,
    progress: Callable[[int], None] | None = None,
) -> xr.Dataset:
    """Energies to add or remove an electron in a one-shot mean field, and the gaps of all flavors together.

    What is verified of this and what is not stands in `hofstadter.interactions.heavy_fermion_mean_field`: Chern numbers
    are robust, gaps in energy away from neutrality are not, and may be negative.

    Args:
        model: Heavy fermions of valley +1.
        fluxes: Fluxes per primitive cell.
        parent: What each spin has: a pair of states ("empty", "f1", "f2" or "filled") of valley +1 and valley −1, or
            "K-IVC".
        repulsion: The interactions; by default those of the literature for w0/w1 = 0.8.
        min_gap: Narrowest gap to list; by default 2e-3 of the range of the wanted energies.
        labels: Whether to compute (s, t). Without it the gaps of half-filled flavors are not known at finite flux.
        bands_per_cell: Bands per cell and valley on each side of a flavor's neutrality; by default the model's own.
        rtol: Accuracy of the energies relative to their range; by default 1e-6.
        memory_gb: Working memory.
        progress: Called with 1 after each flux.

    Returns:
        Dataset in meV with dims (flux, flavor, band, gap); attributes `flavors` and `degeneracies` tell the flavors.
        Over (flux, flavor, band): `band_lower` and `band_upper`. Over (flux, gap), of all flavors together: `lower`,
        `upper`, `size`, `density`, `s`, `t` with density = s + t p/q counted from neutrality, `status`. Over (flux,
        flavor): `hole_edge` and `electron_edge`, the band edges around the flavor's part of the parent, and its t,
        `flavor_t`: the gap (s, 0) for a filled or empty flavor and for K-IVC, s being its f electrons, and the widest
        gap (0, t) for a half-filled flavor. Over (flux): `parent_t`, the sum
        of these over all flavors, `charge_gap`, the lowest electron edge minus the highest hole edge, and
        `edge_status`.

    Raises:
        ValueError: If a flux is negative, the parent is not made of such states, or an interaction that counts at its
            filling is not known.
        TypeError: If the model is another one.
    """
    warn_if_single_precision()
    if not isinstance(model, HeavyFermions):
        raise TypeError(f"Argument `model` must be a heavy fermion model, but is {model!r}.")
    for name, value in (("min_gap", min_gap), ("memory_gb", memory_gb)):
        if value is not None and not value > 0:
            raise fail(name, "positive", value)
    points = as_fluxes(fluxes)
    model = with_bands(model, bands_per_cell)
    check_basis(model, points, None, rtol)
    flavors = mean_field_flavors(model, parent, heavy_fermion_repulsion() if repulsion is None else repulsion)
    accuracy = DEFAULT_RTOL if rtol is None else rtol
    spectra = [ContinuumSpectra(flavor.model, accuracy, memory_gb) for flavor in flavors]
    rows = []
    for flux in points:
        parts = [_flavor(own, flux, min_gap, labels) for own in spectra]
        rows.append(_row(flux, flavors, parts, min_gap))
        if progress is not None:
            progress(1)
    attributes = {
        **model_attributes(model),
        "flavors": [flavor.name for flavor in flavors],
        "degeneracies": [flavor.degeneracy for flavor in flavors],
        "filling": parent_filling(parent),
    }
    sizes = {dim: max(row.sizes[dim] for row in rows) for dim in ("band", "gap")}
    result = xr.concat([_padded(row, sizes) for row in rows], "flux")
    numbers = {name: ("flux", [getattr(flux, name) for flux in points]) for name in ("p", "q")}
    return result.assign_coords(numbers).assign_attrs(attributes)


def _flavor(spectra: ContinuumSpectra, flux: Flux, min_gap: float | None, labels: bool) -> FlavorSpectrum:
    spectrum = spectra.at(flux)
    width = spectrum.edges.upper.max() - spectrum.edges.lower.min()
    gaps = find_gaps(spectrum.edges, MIN_GAP * width if min_gap is None else min_gap)
    if labels:
        gaps = spectra.labelled(flux, spectrum, gaps)
    return FlavorSpectrum(spectrum, gaps, float(spectrum.problem.reference_filling))


def _row(
    flux: Flux, flavors: Sequence[MeanFieldFlavor], parts: Sequence[FlavorSpectrum], min_gap: float | None
) -> xr.Dataset:
    """The dataset of one flux, without the dimension `flux`."""
    edges = [part.spectrum.edges for part in parts]
    own = [_parent_gap(flux, flavor, part) for flavor, part in zip(flavors, parts, strict=True)]
    holes, electrons, chern = (np.array(column) for column in zip(*own, strict=True))
    width = max(edge.upper.max() for edge in edges) - min(edge.lower.min() for edge in edges)
    found = union_gaps(
        flux, parts, [flavor.degeneracy for flavor in flavors], MIN_GAP * width if min_gap is None else min_gap
    )
    bands = max(len(edge.lower) for edge in edges)
    table = np.full((2, len(edges), bands), np.nan)
    for number, edge in enumerate(edges):
        table[:, number, : len(edge.lower)] = edge.lower, edge.upper
    degeneracies = np.array([flavor.degeneracy for flavor in flavors])
    columns = {name: [getattr(gap, name) for gap in found] for name in UnionGap._fields}
    return xr.Dataset(
        {
            "band_lower": (("flavor", "band"), table[0]),
            "band_upper": (("flavor", "band"), table[1]),
            **{name: ("gap", np.array(values, float)) for name, values in columns.items() if name != "status"},
            "size": ("gap", np.subtract(columns["upper"], columns["lower"])),
            "status": ("gap", np.array(columns["status"], int)),
            "hole_edge": ("flavor", holes),
            "electron_edge": ("flavor", electrons),
            "flavor_t": ("flavor", chern),
            "parent_t": degeneracies @ chern,
            "charge_gap": electrons.min() - holes.max(),
            "edge_status": max(int(edge.status) for edge in edges),
        },
        coords={"flux": float(flux)},
    )


def _padded(row: xr.Dataset, sizes: dict[str, int]) -> xr.Dataset:
    """A flux with as many bands and gaps as others have: NaN, and status ABSENT, where it has fewer."""
    missing = {dim: (0, size - row.sizes[dim]) for dim, size in sizes.items()}
    status = row[["status"]].pad(gap=missing["gap"], constant_values=int(Status.ABSENT))
    return row.drop_vars("status").pad(missing, constant_values=np.nan).assign(status)


def _parent_gap(flux: Flux, flavor: MeanFieldFlavor, part: FlavorSpectrum) -> tuple[float, float, float]:
    """Lower and upper edge and t of a flavor's part of the parent; NaN if it has no such gap."""
    gaps = part.gaps
    states = gaps.bands_below - part.reference
    if flavor.chern is not None:
        fits, chern = states == flavor.filling * flux.q + flavor.chern * flux.p, np.full(len(states), flavor.chern)
    elif flux.p:
        fits, chern = (gaps.status == Status.OK) & (gaps.s == flavor.filling), gaps.t
    else:  # all of the density is s
        fits, chern = states == flavor.filling, gaps.t
    if not np.any(fits):
        return np.nan, np.nan, np.nan
    place = int(np.argmax(np.where(fits, gaps.size, -np.inf)))
    return float(gaps.lower[place]), float(gaps.upper[place]), float(chern[place])


def union_gaps(
    flux: Flux, parts: Sequence[FlavorSpectrum], degeneracies: Sequence[int], min_gap: float
) -> list[UnionGap]:
    """Ranges of energies within the wanted bands of all flavors and between bands of each, ascending.

    Args:
        flux: The flux.
        parts: The flavors.
        degeneracies: How often each of them counts.
        min_gap: Narrowest range to list.
    """
    found = [UnionGap(-np.inf, np.inf, 0.0, 0.0, 0.0, int(Status.OK))]
    for part, copies in zip(parts, degeneracies, strict=True):
        gaps = part.gaps
        density = (gaps.bands_below - part.reference) / flux.q
        own = zip(gaps.lower, gaps.upper, density, gaps.s, gaps.t, gaps.status, strict=True)
        found = [
            UnionGap(
                max(old.lower, new.lower),
                min(old.upper, new.upper),
                old.density + copies * new.density,
                old.s + copies * new.s,
                old.t + copies * new.t,
                max(old.status, int(new.status)),
            )
            for old, new in itertools.product(found, itertools.starmap(UnionGap, own))
        ]
        found = [gap for gap in found if gap.upper - gap.lower > min_gap]
    return found
