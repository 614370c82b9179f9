"""Electrons and Dirac fermions in a periodic potential: preset continuum models."""

from typing import Literal

import jax.numpy as jnp

from hofstadter._checks import fail
from hofstadter.models.continuum import Continuum, Number, continuum, in_valley, star

Shape = Literal["square", "triangular"]
VECTORS = {"square": ((1.0, 0.0), (0.0, 1.0)), "triangular": ((1.0, 0.0), (0.5, 3**0.5 / 2))}


def electron_gas(
    potential: Number = 1.0,
    lattice: Shape = "square",
    lattice_constant: Number = 1.0,
    hbar2_over_2m: Number = 1.0,
) -> Continuum:
    """Two-dimensional electron gas in a cosine potential, H = (ħ²/2m) π² + V Σ 2cos(G·r).

    The sum runs over half of the shortest reciprocal vectors: two for a square lattice, three for a triangular one.

    Args:
        potential: V, the Fourier coefficient of the potential; negative V of a triangular lattice has one minimum per
            cell, positive V has two.
        lattice: "square" or "triangular".
        lattice_constant: Length of a1 and a2.
        hbar2_over_2m: ħ²/2m in units of energy × length².
    """
    unit = _unit_vectors(lattice)
    return continuum(
        lattice_constant * jnp.asarray(unit),
        [(hbar2_over_2m, 0, 0, (1, 1))],
        [(potential, 0, 0, g) for g in star(unit)],
        name=f"electron gas, {lattice} potential",
    )


def dirac_superlattice(
    velocity: Number = 1.0,
    potential: Number = 1.0,
    mass_potential: Number = 0.0,
    mass: Number = 0.0,
    lattice: Shape = "square",
    lattice_constant: Number = 1.0,
    valley: int = 1,
) -> Continuum:
    """Dirac fermions in a superlattice, H = v σ·π + m σ_z + (U + M σ_z) Σ 2cos(G·r), sublattices (A, B).

    In a field along +z the zeroth Landau level of valley +1 lives on B.

    Args:
        velocity: v, in units of energy × length.
        potential: U, the same on both sublattices.
        mass_potential: M, opposite on the sublattices.
        mass: m.
        lattice: "square" or "triangular".
        lattice_constant: Length of a1 and a2.
        valley: +1, or −1 for the time-reversed partner with −v σ*·π.
    """
    unit = _unit_vectors(lattice)
    harmonics = star(unit)
    model = continuum(
        lattice_constant * jnp.asarray(unit),
        [(velocity, 0, 1, (0, 1))],
        [(potential + mass_potential, 0, 0, g) for g in harmonics]
        + [(potential - mass_potential, 1, 1, g) for g in harmonics]
        + [(mass, 0, 0, (0, 0)), (-mass, 1, 1, (0, 0))],
        offsets=[[0.0, 0.0], [0.0, 0.0]],
        reference="neutrality",
        name=f"Dirac fermions, {lattice} superlattice",
    )
    return in_valley(model, valley)


def _unit_vectors(lattice: str) -> tuple[tuple[float, float], tuple[float, float]]:
    """a1 and a2 for lattice constant 1."""
    if lattice not in VECTORS:
        raise fail("lattice", '"square" or "triangular"', repr(lattice))
    return VECTORS[lattice]
