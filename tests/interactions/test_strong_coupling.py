"""Exact states of filled flavors against second quantization written out on small tori, their laws, known numbers."""

import functools
import json
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.eigensolver.dense import eigenvalues
from hofstadter.errors import CalculationError, Status
from hofstadter.interactions.charge_edges import charge_gaps, stationary_point
from hofstadter.interactions.coulomb import BareCoulomb, DoubleGateCoulomb, double_gate_coulomb
from hofstadter.interactions.exchange import _filled_exchange, exchange
from hofstadter.interactions.flat_bands import flat_bands, moire_flat_bands
from hofstadter.interactions.form_factors import form_factors, project, transfers
from hofstadter.interactions.neutral import _attraction, _form_factors, neutral_energies
from hofstadter.interactions.strong_coupling import charge_energies, filled_flavors, fluctuation_energy
from tests.continua import to_plain
from tests.oracles import continuum_models, fock_space, peierls
from tests.systems import plain

REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "reference_strong_coupling.json").read_text())["manybody"]
SMALL = REFERENCE["small_case"]
K_THETA = 0.031204274638213132
CUTOFF = SMALL["pcut_over_ktheta"] * K_THETA
OFFSET = tuple(x / (2 * np.pi) for x in SMALL["offset"])
THETA = tuple(2 * x for x in OFFSET)
GRAPHENE = hof.models.bistritzer_macdonald()
REPULSION = double_gate_coulomb(GRAPHENE, separation_nm=10.0, dielectric=6.0)
GAUGES = {"landau": hof.at_flux, "theta": hof.theta_problem}


def repulsion(p):
    """The same, written again: 2π (e²/ε) tanh(ξp/2)/p in meV Å²."""
    strength, separation = 14399.645478 / 6, 100.0
    return np.pi * strength * separation if p == 0 else 2 * np.pi * strength * np.tanh(separation * p / 2) / p


@functools.cache
def graphene(gauge="landau", valleys=1, rotated=False):
    """Twisted bilayer graphene on 2 × 2 momenta, few Landau levels: 16 of each Dirac cone's larger. Four flavors."""
    problems = [
        GAUGES[gauge](
            hof.models.bistritzer_macdonald(valley=valley, rotated_paulis=rotated), 1, levels=levels, bands_per_cell=1
        )
        for valley, levels in ((1, 15), (-1, 16))[:valleys]
    ]
    copies = 4 // valleys
    return flat_bands(problems, (0, 2), REPULSION, copies=copies, points=2, offset=OFFSET, cutoff=CUTOFF)


@functools.cache
def fock_space_of_graphene(kinds, rotated=False):
    """One flavor of each listed kind on the same torus."""
    found = {}
    for kind in set(kinds):
        model = continuum_models.bistritzer_macdonald(valley=(1, -1)[kind], rotate=rotated)
        levels = ([15, 16] * 2, [16, 15] * 2)[kind]
        # Two states of each momentum, in the middle of the spectrum.
        first = 4 * sum(levels) // 2 - 4
        found[kind] = fock_space.continuum(model, 2, 2, 4, levels, THETA, first, 8, CUTOFF)
    return fock_space.FockSpace([found[kind] for kind in kinds], repulsion)


def charged(space, filled, flavor, charge):
    """Energies of one more electron, or one less, in a flavor, above those of the filled flavors."""
    start = space.filled(filled)
    bits = [1 << space.orbital(flavor, state) for state in range(space.size)]
    matrix, outside = space.matrix([start + charge * bit for bit in bits])
    assert outside < 1e-11
    return np.linalg.eigvalsh(matrix) - ground(space, filled)


def moved(space, filled, electron, hole):
    """Energies of an electron moved from one flavor to another."""
    start = space.filled(filled)
    bits = [
        (1 << space.orbital(electron, i)) - (1 << space.orbital(hole, j))
        for i in range(space.size)
        for j in range(space.size)
    ]
    matrix, outside = space.matrix([start + bit for bit in bits])
    assert outside < 1e-11
    return np.linalg.eigvalsh(matrix) - ground(space, filled)


def ground(space, filled):
    """The energy of filled flavors, which are an eigenstate."""
    matrix, outside = space.matrix([space.filled(filled)])
    assert outside < 1e-11
    return matrix[0, 0].real


def same(found, expected, atol=1e-10):
    np.testing.assert_allclose(np.sort(np.ravel(found)), np.sort(np.ravel(expected)), rtol=0, atol=atol)


