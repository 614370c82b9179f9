"""Models that every law is tested on: a table of presets with what is known about them, and random models."""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

import hofstadter as hof
from tests.oracles import peierls

models = hof.models


@dataclasses.dataclass(frozen=True)
class System:
    """A preset and its exact properties.

    Attributes:
        name: Label of the test case.
        build: Makes the model; called inside a test, so that JAX is configured by then.
        flux_period: Smallest whole number of flux quanta per cell after which the spectrum repeats.
        bipartite: The spectrum is symmetric, E → −E, at every flux.
        zero_modes: Exact zero modes per primitive cell at every flux, from the sublattice imbalance.
        real: All hoppings are real, so that E(−φ) = E(φ).
    """

    name: str
    build: Callable[[], models.TightBinding]
    flux_period: int
    bipartite: bool = False
    zero_modes: int = 0
    real: bool = True


SYSTEMS = [
    System("square", lambda: models.square(), 1, bipartite=True),
    System("square_nnn", lambda: models.square(1.0, 0.3), 2),
    System("square_third", lambda: models.square(1.0, 0.0, 0.2), 1),
    System("rectangular", lambda: models.rectangular(1.0, 0.6, length1=1.3, length2=0.7), 1, bipartite=True),
    System("oblique", lambda: models.oblique(1.0, 0.8, 0.4, length2=1.2, angle_deg=80.0), 2),
    System("triangular", lambda: models.triangular(), 2),
    System("triangular_nnn", lambda: models.triangular(1.0, 0.2), 2),
    System("honeycomb", lambda: models.honeycomb(), 1, bipartite=True),
    System("honeycomb_third", lambda: models.honeycomb(1.0, t3=0.2), 2, bipartite=True),
    System("honeycomb_full", lambda: models.honeycomb(1.0, 0.1, 0.2, 0.3), 6),
    System("haldane", lambda: models.haldane(), 6, real=False),
    System("kagome", lambda: models.kagome(), 8),
    System("kagome_nnn", lambda: models.kagome(1.0, 0.3), 8),
    System("lieb", lambda: models.lieb(), 1, bipartite=True, zero_modes=1),
    System("lieb_dimerized", lambda: models.lieb(1.0, 0.2, 0.4), 1),
    System("dice", lambda: models.dice(), 3, bipartite=True, zero_modes=1),
    System("edge_centered", lambda: models.edge_centered_honeycomb(), 1, bipartite=True, zero_modes=1),
    System("checkerboard", lambda: models.checkerboard(), 4),
    System("checkerboard_flux", lambda: models.checkerboard(1.0, 0.5, -0.5, phase=np.pi / 4), 4, real=False),
    System("kapit_mueller", lambda: models.kapit_mueller(0.25, max_range=3), 2),
    System("rashba", lambda: models.rashba(1.0, 0.5, 0.3, 0.2, 0.1), 1, real=False),
]
BY_NAME = {system.name: system for system in SYSTEMS}

# Below and above one quantum, both directions of the field, q = 1, 2 and up to 7.
FLUXES = [(0, 1), (1, 1), (-2, 1), (1, 2), (-3, 2), (1, 3), (7, 3), (-2, 5), (3, 7), (-9, 7)]

# Hops (i, j, R1, R2) of the random models: one, two and three orbitals, range up to 3.
RANDOM_STRUCTURES = [
    [(0, 0, 1, 0), (0, 0, 0, 1), (0, 0, 1, -1), (0, 0, 2, 1), (0, 0, -1, 2)],
    [(0, 1, 0, 0), (1, 0, 1, -1), (0, 0, 0, 1), (1, 1, 2, -1), (0, 1, -3, 2), (1, 1, 1, 1), (0, 1, 1, 3)],
    [
        (0, 1, 0, 0),
        (1, 2, -1, 0),
        (2, 0, 1, 2),
        (0, 0, 2, -2),
        (1, 1, 0, 1),
        (0, 2, 0, -1),
        (2, 2, 1, 0),
        (1, 0, 0, 2),
    ],
]


def random_model(structure: int, seed: int, *, real: bool = False) -> models.TightBinding:
    """A model without any symmetry: random oblique cell, positions in and out of the cell, random amplitudes.

    Models of one structure differ in numbers only, so that JAX compiles once for all of them.
    """
    rng = np.random.default_rng(seed)
    hops = RANDOM_STRUCTURES[structure]
    orbitals = 1 + max(max(i, j) for i, j, _, _ in hops)
    angle = rng.uniform(0.2, 0.8) * np.pi
    length2 = rng.uniform(0.6, 1.5)
    vectors = np.array([[1.0, 0.0], [length2 * np.cos(angle), length2 * np.sin(angle)]])
    turn = rng.uniform(0, 2 * np.pi)
    vectors = vectors @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    amplitudes = rng.uniform(0.2, 1.0, len(hops)) * np.exp(0 if real else 2j * np.pi * rng.uniform(size=len(hops)))
    onsite = [(energy, i, i, (0, 0)) for i, energy in enumerate(rng.uniform(-1, 1, orbitals))]
    hoppings = [(complex(t), i, j, (r1, r2)) for t, (i, j, r1, r2) in zip(amplitudes, hops, strict=True)]
    return models.tight_binding(vectors, rng.uniform(-1.2, 1.2, (orbitals, 2)), onsite + hoppings, name="random")


MODEL_NAMES = [system.name for system in SYSTEMS] + [f"random_{s}" for s in range(len(RANDOM_STRUCTURES))]


@functools.cache
def build(name: str) -> models.TightBinding:
    """The preset of the table, or the random model, with this name."""
    if name.startswith("random_"):
        structure = int(name.removeprefix("random_"))
        return random_model(structure, 100 + structure)
    return BY_NAME[name].build()


def plain(model: models.TightBinding) -> peierls.Model:
    """The model's data as the oracles read it."""
    amplitudes = np.asarray(model.amplitudes)
    return peierls.Model(
        np.asarray(model.vectors),
        np.asarray(model.positions),
        np.asarray(model.onsite),
        [(amplitude, *hop) for amplitude, hop in zip(amplitudes, model.hops, strict=True)],
    )


# One padded size and one batch length, so that each model structure is compiled once.
CELLS = 7
BATCH = 16


@jax.jit
def matrix(problem, k):
    """`problem.matrix(k)`, compiled."""
    return problem.matrix(k)


def matrices(model: models.TightBinding, flux: tuple[int, int], k) -> np.ndarray:
    """H(k) for a list of momenta, computed in the padded shape and cut to q × orbitals rows."""
    k = np.asarray(k, dtype=float).reshape(-1, 2)
    problem = hof.at_flux(model, flux, cells=max(CELLS, flux[1]))
    padded = np.concatenate([k, np.zeros((-len(k) % BATCH, 2))]).reshape(-1, BATCH, 2)
    size = flux[1] * model.orbitals
    parts = [np.asarray(matrix(problem, jnp.asarray(part)))[:, :size, :size] for part in padded]
    return np.concatenate(parts)[: len(k)]


def energies(model: models.TightBinding, flux: tuple[int, int], k) -> np.ndarray:
    """Ascending energies (momentum, band), diagonalized by NumPy."""
    return np.linalg.eigvalsh(matrices(model, flux, k))


def reduced_mesh(q: int, n: int) -> np.ndarray:
    """The n × n mesh over [0, 1/q)²."""
    steps = np.arange(n) / (n * q)
    return np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
