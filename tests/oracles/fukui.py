"""Chern number on a mesh of momenta: Fukui, Hatsugai and Suzuki, J. Phys. Soc. Jpn. 74, 1674 (2005)."""

import numpy as np


def link(left, right, positions, dk):
    """Phase of det ⟨ψ_k| exp(−i dk·r) |ψ_{k+dk}⟩ over the band group; positions and dk are reduced."""
    plane_wave = np.exp(-2j * np.pi * positions @ dk)
    overlap = np.linalg.det(left.conj().T @ (plane_wave[:, None] * right))
    return overlap / abs(overlap)


def chern(states, positions, width1, width2):
    """C = (1/2π) ∫ (∂1 A2 − ∂2 A1) with A = i⟨u|∂u⟩, u = exp(−ik·r) ψ, over [0, width1) × [0, width2).

    Args:
        states: (n1, n2, basis, band), in a basis that is periodic over the zone.
        positions: Reduced positions of the basis functions.
        width1: Extent of the zone along k1.
        width2: Extent of the zone along k2.

    Returns:
        The Chern number, and the largest plaquette flux in units of π.
    """
    n1, n2 = states.shape[:2]
    d1, d2 = np.array([width1 / n1, 0]), np.array([0, width2 / n2])
    total, largest = 0.0, 0.0
    for j1 in range(n1):
        for j2 in range(n2):
            here = states[j1, j2]
            right = states[(j1 + 1) % n1, j2]
            up = states[j1, (j2 + 1) % n2]
            far = states[(j1 + 1) % n1, (j2 + 1) % n2]
            # A link is exp(−i ∫ A·dk), so the plaquette product is exp(−i Berry flux).
            loop = link(here, right, positions, d1) * link(right, far, positions, d2)
            loop *= np.conj(link(up, far, positions, d1) * link(here, up, positions, d2))
            flux = -np.angle(loop)
            total += flux
            largest = max(largest, abs(flux) / np.pi)
    return total / (2 * np.pi), largest
