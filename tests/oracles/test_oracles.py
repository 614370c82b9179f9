"""The oracles of continuum models against stored numbers, and against each other."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.oracles import continuum_models as models
from tests.oracles import flux_torus, peierls_grid, plane_waves, strip

REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "reference_continuum.json").read_text())
TWODEG = REFERENCE["twodeg"]["reference_spectra"]
DIRAC = REFERENCE["dirac"]["reference_spectra"]
BM = REFERENCE["bm_0.8"]
TMD = REFERENCE["tmd"]["WSe2_Devakul2021"]
ONE_QUANTUM = REFERENCE["one_quantum"]


def name(case):
    if "w" in case:
        return f"{case['lattice']}-{case['w']}-{case['k'][0]:.2f}"
    return "-".join(str(case[key]) for key in ("lattice", "U", "p", "q") if key in case)


def around_zero(energies, count):
    """The 2·count energies nearest to the middle of the spectrum."""
    middle = len(energies) // 2
    return energies[middle - count : middle + count]


def between(energies, low, high):
    return energies[(energies > low) & (energies < high)]


def oblique():
    """Every kind of term at once: oblique cell, offsets that fit nothing, second and third order, complex waves."""
    offsets = np.array([[0.2, -0.1], [0.2, -0.1], [-0.15, 0.3]])
    kinetic = [
        (1.0, 0, 0, (1, 1)),
        (1.2, 1, 1, (1, 1)),
        (0.9, 2, 2, (1, 1)),
        (0.3 + 0.2j, 0, 1, (0, 2)),
        (0.5j, 0, 1, (1, 0)),
        (0.1 - 0.2j, 2, 2, (1, 0)),
        (0.02, 2, 2, (3, 0)),
        (0.01, 2, 2, (2, 2)),
    ]
    potential = [
        (0.7, 1, 1, (0, 0)),
        (1.1 + 0.4j, 0, 0, (1, 0)),
        (-0.8j, 1, 1, (1, -1)),
        (0.6, 2, 2, (0, 1)),
        (1.3 - 0.5j, 0, 2, (0, 0)),
        (0.9j, 0, 2, (-1, 1)),
        (0.4, 2, 1, (1, 2)),
        (0.5 + 0.1j, 0, 1, (0, 1)),
    ]
    return models.Model(np.array([[1.1, 0.2], [-0.3, 0.9]]), offsets, kinetic, potential)


# The strip.


@pytest.mark.parametrize("case", TWODEG, ids=name)
def test_strip_of_the_electron_gas(case):
    model = models.electron_gas(case["lattice"], case["V"])
    energies = strip.energies(model, case["p"], case["q"], case["k"], points=11)
    # The references have 10 digits after the point.
    np.testing.assert_allclose(energies[: len(case["E"])], case["E"], rtol=0, atol=1e-10)


@pytest.mark.parametrize("case", ONE_QUANTUM["scalar"], ids=name)
def test_strip_at_one_flux_quantum(case):
    model = models.electron_gas(case["lattice"], case["w"] / 2, c=0.5)
    energies = strip.energies(model, 1, 1, np.array(case["k"]) / (2 * np.pi), points=13)
    np.testing.assert_allclose(energies[:6], case["E"], rtol=0, atol=3e-11)


@pytest.mark.parametrize("case", DIRAC, ids=name)
def test_strip_of_dirac_electrons(case):
    model = models.dirac(case["U"], case["Mz"], case["m"])
    reference = np.array(case["E_around_neutrality"])
    args = model, case["p"], case["q"], case["k"]
    energies = strip.physical_energies(*args, points=10)
    inside = between(energies, reference[0] - 0.2, reference[-1] + 0.2)
    # Accuracy of the references, which keep 75 levels: 2e-8 for U = 1, 3e-10 for U = 0.7.
    np.testing.assert_allclose(inside, reference, rtol=0, atol=3e-8 if case["U"] == 1.0 else 5e-10)
    # All energies of the grid hold the true ones, and one spurious one for each of the p flux quanta.
    everything = strip.energies(*args, points=10)
    assert abs(everything[:, None] - reference).min(axis=0).max() < 3e-8


@pytest.mark.parametrize("case", ONE_QUANTUM["bm_0.8"]["points"], ids=lambda case: case["name"])
def test_strip_of_twisted_bilayer_graphene(case):
    energies = strip.physical_energies(
        models.bistritzer_macdonald(), 1, 1, np.array(case["k"]) / (2 * np.pi), points=13
    )
    reference = np.array(case["E"])
    inside = between(energies, reference[0] - 5, reference[-1] + 5)
    np.testing.assert_allclose(inside, reference, rtol=0, atol=1e-8)


@pytest.mark.parametrize("flux", ["1/1", pytest.param("1/2", marks=pytest.mark.slow)])
def test_strip_of_twisted_bilayer_graphene_at_two_fluxes(flux):
    p, q = (int(part) for part in flux.split("/"))
    for point in BM["flux"][flux]["points"]:
        reference = np.array(point["E_remote_below"] + point["E_narrow"] + point["E_remote_above"])
        points = 12 if q == 1 else 11
        energies = strip.physical_energies(models.bistritzer_macdonald(), p, q, point["k"], points)
        inside = between(energies, reference[0] - 2, reference[-1] + 2)
        # 60 q/p levels in the references: 5e-6 in the remote bands.
        np.testing.assert_allclose(inside, reference, rtol=0, atol=1e-5)


def test_rotated_pauli_matrices_split_the_narrow_bands():
    """The splitting at K and the indirect gaps above and below, each known to the digits that are written."""
    expected = ONE_QUANTUM["bm_0.8"]["rotated"]
    model = models.bistritzer_macdonald(rotate=True)
    at_k = between(strip.physical_energies(model, 1, 1, (1 / 6, 1 / 6), 11), -60, 60)
    at_gamma = between(strip.physical_energies(model, 1, 1, (0.5, 0.5), 11), -60, 60)
    assert len(at_k) == 4
    assert len(at_gamma) == 2
    assert abs(at_k[2] - at_k[1] - expected["split_at_K"]) < 5e-4
    np.testing.assert_allclose(
        [at_k[3] - at_gamma[1], at_gamma[0] - at_k[0]], expected["gaps_to_remote"], rtol=0, atol=5e-3
    )


@pytest.mark.parametrize("flux", ["1/1", "1/2"])
def test_strip_of_twisted_tmd(flux):
    p, q = (int(part) for part in flux.split("/"))
    model = models.twisted_tmd(*models.TMD_PARAMETERS["WSe2_Devakul2021"])
    case = TMD["flux"][flux]
    energies = strip.energies(model, p, q, case["k"], points=11)[::-1]
    # The references took ħ²/2mₑ larger by 3e-9.
    np.testing.assert_allclose(energies[: len(case["E_top"])], case["E_top"], rtol=0, atol=1.5e-7)


def test_strip_of_free_electrons():
    """Landau levels (2n + 1)/ℓ² of π², and n² + n + 1/2 for the Weyl-ordered square in units of (2/ℓ²)²."""
    p, q = 2, 3
    inverse_length2 = 2 * np.pi * p / q / models.area(oblique().vectors)
    n = np.repeat(np.arange(4), p)
    for power, expected in (
        (1, (2 * n + 1) * inverse_length2),
        (2, 4 * (n**2 + n + 0.5) * inverse_length2**2),
    ):
        model = models.Model(oblique().vectors, np.array([[0.4, -0.7]]), [(1.0, 0, 0, (power, power))], [])
        energies = strip.energies(model, p, q, (0.13, 0.29), points=12)
        np.testing.assert_allclose(energies[: len(n)], expected, rtol=1e-10)


def test_strip_is_hermitian_and_periodic():
    model = oblique()
    h = strip.hamiltonian(model, 2, 3, (0.13, 0.29), points=8)
    np.testing.assert_allclose(h, h.conj().T, rtol=0, atol=1e-11)
    here = np.linalg.eigvalsh(h)[:10]
    for k in ((1.13, 0.29), (0.13 + 1 / 3, 0.29), (0.13, 0.29 + 1 / 3)):
        np.testing.assert_allclose(strip.energies(model, 2, 3, k, points=8)[:10], here, rtol=0, atol=1e-5)


# Plane waves.


@pytest.mark.parametrize(("point", "k"), [("Gamma", (0, 0)), ("M", (0.5, 0)), ("K", (1 / 3, 1 / 3))])
def test_plane_waves_of_twisted_bilayer_graphene(point, k):
    energies = around_zero(plane_waves.energies(models.bistritzer_macdonald(), k, cutoff=6), 3)
    np.testing.assert_allclose(energies, ONE_QUANTUM["bm_0.8"]["zero_field"][point], rtol=0, atol=1e-9)
    np.testing.assert_allclose(energies, BM["zero_field"][point], rtol=0, atol=5e-6)


def test_plane_waves_of_twisted_tmd():
    model = models.twisted_tmd(*models.TMD_PARAMETERS["WSe2_Devakul2021"])
    corners = model.offsets @ model.vectors.T / (2 * np.pi)
    for point, k in (("Gamma", (0, 0)), ("M", (0.5, 0)), ("kappa+", corners[0]), ("kappa-", corners[1])):
        energies = plane_waves.energies(model, k, cutoff=5)[::-1][:4]
        np.testing.assert_allclose(energies, TMD["zero_field_top4"][point], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("material", "expected"),
    [
        pytest.param("WSe2_Devakul2021", [1, 1, 1], marks=pytest.mark.slow),
        pytest.param("MoTe2_Wu2019", [-1, 1, 0], marks=pytest.mark.slow),
        ("MoTe2_Reddy2023", [-1, -1, 2]),
    ],
)
def test_chern_numbers_of_twisted_tmd(material, expected):
    model = models.twisted_tmd(*models.TMD_PARAMETERS[material])
    for band, number in enumerate(expected):
        value, _, _ = plane_waves.chern(model, first=-1 - band, count=1, mesh=12, cutoff=3)
        assert abs(value - number) < 1e-3


def test_chern_number_of_a_group_is_the_sum():
    model = models.twisted_tmd(*models.TMD_PARAMETERS["MoTe2_Reddy2023"])
    value, _, _ = plane_waves.chern(model, first=-2, count=2, mesh=10, cutoff=3)
    assert abs(value + 2) < 1e-3


@pytest.mark.parametrize("rotate", [False, True])
def test_other_valley_is_the_complex_conjugate(rotate):
    k = np.array([0.13, 0.29])
    model = models.bistritzer_macdonald(rotate=rotate)
    other = models.bistritzer_macdonald(rotate=rotate, valley=-1)
    here = plane_waves.energies(model, k, 3)
    np.testing.assert_allclose(plane_waves.energies(other, -k, 3), here, rtol=0, atol=1e-9)
    h = plane_waves.hamiltonian(models.time_reversed(model), k, 3)
    np.testing.assert_allclose(h, plane_waves.hamiltonian(other, k, 3), rtol=0, atol=1e-9)
    # In the same field it is the image under a half turn about z.
    here = between(strip.physical_energies(model, 1, 1, k, 11), -100, 100)
    there = between(strip.physical_energies(other, 1, 1, -k, 11), -100, 100)
    np.testing.assert_allclose(there, here, rtol=0, atol=1e-8)


# The torus.


def test_displacement_in_three_ways():
    (stored,) = REFERENCE["mtg"]["displacement"]
    z = complex(*stored["z"])
    expected = np.array(stored["D_5x5"]) @ [1, 1j]
    np.testing.assert_allclose(flux_torus.displacement(z, 5, 5), expected, rtol=0, atol=1e-12)
    for z in (0.3 - 0.1j, 5 - 2j, -3.3 + 6j):
        closed = flux_torus.displacement(z, 60, 50)
        np.testing.assert_allclose(closed, flux_torus.displacement_by_exponential(z, 60, 50, 200), rtol=0, atol=1e-13)


TORI = [(2, 1, 2), (1, 2, 1), (2, 2, 2), (1, 3, 2), (1, 2, 3)]


def compare_torus(model, torus, levels, points, low, high, atol, on_strip=None):
    """Energies of the torus in a window are those of the strip at all momenta of the torus, with multiplicity.

    `on_strip` puts another model on the strip than on the torus.
    """
    theta = (0.3, 0.7)
    n1, n2, quanta = torus
    energies = between(flux_torus.energies(model, n1, n2, quanta, levels, theta), low, high)
    divisor = np.gcd(n1 * n2, quanta)
    p, q = quanta // divisor, n1 * n2 // divisor
    momenta = flux_torus.momenta(n1, n2, quanta, theta)
    strips = [strip.physical_energies(on_strip or model, p, q, k, points, fraction=0.6) for k in momenta]
    expected = between(np.sort(np.concatenate(strips)), low, high)
    assert len(expected) > 2
    assert energies.shape == expected.shape
    np.testing.assert_allclose(energies, expected, rtol=0, atol=atol)


@pytest.mark.parametrize("torus", TORI, ids=str)
@pytest.mark.parametrize("lattice", ["square", "triangular"])
def test_torus_of_the_electron_gas(lattice, torus):
    compare_torus(models.electron_gas(lattice, 3.0), torus, [100], 11, -np.inf, 22.0, 1e-10)


@pytest.mark.parametrize("torus", TORI, ids=str)
def test_torus_of_every_kind_of_term(torus):
    levels = round(50 * torus[0] * torus[1] / torus[2])
    compare_torus(oblique(), torus, [levels] * 3, 8, -np.inf, 18.0, 5e-9)


def test_torus_of_dirac_electrons():
    compare_torus(models.dirac(0.7, 0.4, 0.3), (2, 1, 2), [79, 80], 11, -4.5, 4.5, 1e-9)


@pytest.mark.parametrize("valley", [1, -1])
def test_torus_of_twisted_bilayer_graphene(valley):
    model = models.bistritzer_macdonald(rotate=True, valley=valley)
    levels = [84, 85, 84, 85] if valley == 1 else [85, 84, 85, 84]
    compare_torus(model, (2, 1, 2), levels, 13, -80, 80, 1e-8)


def test_torus_of_twisted_tmd():
    model = models.twisted_tmd(*models.TMD_PARAMETERS["MoTe2_Reddy2023"])
    compare_torus(model, (1, 2, 3), [60, 60], 11, -10, np.inf, 1e-10)


def test_comparison_fails_on_a_wrong_sign():
    """Offsets of the wrong sign and complex conjugate waves are seen."""
    model = oblique()
    conjugate = [(np.conj(v), alpha, beta, m) for v, alpha, beta, m in model.potential]
    for wrong in (model._replace(offsets=-model.offsets), model._replace(potential=conjugate)):
        with pytest.raises(AssertionError):
            compare_torus(model, (1, 1, 1), [60] * 3, 9, -np.inf, 18.0, 1e-2, on_strip=wrong)


# The grid in real space.


@pytest.mark.parametrize("case", TWODEG, ids=name)
def test_grid_in_real_space(case):
    model = models.electron_gas(case["lattice"], case["V"])
    energies = peierls_grid.energies(model, case["p"], case["q"], case["k"], len(case["E"]))
    np.testing.assert_allclose(energies, case["E"], rtol=0, atol=1e-9)


def test_grid_of_an_oblique_cell():
    potential = [(1.5 + 0.5j, 0, 0, (1, 0)), (-1.0j, 0, 0, (0, 1)), (0.7, 0, 0, (1, -1))]
    model = models.Model(oblique().vectors, np.zeros((1, 2)), [(1.0, 0, 0, (1, 1))], potential)
    grid = peierls_grid.energies(model, 2, 3, (0.13, 0.29), 4)
    np.testing.assert_allclose(grid, strip.energies(model, 2, 3, (0.13, 0.29), 11)[:4], rtol=0, atol=1e-8)
