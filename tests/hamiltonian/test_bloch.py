"""The magnetic Bloch matrix of a tight-binding model: independent oracles, and what must not change it."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hofstadter as hof
from hofstadter.magnetic import gauge, translations
from tests import strategies, systems
from tests.oracles import peierls

CELLS = systems.CELLS


def assert_is_the_peierls_hamiltonian(matrix, model, flux, k):
    """Compare with the bare-site oracle; the package's basis T(a2)^m |τ⟩ is a known phase on every site."""
    oracle, (p, q) = systems.plain(model), flux
    phases = peierls.translated_site_phases(oracle, p, q)
    expected = phases.conj()[:, None] * peierls.bloch(oracle, p, q, k) * phases
    np.testing.assert_allclose(matrix, expected, atol=1e-11)


@pytest.mark.parametrize("name", systems.MODEL_NAMES)
def test_equals_the_peierls_hamiltonian_on_bare_sites(name, rng):
    model = systems.build(name)
    for flux in systems.FLUXES:
        k = rng.uniform(-1, 1, 2)
        assert_is_the_peierls_hamiltonian(systems.matrices(model, flux, k)[0], model, flux, k)


@given(strategies.recipes(), strategies.fluxes(), strategies.momenta())
def test_equals_the_peierls_hamiltonian_of_random_models(recipe, flux, k):
    model = systems.random_model(*recipe)
    assert_is_the_peierls_hamiltonian(systems.matrices(model, flux, k)[0], model, flux, k)


@pytest.mark.parametrize(("flux", "l1", "l2"), [((1, 3), 2, 3), ((-3, 2), 3, 4), ((5, 4), 1, 4)])
@pytest.mark.parametrize("name", systems.MODEL_NAMES)
def test_bloch_bands_are_the_spectrum_of_a_torus(name, flux, l1, l2, rng):
    model, (p, q) = systems.build(name), flux
    theta = rng.uniform(size=2)
    torus = peierls.torus(systems.plain(model), p, q, l1, l2, theta)
    np.testing.assert_allclose(torus, torus.conj().T, atol=1e-12)
    bands = systems.energies(model, flux, peierls.torus_momenta(q, l1, l2, theta))
    np.testing.assert_allclose(np.sort(bands.ravel()), np.linalg.eigvalsh(torus), atol=1e-11)


@pytest.mark.parametrize("name", ["haldane", "kagome", "random_1", "random_2"])
def test_the_torus_may_be_cut_the_other_way(name, rng):
    # A torus of 2q × 2 cells has no magnetic cell a1 × q a2. Energies depend on q k only, so that the T(a2)
    # sectors are the momenta k2 = (θ2 + j)/2 and T(q a1) fixes q k1 = (θ1 + j)/2.
    model, (p, q) = systems.build(name), (2, 3)
    theta = rng.uniform(size=2)
    torus = peierls.torus(systems.plain(model), p, q, 2 * q, 2, theta)
    k = [((theta[0] + i) / 2 / q, (theta[1] + j) / 2) for i in range(2) for j in range(2)]
    bands = systems.energies(model, (p, q), k)
    np.testing.assert_allclose(np.sort(bands.ravel()), np.linalg.eigvalsh(torus), atol=1e-11)


@pytest.mark.parametrize("name", systems.MODEL_NAMES)
def test_zero_flux_is_the_ordinary_bloch_hamiltonian(name, rng):
    model = systems.build(name)
    oracle = systems.plain(model)
    k = rng.uniform(-1, 1, (4, 2))
    expected = [peierls.zero_field(oracle, point) for point in k]
    np.testing.assert_allclose(systems.matrices(model, (0, 1), k), expected, atol=1e-12)


def test_the_comparison_notices_a_wrong_seam_phase(monkeypatch):
    # Without R2 τ1 the magnetic cell closes with exp(2πi q k2 J) for every orbital: right on lattice points
    # only.
    right = gauge.peierls_area

    def without_seam(target, source, translation):
        return right(target, source, translation) - translation[:, 1].astype(float) * source[:, 0]

    k = np.array([0.13, 0.29])
    for model, noticed in ((hof.models.square(1.0, 0.3), False), (hof.models.haldane(), True)):
        problem = hof.at_flux(model, (2, 5))
        with monkeypatch.context() as patch:
            patch.setattr(gauge, "peierls_area", without_seam)
            wrong = jax.jit(lambda k, problem=problem: problem.matrix(k))(jnp.asarray(k))
        if noticed:
            with pytest.raises(AssertionError):
                assert_is_the_peierls_hamiltonian(wrong, model, (2, 5), k)
        else:
            assert_is_the_peierls_hamiltonian(wrong, model, (2, 5), k)


