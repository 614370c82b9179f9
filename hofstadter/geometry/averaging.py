"""Averages over the magnetic zone: doubling the mesh until they settle, and watching that no gap closes in between."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from hofstadter._checks import as_integer, fail, is_concrete
from hofstadter.eigensolver._threads import single_threaded_blas
from hofstadter.eigensolver.spectrum import chunk_size
from hofstadter.errors import CalculationError, Status
from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter.topology.touching import smallest_gap_near

FIRST_POINTS = 8
# Input, projector, two velocities and mixings, and what automatic differentiation keeps, in numbers of one matrix.
MATRICES_PER_MOMENTUM = 8
# A gap smaller than this many times its change to a neighboring momentum may close in between; a cone
# gives at most √2.
SUSPICIOUS = 3.0
MAX_SEARCHES = 6
# Means over meshes move by up to some 30 rounding errors from mesh to mesh.
ROUNDING = 128

Result = TypeVar("Result")


class Gaps(NamedTuple):
    """Direct gaps of a group of bands on a mesh, and what counts as closed there."""

    k: Float[Any, "n1 n2 2"]
    gap: Float[Any, "n1 n2"]
    closed_gap: Float[Any, "n1 n2"]


def over_mesh(function: Callable, problem: AbstractMagneticBlochProblem, argument: Any, k: Array, memory: float):
    """`function(problem, argument, k)` on tiles of the mesh, its results stacked along a new first axis.

    They are NumPy arrays if the numbers are known. Outside of `jit` all meshes are cut in tiles of the same size, so
    that doubling compiles nothing new.

    Args:
        function: Gives a pytree of arrays for an array of momenta (tile, 2).
        problem: The magnetic Bloch problem.
        argument: Whatever else the function needs, such as the group of bands.
        k: The mesh, (n1, n2, 2).
        memory: Working memory in units of 1 GB.
    """
    size = chunk_size(problem.basis_size, memory / MATRICES_PER_MOMENTUM)
    tile = next(t for t in (64, 32, 16, 8, 4, 2, 1) if t <= size and (k.size // 2) % t == 0)
    tiles = k.reshape(-1, tile, 2)
    if not is_concrete(problem, argument):
        return jax.lax.map(lambda momenta: function(problem, argument, momenta), tiles)
    results = [jax.tree.map(np.asarray, _jitted(function, problem, argument, momenta)) for momenta in np.asarray(tiles)]
    return jax.tree.map(lambda *parts: np.stack(parts), *results)


@eqx.filter_jit
def _jitted(function, problem, argument, k):
    return function(problem, argument, k)


@eqx.filter_jit
def meshes(problem: AbstractMagneticBlochProblem, n1: int, n2: int) -> tuple[Array, Array]:
    """The mesh over the magnetic zone and the one over [0, 1/q)²."""
    return problem.mesh(n1, n2), problem.reduced_mesh(n1, n2)


def status_on_mesh(gaps: Gaps, values: Any) -> Any:
    """Status as far as the mesh itself can tell."""
    xp = array_module(gaps, values)
    bad = xp.where(xp.all(xp.isfinite(values)), int(Status.OK), int(Status.NOT_FINITE))
    return xp.where(xp.any(gaps.gap <= gaps.closed_gap), int(Status.GAP_CLOSED), bad)


def array_module(*values: Any) -> Any:
    """NumPy for numbers that are known, so that nothing is compiled for each size of the mesh, else `jax.numpy`."""
    return np if is_concrete(*values) else jnp


def converge(
    kind: type[Result],
    problem: AbstractMagneticBlochProblem,
    bands: tuple[int, int],
    average: Callable[[int], tuple[dict[str, Any], Gaps]],
    points: int | None,
    rtol: float,
    max_points: int,
    throw: bool,
) -> Result:
    """Call `average(points)` with doubled `points` until its "metric" changes by less than rtol times its trace.

    In single precision changes below rounding count as none.

    Args:
        kind: Class of the result; has the fields that `average` gives and `status`, `min_gap`, `min_gap_k`, `change`
            and `points`.
        problem: The magnetic Bloch problem.
        bands: The group.
        average: Gives the averages by name, and the gaps on its mesh; see `over_mesh`.
        points: A mesh size that is to be used as it is.
        rtol: Accepted change.
        max_points: Largest mesh size.
        throw: Raise if the status is not OK.

    Returns:
        The averages on the last mesh, with real numbers replaced by NaN if the gap closes.
    """
    if not is_concrete(problem):
        if points is None:
            raise fail("points", "given while the problem is traced", None, "The mesh cannot be chosen then.")
        fields, gaps = average(points)
        lowest = jnp.argmin(gaps.gap)
        change = jnp.full((), jnp.nan, gaps.gap.dtype)
        status = status_on_mesh(gaps, fields["metric"])
        place = jnp.asarray(gaps.k).reshape(-1, 2)[lowest]
        return _result(kind, fields, status, gaps.gap.reshape(-1)[lowest], place, change, points)
    max_points = as_integer("max_points", max_points, minimum=FIRST_POINTS)
    rtol = attainable(rtol, problem.vectors.dtype)
    with single_threaded_blas():
        size, change = points or FIRST_POINTS, np.nan
        fields, gaps = average(size)
        while points is None and not change <= rtol and 2 * size <= max_points:
            if status_on_mesh(gaps, np.asarray(fields["metric"])) != Status.OK:
                break
            size *= 2
            previous, (fields, gaps) = np.asarray(fields["metric"]), average(size)
            metric = np.asarray(fields["metric"])
            change = float(np.abs(metric - previous).max() / (np.trace(metric) or 1.0))
        gap, place, closed = smallest_gap(problem, bands, gaps)
    status = int(status_on_mesh(gaps, np.asarray(fields["metric"])))
    if closed:
        status = int(Status.GAP_CLOSED)
        fields = {name: x * np.nan if x.dtype.kind == "f" else x for name, x in fields.items()}
    elif status == Status.OK and points is None and not change <= rtol:
        status = int(Status.MESH_TOO_COARSE)
    if throw and status != Status.OK:
        where = f"Near k = ({place[0]:.6g}, {place[1]:.6g}), direct gap {gap:.3g}"
        raise CalculationError(Status(status), where)
    return _result(kind, fields, status, gap, place, change, size)


def attainable(tolerance: float, real: jnp.dtype) -> float:
    """The relative tolerance, or what rounding errors of these numbers leave of it; for double precision 3e-14."""
    return max(tolerance, ROUNDING * float(jnp.finfo(real).eps))


def _result(kind, fields, status, gap, place, change, points):
    real = fields["metric"].dtype
    return kind(
        **{name: jnp.asarray(x) for name, x in fields.items()},
        status=jnp.asarray(status, jnp.int32),
        min_gap=jnp.asarray(gap, real),
        min_gap_k=jnp.asarray(place, real),
        change=jnp.asarray(change, real),
        points=points,
    )


def smallest_gap(
    problem: AbstractMagneticBlochProblem, bands: tuple[int, int], gaps: Gaps
) -> tuple[float, np.ndarray, bool]:
    """Smallest direct gap, followed down from the mesh wherever it may close between the momenta.

    Returns:
        The gap, its momentum, and whether it counts as closed.
    """
    k, gap, closed_gap = (np.asarray(x) for x in gaps)
    place = np.unravel_index(gap.argmin(), gap.shape)
    best, where, closed = float(gap[place]), k[place], bool((gap <= closed_gap).any())
    if closed or not np.isfinite(gap).all():
        return best, where, closed
    steps = [(1, 0), (0, 1), (1, 1), (1, -1)]
    neighbors = np.stack([np.roll(gap, (s * a, s * b), (0, 1)) for a, b in steps for s in (1, -1)])
    suspicious = gap < SUSPICIOUS * np.abs(neighbors - gap).max(axis=0)
    lowest = suspicious & (gap <= neighbors.min(axis=0))
    if not lowest.any():
        return best, where, closed
    starts = k[lowest][np.argsort(gap[lowest])[:MAX_SEARCHES]]
    starts = np.concatenate([starts, np.repeat(starts[:1], MAX_SEARCHES - len(starts), axis=0)])
    spacing = np.array([np.abs(np.diff(k[:, 0, 0])).max(initial=0), np.abs(np.diff(k[0, :, 1])).max(initial=0)])
    found, found_k = smallest_gap_near(problem, bands, jnp.asarray(starts), jnp.asarray(spacing))
    return float(found), np.asarray(found_k), bool(found <= closed_gap.max())