# Four flavors, of one kind or of two with two flavors each, and which of them are filled.
KINDS = {1: (0, 0, 0, 0), 2: (0, 0, 1, 1)}
FILLED = {-4: (), -2: (0,), 0: (0, 2), 2: (0, 1, 2), 4: (0, 1, 2, 3)}
SLOW = pytest.mark.slow
CASES = [("landau", 1), pytest.param("landau", 2, marks=SLOW), pytest.param("theta", 2, marks=SLOW)]


@pytest.mark.parametrize(("gauge", "valleys"), CASES)
@pytest.mark.parametrize("filling", [0, 2, pytest.param(-2, marks=SLOW)])
def test_charged_excitations_are_those_of_fock_space(gauge, valleys, filling):
    bands, space, filled = graphene(gauge, valleys), fock_space_of_graphene(KINDS[valleys]), FILLED[filling]
    state = filled_flavors(bands, filling)
    for flavor in range(4):
        charge = -1 if flavor in filled else 1
        found = charge_energies(state, KINDS[valleys][flavor], charge)
        same(found, charged(space, filled, flavor, charge))


@pytest.mark.parametrize("filling", FILLED)
def test_energies_of_filled_flavors_are_those_of_fock_space(filling):
    state = filled_flavors(graphene(), filling)
    energy = ground(fock_space_of_graphene(KINDS[1]), FILLED[filling])
    np.testing.assert_allclose(4 * state.energy, energy, rtol=1e-12, atol=1e-10)
    assert state.filling == filling


@pytest.mark.parametrize(
    ("gauge", "valleys", "filling", "electron", "hole"),
    [
        pytest.param("landau", 1, 0, 0, 0, marks=SLOW),
        *(
            pytest.param(gauge, 2, *case, marks=SLOW)
            for gauge in GAUGES
            for case in ((0, 0, 0), (0, 1, 0), (2, 1, 0), (-2, 1, 0))
        ),
    ],
)
def test_neutral_excitations_are_those_of_fock_space(gauge, valleys, filling, electron, hole):
    kinds = KINDS[valleys]
    bands, space, filled = graphene(gauge, valleys), fock_space_of_graphene(kinds), FILLED[filling]
    found = neutral_energies(filled_flavors(bands, filling), electron, hole, bands.k - bands.k[0])
    empty = next(flavor for flavor in range(4) if flavor not in filled and kinds[flavor] == electron)
    full = next(flavor for flavor in filled if kinds[flavor] == hole)
    same(found, moved(space, filled, empty, full))


@pytest.mark.slow
def test_rotated_pauli_matrices_are_those_of_fock_space_too():
    bands, space = graphene(valleys=2, rotated=True), fock_space_of_graphene(KINDS[2], rotated=True)
    state = filled_flavors(bands, 2)
    same(charge_energies(state, 1, 1), charged(space, FILLED[2], 3, 1))
    same(neutral_energies(state, 1, 0, bands.k - bands.k[0]), moved(space, FILLED[2], 3, 0))


def test_small_case_of_the_reference():
    bands = graphene()
    neutral = filled_flavors(bands, 0)
    same(charge_energies(neutral, 0, 1), SMALL["R0_eigs_meV[i][j]"], 1e-9)
    two = filled_flavors(bands, 2)
    same(charge_energies(two, 0, 1), SMALL["nu2: eig(R0+h)"], 1e-8)
    same(charge_energies(two, 0, -1), SMALL["nu2: eig(R0-h)"], 1e-8)
    same(neutral_energies(neutral, 0, 0, jnp.zeros(2)), SMALL["neutral"][0]["all_eigs_meV"], 1e-9)
    amplitudes = np.einsum("gkmm->g", bands.on_mesh[0].vertical).real / 4
    listed = {tuple(np.round(g).astype(int)): a for g, a in zip(np.asarray(bands.reciprocal), amplitudes, strict=True)}
    for index, amplitude in SMALL["hartree_amplitude_A_G_per_cell"]:
        assert listed[tuple(index)] == pytest.approx(amplitude, abs=1e-10)


@pytest.mark.parametrize("gauge", ["landau", pytest.param("theta", marks=SLOW)])
def test_half_filled_flavor_is_no_eigenstate(gauge):
    """The variance of O(p) in the state that fills the lower band of one flavor alone."""
    bands, space = graphene(gauge), fock_space_of_graphene((0,))
    lower = sum(1 << state for state in range(8) if space.tori[0].energies[state] < 0)
    energy, outside = space.matrix([lower])
    assert outside > 1e-2
    mean = 0.0
    for number, p in enumerate(space.tori[0].momenta):
        average = space.density(number, {lower: 1.0}).get(lower, 0.0)
        mean += repulsion(np.linalg.norm(p)) * abs(average) ** 2 / (2 * space.tori[0].area)
    density = jnp.broadcast_to(jnp.diag(jnp.array([1.0, 0.0])), (4, 2, 2)).astype(complex)
    np.testing.assert_allclose(4 * fluctuation_energy(bands, 0, density), energy[0, 0].real - mean, atol=1e-10)
    assert fluctuation_energy(bands, 0, density) > 1
    for filled in (0.0, 1.0):
        whole = jnp.broadcast_to(filled * jnp.eye(2), (4, 2, 2)).astype(complex)
        assert abs(fluctuation_energy(bands, 0, whole)) < 1e-12


