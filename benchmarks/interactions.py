"""Benchmarks of interactions: exchange energies R0 of the flat bands of twisted bilayer graphene at 2π flux.

The rival is written from the formulas alone, in NumPy: one matrix of displaced Landau levels per momentum transfer,
applied to the states of all momenta of the mesh at once. Both start from states that were found before.
"""

import dataclasses
from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np
from measure import COMPILATION, Line, clock, largest

import hofstadter as hof
from hofstadter.interactions.coulomb import double_gate_coulomb
from hofstadter.interactions.exchange import exchange
from hofstadter.interactions.form_factors import project, transfers
from hofstadter.interactions.momentum_cutoff import momentum_cutoff
from hofstadter.models import bistritzer_macdonald

LEVELS = 60
# A cut-off that leaves less than 1e-6 meV, of 45 meV at most for both bands together.
RTOL = 2e-8


def exchange_energies(quick: bool) -> Iterator[Line]:
    """R0 on meshes, with the cut-off of momenta for 1e-6 meV."""
    model = bistritzer_macdonald()
    repulsion = double_gate_coulomb(model, separation_nm=10.0, dielectric=6.0)
    problem = hof.at_flux(model, 1, levels=LEVELS, bands_per_cell=1)
    reach = momentum_cutoff(problem, (0, 2), repulsion, rtol=RTOL)
    for points in (4,) if quick else (12, 24):
        mesh = project(problem, (0, 2), problem.mesh(points, points))
        moves = transfers(mesh, mesh, reach.cutoff)
        filled = jnp.broadcast_to(jnp.eye(2, dtype=mesh.states.dtype), (points**2, 2, 2))

        def ours(mesh=mesh, moves=moves, filled=filled):
            return exchange(repulsion, mesh, mesh, filled, moves) / 2

        size = f"{points} × {points} momenta, {len(moves.reciprocal)} reciprocal vectors, n = {mesh.states.shape[1]}"
        note = f"states prebuilt; the cut-off leaves {reach.error:.1e} meV; error in meV"
        compiled = COMPILATION.seconds
        first, found = clock(ours)
        compiled = COMPILATION.seconds - compiled
        best = min(clock(ours)[0] for _ in range(2))
        line = Line("exchange energies R0 at 2π flux", size, "none", best, first, compiled, note=note, headline=False)
        if points > 12:
            yield line
            continue
        # Once, since it takes a minute.
        seconds, theirs = clock(Rival(points, reach.cutoff).exchange)
        # The rival's field points the other way, which changes the order of momenta and nothing else.
        error = largest(np.sort(np.linalg.eigvalsh(found), axis=0) - np.sort(np.linalg.eigvalsh(theirs), axis=0))
        rival = "NumPy, a loop over momentum transfers"
        yield dataclasses.replace(line, rival=rival, theirs=seconds, error=error, headline=True)


class Rival:
    """The same in NumPy, for charges of the other sign: H(k) and exp(ip·r) of both layers in Landau levels."""

    def __init__(self, points: int, cutoff: float):
        theta, lattice_constant, velocity, self.cutoff = np.deg2rad(1.05), 2.46, 5944.0, cutoff
        k_theta = 8 * np.pi / (3 * lattice_constant) * np.sin(theta / 2)
        self.q = k_theta * np.array([[np.cos(a), np.sin(a)] for a in np.pi / 2 + 2 * np.pi * np.arange(3) / 3])
        self.b = np.array([self.q[1] - self.q[0], self.q[2] - self.q[0]])
        self.area = 4 * np.pi**2 / abs(np.linalg.det(self.b))
        self.length = np.sqrt(self.area / (2 * np.pi))
        self.levels, self.points = (LEVELS + 1, LEVELS), points
        lower = np.sqrt(2) * velocity / self.length * np.diag(np.sqrt(np.arange(1.0, LEVELS + 1)), 1)[:LEVELS]
        self.kinetic = np.block([[np.zeros((LEVELS + 1,) * 2), lower.T], [lower, np.zeros((LEVELS,) * 2)]])
        index = np.stack(np.meshgrid(*[np.arange(points)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
        self.states = np.array([self.flat_states(2 * np.pi * k / points) for k in index])

    def displacement(self, p: np.ndarray) -> np.ndarray:
        """D(α) of exp(−ip·r), by the recursion of Laguerre's polynomials along diagonals."""
        alpha = -self.length / np.sqrt(2) * (p[0] + 1j * p[1])
        size, x = LEVELS + 1, abs(alpha) ** 2
        k = np.arange(size)
        table = np.zeros((size, size), complex)
        ratios = np.concatenate([[1.0], alpha / np.sqrt(np.arange(1, size))])
        table[0] = np.exp(-x / 2) * np.cumprod(ratios)
        before = np.zeros(size)
        for n in range(size - 1):
            after = (2 * n + 1 + k - x) * table[n] - np.sqrt(n * (n + k)) * before
            before, table[n + 1] = table[n], after / np.sqrt((n + 1) * (n + 1 + k))
        m, n = np.indices((size, size))
        lower = table[np.minimum(m, n), np.abs(m - n)]
        return np.where(m >= n, lower, (-1.0) ** (m - n) * lower.conj())

    def flat_states(self, k: np.ndarray) -> np.ndarray:
        """The two states nearest neutrality."""
        phases = [-np.exp(1j * (k[0] - k[1])), np.exp(1j * k[0]), np.exp(-1j * k[1])]
        a, b = self.levels
        tunnel = np.zeros((a + b, a + b), complex)
        for j, (phase, q) in enumerate(zip(phases, self.q, strict=True)):
            d, turn = phase * self.displacement(-q), np.exp(2j * np.pi * j / 3)
            tunnel[:a, :a] += 88.0 * d[:a, :a]
            tunnel[a:, a:] += 88.0 * d[:b, :b]
            tunnel[:a, a:] += 110.0 * turn.conj() * d[:a, :b]
            tunnel[a:, :a] += 110.0 * turn * d[:b, :a]
        h = np.block([[self.kinetic, tunnel], [tunnel.conj().T, self.kinetic]])
        states = np.linalg.eigh(h)[1]
        return states[:, a + b - 1 : a + b + 1]

    def exchange(self) -> np.ndarray:
        """R0 at all momenta."""
        points, (a, b) = self.points, self.levels
        reach = int(2 * self.cutoff * points / np.linalg.norm(self.b[0])) + 2
        grid = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
        place = np.arange(points**2).reshape(points, points)
        parts = self.states.reshape(points**2, 2, a + b, 2)
        total = np.zeros((points**2, 2, 2), complex)
        for step in grid:
            p = step @ self.b / points
            length = np.linalg.norm(p)
            if length > self.cutoff * (1 + 1e-9):
                continue
            d = self.displacement(p)
            ends = parts[np.roll(place, -step, axis=(0, 1)).reshape(-1)]
            angle = self.length**2 * (self.q[0, 0] * p[1] - self.q[0, 1] * p[0])
            overlap = np.zeros_like(total)
            for layer, sign in enumerate((-1, 1)):
                phase = np.exp(sign * 1j * angle)
                for rows, size in ((slice(0, a), a), (slice(a, a + b), b)):
                    moved = d[:size, :size] @ ends[:, layer, rows]
                    overlap += phase * parts[:, layer, rows].conj().swapaxes(-1, -2) @ moved
            x = 100.0 * length / 2
            v = np.pi * 14399.645478 / 6 * 100.0 * (np.tanh(x) / x if x else 1.0)
            total += v / (2 * self.area * points**2) * overlap @ overlap.conj().swapaxes(-1, -2)
        return total
