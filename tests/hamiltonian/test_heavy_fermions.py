"""Heavy fermions in a field and without: an independent quadrature, laws, counting, and limits."""

import dataclasses
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter import lattice
from hofstadter.errors import Status
from tests import continua, heavy_fermions
from tests.oracles import heavy_fermions as oracle

REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "heavy_fermions.json").read_text())
K = (0.13, 0.21)


@pytest.fixture(scope="module")
def model():
    return heavy_fermions.model()


@pytest.fixture(scope="module")
def massless():
    return heavy_fermions.model(m_mev=0.0)


@pytest.mark.parametrize(
    ("flux", "valley"),
    [
        ((1, 1), 1),
        pytest.param((1, 2), 1, marks=pytest.mark.slow),
        pytest.param((1, 4), 1, marks=pytest.mark.slow),
        pytest.param((2, 3), 1, marks=pytest.mark.slow),
        pytest.param((2, 3), -1, marks=pytest.mark.slow),
        pytest.param((1, 4), -1, marks=pytest.mark.slow),
    ],
)
def test_overlaps_by_quadrature(flux, valley):
    model = heavy_fermions.model(valley=valley)
    problem = heavy_fermions.small(model, flux)
    expected = oracle.matrix(heavy_fermions.numbers(model), flux, K, heavy_fermions.LEVELS[flux], valley)
    np.testing.assert_allclose(
        heavy_fermions.all_energies(problem, K), np.linalg.eigvalsh(expected), rtol=0, atol=1e-10
    )


@pytest.mark.parametrize("flux", heavy_fermions.FLUXES)
def test_size_hermiticity_and_period(model, flux):
    p, q = flux
    problem = heavy_fermions.small(model, flux)
    here = heavy_fermions.kept_matrix(problem, K)
    assert here.shape == (4 * heavy_fermions.LEVELS[flux] * p + 2 * q,) * 2
    np.testing.assert_allclose(here, here.conj().T, rtol=0, atol=1e-12)
    for shift in ((1, 0), (0, 1 / q), (-2, 3 / q)):
        np.testing.assert_allclose(heavy_fermions.kept_matrix(problem, np.add(K, shift)), here, rtol=0, atol=1e-9)
    padding = np.setdiff1d(np.arange(problem.basis_size), continua.kept(problem))
    far = np.diag(np.asarray(continua.matrices(problem, jnp.asarray(K)))).real[padding]
    assert np.sum(far > 0) == np.sum(far < 0) == len(padding) / 2
    assert np.abs(far).min() > np.abs(np.linalg.eigvalsh(here)).max()


@pytest.mark.parametrize("flux", heavy_fermions.FLUXES)
def test_zero_modes_without_m(massless, flux):
    problem = heavy_fermions.small(massless, flux)
    for k in (K, (0.0, 0.0), (0.4, -0.3)):
        energies = np.abs(heavy_fermions.all_energies(problem, k))
        assert np.sum(energies < 1e-9) == 2 * flux[1]
        assert np.sort(energies)[2 * flux[1]] > 1e-3


@pytest.mark.parametrize("flux", [(1, 4), (2, 3)])
def test_symmetries_of_the_spectrum(model, flux):
    energies = heavy_fermions.all_energies(heavy_fermions.small(model, flux), K)
    opposite = heavy_fermions.all_energies(heavy_fermions.small(model, flux), np.negative(K))
    np.testing.assert_allclose(energies, -opposite[::-1], rtol=0, atol=1e-9)
    assert np.abs(energies + energies[::-1]).max() > 1e-3  # of k and −k together only
    other = heavy_fermions.all_energies(heavy_fermions.small(hof.models.time_reversed(model), flux), np.negative(K))
    np.testing.assert_allclose(energies, other, rtol=0, atol=1e-9)


@pytest.mark.parametrize("flux", heavy_fermions.FLUXES)
def test_translation_along_a2(model, flux):
    problem = heavy_fermions.small(model, flux)
    rows = continua.kept(problem)
    shifted = heavy_fermions.kept_matrix(problem, np.add(K, (1 / flux[1], 0)))
    identity = jnp.eye(problem.basis_size, dtype=complex)
    turn = np.asarray(jax.jit(lambda k: problem.shift_k1(k, identity))(jnp.asarray(K)))[np.ix_(rows, rows)]
    np.testing.assert_allclose(turn @ turn.conj().T, np.eye(len(rows)), rtol=0, atol=1e-12)
    np.testing.assert_allclose(turn @ heavy_fermions.kept_matrix(problem, K) @ turn.conj().T, shifted, atol=1e-9)


