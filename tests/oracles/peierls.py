"""Tight binding in a magnetic field with loops and nothing else: slow, obvious, NumPy only.

Electrons have charge −e and the field is +B along z. A hop from r' to r carries the phase of the straight
bond,

    ⟨r|H|r'⟩ = t exp(−(ie/ħ) ∫_{r'}^{r} A · dl),

with φ = 2π p/q = eBΩ/ħ for the cell of area Ω. Two gauges are used, which share no formula:

* `bloch`, `raw_elements`: (e/ħ) A·dl = −φ x2 dx1 in reduced coordinates r = x1 a1 + x2 a2;
* `torus`: A = (B/2)(−y, x) in Cartesian coordinates.
"""

import itertools
from typing import NamedTuple

import numpy as np
from scipy.linalg import eigvalsh_tridiagonal


class Model(NamedTuple):
    """A zero-field model in plain NumPy."""

    vectors: np.ndarray  # a1, a2 as rows
    positions: np.ndarray  # orbital positions in units of a1, a2
    onsite: np.ndarray
    hops: list  # (amplitude, i, j, R1, R2) with amplitude = ⟨i, cell 0|H|j, cell R⟩, the partner implied


def both_directions(model):
    """Every directed hop once: the listed ones and their Hermitian partners."""
    hops = []
    for amplitude, i, j, r1, r2 in model.hops:
        hops.append((amplitude, i, j, r1, r2))
        hops.append((np.conj(amplitude), j, i, -r1, -r2))
    return hops


def area(vectors):
    (x1, y1), (x2, y2) = vectors
    return x1 * y2 - y1 * x2


def zero_field(model, k):
    """H(k) = Σ t exp(2πi k·R) + on-site terms; k in units of the reciprocal vectors."""
    h = np.diag(model.onsite).astype(complex)
    for amplitude, i, j, r1, r2 in both_directions(model):
        h[i, j] += amplitude * np.exp(2j * np.pi * (k[0] * r1 + k[1] * r2))
    return h


def raw_elements(model, p, q, k):
    """Matrix elements of H on the Bloch functions of the magnetic cell a1 × q a2, one hop at a time.

    Basis functions are the bare sites x = τ + m a2, row m * orbitals + orbital. The magnetic translations of
    the gauge (e/ħ) A·dl = −φ x2 dx1 are T(a1)ψ(r) = ψ(r − a1) and T(q a2)ψ(r) = exp(2πi p x1) ψ(r − q a2).
    With T(a1) = exp(−2πi k1) and T(q a2) = exp(−2πi q k2) a Bloch function obeys

        ψ(r + R1 a1 + q J a2) = exp[2πi (k1 R1 + (q k2 + p x1) J)] ψ(r).

    Yields:
        Row, column, value, and the displacement (target − source) along the bond in reduced coordinates.
    """
    phi = 2 * np.pi * p / q
    n = len(model.positions)
    for m in range(q):
        for amplitude, i, j, r1, r2 in both_directions(model):
            target = model.positions[i] + [0, m]
            source = model.positions[j] + [r1, m + r2]
            peierls = np.exp(0.5j * phi * (target[0] - source[0]) * (target[1] + source[1]))
            m_source = (m + r2) % q
            j_cells = (m + r2 - m_source) // q
            x1_home = model.positions[j][0]
            seam = np.exp(2j * np.pi * (k[0] * r1 + (q * k[1] + p * x1_home) * j_cells))
            yield m * n + i, m_source * n + j, amplitude * peierls * seam, target - source


def bloch(model, p, q, k):
    """H(k) at flux p/q on the bare sites of the magnetic cell, of size q × orbitals."""
    h = np.diag(np.tile(model.onsite, q)).astype(complex)
    for row, column, value, _ in raw_elements(model, p, q, k):
        h[row, column] += value
    return h


def bloch_derivative(model, p, q, k, axis):
    """∂H̃/∂k_axis, where H̃(k) = exp(−ik·r) H exp(ik·r) with r the position of every site."""
    size = q * len(model.positions)
    x = site_positions(model, q)
    h = np.zeros((size, size), complex)
    for row, column, value, displacement in raw_elements(model, p, q, k):
        periodic = value * np.exp(-2j * np.pi * (np.dot(k, x[row]) - np.dot(k, x[column])))
        h[row, column] += -2j * np.pi * displacement[axis] * periodic
    return h


