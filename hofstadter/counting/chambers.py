"""Band edges of the square and rectangular lattices from real tridiagonal matrices of half the size.

With one orbital and bonds along a1 and a2 only, det(E − H) = P(E) ± 2|t1|^q cos(q κ1) ± 2|t2|^q cos(q κ2) with equal
signs and κ_i = 2π k_i + arg t_i (Chambers, Phys. Rev. 140, A135 (1965)). Each band is monotonic in the sum of the
cosines, so all its edges lie at κ = (0, 0) and (π/q, π/q). There H is a ring with a mirror, which splits it into an
even and an odd open chain. At odd q the second spectrum is minus the first.
"""

from collections.abc import Sequence

import numpy as np
from scipy.linalg import eigvalsh_tridiagonal

from hofstadter.flux import Flux
from hofstadter.models.tight_binding import TightBinding


def applies_to(model: TightBinding) -> bool:
    """Whether the model has one orbital and bonds along a1 and a2 only."""
    return model.orbitals == 1 and {hop[2:] for hop in model.hops} <= {(1, 0), (0, 1), (-1, 0), (0, -1)}


def exact_band_edges(model: TightBinding, fluxes: Sequence[Flux]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Lower and upper edges of all bands at each flux, ascending, of a model that `applies_to` accepts.

    All edges are NaN if the model holds a NaN.
    """
    t1 = t2 = 0.0
    for hop, amplitude in zip(model.hops, np.abs(model.amplitudes), strict=True):
        t1, t2 = (float(amplitude), t2) if hop[2] else (t1, float(amplitude))
    onsite = float(model.onsite[0])
    if not np.isfinite([t1, t2, onsite]).all():
        return [(np.full(flux.q, np.nan), np.full(flux.q, np.nan)) for flux in fluxes]
    # The energies do not change with the sign of the flux, nor with whole quanta.
    known: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}
    edges = []
    for flux in fluxes:
        place = min(flux.p % flux.q, -flux.p % flux.q), flux.q
        if place not in known:
            one, other = _energies_at_two_momenta(*place, t1, t2)
            known[place] = np.minimum(one, other) + onsite, np.maximum(one, other) + onsite
        edges.append(known[place])
    return edges


def _energies_at_two_momenta(p: int, q: int, t1: float, t2: float) -> tuple[np.ndarray, np.ndarray]:
    """Ascending energies at κ = (0, 0) and (π/q, π/q) for hopping amplitudes +t1 and +t2."""
    if q == 1:
        return np.array([2 * (t1 + t2)]), np.array([-2 * (t1 + t2)])
    half = q // 2
    potential = 2 * t1 * np.cos(2 * np.pi * (p * np.arange(half + 1) % q) / q)
    bonds = np.full(half, t2)
    # The mirror fixes site 0: the even state of its two neighbors is bound to it √2 times stronger.
    even_bonds = bonds.copy()
    even_bonds[0] *= np.sqrt(2)
    if q % 2:
        # The mirror also cuts the bond between the last two sites, which becomes ± t2 on the site.
        even, odd = potential.copy(), potential[1:].copy()
        even[-1] += t2
        odd[-1] -= t2
        energies = _merge(_chain(even, even_bonds), _chain(odd, bonds[1:]))
        return energies, -energies[::-1]
    even_bonds[-1] *= np.sqrt(2)
    on_sites = _merge(_chain(potential, even_bonds), _chain(potential[1:-1], bonds[2:]))
    # At (π/q, π/q) both mirrors cut bonds, between the cells where the shifted cosine is the same on both sides.
    first = (-pow(p, -1, q) % q + 1) // 2
    potential = 2 * t1 * np.cos(np.pi * ((2 * p * (first + np.arange(half)) + 1) % (2 * q)) / q)
    ends = np.zeros(half)
    ends[0] += t2
    ends[-1] -= t2
    return on_sites, _merge(_chain(potential + ends, bonds[1:]), _chain(potential - ends, bonds[1:]))


def _chain(potential: np.ndarray, bonds: np.ndarray) -> np.ndarray:
    """Energies of an open chain."""
    if len(potential) < 2:
        return potential
    energies = eigvalsh_tridiagonal(potential, bonds, check_finite=False, lapack_driver="sterf")
    assert isinstance(energies, np.ndarray)  # not a pair: no vectors were asked for
    return energies


def _merge(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.sort(np.concatenate([one, other]))
