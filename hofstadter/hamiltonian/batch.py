"""Many (flux, k) points as few stacks of equal matrix size, so that a sweep over fluxes compiles few programs."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from hofstadter.flux import Flux

SMALL_SIZES = (1, 2, 4, 8, 12, 16, 24, 32)
STEP = 16


def padded_cells(q: int) -> int:
    """Size that a magnetic cell of q cells is padded to: 1, 2, 4, 8, 12, 16, 24, 32 or a larger multiple of 16."""
    for size in SMALL_SIZES:
        if q <= size:
            return size
    return -(-q // STEP) * STEP


@dataclasses.dataclass(frozen=True)
class Stack:
    """Points (flux, k) whose matrices share one padded size.

    Attributes:
        cells: Padded number of cells.
        p: Numerators, one per point.
        q: Denominators, one per point.
        k: Reduced momenta, (point, 2).
        index: For each point, its flux's place in the caller's list and its own place in that flux's k list.
    """

    cells: int
    p: np.ndarray
    q: np.ndarray
    k: np.ndarray
    index: np.ndarray

    def pieces(self, size: int) -> Iterator[tuple["Stack", int]]:
        """Cut into pieces of exactly `size` points, the last one filled up by repetition, with its valid length."""
        total = len(self.p)
        for start in range(0, total, size):
            rows = np.minimum(np.arange(start, start + size), total - 1)
            piece = Stack(self.cells, self.p[rows], self.q[rows], self.k[rows], self.index[rows])
            yield piece, min(size, total - start)


def stack_points(fluxes: Sequence[Flux], momenta: Sequence[np.ndarray], *, smallest: int = 1) -> list[Stack]:
    """Sort points into stacks by padded size.

    Args:
        fluxes: The fluxes.
        momenta: For each flux an array (k, 2) of reduced momenta.
        smallest: Smallest padded size, for programs that take longer to compile than small matrices to solve.

    Returns:
        One stack per padded size, ascending.
    """
    groups: dict[int, list[int]] = {}
    for number, flux in enumerate(fluxes):
        groups.setdefault(padded_cells(max(flux.q, smallest)), []).append(number)
    stacks = []
    for cells, members in sorted(groups.items()):
        lengths = [len(momenta[i]) for i in members]
        index = np.concatenate(
            [np.stack([np.full(n, i), np.arange(n)], axis=1) for i, n in zip(members, lengths, strict=True)]
        )
        stacks.append(
            Stack(
                cells=cells,
                p=np.repeat([fluxes[i].p for i in members], lengths),
                q=np.repeat([fluxes[i].q for i in members], lengths),
                k=np.concatenate([momenta[i] for i in members]),
                index=index,
            )
        )
    return stacks
