"""The grand potential per primitive cell and its slope in the flux, from true spectra at neighboring fluxes."""

from fractions import Fraction

import numpy as np

from tests import systems


def grand_potential(model, flux, chemical_potential, temperature, n):
    """Ω = −T Σ ln(1 + exp((μ − E)/T)) per primitive cell, on n × n momenta of [0, 1/q)²."""
    energies = systems.energies(model, flux, systems.reduced_mesh(flux[1], n)) - chemical_potential
    if temperature == 0:
        return np.minimum(energies, 0).sum() / (n * n * flux[1])
    return -temperature * np.logaddexp(0, -energies / temperature).sum() / (n * n * flux[1])


def magnetization(model, flux, chemical_potential, temperature, distances, n=2):
    """−dΩ/dφ: central differences over flux ± 1/N for each N in `distances`, extrapolated in powers of 1/N²."""
    slopes = []
    for distance in distances:
        up, down = (Fraction(*flux) + Fraction(sign, distance) for sign in (1, -1))
        ends = [
            grand_potential(model, (end.numerator, end.denominator), chemical_potential, temperature, n)
            for end in (up, down)
        ]
        slopes.append(-(ends[0] - ends[1]) * distance / 2)
    squares = 1 / np.array(distances, float) ** 2
    return np.linalg.solve(np.vander(squares, increasing=True), slopes)[0]
