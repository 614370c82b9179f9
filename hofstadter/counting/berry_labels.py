"""Chern numbers of gaps from Berry flux, with plaquettes cut finer only where a gap needs it."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hofstadter.eigensolver._threads import single_threaded_blas
from hofstadter.eigensolver.stacks import piece_size
from hofstadter.flux import Flux
from hofstadter.hamiltonian.batch import stack_points
from hofstadter.hamiltonian.bloch import TightBindingProblem
from hofstadter.models.tight_binding import TightBinding
from hofstadter.topology.berry import gap_flux_patch
from hofstadter.topology.diophantine import chern_modulo_q

MAX_LEVELS = 12
# Work allowed per flux and level, in units of (matrix size)³: about a second.
MAX_LEVEL_COST = 3e7
# An irrational-looking offset keeps the corners away from symmetric momenta, where bands touch.
OFFSET = np.array([0.382, 0.276])
# Half of 2π in units of 2π: beyond it the neighboring integer would be closer. Plain sums come out below 1e-10.
MAX_RESIDUAL = 0.2


def chern_by_berry_flux(
    model: TightBinding,
    fluxes: Sequence[Flux],
    bands_below: Sequence[np.ndarray],
    *,
    memory_gb: float = 4.0,
) -> list[np.ndarray]:
    """Chern number of every gap from plaquette fluxes; NaN where a plaquette stays unresolved.

    The reduced zone is cut into plaquettes, and those that are not resolved for some gap are cut in four, again and again.
    The sum over a gap's plaquettes is 2π t/q up to the small mismatch of links where fine plaquettes meet coarse ones;
    t/q modulo 1 is known exactly, so the sum only has to tell which whole number of 2π it is.

    Args:
        model: The zero-field model.
        fluxes: The fluxes.
        bands_below: For each flux the number of bands below each gap.
        memory_gb: Working memory.

    Returns:
        For each flux the Chern numbers as floats.
    """
    tallies = [_Tally(flux, rows, model.orbitals) for flux, rows in zip(fluxes, bands_below, strict=True)]
    for _ in range(MAX_LEVELS):
        open_tallies = [tally for tally in tallies if len(tally.corners)]
        for n in sorted({tally.n for tally in open_tallies}):
            members = [tally for tally in open_tallies if tally.n == n]
            for tally, patches in zip(members, _evaluate(model, members, n, memory_gb), strict=True):
                tally.add(*patches)
    return [tally.chern() for tally in tallies]


class _Tally:
    """Berry flux of the gaps of one flux that has been resolved so far, and the patches that are still needed.

    Attributes:
        n: Plaquettes per direction of the patches to evaluate next.
        corners: Lower left corners of those patches, (patch, 2).
        step: Side of their plaquettes.
        needed: Which gaps need which patch, (patch, gap).
    """

    def __init__(self, flux: Flux, bands_below: np.ndarray, orbitals: int):
        self.flux = flux
        self.bands_below = bands_below
        self.total = np.zeros(len(bands_below))
        self.basis_size = flux.q * orbitals
        self.n = 8 if flux.q <= 2 else 4 if flux.q <= 16 else 2
        self.step = 1 / (self.n * flux.q)
        self.corners = self.step * OFFSET[None, :] if len(bands_below) else np.zeros((0, 2))
        self.needed = np.ones((len(self.corners), len(bands_below)), bool)

    def add(self, flux: np.ndarray, resolved: np.ndarray) -> None:
        """Take in fluxes and verdicts (patch, n, n, band) of the patches, and list what must be cut finer."""
        needed = self.needed[:, None, None, :]
        resolved = resolved[..., self.bands_below - 1]
        self.total += np.sum(flux[..., self.bands_below - 1], axis=(0, 1, 2), where=needed & resolved)
        missing = needed & ~resolved
        # Give up the gaps that ask for the most until the rest is affordable.
        while missing.any(axis=-1).sum() * 9 * self.basis_size**3 > MAX_LEVEL_COST:
            worst = missing.sum(axis=(0, 1, 2)).argmax()
            missing[..., worst] = False
            self.total[worst] = np.nan
        patch, first, second = np.nonzero(missing.any(axis=-1))
        self.corners = self.corners[patch] + self.step * np.stack([first, second], axis=1)
        self.needed = missing[patch, first, second]
        self.step, self.n = self.step / 2, 2

    def chern(self) -> np.ndarray:
        """The certified Chern numbers, NaN for gaps that are not fully resolved."""
        turns = self.total / (2 * np.pi)
        fraction = chern_modulo_q(self.bands_below, self.flux) / self.flux.q
        with np.errstate(invalid="ignore"):
            whole = np.round(turns - fraction)
            safe = np.abs(turns - fraction - whole) < MAX_RESIDUAL
        safe &= ~self.needed.any(axis=0)
        return np.where(safe, np.round(self.flux.q * (whole + fraction)), np.nan)


def _evaluate(
    model: TightBinding, tallies: Sequence[_Tally], n: int, memory_gb: float
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Fluxes and verdicts of all patches that the tallies ask for, each (patch, n, n, band)."""
    shapes = [(len(tally.corners), n, n, tally.basis_size) for tally in tallies]
    results = [(np.empty(shape), np.empty(shape, bool)) for shape in shapes]
    steps = np.array([tally.step for tally in tallies])
    with single_threaded_blas():
        for stack in stack_points([t.flux for t in tallies], [t.corners for t in tallies]):
            # Each point is a patch with (n + 1)² matrices of states.
            size = piece_size(len(stack.p), stack.cells * model.orbitals * (n + 1), memory_gb / 4)
            for piece, valid in stack.pieces(size):
                step = steps[piece.index[:, 0]]
                flux, resolved = _kernel(model, piece.p, piece.q, piece.k, step, stack.cells, n)
                flux, resolved = np.asarray(flux), np.asarray(resolved)
                for row, (i, patch) in enumerate(piece.index[:valid]):
                    bands = tallies[i].basis_size
                    results[i][0][patch] = flux[row, ..., :bands]
                    results[i][1][patch] = resolved[row, ..., :bands]
    return results


@eqx.filter_jit
def _kernel(
    model: TightBinding, p: np.ndarray, q: np.ndarray, corner: np.ndarray, step: np.ndarray, cells: int, n: int
) -> tuple[jax.Array, jax.Array]:
    def one(p, q, corner, step):
        patch = gap_flux_patch(TightBindingProblem(model, p, q, cells), corner, step, n)
        return patch.flux, patch.resolved

    real = model.positions.dtype
    return jax.vmap(one)(jnp.asarray(p), jnp.asarray(q), jnp.asarray(corner, real), jnp.asarray(step, real))
