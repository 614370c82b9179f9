"""H = c π² + V(r) on a grid in real space with covariant differences, and Richardson extrapolation in the spacing.

A grid of n × n points per cell is a tight-binding lattice: π² ≈ Σ_d w_d (2 − U_d − U_d†) n² over a few directions d
among a1, a2, a1 ± a2, where U_d hops by d/n with the Peierls phase of the straight bond and the weights reproduce the
metric, Σ_d w_d (d·p)² = p². The error is a series in 1/n², of which Richardson removes one power per extra grid.
"""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.linalg import eigsh

from .continuum_models import all_kinetic, all_potential, reciprocal


def directions(vectors):
    """The hops (d1, d2) in units of the grid and their weights w_d.

    π² = Σ g_ij π_i π_j with π_i = a_i·π and g_ij = b_i·b_j/4π²; a hop along a1 ± a2 makes the cross term.
    """
    b = reciprocal(vectors) / (2 * np.pi)
    g = b @ b.T
    cross, side = abs(g[0, 1]), np.sign(g[0, 1])
    hops = [((1, 0), g[0, 0] - cross), ((0, 1), g[1, 1] - cross)]
    if cross > 1e-12:
        hops.append(((1, int(side)), cross))
    return hops


def hamiltonian(model, p, q, k, n):
    """Sparse H(k) of a one-component model with one kinetic term c π² on n × q n points of the cell a1 × q a2.

    In the gauge (e/ħ)A·dl = −φ x2 dx1 a hop from x' to x has the phase exp[(iφ/2)(x1 − x1')(x2 + x2')], and a Bloch
    function obeys ψ(r + R1 a1 + q J a2) = exp[2πi (k1 R1 + (q k2 + p x1) J)] ψ(r).
    """
    ((c, alpha, beta, powers),) = all_kinetic(model)
    assert (alpha, beta, powers) == (0, 0, (1, 1))
    assert not np.any(model.offsets)
    phi = 2 * np.pi * p / q
    rows, columns, values = [], [], []

    def add(row, column, value):
        rows.append(row)
        columns.append(column)
        values.append(value)

    for i1 in range(n):
        for i2 in range(q * n):
            here = i1 * q * n + i2
            x1, x2 = i1 / n, i2 / n
            potential = sum(v * np.exp(2j * np.pi * (m1 * x1 + m2 * x2)) for v, _, _, (m1, m2) in all_potential(model))
            add(here, here, potential.real)
            for (d1, d2), weight in directions(model.vectors):
                add(here, here, 2 * c * weight * n**2)
                # Hop to `here` from the point r + d, which is brought home by whole magnetic cells.
                r1, home1 = divmod(i1 + d1, n)
                j, home2 = divmod(i2 + d2, q * n)
                phase = np.exp(0.5j * phi * (-d1 / n) * (2 * x2 + d2 / n))
                phase *= np.exp(2j * np.pi * (k[0] * r1 + (q * k[1] + p * home1 / n) * j))
                there = home1 * q * n + home2
                add(here, there, -c * weight * n**2 * phase)
                add(there, here, -c * weight * n**2 * np.conj(phase))
    size = q * n * n
    return coo_array((values, (rows, columns)), shape=(size, size)).tocsc()


def lowest(model, p, q, k, n, count):
    h = hamiltonian(model, p, q, k, n)
    # Inverse iteration from below the bottom of the potential, where H − shift is positive.
    shift = -2 * sum(abs(v) for v, _, _, _ in model.potential) - 1.0
    start = np.random.default_rng(1).normal(size=q * n * n) + 0j
    return np.sort(eigsh(h, count, sigma=shift, v0=start, return_eigenvectors=False))


def energies(model, p, q, k, count, grids=(16, 20, 24, 28, 32)):
    """The lowest energies extrapolated to zero spacing: the constant of a polynomial in 1/n² through all grids."""
    samples = np.array([lowest(model, p, q, k, n, count) for n in grids])
    powers = np.array([[(grids[0] / n) ** (2 * j) for j in range(len(grids))] for n in grids])
    return np.linalg.solve(powers, samples)[0]
