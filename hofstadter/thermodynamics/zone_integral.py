"""Integrals over the magnetic zone at chemical potentials and temperatures, on meshes doubled until they settle.

In a gap the error falls exponentially with the mesh. A Fermi surface at zero temperature makes it fall as the inverse
mesh size only, in an erratic way; then the status says so.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from hofstadter._checks import as_integer, check_finite, fail, is_concrete, warn_if_single_precision
from hofstadter.eigensolver._threads import single_threaded_blas
from hofstadter.errors import CalculationError, Status
from hofstadter.geometry.averaging import FIRST_POINTS, array_module, attainable, meshes, over_mesh
from hofstadter.geometry.projector import velocity
from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter.thermodynamics.band_pairs import pair_sum


class Integral(NamedTuple):
    """The integral at each state, its status and last change, and the mesh it was taken on."""

    value: Float[Array, "*state"]
    status: Int[Array, "*state"]
    change: Float[Array, "*state"]
    points: int


class _Sample(NamedTuple):
    """One mesh: the integrals, and what the levels on it say about the Fermi surface."""

    value: Any
    energy_scale: Any
    metal: Any
    unresolved: Any


def integrate(
    weight: Callable,
    problem: AbstractMagneticBlochProblem,
    chemical_potential: ArrayLike | Sequence,
    temperature: ArrayLike | Sequence,
    *,
    scaled_by_energy: bool,
    points: int | None,
    rtol: float,
    max_points: int,
    memory_gb: float,
    throw: bool,
) -> Integral:
    """(1/2π) ∫ dk1 dk2 of `pair_sum(weight, …)` over the magnetic zone, at every (chemical potential, temperature).

    Args:
        weight: Of `pair_sum`, with parameters (chemical potential, temperature).
        problem: The magnetic Bloch problem.
        chemical_potential: In units of the model's energies; broadcast against the temperature.
        temperature: k_B T in the same unit, not negative.
        scaled_by_energy: Whether `rtol` is in units of the largest |energy|, or of one, where the integral is smaller.
        points: Momenta per direction in [0, 1/q)²; doubled until converged if None.
        rtol: Largest accepted change in the last doubling.
        max_points: Where to stop doubling.
        memory_gb: Working memory.
        throw: Raise if a status is not OK.

    Returns:
        The integrals on the last mesh.
    """
    warn_if_single_precision()
    check_finite("chemical_potential", chemical_potential)
    check_finite("temperature", temperature)
    if problem.first_band:
        hint = "A sum over filled bands needs all of them, and the lower end of a truncated Dirac sea is not physical."
        raise fail("problem", "of a spectrum that has a bottom", f"counted from {problem.reference}", hint)
    real = problem.vectors.dtype
    states = jnp.broadcast_arrays(jnp.asarray(chemical_potential, real), jnp.asarray(temperature, real))
    if is_concrete(states[1]) and np.any(np.asarray(states[1]) < 0):
        raise fail("temperature", "at least 0", temperature)
    if not memory_gb > 0:
        raise fail("memory_gb", "positive", memory_gb)
    shape, states = states[0].shape, (states[0].reshape(-1), states[1].reshape(-1))
    if points is not None:
        points = as_integer("points", points, minimum=1)
    if is_concrete(problem, states):
        max_points = as_integer("max_points", max_points, minimum=FIRST_POINTS)
        with single_threaded_blas():
            integral = _settle(weight, problem, states, scaled_by_energy, points, rtol, max_points, memory_gb)
    elif points is None:
        raise fail("points", "given while the problem is traced", None, "The mesh cannot be chosen then.")
    else:
        sample = _sample(weight, problem, states, points, memory_gb)
        change = jnp.full_like(sample.value, jnp.nan)
        integral = Integral(sample.value, _status(sample, sample.unresolved), change, points)
    if throw and is_concrete(integral.status):
        _raise_first_failure(integral.status, states)
    value, status, change = (jnp.asarray(x).reshape(shape) for x in integral[:3])
    return Integral(value, status, change, integral.points)


def _settle(weight, problem, states, scaled_by_energy, points, rtol, max_points, memory_gb) -> Integral:
    size = points or FIRST_POINTS
    rtol = attainable(rtol, problem.vectors.dtype)
    sample = _sample(weight, problem, states, size, memory_gb)
    change = np.full_like(sample.value, np.nan)
    coarse = sample.unresolved
    if points is not None:
        return Integral(sample.value, _status(sample, coarse), change, size)
    while True:
        previous = sample.value
        size *= 2
        sample = _sample(weight, problem, states, size, memory_gb)
        change = np.abs(sample.value - previous)
        unit = sample.energy_scale if scaled_by_energy else 1.0
        # Where the mesh has seen a Fermi surface the change measures its error. Where it has not, there may be a
        # pocket between the momenta.
        coarse = (change > rtol * np.maximum(np.abs(sample.value), unit)) | (sample.unresolved & ~sample.metal)
        if not coarse.any() or 2 * size > max_points:
            return Integral(sample.value, _status(sample, coarse), change, size)


def _status(sample: _Sample, coarse: Any) -> Any:
    xp = array_module(sample)
    status = xp.where(coarse, int(Status.MESH_TOO_COARSE), int(Status.OK))
    return xp.where(xp.isfinite(sample.value), status, int(Status.NOT_FINITE)).astype(np.int32)


def _sample(weight, problem, states, points, memory_gb) -> _Sample:
    k = meshes(problem, points, points)[1]
    tiles = over_mesh(_tile, problem, (weight, states), k, memory_gb)
    xp = array_module(tiles)
    q = xp.asarray(problem.q).astype(tiles[0].dtype)
    # The zone has the area 1/q in reduced momenta, and [0, 1/q)² represents it.
    value = xp.mean(tiles[0], axis=0) / (2 * np.pi * q)
    energies = tiles[1].reshape(points, points, -1)
    metal, unresolved = _fermi_surface(xp, energies, states)
    return _Sample(value, xp.max(xp.abs(energies)), metal, unresolved)


def _tile(problem, argument, k):
    weight, states = argument

    def one(point):
        return pair_sum(weight, problem.matrix(point), velocity(problem, point), states)

    sums, energies = jax.vmap(one)(k)
    return jnp.mean(sums, axis=0), energies


def _fermi_surface(
    xp: Any, energies: Float[Any, "n1 n2 band"], states: tuple[Any, Any]
) -> tuple[Bool[Any, " state"], Bool[Any, " state"]]:
    """Whether a level crosses the chemical potential on the mesh, and whether one may do so unseen between momenta.

    The latter is so where it is not further away than its change to a neighboring momentum, unless the temperature is
    higher than that.
    """
    neighbors = [xp.roll(energies, (s * a, s * b), (0, 1)) for a, b in ((1, 0), (0, 1)) for s in (1, -1)]
    change = xp.max(xp.abs(xp.stack(neighbors) - energies[None]), axis=0)
    metal, unresolved = [], []
    for chemical_potential, temperature in zip(*(xp.asarray(x) for x in states), strict=True):
        filled = energies < chemical_potential
        metal.append(xp.any(filled != filled[:1, :1]))
        unresolved.append(xp.any((xp.abs(energies - chemical_potential) <= change) & (temperature < change)))
    return xp.stack(metal), xp.stack(unresolved)


def _raise_first_failure(status: Any, states: tuple[Array, Array]) -> None:
    failed = np.flatnonzero(np.asarray(status))
    if failed.size:
        code = Status(int(np.asarray(status)[failed[0]]))
        chemical_potential, temperature = (float(x[failed[0]]) for x in states)
        raise CalculationError(code, f"At chemical potential {chemical_potential:.6g}, temperature {temperature:.6g}")
