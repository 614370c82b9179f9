import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import eval_genlaguerre, gammaln

from hofstadter.magnetic.form_factors import displacement, ladder_product
from tests.oracles import flux_torus

DATA = Path(__file__).parents[1] / "data"
CONTINUUM = json.loads((DATA / "reference_continuum.json").read_text())["mtg"]["displacement"]
ONE_QUANTUM = json.loads((DATA / "reference_flux_2pi.json").read_text())["formfactors"]["displacement"]

# One batch of 8 displacements of 96 levels serves most tests.
LEVELS, BATCH = 96, 8
displace = jax.jit(lambda z: displacement(z, LEVELS))


def many(*z):
    padded = np.resize(np.asarray(z, complex), BATCH)
    return np.asarray(displace(jnp.asarray(padded)))[: len(z)]


@pytest.mark.parametrize("case", CONTINUUM, ids=lambda case: str(case["z"]))
def test_stored_matrices(case):
    expected = np.array(case["D_5x5"]) @ [1, 1j]
    (d,) = many(complex(*case["z"]))
    np.testing.assert_allclose(d[:5, :5], expected, rtol=0, atol=1e-12)


def test_stored_elements():
    for case in ONE_QUANTUM:
        (d,) = many(complex(*case["alpha"]))
        expected = case["D_re"] + 1j * case["D_im"]
        assert abs(d[case["m"], case["n"]] - expected) < 2e-14


def test_closed_form_one_element_at_a_time():
    z = [0.3 - 0.1j, 5 - 2j, -3.3 + 6j, 0.7j]
    expected = [flux_torus.displacement(x, 40, 40) for x in z]
    np.testing.assert_allclose(many(*z)[:, :40, :40], expected, rtol=0, atol=1e-13)


def test_hundreds_of_levels():
    """Against Laguerre polynomials of SciPy, in logarithms where factorials and powers leave the range of numbers."""
    z, levels = 6.3 - 11.2j, 500
    d = np.asarray(jax.jit(lambda z: displacement(z, levels))(jnp.asarray(z)))
    x = abs(z) ** 2
    for n, m in [(0, 0), (0, 170), (3, 499), (40, 44), (200, 201), (311, 350), (450, 499), (499, 499)]:
        laguerre = eval_genlaguerre(n, m - n, x)
        size = np.exp((gammaln(n + 1) - gammaln(m + 1) - x) / 2 + (m - n) * np.log(abs(z)) + np.log(abs(laguerre)))
        expected = np.sign(laguerre) * size * (z / abs(z)) ** (m - n)
        assert abs(d[m, n] - expected) < 2e-13
        assert abs(d[n, m] - np.conj(expected) * (-1) ** (m - n)) < 2e-13
    # Levels whose orbits stay within the table after the displacement by |z| = 12.9: √n + |z| < √500.
    np.testing.assert_allclose(np.linalg.norm(d[:, :60], axis=0), 1, rtol=0, atol=2e-13)


complex_numbers = st.complex_numbers(max_magnitude=2.5, allow_nan=False)


@given(complex_numbers, complex_numbers)
def test_group_of_displacements(z, w):
    """D(z) D(−z) = 1 and D(z) D(w) = exp(i Im z w*) D(z + w), away from the last levels."""
    dz, back, dw, together = many(z, -z, w, z + w)
    inner = 20
    np.testing.assert_allclose((dz @ back)[:inner, :inner], np.eye(inner), rtol=0, atol=3e-14)
    np.testing.assert_allclose(back, dz.conj().T, rtol=0, atol=1e-15)
    phase = np.exp(1j * np.imag(z * np.conj(w)))
    np.testing.assert_allclose((dz @ dw)[:inner, :inner], phase * together[:inner, :inner], rtol=0, atol=3e-14)


def test_smooth_at_zero():
    """D(0) = 1, ∂D/∂x = a† − a and ∂D/∂y = i(a† + a) there, and the second derivative is that of the exponential."""
    (unit,) = many(0)
    np.testing.assert_array_equal(unit, np.eye(LEVELS))
    a = np.diag(np.sqrt(np.arange(1.0, 12)), 1)

    def parts(xy):
        d = displacement(jax.lax.complex(xy[0], xy[1]), 12)
        return jnp.stack([d.real, d.imag])

    first = jax.jacfwd(parts)
    slopes, curvatures = jax.jit(lambda xy: (first(xy), jax.jacfwd(first)(xy)))(jnp.zeros(2))
    slopes = np.asarray(slopes[0] + 1j * slopes[1])
    curvatures = np.asarray(curvatures[0] + 1j * curvatures[1])
    for axis, generator in enumerate([a.T - a, 1j * (a.T + a)]):
        np.testing.assert_allclose(slopes[..., axis], generator, rtol=0, atol=1e-14)
        inner = (generator @ generator)[:10, :10]
        np.testing.assert_allclose(curvatures[:10, :10, axis, axis], inner, rtol=0, atol=1e-13)


def test_gradient_is_the_slope(rng):
    z = complex(*rng.normal(size=2))

    def number(x):
        return jnp.sum(displacement(jax.lax.complex(x[0], x[1]), 8).real * weights)

    weights = jnp.asarray(rng.normal(size=(8, 8)))
    x = jnp.asarray([z.real, z.imag])
    number_, gradient = jax.jit(number), jax.jit(jax.grad(number))(x)
    for axis in range(2):
        step = 1e-5 * jnp.eye(2)[axis]
        difference = (number_(x + step) - number_(x - step)) / 2e-5
        np.testing.assert_allclose(gradient[axis], difference, rtol=1e-8, atol=1e-9)


def test_single_precision():
    z = jnp.asarray([0.3 + 0.2j, -2.0 + 3.0j], jnp.complex64)
    d = jax.jit(lambda z: displacement(z, 60))(z)
    assert d.dtype == jnp.complex64
    assert d.shape == (2, 60, 60)
    np.testing.assert_allclose(d, many(*np.asarray(z))[:, :60, :60], rtol=0, atol=2e-5)


def lowering(levels):
    return np.diag(np.sqrt(np.arange(1.0, levels)), 1)


@pytest.mark.parametrize(("raising", "lower"), [(1, 0), (0, 1), (1, 1), (2, 0), (0, 3), (2, 1), (1, 3), (2, 2), (3, 3)])
def test_ladder_products_are_averages_over_all_orders(raising, lower):
    n = np.arange(9)
    values = np.asarray(ladder_product(jnp.asarray(n), raising, lower, jnp.float64))
    # The oracle's π± have the unit √2/ℓ.
    word = flux_torus.ladder_word(raising, lower, np.sqrt(2), 20, 20)
    for level in n:
        column = np.zeros(20)
        if level + raising - lower >= 0:
            column[level + raising - lower] = values[level]
        np.testing.assert_allclose(word[:, level], column, rtol=1e-14, atol=1e-13)


def test_two_ladder_products_in_closed_form():
    n = jnp.arange(50)
    once = ladder_product(n, 1, 1, jnp.float64)
    twice = ladder_product(n, 2, 2, jnp.float64)
    np.testing.assert_allclose(once, np.arange(50) + 0.5, rtol=1e-14)
    np.testing.assert_allclose(twice, np.arange(50) ** 2 + np.arange(50) + 0.5, rtol=1e-14)
    assert ladder_product(n, 2, 1, jnp.float32).dtype == jnp.float32