@pytest.mark.parametrize("flux", [(1, 4), (2, 3)])
def test_plane_waves_compose_and_carry_positions(model, flux):
    """Products of short plane waves, also across the edge of the zone, on states far from the cut-off."""
    p, q = flux
    problem = heavy_fermions.small(model, flux)
    first, second = np.array([0.02, 1 / q - 0.01]), np.array([0.95, -0.03])
    steps = [(K, first), (np.add(K, first), second), (K, first + second)]
    one, two, both = (np.asarray(continua.waves(problem, jnp.asarray(k), jnp.asarray(dk))) for k, dk in steps)
    f = np.arange(4 * heavy_fermions.ROWS, problem.basis_size)
    f = f[(f - f[0]) % heavy_fermions.CELLS < q]
    np.testing.assert_allclose((one @ two)[np.ix_(f, f)], both[np.ix_(f, f)], atol=1e-12)
    place = np.tile(np.arange(q), 2)
    np.testing.assert_allclose(np.diag(both)[f], np.exp(-2j * np.pi * (first + second)[1] * place), atol=1e-12)
    c = np.concatenate([orbital * heavy_fermions.ROWS + np.arange(p) for orbital in range(4)])
    small = np.array([0.01, 0.02])
    one, two = (
        np.asarray(continua.waves(problem, jnp.asarray(k), jnp.asarray(dk)))
        for k, dk in ((K, small), (np.add(K, small), -small))
    )
    np.testing.assert_allclose((one @ two)[np.ix_(c, c)], np.eye(len(c)), atol=1e-9)
    assert not np.any(one[np.ix_(c, f)])


@pytest.mark.slow
def test_states_are_widened_for_plane_waves(model):
    problem = heavy_fermions.small(model, (1, 4))
    states = jnp.eye(problem.basis_size, dtype=complex)[:, :1]
    wide = problem.widened(states, 3 * 2 * np.pi / 134.0)
    assert wide.shape[0] > problem.basis_size
    moved = problem.apply_plane_wave(jnp.asarray(K), jnp.asarray([1.7, 0.3]), wide)
    assert abs(float(jnp.linalg.norm(moved)) - 1) < 1e-6


@pytest.mark.slow
def test_numbers_in_a_field(model):
    for flux, entry in REFERENCE["at_gamma_in_field"].items():
        problem = hof.at_flux(model, flux, levels=entry["levels"], bands_per_cell=2)
        energies = np.linalg.eigvalsh(np.asarray(continua.matrices(problem, jnp.zeros(2))))
        middle, q = problem.basis_size // 2, int(problem.q)
        # The narrow bands are highest and the remote ones lowest at Γ.
        np.testing.assert_allclose(
            energies[middle + q - 1 : middle + q + 1], [entry["narrow_top"], entry["remote_bottom"]], atol=2e-6
        )


@pytest.mark.parametrize("ratio", [0.8, 0.7])
def test_gamma_point_at_zero_field(ratio):
    problem = hof.at_flux(heavy_fermions.model(w0_over_w1=ratio), 0, plane_waves=2, bands_per_cell=1)
    alone = np.flatnonzero(problem.kept_rows(1))
    matrix = np.asarray(continua.matrices(problem, jnp.zeros(2)))[np.ix_(alone, alone)]
    np.testing.assert_allclose(np.linalg.eigvalsh(matrix), REFERENCE["gamma_point"][str(ratio)], atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [0.8, 0.7])
def test_gamma_point_with_all_plane_waves(ratio):
    """They move the energies ±γ by their Gaussians, and leave M."""
    expected = np.array(REFERENCE["gamma_point"][str(ratio)])
    energies = np.asarray(
        hof.solve(hof.at_flux(heavy_fermions.model(w0_over_w1=ratio), 0), jnp.zeros(2), states=False).energies
    )
    np.testing.assert_allclose(energies, expected, atol=0.03)
    np.testing.assert_allclose(energies[2:4], expected[2:4], atol=1e-9)


@pytest.mark.slow
def test_zero_field_zero_modes_and_velocity(massless):
    problem = hof.at_flux(massless, 0, plane_waves=19)
    energies = np.linalg.eigvalsh(np.asarray(problem.matrix(jnp.asarray(K))))
    assert np.sum(np.abs(energies) < 1e-9) == 2
    bare = heavy_fermions.model(m_mev=0.0, gamma_mev=0.0, v_prime_mev_angstrom=0.0)
    far = np.linalg.eigvalsh(np.asarray(hof.at_flux(bare, 0, plane_waves=19).matrix(jnp.asarray(K))))
    momentum = np.asarray(problem.reciprocal) + np.asarray(K)
    speed = 4303 * np.linalg.norm(momentum @ np.asarray(lattice.reciprocal_vectors(massless.vectors)), axis=1)
    np.testing.assert_allclose(far, np.sort([*np.repeat([-speed, speed], 2), 0, 0]), atol=1e-9)


