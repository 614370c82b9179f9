import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.models.tight_binding import Number
from tests import systems
from tests.oracles import bonds, fukui, peierls

models = hof.models
ROOT3 = np.sqrt(3)

# Preset, and its shells: (bond length, amplitude, pairs of orbitals or None for all). Every hop of the model
# must be on one of the shells with this amplitude, and every bond of a shell must be a hop.
SHELLS = {
    "square": (
        lambda: models.square(1.1, 0.3, 0.2),
        [(1, -1.1, None), (np.sqrt(2), -0.3, None), (2, -0.2, None)],
    ),
    "rectangular": (
        lambda: models.rectangular(1.1, 0.6, length1=1.3, length2=0.7),
        [(1.3, -1.1, None), (0.7, -0.6, None)],
    ),
    "triangular": (lambda: models.triangular(1.1, 0.3), [(1, -1.1, None), (ROOT3, -0.3, None)]),
    "honeycomb": (
        lambda: models.honeycomb(1.1, 0.3, 0.2),
        [(1 / ROOT3, -1.1, None), (1, -0.3, None), (2 / ROOT3, -0.2, None)],
    ),
    "kagome": (lambda: models.kagome(1.1, 0.3), [(0.5, -1.1, None), (ROOT3 / 2, -0.3, None)]),
    "lieb": (lambda: models.lieb(1.1), [(0.5, -1.1, None)]),
    "dice": (lambda: models.dice(1.1), [(1 / ROOT3, -1.1, [{0, 1}, {0, 2}])]),
    "edge_centered_honeycomb": (lambda: models.edge_centered_honeycomb(1.1), [(0.5 / ROOT3, -1.1, None)]),
    "checkerboard": (
        lambda: models.checkerboard(1.1, 0.4, 0.4),
        [(np.sqrt(0.5), -1.1, None), (1, -0.4, None)],
    ),
    "rashba": (lambda: models.rashba(1.1, 0.0), [(1, -1.1, [{0}, {1}])]),
}


def directed(model):
    """Amplitude of every directed hop (i, j, R1, R2), partners included."""
    return {tuple(hop): amplitude for amplitude, *hop in peierls.both_directions(systems.plain(model))}


def displacements(model):
    """Cartesian vector of every directed hop, from source to target."""
    vectors, positions = np.asarray(model.vectors), np.asarray(model.positions)
    return {hop: bonds.displacement(vectors, positions, hop) for hop in directed(model)}


def zero_field(model, k):
    return systems.energies(model, (0, 1), k)


def cosines(k, *cells):
    """cos(2π k·R) for each cell R."""
    return [np.cos(2 * np.pi * (k @ np.array(cell))) for cell in cells]


def honeycomb_sum(k):
    """|1 + e^{ik·a1} + e^{ik·a2}|."""
    return abs(1 + np.exp(2j * np.pi * k[:, 0]) + np.exp(2j * np.pi * k[:, 1]))


@pytest.fixture
def k(rng):
    return rng.uniform(-1, 1, (8, 2))


@pytest.mark.parametrize("name", SHELLS)
def test_hops_are_the_shells_of_neighbors(name):
    build, shells = SHELLS[name]
    model = build()
    expected = {}
    for distance, amplitude, pairs in shells:
        for bond in bonds.at_distance(np.asarray(model.vectors), np.asarray(model.positions), distance):
            if pairs is None or {bond[0], bond[1]} in pairs:
                expected[bond] = amplitude
    found = directed(model)
    assert set(found) == set(expected)
    assert len(model.hops) == len(expected) // 2
    np.testing.assert_allclose([found[bond] - expected[bond] for bond in found], 0, atol=1e-15)


@pytest.mark.parametrize("name", models.TIGHT_BINDING_PRESETS)
def test_default_arguments_are_an_energy_scale_of_one(name):
    model = models.PRESETS[name]()
    assert model.name == name
    assert np.max(np.abs(model.amplitudes)) == pytest.approx(1, abs=0.7)
    assert float(hof.lattice.cell_area(model.vectors)) > 0


