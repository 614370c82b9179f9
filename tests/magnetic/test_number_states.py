"""Number states around lattice points: their laws over ξ, and the overlaps that Poisson's sum gives."""

import jax.numpy as jnp
import numpy as np
import pytest

from hofstadter.magnetic import number_states
from tests.continua import quickly_compiled

TRIANGULAR = 3.0 * np.array([[1.0, 0.0], [0.5, np.sqrt(3) / 2]])
OBLIQUE = np.array([[1.1, 0.3], [-0.2, 0.9]])
LEVELS, TERMS = 8, 12
over_xi = quickly_compiled(number_states.number_states, static_argnums=4)


@quickly_compiled
def overlaps(k, vectors, p, q):
    return number_states.overlaps(k, vectors, p, q, levels=LEVELS, rows=3 * LEVELS, cells=4, terms=TERMS)


@pytest.mark.parametrize("vectors", [TRIANGULAR, OBLIQUE])
def test_orthonormal_over_xi(vectors):
    xi = np.linspace(-14, 14, 2801)
    states = np.asarray(over_xi(jnp.asarray(xi[:, None]), jnp.asarray(vectors), jnp.asarray(1), jnp.asarray(2), 12))[
        ..., 0
    ]
    products = states.conj() @ states.T * (xi[1] - xi[0])
    np.testing.assert_allclose(products, np.eye(12), rtol=0, atol=1e-12)


def test_high_states_where_the_lowest_vanishes():
    """ξ so far out that χ_0 is below the smallest number, inside the orbit of χ_2600."""
    xi = np.array([[20.0, 21.0]])
    p, q, levels = jnp.asarray(1), jnp.asarray(1), 2600
    states = np.abs(over_xi(jnp.asarray(xi), jnp.asarray(TRIANGULAR), p, q, levels)[:, 0])
    assert states[0].max() == 0
    # ξ in units of the oscillator length √(1/φ Im t).
    x = xi[0] * np.sqrt(np.pi * np.sqrt(3))
    previous, current = np.zeros(2), np.full(2, np.pi**-0.25)
    logarithm = -(x**2) / 2
    for n in range(levels - 1):
        previous, current = current, np.sqrt(2 / (n + 1)) * x * current - np.sqrt(n / (n + 1)) * previous
        size = np.abs(current) + np.abs(previous)
        previous, current, logarithm = previous / size, current / size, logarithm + np.log(size)
    expected = np.abs(current) * np.exp(logarithm) * (np.pi * np.sqrt(3)) ** 0.25
    np.testing.assert_allclose(states[-1], expected, rtol=1e-6)
    assert expected.min() > 1e-3


@pytest.mark.parametrize("vectors", [TRIANGULAR, OBLIQUE])
@pytest.mark.parametrize("flux", [(1, 1), (1, 4), (2, 3), (3, 2)])
def test_poisson_sum(vectors, flux):
    """Σ_j g_n g_m* = Σ_G ⟨m|exp(−iG·R)|n⟩ exp(iG·R), the exponential of b between the levels by matrix elements."""
    p, q = flux
    k = np.array([0.13, 0.21 / q])
    rows = LEVELS * p
    g = np.asarray(overlaps(jnp.asarray(k), jnp.asarray(vectors), jnp.asarray(p), jnp.asarray(q)))[:rows, :q]
    found = g @ g.conj().T
    reciprocal = 2 * np.pi * np.linalg.inv(vectors).T
    ell = np.sqrt(np.linalg.det(vectors) * q / (2 * np.pi * p))
    expected = np.zeros((rows, rows), complex)
    for m1 in range(-8, 9):
        for m2 in range(-8, 9):
            x, y = np.array([m1, m2]) @ reciprocal
            # −iG·R = w b† − w* b with R_x + iR_y = √2 ℓ b.
            w = -1j * ell * (x + 1j * y) / np.sqrt(2)
            # exp(iG·R) sends |s⟩ to |s + m2 q⟩ at k = 0.
            state = (np.arange(p) + m2 * q) % p
            turn = np.zeros((p, p), complex)
            turn[state, np.arange(p)] = np.exp(1j * np.pi * (m1 * m2 * q - 2 * m1 * (np.arange(p) + m2 * q)) / p)
            turn = turn * np.exp(2j * np.pi * q / p * (k[0] * m2 - k[1] * m1))
            expected += np.kron(displacement(w, LEVELS).T, turn)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def displacement(w, levels):
    """⟨m|exp(w b† − w* b)|n⟩, by products of exponentials of b† and b, exact at any size."""
    lowering = np.diag(np.sqrt(np.arange(1, levels)), 1)
    up, down = (np.eye(levels, dtype=complex) for _ in range(2))
    power_up, power_down = up, down
    for n in range(1, levels):
        power_up, power_down = power_up @ (w * lowering.T) / n, power_down @ (-np.conj(w) * lowering) / n
        up, down = up + power_up, down + power_down
    return np.exp(-(abs(w) ** 2) / 2) * up @ down
