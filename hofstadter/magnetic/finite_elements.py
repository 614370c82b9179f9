"""Polynomials on intervals of a line, joined so smoothly that products of π act on them: the basis of the strip.

On an element of width h, centered at x_c, a function is a polynomial in ξ = 2 (x − x_c)/h, kept by its coefficients in
the Legendre polynomials normalized on −1 < ξ < 1. Functions of smoothness r have r continuous derivatives across the
nodes; −1 means that they may jump. On each element 2 (r + 1) of them stand for the values and derivatives at the two
ends and the others, the bubbles, vanish there to that order.

First derivatives take degree d and smoothness r into degree d − 1 and smoothness r − 1. If the components of a Dirac
operator follow that rule, it maps one space into the other, as σ·π does the Landau levels of the two sublattices: the
discrete operator has the index of the true one, and neither doublers nor spurious zero modes (Arnold, Falk and Winther,
Acta Numerica 15, 1 (2006)).
"""

import functools
from typing import NamedTuple

import numpy as np
from jaxtyping import Complex, Float
from numpy.polynomial import legendre

# Points of Gauss's quadrature beyond the degree of the polynomials, for the plane wave between them.
WAVE_POINTS = 24


class ElementFunctions(NamedTuple):
    """Functions on one element, those of its left end first, then of its right end, then the bubbles.

    Attributes:
        coefficients: Normalized Legendre coefficients of each function.
        at_end: How many functions belong to each end.
    """

    coefficients: Float[np.ndarray, "function power"]
    at_end: int


@functools.cache
def element_functions(degree: int, smoothness: int) -> ElementFunctions:
    """All polynomials up to a degree, sorted into ends and bubbles.

    Bubbles are orthonormal on −1 < ξ < 1, and orthogonal to the functions of the ends.

    Raises:
        ValueError: If the degree leaves no room for the ends.
    """
    at_end = smoothness + 1
    if degree + 1 < 2 * at_end:
        raise ValueError(
            f"Degree {degree} is too low for smoothness {smoothness}: it must be {2 * at_end - 1} or more."
        )
    if at_end == 0:
        return ElementFunctions(np.eye(degree + 1), 0)
    jets = [_values(legendre.legder(_series(degree + 1), order), x) for x in (-1.0, 1.0) for order in range(at_end)]
    conditions = np.concatenate(jets)
    return ElementFunctions(
        np.concatenate([np.linalg.pinv(conditions).T, np.linalg.svd(conditions)[2][2 * at_end :]]), at_end
    )


@functools.cache
def derivative(size: int) -> Float[np.ndarray, "size size"]:
    """d/dξ between coefficients."""
    series = legendre.legder(_series(size))
    result = np.zeros((size, size))
    result[: len(series)] = series / np.sqrt(np.arange(len(series)) + 0.5)[:, None]
    return result


@functools.cache
def position(size: int) -> Float[np.ndarray, "size size"]:
    """Multiplication by ξ between coefficients, the highest power of the result cut off."""
    n = np.arange(1, size)
    step = n / np.sqrt(4 * n**2 - 1)
    return np.diag(step, 1) + np.diag(step, -1)


def wave(bra: ElementFunctions, ket: ElementFunctions, turns: float) -> Complex[np.ndarray, "bra ket"]:
    """⟨bra| exp(2πi turns ξ) |ket⟩ on −1 < ξ < 1, by Gauss's quadrature."""
    sizes = bra.coefficients.shape[1], ket.coefficients.shape[1]
    x, weights = legendre.leggauss(max(sizes) + WAVE_POINTS)
    left, right = (
        part.coefficients @ _values(_series(size), x).T for part, size in zip((bra, ket), sizes, strict=True)
    )
    return (left * (weights * np.exp(2j * np.pi * turns * x))) @ right.T


def _series(size: int) -> Float[np.ndarray, "power size"]:
    """Columns are the first normalized polynomials, as series of the usual ones."""
    return np.diag(np.sqrt(np.arange(size) + 0.5))


def _values(series: Float[np.ndarray, "power size"], x: float | np.ndarray) -> Float[np.ndarray, "point size"]:
    return np.atleast_2d(legendre.legval(np.asarray(x), series).T)