def test_the_table_has_every_preset():
    assert {system.build().name for system in systems.SYSTEMS} == set(models.TIGHT_BINDING_PRESETS)
    assert set(models.TIGHT_BINDING_PRESETS) <= set(models.__all__)


def test_cells_have_the_documented_shape():
    def lengths_and_angle(model):
        a1, a2 = np.asarray(model.vectors)
        return (
            np.linalg.norm(a1),
            np.linalg.norm(a2),
            np.degrees(np.arccos(a1 @ a2 / np.linalg.norm(a1) / np.linalg.norm(a2))),
        )

    for name in ("square", "lieb", "checkerboard", "kapit_mueller", "rashba"):
        np.testing.assert_allclose(lengths_and_angle(models.PRESETS[name]()), (1, 1, 90), atol=1e-12)
    for name in ("triangular", "honeycomb", "haldane", "kagome", "dice", "edge_centered_honeycomb"):
        np.testing.assert_allclose(lengths_and_angle(models.PRESETS[name]()), (1, 1, 60), atol=1e-12)
    np.testing.assert_allclose(
        lengths_and_angle(models.rectangular(length1=2.0, length2=0.5)), (2, 0.5, 90), atol=1e-12
    )
    np.testing.assert_allclose(
        lengths_and_angle(models.oblique(length2=1.5, angle_deg=110.0)), (1, 1.5, 110), atol=1e-12
    )


def test_oblique_hops_go_along_a1_a2_and_their_difference():
    model = models.oblique(1.1, 0.6, 0.3, length2=1.4, angle_deg=100.0)
    a1, a2 = np.asarray(model.vectors)
    for hop, d in displacements(model).items():
        along = {-1.1: a1, -0.6: a2, -0.3: a1 - a2}[directed(model)[hop].real]
        assert min(np.linalg.norm(d - along), np.linalg.norm(d + along)) < 1e-12
    assert len(model.hops) == 3


def test_lieb_dimerization_strengthens_the_bonds_towards_plus_x_and_plus_y():
    model = models.lieb(1.1, 0.25, 0.7)
    np.testing.assert_array_equal(model.onsite, [0.7, 0, 0])
    for hop, d in displacements(model).items():
        outward = d if hop[1] == 0 else -d  # away from the corner
        np.testing.assert_allclose(directed(model)[hop], -1.1 * (1.25 if outward.sum() > 0 else 0.75), atol=1e-15)


def test_haldane_phase_has_the_documented_direction():
    phase = 0.7
    model = models.haldane(1.1, 0.3, phase, 0.2)
    a1, a2 = np.asarray(model.vectors)
    np.testing.assert_array_equal(model.onsite, [0.2, -0.2])
    found = directed(model)
    second = {hop: d for hop, d in displacements(model).items() if hop[0] == hop[1]}
    assert len(second) == 12
    for hop, d in second.items():
        forward = any(np.linalg.norm(d - along) < 1e-12 for along in (a1, -a2, a2 - a1))
        sign = (1 if forward else -1) * (1 if hop[0] == 0 else -1)
        np.testing.assert_allclose(found[hop], -0.3 * np.exp(1j * sign * phase), atol=1e-15)
    nearest = [hop for hop in found if hop[0] != hop[1]]
    assert {round(np.linalg.norm(displacements(model)[hop]) * ROOT3, 12) for hop in nearest} == {1.0}


def test_checkerboard_crosses_its_second_neighbors():
    model = models.checkerboard(1.1, 0.4, 0.2, phase=0.3)
    found = directed(model)
    for hop, d in displacements(model).items():
        i, j = hop[:2]
        if i == j:
            along_a1 = abs(d[0]) > 0.5
            np.testing.assert_allclose(found[hop], -0.4 if along_a1 == (i == 0) else -0.2, atol=1e-15)
        else:
            np.testing.assert_allclose([np.linalg.norm(d), abs(found[hop])], [np.sqrt(0.5), 1.1], atol=1e-15)
    # The four bonds around a plaquette enclose the flux 4 phase, opposite in neighboring plaquettes; both
    # loops run clockwise, A → B → A → B, around the bonds from (0, 0) to a1 and to a2.
    right = found[0, 1, 0, 0] * found[1, 0, 1, 0] * found[0, 1, -1, -1] * found[1, 0, 0, 1] / 1.1**4
    up = found[0, 1, -1, 0] * found[1, 0, 1, 1] * found[0, 1, 0, -1] * found[1, 0, 0, 0] / 1.1**4
    np.testing.assert_allclose(abs(np.angle(right)), 1.2, atol=1e-14)
    np.testing.assert_allclose(up, np.conj(right), atol=1e-14)