def site_positions(model, q):
    """Reduced positions of the q × orbitals sites of the magnetic cell, in the order of the basis."""
    return np.array([(x1, x2 + m) for m in range(q) for x1, x2 in model.positions])


def translated_site_phases(model, p, q):
    """Phase of the bare site τ + m a2 in T(a2)^m |τ⟩, with T(a2)ψ(r) = exp(iφ x1) ψ(r − a2)."""
    return np.array([np.exp(2j * np.pi * p / q * m * x1) for m in range(q) for x1 in model.positions[:, 0]])


def torus(model, p, q, l1, l2, theta):
    """H on a torus of l1 × l2 cells in real space, symmetric gauge, twisted magnetic boundary conditions.

    With A = (B/2)(−y, x) the magnetic translations are T(d)ψ(r) = exp(−i d×r/2ℓ²) ψ(r − d), 1/ℓ² = φ/Ω, and
    the boundary conditions T(l1 a1) = exp(−2πi θ1), T(l2 a2) = exp(−2πi θ2) are consistent if p l1 l2/q is an
    integer.
    """
    assert (p * l1 * l2) % q == 0
    a1, a2 = model.vectors
    inverse_length2 = 2 * np.pi * p / q / area(model.vectors)
    n = len(model.positions)

    def cross(u, v):
        return u[0] * v[1] - u[1] * v[0]

    def place(c1, c2, orbital):
        x1, x2 = model.positions[orbital]
        return (x1 + c1) * a1 + (x2 + c2) * a2

    def index(c1, c2, orbital):
        return (c1 * l2 + c2) * n + orbital

    h = np.zeros((l1 * l2 * n, l1 * l2 * n), complex)
    for c1, c2 in itertools.product(range(l1), range(l2)):
        for i in range(n):
            h[index(c1, c2, i), index(c1, c2, i)] += model.onsite[i]
        for amplitude, i, j, r1, r2 in both_directions(model):
            target, source = place(c1, c2, i), place(c1 + r1, c2 + r2, j)
            # −(e/ħ) ∫ A·dl over the straight bond from r' to r is −(r' × r)/2ℓ².
            value = amplitude * np.exp(-0.5j * cross(source, target) * inverse_length2)
            s1, s2 = c1 + r1, c2 + r2
            # Bring the source home, one torus period at a time: ψ(r) = exp(2πiθ) exp(−i d×r/2ℓ²) ψ(r − d),
            # and the inverse ψ(r) = exp(−2πiθ) exp(+i d×r/2ℓ²) ψ(r + d).
            for direction, (length, vector, angle) in enumerate(((l1, a1, theta[0]), (l2, a2, theta[1]))):
                d = length * vector
                while (s1, s2)[direction] >= length:
                    value *= np.exp(2j * np.pi * angle - 0.5j * cross(d, place(s1, s2, j)) * inverse_length2)
                    s1, s2 = (s1 - length, s2) if direction == 0 else (s1, s2 - length)
                while (s1, s2)[direction] < 0:
                    value *= np.exp(-2j * np.pi * angle + 0.5j * cross(d, place(s1, s2, j)) * inverse_length2)
                    s1, s2 = (s1 + length, s2) if direction == 0 else (s1, s2 + length)
            h[index(c1, c2, i), index(s1, s2, j)] += value
    return h


