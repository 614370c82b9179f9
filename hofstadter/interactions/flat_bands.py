"""A group of bands of several flavors, with a repulsion between their densities: the model of flat-band interactions.

    H = (1/2A) Σ_p V(p) O(−p) O(p),   O(p) = Σ_{k, f, mn} M^f_mn(k, p) (c†_{k+p, m, f} c_{k, n, f} − δ_{p, G} δ_mn/2)

on a mesh of momenta, a sample of area A. The repulsion does not change the flavor f of an electron. Flavors of one kind
(the spins of a valley) have the same states; kinds (the valleys) have each their own, from the model of that valley.
The subtraction counts charge from half filling. Terms of one electron, as the group's own energies, are not in H.
"""

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from hofstadter._checks import as_integer, fail, warn_if_single_precision
from hofstadter.eigensolver import dense
from hofstadter.eigensolver._threads import single_threaded_blas
from hofstadter.eigensolver.pieces import in_pieces
from hofstadter.eigensolver.spectrum import chunk_size
from hofstadter.errors import CalculationError, Status
from hofstadter.flux import FluxLike
from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter.hamiltonian.at_flux import at_flux
from hofstadter.interactions.coulomb import AbstractInteraction
from hofstadter.interactions.exchange import exchange, exchange_off_mesh
from hofstadter.interactions.form_factors import ProjectedBands, Transfers, form_factors, project, transfers, weights
from hofstadter.interactions.momentum_cutoff import MomentumCutoff, momentum_cutoff
from hofstadter.models.continuum import Continuum
from hofstadter.models.time_reversal import time_reversed
from hofstadter.topology.chern import CLOSED_GAP
from hofstadter.topology.group_flux import direct_gap
from hofstadter.topology.touching import smallest_gap_near

# Momenta per direction of the zero-field zone where the group's distance to other bands is looked at.
GAP_POINTS = 12


class GroupAtMomenta(eqx.Module):
    """What the group of one kind needs to tell the energy of a charge in any state of filled flavors.

    Attributes:
        k: Reduced momenta.
        energies: The group's own energies.
        exchange: R0(k) = (1/2A) Σ_p V(p) M†(k, p) M(k, p).
        vertical: M(k, G) for the reciprocal vectors `FlatBands.reciprocal`.
    """

    k: Float[Array, "point 2"]
    energies: Float[Array, "point band"]
    exchange: Complex[Array, "point band band"]
    vertical: Complex[Array, "g point band band"]


class FlatBands(eqx.Module):
    """A group of bands of all flavors on a mesh, and what every state of them needs.

    Attributes:
        interaction: The repulsion.
        kinds: The group of each kind of flavor, all on the same mesh.
        copies: Flavors of each kind.
        shape: Points of the mesh along either direction.
        moves: Momentum transfers between points of the mesh.
        on_mesh: The tables of each kind.
        min_gap: Smallest direct gap between the group and other bands, of each kind.
        cutoff: The largest |p| and the error that it leaves.
        status: CUTOFF_TOO_LOW if that error is larger than wanted, or the status of a diagonalization that failed.
    """

    interaction: AbstractInteraction
    kinds: tuple[ProjectedBands, ...]
    copies: tuple[int, ...] = eqx.field(static=True)
    shape: tuple[int, int] = eqx.field(static=True)
    moves: Transfers
    on_mesh: tuple[GroupAtMomenta, ...]
    min_gap: tuple[float, ...]
    cutoff: MomentumCutoff
    status: Status = eqx.field(static=True)

    @property
    def k(self) -> Float[Array, "point 2"]:
        """Momenta of the mesh, reduced."""
        return self.kinds[0].k

    @property
    def width(self) -> int:
        """Number of bands of the group."""
        return self.kinds[0].states.shape[-1]

    @property
    def flavors(self) -> int:
        """Number of flavors of all kinds."""
        return sum(self.copies)

    @property
    def reciprocal(self) -> Float[Array, "g 2"]:
        """Magnetic reciprocal vectors G within the cut-off and a little beyond, reduced."""
        return self.moves.reciprocal

    @property
    def weight(self) -> Float[Array, " g"]:
        """V(G)/A for each of them, zero beyond the cut-off."""
        return weights(self.interaction, self.kinds[0], self.reciprocal, self.moves.cutoff)

    def at(self, kind: int, k: Float[Array, "*batch 2"], *, memory_gb: float = 4.0) -> GroupAtMomenta:
        """The tables of a kind at any momenta.

        Args:
            kind: Number of the kind.
            k: Reduced momenta, flattened.
            memory_gb: Working memory.
        """
        own = self.kinds[kind]
        flat = jnp.asarray(k).reshape(-1, 2)
        # Few sizes, each of which is compiled once.
        rows = np.arange(1 << (len(flat) - 1).bit_length()) % len(flat)
        there = project(own.problem, own.bands, flat[rows], memory_gb=memory_gb)
        cutoff = self.moves.cutoff
        filled = exchange_off_mesh(self.interaction, own, there, self.reciprocal, cutoff, memory_gb=memory_gb)
        vertical = form_factors(there, self.reciprocal, memory_gb=memory_gb)
        count = slice(len(flat))
        return GroupAtMomenta(flat, there.energies[count], filled[count] / 2, vertical[:, count])