def test_kapit_mueller_amplitudes():
    model = models.kapit_mueller(0.3, t=1.5, max_range=3)
    found = directed(model)
    assert len(found) == 7 * 7 - 1
    for hop, (x, y) in displacements(model).items():
        sign = (-1) ** round(x + y + x * y)
        np.testing.assert_allclose(found[hop], 1.5 * sign * np.exp(-0.35 * np.pi * (x * x + y * y)), rtol=1e-13)


@pytest.mark.parametrize(("flux", "p", "q"), [(0.25, 1, 4), (0.5, 1, 2), (0.4, 2, 5)])
def test_kapit_mueller_lowest_bands_are_exactly_flat(flux, p, q, k):
    energies = systems.energies(models.kapit_mueller(flux, t=1.5), (p, q), k)
    np.testing.assert_allclose(energies[:, :p], -1.5, atol=1e-12)
    assert np.all(energies[:, p] > -1.4)


def test_kapit_mueller_is_flat_at_its_own_flux_only(k):
    energies = systems.energies(models.kapit_mueller(0.25), (1, 5), k)
    assert np.ptp(energies[:, 0]) > 1e-6


def test_square_and_rectangular_bands(k):
    c1, c2, plus, minus, d1, d2 = cosines(k, (1, 0), (0, 1), (1, 1), (1, -1), (2, 0), (0, 2))
    expected = -2.2 * (c1 + c2) - 0.6 * (plus + minus) - 0.4 * (d1 + d2)
    np.testing.assert_allclose(zero_field(models.square(1.1, 0.3, 0.2), k)[:, 0], expected, atol=1e-14)
    expected = -2.2 * c1 - 0.6 * c2
    np.testing.assert_allclose(zero_field(models.rectangular(1.1, 0.3, length2=2.0), k)[:, 0], expected, atol=1e-14)
    expected = -2.2 * c1 - 0.6 * c2 - 0.4 * minus
    np.testing.assert_allclose(zero_field(models.oblique(1.1, 0.3, 0.2), k)[:, 0], expected, atol=1e-14)


def test_triangular_bands(k):
    c1, c2, c3, s1, s2, s3 = cosines(k, (1, 0), (0, 1), (1, -1), (1, 1), (2, -1), (-1, 2))
    expected = -2.2 * (c1 + c2 + c3) - 0.6 * (s1 + s2 + s3)
    np.testing.assert_allclose(zero_field(models.triangular(1.1, 0.3), k)[:, 0], expected, atol=1e-14)


def test_honeycomb_bands(k):
    second = sum(cosines(k, (1, 0), (0, 1), (1, -1)))
    root = np.sqrt((1.1 * honeycomb_sum(k)) ** 2 + 0.2**2)
    expected = np.stack([-0.6 * second - root, -0.6 * second + root], axis=1)
    np.testing.assert_allclose(zero_field(models.honeycomb(1.1, 0.3, mass=0.2), k), expected, atol=1e-13)
    # Third neighbors against the explicit sum over distances.
    vectors = np.array([[1, 0], [0.5, ROOT3 / 2]])
    positions = np.array([[0, 0], [1 / 3, 1 / 3]])
    hops = []
    for distance, t in ((1 / ROOT3, 1.1), (2 / ROOT3, 0.4)):
        hops += [(-t, *bond) for bond in bonds.at_distance(vectors, positions, distance) if bond[0] == 0]
    oracle = peierls.Model(vectors, positions, np.zeros(2), hops)
    expected = [np.linalg.eigvalsh(peierls.zero_field(oracle, point)) for point in k]
    np.testing.assert_allclose(zero_field(models.honeycomb(1.1, t3=0.4), k), expected, atol=1e-13)