def torus_momenta(q, l1, l2, theta):
    """The magnetic Bloch momenta on the torus of `torus`, l2 a multiple of q."""
    assert l2 % q == 0
    return np.array([((theta[0] + j1) / l1, (theta[1] + j2) / l2) for j1 in range(l1) for j2 in range(l2 // q)])


def square_band_edges(p, q):
    """All band edges of H = −Σ_nn on the square lattice, q pairs (lower, upper), from real tridiagonals.

    Chambers' relation puts every band edge at (q k1, q k2) = (0, 0) or (1/2, 1/2), where the Harper equation
    has a reflection that splits it into an even and an odd tridiagonal block of about q/2 rows.
    """

    def potential(numerator):
        return 2 * np.cos(2 * np.pi * (numerator % (2 * q)) / (2 * q))

    root2 = np.sqrt(2)
    if q == 1:
        corner, other = np.array([4.0]), np.array([-4.0])
    elif q % 2:
        h = (q - 1) // 2
        v = np.array([potential(2 * p * j) for j in range(h + 1)])
        even, odd = v.copy(), v[1:].copy()
        even[-1] += 1
        odd[-1] -= 1
        corner = np.concatenate(
            [
                eigvalsh_tridiagonal(even, np.array([root2] + [1.0] * (h - 1))),
                eigvalsh_tridiagonal(odd, np.ones(h - 1)),
            ]
        )
        other = -corner
    else:
        half = q // 2
        v = np.array([potential(2 * p * j) for j in range(half + 1)])
        off = np.array([2.0]) if q == 2 else np.array([root2] + [1.0] * (half - 2) + [root2])
        blocks = [eigvalsh_tridiagonal(v, off)]
        if half > 1:
            blocks.append(eigvalsh_tridiagonal(v[1:-1], np.ones(half - 2)))
        corner = np.concatenate(blocks)
        start = (((-pow(p, -1, q)) % q) + 1) // 2
        v = np.array([potential(2 * p * (start + j) + 1) for j in range(half)])
        blocks = []
        for sign in (1, -1):
            diagonal = v.copy()
            diagonal[0] += sign
            diagonal[-1] -= sign
            blocks.append(eigvalsh_tridiagonal(diagonal, np.ones(half - 1)))
        other = np.concatenate(blocks)
    # The blocks are those of H = +Σ.
    return np.sort(np.stack([np.sort(-corner), np.sort(-other)], axis=1), axis=1)


def harper_band_edges(p, q, t1=1.0, t2=1.0):
    """All band edges of the rectangular lattice, q pairs (lower, upper), from the whole ring at two momenta.

    The Harper equation t2 (ψ[j+1] + ψ[j−1]) + 2 t1 cos(2π p j/q + κ1) ψ[j] = E ψ[j] with ψ[j+q] = exp(iq κ2) ψ[j], at
    (κ1, κ2) = (0, 0) and (π/q, π/q); the signs of t1 and t2 only exchange momenta.
    """
    corners = []
    for kappa in (0.0, np.pi / q):
        ring = np.zeros((q, q), complex)
        for j in range(q):
            ring[j, j] += 2 * t1 * np.cos(2 * np.pi * (p * j % q) / q + kappa)
            ring[j, (j + 1) % q] += t2 * np.exp(1j * kappa)
            ring[(j + 1) % q, j] += t2 * np.exp(-1j * kappa)
        corners.append(np.linalg.eigvalsh(ring))
    return np.sort(np.stack(corners, axis=1), axis=1)


def closed_walks(model, p, q, length):
    """Tr H^length per primitive cell and zone: the sum over closed walks, with the flux that each encloses.

    H[a, b] carries −(e/ħ) ∫_b^a A·dl, so the walk i → j1 → j2 … → i that the matrix indices spell is run
    backwards by the electron and counts exp(+2πi (p/q) A/Ω) with A its oriented area (counterclockwise
    positive).
    """
    steps = {}
    for amplitude, i, j, r1, r2 in both_directions(model):
        steps.setdefault(i, []).append((amplitude, j, r1, r2))
    for i, energy in enumerate(model.onsite):
        if energy:
            steps.setdefault(i, []).append((energy, i, 0, 0))

    def place(orbital, cell):
        x1, x2 = model.positions[orbital] + cell
        return x1 * model.vectors[0] + x2 * model.vectors[1]

    def walks(start, orbital, cell, left, weight, corners):
        if left == 0:
            if orbital == start and cell == (0, 0):
                yield weight * np.exp(2j * np.pi * p / q * polygon_area(corners) / area(model.vectors))
            return
        for amplitude, j, r1, r2 in steps.get(orbital, []):
            there = (cell[0] + r1, cell[1] + r2)
            yield from walks(start, j, there, left - 1, weight * amplitude, [*corners, place(j, there)])

    total = 0
    for start in range(len(model.positions)):
        total += sum(walks(start, start, (0, 0), length, 1.0, [place(start, (0, 0))]))
    return total


def polygon_area(corners):
    """Oriented area by the shoelace formula, counterclockwise positive."""
    total = 0.0
    for (x, y), (u, v) in zip(corners, [*corners[1:], corners[0]], strict=True):
        total += (x * v - y * u) / 2
    return total
