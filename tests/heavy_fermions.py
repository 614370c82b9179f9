"""Heavy fermions for tests: few shapes to compile, and matrices without their padding."""

import jax.numpy as jnp
import numpy as np

import hofstadter as hof
from hofstadter.hamiltonian import heavy_fermions
from tests import continua

# Laws hold however few levels are kept: one shape for all small fluxes.
ROWS, CELLS, TABLE, TERMS = 24, 4, 12, 12
FLUXES = [(1, 1), (1, 2), (2, 3), (1, 4), (3, 2)]
LEVELS = {(1, 1): 8, (1, 2): 8, (2, 3): 6, (1, 4): 8, (3, 2): 6}


def small(model, flux):
    """A problem with few levels."""
    levels = LEVELS[flux]
    assert (levels + 2) * flux[0] <= ROWS
    numbers = (jnp.asarray(number) for number in (*flux, levels))
    return heavy_fermions._assemble(model, *numbers, ROWS, CELLS, TABLE, TERMS, (4, 4))


def kept_matrix(problem, k):
    """H(k) without its padding."""
    rows = continua.kept(problem)
    return np.asarray(continua.matrices(problem, jnp.asarray(k)))[np.ix_(rows, rows)]


def all_energies(problem, k):
    """All eigenvalues that are not of padding."""
    return np.linalg.eigvalsh(kept_matrix(problem, k))


def numbers(model):
    """What the oracle needs of a model."""
    names = ("gamma", "mass", "v_star", "v_prime", "damping")
    return {name: float(getattr(model, name)) for name in names} | {"length": float(model.vectors[0, 0])}


def model(**options):
    """The model of w0/w1 = 0.8."""
    return hof.models.heavy_fermions(**options)