def test_haldane_bands(k):
    phase, mass = 0.7, 0.2
    angles = 2 * np.pi * k @ np.array([[1, 0], [0, -1], [-1, 1]]).T
    a = mass - 0.6 * np.cos(angles - phase).sum(axis=1)
    b = -mass - 0.6 * np.cos(angles + phase).sum(axis=1)
    root = np.sqrt(((a - b) / 2) ** 2 + (1.1 * honeycomb_sum(k)) ** 2)
    expected = np.stack([(a + b) / 2 - root, (a + b) / 2 + root], axis=1)
    np.testing.assert_allclose(zero_field(models.haldane(1.1, 0.3, phase, mass), k), expected, atol=1e-13)


def test_kagome_flat_band(k):
    root = honeycomb_sum(k)
    expected = np.stack([1.1 * (-1 - root), 1.1 * (-1 + root), np.full(len(k), 2.2)], axis=1)
    np.testing.assert_allclose(zero_field(models.kagome(1.1), k), expected, atol=1e-13)


def test_lieb_bands(k):
    c1, c2 = cosines(k, (0.5, 0), (0, 0.5))
    root = 2.2 * np.sqrt(c1**2 + c2**2)
    expected = np.stack([-root, 0 * root, root], axis=1)
    np.testing.assert_allclose(zero_field(models.lieb(1.1), k), expected, atol=1e-13)
    square = sum(c**2 + 0.25**2 * (1 - c**2) for c in (c1, c2))
    root = np.sqrt(0.35**2 + 2.2**2 * square)
    expected = np.stack([0.35 - root, 0 * root, 0.35 + root], axis=1)
    np.testing.assert_allclose(zero_field(models.lieb(1.1, 0.25, 0.7), k), expected, atol=1e-13)


def test_dice_bands(k):
    root = 1.1 * np.sqrt(2) * honeycomb_sum(k)
    np.testing.assert_allclose(zero_field(models.dice(1.1), k), np.stack([-root, 0 * root, root], axis=1), atol=1e-13)


def test_edge_centered_honeycomb_bands(k):
    low, high = (1.1 * np.sqrt(3 + sign * honeycomb_sum(k)) for sign in (-1, 1))
    expected = np.stack([-high, -low, 0 * low, low, high], axis=1)
    np.testing.assert_allclose(zero_field(models.edge_centered_honeycomb(1.1), k), expected, atol=1e-13)


def test_checkerboard_flat_band(k):
    c1, c2 = cosines(k, (1, 0), (0, 1))
    expected = np.stack([-2 - 2 * (c1 + c2), np.full(len(k), 2.0)], axis=1)
    np.testing.assert_allclose(zero_field(models.checkerboard(), k), np.sort(expected, axis=1), atol=1e-13)


def test_rashba_bands(k):
    t, strength, h = 1.1, 0.4, np.array([0.15, -0.25, 0.3])
    k1, k2 = 2 * np.pi * k.T
    # iλ Σ_d (σ × d)_z exp(−ik·d) over d = ±x, ±y is 2λ (σ_x sin k2 − σ_y sin k1).
    root = np.sqrt((h[0] + 2 * strength * np.sin(k2)) ** 2 + (h[1] - 2 * strength * np.sin(k1)) ** 2 + h[2] ** 2)
    center = -2 * t * (np.cos(k1) + np.cos(k2))
    model = models.rashba(t, strength, zeeman=h[2], zeeman_x=h[0], zeeman_y=h[1])
    np.testing.assert_allclose(zero_field(model, k), np.stack([center - root, center + root], axis=1), atol=1e-13)
    for hop, amplitude in directed(model).items():
        i, j, r1, r2 = hop
        np.testing.assert_allclose(directed(model)[j, i, -r1, -r2], np.conj(amplitude), atol=0)


