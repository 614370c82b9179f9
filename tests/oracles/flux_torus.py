"""A continuum model on a finite torus with a whole number of flux quanta: all magnetic momenta at once.

Position splits into cyclotron motion and guiding center R with [R_x, R_y] = iℓ². On a torus of N1 × N2 cells with N_φ
flux quanta, ℓ² = N1 N2 Ω / 2πN_φ, the guiding centers have N_φ states. On them the waves of c1 = b1/N1, c2 = b2/N2 are

    U = exp(ic1·R) = T(N2 a2/N_φ),  V = exp(ic2·R) = T(−N1 a1/N_φ),  UV = exp(−2πi/N_φ) VU,

a clock and a shift. Boundary conditions T(N1 a1) = exp(−2πi θ1), T(N2 a2) = exp(−2πi θ2) say V^N_φ = exp(2πi θ1) and
U^N_φ = exp(−2πi θ2), and admit the momenta k_i = (θ_i + j_i)/N_i. The ladder operator is a = ℓ(π_x − iπ_y)/√2.
"""

import itertools

import numpy as np
from scipy.linalg import expm
from scipy.special import eval_genlaguerre, gammaln

from .continuum_models import all_kinetic, all_potential, area, reciprocal


def displacement(z, rows, columns):
    """⟨m|exp(z a† − z* a)|n⟩ from the closed form with Laguerre polynomials, one element at a time."""
    x = abs(z) ** 2
    d = np.zeros((rows, columns), complex)
    for m in range(rows):
        for n in range(columns):
            low, high = min(m, n), max(m, n)
            root = np.exp((gammaln(low + 1) - gammaln(high + 1) - x) / 2)
            power = z ** (m - n) if m >= n else (-np.conj(z)) ** (n - m)
            d[m, n] = root * power * eval_genlaguerre(low, high - low, x)
    return d


def displacement_by_exponential(z, rows, columns, padding=100):
    """The same from the exponential of a much larger truncated matrix, of which a corner is kept."""
    a = lowering(max(rows, columns) + padding)
    return expm(z * a.T - np.conj(z) * a)[:rows, :columns]


def lowering(levels):
    """⟨n−1|a|n⟩ = √n."""
    return np.diag(np.sqrt(np.arange(1.0, levels)), 1)


def ladder_word(i, j, length, rows, columns):
    """W[π_+^i π_−^j] with π_− = (√2/ℓ) a: the average over all orders, from matrices with i + j spare levels."""
    a = lowering(max(rows, columns) + i + j) * np.sqrt(2) / length
    total, orders = np.zeros_like(a), 0
    for places in itertools.combinations(range(i + j), i):
        product = np.eye(len(a))
        for place in range(i + j):
            product = product @ (a.T if place in places else a)
        total, orders = total + product, orders + 1
    return (total / orders)[:rows, :columns]


def guiding_wave(n1, n2, quanta, theta):
    """exp[i (n1 c1 + n2 c2)·R] = exp(iπ n1 n2/N_φ) U^n1 V^n2."""
    u = np.diag(np.exp(-2j * np.pi * (np.arange(quanta) + theta[1]) / quanta))
    v = np.roll(np.eye(quanta), 1, axis=0) * np.exp(2j * np.pi * theta[0] / quanta)
    u_power = np.linalg.matrix_power(u if n1 >= 0 else u.conj().T, abs(n1))
    v_power = np.linalg.matrix_power(v if n2 >= 0 else v.conj().T, abs(n2))
    return np.exp(1j * np.pi * n1 * n2 / quanta) * u_power @ v_power


def hamiltonian(model, n1, n2, quanta, levels, theta=(0.0, 0.0)):
    """H on the torus, row = ((component, level), guiding center).

    The states of component α are those of the ladder operator of π − K_α, that is D(z_K)|n⟩ with D the displacement by
    exp(iK_α·r), so exp(iG·r) between β and α is exp(iG·R) ⊗ D(z_α)† D(z_G) D(z_β): offsets need not fit the torus.

    Args:
        model: A `continuum_models.Model`.
        n1: Cells along a1.
        n2: Cells along a2.
        quanta: Flux quanta through the torus, so the flux per cell is quanta/(n1 n2).
        levels: Landau levels kept in each component, one number per component. A Dirac operator in valley K (K') wants
            one less on A (B), or it gets a spurious state near zero energy for every Dirac cone and flux quantum.
        theta: Twist of the boundary conditions.
    """
    length = np.sqrt(n1 * n2 * area(model.vectors) / (2 * np.pi * quanta))
    b1, b2 = reciprocal(model.vectors)
    first = np.concatenate([[0], np.cumsum(levels)])
    h = np.zeros((first[-1], quanta, first[-1], quanta), complex)

    def strength(wave):
        return length * (wave[0] - 1j * wave[1]) / np.sqrt(2)

    for amplitude, alpha, beta, (i, j) in all_kinetic(model):
        block = amplitude * ladder_word(i, j, length, levels[alpha], levels[beta])
        h[first[alpha] : first[alpha + 1], :, first[beta] : first[beta + 1], :] += np.einsum(
            "mn,st->msnt", block, np.eye(quanta)
        )
    for amplitude, alpha, beta, (m1, m2) in all_potential(model):
        z_a, z_b = strength(model.offsets[alpha]), strength(model.offsets[beta])
        z_g = strength(m1 * b1 + m2 * b2)
        # D(x)D(y) = exp[(x y* − x* y)/2] D(x + y), twice.
        phase = np.exp(1j * np.imag(-z_a * np.conj(z_g)) + 1j * np.imag((z_g - z_a) * np.conj(z_b)))
        block = amplitude * phase * displacement(z_g - z_a + z_b, levels[alpha], levels[beta])
        h[first[alpha] : first[alpha + 1], :, first[beta] : first[beta + 1], :] += np.einsum(
            "mn,st->msnt", block, guiding_wave(m1 * n1, m2 * n2, quanta, theta)
        )
    return h.reshape(first[-1] * quanta, first[-1] * quanta)


def energies(model, n1, n2, quanta, levels, theta=(0.0, 0.0)):
    return np.linalg.eigvalsh(hamiltonian(model, n1, n2, quanta, levels, theta))


def momenta(n1, n2, quanta, theta=(0.0, 0.0)):
    """The magnetic Bloch momenta on the torus, if the denominator q of the flux per cell divides n2."""
    q = n1 * n2 // np.gcd(n1 * n2, quanta)
    assert n2 % q == 0
    return [((theta[0] + j1) / n1, (theta[1] + j2) / n2) for j1 in range(n1) for j2 in range(n2 // q)]