def test_the_comparison_notices_the_wrong_sign_of_the_field():
    model, k = systems.random_model(1, 0), np.array([0.13, 0.29])
    with pytest.raises(AssertionError):
        assert_is_the_peierls_hamiltonian(systems.matrices(model, (-1, 3), k)[0], model, (1, 3), k)


@given(strategies.recipes(), strategies.fluxes(), strategies.momenta())
def test_hermitian(recipe, flux, k):
    (h,) = systems.matrices(systems.random_model(*recipe), flux, k)
    np.testing.assert_allclose(h, h.conj().T, rtol=0, atol=1e-15)


@given(strategies.recipes(), strategies.fluxes(), strategies.momenta())
def test_periodic_over_the_magnetic_zone(recipe, flux, k):
    q = flux[1]
    here, next1, next2 = systems.matrices(
        systems.random_model(*recipe), flux, [k, np.add(k, [1, 0]), np.add(k, [0, 1 / q])]
    )
    np.testing.assert_allclose(next1, here, atol=1e-12)
    np.testing.assert_allclose(next2, here, atol=1e-12)


@given(strategies.recipes(), strategies.fluxes(), strategies.momenta())
def test_spectrum_repeats_in_the_reduced_zone(recipe, flux, k):
    q = flux[1]
    here, next1, both = systems.energies(
        systems.random_model(*recipe), flux, [k, np.add(k, [1 / q, 0]), np.add(k, [-1 / q, 1 / q])]
    )
    np.testing.assert_allclose(next1, here, atol=1e-11)
    np.testing.assert_allclose(both, here, atol=1e-11)


@pytest.mark.parametrize("cells", [5, 6, 9])
def test_padding_lies_above_the_bands(cells):
    model, flux, k = systems.random_model(2, 7), hof.Flux(2, 5), jnp.array([[0.1, 0.2], [0.7, -0.4]])
    exact = np.linalg.eigvalsh(systems.matrix(hof.at_flux(model, flux), k))
    problem = hof.at_flux(model, flux, cells=cells)
    matrix = np.asarray(systems.matrix(problem, k))
    padded = np.linalg.eigvalsh(matrix)
    assert (problem.basis_size, int(problem.bands), exact.shape[-1]) == (3 * cells, 15, 15)
    np.testing.assert_allclose(padded[:, :15], exact, atol=1e-12)
    assert np.all(padded[:, 15:] > exact.max())
    # Nothing couples to the padding, so that states keep exact zeros there.
    assert not matrix[:, :15, 15:].any()
    np.testing.assert_array_equal(matrix[:, 15:, 15:], matrix[0, -1, -1] * np.eye(3 * cells - 15)[None].repeat(2, 0))


@given(strategies.recipes(), strategies.fluxes(), strategies.momenta(), strategies.momenta())
def test_moving_the_origin_moves_k(recipe, flux, k, d):
    # T(d) H T(d)† is the model at positions + d, and T(a) T(d) = exp(i d×a/ℓ²) T(d) T(a) gives the new
    # momentum.
    p, q = flux
    model = systems.random_model(*recipe)
    moved = eqx.tree_at(lambda m: m.positions, model, model.positions + jnp.asarray([d], float))
    (here,) = systems.energies(model, flux, k)
    (there,) = systems.energies(moved, flux, (k[0] + d[1] * p / q, k[1] - d[0] * p / q))
    np.testing.assert_allclose(there, here, atol=1e-10)


@pytest.mark.parametrize(
    ("structure", "orbital", "cell"), [(0, 0, (1, 1)), (1, 1, (-2, 1)), (2, 0, (0, 1)), (2, 2, (3, -2))]
)
def test_an_orbital_may_be_named_in_another_cell(structure, orbital, cell, rng):
    model = systems.random_model(structure, 11)
    step = {orbital: np.array(cell)}
    hops = tuple(
        (i, j, *(np.array((r1, r2)) + step.get(i, 0) - step.get(j, 0)).tolist()) for i, j, r1, r2 in model.hops
    )
    positions = model.positions.at[orbital].add(jnp.array(cell, float))
    renamed = hof.models.TightBinding(model.vectors, positions, model.onsite, model.amplitudes, hops)
    k = rng.uniform(-1, 1, (4, 2))
    for flux in ((2, 3), (-5, 4)):
        expected = systems.energies(model, flux, k)
        np.testing.assert_allclose(systems.energies(renamed, flux, k), expected, atol=1e-11)