def test_plane_waves_at_zero_field(model):
    problem = hof.at_flux(model, 0, plane_waves=2, bands_per_cell=1)
    here, there = np.asarray(continua.matrices(problem, jnp.asarray([K, np.add(K, (1.0, -2.0))])))
    np.testing.assert_allclose(here, there, rtol=0, atol=1e-9)
    shifts = jnp.asarray([[0.0, 0.0], np.asarray(problem.reciprocal[1], float)])
    nowhere, across = np.asarray(continua.waves(problem, jnp.asarray([K, K]), shifts))
    np.testing.assert_array_equal(nowhere, np.eye(problem.basis_size))
    # f stays, and of the two plane waves of each c orbital one becomes the other and one is lost.
    np.testing.assert_array_equal(across[8:, 8:], np.eye(2))
    np.testing.assert_array_equal(np.abs(across[:8, :8]), np.kron(np.eye(4), [[0, 0], [1, 0]]).T)


@pytest.mark.slow
@pytest.mark.parametrize("q", [12, 16])
def test_decoupled_sectors_at_low_flux(massless, q):
    """At M = 0 and q ≫ p, {c1_n, c2_n+1, c3_n−1, c4_n+2} and two number states make blocks of six.

    With q/2 levels or so, that is: the number states of higher ones overlap with those of low ones.
    """
    problem = hof.at_flux(massless, (1, q), levels=-(-(q - 3) // 2) + 2, bands_per_cell=1)
    energies = np.linalg.eigvalsh(np.asarray(continua.matrices(problem, jnp.asarray(K))))
    area = 134.218**2 * np.sqrt(3) / 2
    inverse_length = np.sqrt(2 * np.pi / q / area)
    tau = (0.3375 * 134.218 * inverse_length) ** 2 / 2
    unit = np.sqrt(2) * inverse_length
    h = (1 - tau) ** np.arange(12) / (1 + tau) ** np.arange(1, 13)
    gamma, v_star, v_prime = -24.75, -4303.0, 1622.0
    for n in range(3):
        block = np.zeros((6, 6), complex)  # c1_n, c2_n+1, c3_n−1, c4_n+2, f1 on χ_n, f2 on χ_n+1
        block[0, 2] = v_star * unit * np.sqrt(n)
        block[1, 3] = v_star * unit * np.sqrt(n + 2)
        block[0, 4], block[1, 5] = gamma * 1j**n * h[n], gamma * 1j ** (n + 1) * h[n + 1]
        block[0, 5] = v_prime * unit * np.sqrt(n + 1) * 1j ** (n + 1) * h[n + 1] / (1 - tau)
        block[1, 4] = v_prime * unit * np.sqrt(n + 1) * 1j**n * h[n] / (1 + tau)
        rows = [0, 1, 3, 4, 5] if n == 0 else list(range(6))  # there is no c3_−1
        block = (block + block.conj().T)[np.ix_(rows, rows)]
        found = [np.abs(energies - level).min() for level in np.linalg.eigvalsh(block)]
        assert max(found) < (9e-5 if q == 12 else 7e-7)


def test_zeroth_level_of_c4(massless):
    """Without M it is an eigenstate at its on-site energy, whatever else there is."""
    potential = jnp.diag(jnp.asarray([1.0, 2.0, -3.0, 8.19, 20.0, 30.0], complex))
    model = dataclasses.replace(massless, potential=potential)
    for flux in ((1, 4), (2, 3)):
        energies = heavy_fermions.all_energies(heavy_fermions.small(model, flux), K)
        assert np.sum(np.abs(energies - 8.19) < 1e-9) == flux[0]


@pytest.mark.parametrize("f_levels", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_the_naive_substitution_has_wrong_counts(massless, f_levels):
    problem = hof.naive_heavy_fermion_problem(massless, "2/3", levels=8, f_levels=f_levels)
    energies = heavy_fermions.all_energies(problem, K)
    assert len(energies) == 2 * (4 * 8 + 2 * f_levels)
    assert np.sum(np.abs(energies) < 1e-9) == 2 * f_levels * 2


@pytest.mark.slow
def test_low_levels_of_the_naive_substitution_are_right(model):
    """Remote levels at low flux, of number states n ≪ q/p."""
    right = np.asarray(hof.solve(hof.at_flux(model, "1/16", levels=40), jnp.zeros(2), states=False).energies)
    naive = hof.naive_heavy_fermion_problem(model, "1/16", levels=40, f_levels=16)
    wrong = np.asarray(hof.solve(naive, jnp.zeros(2), states=False).energies)
    lowest = right[right > 20][:2]
    assert max(np.abs(wrong - level).min() for level in lowest) < 1e-2


@pytest.mark.parametrize("scheme", ["ordered", "exp"])
@pytest.mark.slow
def test_schemes_differ_in_first_order_of_the_field(scheme):
    differences = []
    for q in (4, 16):
        levels = 4 * q
        narrow = [
            np.asarray(
                hof.solve(hof.at_flux(m, (1, q), levels=levels, bands_per_cell=1), jnp.zeros(2), states=False).energies
            )
            for m in (heavy_fermions.model(), heavy_fermions.model(scheme=scheme))
        ]
        differences.append(np.abs(narrow[0] - narrow[1]).max())
    assert 1e-3 < differences[1] < differences[0] / 2


@pytest.mark.slow
def test_cut_off(model):
    problem = hof.at_flux(model, 1, bands_per_cell=1, rtol=1e-6)
    assert problem.basis_status == Status.OK
    assert float(problem.cutoff_error) < float(problem.cutoff_tolerance)
    assert hof.at_flux(model, 1, levels=2, bands_per_cell=1, rtol=1e-6).basis_status == Status.CUTOFF_TOO_LOW
    with pytest.raises(ValueError, match="`levels` must be at least"):
        hof.at_flux(model, 1, levels=1, bands_per_cell=8)
    with pytest.raises(ValueError, match="zero or positive"):
        hof.at_flux(model, "-1/3")


@pytest.mark.slow
def test_gradients_and_jit(model):
    """Derivatives of a sum of energies by all parameters against finite differences, also at τ = 1."""

    @jax.jit
    def total(changed):
        problem = heavy_fermions.small(changed, (1, 2))
        rows = problem.kept_rows(problem.levels)
        matrix = jnp.where(rows[:, None] & rows[None, :], problem.matrix(jnp.asarray(K)), 0)
        return jnp.sum(matrix.real * jnp.cos(jnp.arange(matrix.size).reshape(matrix.shape)))

    slopes = jax.grad(total)(model)
    for name in ("gamma", "mass", "v_star", "v_prime", "v_double_prime", "damping"):
        value = getattr(model, name)
        step = 1e-4 * max(1.0, abs(float(value)))
        up, down = (total(dataclasses.replace(model, **{name: value + sign * step})) for sign in (1, -1))
        np.testing.assert_allclose(getattr(slopes, name), (up - down) / (2 * step), rtol=1e-5, atol=1e-4)
    length = np.sqrt(134.218**2 * np.sqrt(3) / 2 * 2 / (2 * np.pi))
    special = dataclasses.replace(model, damping=jnp.asarray(np.sqrt(2) * length))
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(jax.grad(total)(special)))


@pytest.mark.slow
def test_single_precision(model):
    problem = hof.at_flux(hof.models.cast(model, "single"), "1/2", levels=6, bands_per_cell=1)
    double = hof.at_flux(model, "1/2", levels=6, bands_per_cell=1)
    single = problem.matrix(jnp.asarray(K))
    assert single.dtype == np.complex64
    np.testing.assert_allclose(single, double.matrix(jnp.asarray(K)), rtol=0, atol=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("flux", ["1/4", "2/3"])
def test_chern_number_of_the_narrow_bands(model, flux):
    problem = hof.at_flux(model, flux, bands_per_cell=2, rtol=1e-6)
    middle, q = problem.below, int(problem.q)
    assert int(hof.chern(problem, (middle - q, middle + q))) == 0


@pytest.mark.slow
def test_gaps_of_the_narrow_bands(model):
    gaps = hof.butterfly(model, fluxes=["1/3"], bands_per_cell=2, rtol=1e-5).isel(flux=0)
    labels = [tuple(map(float, label)) for label in zip(gaps["s"], gaps["t"], strict=True)]
    assert (gaps["status"] == Status.OK).all()
    assert {(-1.0, 0.0), (1.0, 0.0), (-1.0, -1.0), (1.0, 1.0)} <= set(labels)
    edges = (
        gaps["band_upper"].values[gaps.sizes["band"] // 2 + 2],
        gaps["band_lower"].values[gaps.sizes["band"] // 2 + 3],
    )
    np.testing.assert_allclose(edges, [1.51, 27.85], atol=0.01)
