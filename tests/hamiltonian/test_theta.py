"""The theta-function basis by itself; its laws and its agreement with the other basis are in test_landau.py."""

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.hamiltonian.theta import theta_problem
from tests import continua

REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "reference_flux_2pi.json").read_text())
CELLS = REFERENCE["theta"]["lattices"]


@pytest.fixture(scope="module")
def free():
    """Free electrons at one flux quantum, by the name of their lattice."""
    models = {name: hof.models.continuum(cell, [(1.0, 0, 0, (1, 1))], []) for name, cell in CELLS.items()}
    return {name: continua.assemble("theta", model, (1, 1), 16, 16, 16, (0, 4)) for name, model in models.items()}


def stored(case, q, k, vectors):
    """⟨k, m| exp(−iq·r) |k + q, n⟩ as the package has it: σ = −1.

    Complex conjugation reverses the field: M₊(k, q) = (−1)^(m−n) M₋(−k, −q)*, so the cases with σ = +1 are read at
    −k and −q.
    """
    m = np.array(case["M_re"]) + 1j * np.array(case["M_im"])
    if case["sigma"] == 1:
        levels = np.arange(4)
        m, q, k = m.conj() * (-1.0) ** (levels[:, None] - levels), -q, -k
    return m, k / (2 * np.pi), vectors @ q / (2 * np.pi)


@pytest.mark.parametrize("kind", ["cases", "reciprocal"])
def test_plane_waves_by_quadrature_in_real_space(kind, free):
    """Whole matrices with their gauge, the same as in Herzog-Arbeitman, Chew and Bernevig (2022)."""
    for case in REFERENCE["formfactors"][kind]:
        vectors = np.array(CELLS[case["lattice"]])
        reciprocal = 2 * np.pi * np.linalg.inv(vectors).T
        q = np.array(case["q_cart"]) if kind == "cases" else np.array(case["G"]) @ reciprocal
        expected, k, dk = stored(case, q, np.array(case["k"]), vectors)
        wave = continua.waves(free[case["lattice"]], continua.five(k), continua.five(dk))[0]
        np.testing.assert_allclose(np.asarray(wave)[:4, :4], expected, rtol=0, atol=2e-14)


def test_vortex_of_a_landau_level(free):
    """The basis is periodic, so its phase winds once, by its Chern number, around the zero of the theta function."""
    problem, angles = free["hex60"], np.linspace(0, 2 * np.pi, 101)
    circle = 0.5 + 0.05 * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    phases = []
    for point in np.array_split(circle, 21):
        dk = continua.five(circle[0]) + jnp.asarray([0.31, 0.17]) - continua.five(point)
        phases.append(np.asarray(continua.waves(problem, continua.five(point), dk))[: len(point), 0, 0])
    phases = np.unwrap(np.angle(np.concatenate(phases)))
    assert abs(abs(phases[-1] - phases[0]) - 2 * np.pi) < 0.5
    small = 0.3 + (circle - 0.5)
    wave = continua.waves(problem, continua.five(small[0]), continua.five(small[7] - small[0]))
    assert np.all(np.isfinite(np.asarray(wave)))


def test_momenta_at_the_zero_are_ordinary(free):
    """At k = K + (1/2, 1/2) the phase of the basis is a choice; matrices are finite and spectra continuous."""
    wave = np.asarray(continua.waves(free["square"], continua.five([0.5, 0.5]), continua.five([0.1, 0.2])))[0]
    assert np.all(np.isfinite(wave))
    back = np.asarray(continua.waves(free["square"], continua.five([0.6, 0.7]), continua.five([-0.1, -0.2])))[0]
    np.testing.assert_allclose(back, wave.conj().T, rtol=0, atol=1e-13)


def test_one_flux_quantum_by_default():
    model = hof.models.electron_gas(0.2)
    problem = continua.quickly_compiled(lambda model: theta_problem(model, levels=4, bands_per_cell=1))(model)
    assert (problem.flux, int(problem.levels)) == (hof.Flux(1, 1), 4)


@pytest.mark.parametrize("flux", [0, (-1, 2), "-1"])
def test_flux_must_be_positive(flux):
    with pytest.raises(ValueError, match=r"Argument `flux` must be positive for a theta-function basis, but is"):
        theta_problem(hof.models.electron_gas(), flux)