def flat_bands(
    problems: Sequence[AbstractMagneticBlochProblem],
    bands: tuple[int, int],
    interaction: AbstractInteraction,
    *,
    copies: int | Sequence[int] = 1,
    points: int | tuple[int, int] = 12,
    offset: tuple[float, float] = (0.0, 0.0),
    cutoff: float | None = None,
    rtol: float = 1e-8,
    memory_gb: float = 4.0,
) -> FlatBands:
    """Project a repulsion on a group of bands of several kinds of electrons.

    Args:
        problems: The magnetic Bloch problem of each kind, all of the same lattice at the same flux.
        bands: The group, as a half-open range; it must not touch other bands.
        interaction: The repulsion.
        copies: Flavors of each kind, 2 for spin.
        points: Momenta along each direction of the magnetic zone.
        offset: Reduced momentum that the whole mesh is shifted by.
        cutoff: Largest |p|, an inverse length; by default what `rtol` needs.
        rtol: Exchange energy that may be left out beyond the cut-off, relative to the largest one.
        memory_gb: Working memory.

    Raises:
        ValueError: If the kinds do not belong together, or as `momentum_cutoff`.
        hofstadter.CalculationError: If the group touches other bands: it has no states of its own then.
    """
    warn_if_single_precision()
    problems = tuple(problems)
    counts = (copies,) * len(problems) if isinstance(copies, int) else tuple(copies)
    counts = tuple(as_integer("copies", count, minimum=1) for count in counts)
    if not problems or len(counts) != len(problems):
        raise fail("copies", f"one number or {len(problems)}, one per problem", copies)
    for problem in problems[1:]:
        same_flux = (int(problem.p), int(problem.q)) == (int(problems[0].p), int(problems[0].q))
        if not same_flux or not np.allclose(problem.vectors, problems[0].vectors, rtol=1e-9, atol=0):
            raise fail("problems", "of the same lattice at the same flux", [str(problem.flux) for problem in problems])
    n1, n2 = (points, points) if isinstance(points, int) else points
    mesh = (problems[0].mesh(n1, n2) + jnp.asarray(offset, problems[0].vectors.dtype)).reshape(-1, 2)
    gaps = tuple(_smallest_gap(problem, bands, memory_gb) for problem in problems)
    kinds = tuple(project(problem, bands, mesh, memory_gb=memory_gb) for problem in problems)
    reach = momentum_cutoff(problems[0], bands, interaction, rtol=rtol, cutoff=cutoff, memory_gb=memory_gb)
    moves = transfers(kinds[0], kinds[0], reach.cutoff, memory_gb=memory_gb)
    on_mesh = tuple(_tables(interaction, kind, moves, memory_gb) for kind in kinds)
    failed = [Status(int(code)) for kind in kinds for code in np.unique(np.asarray(kind.status)) if code != Status.OK]
    left_too_much = bool(reach.error > rtol * reach.largest * (1 + 1e-6))
    return FlatBands(
        interaction=interaction,
        kinds=kinds,
        copies=counts,
        shape=(n1, n2),
        moves=moves,
        on_mesh=on_mesh,
        min_gap=gaps,
        cutoff=reach,
        status=failed[0] if failed else Status.CUTOFF_TOO_LOW if left_too_much else Status.OK,
    )


