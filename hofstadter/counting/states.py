"""Counting states below many energies at many fluxes, by the fastest way that the model's structure allows.

| model | way | work per flux |
|---|---|---|
| one orbital, bonds along a1 and a2 | Sturm counts at two momenta decide for all, outside of bands | 2q per energy |
| one orbital, bonds to neighboring cells along a2 | Sturm counts of rings | 2q per energy and k1 |
| any other | inertia of block-cyclic matrices | q × `inertia.updates_per_cell` per energy and k1 |
| any, with many energies or long-range bonds | diagonalization | n³ per k1 and k2 |
"""

from collections.abc import Callable, Sequence

import numpy as np

from hofstadter.counting import chambers, inertia, rings
from hofstadter.counting.elements import Matrices, reach
from hofstadter.counting.lanes import Kernel, count_in_lanes, sweep
from hofstadter.eigensolver.stacks import energies_at
from hofstadter.flux import Flux
from hofstadter.models.tight_binding import TightBinding

Grid = tuple[np.ndarray, np.ndarray]
"""Reduced momenta k1 and k2 of a grid of momenta."""

# Lanes whose results are kept at a time.
KEPT = 2**22
# Nanoseconds on one core, which only decide what is faster: diagonalizing an n × n matrix takes the first times n³ plus
# the second, changing one element of one matrix in elimination the third, one phase the fourth.
NS_PER_CUBE, NS_PER_MATRIX, NS_PER_UPDATE, NS_PER_PHASE = 0.4, 4000, 1.3, 50


def count_states(
    model: TightBinding,
    fluxes: Sequence[Flux],
    grids: Sequence[Grid],
    energies: np.ndarray,
    *,
    memory_gb: float = 4.0,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Levels below energies, summed over a grid of momenta for each flux.

    Args:
        model: The zero-field model.
        fluxes: The fluxes.
        grids: For each flux the momenta k1 and k2; all pairs are taken.
        energies: Energies, in the model's unit, in any order: the same at all fluxes, or (flux, energy).
        memory_gb: Working memory.
        progress: Called with the number of matrices done since the last call.

    Returns:
        The counts, (flux, energy), each between 0 and k1 × k2 × q × orbitals. Energies closer to a level than about
        1e-12 of the largest |energy| may be counted on either side.
    """
    counts = np.zeros((len(fluxes), energies.shape[-1]), np.int64)
    everywhere = np.broadcast_to(energies, counts.shape)
    ways = [_way(model, flux, grid, counts.shape[1]) for flux, grid in zip(fluxes, grids, strict=True)]
    for way in dict.fromkeys(ways):
        members = [number for number, own in enumerate(ways) if own is way]
        members.sort(key=lambda number: fluxes[number].q)
        # Whole fluxes together, as many as fit.
        most = max(len(grids[number][0]) for number in members)
        at_once = max(1, KEPT // max(1, most * counts.shape[1]))
        for start in range(0, len(members), at_once):
            part = members[start : start + at_once]
            own = [fluxes[number] for number in part], [grids[number] for number in part]
            counts[part] = way(model, *own, everywhere[part], memory_gb=memory_gb)
            if progress is not None:
                progress(sum(len(k1) * len(k2) for k1, k2 in own[1]))
    return counts


def _way(model: TightBinding, flux: Flux, grid: Grid, energies: int) -> Callable[..., np.ndarray]:
    if flux.q > 1 and rings.applies_to(model):
        # Two momenta cost as much as one or two rings.
        return _by_corners if chambers.applies_to(model) and len(grid[0]) > 2 else _by_rings
    momenta, size = len(grid[0]) * len(grid[1]), flux.q * model.orbitals
    dense = momenta * (NS_PER_CUBE * size**3 + NS_PER_MATRIX)
    per_cell = NS_PER_UPDATE * energies * inertia.updates_per_cell(model) + NS_PER_PHASE * len(model.hops)
    return _by_diagonalizing if flux.q < reach(model) or dense < len(grid[0]) * flux.q * per_cell else _by_inertia


def _by_corners(
    model: TightBinding, fluxes: Sequence[Flux], grids: Sequence[Grid], energies: np.ndarray, *, memory_gb: float
) -> np.ndarray:
    p, q = np.repeat([flux.p for flux in fluxes], 2), np.repeat([flux.q for flux in fluxes], 2)
    corner = np.tile([0.0, 1.0], len(fluxes))
    at_corners = Matrices(p, q, corner, np.zeros((len(p), 1)))
    pairs, _ = sweep(chambers.count_at_corners, model, at_corners, np.repeat(energies, 2, axis=0))
    one, other = pairs[::2], pairs[1::2]
    counts = one * np.array([[len(k1) * len(k2)] for k1, k2 in grids])
    # What is left lies in a band. Fluxes with similarly many such energies go together; few sizes, few programs.
    inside = [np.flatnonzero(row) for row in one != other]
    sizes = np.array([0, 16, 64, 256, 1024, max(1024, energies.shape[1])])
    widths = sizes[np.searchsorted(sizes, [len(columns) for columns in inside])]
    for width in np.unique(widths[widths > 0]):
        members = np.flatnonzero(widths == width)
        columns = np.stack([np.resize(inside[number], width) for number in members])
        own = [fluxes[int(number)] for number in members], [grids[int(number)] for number in members]
        counts[members[:, None], columns] = _over_grids(
            rings.count_rings, model, *own, energies[members[:, None], columns], memory_gb=memory_gb
        )
    return counts


def _by_rings(
    model: TightBinding, fluxes: Sequence[Flux], grids: Sequence[Grid], energies: np.ndarray, *, memory_gb: float
) -> np.ndarray:
    return _over_grids(rings.count_rings, model, fluxes, grids, energies, memory_gb=memory_gb)


def _by_inertia(
    model: TightBinding, fluxes: Sequence[Flux], grids: Sequence[Grid], energies: np.ndarray, *, memory_gb: float
) -> np.ndarray:
    return _over_grids(inertia.count_blocks, model, fluxes, grids, energies, memory_gb=memory_gb)


def _by_diagonalizing(
    model: TightBinding, fluxes: Sequence[Flux], grids: Sequence[Grid], energies: np.ndarray, *, memory_gb: float
) -> np.ndarray:
    momenta = [np.stack(np.meshgrid(*grid, indexing="ij"), axis=-1).reshape(-1, 2) for grid in grids]
    spectra = energies_at(model, fluxes, momenta, memory_gb=memory_gb)
    pairs = zip(spectra, energies, strict=True)
    return np.array([np.searchsorted(np.sort(levels, axis=None), own) for levels, own in pairs])


def _over_grids(
    kernel: Kernel,
    model: TightBinding,
    fluxes: Sequence[Flux],
    grids: Sequence[Grid],
    energies: np.ndarray,
    *,
    memory_gb: float,
) -> np.ndarray:
    """Counts (flux, energy) of each flux's own energies, summed over its grid."""
    counts = np.zeros(energies.shape, np.int64)
    sizes = [len(k2) for _, k2 in grids]
    for size in set(sizes):
        members = [number for number, own in enumerate(sizes) if own == size]
        owner = np.repeat(members, [len(grids[number][0]) for number in members])
        p, q = (np.array([getattr(fluxes[number], name) for number in owner]) for name in ("p", "q"))
        k1 = np.concatenate([grids[number][0] for number in members])
        k2 = np.stack([grids[number][1] for number in owner])
        found = count_in_lanes(kernel, model, Matrices(p, q, k1, k2), energies[owner], memory_gb=memory_gb)
        np.add.at(counts, owner, found)
    return counts
