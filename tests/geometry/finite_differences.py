"""The quantum geometric tensor by finite differences of projectors, in NumPy on the oracle's loop Hamiltonian."""

import numpy as np

from tests.oracles import peierls

STEP = 1e-4


def projector(model, p, q, bands, k, positions):
    """P̃(k) = D† P D with D = exp(2πi k·x) at the given reduced positions."""
    _, states = np.linalg.eigh(peierls.bloch(model, p, q, k))
    group = np.exp(-2j * np.pi * positions @ k)[:, None] * states[:, bands[0] : bands[1]]
    return group @ group.conj().T


def tensor(model, p, q, bands, k, positions=None):
    """Tr[P ∂iP ∂jP] in Cartesian axes, from fourth-order differences."""
    positions = peierls.site_positions(model, q) if positions is None else positions
    k = np.asarray(k, float)

    def at(dk):
        return projector(model, p, q, bands, k + dk, positions)

    derivatives = [(8 * (at(d) - at(-d)) - (at(2 * d) - at(-2 * d))) / (12 * STEP) for d in (STEP * np.eye(2)) / q]
    reciprocal = 2 * np.pi * np.linalg.inv(model.vectors).T
    to_cartesian = q * np.linalg.inv(reciprocal)
    dx = to_cartesian[0, 0] * derivatives[0] + to_cartesian[0, 1] * derivatives[1]
    dy = to_cartesian[1, 0] * derivatives[0] + to_cartesian[1, 1] * derivatives[1]
    center = at(np.zeros(2))
    return np.array([[np.trace(center @ a @ b) for b in (dx, dy)] for a in (dx, dy)])


def mean_metric(model, p, q, bands, n, positions=None):
    """Average of the real part over n q × n momenta of the magnetic zone."""
    total = np.zeros((2, 2))
    for i in range(n * q):
        for j in range(n):
            total += tensor(model, p, q, bands, [i / (n * q), j / (n * q)], positions).real
    return total / (n * n * q)
