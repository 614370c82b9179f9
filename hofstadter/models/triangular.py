"""Models with the triangular Bravais lattice: triangular, honeycomb, Haldane, kagome, dice."""

import math

import jax.numpy as jnp

from hofstadter.models.tight_binding import Number, TightBinding, tight_binding

TRIANGULAR = ((1.0, 0.0), (0.5, math.sqrt(3) / 2))
THIRD = 1 / 3


def triangular(t: Number = 1.0, t2: Number = 0.0) -> TightBinding:
    """Triangular lattice, H = −t Σ_nn − t2 Σ_nnn, lattice constant 1, a2 at 60° from a1.

    Args:
        t: Nearest neighbors a1, a2, a1 − a2.
        t2: Second neighbors a1 + a2, 2a1 − a2, 2a2 − a1.
    """
    cells = [(t, 1, 0), (t, 0, 1), (t, 1, -1), (t2, 1, 1), (t2, 2, -1), (t2, -1, 2)]
    return tight_binding(TRIANGULAR, [[0, 0]], [(-a, 0, 0, (r1, r2)) for a, r1, r2 in cells], name="triangular")


def honeycomb(t: Number = 1.0, t2: Number = 0.0, t3: Number = 0.0, mass: Number = 0.0) -> TightBinding:
    """Honeycomb lattice, H = −t Σ_nn − t2 Σ_nnn − t3 Σ_3rd + mass (n_A − n_B), |a1| = |a2| = 1.

    A sits at (0, 0), B at (1/3, 1/3).

    Args:
        t: Nearest neighbors (A to B at distance 1/√3).
        t2: Second neighbors (same sublattice, distance 1).
        t3: Third neighbors (A to B across the hexagon, distance 2/√3).
        mass: Sublattice potential, +mass on A and −mass on B.
    """
    hoppings = _honeycomb_bonds(t, t2, t2, mass)
    # From B at (1/3, 1/3) the opposite corners of the three hexagons are A at (1, 1), (1, −1), (−1, 1).
    hoppings += [(-1 * t3, 1, 0, cell) for cell in ((1, 1), (1, -1), (-1, 1))]
    return tight_binding(TRIANGULAR, [[0, 0], [THIRD, THIRD]], hoppings, name="honeycomb")


def haldane(t: Number = 1.0, t2: Number = 0.15, phase: Number = math.pi / 2, mass: Number = 0.0) -> TightBinding:
    """Haldane's model on the honeycomb lattice of `honeycomb` (Phys. Rev. Lett. 61, 2015 (1988)).

    Second neighbors are −t2 exp(i phase) for a hop by a1, −a2 or a2 − a1 on A and by the opposites on B. With
    0 < phase < π, t2 > 0 and |mass| < 3√3 t2 sin(phase) the lower band has Chern number −1 in the package's
    convention (C = dn/dφ). The intrinsic fluxes and a uniform field add.

    Args:
        t: Nearest neighbors.
        t2: Magnitude of the second-neighbor hopping.
        phase: Its phase in radians.
        mass: Sublattice potential, +mass on A and −mass on B.
    """
    hoppings = _honeycomb_bonds(t, t2 * jnp.exp(-1j * phase), t2 * jnp.exp(1j * phase), mass)
    return tight_binding(TRIANGULAR, [[0, 0], [THIRD, THIRD]], hoppings, name="haldane")


def kagome(t: Number = 1.0, t2: Number = 0.0) -> TightBinding:
    """Kagome lattice, H = −t Σ_nn − t2 Σ_nnn, sites (0, 0), (1/2, 0), (0, 1/2), |a1| = |a2| = 1.

    Args:
        t: Nearest neighbors (distance 1/2).
        t2: Second neighbors (distance √3/2).
    """
    first = [(0, 1, 0, 0), (0, 1, -1, 0), (0, 2, 0, 0), (0, 2, 0, -1), (1, 2, 0, 0), (1, 2, 1, -1)]
    second = [(0, 1, 0, -1), (0, 1, -1, 1), (0, 2, -1, 0), (0, 2, 1, -1), (1, 2, 1, 0), (1, 2, 0, -1)]
    hoppings = [(-1 * a, i, j, (r1, r2)) for a, bonds in ((t, first), (t2, second)) for i, j, r1, r2 in bonds]
    return tight_binding(TRIANGULAR, [[0, 0], [0.5, 0], [0, 0.5]], hoppings, name="kagome")


def dice(t: Number = 1.0) -> TightBinding:
    """Dice lattice: hub (0, 0) bound by −t to rims (1/3, 1/3) and (2/3, 2/3); all bands flat at flux 3/2."""
    cells = {1: ((0, 0), (1, 0), (0, 1)), 2: ((1, 1), (1, 0), (0, 1))}
    hoppings = [(-1 * t, rim, 0, cell) for rim, hubs in cells.items() for cell in hubs]
    return tight_binding(TRIANGULAR, [[0, 0], [THIRD, THIRD], [2 * THIRD, 2 * THIRD]], hoppings, name="dice")


def edge_centered_honeycomb(t: Number = 1.0) -> TightBinding:
    """Honeycomb vertices 0, 1 and bond centers 2, 3, 4 (an exact flat band at zero energy), H = −t Σ_nn."""
    positions = [[0, 0], [THIRD, THIRD]]
    hoppings = []
    for center, (r1, r2) in enumerate(((0, 0), (1, 0), (0, 1)), start=2):
        positions.append([(THIRD + r1) / 2, (THIRD + r2) / 2])
        hoppings += [(-1 * t, center, 1, (0, 0)), (-1 * t, center, 0, (r1, r2))]
    return tight_binding(TRIANGULAR, positions, hoppings, name="edge_centered_honeycomb")


def _honeycomb_bonds(t: Number, t2_a: Number, t2_b: Number, mass: Number) -> list:
    """Nearest-neighbor bonds, second neighbors with one chirality per sublattice, and the mass.

    `t2_a` multiplies ⟨A, 0|H|A, R⟩ for R = a1, −a2, a2 − a1, which are hops by −R.
    """
    hoppings = [(-1 * t, 1, 0, cell) for cell in ((0, 0), (1, 0), (0, 1))]
    hoppings += [(-1 * t2_a, 0, 0, cell) for cell in ((1, 0), (0, -1), (-1, 1))]
    hoppings += [(-1 * t2_b, 1, 1, cell) for cell in ((1, 0), (0, -1), (-1, 1))]
    return [*hoppings, (mass, 0, 0, (0, 0)), (-1 * mass, 1, 1, (0, 0))]
