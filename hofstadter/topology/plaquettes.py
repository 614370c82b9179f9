"""Adaptive sum of Berry flux over the reduced zone: plaquettes are cut in four until each one is resolved."""

import numpy as np

from hofstadter.flux import Flux
from hofstadter.topology.diophantine import chern_modulo_q

# An irrational-looking offset keeps the corners away from symmetric momenta, where bands touch.
OFFSET = np.array([0.382, 0.276])
# Plaquettes per direction of a patch, the unit of work: one program serves every level of refinement.
PATCH = 2
# Work allowed per level of refinement, in units of (matrix size)³: of the order of a second.
MAX_LEVEL_COST = 3e7
MAX_LEVELS = 12
# Beyond half of 2π the neighboring integer would be closer. Sums over one uniform mesh come out below 1e-10.
MAX_RESIDUAL = 0.2


class PlaquetteTally:
    """Berry flux of several groups of bands that has been resolved so far, and the patches that are still needed.

    The sum over plaquettes is 2π C/q up to the small mismatch of links where fine plaquettes meet coarse ones. C
    modulo q is known exactly from the number of bands in the group, so the sum only has to tell the whole number of
    2π.

    Attributes:
        step: Side of a plaquette, as a reduced momentum.
        corners: Lower left corners of the patches of PATCH × PATCH plaquettes to evaluate next; empty when done.
        needed: Which group needs which patch, (patch, group).
        min_gap: Smallest direct gap seen so far, per group.
        min_gap_k: Where it was seen, (group, 2).
    """

    def __init__(self, flux: Flux, group_sizes: np.ndarray, basis_size: int, least_patches: int = 4):
        """Start with patches over the reduced zone, finer for smaller q.

        Args:
            flux: The flux p/q.
            group_sizes: Number of bands in each group.
            basis_size: Size of the matrices, for the limit on work.
            least_patches: How many patches may be cut finer per level, however large the matrices.
        """
        self.flux = flux
        self.group_sizes = np.asarray(group_sizes)
        self.total = np.zeros(len(group_sizes))
        self.basis_size = basis_size
        self.least_patches = least_patches
        patches = 4 if flux.q <= 2 else 2 if flux.q <= 48 else 1
        self.step = 1 / (patches * PATCH * flux.q)
        places = np.stack(np.meshgrid(np.arange(patches), np.arange(patches), indexing="ij"), axis=-1).reshape(-1, 2)
        self.corners = self.step * (OFFSET + PATCH * places) if len(group_sizes) else np.zeros((0, 2))
        self.needed = np.ones((len(self.corners), len(group_sizes)), bool)
        self.min_gap = np.full(len(group_sizes), np.inf)
        self.min_gap_k = np.full((len(group_sizes), 2), np.nan)

    def add(self, flux: np.ndarray, resolved: np.ndarray, min_gap: np.ndarray) -> None:
        """Take in fluxes, verdicts and gaps (patch, PATCH, PATCH, group); list what must be cut finer."""
        groups = np.arange(len(self.total))
        offsets = self.step * np.stack(np.meshgrid(np.arange(PATCH), np.arange(PATCH), indexing="ij"), axis=-1)
        places = (self.corners[:, None, None, :] + offsets).reshape(-1, 2)
        flat = min_gap.reshape(-1, len(groups))
        lowest = flat.argmin(axis=0)
        smaller = flat[lowest, groups] < self.min_gap
        self.min_gap = np.where(smaller, flat[lowest, groups], self.min_gap)
        self.min_gap_k = np.where(smaller[:, None], places[lowest], self.min_gap_k)

        needed = self.needed[:, None, None, :]
        self.total += np.sum(flux, axis=(0, 1, 2), where=needed & resolved)
        missing = needed & ~resolved
        # Beyond what is affordable, give up the groups that ask for the most.
        affordable = max(self.least_patches, MAX_LEVEL_COST / (9 * self.basis_size**3))
        while missing.any(axis=-1).sum() > affordable:
            worst = missing.sum(axis=(0, 1, 2)).argmax()
            missing[..., worst] = False
            self.total[worst] = np.nan
        patch, first, second = np.nonzero(missing.any(axis=-1))
        self.corners = self.corners[patch] + self.step * np.stack([first, second], axis=1)
        self.needed = missing[patch, first, second]
        self.step /= PATCH

    def chern(self) -> np.ndarray:
        """The certified Chern numbers as floats, NaN for groups that are not fully resolved."""
        turns = self.total / (2 * np.pi)
        fraction = chern_modulo_q(self.group_sizes, self.flux) / self.flux.q
        with np.errstate(invalid="ignore"):
            whole = np.round(turns - fraction)
            safe = np.abs(turns - fraction - whole) < MAX_RESIDUAL
        safe &= ~self.needed.any(axis=0)
        return np.where(safe, np.round(self.flux.q * (whole + fraction)), np.nan)