def moire_flat_bands(
    model: Continuum,
    interaction: AbstractInteraction,
    *,
    flux: FluxLike = 1,
    pairs: int = 1,
    points: int | tuple[int, int] = 12,
    levels: int | None = None,
    level_rtol: float = 1e-9,
    cutoff: float | None = None,
    rtol: float = 1e-8,
    memory_gb: float = 4.0,
) -> FlatBands:
    """The narrow bands around the reference of a moiré model, in two valleys and two spins.

    Args:
        model: One valley; the other one is its time-reversed partner in the same field.
        interaction: The repulsion.
        flux: Flux per cell.
        pairs: Bands per cell on each side of the reference.
        points: Momenta along each direction of the magnetic zone.
        levels: Landau levels to keep; by default as many as `level_rtol` needs.
        level_rtol: Accuracy of the group's energies relative to their range.
        cutoff: Largest |p|, an inverse length; by default what `rtol` needs.
        rtol: Exchange energy that may be left out beyond the cut-off, relative to the largest one.
        memory_gb: Working memory.
    """
    reversed_model = time_reversed(model)
    first = at_flux(model, flux, levels=levels, bands_per_cell=pairs, rtol=level_rtol)
    # As many states in both valleys, so that cut-offs break no symmetry between them.
    more = (sum(model.level_offsets) - sum(reversed_model.level_offsets)) // model.components
    other = at_flux(reversed_model, flux, levels=int(first.size) + more, bands_per_cell=pairs, rtol=level_rtol)
    return flat_bands(
        (first, other),
        (0, first.returned_bands),
        interaction,
        copies=2,
        points=points,
        cutoff=cutoff,
        rtol=rtol,
        memory_gb=memory_gb,
    )


def _tables(
    interaction: AbstractInteraction, kind: ProjectedBands, moves: Transfers, memory_gb: float
) -> GroupAtMomenta:
    points, _, bands = kind.states.shape
    filled = jnp.broadcast_to(jnp.eye(bands, dtype=kind.states.dtype), (points, bands, bands))
    vertical = form_factors(kind, moves.reciprocal, memory_gb=memory_gb)
    return GroupAtMomenta(kind.k, kind.energies, exchange(interaction, kind, kind, filled, moves) / 2, vertical)


def _smallest_gap(problem: AbstractMagneticBlochProblem, bands: tuple[int, int], memory_gb: float) -> float:
    """Smallest direct gap to other bands: on a mesh, and followed down where its slope could close it between points.

    Raises:
        hofstadter.CalculationError: If it is closed.
    """
    group = (problem.first_band + bands[0], problem.first_band + bands[1])
    if group == (0, problem.basis_size):
        return float("inf")
    shape = (GAP_POINTS, -(-GAP_POINTS // int(problem.q)))
    mesh = problem.mesh(*shape).reshape(-1, 2)
    with single_threaded_blas():
        chunk = min(len(mesh), chunk_size(problem.basis_size, memory_gb))
        gap, energy = (np.asarray(x) for x in _gaps_at(problem, mesh, group, chunk))
        around = gap.reshape(shape)
        change = max(np.abs(around - np.roll(around, 1, axis=axis)).max() for axis in (0, 1))
        smallest = float(gap.min())
        if smallest <= change:
            width = jnp.asarray([1 / shape[0], 1 / (shape[1] * float(problem.q))], mesh.dtype)
            found, _ = smallest_gap_near(problem, group, mesh[np.argsort(gap)[:1]], width)
            smallest = min(smallest, float(found))
    if smallest <= CLOSED_GAP * float(energy.max()):
        raise CalculationError(Status.GAP_CLOSED, f"Bands {bands[0]} … {bands[1] - 1}")
    return smallest


@eqx.filter_jit
def _gaps_at(
    problem: AbstractMagneticBlochProblem, k: Float[Array, "point 2"], group: tuple[int, int], chunk: int
) -> tuple[Float[Array, " point"], Float[Array, " point"]]:
    """Direct gap around the group, and the largest |energy| of the returned bands."""

    def one(point):
        energies = dense.eigenvalues(problem.matrix(point))
        returned = energies[problem.first_band : problem.first_band + problem.returned_bands]
        return direct_gap(energies, group), jnp.max(jnp.abs(returned))

    return in_pieces(one, k, chunk)
