"""Bonds of a lattice found by measuring distances between sites."""

import itertools

import numpy as np


def at_distance(vectors, positions, distance, span=4):
    """All directed bonds (i, j, R1, R2) of this length, orbital i of cell 0 with orbital j of cell R."""
    bonds = set()
    cells = range(-span, span + 1)
    for i, j, r1, r2 in itertools.product(range(len(positions)), range(len(positions)), cells, cells):
        separation = (positions[j] + np.array([r1, r2]) - positions[i]) @ vectors
        if abs(np.hypot(*separation) - distance) < 1e-9:
            bonds.add((i, j, r1, r2))
    return bonds


def displacement(vectors, positions, hop):
    """Cartesian vector from the source (orbital j of cell R) to the target (orbital i of cell 0)."""
    i, j, r1, r2 = hop
    return (positions[i] - positions[j] - np.array([r1, r2])) @ vectors
