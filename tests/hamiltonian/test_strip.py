"""The strip basis: laws of its matrices, and the same energies as Landau levels, which share no line with it."""

import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter import Flux, models
from hofstadter.hamiltonian.strip import StripProblem

MODELS = {
    "square": models.electron_gas(-3.0),
    "triangular": models.electron_gas(-5.0, lattice="triangular"),
    "oblique": models.continuum(
        [[1.0, 0.1], [0.3, 0.8]], [(1.0, 0, 0, (1, 1)), (0.2 + 0.1j, 0, 0, (2, 0))], [(-2.0 + 0.5j, 0, 0, (1, -1))]
    ),
    "dirac": models.dirac_superlattice(1.0, 0.4, 0.3, 0.1, "triangular"),
    "dirac, other valley": models.dirac_superlattice(1.0, 0.4, 0.3, 0.1, "triangular", valley=-1),
    "graphene": models.bistritzer_macdonald(),
    "graphene, other valley": models.bistritzer_macdonald(valley=-1),
    "double bilayer": models.twisted_double_bilayer(),
    "tmd": models.twisted_tmd(),
}
MORE_CASES = [
    ("triangular", "4/3"),
    ("dirac, other valley", "4/3"),
    *((name, "1/2") for name in ("dirac", "tmd", "graphene")),
]
MORE_CASES += [(name, flux) for name in MODELS for flux in ("1/3", "5/4")]
K = np.array([0.137, 0.291])


def strip(model, flux, waves=8, bands_per_cell=1):
    return StripProblem(model, flux, waves, *model.wanted_bands(flux, bands_per_cell))


def dense(problem, k):
    matrices = problem.pencil(k)
    return matrices.hamiltonian.toarray(), matrices.overlap.toarray()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("flux", [Flux(1, 2), Flux(3, 2)], ids=str)
def test_matrices_are_hermitian_and_of_the_promised_size(name, flux):
    problem = strip(MODELS[name], flux, waves=6)
    hamiltonian, overlap = dense(problem, K)
    assert hamiltonian.shape == overlap.shape == (problem.basis_size,) * 2
    np.testing.assert_allclose(hamiltonian, hamiltonian.conj().T, atol=1e-12 * np.abs(hamiltonian).max())
    np.testing.assert_allclose(overlap, overlap.conj().T, atol=1e-14)
    assert np.linalg.eigvalsh(overlap)[0] > 0


@pytest.mark.parametrize("name", ["oblique", "dirac", "tmd"])
@pytest.mark.parametrize("step", [(1.0, 0.0), (0.0, 1 / 3), (1 / 3, 0.0)])
def test_energies_repeat_over_the_magnetic_zone(name, step):
    """Whole reciprocal vectors leave the matrix's spectrum as it is; 1/q along b1 does so for the wanted bands."""
    problem = strip(MODELS[name], Flux(2, 3), waves=12)
    here, there = np.asarray(hof.solve(problem, jnp.array([K, K + np.array(step)]), states=False).energies)
    np.testing.assert_allclose(here, there, atol=1e-7 * np.ptp(here))


@pytest.mark.parametrize(
    ("name", "flux"),
    [
        ("oblique", "1/2"),
        *(pytest.param(name, flux, marks=pytest.mark.slow) for name, flux in MORE_CASES),
    ],
)
def test_agrees_with_landau_levels(name, flux):
    problem = hof.strip_problem(MODELS[name], flux, bands_per_cell=1, rtol=1e-6)
    landau = hof.at_flux(MODELS[name], flux, bands_per_cell=1, rtol=1e-9)
    k = jnp.array([K, [0.0, 0.0], [0.31, -0.4]]) / problem.flux.q
    found, expected = hof.solve(problem, k, states=False), hof.solve(landau, k, states=False)
    assert (found.status == hof.Status.OK).all()
    # The estimate is that of a probe at another momentum.
    error = np.max(np.abs(found.energies - expected.energies))
    assert error < 5 * problem.cutoff_error + 1e-9 * np.ptp(expected.energies)
    assert problem.cutoff_error <= problem.cutoff_tolerance
    assert problem.reference_filling == landau.reference_filling


@pytest.mark.parametrize("p", [1, 2, 3, 7])
def test_free_electrons_have_landau_levels_of_p_states(p):
    """E = (2n + 1)/ℓ² with 1/ℓ² = 2π p/q, each p-fold: nothing tells the copies apart."""
    problem = hof.strip_problem(models.electron_gas(0.0), (p, 5), waves=12, bands_per_cell=1)
    found = hof.solve(problem, jnp.asarray(K)[None], states=False).energies[0]
    expected = np.repeat((2 * np.arange(5) + 1) * 2 * np.pi * p / 5, p)[: len(found)]
    np.testing.assert_allclose(found, expected, rtol=1e-7)


@pytest.mark.parametrize("valley", [1, -1])
def test_dirac_levels_and_no_spurious_zero_modes(valley):
    """E = ±√(m² + 2n v²/ℓ²) and the zero mode at −m for valley +1, +m for −1."""
    mass, flux = 0.3, Flux(1, 3)
    model = models.dirac_superlattice(potential=0.0, mass=mass, valley=valley)
    problem = hof.strip_problem(model, flux, waves=12, bands_per_cell=2)
    found = np.asarray(hof.solve(problem, jnp.asarray(K)[None] / 3, states=False).energies[0])
    upper = np.sqrt(mass**2 + 4 * np.pi / 3 * np.arange(1, 7))
    zero = -valley * mass
    expected = np.sort(np.concatenate([-upper, [zero], upper]))
    place = int(np.argmin(np.abs(found - zero)))
    center = int(np.argmin(np.abs(expected - zero)))
    reach = min(place, len(found) - 1 - place, center)
    np.testing.assert_allclose(
        found[place - reach : place + reach + 1], expected[center - reach : center + reach + 1], atol=1e-6
    )
    assert problem.reference_filling % 1 == 0.5


def test_zero_modes_of_the_chiral_limit():
    """At the magic angle q + p zero modes on one sublattice and q − p on the other."""
    flux = Flux(1, 2)
    velocity, tunnelling = 5944.0, 110.0
    theta = np.rad2deg(2 * np.arcsin(tunnelling / 0.585663 / velocity / (2 * 4 * np.pi / (3 * 2.46))))
    model = models.bistritzer_macdonald(theta, w0_over_w1=0.0, w1_mev=tunnelling)
    problem = hof.strip_problem(model, flux, bands_per_cell=1, rtol=1e-6)
    narrow = hof.states_below(problem, K / 2, np.array([-0.5, 0.5]))
    assert narrow.tolist() == [-flux.q, flux.q]
