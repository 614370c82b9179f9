"""Preset continuum models: their terms, stored spectra, and the limits that are known."""

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from tests import continua
from tests.oracles import continuum_models as plain
from tests.oracles import plane_waves, strip

DATA = Path(__file__).parents[1] / "data"
REFERENCE = json.loads((DATA / "reference_continuum.json").read_text())
ONE_QUANTUM = json.loads((DATA / "reference_flux_2pi.json").read_text())
models = hof.models

# v k_θ in meV at θ = 1.05°.
VELOCITY_TIMES_K = 5944 * 8 * np.pi / (3 * 2.46) * np.sin(np.deg2rad(1.05) / 2)

# One shape for each kind of model: rows, table, bands.
SCALAR = (256, 176, (0, 6))
DIRAC = (160, 152, (5, 4))
BILAYER = (128, 124, (6, 6))
TMD = (160, 152, (8, 0))


def energies(model, flux, levels, shape, k):
    """Wanted energies at up to five momenta."""
    return continua.energies(continua.assemble("landau", model, flux, levels, *shape), k)


def close(actual, expected, atol):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=atol)


# The terms themselves.


def all_terms(model):
    """Every term and its partner, by indices."""
    kinetic = {term[1:]: complex(term[0]) for term in plain.all_kinetic(model)}
    potential = {term[1:]: complex(term[0]) for term in plain.all_potential(model)}
    return kinetic, potential


def assert_same_model(model, expected):
    model = continua.to_plain(model)
    np.testing.assert_allclose(model.vectors, expected.vectors, rtol=1e-13, atol=1e-12 * abs(expected.vectors).max())
    close(model.offsets, expected.offsets, 1e-13)
    for here, there in zip(all_terms(model), all_terms(expected), strict=True):
        size = max([abs(x) for x in there.values()], default=1)
        for index in {*here, *there}:
            assert abs(here.get(index, 0) - there.get(index, 0)) < 1e-14 * size, index


@pytest.mark.parametrize("lattice", ["square", "triangular"])
def test_terms_of_the_electron_gas(lattice):
    assert_same_model(models.electron_gas(3.0, lattice, hbar2_over_2m=0.5), plain.electron_gas(lattice, 3.0, 0.5))


def test_terms_of_dirac_electrons():
    assert_same_model(models.dirac_superlattice(1.3, 0.7, 0.4, 0.2), plain.dirac(0.7, 0.4, 0.2, 1.3))
    other = models.dirac_superlattice(1.3, 0.7, 0.4, 0.2, valley=-1)
    assert_same_model(other, plain.time_reversed(plain.dirac(0.7, 0.4, 0.2, 1.3)))


@pytest.mark.parametrize("valley", [1, -1])
@pytest.mark.parametrize("rotated", [False, True])
def test_terms_of_twisted_bilayer_graphene(rotated, valley):
    model = models.bistritzer_macdonald(1.1, 100.0, 0.7, 5800.0, rotated_paulis=rotated, valley=valley)
    expected = plain.bistritzer_macdonald(70.0, 100.0, 1.1, 5800.0, rotate=rotated, valley=valley)
    assert_same_model(model, expected)
    assert model.level_offsets == ((0, 1, 0, 1) if valley == 1 else (0, -1, 0, -1))


@pytest.mark.parametrize("material", ["WSe2", "MoTe2", "MoTe2 (Reddy 2023)"])
def test_terms_of_twisted_tmd(material):
    name = {"WSe2": "WSe2_Devakul2021", "MoTe2": "MoTe2_Wu2019", "MoTe2 (Reddy 2023)": "MoTe2_Reddy2023"}[material]
    theta, *parameters = plain.TMD_PARAMETERS[name]
    expected = plain.twisted_tmd(theta, *parameters)
    assert_same_model(models.twisted_tmd(theta, material), expected)
    assert_same_model(models.twisted_homobilayer(theta, *parameters, valley=-1), plain.time_reversed(expected))


def test_the_comparison_of_terms_can_fail():
    for wrong in (
        models.bistritzer_macdonald(valley=-1),
        models.bistritzer_macdonald(rotated_paulis=True),
        models.bistritzer_macdonald(sublattice_mev=1e-9),
    ):
        with pytest.raises(AssertionError):
            assert_same_model(wrong, plain.bistritzer_macdonald())


