"""Theta functions of the flux-2π basis in 50 digits: plain sums over the lattice as given, nothing reduced or folded.

Charge −e, B > 0 (σ = −1). Arguments are floats or mpmath numbers and are taken as exact. `vectors` are any two rows.
"""

import mpmath as mp

mp.mp.dps = 50


def cell(vectors):
    (a, b), (c, d) = [[mp.mpf(entry) for entry in row] for row in vectors]
    return (a, b), (c, d), a * d - b * c


def lattice(vectors, center=(0, 0), digits=50):
    """(R1, R2, |R + center|²) of all lattice vectors that count in Σ exp(−π|R + center|²/2Ω)."""
    a1, a2, area = cell(vectors)
    reach = mp.sqrt(2 * area / mp.pi * digits * mp.log(10))
    height = area / mp.hypot(*a1)
    length = mp.hypot(*a1)
    found = []
    for r2 in range(int(mp.floor(-center[1] - reach / height)), int(mp.ceil(-center[1] + reach / height)) + 1):
        start = (r2 + center[1]) * (a1[0] * a2[0] + a1[1] * a2[1]) / length**2 + center[0]
        for r1 in range(int(mp.floor(-start - reach / length)), int(mp.ceil(-start + reach / length)) + 1):
            x = (r1 + center[0]) * a1[0] + (r2 + center[1]) * a2[0]
            y = (r1 + center[0]) * a1[1] + (r2 + center[1]) * a2[1]
            found.append((r1, r2, x * x + y * y))
    return found


def norm(k, vectors):
    """N(k) = Σ (−1)^(R1R2) exp(−π|R|²/2Ω) cos 2πk·R, and its two derivatives by reduced k."""
    area = cell(vectors)[2]
    k1, k2 = mp.mpmathify(k[0]), mp.mpmathify(k[1])
    total, by_k1, by_k2 = mp.mpf(0), mp.mpf(0), mp.mpf(0)
    for r1, r2, squared in lattice(vectors):
        weight = (-1) ** (r1 * r2) * mp.exp(-mp.pi * squared / (2 * area))
        angle = 2 * mp.pi * (k1 * r1 + k2 * r2)
        total += weight * mp.cos(angle)
        by_k1 -= weight * 2 * mp.pi * r1 * mp.sin(angle)
        by_k2 -= weight * 2 * mp.pi * r2 * mp.sin(angle)
    return total, by_k1, by_k2


def siegel(k, vectors):
    """Σ_n exp(iπ n·τ_S n − 2πi n·k) with the matrix τ_S, for complex k not far from the real ones."""
    (t11, t12), (_, t22) = tau_siegel(vectors)
    k1, k2 = mp.mpmathify(k[0]), mp.mpmathify(k[1])
    total = mp.mpc(0)
    for n1, n2, _ in lattice(vectors, digits=120):
        form = n1 * n1 * t11 + 2 * n1 * n2 * t12 + n2 * n2 * t22
        total += mp.exp(1j * mp.pi * form - 2j * mp.pi * (n1 * k1 + n2 * k2))
    return total


def tau_siegel(vectors):
    a1, a2, area = cell(vectors)
    off = (1 + 1j * (a1[0] * a2[0] + a1[1] * a2[1]) / area) / 2
    return (
        (1j * (a1[0] ** 2 + a1[1] ** 2) / area / 2, off),
        (off, 1j * (a2[0] ** 2 + a2[1] ** 2) / area / 2),
    )


def gauge_phase(k, q, vectors):
    """g(k, q) = ⟨k| exp(−iq·r) |k+q⟩ / D_00(q) as the ratio of sums, for q and k away from the zeros."""
    area = cell(vectors)[2]
    k1, k2, q1, q2 = (mp.mpf(entry) for entry in (*k, *q))
    total = mp.mpc(0)
    for r1, r2, squared in lattice(vectors, center=(-q2, q1)):
        weight = (-1) ** (r1 * r2) * mp.exp(-mp.pi * squared / (2 * area))
        total += weight * mp.exp(-2j * mp.pi * ((k1 + q1 / 2) * r1 + (k2 + q2 / 2) * r2))
    return total / mp.sqrt(norm((k1, k2), vectors)[0] * norm((k1 + q1, k2 + q2), vectors)[0])


def section_ratio(k, other, vectors):
    """f(k)/f(other), f the conjugate of ϑ1(w|τ) exp(iπτ x1² − iπ x1 x2) of the cell as given, by mpmath's own ϑ1."""
    a1, a2, _ = cell(vectors)
    tau = mp.mpc(*a2) / mp.mpc(*a1)

    def f(k):
        x1, x2 = mp.mpf(k[0]) - mp.mpf(1) / 2, mp.mpf(k[1]) - mp.mpf(1) / 2
        theta = mp.jtheta(1, mp.pi * (x1 * tau - x2), mp.exp(1j * mp.pi * tau))
        return mp.conj(theta * mp.exp(1j * mp.pi * (tau * x1 * x1 - x1 * x2)))

    return f(k) / f(other)
