"""Laws of continuum models in a field, in both bases: Landau levels with clock and shift, and theta functions."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hofstadter as hof
from tests import continua, strategies
from tests.oracles import continuum_models as plain
from tests.oracles import flux_torus, strip

every_flux = pytest.mark.parametrize("flux", continua.FLUXES, ids=str)
every_route = pytest.mark.parametrize("route", continua.ROUTES)
K = np.array([0.13, 0.29])


@every_flux
@every_route
def test_hermitian_and_periodic(route, flux):
    """H is unchanged by (1, 0) and (0, 1/q), its spectrum by (1/q, 0) too."""
    problem = continua.small(route, continua.general(), flux)
    steps = np.array([(0, 0), (1, 0), (0, 1 / flux[1]), (-3, 2), (1 / flux[1], 0)])
    h = np.asarray(continua.matrices(problem, jnp.asarray(K + steps)))
    np.testing.assert_allclose(h, h.conj().swapaxes(1, 2), rtol=0, atol=4e-15)
    np.testing.assert_allclose(h[1:4], np.broadcast_to(h[0], h[1:4].shape), rtol=0, atol=3e-14)
    energies = np.linalg.eigvalsh(h)
    np.testing.assert_allclose(energies[4], energies[0], rtol=0, atol=1e-14 * abs(energies).max())
    if flux[1] > 1:
        assert abs(h[4] - h[0]).max() > 1e-2


@settings(max_examples=30)
@given(st.integers(0, 2**16), st.sampled_from(continua.FLUXES), strategies.momenta())
def test_both_bases_have_one_spectrum(seed, flux, k):
    model = continua.general(seed)
    matrices = [continua.matrices(continua.small(route, model, flux), continua.five(k))[0] for route in continua.ROUTES]
    here, there = np.linalg.eigvalsh(np.asarray(matrices))
    np.testing.assert_allclose(here, there, rtol=0, atol=1e-14 * abs(here).max())


@pytest.mark.parametrize(
    ("reference", "bands", "first"), [("bottom", (0, 4), 0), ("neutrality", (4, 4), 44), ("top", (4, 0), 92)]
)
def test_padding_is_apart_and_the_wanted_bands_are_found(reference, bands, first):
    """Padding lies above, below or on both sides, so that `first_band` points at the wanted bands."""
    kinetic = [(1.0, 0, 0, (1, 1)), (1.0, 0, 1, (0, 1)), (-1.0, 2, 2, (1, 1))]
    model = hof.models.continuum(
        np.eye(2), kinetic, [(2.0, 1, 2, (1, 0))], offsets=np.zeros((3, 2)), reference="neutrality"
    )
    model = dataclasses.replace(model, reference=reference)
    assert model.level_offsets == (0, 1, 0)
    problem = continua.assemble("landau", model, (3, 2), 9, 32, 10, bands)
    h = np.asarray(continua.matrices(problem, continua.five(K)))[0]
    rows = continua.kept(problem)
    padding = np.setdiff1d(np.arange(96), rows)
    assert (len(rows), problem.basis_size, problem.first_band) == (3 * (9 + 10 + 9), 96, first)
    assert not h[np.ix_(rows, padding)].any()
    exact = np.linalg.eigvalsh(h[np.ix_(rows, rows)])
    start = {"bottom": 0, "neutrality": len(rows) // 2 - 4, "top": len(rows) - 4}[reference]
    wanted = np.linalg.eigvalsh(h)[first : first + problem.returned_bands]
    np.testing.assert_allclose(wanted, exact[start : start + len(wanted)], rtol=0, atol=1e-11)


# Plane waves.

shift_k1 = continua.quickly_compiled(lambda problem, k, states: problem.shift_k1(k, states))
apply_plane_wave = continua.quickly_compiled(lambda problem, k, dk, states: problem.apply_plane_wave(k, dk, states))


def plane_waves(problem, k, dk):
    """⟨k| exp(−i dk·r) |k + dk⟩ on the states of the basis, for five momenta."""
    wave = np.asarray(continua.waves(problem, continua.five(k), continua.five(dk)))
    rows = continua.kept(problem)
    return wave[:, rows[:, None], rows]


def low(problem, levels):
    """Places of the lowest Landau levels of each component among the states of the basis."""
    rows = continua.kept(problem)
    return np.flatnonzero(rows % problem.rows < levels * int(problem.p))


@every_flux
@every_route
def test_plane_waves_are_periodic_and_follow_each_other(route, flux):
    problem = continua.small(route, continua.general(), flux)
    q = flux[1]
    # Both cross an edge of the zone of the first basis, the first one that of the other.
    k, dk, other = np.array([0.5, 0.44 / q]), np.array([0.04, -0.02 / q]), np.array([-0.01, 0.05 / q])
    steps = np.array([(0, 0), (1, 0), (0, 1 / q), (-2, 3 / q), (0.4, 0.3 / q)])
    there = plane_waves(problem, k + steps, dk)
    np.testing.assert_allclose(there[1:4], np.broadcast_to(there[0], there[1:4].shape), rtol=0, atol=1e-13)
    back = plane_waves(problem, k + steps + dk, -dk)
    np.testing.assert_allclose(back, there.conj().swapaxes(1, 2), rtol=0, atol=2e-14)
    still = plane_waves(problem, k + steps, (0, 0))
    np.testing.assert_allclose(still, np.broadcast_to(np.eye(still.shape[1]), still.shape), rtol=0, atol=1e-15)
    # Levels far below the cut-off know the group law.
    few = low(problem, 2)
    product = (there @ plane_waves(problem, k + steps + dk, other))[:, few[:, None], few]
    together = plane_waves(problem, k + steps, dk + other)[:, few[:, None], few]
    np.testing.assert_allclose(product, together, rtol=0, atol=1e-8)


@every_flux
@every_route
def test_shift_k1_makes_eigenstates(route, flux):
    """At (k1 + 1/q, k2), from 5 momenta on both sides of the zone's edge; after q steps the state is back."""
    problem = continua.small(route, continua.general(), flux)
    p, q = flux
    k = np.array([(0.5, 0.45 / q), (0.5, -0.3), (-0.1, 0.3), (0.9, 1.7), (0.53, 0.47 / q)])
    h = np.asarray(continua.matrices(problem, jnp.asarray(k)))
    energies, states = np.linalg.eigh(h)
    moved = np.asarray(continua.matrices(problem, jnp.asarray(np.add(k, (1 / q, 0)))))
    for i in range(5):
        shifted = np.asarray(shift_k1(problem, jnp.asarray(k[i]), jnp.asarray(states[i])))
        rows = continua.kept(problem)
        physical = np.linalg.norm(states[i][rows], axis=0) > 0.5
        residual = (moved[i] @ shifted - shifted * energies[i])[:, physical]
        np.testing.assert_allclose(residual, 0, atol=3e-14 * abs(energies).max())
    start = steps = jnp.asarray(states[0])
    for n in range(q):
        steps = shift_k1(problem, jnp.asarray(np.add(k[0], (n / q, 0))), steps)
    # q translations by j a2, j p ≡ 1 (mod q), are j whole magnetic cells.
    turns = 0 if q == 1 else pow(p, -1, q)
    expected = np.exp(-2j * np.pi * q * turns * k[0, 1]) * np.asarray(start)
    physical = np.linalg.norm(np.asarray(start)[continua.kept(problem)], axis=0) > 0.5
    np.testing.assert_allclose(np.asarray(steps)[:, physical], expected[:, physical], rtol=0, atol=1e-12)