@pytest.mark.parametrize("m", [[[1, 1], [0, 1]], [[0, -1], [1, 0]], [[2, 1], [-3, -1]]])
@pytest.mark.parametrize("name", ["haldane", "random_1"])
def test_any_cell_may_be_chosen(name, m, rng):
    # New vectors a'_i = Σ_j m_ij a_j. T(q a'_i) = exp(iπ p q m_i1 m_i2) T(q a1)^{m_i1} T(q a2)^{m_i2} gives q
    # k'.
    model, m = systems.build(name), np.array(m)
    inverse = np.rint(np.linalg.inv(m)).astype(int)
    hops = tuple((i, j, *(np.array((r1, r2)) @ inverse).tolist()) for i, j, r1, r2 in model.hops)
    other = hof.models.TightBinding(
        jnp.asarray(m @ np.asarray(model.vectors)),
        jnp.asarray(np.asarray(model.positions) @ inverse),
        model.onsite,
        model.amplitudes,
        hops,
    )
    k = rng.uniform(-1, 1, (4, 2))
    for p, q in ((0, 1), (1, 1), (1, 2), (2, 3), (-3, 5)):
        there = (q * k @ m.T + p * q * m[:, 0] * m[:, 1] / 2) / q
        expected = systems.energies(model, (p, q), k)
        np.testing.assert_allclose(systems.energies(other, (p, q), there), expected, atol=1e-11)


@given(strategies.recipes(), strategies.fluxes(), strategies.momenta())
def test_reversing_time_reverses_field_momentum_and_phases(recipe, flux, k):
    p, q = flux
    model = systems.random_model(*recipe)
    reversed_ = eqx.tree_at(lambda m: m.amplitudes, model, model.amplitudes.conj())
    (here,) = systems.matrices(model, (p, q), k)
    (there,) = systems.matrices(reversed_, (-p, q), np.negative(k))
    np.testing.assert_allclose(there, here.conj(), atol=1e-11)


@pytest.mark.parametrize("name", [system.name for system in systems.SYSTEMS if system.real])
def test_real_hoppings_have_the_same_energies_in_the_opposite_field(name, rng):
    k = rng.uniform(-1, 1, (4, 2))
    expected = systems.energies(systems.build(name), (2, 5), k)
    np.testing.assert_allclose(systems.energies(systems.build(name), (-2, 5), -k), expected, atol=1e-12)


@jax.jit
def plane_wave(problem, k, dk):
    return problem.plane_wave(k, dk)


@given(
    strategies.recipes(),
    strategies.fluxes(),
    strategies.momenta(),
    strategies.momenta(),
    strategies.momenta(),
)
def test_plane_waves_compose(recipe, flux, k, d1, d2):
    problem = hof.at_flux(systems.random_model(*recipe), flux, cells=CELLS)
    k, d1, d2 = (jnp.asarray(v, float) for v in (k, d1, d2))
    first, second, both = (
        plane_wave(problem, k, d1),
        plane_wave(problem, k + d1, d2),
        plane_wave(problem, k, d1 + d2),
    )
    np.testing.assert_allclose(first @ second, both, atol=1e-11)
    np.testing.assert_allclose(first @ first.conj().T, np.eye(problem.basis_size), atol=1e-12)
    assert not np.asarray(first - jnp.diag(jnp.diag(first))).any()
    np.testing.assert_array_equal(plane_wave(problem, k, jnp.zeros(2)), np.eye(problem.basis_size))


@pytest.mark.parametrize("name", ["kagome", "random_1", "random_2"])
def test_plane_waves_carry_the_position_of_every_site(name, rng):
    model, dk = systems.build(name), rng.uniform(-1, 1, 2)
    problem = hof.at_flux(model, (2, 5))
    x = peierls.site_positions(systems.plain(model), 5)
    np.testing.assert_allclose(problem.site_positions, x, atol=1e-14)
    expected = np.diag(np.exp(-2j * np.pi * x @ dk))
    np.testing.assert_allclose(problem.plane_wave(jnp.zeros(2), jnp.asarray(dk)), expected, atol=1e-13)


@pytest.mark.parametrize("flux", [(1, 3), (-5, 2)])
@pytest.mark.parametrize("name", ["kagome", "random_1", "random_2"])
def test_plane_waves_give_the_velocity(name, flux, rng):
    # exp(−iδ·r) H(k + δ) exp(iδ·r) is the Hamiltonian of cell-periodic functions; its derivative in δ weights
    # every hop by its true displacement, also across the edges of cells and of the magnetic cell.
    model, (p, q) = systems.build(name), flux
    oracle, k = systems.plain(model), rng.uniform(-1, 1, 2)
    problem = hof.at_flux(model, flux, cells=CELLS)
    derivative = np.asarray(velocity(problem, jnp.asarray(k)))[: q * model.orbitals, : q * model.orbitals]
    phases = peierls.translated_site_phases(oracle, p, q) * np.exp(2j * np.pi * peierls.site_positions(oracle, q) @ -k)
    for axis in range(2):
        expected = phases.conj()[:, None] * peierls.bloch_derivative(oracle, p, q, k, axis) * phases
        if axis == 0:
            assert np.abs(expected).max() > 1
        np.testing.assert_allclose(derivative[..., axis], expected, atol=1e-10)


