"""Counts for many (matrix, energy) through few compiled programs, certified where elimination may have lost accuracy.

Elimination without pivoting loses digits where it meets a level of the part eliminated so far. Every lane reports by
how much numbers grew. The few that grew far are bracketed: counts do not fall with energy, so if they are the same a
bit below and a bit above, they are so in between. What is left lies close to a level and is diagonalized.
"""

import functools
from collections.abc import Callable
from contextlib import nullcontext

import jax
import jax.numpy as jnp
import numpy as np

from hofstadter._checks import fail
from hofstadter.counting.elements import LARGEST_CELL, Matrices, energy_unit
from hofstadter.eigensolver.pieces import local_devices, within_memory
from hofstadter.eigensolver.stacks import energies_at
from hofstadter.flux import Flux
from hofstadter.models.tight_binding import TightBinding

Kernel = Callable[..., tuple[jax.Array, jax.Array]]
"""(model, matrices, energies) → counts of levels below energies, summed over k2, and growth, all (matrix, energy)."""

# Lanes of one compiled call: the arrays that are worked on fit into a core's cache.
LANES = 2048
# Table entries (cell, matrix) of one compiled call.
TABLE = 2**21
# Growth g limits errors of energies to about g eps |H|. Up to here it is accepted: 1e-12 |H|, in single precision 1e-4
# of it.
ACCEPTED = {8: 4096.0, 4: 1024.0}
# The brackets' distance from the energy is eps to this power: 5e-7 |H|, in single precision 2e-3 |H|. Their own errors
# must be smaller.
BRACKET = 0.4
# Larger matrices are not diagonalized, because one energy would take longer than all others.
LARGEST_DENSE = 300


def count_in_lanes(
    kernel: Kernel,
    model: TightBinding,
    matrices: Matrices,
    energies: np.ndarray,
    *,
    memory_gb: float = 4.0,
) -> np.ndarray:
    """Levels of H(k1, k2) at p/q below energies, summed over k2.

    Args:
        kernel: Counts by elimination.
        model: The zero-field model.
        matrices: The Bloch matrices.
        energies: Energies, (matrix, energy).
        memory_gb: Working memory where matrices are diagonalized.

    Returns:
        The counts, (matrix, energy). Energies closer to a level than `ACCEPTED` × eps |H| may be counted on either
        side; in matrices above `LARGEST_DENSE`, closer than eps^`BRACKET` |H| if the energy is also close to a level of
        the open chain of cells, such as the energy of a flat band.

    Raises:
        ValueError: If a magnetic cell is larger than `LARGEST_CELL`.
    """
    if np.any(matrices.q > LARGEST_CELL):
        raise fail("q", f"at most {LARGEST_CELL}", np.max(matrices.q))
    order = np.argsort(matrices.q, kind="stable")
    matrices, energies = matrices.rows(order), energies[order]
    counts, growth = sweep(kernel, model, matrices, energies)
    # NaN is no small growth.
    row, column = np.nonzero(~(growth <= ACCEPTED[model.positions.dtype.itemsize]))
    eps = float(jnp.finfo(model.positions.dtype).eps)
    distance = eps**BRACKET * float(energy_unit(model))
    wanted = energies[row, column]
    twice = np.concatenate([row, row])
    brackets = np.concatenate([wanted - distance, wanted + distance])[:, None]
    bounds, grown = sweep(kernel, model, matrices.rows(twice), brackets)
    below, above = bounds.reshape(2, -1)
    known = (below == above) & np.all(grown.reshape(2, -1) < eps**BRACKET / (4 * eps), axis=0)
    counts[row, column] = np.clip(counts[row, column], np.minimum(below, above), np.maximum(below, above))
    lanes = row[~known], column[~known]
    _diagonalize(model, matrices, energies, lanes, counts, memory_gb=memory_gb)
    return counts[np.argsort(order)]


def sweep(
    kernel: Kernel,
    model: TightBinding,
    matrices: Matrices,
    energies: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Counts and growth of all lanes from a kernel, in pieces of few shapes; q is best ascending."""
    return within_memory(functools.partial(_sweep, kernel, model, matrices, energies), LANES)[0]


def _sweep(
    kernel: Kernel, model: TightBinding, matrices: Matrices, energies: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """With at most so many lanes per compiled call; the calls take turns on the devices of this process."""
    devices = local_devices()
    total, levels = energies.shape
    counts, growth = np.zeros(energies.shape, np.int64), np.zeros(energies.shape)
    width = min(most, padded_width(levels))
    pending = []
    start = 0
    while start < total:
        # The largest q decides on the tables' size.
        fitting = max(1, TABLE // int(matrices.q[min(total, start + most // width) - 1]))
        height = _height(total - start, min(most // width, 1 << (fitting.bit_length() - 1)))
        rows = np.minimum(np.arange(start, start + height), total - 1)
        for first in range(0, levels, width):
            columns = np.minimum(np.arange(first, first + width), levels - 1)
            place = jax.default_device(devices[len(pending) % len(devices)]) if len(devices) > 1 else nullcontext()
            with place:
                lanes = kernel(model, matrices.rows(rows), energies[np.ix_(rows, columns)])
            # Results are fetched below, so that XLA may work on several pieces at a time.
            pending.append((slice(start, start + height), slice(first, first + width), lanes))
        start += height
    for rows, columns, lanes in pending:
        for target, lane in zip((counts, growth), lanes, strict=True):
            part = target[rows, columns]
            part[...] = np.asarray(lane)[: part.shape[0], : part.shape[1]]
    return counts, growth


def padded_width(levels: int) -> int:
    """Energies per call: 1, 16, or the next number with three leading bits; few sizes, at most a quarter too large."""
    if levels <= 16:
        return 1 if levels <= 1 else 16
    step = 1 << (levels.bit_length() - 3)
    return min(LANES, -(-levels // step) * step)


def _height(matrices: int, most: int) -> int:
    """Matrices per call: few sizes, so that few programs are compiled."""
    return next((size for size in (16, 128, 1024) if matrices <= size <= most), most)


def _diagonalize(
    model: TightBinding,
    matrices: Matrices,
    energies: np.ndarray,
    wanted: tuple[np.ndarray, np.ndarray],
    counts: np.ndarray,
    *,
    memory_gb: float,
) -> None:
    """Replace the counts in wanted rows and columns, of matrices that are not too large."""
    p, q, k1, k2 = matrices
    rows = [int(row) for row in np.unique(wanted[0]) if q[row] * model.orbitals <= LARGEST_DENSE]
    fluxes = [Flux(int(p[row]), int(q[row])) for row in rows]
    momenta = [np.stack([np.full(k2.shape[1], k1[row]), k2[row]], axis=1) for row in rows]
    for row, levels in zip(rows, energies_at(model, fluxes, momenta, memory_gb=memory_gb), strict=True):
        columns = wanted[1][wanted[0] == row]
        counts[row, columns] = np.searchsorted(np.sort(levels, axis=None), energies[row, columns])
