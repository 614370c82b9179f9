"""Hall conductivity and orbital magnetization as sums of single bands, in NumPy on the oracle's loop Hamiltonian.

The formulas are those for separate bands, with each band's own curvature and moment: no pairs, no degenerate levels.
"""

import numpy as np

from tests.oracles import peierls


def bands(model, p, q, k):
    """Energies, curvature −2 Im ⟨∂1 u|∂2 u⟩ and Im ⟨∂1 u|(H − E)|∂2 u⟩ of every band."""
    x = peierls.site_positions(model, q)
    phases = np.exp(-2j * np.pi * x @ k)
    energies, states = np.linalg.eigh(phases[:, None] * peierls.bloch(model, p, q, k) * phases.conj()[None, :])
    first, second = (states.conj().T @ peierls.bloch_derivative(model, p, q, k, axis) @ states for axis in range(2))
    curvature, moment = np.zeros(len(energies)), np.zeros(len(energies))
    for n in range(len(energies)):
        for m in range(len(energies)):
            if m != n:
                product = (first[n, m] * second[m, n]).imag
                curvature[n] -= 2 * product / (energies[n] - energies[m]) ** 2
                moment[n] += product / (energies[m] - energies[n])
    return energies, curvature, moment


def hall_and_magnetization(model, p, q, chemical_potential, temperature, n):
    """(1/2π) ∫ Σ f Ω and (1/2π) ∫ Σ (f m + g Ω) over the magnetic zone, by n × n momenta of [0, 1/q)²."""
    hall, magnetization = 0.0, 0.0
    for k1 in np.arange(n) / (n * q):
        for k2 in np.arange(n) / (n * q):
            energies, curvature, moment = bands(model, p, q, np.array([k1, k2]))
            x = (chemical_potential - energies) / temperature
            filling, free = 1 / (1 + np.exp(-x)), temperature * np.log1p(np.exp(x))
            hall += np.sum(filling * curvature)
            magnetization += np.sum(filling * moment + free * curvature)
    return np.array([hall, magnetization]) / (2 * np.pi * q * n * n)
