"""Continuum models for tests: between the package and the plain data of the oracles, and few shapes to compile."""

import jax
import jax.numpy as jnp
import numpy as np

import hofstadter as hof
from hofstadter.hamiltonian import landau, theta
from tests.oracles import continuum_models as plain

# Both bases, assembled in a given shape: all fluxes whose states fit share their compiled programs, and the size of the
# basis is not judged.
ROUTES = {"landau": landau._assemble, "theta": theta._assemble}

# Laws hold however few levels are kept. Wanted bands are a part of the shape.
ROWS, TABLE = 32, 16
BANDS = (0, 4)
FLUXES = [(1, 1), (2, 1), (1, 2), (3, 2), (2, 3), (5, 3), (1, 4), (3, 5)]


def from_plain(model, **options):
    """The package's model from an oracle's."""
    offsets = np.asarray(model.offsets) @ np.linalg.inv(plain.reciprocal(model.vectors))
    return hof.models.continuum(model.vectors, model.kinetic, model.potential, offsets=offsets, **options)


def to_plain(model):
    """The oracle's model from the package's."""
    vectors = np.asarray(model.vectors)
    kinetic = [(v, a, b, (i, j)) for v, (a, b, i, j) in zip(np.asarray(model.kinetic), model.terms, strict=True)]
    potential = [
        (v, a, b, (i, j)) for v, (a, b, i, j) in zip(np.asarray(model.potential), model.harmonics, strict=True)
    ]
    return plain.Model(vectors, np.asarray(model.offsets) @ plain.reciprocal(vectors), kinetic, potential)


def general(seed=0):
    """Every kind of term at once in an oblique cell, with offsets that fit nothing and no symmetry.

    Terms up to fourth order, off-diagonal kinetic energy, constants and waves within and between components, complex
    amplitudes, (G, α, β) and (G, β, α) both.
    """
    rng = np.random.default_rng(seed)

    def number(size):
        return size * complex(rng.uniform(0.5, 1) * np.exp(2j * np.pi * rng.uniform()))

    first, last = rng.uniform(-0.3, 0.3, (2, 2))
    kinetic = [(rng.uniform(0.9, 1.2), c, c, (1, 1)) for c in range(3)]
    kinetic += [(number(0.2), 0, 1, (0, 2)), (number(0.4), 0, 1, (1, 0)), (number(0.1), 2, 2, (1, 0))]
    kinetic += [(number(0.02), 2, 2, (3, 0)), (rng.uniform(0.01, 0.02), 1, 1, (2, 2)), (number(0.02), 0, 0, (2, 1))]
    potential = [(number(1.0), 0, 0, (1, 0)), (number(0.7), 1, 1, (1, -1)), (number(0.6), 2, 2, (0, 1))]
    potential += [(rng.uniform(-1, 1), 1, 1, (0, 0)), (number(1.0), 0, 2, (0, 0)), (number(0.7), 0, 2, (-1, 1))]
    potential += [(number(0.4), 2, 1, (1, 2)), (number(0.4), 1, 2, (1, 2)), (number(0.5), 0, 1, (0, 1))]
    turn, shear = rng.uniform(0, 2 * np.pi), rng.uniform(-0.4, 0.4)
    vectors = np.array([[1.1, 0.0], [shear, 0.95]])
    vectors = vectors @ [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
    return from_plain(plain.Model(vectors, np.array([first, first, last]) * 2 * np.pi, kinetic, potential))


def assemble(route, model, flux, levels, rows, table, bands):
    """A problem in a given shape."""
    p, q = flux
    assert p * (levels + max(model.level_offsets)) <= rows
    assert levels + max(model.level_offsets) <= table
    return ROUTES[route](model, jnp.asarray(p), jnp.asarray(q), jnp.asarray(levels), rows, table, bands)


def small(route, model, flux):
    """A problem with few levels, in the shape that all laws are tested in."""
    return assemble(route, model, flux, min(ROWS // flux[0], TABLE) - 1, ROWS, TABLE, BANDS)


@jax.jit
def matrices(problem, k):
    """H(k), compiled."""
    return problem.matrix(k)


@jax.jit
def waves(problem, k, dk):
    """⟨k| exp(−i dk·r) |k + dk⟩, compiled."""
    return problem.plane_wave(k, dk)


def energies(problem, k):
    """The wanted energies at a list of momenta."""
    wanted = slice(problem.first_band, problem.first_band + problem.returned_bands)
    return np.linalg.eigvalsh(matrices(problem, jnp.asarray(k, float).reshape(-1, 2)))[:, wanted]


def kept(problem):
    """Rows of the matrix that are not padding."""
    return np.flatnonzero(problem.kept_rows(int(problem.size)))


def around(energies, low, high):
    """The energies between two values, sorted."""
    energies = np.sort(np.ravel(energies))
    return energies[(energies > low) & (energies < high)]
