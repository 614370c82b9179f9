"""Finer meshes until a Chern number is certain: shared by Wilson loops and by derivatives of Berry phases."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from hofstadter.eigensolver._threads import single_threaded_blas
from hofstadter.errors import Status
from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter.topology.chern import CLOSED_GAP
from hofstadter.topology.diophantine import chern_modulo_q
from hofstadter.topology.group_flux import direct_gap
from hofstadter.topology.slopes import stay_apart
from hofstadter.topology.touching import smallest_gap_near

FIRST_POINTS = 24
SEARCHES = 4


class Attempt(NamedTuple):
    """A Chern number from one mesh over [0, 1/q)².

    Attributes:
        turns: The number, as a float that is an integer up to errors.
        certain: Whether the mesh was fine enough for it, as far as the method itself can tell.
        gap: Direct gap at each momentum.
        apart: Whether the slopes at each momentum say that the group keeps apart from other bands near it.
        k: The momenta.
        largest_energy: Largest |E|.
    """

    turns: Float[Array, ""]
    certain: Bool[Array, ""]
    gap: Float[Array, " point"]
    apart: Bool[Array, " point"]
    k: Float[Array, "point 2"]
    largest_energy: Float[Array, ""]


def gaps_and_slopes(
    bands: tuple[int, int],
    energies: Float[Array, "*mesh band"],
    slopes: Float[Array, "*mesh band"],
    step: Float[Array, ""],
) -> tuple[Float[Array, " point"], Bool[Array, " point"]]:
    """`gap` and `apart` of an `Attempt`, on a mesh with this spacing."""
    first, last = bands
    above = stay_apart(energies, step * slopes)
    apart = jnp.ones(above.shape[:-1], bool)
    for edge in (first, last):
        if 0 < edge < energies.shape[-1]:
            apart &= above[..., edge - 1]
    return direct_gap(energies, bands).reshape(-1), apart.reshape(-1)


def status_on_mesh(attempt: Attempt, residual: Float[Array, ""], max_residual: float) -> Int[Array, ""]:
    """Status as far as one mesh can tell."""
    certain = attempt.certain & jnp.all(attempt.apart) & (residual < max_residual)
    status = jnp.where(certain, int(Status.OK), int(Status.MESH_TOO_COARSE))
    closed = jnp.min(attempt.gap) <= CLOSED_GAP * attempt.largest_energy
    status = jnp.where(closed, int(Status.GAP_CLOSED), status)
    return jnp.where(jnp.isfinite(attempt.largest_energy), status, int(Status.NOT_FINITE)).astype(jnp.int32)


class Settled(NamedTuple):
    """The last attempt's number and residual, the status, and the smallest gap with its momentum."""

    turns: float
    residual: float
    status: Status
    min_gap: float
    min_gap_k: tuple[float, float]
    points: int


def settle(
    problem: AbstractMagneticBlochProblem,
    bands: tuple[int, int],
    evaluate: Callable[[int], Attempt],
    max_points: int,
    max_residual: float,
    first_points: int | None = None,
) -> Settled:
    """Call `evaluate(points)` with doubled `points` until the number is certain.

    Where that fails, the smallest gap is followed down from the mesh, to tell bands that touch from a mesh that is too
    coarse.

    Args:
        problem: The magnetic Bloch problem.
        bands: The group.
        evaluate: Gives the number from a mesh of `points` momenta per direction.
        max_points: Where to stop.
        max_residual: Largest accepted distance from an integer.
        first_points: Where to start.
    """
    points = first_points or min(FIRST_POINTS, max_points)
    residue = int(chern_modulo_q(np.array([bands[1] - bands[0]]), problem.flux)[0])
    with single_threaded_blas():
        while True:
            attempt = evaluate(points)
            turns = float(attempt.turns)
            residual = abs(turns - round(turns)) if np.isfinite(turns) else np.nan
            status = Status(int(status_on_mesh(attempt, jnp.asarray(residual), max_residual)))
            if status == Status.OK and (round(turns) - residue) % problem.flux.q != 0:
                status = Status.MESH_TOO_COARSE
            if status != Status.MESH_TOO_COARSE or 2 * points > max_points:
                break
            points *= 2
        gap, k = np.asarray(attempt.gap), np.asarray(attempt.k)
        lowest = np.argsort(np.where(np.isfinite(gap), gap, np.inf))[:SEARCHES]
        min_gap, min_gap_k = float(gap[lowest[0]]), k[lowest[0]]
        if status == Status.MESH_TOO_COARSE:
            width = jnp.asarray(1 / (points * problem.flux.q), k.dtype)
            found, place = smallest_gap_near(problem, bands, jnp.asarray(k[lowest]), width)
            if found < min_gap:
                min_gap, min_gap_k = float(found), np.asarray(place)
            if min_gap <= CLOSED_GAP * float(attempt.largest_energy):
                status = Status.GAP_CLOSED
    return Settled(turns, residual, status, min_gap, (float(min_gap_k[0]), float(min_gap_k[1])), points)