@jax.jit
def velocity(problem, k):
    def periodic(dk):
        wave = problem.plane_wave(k, dk)
        return wave @ problem.matrix(k + dk) @ wave.conj().T

    return jax.jacfwd(periodic)(jnp.zeros(2))


def test_applying_a_plane_wave_is_multiplying_by_it(rng):
    problem = hof.at_flux(systems.random_model(2, 4), (1, 3), cells=4)
    states = jnp.asarray(rng.normal(size=(12, 5)) + 1j * rng.normal(size=(12, 5)))
    k, dk = jnp.asarray(rng.uniform(size=(2, 2)))
    expected = problem.plane_wave(k, dk) @ states
    np.testing.assert_allclose(problem.apply_plane_wave(k, dk, states), expected, atol=1e-13)


def test_shift_k1_closes_after_q_steps(rng):
    model, (p, q) = systems.random_model(1, 5), (3, 5)
    problem = hof.at_flux(model, (p, q))
    k = jnp.asarray(rng.uniform(size=2))
    start = states = jnp.eye(problem.basis_size, dtype=complex)
    shift_k1 = jax.jit(lambda k, states: problem.shift_k1(k, states))
    for n in range(q):
        states = shift_k1(k + jnp.array([n / q, 0.0]), states)
    # q translations by s a2, s = p⁻¹ mod q = 2, are s whole magnetic cells.
    assert (2 * p) % q == 1
    np.testing.assert_allclose(states, np.exp(-4j * np.pi * q * float(k[1])) * np.asarray(start), atol=1e-12)


@pytest.mark.parametrize("flux", [(0, 1), (2, 1), (1, 2), (-4, 5)])
def test_shift_k1_is_a_power_of_the_translation_along_a2(flux, rng):
    problem = hof.at_flux(systems.random_model(0, 5), flux, cells=5)
    p, q = flux
    steps = 0 if q == 1 else pow(p, -1, q)
    k, states = jnp.asarray(rng.uniform(size=2)), jnp.eye(5, dtype=complex)
    expected = translations.shift_states(states[:, None, :], problem.q, k[1], jnp.asarray(steps))[:, 0, :]
    np.testing.assert_allclose(problem.shift_k1(k, states), expected, atol=1e-14)


def test_the_problem_knows_its_sizes():
    model = hof.models.kagome()
    problem = hof.at_flux(model, "-7/3", cells=5)
    assert (problem.flux, problem.cells, problem.basis_size, int(problem.bands)) == (
        hof.Flux(-7, 3),
        5,
        15,
        9,
    )
    np.testing.assert_array_equal(problem.vectors, model.vectors)
    assert hof.at_flux(model, 1).basis_size == 3
    mesh, reduced = problem.mesh(4, 6), problem.reduced_mesh(4, 6)
    assert mesh.shape == reduced.shape == (4, 6, 2)
    np.testing.assert_allclose(mesh[3, 5], [3 / 4, 5 / 18], atol=1e-15)
    np.testing.assert_allclose(reduced[3, 5], [3 / 12, 5 / 18], atol=1e-15)


def test_bad_arguments():
    model = hof.models.square()
    with pytest.raises(ValueError, match=r"Argument `flux` must be coprime, but is 2/4\. Write 1/2"):
        hof.at_flux(model, (2, 4))
    with pytest.raises(ValueError, match=r"Argument `cells` must be at least 5, but is 4\."):
        hof.at_flux(model, (2, 5), cells=4)


@pytest.mark.usefixtures("unchecked_types")
def test_bad_types():
    model = hof.models.square()
    with pytest.raises(TypeError, match=r"Argument `flux` must be an exact fraction, but is the float 0\.5\."):
        hof.at_flux(model, 0.5)
    with pytest.raises(TypeError, match=r"Argument `cells` must be an integer, but is 5\.0\."):
        hof.at_flux(model, (2, 5), cells=5.0)


@given(st.integers(8, 40))
def test_one_orbital_with_many_cells(q):
    # The Harper matrix written out: 2 cos(2π(k1 − m p/q)) on the diagonal, hops along a2 beside it.
    h = systems.matrix(hof.at_flux(hof.models.square(), (1, q), cells=40), jnp.array([0.1, 0.2 / q]))
    expected = np.diag(-2 * np.cos(2 * np.pi * (0.1 - np.arange(q) / q)))
    expected = expected - np.eye(q, k=1) - np.eye(q, k=-1) + 0j
    expected[-1, 0] -= np.exp(0.4j * np.pi)
    expected[0, -1] -= np.exp(-0.4j * np.pi)
    np.testing.assert_allclose(h[:q, :q], expected, atol=1e-13)