def test_constants_of_the_layers():
    model = continua.to_plain(models.bistritzer_macdonald(sublattice_mev=3.0, layer_mev=8.0))
    constants = [all_terms(model)[1][c, c, (0, 0)] for c in range(4)]
    assert constants == [7, 1, -1, -7]
    model = continua.to_plain(models.twisted_tmd(layer_mev=5.0))
    assert [all_terms(model)[1][c, c, (0, 0)] for c in range(2)] == [2.5, -2.5]
    model = continua.to_plain(models.twisted_double_bilayer(displacement_mev=6.0, dimer_mev=50.0))
    constants = [all_terms(model)[1][c, c, (0, 0)] for c in range(8)]
    np.testing.assert_allclose(constants, [3, 53, 51, 1, -1, 49, 47, -3])
    other = continua.to_plain(models.twisted_double_bilayer(stacking="AB-BA", displacement_mev=6.0, dimer_mev=50.0))
    constants = [all_terms(other)[1][c, c, (0, 0)] for c in range(8)]
    np.testing.assert_allclose(constants, [3, 53, 51, 1, 49, -1, -3, 47])


def test_a_strained_bilayer():
    """Moiré vectors of two deformed layers, from where their reciprocal vectors differ; strain moves Dirac points."""
    theta, strain, angle = 1.2, 0.004, 25.0
    model = models.bistritzer_macdonald(theta, strain=strain, strain_angle_deg=angle)

    def rotation(degrees):
        c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        return np.array([[c, -s], [s, c]])

    def layer(sign):
        tensor = rotation(angle) @ np.diag([strain, -0.16 * strain]) @ rotation(angle).T * sign / 2
        return rotation(sign * theta / 2) @ (np.eye(2) + tensor)

    graphene = plain.reciprocal(2.46 * np.array([[1, 0], [0.5, np.sqrt(3) / 2]]))
    difference = graphene @ (np.linalg.inv(layer(1)) - np.linalg.inv(layer(-1)))
    moire = plain.area(plain.reciprocal(difference))
    assert abs(float(plain.area(np.asarray(model.vectors))) / moire - 1) < 1e-12
    unstrained = models.bistritzer_macdonald(theta)
    assert abs(np.asarray(model.offsets) - np.asarray(unstrained.offsets)).max() > 0.03
    # Half a turn of the strain axis is the same strain.
    turned = models.bistritzer_macdonald(theta, strain=strain, strain_angle_deg=angle + 180)
    close(turned.offsets, model.offsets, 1e-12)
    # Traced strain 0 is no strain.
    zero = continua.to_plain(models.bistritzer_macdonald(theta, strain=jnp.asarray(0.0)))
    assert_same_model(models.bistritzer_macdonald(theta), zero)


# Stored spectra. Momenta of the file with one flux quantum are in radians. σ = +1 there is the complex conjugate,
# E₊(k) = E(−k) of a real potential; all of these are also even in k.


def name(case):
    return "-".join(str(case[key]) for key in ("lattice", "V", "w", "U", "p", "q", "k", "sigma") if key in case)


@pytest.mark.parametrize("case", REFERENCE["twodeg"]["reference_spectra"], ids=name)
def test_electron_gas(case):
    model = models.electron_gas(case["V"], case["lattice"])
    found = energies(model, (case["p"], case["q"]), case["NLL"], SCALAR, case["k"])[0]
    close(found[: len(case["E"])], case["E"], 1e-10)


@pytest.mark.parametrize("case", REFERENCE["one_quantum"]["scalar"] + ONE_QUANTUM["scalar"]["cases"], ids=name)
def test_electron_gas_at_one_flux_quantum(case):
    height = case["w"] if "w" in case else float(case["V"].removeprefix("cos w="))
    model = models.electron_gas(height / 2, case["lattice"], hbar2_over_2m=0.5)
    k = np.array(case["k"]) / (2 * np.pi)
    for found in energies(model, (1, 1), 110, SCALAR, [k, -k]):
        close(found, case["E"], 2e-11)
        if "E_peierls_real_space" in case:
            close(found[:4], case["E_peierls_real_space"], 1e-11)


