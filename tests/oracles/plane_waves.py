"""Zero-field bands of a continuum model in plane waves, and their Chern numbers: slow, obvious, NumPy only."""

import numpy as np

from .continuum_models import all_kinetic, all_potential, reciprocal


def harmonics(model, cutoff):
    """The (m1, m2) with |m1 b1 + m2 b2| ≤ cutoff · |b1|, in a fixed order."""
    b = reciprocal(model.vectors)
    span = range(-4 * int(np.ceil(cutoff)), 4 * int(np.ceil(cutoff)) + 1)
    radius = cutoff * np.hypot(*b[0]) * (1 + 1e-9)
    return [(m1, m2) for m1 in span for m2 in span if np.hypot(*(m1 * b[0] + m2 * b[1])) <= radius]


def hamiltonian(model, k, cutoff):
    """H(k) on the plane waves exp[i(k + G)·r], row = component · (number of G) + G; k in units of b1, b2."""
    b = reciprocal(model.vectors)
    waves = harmonics(model, cutoff)
    place = {m: row for row, m in enumerate(waves)}
    n = len(waves)
    h = np.zeros((len(model.offsets) * n, len(model.offsets) * n), complex)
    for amplitude, alpha, beta, (i, j) in all_kinetic(model):
        for row, (m1, m2) in enumerate(waves):
            x, y = (k[0] + m1) * b[0] + (k[1] + m2) * b[1] - model.offsets[alpha]
            h[alpha * n + row, beta * n + row] += amplitude * (x + 1j * y) ** i * (x - 1j * y) ** j
    for amplitude, alpha, beta, (d1, d2) in all_potential(model):
        for column, (m1, m2) in enumerate(waves):
            row = place.get((m1 + d1, m2 + d2))
            if row is not None:
                h[alpha * n + row, beta * n + column] += amplitude
    return h


def energies(model, k, cutoff):
    return np.linalg.eigvalsh(hamiltonian(model, k, cutoff))


def across_seam(states, waves, shift):
    """States at k + G0 as coefficients of exp[i(k + G0 + G)·r]: those of exp[i(k + G)·r] with G → G + G0."""
    place = {m: row for row, m in enumerate(waves)}
    n = len(waves)
    moved = np.zeros_like(states)
    for row, (m1, m2) in enumerate(waves):
        source = place.get((m1 + shift[0], m2 + shift[1]))
        if source is not None:
            moved[row::n] = states[source::n]
    return moved


def chern(model, first, count, mesh, cutoff):
    """Chern number of the bands first … first + count − 1 by Fukui, Hatsugai and Suzuki 2005.

    C = (1/2π) ∫ (∂1 A2 − ∂2 A1), A = i⟨u|∂u⟩, u = exp(−ik·r) ψ. Negative `first` counts from the top.

    Returns:
        The Chern number, the largest plaquette flux in units of π and the smallest |det| of a link.
    """
    waves = harmonics(model, cutoff)
    group = np.arange(count) + first
    states = {}
    for j1 in range(mesh):
        for j2 in range(mesh):
            # Half a step away from the points of high symmetry.
            k = ((j1 + 0.5) / mesh, (j2 + 0.5) / mesh)
            states[j1, j2] = np.linalg.eigh(hamiltonian(model, k, cutoff))[1][:, group]
    for j in range(mesh):
        states[mesh, j] = across_seam(states[0, j], waves, (1, 0))
        states[j, mesh] = across_seam(states[j, 0], waves, (0, 1))
    states[mesh, mesh] = across_seam(states[0, 0], waves, (1, 1))

    smallest = 1.0

    def link(left, right):
        nonlocal smallest
        overlap = np.linalg.det(states[left].conj().T @ states[right])
        smallest = min(smallest, abs(overlap))
        return overlap / abs(overlap)

    total, largest = 0.0, 0.0
    for j1 in range(mesh):
        for j2 in range(mesh):
            here, right, up, far = (j1, j2), (j1 + 1, j2), (j1, j2 + 1), (j1 + 1, j2 + 1)
            # A link is exp(−i ∫ A·dk), so the plaquette product is exp(−i Berry flux).
            flux = -np.angle(link(here, right) * link(right, far) * np.conj(link(up, far) * link(here, up)))
            total += flux
            largest = max(largest, abs(flux) / np.pi)
    return total / (2 * np.pi), largest, smallest