@every_flux
def test_plaquettes_and_translations_do_not_depend_on_the_basis(flux):
    """Gauge-invariant products of overlaps, among them one with `shift_k1`: the same in both bases."""
    q = flux[1]
    k = np.array([[0.45, 0.4 / q]])
    loop = k + np.array([(0, 0), (0.2, 0), (0.25, 0.22 / q), (-0.05, 0.2 / q), (1 / q, 0)])
    found = []
    for route in continua.ROUTES:
        problem = continua.small(route, continua.general(), flux)
        states = np.linalg.eigh(np.asarray(continua.matrices(problem, jnp.asarray(loop))))[1][:, :, :2]

        def link(i, j, problem=problem, states=states):
            wave = continua.waves(problem, continua.five(loop[i]), continua.five(loop[j] - loop[i]))[0]
            return states[i].conj().T @ np.asarray(wave) @ states[j]

        around = link(0, 1) @ link(1, 2) @ link(2, 3) @ link(3, 0)
        shifted = np.asarray(shift_k1(problem, jnp.asarray(loop[0]), jnp.asarray(states[0])))
        closed = link(0, 4) @ states[4].conj().T @ shifted
        found.append([np.linalg.det(around), np.trace(around), np.linalg.det(closed), np.trace(closed)])
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-11)


