"""Polynomials on elements: calculus on their coefficients, and what holds them together at the nodes."""

import numpy as np
import pytest
from numpy.polynomial import Polynomial, legendre
from scipy.integrate import quad

from hofstadter.magnetic.finite_elements import derivative, element_functions, position, wave

SIZE = 7


def polynomial(coefficients):
    """A function of ξ from its normalized Legendre coefficients, by the usual powers of ξ."""
    terms = [np.sqrt(n + 0.5) * c for n, c in enumerate(coefficients)]
    return Polynomial(legendre.leg2poly(terms))


@pytest.fixture
def some():
    values = np.random.default_rng(3).normal(size=SIZE)
    values[-1] = 0.0  # room for the power that multiplication adds
    return values


def test_derivative_and_position(some):
    x = np.linspace(-1, 1, 9)
    np.testing.assert_allclose(polynomial(derivative(SIZE) @ some)(x), polynomial(some).deriv()(x), atol=1e-12)
    np.testing.assert_allclose(polynomial(position(SIZE) @ some)(x), x * polynomial(some)(x), atol=1e-13)


@pytest.mark.parametrize(("degree", "smoothness"), [(4, -1), (8, 0), (7, 1), (10, 2)])
def test_functions_of_the_ends_are_jets_and_bubbles_vanish_there(degree, smoothness):
    functions, at_end = element_functions(degree, smoothness)
    assert functions.shape == (degree + 1, degree + 1)
    assert at_end == smoothness + 1
    jets = np.array(
        [[polynomial(row).deriv(order)(end) for end in (-1, 1) for order in range(at_end)] for row in functions]
    )
    np.testing.assert_allclose(jets[: 2 * at_end], np.eye(2 * at_end), atol=1e-8)
    np.testing.assert_allclose(jets[2 * at_end :], 0, atol=1e-8)
    np.testing.assert_allclose(
        (functions @ functions.T)[2 * at_end :, 2 * at_end :], np.eye(degree + 1 - 2 * at_end), atol=1e-12
    )
    np.testing.assert_allclose((functions @ functions.T)[2 * at_end :, : 2 * at_end], 0, atol=1e-8)


def test_too_low_a_degree():
    with pytest.raises(ValueError, match="must be 5 or more"):
        element_functions(4, 2)


@pytest.mark.parametrize("turns", [0.0, 0.37, -2.2])
def test_plane_wave_between_functions(turns):
    bra, ket = element_functions(5, 0), element_functions(4, -1)
    matrix = wave(bra, ket, turns)
    for i, j in ((0, 0), (3, 2), (5, 4)):
        left, right = polynomial(bra.coefficients[i]), polynomial(ket.coefficients[j])
        real, imag = (
            quad(lambda x, f=left * right, part=part: f(x) * part(2 * np.pi * turns * x), -1, 1)[0]
            for part in (np.cos, np.sin)
        )
        np.testing.assert_allclose(matrix[i, j], real + 1j * imag, atol=1e-12)
