"""Continuum models at zero field."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.hamiltonian import plane_waves
from tests import continua
from tests.oracles import plane_waves as oracle

REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "reference_continuum.json").read_text())
models = hof.models
K = np.array([0.13, 0.29])
BANDS = (0, 4)


@continua.quickly_compiled
def matrices(problem, k):
    return problem.matrix(k)


def assemble(model, waves, bands):
    """A basis of given size, not judged."""
    return plane_waves._assemble(model, waves, bands)


def energies(problem, k):
    wanted = slice(problem.first_band, problem.first_band + problem.returned_bands)
    return np.linalg.eigvalsh(matrices(problem, continua.five(k))[: np.size(k) // 2])[:, wanted]


@pytest.fixture(scope="module")
def general():
    return assemble(continua.general(), 61, BANDS)


def test_hermitian_and_periodic(general):
    steps = np.array([(0, 0), (1, 0), (0, 1), (-3, 2), (5, 0)])
    h = np.asarray(matrices(general, jnp.asarray(K + steps)))
    np.testing.assert_allclose(h, h.conj().swapaxes(1, 2), rtol=0, atol=0)
    np.testing.assert_allclose(h, np.broadcast_to(h[0], h.shape), rtol=1e-13, atol=1e-12)


@pytest.mark.parametrize("seed", [0, 1])
def test_every_kind_of_term(seed):
    """Against loops over plane waves, in a larger basis around another center."""
    model = continua.general(seed)
    exact = oracle.energies(continua.to_plain(model), K, cutoff=5.5)[:4]
    np.testing.assert_allclose(energies(assemble(model, 61, BANDS), K)[0], exact, rtol=0, atol=1e-5)


def test_other_valley_has_the_spectrum_at_minus_k(general):
    other = assemble(models.time_reversed(continua.general()), 61, BANDS)
    np.testing.assert_allclose(energies(other, -K), energies(general, K), rtol=0, atol=1e-11)
    assert abs(energies(other, K) - energies(general, K)).max() > 1e-2


def test_plane_waves_move_between_zones(general):
    """⟨k|exp(−i dk·r)|k + dk⟩ is 1 inside of a zone, and shifts G across its edge; states of low momentum follow."""
    waves = jax.jit(lambda problem, k, dk: problem.plane_wave(k, dk))
    k, dk = continua.five([(0.1, 0.1), (0.5, 0.44), (1.5, -0.56), (0.5, 0.44)]), np.array([0.04, 0.05])
    w = np.asarray(waves(general, k, continua.five(dk)))
    assert general.basis_size == 183
    np.testing.assert_array_equal(w[0], np.eye(183))
    np.testing.assert_array_equal(w[1], w[2])
    assert abs(w[1] - np.eye(183)).max() == 1
    back = np.asarray(waves(general, k + dk, continua.five(-dk)))
    np.testing.assert_array_equal(back, w.conj().swapaxes(1, 2))
    # Energies vary little over a small step, and so do states: overlaps of neighbors are near one at the edge too.
    states = np.linalg.eigh(np.asarray(matrices(general, continua.five([(0.5, 0.44), (0.54, 0.49)]))))[1][:2, :, :1]
    inside = np.linalg.eigh(np.asarray(matrices(general, continua.five([(0.4, 0.34), (0.44, 0.39)]))))[1][:2, :, :1]
    across = abs(states[0].conj().T @ w[1] @ states[1])
    assert across > 0.95
    assert abs(inside[0].conj().T @ inside[1]) > 0.9
    assert abs(states[0].conj().T @ states[1]) < 0.5
    np.testing.assert_array_equal(general.shift_k1(k[0], jnp.asarray(states[0])), states[0])


def test_free_electrons():
    model = models.electron_gas(0.0, "triangular")
    b1, b2 = 2 * np.pi * np.array([[1, -1 / np.sqrt(3)], [0, 2 / np.sqrt(3)]])
    index = np.stack(np.meshgrid(range(-3, 4), range(-3, 4)), axis=-1).reshape(-1, 2) + K
    expected = np.sort(np.sum((index @ np.array([b1, b2])) ** 2, axis=1))
    problem = hof.at_flux(model, 0, plane_waves=37, bands_per_cell=6)
    np.testing.assert_allclose(hof.solve(problem, jnp.asarray(K), states=False).energies, expected[:6], rtol=1e-13)
    assert (problem.flux, int(problem.size), int(problem.bands)) == (hof.Flux(0, 1), 37, 6)
    assert problem.cutoff_error < 1e-12


@pytest.mark.parametrize(("point", "k"), [("Gamma", (0, 0)), ("M", (0.5, 0)), ("K", (1 / 3, 1 / 3))])
def test_twisted_bilayer_graphene(point, k):
    problem = assemble(models.bistritzer_macdonald(), 127, (3, 3))
    found = energies(problem, k)[0]
    np.testing.assert_allclose(found, REFERENCE["one_quantum"]["bm_0.8"]["zero_field"][point], rtol=0, atol=1e-9)
    np.testing.assert_allclose(found, REFERENCE["bm_0.8"]["zero_field"][point], rtol=0, atol=5e-6)
    assert float(problem.reference_filling) == 3


def test_twisted_tmd():
    problem = assemble(models.twisted_tmd(), 91, (4, 0))
    points = {"Gamma": (0, 0), "M": (0.5, 0), "kappa+": (-2 / 3, -1 / 3), "kappa-": (-1 / 3, 1 / 3)}
    found = energies(problem, list(points.values()))[:, ::-1]
    expected = [REFERENCE["tmd"]["WSe2_Devakul2021"]["zero_field_top4"][point] for point in points]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_too_few_plane_waves():
    model = models.electron_gas()
    with pytest.raises(ValueError, match=r"Argument `plane_waves` must be at least 6 to hold the 6 wanted bands, but"):
        hof.at_flux(model, 0, plane_waves=5)
    with pytest.raises(ValueError, match=r"Argument `plane_waves` must be given while the model is traced"):
        jax.jit(lambda v: hof.at_flux(models.electron_gas(v), 0).potential)(1.0)
    problem = hof.at_flux(model, 0, plane_waves=7, bands_per_cell=2)
    assert hof.Status(int(problem.basis_status)) == hof.Status.CUTOFF_TOO_LOW
    with pytest.raises(hof.CalculationError, match="wanted bands still move"):
        hof.solve(problem, jnp.asarray(K), throw=True)
