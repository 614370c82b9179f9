"""Quantities of a group of bands at given momenta: in memory-bounded pieces, and refused where the group touches."""

import functools
from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact

from hofstadter._checks import fail, is_concrete, warn_if_single_precision
from hofstadter.eigensolver._threads import single_threaded_blas
from hofstadter.eigensolver.pieces import in_pieces, within_memory
from hofstadter.eigensolver.spectrum import chunk_size
from hofstadter.errors import CalculationError, Status
from hofstadter.geometry.averaging import MATRICES_PER_MOMENTUM
from hofstadter.geometry.projector import as_momenta, check_group
from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem


def at_momenta(
    function: Callable,
    problem: AbstractMagneticBlochProblem,
    bands: tuple[int, int],
    k: Float[Array, "*batch 2"],
    memory_gb: float,
    throw: bool,
) -> Inexact[Array, "*batch_and_value"]:
    """`function(problem, bands, k)` of single momenta for an array of them.

    Args:
        function: Gives one array, with NaN where the group touches another band.
        problem: The magnetic Bloch problem.
        bands: The group.
        k: Reduced momenta of any leading shape.
        memory_gb: Working memory.
        throw: Raise if there is a NaN and the numbers are known.

    Returns:
        The values, their axes behind those of the batch.
    """
    warn_if_single_precision()
    bands, k = check_group(problem, bands), as_momenta(k)
    if not memory_gb > 0:
        raise fail("memory_gb", "positive", memory_gb)
    chunk = chunk_size(problem.basis_size, memory_gb / MATRICES_PER_MOMENTUM)
    if not is_concrete(problem, k):
        return _in_pieces(function, problem, bands, k, chunk)
    call = functools.partial(_in_pieces, function, problem, bands, k)
    with single_threaded_blas():
        result, _ = within_memory(call, min(chunk, k.size // 2 or 1))
    if throw:
        _raise_at_first_nan(problem, k, np.asarray(result))
    return result


@eqx.filter_jit
def _in_pieces(function, problem, bands, k, chunk):
    result = in_pieces(lambda point: function(problem, bands, point), k.reshape(-1, 2), chunk)
    return result.reshape(*k.shape[:-1], *result.shape[1:])


def _raise_at_first_nan(problem, k, values) -> None:
    bad = np.isnan(values).any(axis=tuple(range(k.ndim - 1, values.ndim)))
    if bad.any():
        place = np.asarray(k)[bad][0]
        finite = bool(jnp.isfinite(_matrix(problem, place)).all())
        status = Status.GAP_CLOSED if finite else Status.NOT_FINITE
        raise CalculationError(status, f"At k = ({place[0]:.6g}, {place[1]:.6g})")


@eqx.filter_jit
def _matrix(problem, k):
    return problem.matrix(k)