@pytest.mark.parametrize("h", [(0.0, 0.0, 0.3), (0.15, -0.25, 0.3)])
def test_zeeman_splitting_in_a_field(h, k):
    model = models.rashba(1.1, 0.0, zeeman_x=h[0], zeeman_y=h[1], zeeman=h[2])
    square = systems.energies(models.square(1.1), (2, 5), k)
    split = np.linalg.norm(h)
    expected = np.sort(np.concatenate([square - split, square + split], axis=1), axis=1)
    np.testing.assert_allclose(systems.energies(model, (2, 5), k), expected, atol=1e-13)


def lowest_band_chern(model, n=12):
    """Zero-field Chern number of the lowest band, on an n × n mesh."""
    k = systems.reduced_mesh(1, n)
    _, states = np.linalg.eigh(systems.matrices(model, (0, 1), k))
    return fukui.chern(states[:, :, :1].reshape(n, n, -1, 1), np.asarray(model.positions), 1, 1)


@pytest.mark.parametrize(
    ("t2", "phase", "mass", "expected"),
    [
        (0.15, np.pi / 2, 0.0, -1),
        (0.15, 1.0, 0.0, -1),
        (0.15, -np.pi / 2, 0.0, 1),
        (-0.15, np.pi / 2, 0.0, 1),
        (0.15, np.pi / 2, 0.6, -1),
        (0.15, np.pi / 2, -0.6, -1),
        (0.15, np.pi / 2, 1.0, 0),
        (0.15, 1.0, -0.9, 0),
    ],
)
def test_haldane_chern_number(t2, phase, mass, expected):
    chern, largest = lowest_band_chern(models.haldane(1.0, t2, phase, mass))
    np.testing.assert_allclose(chern, expected, atol=1e-10)
    assert largest < 0.8


def test_checkerboard_chern_number():
    found = [lowest_band_chern(models.checkerboard(1.0, 0.5, -0.5, phase=sign * np.pi / 4))[0] for sign in (1, -1)]
    np.testing.assert_allclose(np.abs(found), 1, atol=1e-10)
    np.testing.assert_allclose(sum(found), 0, atol=1e-10)


def numeric_arguments(preset):
    """The arguments that the preset's signature says may be traced."""
    return [p.name for p in inspect.signature(preset).parameters.values() if p.annotation == Number]


@pytest.mark.parametrize("name", models.TIGHT_BINDING_PRESETS)
def test_traced_arguments_give_the_same_model(name):
    preset = models.PRESETS[name]
    arguments = {argument: 0.2 + 0.1 * n for n, argument in enumerate(numeric_arguments(preset))}
    assert arguments
    plain, traced = preset(**arguments), jax.jit(preset)(**{a: jnp.asarray(v) for a, v in arguments.items()})
    assert traced.hops == plain.hops
    for left, right in zip(jax.tree.leaves(traced), jax.tree.leaves(plain), strict=True):
        assert left.dtype == right.dtype
        np.testing.assert_allclose(left, right, rtol=1e-14, atol=1e-15)


def test_traced_zeros_keep_their_hops_and_change_nothing(k):
    traced = jax.jit(models.honeycomb)(1.0, 0.0, 0.0, 0.0)
    plain = models.honeycomb(1.0, 0.0, 0.0, 0.0)
    assert (len(traced.hops), len(plain.hops)) == (12, 3)
    np.testing.assert_allclose(systems.energies(traced, (1, 3), k), systems.energies(plain, (1, 3), k), atol=1e-14)


def test_bad_arguments():
    for angle in (0.0, 180.0, -30.0):
        with pytest.raises(ValueError, match=rf"Argument `angle_deg` must be between 0 and 180, but is {angle}\."):
            models.oblique(angle_deg=angle)
    with pytest.raises(ValueError, match=r"Argument `max_range` must be at least 1, but is 0\."):
        models.kapit_mueller(max_range=0)
    with pytest.raises(ValueError, match=r"Argument `vectors` must be right-handed"):
        models.rectangular(length2=-1.0)
