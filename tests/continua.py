"""Continuum models for tests: between the package and the plain data of the oracles, and few shapes to compile."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

import hofstadter as hof
from hofstadter.hamiltonian import landau, theta
from hofstadter.hamiltonian.landau_levels import assemble
from tests.oracles import continuum_models as plain

# Both bases, assembled in a given shape: all fluxes whose states fit share their compiled programs, and the size of the
# basis is not judged.
ROUTES = {
    "landau": functools.partial(assemble, landau.LandauProblem, landau._harmonics),
    "theta": functools.partial(assemble, theta.ThetaProblem, theta._harmonics),
}

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
    kinetic += [(rng.uniform(0.005, 0.01), c, c, (2, 2)) for c in range(3)]
    kinetic += [(number(0.02), 2, 2, (3, 0)), (number(0.02), 0, 0, (2, 1))]
    potential = [(number(1.0), 0, 0, (1, 0)), (number(0.7), 1, 1, (1, -1)), (number(0.6), 2, 2, (0, 1))]
    potential += [(rng.uniform(-1, 1), 1, 1, (0, 0)), (number(1.0), 0, 2, (0, 0)), (number(0.7), 0, 2, (-1, 1))]
    potential += [(number(0.4), 2, 1, (1, 2)), (number(0.4), 1, 2, (1, 2)), (number(0.5), 0, 1, (0, 1))]
    turn, shear = rng.uniform(0, 2 * np.pi), rng.uniform(-0.4, 0.4)
    vectors = np.array([[1.1, 0.0], [shear, 0.95]])
    vectors = vectors @ [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
    return from_plain(plain.Model(vectors, np.array([first, first, last]) * 2 * np.pi, kinetic, potential))


def trimmed(model):
    """`general` with fewer terms, for tests that compile it in another form: still no symmetry but its own."""
    kinetic, potential = [0, 1, 2, 4, 9], [0, 3, 4, 7]
    return dataclasses.replace(
        model,
        kinetic=model.kinetic[jnp.asarray(kinetic)],
        terms=tuple(model.terms[i] for i in kinetic),
        potential=model.potential[jnp.asarray(potential)],
        harmonics=tuple(model.harmonics[i] for i in potential),
    )


# Compiling takes longer than anything else here.
quickly_compiled = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def assemble(route, model, flux, levels, rows, table, bands):
    """A problem in a given shape."""
    p, q = flux
    most = levels + max(model.level_offsets)
    assert most <= table
    assert p * most <= rows
    return _assemble(route, model, jnp.asarray(p), jnp.asarray(q), jnp.asarray(levels), rows, table, bands)


@functools.partial(quickly_compiled, static_argnums=(0, 5, 6, 7))
def _assemble(route, model, p, q, levels, rows, table, bands):
    return ROUTES[route](model, p, q, levels, rows, table, bands)


def small(route, model, flux):
    """A problem with few levels, in the shape that all laws are tested in."""
    return assemble(route, model, flux, min(ROWS // flux[0], TABLE) - 1, ROWS, TABLE, BANDS)


@quickly_compiled
def matrices(problem, k):
    """H(k), compiled."""
    return problem.matrix(k)


@quickly_compiled
def waves(problem, k, dk):
    """⟨k| exp(−i dk·r) |k + dk⟩, compiled."""
    return problem.plane_wave(k, dk)


def five(k):
    """One momentum or a few as a batch of five, the number that matrices are compiled for."""
    return jnp.asarray(np.resize(np.asarray(k, float), (5, 2)))


def energies(problem, k):
    """The wanted energies at up to five momenta."""
    wanted = slice(problem.first_band, problem.first_band + problem.returned_bands)
    return np.linalg.eigvalsh(matrices(problem, five(k))[: np.size(k) // 2])[:, wanted]


def kept(problem):
    """Rows of the matrix that are not padding."""
    return np.flatnonzero(problem.kept_rows(int(problem.size)))


def around(energies, low, high):
    """The energies between two values, sorted."""
    energies = np.sort(np.ravel(energies))
    return energies[(energies > low) & (energies < high)]
