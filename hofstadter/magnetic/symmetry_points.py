"""Momenta with a name: Γ, K, M and their like, in units of the magnetic zone.

Energies repeat after 1/q in both directions, so points are named in [0, 1/q)², with Γ at k = 0. On a triangular lattice
T(a1) T(a2) = −T(a1 + a2) if p q is odd, so the point with all symmetries, Γ, lies at (1/2, 1/2)/q, and the others with
it.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from hofstadter._checks import fail
from hofstadter.flux import Flux

RECTANGULAR = {"Γ": ((0, 0),), "X": ((1 / 2, 0),), "Y": ((0, 1 / 2),), "M": ((1 / 2, 1 / 2),)}
MIDPOINTS = ((1 / 2, 0), (0, 1 / 2), (1 / 2, 1 / 2))
# K and K' between a1 and a2 at 120° and at 60°.
CORNER = {120: (1 / 3, 1 / 3), 60: (1 / 3, 2 / 3)}
GREEK = {"G": "Γ", "Gamma": "Γ"}
# Strained cells count as triangular as long as nobody would call them anything else.
ANGLE_DEG, STRETCH = 12, 0.2


def named_points(vectors: Any, flux: Flux, *, continuum: bool) -> dict[str, np.ndarray]:
    """The momenta that each name stands for, in one period 1/q: several if they are equivalent by a rotation.

    Args:
        vectors: Primitive vectors a1, a2.
        flux: The flux.
        continuum: Whether the model has its full point group at every flux. Where the sites of a lattice model put its
            symmetric points in a field depends on the model, so all lattices count as rectangular there.
    """
    corner = CORNER.get(_triangular(vectors)) if continuum else None
    shift = np.zeros(2)
    points: dict[str, Any] = dict(RECTANGULAR)
    if corner is not None:
        points = {"Γ": ((0, 0),), "K": (np.negative(corner),), "K'": (corner,), "M": MIDPOINTS}
        shift = np.full(2, flux.p * flux.q % 2 / 2)
    return {name: (np.asarray(places, float) + shift) / flux.q for name, places in points.items()}


def default_corners(vectors: Any, flux: Flux, *, continuum: bool) -> list[str]:
    """The names along a path through the zone: K Γ M K' on a triangular lattice, else Γ X M Γ."""
    return ["K", "Γ", "M", "K'"] if "K" in named_points(vectors, flux, continuum=continuum) else ["Γ", "X", "M", "Γ"]


def place_corners(
    corners: Sequence[str | Sequence[float]], vectors: Any, flux: Flux, *, continuum: bool
) -> tuple[list[tuple[float, float]], list[str]]:
    """Momenta of the corners of a path, and their names.

    Args:
        corners: Names or momenta. Of the equivalent momenta of a name, the one next to the corner before is taken.
        vectors: Primitive vectors a1, a2.
        flux: The flux.
        continuum: As in `named_points`.

    Raises:
        ValueError: If a name does not exist on this lattice.
    """
    known = named_points(vectors, flux, continuum=continuum)
    reciprocal = 2 * np.pi * np.linalg.inv(np.asarray(vectors)).T
    periods = np.asarray(sorted(itertools.product(range(-2, 3), repeat=2), key=np.linalg.norm)) / flux.q
    places: list[tuple[float, float]] = []
    names = []
    for number, corner in enumerate(corners):
        if isinstance(corner, str):
            name = GREEK.get(corner, corner)
            if name not in known:
                raise fail(f"corners[{number}]", f"a momentum or one of {', '.join(known)} here", repr(corner))
            images = (periods[:, None, :] + known[name][None]).reshape(-1, 2)
            start = np.asarray(places[-1]) if places else known["Γ"][0]
            # Rounded, so that of equally distant ones the first is taken on every computer.
            distance = np.round(np.linalg.norm((images - start) @ reciprocal, axis=1) / np.abs(reciprocal).max(), 6)
            k1, k2 = images[np.argmin(distance)].tolist()
        else:
            if np.shape(corner) != (2,):
                raise fail("corners", "at least two pairs (k1, k2)", corners, "Or names of symmetric momenta.")
            k1, k2 = (float(component) for component in corner)
            name = f"({k1:.3g}, {k2:.3g})"
        places.append((k1, k2))
        names.append(name)
    return places, names


def _triangular(vectors: Any) -> int:
    """60 or 120 for a triangular lattice with a1 and a2 at this angle, else 0."""
    a1, a2 = np.asarray(vectors, float)
    lengths = np.linalg.norm(a1), np.linalg.norm(a2)
    angle = np.degrees(np.arccos(np.clip(a1 @ a2 / (lengths[0] * lengths[1]), -1, 1)))
    if abs(lengths[0] / lengths[1] - 1) > STRETCH:
        return 0
    return next((ideal for ideal in CORNER if abs(angle - ideal) < ANGLE_DEG), 0)