@pytest.mark.parametrize("case", REFERENCE["dirac"]["reference_spectra"], ids=name)
def test_dirac_electrons(case):
    model = models.dirac_superlattice(1.0, case["U"], case["Mz"], case["m"])
    found = energies(model, (case["p"], case["q"]), case["NLL_B"] - 1, DIRAC, case["k"])[0]
    expected = np.array(case["E_around_neutrality"])
    # Of 2N − 1 states the N-th is the fifth wanted one; the file counts states from 0.
    first = case["index_first"] - (case["NLL_B"] - 1) + 4 if len(expected) < 9 else 0
    close(found[first : first + len(expected)], expected, 2e-10)


@pytest.mark.parametrize("case", REFERENCE["one_quantum"]["bm_0.8"]["points"], ids=lambda case: case["name"])
def test_twisted_bilayer_graphene_at_one_flux_quantum(case):
    k = np.array(case["k"]) / (2 * np.pi)
    for found in energies(models.bistritzer_macdonald(), (1, 1), 118, BILAYER, [k, -k]):
        close(found[3:9], case["E"], 5e-11)


@pytest.mark.parametrize("flux", ["1/1", "1/2", pytest.param("1/4", marks=pytest.mark.slow)])
def test_twisted_bilayer_graphene(flux):
    p, q = map(int, flux.split("/"))
    shape = BILAYER if q < 4 else (256, 252, (6, 6))
    for case in REFERENCE["bm_0.8"]["flux"][flux]["points"]:
        expected = case["E_remote_below"] + case["E_narrow"] + case["E_remote_above"]
        found = energies(models.bistritzer_macdonald(), (p, q), 60 * q, shape, case["k"])[0]
        half = len(expected) // 2
        # The file keeps one level less.
        close(found[6 - half : 6 + half], expected, 5e-6)


def test_rotated_pauli_matrices_open_a_gap_at_neutrality():
    expected = REFERENCE["one_quantum"]["bm_0.8"]["rotated"]
    model = models.bistritzer_macdonald(rotated_paulis=True)
    k = np.array([(1 / 6, 1 / 6), (0.5, 0.5), (0.13, 0.29)])
    at_k, at_gamma, _ = found = energies(model, (1, 1), 100, BILAYER, k)
    assert abs(at_k[6] - at_k[5] - expected["split_at_K"]) < 5e-4
    gaps = [at_k[7] - at_gamma[6], at_gamma[5] - at_k[4]]
    close(gaps, expected["gaps_to_remote"], 5e-3)
    # The other valley in the same field is the image under half a turn.
    other = models.bistritzer_macdonald(rotated_paulis=True, valley=-1)
    close(energies(other, (1, 1), 101, BILAYER, -k), found, 1e-9)


@pytest.mark.parametrize("flux", ["1/1", "1/2"])
def test_twisted_tmd(flux):
    p, q = map(int, flux.split("/"))
    case = REFERENCE["tmd"]["WSe2_Devakul2021"]["flux"][flux]
    found = energies(models.twisted_tmd(), (p, q), case["NLL"], TMD, case["k"])[0][::-1]
    # The file took ħ²/2mₑ larger by 3e-9.
    close(found[: len(case["E_top"])], case["E_top"], 1.5e-7)


# Limits.


def zero_modes(model, flux, k, levels):
    """Number of states at zero energy and their weights on both sublattices, and the next energy."""
    problem = continua.assemble("landau", model, flux, levels, *BILAYER)
    values, states = np.linalg.eigh(np.asarray(continua.matrices(problem, continua.five(k)))[0])
    zero = np.flatnonzero(abs(values) < 1e-5)
    weight = np.sum(abs(states[:, zero].reshape(2, 2, problem.rows, -1)) ** 2, axis=(0, 2, 3))
    return len(zero), weight, np.sort(abs(values))[len(zero)]


MAGIC = ONE_QUANTUM["chiral"]["alpha_2pi_flux_gap_closing_at_(pi,pi)"]


