"""Chern numbers of gaps from Berry flux, with plaquettes cut finer only where a gap needs it."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from hofstadter.eigensolver._threads import single_threaded_blas
from hofstadter.eigensolver.stacks import ENTRIES_PER_CALL, piece_size
from hofstadter.flux import Flux
from hofstadter.hamiltonian.batch import stack_points
from hofstadter.hamiltonian.bloch import TightBindingProblem
from hofstadter.models.tight_binding import TightBinding
from hofstadter.topology.berry import BerryFluxPatch, gap_flux_patch
from hofstadter.topology.plaquettes import MAX_LEVELS, PATCH, PlaquetteTally

# Matrices are padded to at least so many rows: a program takes seconds to compile, small matrices no time.
SMALLEST_BASIS = 16


def chern_by_berry_flux(
    model: TightBinding,
    fluxes: Sequence[Flux],
    bands_below: Sequence[np.ndarray],
    *,
    memory_gb: float = 4.0,
) -> list[np.ndarray]:
    """Chern number of every gap from plaquette fluxes; NaN where a plaquette stays unresolved.

    Args:
        model: The zero-field model.
        fluxes: The fluxes.
        bands_below: For each flux the number of bands below each gap.
        memory_gb: Working memory.

    Returns:
        For each flux the Chern numbers as floats.
    """
    tallies = [
        PlaquetteTally(flux, rows, flux.q * model.orbitals) for flux, rows in zip(fluxes, bands_below, strict=True)
    ]
    for _ in range(MAX_LEVELS):
        open_tallies = [tally for tally in tallies if len(tally.corners)]
        for tally, patches in zip(open_tallies, _evaluate(model, open_tallies, memory_gb), strict=True):
            tally.add(*patches)
    return [tally.chern() for tally in tallies]


def _evaluate(
    model: TightBinding, tallies: Sequence[PlaquetteTally], memory_gb: float
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Fluxes, verdicts and gaps of all patches that the tallies ask for, each (patch, PATCH, PATCH, gap)."""
    shapes = [(len(tally.corners), PATCH, PATCH, len(tally.group_sizes)) for tally in tallies]
    results = [(np.empty(shape), np.empty(shape, bool), np.empty(shape)) for shape in shapes]
    steps = np.array([tally.step for tally in tallies])
    with single_threaded_blas():
        smallest = -(-SMALLEST_BASIS // model.orbitals)
        for stack in stack_points([t.flux for t in tallies], [t.corners for t in tallies], smallest=smallest):
            # Each point is a patch with (PATCH + 1)² matrices of states. One length of pieces, however few are wanted:
            # filling a piece up takes less time than compiling another program.
            size = piece_size(ENTRIES_PER_CALL, stack.cells * model.orbitals * (PATCH + 1), memory_gb / 4)
            for piece, valid in stack.pieces(size):
                patches = _kernel(model, piece.p, piece.q, piece.k, steps[piece.index[:, 0]], stack.cells)
                values = [np.asarray(x) for x in (patches.flux, patches.resolved, patches.min_gap)]
                for row, (i, patch) in enumerate(piece.index[:valid]):
                    for result, value in zip(results[i], values, strict=True):
                        result[patch] = value[row][..., tallies[i].group_sizes - 1]
    return results


@eqx.filter_jit
def _kernel(
    model: TightBinding, p: ArrayLike, q: ArrayLike, corner: ArrayLike, step: ArrayLike, cells: int
) -> BerryFluxPatch:
    def one(p, q, corner, step):
        return gap_flux_patch(TightBindingProblem(model=model, p=p, q=q, cells=cells), corner, step, PATCH)

    real = model.positions.dtype
    return jax.vmap(one)(jnp.asarray(p), jnp.asarray(q), jnp.asarray(corner, real), jnp.asarray(step, real))
