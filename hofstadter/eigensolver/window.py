"""`solve_window`: the levels nearest an energy, found without all the others and proven to be complete."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Complex, Float, Int

from hofstadter._checks import as_integer, check_finite, fail, is_concrete, warn_if_single_precision
from hofstadter.eigensolver import dense
from hofstadter.eigensolver._threads import single_threaded_blas
from hofstadter.eigensolver.pieces import in_pieces
from hofstadter.eigensolver.ring_factors import count_below, factorized
from hofstadter.eigensolver.shift_invert import Levels, nearest_levels
from hofstadter.eigensolver.spectrum import BYTES_PER_ENTRY, raise_first_failure
from hofstadter.errors import Status
from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem, AbstractTruncatedProblem
from hofstadter.hamiltonian.rings import BlockRing, RingLayout, block_ring, padding_left_out, ring_layout, ring_rows

# Rings of at least so many blocks, and so many rows per wanted level, are solved faster than the dense matrix.
LEAST_BLOCKS = 4
ROWS_PER_LEVEL = 8
# Levels beyond the wanted ones that are looked for, so that the window may end in a gap.
SPARE = 8
# H is inverted this part of its norm per row away from the energy, where symmetry often puts levels.
OFFSET = 1e-2
# Vectors multiplied at a time, which is as fast as one: the factors are read from memory. Copies of a degenerate level
# that are found.
TOGETHER = 4
# Levels closer than eps to this power, relative to the norm, are not told apart at the ends of the window.
RESOLUTION = 5 / 8


class SpectrumWindow(eqx.Module):
    """The levels nearest an energy.

    Attributes:
        energies: Ascending in the last axis.
        states: Columns are the eigenvectors in the basis of `problem.matrix`; None if only energies were asked for.
        first: Number of the first of these bands, counted as `solve` counts them; right where `status` is OK.
        status: `Status` code of each momentum.
        residual: Largest ‖H v − E v‖ of each momentum, relative to the norm of H; zero for a dense matrix without
            states.
    """

    energies: Float[Array, "*batch band"]
    states: Complex[Array, "*batch basis band"] | None
    first: Int[Array, "*batch"]
    status: Int[Array, "*batch"]
    residual: Float[Array, "*batch"]


def solve_window(
    problem: AbstractMagneticBlochProblem,
    k: Float[Array, "*batch 2"],
    energy: ArrayLike,
    count: int,
    *,
    states: bool = True,
    memory_gb: float = 4.0,
    throw: bool = False,
) -> SpectrumWindow:
    """The `count` levels of H(k) nearest an energy.

    Where H(k) is a ring of blocks (`hamiltonian.rings`: tight binding with many cells, continuum models at many flux
    quanta p), it is inverted block by block at the energy, and Lanczos iteration finds the largest eigenvalues of the
    inverse. The numbers of levels below both ends of a window around them, by Sylvester's law of inertia, prove that
    none is missing. Else, as at one flux quantum per cell, the dense matrix is diagonalized.

    Args:
        problem: From `hofstadter.at_flux` or `hofstadter.theta_problem`. Inside `jit` a continuum model's flux must be
            known, else its dense matrix is diagonalized.
        k: Reduced momenta, e.g. from `problem.mesh(n1, n2)`.
        energy: The energy, or one for each momentum, in the model's unit.
        count: How many levels.
        states: Whether to return eigenvectors. Energies alone cost less where the dense matrix is diagonalized.
        memory_gb: Working memory; larger batches are done in pieces of that size.
        throw: Raise if any momentum fails, instead of marking it in `status`. Outside `jit` only.

    Returns:
        The levels. `status` is other than OK where H is not finite, a residual is large, completeness was not proven
        (WINDOW_INCOMPLETE), or levels of a continuum model were cut off too low or are not among the wanted bands,
        whose error alone is known (CUTOFF_TOO_LOW). Of levels as far from the energy as the last one, to within 1e-10
        of the norm of H, any may be returned.

    Raises:
        ValueError: If `k` does not end in two components, or `count` exceeds the problem's bands.
        hofstadter.CalculationError: With `throw`, if any momentum fails.

    Examples:
        >>> import hofstadter as hof
        >>> problem = hof.at_flux(hof.models.honeycomb(), (50, 501))
        >>> window = hof.solve_window(problem, problem.mesh(1, 1), 0.1, 4)
        >>> window.energies.shape, window.states.shape
        ((1, 1, 4), (1, 1, 1002, 4))
    """
    warn_if_single_precision()
    k = jnp.asarray(k)
    if k.ndim == 0 or k.shape[-1] != 2:
        raise fail("k", "an array of pairs (k1, k2)", f"of shape {k.shape}")
    if not memory_gb > 0:
        raise fail("memory_gb", "positive", memory_gb)
    count = as_integer("count", count, minimum=1)
    bands = int(problem.bands) if is_concrete(problem.bands) else problem.basis_size
    if count > bands:
        raise fail("count", f"at most the {bands} bands of the problem", count)
    check_finite("energy", energy)
    real = problem.vectors.dtype
    energies = jnp.broadcast_to(jnp.asarray(energy).astype(real), k.shape[:-1])
    layout = useful_layout(problem, count)
    size = problem.basis_size if layout is None else layout.places * layout.states
    chunk = max(1, int(memory_gb * 1e9 / _bytes(layout, size, count)))
    arguments = problem, layout, k.astype(real), energies, count, states, min(chunk, k.size // 2 or 1)
    if not is_concrete(problem, k, energies):
        return _solve(*arguments)
    with single_threaded_blas():
        window = jax.block_until_ready(_solve(*arguments))
    if throw:
        raise_first_failure(window.status, k)
    return window


def useful_layout(problem: AbstractMagneticBlochProblem, count: int) -> RingLayout | None:
    """The ring that a problem is, if so few levels of it are found faster than by the dense matrix."""
    layout = ring_layout(problem)
    if layout is None or layout.blocks < LEAST_BLOCKS:
        return None
    return layout if layout.places * layout.states >= ROWS_PER_LEVEL * (count + SPARE) else None


def _bytes(layout: RingLayout | None, size: int, count: int) -> int:
    """Working memory of one momentum."""
    if layout is None:
        return BYTES_PER_ENTRY * size**2
    row = 3 * (layout.block + layout.edge) * layout.states + 6 * (count + SPARE)
    return BYTES_PER_ENTRY // 2 * size * row


@eqx.filter_jit
def _solve(
    problem: AbstractMagneticBlochProblem,
    layout: RingLayout | None,
    k: Array,
    energies: Array,
    count: int,
    states: bool,
    chunk: int,
) -> SpectrumWindow:
    def one(values):
        point, energy = values[:2], values[2]
        if layout is None:
            window = _dense_window(problem, point, energy, count, states)
        else:
            window = _ring_window(problem, layout, point, energy, count, states)
        return eqx.tree_at(lambda x: x.status, window, _with_basis(problem, window))

    values = jnp.concatenate([k, energies[..., None]], axis=-1).reshape(-1, 3)
    return jax.tree.map(lambda x: x.reshape(*k.shape[:-1], *x.shape[1:]), in_pieces(one, values, chunk))


def _with_basis(problem: AbstractMagneticBlochProblem, window: SpectrumWindow) -> Int[Array, ""]:
    """The status of the levels or, if that is OK, of the basis."""
    status = problem.basis_status
    if isinstance(problem, AbstractTruncatedProblem):
        known = (window.first >= 0) & (window.first + window.energies.shape[0] <= problem.returned_bands)
        status = jnp.where(known, status, int(Status.CUTOFF_TOO_LOW))
    return jnp.where(window.status == int(Status.OK), status, window.status).astype(jnp.int32)


def _dense_window(
    problem: AbstractMagneticBlochProblem, k: Float[Array, " 2"], energy: Float[Array, ""], count: int, states: bool
) -> SpectrumWindow:
    matrix = problem.matrix(k)
    if states:
        energies, vectors = dense.eigensystem(matrix)
    else:
        energies, vectors = dense.eigenvalues(matrix), None
    # The nearest levels are neighbors in the spectrum.
    first = jnp.min(jnp.argsort(jnp.abs(energies - energy))[:count])
    scale = jnp.max(jnp.abs(energies))
    residual = jnp.zeros((), energies.dtype)
    energies = jax.lax.dynamic_slice_in_dim(energies, first, count)
    if vectors is not None:
        vectors = jax.lax.dynamic_slice_in_dim(vectors, first, count, axis=1)
        error = jnp.linalg.norm(matrix @ vectors - vectors * energies.astype(vectors.dtype)[None, :], axis=0)
        residual = jnp.max(error) / jnp.where(scale > 0, scale, 1)
    status = _status(energies, residual, problem.basis_size, jnp.ones((), bool))
    return SpectrumWindow(energies, vectors, first - problem.first_band, status, residual)


def _ring_window(
    problem: AbstractMagneticBlochProblem,
    layout: RingLayout,
    k: Float[Array, " 2"],
    energy: Float[Array, ""],
    count: int,
    states: bool,
) -> SpectrumWindow:
    ring = block_ring(problem, layout, k)
    norm = ring.norm()
    scale = jnp.where(norm > 0, norm, 1)
    factors = factorized(ring, energy + OFFSET / ring.size * scale)
    # Of every symmetry a bit, and the same in every run.
    start = jax.random.normal(jax.random.key(0), (ring.size, TOGETHER), ring.last.dtype)
    tolerance = 10 * ring.size * jnp.finfo(norm.dtype).eps * scale
    found = nearest_levels(ring.apply, factors.solve, start, energy, count, count + SPARE, tolerance)
    complete, below = _certified(ring, found, energy, count, scale)
    wanted = jnp.argsort(jnp.abs(found.energies - energy))[:count]
    wanted = wanted[jnp.argsort(found.energies[wanted])]
    residual = jnp.max(found.errors[wanted]) / scale
    vectors = None
    if states:
        vectors = found.states[:, wanted].at[ring_rows(problem, layout)].get(mode="fill", fill_value=0)
    # Padding that the ring lacks may lie below all levels.
    first = below + padding_left_out(problem, layout).astype(below.dtype) - problem.first_band
    status = _status(found.energies[wanted], residual, ring.size, complete)
    return SpectrumWindow(found.energies[wanted], vectors, first, status, residual)


def _certified(
    ring: BlockRing, found: Levels, energy: Float[Array, ""], count: int, scale: Float[Array, ""]
) -> tuple[Bool[Array, ""], Int[Array, ""]]:
    """Whether the `count` found levels nearest the energy are the nearest ones, and how many levels lie below them.

    The window around them ends in the widest gap between what else was found; just before the last of the wanted
    levels if there is no gap, or this level has more copies than are found together.
    """
    eps = jnp.finfo(scale.dtype).eps
    resolution = eps**RESOLUTION * scale
    distances = jnp.abs(found.energies - energy)
    order = jnp.argsort(distances)
    distances, errors = distances[order], jax.lax.cummax(found.errors[order])
    gaps = distances[count:] - distances[count - 1 : -1]
    # Levels whose errors reach into the gap do not say where it is.
    gaps = jnp.where(errors[count - 1 : -1] < gaps / 8, gaps, 0)
    widest = jnp.argmax(gaps)
    gap = gaps[widest]
    last = distances[count - 1]
    copies = jnp.sum(jnp.abs(distances - last) < 2 * resolution)
    before = jnp.max(jnp.where(distances < last - 2 * resolution, distances, 0))
    before_last = (gap < 4 * resolution) | (copies > TOGETHER)
    radius = jnp.where(before_last, (before + last) / 2, distances[count - 1 + widest] + gap / 2)
    # All wanted levels are at the energy itself: there are none closer.
    at_energy = last < 2 * resolution
    radius = jnp.where(at_energy, 2 * resolution, radius)
    counts, growth = jax.vmap(lambda end: count_below(ring, end))(energy + jnp.stack([-radius, radius]))
    inside = jnp.sum(distances < radius)
    clear = jnp.min(jnp.abs(distances - radius)) > 10 * eps * jnp.max(growth)
    complete = at_energy | ((counts[1] - counts[0] == inside) & clear)
    first = jnp.min(found.energies[order[:count]])
    below = jnp.sum((found.energies < first) & (jnp.abs(found.energies - energy) < radius))
    beyond = jnp.sum(found.energies[order[:count]] < energy - radius)
    return complete, counts[0] + below.astype(counts.dtype) - beyond.astype(counts.dtype)


def _status(
    energies: Float[Array, " band"], residual: Float[Array, ""], basis_size: int, complete: Bool[Array, ""]
) -> Int[Array, ""]:
    finite = jnp.all(jnp.isfinite(energies))
    accurate = residual <= 100 * basis_size * jnp.finfo(energies.dtype).eps
    status = jnp.where(complete, int(Status.OK), int(Status.WINDOW_INCOMPLETE))
    status = jnp.where(accurate, status, int(Status.RESIDUAL_TOO_LARGE))
    return jnp.where(finite, status, int(Status.NOT_FINITE)).astype(jnp.int32)