@pytest.mark.parametrize(
    ("alpha", "flux", "k", "on_a", "on_b"),
    [
        (0.45, (1, 2), (0.13, 0.29), 0, 2),
        (0.45, (2, 3), (0.13, 0.29), 0, 4),
        (MAGIC, (1, 2), (0.13, 0.29), 1, 3),
        (MAGIC, (2, 3), (0.13, 0.29), 1, 5),
        # At one flux quantum the additional pair is at Γ = (1/2, 1/2) only.
        (MAGIC, (1, 1), (0.13, 0.29), 0, 2),
        (MAGIC, (1, 1), (0.5, 0.5), 1, 3),
        (MAGIC + 1e-3, (1, 1), (0.5, 0.5), 0, 2),
    ],
)
def test_zero_modes_of_the_chiral_limit(alpha, flux, k, on_a, on_b):
    """The index is 2p for any tunnelling; at the magic angle q + p modes live on B and q − p on A."""
    model = models.bistritzer_macdonald(1.05, alpha * VELOCITY_TIMES_K, 0.0)
    count, weight, gap = zero_modes(model, flux, k, 120 // flux[0])
    assert count == on_a + on_b
    close(weight, [on_a, on_b], 1e-9)
    assert gap > 0.1


@pytest.mark.slow
def test_a_trilayer_is_a_bilayer_and_a_dirac_cone():
    """Without a displacement field, exactly, for any number of levels."""
    trilayer = models.twisted_trilayer(1.54, 110.0, 0.8)
    bilayer = models.bistritzer_macdonald(1.54, 110.0 * np.sqrt(2), 0.8)
    k, levels = (0.13, 0.29), 15

    def all_energies(model):
        problem = continua.assemble("landau", model, (1, 1), levels, 16, 16, (1, 1))
        rows = continua.kept(problem)
        return np.linalg.eigvalsh(np.asarray(continua.matrices(problem, continua.five(k)))[0][np.ix_(rows, rows)])

    unit = 5944.0 * np.sqrt(4 * np.pi / float(plain.area(np.asarray(trilayer.vectors))))
    cone = unit * np.sqrt(np.arange(1, levels + 1))
    expected = np.sort(np.concatenate([all_energies(bilayer), cone, -cone, [0.0]]))
    close(all_energies(trilayer), expected, 1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("stacking", ["AB-AB", "AB-BA"])
def test_double_bilayer_on_a_strip(stacking):
    """Eight components, trigonal warping and electron-hole asymmetry; the cut-off makes no zero modes."""
    model = models.twisted_double_bilayer(stacking=stacking, displacement_mev=10.0)
    found = energies(model, (1, 1), 110, (128, 116, (4, 4)), (0.13, 0.29))[0]
    expected = strip.physical_energies(continua.to_plain(model), 1, 1, (0.13, 0.29), points=12)
    expected = continua.around(expected, found[0] - 1e-3, found[-1] + 1e-3)
    close(found, expected, 1e-5)


def weyl_operators(p, q, k):
    """X = exp(ib1·R) and Y = exp(ib2·R), and exp(i(b1 + b2)·R), at momentum k."""
    s = np.arange(p)
    x = np.diag(np.exp(-2j * np.pi * (s + q * k[1]) / p))
    y = np.roll(np.eye(p), q, axis=0) * np.exp(2j * np.pi * q * k[0] / p)
    return x, y, np.exp(1j * np.pi * q / p) * x @ y


@pytest.mark.parametrize("lattice", ["square", "triangular"])
@pytest.mark.parametrize("flux", [(2, 1), (3, 2)], ids=str)
def test_weak_potentials_split_landau_levels_like_hofstadter(flux, lattice):
    """Langbein's duality: a Landau level at flux p/q is a Harper model at q/p, scaled by exp(−x/2) L_n(x)."""
    p, q = flux
    k = np.array([0.13, 0.29])
    waves = weyl_operators(p, q, k)[: 2 if lattice == "square" else 3]
    harper = np.linalg.eigvalsh(sum(wave + wave.conj().T for wave in waves))
    if lattice == "square":
        # The same from the package's own lattice model, k1 and k2 exchanged.
        problem = hof.at_flux(models.square(-1.0), (q, p))
        close(hof.solve(problem, jnp.asarray(k[::-1] * q / p), states=False).energies, harper, 1e-12)
    area = 1.0 if lattice == "square" else np.sqrt(3) / 2
    inverse_length2 = 2 * np.pi * p / q / area
    x = np.pi * q / p * (1 if lattice == "square" else 2 / np.sqrt(3))
    strength = 1e-4
    up = energies(models.electron_gas(strength, lattice), flux, 20, SCALAR, k)[0]
    down = energies(models.electron_gas(-strength, lattice), flux, 20, SCALAR, k)[0]
    for n, laguerre in ((0, 1.0), (1, 1 - x))[: 6 // p]:
        # The part odd in the potential; the next one is smaller by (V ℓ²)².
        level = slice(n * p, (n + 1) * p)
        odd = (np.sort(up[level]) - np.sort(down[level])[::-1] if laguerre else 0) / (2 * strength)
        close(odd, np.sort(np.exp(-x / 2) * laguerre * harper), 1e-8)
        close((up[level] + down[level]).mean() / 2, (2 * n + 1) * inverse_length2, 1e-7)


def peierls_error(strength, flux):
    """Largest deviation over the width, of the lowest band in a field from the tight-binding model of zero field."""
    size = 8
    model = models.electron_gas(strength, "square")
    oracle = plain.electron_gas("square", strength)
    band = np.array(
        [[plane_waves.energies(oracle, (i / size, j / size), 5)[0] for j in range(size)] for i in range(size)]
    )
    # E(k) = Σ_R t_R exp(2πi k·R).
    t = np.fft.fft2(band).real / size**2
    reach = [(r1, r2) for r1 in range(4) for r2 in range(-3, 4) if r1 > 0 or r2 > 0]
    hops = [(float(t[r1, r2]), 0, 0, (r1, r2)) for r1, r2 in reach] + [(float(t[0, 0]), 0, 0, (0, 0))]
    lattice = hof.at_flux(models.tight_binding(np.eye(2), [[0.0, 0.0]], hops), flux)
    k = jnp.asarray([(0.0, 0.0), (0.05, 0.11), (0.5 / flux[1], 0.5 / flux[1])])
    expected = np.asarray(hof.solve(lattice, k, states=False).energies)
    found = energies(model, flux, 170, SCALAR, k)[:, : flux[1]]
    shift = (found - expected).mean()
    return abs(found - expected - shift).max() / np.ptp(expected), shift


@pytest.mark.slow
def test_deep_potentials_are_tight_binding():
    """The lowest band follows Peierls' substitution up to a uniform diamagnetic shift; the better the deeper."""
    (shallow, _), (deep, shift) = (peierls_error(v, (1, 3)) for v in (-24.7, -49.3))
    assert deep < 0.7 * shallow < 0.7 * 0.012
    assert shift > 0


@pytest.mark.slow
def test_low_fields_make_landau_levels_of_the_band_bottom():
    """E_n = E_min + (n + 1/2) ω with ω = 2π (p/q) ∂²E/∂k², from the zero-field band; corrections are of order B²."""
    oracle = plain.electron_gas("square", -3.0)
    step = 0.01
    line = [plane_waves.energies(oracle, (x, 0.0), 5)[0] for x in (-step, 0.0, step)]
    # Per (2π)², as k is reduced: ω = (∂²E/∂k_x²)/ℓ².
    mass = (line[0] - 2 * line[1] + line[2]) / (2 * np.pi * step) ** 2
    errors = []
    for q in (8, 16):
        omega = mass * 2 * np.pi / q
        found = energies(models.electron_gas(-3.0), (1, q), 24 * q, (400, 384, (0, 6)), (0.0, 0.0))[0]
        errors.append(abs(found[:2] - line[1] - (np.arange(2) + 0.5) * omega).max() / omega)
    assert errors[1] < 0.06
    assert errors[1] < 0.6 * errors[0]


# What a wrong argument says.


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: models.electron_gas(lattice="squre"), r"Argument `lattice` must be \"square\" or \"triangular\", but"),
        (lambda: models.dirac_superlattice(lattice="hex"), r"Argument `lattice` must be"),
        (lambda: models.dirac_superlattice(valley=2), r"Argument `valley` must be \+1 or −1, but is 2"),
        (lambda: models.bistritzer_macdonald(valley=0), r"Argument `valley` must be \+1 or −1, but is 0"),
        (lambda: models.twisted_tmd(material="WSe"), r"Argument `material` must be one of WSe2, MoTe2"),
        (lambda: models.twisted_double_bilayer(stacking="AA"), r"Argument `stacking` must be"),
        (lambda: models.bistritzer_macdonald(float("nan")), r"must be finite"),
        (lambda: models.bistritzer_macdonald(0.2, strain=0.02), r"Argument `strain` must be small against the twist"),
        (lambda: models.twisted_tmd(0.0), r"must be"),
    ],
)
@pytest.mark.usefixtures("unchecked_types")
def test_wrong_arguments(build, message):
    with pytest.raises(ValueError, match=message):
        build()