def test_applying_a_plane_wave_is_multiplying_by_it(rng):
    states = jnp.asarray(rng.normal(size=(96, 2)) + 1j * rng.normal(size=(96, 2)))
    k, dk = np.array([0.45, -0.2]), np.array([0.3, 0.4])
    for route in continua.ROUTES:
        problem = continua.small(route, continua.general(), (2, 3))
        expected = np.asarray(continua.waves(problem, continua.five(k), continua.five(dk)))[0] @ np.asarray(states)
        actual = apply_plane_wave(problem, jnp.asarray(k), jnp.asarray(dk), states)
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-13)


# Models that are one another in disguise, exact for any number of levels.


@pytest.mark.parametrize(("flux", "doubled"), [((1, 2), (1, 1)), ((1, 1), (2, 1)), ((1, 3), (2, 3)), ((1, 4), (1, 2))])
def test_doubled_cell(flux, doubled):
    """On the cell a1 × 2 a2 the flux is 2p/q: one of k, or both of k and k + 1/2q b2, depending on the parity of q."""
    model = continua.trimmed(continua.general(3))
    large = dataclasses.replace(
        model,
        vectors=model.vectors * jnp.array([[1.0], [2.0]]),
        offsets=model.offsets * jnp.array([1.0, 2.0]),
        harmonics=tuple((a, b, m1, 2 * m2) for a, b, m1, m2 in model.harmonics),
    )
    k = np.resize(K, (5, 2))
    k[1] += (0, 1 / (2 * flux[1]))
    small = continua.assemble("landau", model, flux, 15, continua.ROWS, continua.TABLE, continua.BANDS)
    parts = np.linalg.eigvalsh(continua.matrices(small, jnp.asarray(k)))
    large = continua.assemble("landau", large, doubled, 15, continua.ROWS, continua.TABLE, continua.BANDS)
    # Padding is not part of the comparison.
    energies = np.linalg.eigvalsh(continua.matrices(large, jnp.asarray(k * (1, 2))))[0][: len(continua.kept(large))]
    physical = parts[:2, : len(continua.kept(small))]
    expected = physical[0] if doubled[0] == flux[0] else np.sort(physical.ravel())
    np.testing.assert_allclose(energies, expected, rtol=0, atol=1e-11)


