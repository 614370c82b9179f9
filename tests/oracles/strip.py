"""A continuum model in a magnetic field on a strip: no Landau levels, slow, obvious, NumPy only.

In reduced coordinates r = x1 a1 + x2 a2 and the gauge eA·dl = −φ x2 dx1, φ = 2π p/q, the wave function is

    ψ = Σ_n exp[2πi (k1 + n) x1] g_n(x2),   g_{n+p}(x2 + q) = exp(2πi q k2) g_n(x2),

which are T(a1) = exp(−2πi k1) and T(q a2) = exp(−2πi q k2) of the electron. The p functions g_0 … g_{p−1} on the whole
line are independent. On them

    π = (b1/2π) [2π (k1 + n) − φ x2] + (b2/2π) (−i d/dx2),

exp(i b2·r) multiplies by exp(2πi x2), and exp(i b1·r) sends g_n to g_{n+1}. Each g_n is kept on a window of the grid
x2 = j/points around the zero of the first bracket and taken for band limited, so its derivative is that of its sinc
interpolation. Everything is exact but for the window and the spacing, and errors fall faster than any power.

A Dirac operator has as many rows in sublattice A as in B here, while its index in the field is not zero: the grid adds
about one spurious state per Dirac cone and flux quantum near zero energy, and more at high energies. They live at the
edge of the grid's momenta: `momentum_squares` tells them from the others.
"""

import itertools

import numpy as np

from .continuum_models import all_kinetic, all_potential, reciprocal


class Strip:
    """The grid of one model at one flux and momentum.

    Args:
        model: A `continuum_models.Model`.
        p: Numerator of the flux per cell.
        q: Denominator.
        k: Momentum in units of b1, b2.
        points: Grid points per cell along a2; the momenta along x2 reach ±π · points.
        rows: Number of points of a window. By default 2π(k1 + n) − φ x2 reaches the same ±π · points.
    """

    def __init__(self, model, p, q, k, points, rows=None):
        self.model, self.p, self.q, self.k, self.points = model, p, q, k, points
        self.phi = 2 * np.pi * p / q
        self.rows = int(np.ceil(points**2 * q / p)) if rows is None else rows
        self.components = len(model.offsets)
        self.size = self.components * p * self.rows
        # First grid index of the window of (component, n).
        self.start = {}
        for alpha in range(self.components):
            for n in range(p):
                middle = (k[0] + n - self.offset(alpha)[0] / (2 * np.pi)) * q / p
                self.start[alpha, n] = round(middle * points - (self.rows - 1) / 2)

    def offset(self, alpha):
        """K_α·a1 and K_α·a2."""
        return self.model.vectors @ self.model.offsets[alpha]

    def block(self, alpha, n):
        """Rows of g_n of component α in the matrix."""
        first = (alpha * self.p + n) * self.rows
        return slice(first, first + self.rows)

    def pi(self, alpha, n):
        """π_x − K_x and π_y − K_y on g_n of component α, two Hermitian matrices."""
        x2 = (self.start[alpha, n] + np.arange(self.rows)) / self.points
        j = np.arange(self.rows)
        distance = j[:, None] - j[None, :]
        # d/dx2 of Σ_j g(x_j) sinc(x points − j), at the points: (−1)^(i−j) points/(i − j).
        sign = np.where(distance % 2 == 0, 1.0, -1.0)
        derivative = np.where(distance == 0, 0.0, self.points * sign / np.where(distance == 0, 1, distance))
        k_1, k_2 = self.offset(alpha)
        along_1 = np.diag(2 * np.pi * (self.k[0] + n) - self.phi * x2 - k_1)
        along_2 = -1j * derivative - k_2 * np.eye(self.rows)
        b1, b2 = reciprocal(self.model.vectors) / (2 * np.pi)
        return b1[0] * along_1 + b2[0] * along_2, b1[1] * along_1 + b2[1] * along_2

    def kinetic(self):
        h = np.zeros((self.size, self.size), complex)
        for alpha in range(self.components):
            terms = [term for term in all_kinetic(self.model) if term[1] == alpha]
            for n in range(self.p):
                x, y = self.pi(alpha, n)
                for amplitude, _, beta, (i, j) in terms:
                    # Equal offsets, so both components have the same window.
                    h[self.block(alpha, n), self.block(beta, n)] += amplitude * weyl(x + 1j * y, x - 1j * y, i, j)
        return h

    def potential(self):
        h = np.zeros((self.size, self.size), complex)
        for amplitude, alpha, beta, (m1, m2) in all_potential(self.model):
            for n in range(self.p):
                # g'_{n+m1}(x) = exp(2πi m2 x) g_n(x), and n + m1 = home + cells p with
                # g'_{home + cells p}(x) = exp(2πi q k2 cells) g'_home(x − q cells).
                cells, home = divmod(n + m1, self.p)
                seam = np.exp(-2j * np.pi * self.q * self.k[1] * cells)
                for j in range(self.rows):
                    index = self.start[beta, n] + j
                    row = index - self.q * cells * self.points - self.start[alpha, home]
                    if 0 <= row < self.rows:
                        value = amplitude * seam * np.exp(2j * np.pi * m2 * index / self.points)
                        h[self.block(alpha, home), self.block(beta, n)][row, j] += value
        return h

    def hamiltonian(self):
        return self.kinetic() + self.potential()

    def momentum_squares(self, states):
        """⟨(π − K)²⟩ of every column of `states`."""
        total = np.zeros(states.shape[1])
        for alpha in range(self.components):
            for n in range(self.p):
                part = states[self.block(alpha, n)]
                for pi in self.pi(alpha, n):
                    total += np.linalg.norm(pi @ part, axis=0) ** 2
        return total


def weyl(plus, minus, i, j):
    """The average of all distinct orders of i factors `plus` and j factors `minus`."""
    total, orders = np.zeros_like(plus), 0
    for places in itertools.combinations(range(i + j), i):
        product = np.eye(len(plus), dtype=complex)
        for place in range(i + j):
            product = product @ (plus if place in places else minus)
        total, orders = total + product, orders + 1
    return total / orders


def hamiltonian(model, p, q, k, points, rows=None):
    """The Hermitian matrix of the model at flux p/q and momentum k = k1 b1 + k2 b2; see `Strip`."""
    return Strip(model, p, q, k, points, rows).hamiltonian()


def energies(model, p, q, k, points, rows=None):
    """All eigenvalues, those of the edge of the grid included."""
    return np.linalg.eigvalsh(hamiltonian(model, p, q, k, points, rows))


def physical_energies(model, p, q, k, points, rows=None, fraction=0.5):
    """Eigenvalues of the states with ⟨(π − K)²⟩ below a fraction of the largest momentum squared of the grid."""
    strip = Strip(model, p, q, k, points, rows)
    values, states = np.linalg.eigh(strip.hamiltonian())
    b2 = reciprocal(model.vectors)[1]
    return values[strip.momentum_squares(states) < fraction * (points / 2 * np.hypot(*b2)) ** 2]
