"""Lowest charged excitations: their momenta off the mesh, effective masses, and the charge gap of a state.

On each branch E(k), minima of the mesh are followed by Newton steps with derivatives from a cross of 5 × 5 energies,
right to fourth order in its spacing. All searches of all states share the momenta that they have in common, since only
the tables of `FlatBands.at` cost time.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from hofstadter import lattice
from hofstadter._checks import as_integer
from hofstadter.errors import Status
from hofstadter.interactions.flat_bands import GroupAtMomenta
from hofstadter.interactions.strong_coupling import FilledFlavors, charge_energies
from hofstadter.units import HBAR2_PER_ELECTRON_MASS_MEV_NM2, MILLIELECTRONVOLTS, NANOMETERS

# Spacing of the energies that derivatives are taken from, in parts of the side of the magnetic zone.
SPACING = 0.02
# Newton steps, none longer than a point of the mesh; a minimum is found when a step is this part of the spacing.
MOST_STEPS, SMALL_STEP = 8, 1e-3
# Minima of the mesh that are followed from each branch.
MOST_MINIMA = 4
# Energies that are the same by a symmetry come out equal to this part of the largest exchange energy, and the error of
# a truncated basis; minima are the same if they are closer than this part of the zone.
SAME_ENERGY, SAME_PLACE = 1e-6, 1e-4

# First and second derivatives along a line from five points, and the mixed one from two crosses.
_OFFSETS = [(i, 0) for i in (-2, -1, 0, 1, 2)] + [(0, i) for i in (-2, -1, 1, 2)]
_OFFSETS += [(i, j) for s in (1, 2) for i in (-s, s) for j in (-s, s)]


class Extremum(NamedTuple):
    """A point where the energy of a branch is stationary.

    Attributes:
        k: Its reduced momentum.
        energy: The energy there.
        masses: Effective masses ħ²/E'' along the two principal axes, the heavier first, in electron masses if the
            model is in units of the laboratory, else with ħ = 1 in the model's.
        multiplicity: How many branches have this energy there.
        found: Whether the search converged.
    """

    k: tuple[float, float]
    energy: float
    masses: tuple[float, float]
    multiplicity: int
    found: bool


class ChargeEdge(NamedTuple):
    """The lowest excitations of one charge.

    Attributes:
        charge: +1 for electrons, −1 for holes.
        energy: The lowest energy; infinite if no flavor can take the charge.
        minima: The places with this energy, of each kind of flavor.
        degeneracy: Places with this energy, times flavors that can take the charge, times branches: how many Landau
            levels each level of these charges has in a slightly different field.
    """

    charge: int
    energy: float
    minima: tuple[tuple[Extremum, ...], ...]
    degeneracy: int


class ChargeGap(NamedTuple):
    """Both edges of a state, and what they say about it.

    Attributes:
        filling: The filling of the state.
        flavors_from_half: How many more flavors are filled than half of them.
        electron: Lowest energies of one more electron.
        hole: Lowest energies of one less.
        gap: Their sum; infinite if the group is full or empty.
        status: UNSTABLE if the gap is negative: charges are then created without end, and another state is lower.
            MESH_TOO_COARSE if a minimum was not found. Else the status of the flat bands.
    """

    filling: float
    flavors_from_half: float
    electron: ChargeEdge
    hole: ChargeEdge
    gap: float
    status: Status


def charge_gaps(states: Sequence[FilledFlavors], *, memory_gb: float = 4.0) -> list[ChargeGap]:
    """Charge gaps and lowest excitations of states of the same flat bands.

    Args:
        states: The states; what they share is computed once.
        memory_gb: Working memory.
    """
    searches = {}
    for number, state in enumerate(states):
        for charge in (1, -1):
            for kind in range(len(state.filled)):
                if state.flavors(kind, charge):
                    starts = _mesh_minima(state, kind, charge)
                    searches[number, charge, kind] = [_Search(state, kind, charge, 0, start) for start in starts]
    _follow([search for listed in searches.values() for search in listed], memory_gb)
    found = {key: [search.result for search in listed] for key, listed in searches.items()}
    return [_charge_gap(state, number, found) for number, state in enumerate(states)]


def stationary_point(
    state: FilledFlavors,
    kind: int,
    charge: int,
    start: tuple[float, float],
    *,
    branch: int = 0,
    memory_gb: float = 4.0,
) -> Extremum:
    """The stationary point of a branch near a momentum, and the masses there.

    Args:
        state: The state.
        kind: Kind of the flavor that takes the charge.
        charge: +1 for an electron, −1 for a hole.
        start: Reduced momentum to start from.
        branch: Number of the branch, from the lowest.
        memory_gb: Working memory.
    """
    branch = as_integer("branch", branch, minimum=0)
    search = _Search(state, kind, charge, branch, np.asarray(start, float))
    _follow([search], memory_gb)
    return search.result


def _charge_gap(state: FilledFlavors, number: int, found: dict) -> ChargeGap:
    edges = {}
    kinds = range(len(state.filled))
    same = _same_energy(state)
    for charge in (1, -1):
        every = {kind: found.get((number, charge, kind), []) for kind in kinds}
        lowest = min((point.energy for points in every.values() for point in points), default=math.inf)
        minima = tuple(_distinct(state, [p for p in every[kind] if p.energy <= lowest + same]) for kind in kinds)
        count = sum(state.flavors(kind, charge) * sum(point.multiplicity for point in minima[kind]) for kind in kinds)
        edges[charge] = ChargeEdge(charge, lowest, minima, count)
    gap = edges[1].energy + edges[-1].energy
    status = state.bands.status
    if not all(point.found for edge in edges.values() for points in edge.minima for point in points):
        status = Status.MESH_TOO_COARSE
    # A negative gap is told whatever else is wrong.
    from_half = sum(state.filled) - state.bands.flavors / 2
    return ChargeGap(state.filling, from_half, edges[1], edges[-1], gap, Status.UNSTABLE if gap < 0 else status)


def _same_energy(state: FilledFlavors) -> float:
    """Up to which difference energies count as the same."""
    errors = [float(getattr(kind.problem, "cutoff_error", 0.0)) for kind in state.bands.kinds]
    return SAME_ENERGY * state.bands.cutoff.largest + max(0.0 if math.isnan(error) else error for error in errors)


def _distinct(state: FilledFlavors, points: list[Extremum]) -> tuple[Extremum, ...]:
    """Points that are not the same up to a magnetic reciprocal vector."""
    cells = np.array([1.0, float(state.bands.kinds[0].problem.q)])
    kept: list[Extremum] = []
    for point in points:
        apart = [np.subtract(point.k, other.k) * cells for other in kept]
        if all(np.abs(d - np.round(d)).max() > SAME_PLACE for d in apart):
            kept.append(point)
    return tuple(kept)


def _mesh_minima(state: FilledFlavors, kind: int, charge: int) -> Float[np.ndarray, "start 2"]:
    """The lowest points of the mesh that lie below all their neighbors."""
    n1, n2 = state.bands.shape
    energy = np.asarray(charge_energies(state, kind, charge))[:, 0].reshape(n1, n2)
    moves = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
    # Equal neighbors, by a symmetry, are both kept.
    slack = _same_energy(state)
    below = np.all([energy <= np.roll(energy, move, axis=(0, 1)) + slack for move in moves], axis=0)
    places = np.flatnonzero(below)
    lowest = places[np.argsort(energy.reshape(-1)[places], kind="stable")[:MOST_MINIMA]]
    return np.asarray(state.bands.k)[lowest]


class _Search:
    """One search for a stationary point."""

    def __init__(self, state: FilledFlavors, kind: int, charge: int, branch: int, start: np.ndarray):
        self.state, self.kind, self.charge, self.branch = state, kind, charge, branch
        self.k = start
        vectors = np.asarray(state.bands.kinds[kind].problem.vectors)
        zone = 2 * np.pi / math.sqrt(float(state.bands.kinds[kind].problem.q) * abs(np.linalg.det(vectors)))
        self.spacing = SPACING * zone
        self.to_reduced = np.linalg.inv(np.asarray(lattice.reciprocal_vectors(state.bands.kinds[kind].problem.vectors)))
        self.longest = zone / max(state.bands.shape)
        self.result = Extremum((math.nan, math.nan), math.nan, (math.nan, math.nan), 0, False)
        self.done = False

    def stencil(self) -> Float[np.ndarray, "17 2"]:
        """Reduced momenta that energies are wanted at."""
        return self.k + self.spacing * np.asarray(_OFFSETS, float) @ self.to_reduced

    def step(self, at: GroupAtMomenta) -> None:
        """Take the tables at the stencil, and move on or be done."""
        energies = np.asarray(charge_energies(self.state, self.kind, self.charge, at))
        value, gradient, hessian = _derivatives(energies[:, self.branch], self.spacing)
        curvatures, axes = np.linalg.eigh(hessian)
        slope = axes.T @ gradient
        move = -axes @ (slope / np.where(curvatures == 0, np.inf, curvatures))
        if self.branch == 0 and curvatures.min() <= 0:
            # No minimum nearby: downhill.
            move = -gradient / max(np.linalg.norm(gradient), 1e-300) * self.longest
        length = np.linalg.norm(move)
        self.done = bool(length <= SMALL_STEP * self.spacing)
        at_center = energies[2]
        same = _same_energy(self.state)
        many = int(np.sum(np.abs(at_center - at_center[self.branch]) <= same))
        # What is left of the way changes the energy by half of slope times move.
        energy = float(value + gradient @ move / 2) if self.done else float(value)
        heavy, light = self._masses(curvatures)
        self.result = Extremum((float(self.k[0]), float(self.k[1])), energy, (heavy, light), many, self.done)
        if not self.done:
            self.k = self.k + move * min(1.0, self.longest / length) @ self.to_reduced

    def _masses(self, curvatures: Float[np.ndarray, "2"]) -> tuple[float, float]:
        model = getattr(self.state.bands.kinds[self.kind].problem, "model", None)
        unit = 1.0
        length, energy = getattr(model, "length_unit", ""), getattr(model, "energy_unit", "")
        if length in NANOMETERS and energy in MILLIELECTRONVOLTS:
            unit = HBAR2_PER_ELECTRON_MASS_MEV_NM2 / (NANOMETERS[length] ** 2 * MILLIELECTRONVOLTS[energy])
        heavy, light = (unit / c if c else math.inf for c in sorted(curvatures.tolist(), key=abs))
        return heavy, light


def _follow(searches: list[_Search], memory_gb: float) -> None:
    """Move all searches on until they are done; momenta that they share are solved once."""
    for _ in range(MOST_STEPS):
        active = [search for search in searches if not search.done]
        if not active:
            return
        bands = active[0].state.bands
        for kind in sorted({search.kind for search in active}):
            own = [search for search in active if search.kind == kind]
            wanted = np.concatenate([search.stencil() for search in own])
            _, first, place = np.unique(np.round(wanted, 12), axis=0, return_index=True, return_inverse=True)
            tables = bands.at(kind, jnp.asarray(wanted[first]), memory_gb=memory_gb)
            for search, rows in zip(own, place.reshape(len(own), -1), strict=True):
                search.step(_rows(tables, rows))


def _rows(tables: GroupAtMomenta, rows: Int[np.ndarray, " row"]) -> GroupAtMomenta:
    part = tables.k[rows], tables.energies[rows], tables.exchange[rows], tables.vertical[:, rows]
    return GroupAtMomenta(*part)


def _derivatives(energy: Float[np.ndarray, " 17"], h: float) -> tuple[float, np.ndarray, np.ndarray]:
    """Value, gradient and Hessian at the center of the stencil, to fourth order in its spacing."""
    x = energy[:5]
    y = np.concatenate([energy[5:7], energy[2:3], energy[7:9]])
    first, second = np.array([1, -8, 0, 8, -1]) / 12, np.array([-1, 16, -30, 16, -1]) / 12
    near, far = (np.array([1, -1, -1, 1]) @ energy[start : start + 4] for start in (9, 13))
    mixed = (16 * near - far) / 48
    gradient = np.array([first @ x, first @ y]) / h
    return energy[2], gradient, np.array([[second @ x, mixed], [mixed, second @ y]]) / h**2
