"""Heavy fermions in a field by quadrature in Landau gauge: every overlap an integral over the plane.

Reduced coordinates r = x1 a1 + x2 a2, (e/ħ) A·dl = −φ x2 dx1, T(a1) ψ = ψ(r − a1), T(a2) ψ = exp(iφ x1) ψ(r − a2). The
kinetic momentum of exp(2πiκ x1) u(x2) is b1 (κ − φ x2/2π) + (b2/2π) (−i∂_2), and levels follow from π₋ u_0 = 0 by
powers of a† = ℓ π₊/√2. The f orbital at N a2 is seen through the Gaussian kernel times exp(iφ x1 (x2 + N)/2).
"""

import numpy as np
from numpy.polynomial import polynomial

ORBITALS = 6


def lattice(length):
    """a1, a2 and b1, b2 as complex numbers x + iy, and the area."""
    a1, a2 = length, length * np.exp(1j * np.pi / 3)
    area = (a1.conjugate() * a2).imag
    # b1·a1 = 2π, b1·a2 = 0: b1 is a2 turned by −90°, b2 is a1 turned by +90°.
    return a1, a2, -1j * a2 * 2 * np.pi / area, 1j * a1 * 2 * np.pi / area, area


def level_functions(levels, kappa, flux, length, x2):
    """u_n(x2) for n < levels, normalized to ∫ |u|² Ω dx2 = 1."""
    _, _, b1, b2, area = lattice(length)
    phi = 2 * np.pi * flux[0] / flux[1]
    ell = np.sqrt(area / phi)
    y = x2 - 2 * np.pi * kappa / phi
    # π₋ u = [−b1* φ y/2π − i (b2*/2π) d/dy] u = 0 gives u = exp(i w y²/2) with w = φ b1*/b2*.
    w = phi * b1.conjugate() / b2.conjugate()
    assert w.imag > 0
    gaussian = np.exp(1j * w * y**2 / 2)
    gaussian = gaussian * (w.imag / np.pi) ** 0.25 / np.sqrt(area)
    coefficients, rows = np.array([1.0 + 0j]), []
    for n in range(levels):
        rows.append(polynomial.polyval(y, coefficients) * gaussian)
        # (d/dy)(P g) = (P' + i w y P) g
        slope = polynomial.polyadd(polynomial.polyder(coefficients), polynomial.polymul([0, 1j * w], coefficients))
        raised = polynomial.polyadd(
            -b1 * phi / (2 * np.pi) * polynomial.polymul([0, 1], coefficients), -1j * b2 / (2 * np.pi) * slope
        )
        coefficients = raised * ell / np.sqrt(2) / np.sqrt(n + 1)
    return np.array(rows)


def overlaps(levels, flux, k, damping, length, reach=3.6, points=145):
    """⟨n, k, m| of the Gaussian kernel and of its two derivatives with each f orbital: (3, n, m, j)."""
    p, q = flux
    a1, a2, _, _, area = lattice(length)
    phi = 2 * np.pi * p / q
    line = np.linspace(-reach, reach, points)
    step = line[1] - line[0]
    x1, y = np.meshgrid(line, line, indexing="ij")
    d = x1 * a1 + y * a2
    plain = np.sqrt(area) / (2 * np.pi * damping**2) * np.exp(-(abs(d) ** 2) / (2 * damping**2))
    # k → −i∇ of the kernel: k_x ∓ ik_y.
    kernels = np.array([plain, 1j * d.conj() / damping**2 * plain, 1j * d / damping**2 * plain])
    kernels = kernels * np.exp(1j * phi * x1 * y / 2)
    result = np.zeros((3, levels, p, q), complex)
    for m in range(p):
        kappa = k[0] + m
        center = round(kappa * q / p)
        for n_cell in range(center - 12 * q, center + 12 * q + 1):
            # The momentum along a1 against that of the orbital decides whether they overlap.
            if abs(kappa * q / p - n_cell) > 9 * max(1.0, np.sqrt(q / p)):
                continue
            j, cells = n_cell % q, n_cell // q
            u = level_functions(levels, kappa, flux, length, line + n_cell)
            wave = np.exp(-1j * (2 * np.pi * kappa - phi * n_cell) * x1)
            along = np.sum(kernels * wave, axis=1) * step
            amplitude = area * np.einsum("ny,cy->cn", u.conj(), along) * step
            result[:, :, m, j] += np.exp(2j * np.pi * k[1] * q * cells) * amplitude
    return result


def matrix(numbers, flux, k, levels, valley=1):
    """H at one momentum; `numbers` are gamma, mass, v_star, v_prime, damping and length, `levels` those of c1."""
    p, q = flux
    area = lattice(numbers["length"])[-1]
    unit = np.sqrt(2 * 2 * np.pi * p / q / area)
    sizes = {1: (0, 0, -1, 1), -1: (0, 0, 1, -1)}[valley]
    place, count = {}, 0
    for orbital in range(4):
        for n in range(levels + sizes[orbital]):
            for m in range(p):
                place[orbital, n, m] = count
                count += 1
    for orbital in (4, 5):
        for j in range(q):
            place[orbital, j] = count
            count += 1
    h = np.zeros((count, count), complex)

    def couple(bra, ket, value):
        if bra in place and ket in place:
            h[place[bra], place[ket]] += value
            h[place[ket], place[bra]] += np.conj(value)

    for n in range(levels + 2):
        for m in range(p):
            couple((2, n, m), (3, n, m), numbers["mass"])
            up = numbers["v_star"] * unit * np.sqrt(n + 1)
            if valley == 1:  # a† between c1 and c3, a between c2 and c4
                couple((0, n + 1, m), (2, n, m), up)
                couple((1, n, m), (3, n + 1, m), up)
            else:
                couple((0, n, m), (2, n + 1, m), -up)
                couple((1, n + 1, m), (3, n, m), -up)
    plain, minus, plus = overlaps(levels, flux, k, numbers["damping"], numbers["length"])
    if valley == -1:
        minus, plus = -plus, -minus
    for n in range(levels):
        for m in range(p):
            for j in range(q):
                couple((0, n, m), (4, j), numbers["gamma"] * plain[n, m, j])
                couple((1, n, m), (5, j), numbers["gamma"] * plain[n, m, j])
                couple((0, n, m), (5, j), numbers["v_prime"] * minus[n, m, j])
                couple((1, n, m), (4, j), numbers["v_prime"] * plus[n, m, j])
    return h
