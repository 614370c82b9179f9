"""Block rings hold the elements of the dense matrix, in another order."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.hamiltonian.bloch import tight_binding_problem
from hofstadter.hamiltonian.rings import block_ring, padding_left_out, ring_layout, ring_rows
from tests import systems

models = hof.models


def long_range():
    """One orbital with bonds to the next three cells."""
    return models.tight_binding([[1, 0], [0, 1]], [[0, 0]], [(1.0, 0, 0, (1, 0)), (0.25j, 0, 0, (1, 3))])


PROBLEMS = {
    "honeycomb": lambda: hof.at_flux(models.honeycomb(t2=0.1, mass=0.2), (13, 50)),
    "random": lambda: hof.at_flux(systems.random_model(1, 3), (4, 31)),
    "padded": lambda: tight_binding_problem(models.kagome(), hof.Flux(3, 35), cells=48),
    "long range": lambda: hof.at_flux(long_range(), (3, 70)),
    "hardly any cells": lambda: tight_binding_problem(long_range(), hof.Flux(1, 2), cells=70),
    "twisted graphene": lambda: hof.at_flux(models.bistritzer_macdonald(), (7, 3), levels=5, bands_per_cell=1),
    "theta functions": lambda: hof.theta_problem(models.bistritzer_macdonald(), (7, 3), levels=5, bands_per_cell=1),
    "electron gas": lambda: hof.at_flux(models.electron_gas(2.0), (40, 3), levels=5, bands_per_cell=1),
}
QUICK = ("honeycomb",)


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in PROBLEMS]
)
def test_elements(name):
    problem = PROBLEMS[name]()
    layout = ring_layout(problem)
    assert layout is not None
    k = jnp.array([0.137, 0.291]) / problem.q
    ring = jax.jit(lambda k: block_ring(problem, layout, k))(k)
    elements = np.asarray(ring.apply(jnp.eye(ring.size, dtype=complex)))
    np.testing.assert_allclose(elements, elements.conj().T, atol=0)
    assert np.abs(elements).sum(axis=1).max() == pytest.approx(float(ring.norm()))
    matrix, rows = np.asarray(problem.matrix(k)), np.asarray(ring_rows(problem, layout))
    inside = rows < ring.size
    scale = np.abs(matrix).max()
    np.testing.assert_allclose(
        elements[np.ix_(rows[inside], rows[inside])], matrix[np.ix_(inside, inside)], atol=1e-13 * scale
    )
    # What is left out, and what the ring has in addition, only pads.
    assert not matrix[np.ix_(inside, ~inside)].any()
    levels = np.linalg.eigvalsh(matrix[np.ix_(inside, inside)])
    outside = np.diag(matrix)[~inside].real
    assert np.sum(outside <= levels[0] + 1e-9) == np.sum(outside < 0) == padding_left_out(problem, layout)
    added = np.setdiff1d(np.arange(ring.size), rows[inside])
    padding = elements[added][:, added]
    assert not elements[np.ix_(added, rows[inside])].any()
    assert np.array_equal(padding, np.diag(np.diag(padding)))
    assert np.all(np.diag(padding).real > levels[-1])


@pytest.mark.slow
def test_what_is_no_ring():
    model = models.bistritzer_macdonald()
    assert ring_layout(hof.at_flux(model, (1, 3), levels=5, bands_per_cell=1)) is None
    assert ring_layout(hof.at_flux(model, 0, plane_waves=9, bands_per_cell=1)) is None
    assert ring_layout(hof.at_flux(models.square(), (1, 2))) is None
    assert ring_layout(hof.at_flux(long_range(), (1, 8))) is None
    assert ring_layout(hof.at_flux(long_range(), (1, 9))) is not None
