"""Energies at many fluxes: stacks of equal matrix size through a few compiled programs."""

import functools
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from hofstadter.eigensolver import dense
from hofstadter.eigensolver._threads import single_threaded_blas
from hofstadter.eigensolver.chiral import Sublattices, orbital_sublattices, rows_of, singular_values
from hofstadter.eigensolver.pieces import in_pieces, local_devices, within_memory
from hofstadter.eigensolver.spectrum import chunk_size
from hofstadter.flux import Flux
from hofstadter.hamiltonian.batch import stack_points
from hofstadter.hamiltonian.bloch import TightBindingProblem
from hofstadter.models.tight_binding import TightBinding

# Enough work per compiled call to hide its overhead, in matrix entries.
ENTRIES_PER_CALL = 2**18


def piece_size(total: int, basis_size: int, memory_gb: float) -> int:
    """Matrices per call and device: a power of 8, within the memory, enough work to pay, not far above `total`."""
    wanted = min(max(1, ENTRIES_PER_CALL // basis_size**2), chunk_size(basis_size, memory_gb), 2 * total)
    return 1 << 3 * ((wanted.bit_length() - 1) // 3)


def energies_at(
    model: TightBinding,
    fluxes: Sequence[Flux],
    momenta: Sequence[np.ndarray],
    *,
    memory_gb: float = 4.0,
    progress: Callable[[int], None] | None = None,
) -> list[np.ndarray]:
    """Energies of one model at many fluxes, each with its own momenta.

    Args:
        model: The zero-field model.
        fluxes: The fluxes.
        momenta: For each flux an array (k, 2) of reduced momenta.
        memory_gb: Working memory.
        progress: Called with the number of matrices done since the last call.

    Returns:
        For each flux an array (k, band) of ascending energies; NaN where the eigensolver failed.
    """
    results = [np.full((len(k), flux.q * model.orbitals), np.nan) for flux, k in zip(fluxes, momenta, strict=True)]
    # As in `solve`, singular values of half the size take a fraction of the time on CPUs.
    sides = orbital_sublattices(model) if jax.default_backend() == "cpu" else None
    with single_threaded_blas():
        for stack in stack_points(fluxes, momenta):
            size = piece_size(len(stack.p), stack.cells * model.orbitals, memory_gb)
            for piece, valid in stack.pieces(size * len(local_devices())):
                points = piece.p, piece.q, piece.k
                call = functools.partial(_energies, model, points, stack.cells, sides=sides)
                found, size = within_memory(lambda size, call=call: call(size=size), size)
                energies = np.asarray(found)
                for row, (flux, point) in zip(energies[:valid], piece.index[:valid], strict=True):
                    results[flux][point] = _physical(row, fluxes[flux].q, model.orbitals, sides)
                if progress is not None:
                    progress(valid)
    return results


def _physical(row: np.ndarray, q: int, orbitals: int, sides: Sublattices | None) -> np.ndarray:
    """Ascending energies without those of padding, from what `_energies` gives."""
    if sides is None:
        return row[: q * orbitals]
    # Singular values of padding are zeros, and so the last ones.
    values = row[: q * min(map(len, sides))]
    return np.concatenate([-values, np.zeros(q * orbitals - 2 * len(values)), values[::-1]])


@eqx.filter_jit
def _energies(
    model: TightBinding, points: tuple[ArrayLike, ...], cells: int, size: int, sides: Sublattices | None = None
) -> jax.Array:
    """Ascending energies, those of padding last; with the orbitals of two sublattices, descending singular values."""

    def one(point):
        p, q, k = point
        matrix = TightBindingProblem(model=model, p=p, q=q, cells=cells).matrix(k)
        return dense.eigenvalues(matrix) if sides is None else singular_values(matrix, rows_of(sides, cells))

    return in_pieces(one, tuple(map(jnp.asarray, points)), size)