@pytest.mark.slow
def test_sum_rules_of_form_factors():
    group = graphene().kinds[0]
    zero = form_factors(group, jnp.zeros((1, 2)))[0]
    np.testing.assert_allclose(zero, np.broadcast_to(np.eye(2), zero.shape), atol=1e-12)
    p = jnp.array([[0.5, 0.0], [0.5, 1.5], [-1.0, 2.0]])
    there, back = form_factors(group, p), form_factors(group, -p)
    for number, step in enumerate(np.asarray(p)):
        moved_k = np.asarray(group.k) + step
        apart = moved_k[:, None] - np.asarray(group.k)[None]
        end = np.abs(apart - np.round(apart)).max(axis=-1).argmin(axis=1)
        np.testing.assert_allclose(there[number].conj().swapaxes(-1, -2), back[number][end], atol=1e-10)


LATTICES = {
    "haldane 1/3": ("haldane", "1/3", (2, 3), (0, 1)),
    "haldane 2/3": ("haldane", "2/3", (2, 3), (0, 2)),
    "square 1/2": ("square", "1/2", (2, 4), (0, 2)),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", LATTICES)
def test_lattice_models_are_those_of_fock_space(case):
    name, flux, (l1, l2), group = LATTICES[case]
    model = hof.models.haldane(t2=0.2, mass=0.1) if name == "haldane" else hof.models.square()
    problem = hof.at_flux(model, flux)
    p, q = int(problem.p), int(problem.q)
    theta, cutoff = (0.3, 0.6), 9.0
    between = DoubleGateCoulomb(0.3, 2.0)
    bands = flat_bands(
        (problem,),
        group,
        between,
        copies=2,
        points=(l1, l2 // q),
        offset=(theta[0] / l1, theta[1] / l2),
        cutoff=cutoff,
    )
    data = plain(model)
    hamiltonian = peierls.torus(data, p, q, l1, l2, theta)
    positions = np.array(
        [(x + np.array([i, j])) @ data.vectors for i in range(l1) for j in range(l2) for x in data.positions]
    )
    count = (group[1] - group[0]) * l1 * l2 // q
    torus = fock_space.lattice(hamiltonian, positions, data.vectors, l1, l2, 0, count, cutoff)
    space = fock_space.FockSpace([torus] * 2, lambda x: float(between(jnp.asarray(x), 0.0)))
    state = filled_flavors(bands, filled=(1,))
    same(charge_energies(state, 0, 1), charged(space, (0,), 1, 1))
    same(charge_energies(state, 0, -1), charged(space, (0,), 0, -1))
    same(neutral_energies(state, 0, 0, bands.k - bands.k[0]), moved(space, (0,), 1, 0))
    full = filled_flavors(bands, filled=(2,))
    same(charge_energies(full, 0, -1), charged(space, (0, 1), 0, -1))


@pytest.mark.slow
@pytest.mark.parametrize(("flux", "torus"), [((2, 1), (2, 1, 4)), ((3, 2), (1, 2, 3)), ((1, 2), (2, 2, 2))])
def test_continuum_models_at_other_fluxes_are_those_of_fock_space(flux, torus):
    """The lowest Landau levels of an electron gas in a strong potential."""
    model = hof.models.electron_gas(2.0)
    p, q = flux
    n1, n2, quanta = torus
    theta, cutoff = (0.3, 0.6), 9.0
    problem = hof.at_flux(model, flux, levels=20, bands_per_cell=3)
    between = DoubleGateCoulomb(0.3, 2.0)
    group = (0, p)
    bands = flat_bands(
        (problem,), group, between, copies=2, points=(n1, n2 // q), offset=(0.3 / n1, 0.6 / n2), cutoff=cutoff
    )
    small = fock_space.continuum(to_plain(model), n1, n2, quanta, [20], theta, 0, quanta, cutoff)
    space = fock_space.FockSpace([small] * 2, lambda x: float(between(jnp.asarray(x), 0.0)))
    state = filled_flavors(bands, filled=(1,))
    same(charge_energies(state, 0, 1), charged(space, (0,), 1, 1))
    same(charge_energies(state, 0, -1), charged(space, (0,), 0, -1))
    same(neutral_energies(state, 0, 0, bands.k - bands.k[0]), moved(space, (0,), 1, 0))


def test_states_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match=r"one of -4, -2, 0, 2, 4, but is 1\. Only complete flavors"):
        filled_flavors(graphene(), 1)
    with pytest.raises(ValueError, match="and not both"):
        filled_flavors(graphene())
    with pytest.raises(ValueError, match="at most"):
        filled_flavors(graphene(), filled=(5,))
    with pytest.raises(ValueError, match="an empty and a filled flavor"):
        neutral_energies(filled_flavors(graphene(), 4), 0, 0, jnp.zeros(2))
    with pytest.raises(ValueError, match="must be between points of the mesh"):
        neutral_energies(filled_flavors(graphene(), 0), 0, 0, jnp.array([0.3, 0.0]))


@pytest.mark.slow
def test_groups_that_touch_other_bands_are_refused():
    """One of the two flat bands touches the other at K, between the points of the mesh."""
    problem = hof.at_flux(GRAPHENE, 1, levels=30, bands_per_cell=1)
    with pytest.raises(CalculationError, match="Bands 0 … 0") as caught:
        flat_bands((problem,), (0, 1), REPULSION, points=4, cutoff=CUTOFF)
    assert caught.value.status == Status.GAP_CLOSED


@pytest.mark.slow
def test_bare_repulsion_is_for_momenta_of_the_mesh():
    problem = hof.at_flux(GRAPHENE, 1, levels=15, bands_per_cell=1)
    bands = flat_bands((problem,), (0, 2), BareCoulomb(REPULSION.strength), points=2, cutoff=CUTOFF)
    with pytest.raises(ValueError, match="finite at p = 0"):
        bands.at(0, jnp.array([0.1, 0.2]))


@pytest.mark.slow
@pytest.mark.parametrize("filling", [0, 2])
def test_any_momentum_is_as_good_as_one_of_the_mesh(filling):
    bands = graphene()
    elsewhere = bands.at(0, bands.k[1:3] + jnp.array([1.0, -2.0]), memory_gb=1e-3)
    found = charge_energies(filled_flavors(bands, filling), 0, 1, elsewhere)
    np.testing.assert_allclose(found, charge_energies(filled_flavors(bands, filling), 0, 1)[1:3], rtol=0, atol=1e-10)


@pytest.fixture(scope="module")
def fine():
    """Flat bands with the mesh, levels and cut-off of the reference."""
    cutoff = 9.5 * K_THETA
    return moire_flat_bands(GRAPHENE, REPULSION, points=12, levels=110, level_rtol=1e-8, cutoff=cutoff)


@pytest.mark.slow
def test_charge_gap_and_masses_of_the_reference(fine):
    assert fine.status == Status.OK
    state = filled_flavors(fine, 0)
    (gap,) = charge_gaps([state])
    assert gap.status == Status.OK
    assert gap.gap == pytest.approx(30.268, abs=5e-4)
    assert gap.electron.degeneracy == gap.hole.degeneracy == 2
    for kind in (0, 1):
        (minimum,) = gap.electron.minima[kind]
        assert np.abs(np.subtract(minimum.k, 0.5)).max() < 1e-6
        assert minimum.energy == pytest.approx(REFERENCE["R0_Gamma_meV"][0], abs=REFERENCE["R0_Gamma_error"])
        np.testing.assert_allclose(minimum.masses, 0.162, atol=5e-4)
    second = stationary_point(state, 0, 1, (0.5, 0.5), branch=1)
    assert second.energy == pytest.approx(REFERENCE["R0_Gamma_meV"][1], abs=REFERENCE["R0_Gamma_error"])
    np.testing.assert_allclose(second.masses, 0.439, atol=5e-4)
    corners = charge_energies(
        state, 0, 1, fine.at(0, jnp.array([[1 / 6, 1 / 6], [5 / 6, 5 / 6], [0.0, 0.0], [0.5, 0.0]]))
    )
    np.testing.assert_allclose(corners, [[19.48, 26.33]] * 2 + [[19.64, 25.43]] * 2, atol=5e-3)


@pytest.mark.slow
def test_two_filled_flavors_more_are_unstable(fine):
    two, minus_two = charge_gaps([filled_flavors(fine, 2), filled_flavors(fine, -2)])
    assert two.status == minus_two.status == Status.UNSTABLE
    assert two.gap == pytest.approx(-1.32, abs=5e-3)
    assert minus_two.gap == pytest.approx(two.gap, abs=1e-6)
    assert (two.electron.degeneracy, two.hole.degeneracy) == (1, 3)
    assert (minus_two.electron.degeneracy, minus_two.hole.degeneracy) == (3, 1)
    # Both minima are at Γ, where Hartree's potential splits the branches by 34 meV.
    for edge in (two.electron, two.hole):
        assert all(np.abs(np.subtract(point.k, 0.5)).max() < 1e-4 for points in edge.minima for point in points)


@pytest.mark.slow
@pytest.mark.parametrize(("ratio", "gap"), [(0.7, 2.28), (0.6, 4.98)])
def test_weaker_tunnelling_within_sublattices_stabilizes_two_more_flavors(ratio, gap):
    model = hof.models.bistritzer_macdonald(w0_over_w1=ratio)
    bands = moire_flat_bands(model, REPULSION, points=8, levels=80, level_rtol=1e-7, rtol=1e-7)
    (found,) = charge_gaps([filled_flavors(bands, 2)])
    assert found.status == Status.OK
    assert found.gap == pytest.approx(gap, abs=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize("rotated", [False, True])
def test_goldstone_modes_and_multiplets(rotated):
    """With the particle-hole symmetry all pairs of flavors have the same spectrum (U(4)), without it valleys split."""
    model = hof.models.bistritzer_macdonald(rotated_paulis=rotated)
    bands = moire_flat_bands(model, REPULSION, points=4, levels=60, level_rtol=1e-5, rtol=1e-6)
    state = filled_flavors(bands, 0)
    momenta = bands.k.reshape(4, 4, 2)[0, :2] - bands.k[0]
    within, between = neutral_energies(state, 0, 0, momenta), neutral_energies(state, 1, 0, momenta)
    assert abs(within[0, 0]) < 1e-9
    assert within[1, 0] > 1
    if rotated:
        assert between[0, 0] == pytest.approx(3.5e-4, abs=1e-5)
    else:
        np.testing.assert_allclose(between, within, rtol=0, atol=1e-5)
        assert abs(between[0, 0]) < 1e-7


@pytest.mark.slow
def test_exchange_energies_have_gradients_by_parameters_of_the_model():
    problem = hof.at_flux(GRAPHENE, 1, levels=15, bands_per_cell=1)
    k = problem.mesh(2, 2) + jnp.asarray(OFFSET)
    first = project(problem, (0, 2), k)
    moves = transfers(first, first, CUTOFF)

    def lowest(ratio):
        model = hof.models.bistritzer_macdonald(w0_over_w1=ratio)
        mesh = project(hof.at_flux(model, 1, levels=15, bands_per_cell=1), (0, 2), k)
        filled = jnp.broadcast_to(jnp.eye(2, dtype=mesh.states.dtype), (4, 2, 2))
        return eigenvalues(exchange(REPULSION, mesh, mesh, filled, moves)[0] / 2)[0]

    step = 1e-4
    difference = (lowest(0.8 + step) - lowest(0.8 - step)) / (2 * step)
    assert jax.grad(lowest)(0.8) == pytest.approx(float(difference), rel=1e-6)


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("platform", ["cpu", "cuda", "tpu"])
@pytest.mark.parametrize("name", ["charges", "off the mesh", "neutral"])
def test_excitations_lower_for_accelerators(platform, name):
    """What states need, as one program; for TPUs in single precision."""
    single = platform == "tpu"
    narrow = {np.dtype(np.float64): np.float32, np.dtype(np.complex128): np.complex64, np.dtype(np.int64): np.int32}
    arrays, static = eqx.partition(filled_flavors(graphene(), 2), eqx.is_array)
    shapes = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, narrow.get(x.dtype, x.dtype) if single else x.dtype), arrays
    )

    def run(arrays):
        state = eqx.combine(arrays, static)
        bands, kind = state.bands, state.bands.kinds[0]
        if name == "charges":
            return charge_energies(state, 0, 1)
        if name == "off the mesh":
            finals, counted = jnp.arange(4)[None], jnp.ones((1, 4), bands.k.dtype)
            cutoff = bands.moves.cutoff
            return _filled_exchange(bands.interaction, kind, kind[:1], finals, counted, bands.reciprocal, cutoff)
        factors, weight = _form_factors(bands.interaction, kind, bands.moves)
        return _attraction(factors, factors, weight, jnp.arange(4)[None])

    with jax.enable_x64(not single):
        text = jax.export.export(jax.jit(run), platforms=[platform])(shapes).mlir_module()
    assert ("f64" in text) != single
