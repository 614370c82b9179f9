"""The integrated density of states at a flux on an even grid of energies, and the gaps that can be seen on it.

Energies are whole multiples of the step plus `OFFSET`, so that a flux has the same numbers whatever else is asked for,
and levels at zero are not met. A gap is where the count is constant over at least one step; its edges are then found by
bisection.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hofstadter.counting.continuum import ContinuumSpectra
from hofstadter.counting.gaps import Gaps, combine_routes, find_gaps
from hofstadter.counting.states import Grid, count_states
from hofstadter.counting.streda import chern_by_streda
from hofstadter.eigensolver.stacks import energies_at
from hofstadter.errors import Status
from hofstadter.flux import Flux
from hofstadter.models.tight_binding import TightBinding

# Where the energies lie between whole multiples of the step: bisection does not lead back to these.
OFFSET = 0.382
# Magnetic cells up to this are diagonalized.
LARGEST_DIAGONALIZED = 20
# Energies of one round of the search for the energy of a density.
SEARCH = 24


class Staircase(NamedTuple):
    """Integrated density of states at one flux.

    Attributes:
        energies: Ascending, a step apart.
        density: States per cell below each energy, counted from the model's reference.
        gaps: The gaps with their labels.
        gap_density: States per cell below each gap, counted from the model's reference.
        bottom: Energy of the lowest state; NaN if there may be states below the first energy.
        top: Energy of the highest state; NaN if there may be states above the last one.
        status: OK, or what is wrong with the energies.
    """

    energies: np.ndarray
    density: np.ndarray
    gaps: Gaps
    gap_density: np.ndarray
    bottom: float
    top: float
    status: Status = Status.OK


def sampling_size(q: int) -> int:
    """Momenta along k1: bands are the flatter the larger q is."""
    return (
        48
        if q <= 2
        else 24
        if q <= 8
        else 12
        if q <= 20
        else 6
        if q <= 60
        else 4
        if q <= 200
        else 2
        if q <= 1000
        else 1
    )


def sampling_grid(flux: Flux) -> Grid:
    """Reduced momenta k1 and k2 of a mesh of [0, 1/q)², symmetric momenta among them.

    On the last, smallest mesh cos(2πq k1), cos(2πq k2) and cos(2πq (k1 ± k2)) average to zero as well.
    """
    size = sampling_size(flux.q)
    if size == 1:
        return np.array([0.25]) / flux.q, np.array([0.0, 0.5]) / flux.q
    grid = np.arange(size) / (size * flux.q)
    return grid, grid


class SampledStates:
    """States of a lattice model at several fluxes, on a mesh of momenta for each.

    Small magnetic cells are diagonalized once; the states of large ones are counted whenever energies are asked for.
    """

    def __init__(self, model: TightBinding, fluxes: Sequence[Flux], memory_gb: float = 4.0):
        """Diagonalize what is small."""
        self.model, self.fluxes, self.memory_gb = model, list(fluxes), memory_gb
        self.grids = [sampling_grid(flux) for flux in fluxes]
        self.momenta = [len(k1) * len(k2) for k1, k2 in self.grids]
        self.bound = 1.01 * float(model.norm_bound())
        small = [i for i, flux in enumerate(fluxes) if flux.q <= LARGEST_DIAGONALIZED]
        momenta = [np.stack(np.meshgrid(*self.grids[i], indexing="ij"), axis=-1).reshape(-1, 2) for i in small]
        spectra = energies_at(model, [fluxes[i] for i in small], momenta, memory_gb=memory_gb)
        self.levels = {i: np.sort(levels, axis=None) for i, levels in zip(small, spectra, strict=True)}

    def below(self, energies: np.ndarray, members: Sequence[int] | None = None) -> np.ndarray:
        """Levels below energies (member, energy) at all momenta of all fluxes, or those with the numbers `members`."""
        members = range(len(self.fluxes)) if members is None else members
        counts = np.zeros(energies.shape, np.int64)
        large = [row for row, i in enumerate(members) if i not in self.levels]
        if large:
            own = [members[row] for row in large]
            counts[large] = count_states(
                self.model,
                [self.fluxes[i] for i in own],
                [self.grids[i] for i in own],
                energies[large],
                memory_gb=self.memory_gb,
            )
        for row, i in enumerate(members):
            if i in self.levels:
                counts[row] = np.searchsorted(self.levels[i], energies[row])
        return counts


def count_staircases(
    states: SampledStates, windows: np.ndarray, step: float, *, resolution: float = 1 / 64, labels: bool = True
) -> list[Staircase]:
    """Integrated densities of a lattice model.

    Args:
        states: The model, at all fluxes.
        windows: Lowest and highest energy at each flux, (flux, 2).
        step: Distance of the energies.
        resolution: To which part of a step the edges of gaps are bisected.
        labels: Whether to compute the Chern numbers of gaps, by Středa slopes.
    """
    model, fluxes, momenta = states.model, states.fluxes, states.momenta
    first, last = np.floor(windows[:, 0] / step).astype(int), np.ceil(windows[:, 1] / step).astype(int)
    # Grids of one length: what is too much at the upper end is cut off below.
    length = int(np.max(last - first)) + 1
    grid = step * (first[:, None] + np.arange(length) + OFFSET)
    found = states.below(grid)
    counts, energies = ([row[:stop] for row, stop in zip(x, last - first + 1, strict=True)] for x in (found, grid))
    bands = [flux.q * model.orbitals for flux in fluxes]
    plateaus = [_plateaus(*row) for row in zip(counts, momenta, strict=True)]
    edges = _bisect_edges(states, energies, counts, plateaus, resolution * step)
    below = [counts[i][start] // momenta[i] for i, (start, _) in enumerate(plateaus)]
    # None and all are no gaps, but ends of the spectrum.
    bottoms = [_first(upper[r == 0]) for r, (_, upper) in zip(below, edges, strict=True)]
    tops = [_first(lower[r == n]) for r, (lower, _), n in zip(below, edges, bands, strict=True)]
    inner = [(r > 0) & (r < n) for r, n in zip(below, bands, strict=True)]
    bands_below = [r[keep] for r, keep in zip(below, inner, strict=True)]
    edges = [(lower[keep], upper[keep]) for (lower, upper), keep in zip(edges, inner, strict=True)]
    width = 2 * float(model.norm_bound())
    slopes = [np.full(len(rows), np.nan) for rows in bands_below]
    if labels:
        slopes = chern_by_streda(model, fluxes, bands_below, edges, [width] * len(fluxes))
    result = []
    for i, flux in enumerate(fluxes):
        gaps = _labelled(flux, bands_below[i], *edges[i], slopes[i])
        density = counts[i] / (momenta[i] * flux.q)
        result.append(Staircase(energies[i], density, gaps, bands_below[i] / flux.q, bottoms[i], tops[i]))
    return result


def energies_at_densities(states: SampledStates, densities: np.ndarray, resolution: float) -> np.ndarray:
    """An energy with fewer states below than the lower density, and one with more than the upper, per flux.

    Where there are none, they lie outside of the spectrum. Gaps at densities between the two lie between the energies.

    Args:
        states: The model, at all fluxes.
        densities: Lower and upper number of states per cell at each flux, (flux, 2).
        resolution: How far from the closest such energies they may be.

    Returns:
        The two energies at each flux, (flux, 2).
    """
    bound = states.bound + resolution
    low, high = np.full((2, 2, len(states.fluxes)), [[[-bound]], [[bound]]])
    cells = np.array([n * flux.q for n, flux in zip(states.momenta, states.fluxes, strict=True)])
    share = np.linspace(0, 1, SEARCH + 2)
    while np.max(high - low) > resolution:
        places = low[..., None] + (high - low)[..., None] * share
        asked = np.concatenate(places[..., 1:-1], axis=-1)
        counts = states.below(asked) / cells[:, None]
        for side in (0, 1):
            inside = counts[:, side * SEARCH : (side + 1) * SEARCH]
            # The last place with few enough states, and the first with more.
            few = inside < densities[:, :1] if side == 0 else inside <= densities[:, 1:]
            last = np.sum(few, axis=1)
            low[side], high[side] = np.take_along_axis(places[side], np.stack([last, last + 1], axis=1), axis=1).T
    return np.stack([low[0], high[1]], axis=1)


def continuum_staircase(
    spectra: ContinuumSpectra, flux: Flux, step: float, *, tail: int, min_gap: float, labels: bool = True
) -> Staircase:
    """Integrated density of a continuum model over the range of its wanted bands, from their energies on a mesh.

    Args:
        spectra: The model and its accuracy.
        flux: The flux.
        step: Distance of the energies.
        tail: Energies to add beyond an end that the spectrum has.
        min_gap: Narrowest gap to list, as a part of the range of the wanted bands.
        labels: Whether to compute the Chern numbers of gaps.
    """
    spectrum = spectra.at(flux)
    problem, levels = spectrum.problem, np.sort(spectrum.energies, axis=None)
    low, high = float(spectrum.edges.lower.min()), float(spectrum.edges.upper.max())
    gaps = find_gaps(spectrum.edges, min_gap * (high - low))
    if labels:
        gaps = spectra.labelled(flux, spectrum, gaps)
    reference = float(problem.reference_filling)
    bottom, top = problem.reference == "bottom", problem.reference == "top"
    # Beyond the wanted bands there are more, but for the end that the model is counted from.
    first = np.floor(low / step) - tail if bottom else np.ceil(low / step)
    last = np.ceil(high / step) + tail if top else np.floor(high / step) - 1
    energies = step * (np.arange(first, last + 1) + OFFSET)
    below = np.searchsorted(levels, energies) / len(spectrum.energies)
    density = (below - reference) / flux.q
    ends = low if bottom else np.nan, high if top else np.nan
    return Staircase(
        energies, density, gaps, (gaps.bands_below - reference) / flux.q, *ends, Status(spectrum.edges.status)
    )


def _plateaus(counts: np.ndarray, momenta: int) -> tuple[np.ndarray, np.ndarray]:
    """First and last places of runs of equal counts that are whole numbers of bands."""
    change = np.flatnonzero(np.diff(counts)) + 1
    start, stop = np.append(0, change), np.append(change, len(counts)) - 1
    keep = (stop > start) & (counts[start] % momenta == 0)
    return start[keep], stop[keep]


def _first(values: np.ndarray) -> float:
    return float(values[0]) if len(values) else np.nan


def _bisect_edges(
    states: SampledStates,
    energies: Sequence[np.ndarray],
    counts: Sequence[np.ndarray],
    plateaus: Sequence[tuple[np.ndarray, np.ndarray]],
    resolution: float,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Energies of both edges of each plateau; the end of the grid where a plateau goes on beyond it."""
    edges: list[tuple[np.ndarray, np.ndarray]] = [(np.zeros(0), np.zeros(0))] * len(energies)
    # Fluxes with similarly many edges go together: counting takes a rectangle.
    widths = np.array([max(16, 1 << (2 * len(start) - 1).bit_length()) for start, _ in plateaus])
    for width in np.unique(widths):
        members = np.flatnonzero(widths == width).tolist()
        # Inside and outside of each edge, lower edges first; places that are not used lie below all states.
        inside, outside = np.full((2, len(members), width), -2 * states.bound)
        wanted = np.full((len(members), width), -1)
        for row, i in enumerate(members):
            start, stop = plateaus[i]
            n, last = len(start), len(energies[i]) - 1
            places = np.append(start, stop)
            beyond = np.append(np.maximum(start - 1, 0), np.minimum(stop + 1, last))
            inside[row, : 2 * n], outside[row, : 2 * n] = energies[i][places], energies[i][beyond]
            wanted[row, : 2 * n] = counts[i][places]
        while np.any(np.abs(outside - inside) > resolution):
            middle = (inside + outside) / 2
            found = states.below(middle, members) == wanted
            inside, outside = np.where(found, middle, inside), np.where(found, outside, middle)
        for row, i in enumerate(members):
            n = len(plateaus[i][0])
            ends = (inside[row] + outside[row]) / 2
            edges[i] = ends[:n], ends[n : 2 * n]
    return edges


def _labelled(flux: Flux, bands_below: np.ndarray, lower: np.ndarray, upper: np.ndarray, slopes: np.ndarray) -> Gaps:
    blank = np.full(len(bands_below), np.nan)
    unknown = np.full(len(bands_below), int(Status.LABEL_NOT_ESTABLISHED))
    gaps = Gaps(bands_below, lower, upper, blank, blank, np.zeros(len(bands_below), int), unknown)
    return combine_routes(flux, gaps, bands_below, blank, slopes)