@every_flux
def test_turning_the_plane_upside_down_is_reversing_time(flux):
    """The mirror y → −y reverses the field, so the mirrored model at (φ, k) is the time-reversed one at (φ, −Mk)."""
    model = continua.trimmed(continua.general(5))
    flip, swap = jnp.array([1.0, -1.0]), jnp.array([1, 0])
    mirrored = dataclasses.replace(
        model,
        vectors=(model.vectors * flip)[swap],
        offsets=model.offsets[:, swap],
        terms=tuple((a, b, j, i) for a, b, i, j in model.terms),
        harmonics=tuple((a, b, m2, m1) for a, b, m1, m2 in model.harmonics),
        level_offsets=tuple(-n for n in model.level_offsets),
    )
    reversed_ = hof.models.time_reversed(model)
    assert reversed_.level_offsets == mirrored.level_offsets
    k = np.resize(K, (5, 2))
    problems = [
        continua.assemble("landau", m, flux, min(32 // flux[0], 16) - 1, continua.ROWS, continua.TABLE, continua.BANDS)
        for m in (mirrored, reversed_)
    ]
    here, there = (continua.matrices(x, jnp.asarray(y)) for x, y in zip(problems, (k, -k[:, ::-1]), strict=True))
    here, there = np.linalg.eigvalsh(here), np.linalg.eigvalsh(there)
    np.testing.assert_allclose(here, there, rtol=0, atol=1e-13 * abs(here).max())


# Independent oracles. Levels of one shape for all fluxes: 192 states and up to 128 levels per component.


def sufficient(route, model, flux, levels):
    return continua.assemble(route, model, flux, levels, 192, 128, (0, 8))


SUFFICIENT = [((1, 1), 66), ((1, 2), 124), ((2, 3), 96), ((3, 2), 64), ((5, 3), 38)]


def assert_is_the_strip(problem, model, flux, k, atol):
    """The grid of the strip has errors of its own, smallest at low energies."""
    expected = strip.energies(continua.to_plain(model), *flux, k, points=8)[:8]
    np.testing.assert_allclose(continua.energies(problem, k)[0], expected, rtol=0, atol=atol)


@pytest.mark.parametrize(("flux", "levels"), SUFFICIENT, ids=str)
def test_spectrum_of_a_strip(flux, levels):
    model = continua.general(1)
    assert_is_the_strip(sufficient("landau", model, flux, levels), model, flux, K, 1e-9)


def test_comparisons_notice_wrong_signs():
    """Of the offsets, of one amplitude's phase, of the field, and of k."""
    model, flux = continua.general(1), (1, 1)
    problem = sufficient("landau", model, flux, 66)
    wrong = [
        dataclasses.replace(model, offsets=-model.offsets),
        dataclasses.replace(model, potential=model.potential.at[4].multiply(1j)),
        hof.models.time_reversed(model),
    ]
    for other in wrong:
        with pytest.raises(AssertionError):
            assert_is_the_strip(problem, other, flux, K, 1e-2)
    here, there = continua.energies(problem, [K, -K])
    assert abs(here - there).max() > 1e-2


@pytest.mark.parametrize(("torus", "levels"), [((2, 1, 2), 66), ((1, 2, 3), 60), ((2, 2, 2), 120)], ids=str)
def test_momenta_of_a_torus(torus, levels):
    """All energies of a finite torus below a bound are those at its magnetic momenta."""
    model, theta = continua.general(1), (0.3, 0.7)
    n1, n2, quanta = torus
    common = int(np.gcd(n1 * n2, quanta))
    flux = quanta // common, n1 * n2 // common
    problem = sufficient("landau", model, flux, levels)
    momenta = flux_torus.momenta(n1, n2, quanta, theta)
    bands = continua.energies(problem, momenta)
    bound = bands[:, -1].min()
    kept = [round(70 * n1 * n2 / quanta)] * 3
    expected = flux_torus.energies(continua.to_plain(model), n1, n2, quanta, kept, theta)
    actual = continua.around(bands, -np.inf, bound - 1e-6)
    np.testing.assert_allclose(actual, continua.around(expected, -np.inf, bound - 1e-6), rtol=0, atol=1e-8)
    assert len(actual) > 5


# Exactly solved.


def test_free_landau_levels():
    """(2n + 1)/ℓ² of π², n² + n + 1/2 of its Weyl-ordered square in units of (2/ℓ²)², whatever the offset."""
    vectors = np.array([[1.1, 0.2], [-0.3, 0.9]])
    model = hof.models.continuum(
        vectors, [(1.0, 0, 0, (1, 1)), (1.0, 1, 1, (2, 2))], [], offsets=[[0.4, -0.7], [0.1, 0.2]]
    )
    for flux in [(2, 3), (3, 1)]:
        unit = 2 * np.pi * flux[0] / flux[1] / plain.area(vectors)
        problem = continua.assemble("landau", model, flux, 8, 32, 8, (0, 12))
        n = np.repeat(np.arange(8), flux[0])
        expected = np.sort(np.concatenate([(2 * n + 1) * unit, 4 * (n**2 + n + 0.5) * unit**2]))[:12]
        np.testing.assert_allclose(continua.energies(problem, K)[0], expected, rtol=1e-13)


@pytest.mark.parametrize("valley", [1, -1])
def test_free_dirac_levels(valley):
    """E_0 = −m on sublattice B (valley −1: +m on A), E_n = ±√(m² + 2 n v²/ℓ²); no other level near zero."""
    mass, velocity = 0.3, 1.3
    model = hof.models.dirac_superlattice(velocity, 0.0, mass=mass, valley=valley)
    problem = continua.assemble("landau", model, (1, 2), 12, 16, 13, (4, 4))
    higher = np.sqrt(mass**2 + 2 * np.arange(1, 9) * velocity**2 * np.pi)
    expected = np.sort([-valley * mass, *higher, *-higher])
    energies = continua.energies(problem, K)[0]
    # Of 2N + 1 states the middle one is the last wanted one below the reference.
    assert float(problem.reference_filling) == 3.5
    np.testing.assert_allclose(energies, expected[5:13], rtol=0, atol=1e-13)
    h = np.asarray(continua.matrices(problem, continua.five(K)))[0]
    zero_mode = np.linalg.eigh(h)[1][:, problem.first_band + 3]
    assert abs(np.linalg.norm(zero_mode[: problem.rows]) - (0 if valley == 1 else 1)) < 1e-12
