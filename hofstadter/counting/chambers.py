"""Band edges of the square and rectangular lattices from real tridiagonal matrices of half the size.

With one orbital and bonds along a1 and a2 only, det(E − H) = P(E) ± 2|t1|^q cos(q κ1) ± 2|t2|^q cos(q κ2) with equal
signs and κ_i = 2π k_i + arg t_i (Chambers, Phys. Rev. 140, A135 (1965)). Each band is monotonic in the sum of the
cosines, so all its edges lie at κ = (0, 0) and (π/q, π/q). There H is a ring with a mirror, which splits it into an
even and an odd open chain. At odd q the second spectrum is minus the first.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.linalg import eigvalsh_tridiagonal

from hofstadter.counting.elements import Matrices
from hofstadter.counting.sturm import PADDING, count_chain
from hofstadter.flux import Flux
from hofstadter.models.tight_binding import TightBinding

Chain = tuple[np.ndarray, np.ndarray]
"""On-site energies of an open chain, and the bonds between neighbors."""


def applies_to(model: TightBinding) -> bool:
    """Whether the model has one orbital and bonds along a1 and a2 only."""
    return model.orbitals == 1 and {hop[2:] for hop in model.hops} <= {(1, 0), (0, 1), (-1, 0), (0, -1)}


def exact_band_edges(model: TightBinding, fluxes: Sequence[Flux]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Lower and upper edges of all bands at each flux, ascending, of a model that `applies_to` accepts.

    All edges are NaN if the model holds a NaN.
    """
    t1, t2, onsite = amplitudes(model)
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


def amplitudes(model: TightBinding) -> tuple[float, float, float]:
    """|t1|, |t2| and the on-site energy."""
    t1 = t2 = 0.0
    for hop, amplitude in zip(model.hops, np.abs(np.asarray(model.amplitudes)), strict=True):
        t1, t2 = (float(amplitude), t2) if hop[2] else (t1, float(amplitude))
    return t1, t2, float(np.asarray(model.onsite)[0])


def _energies_at_two_momenta(p: int, q: int, t1: float, t2: float) -> tuple[np.ndarray, np.ndarray]:
    """Ascending energies at κ = (0, 0) and (π/q, π/q) for hopping amplitudes +t1 and +t2."""
    one = _energies(half_chains(p, q, t1, t2, corner=0))
    return one, -one[::-1] if q % 2 else _energies(half_chains(p, q, t1, t2, corner=1))


def half_chains(p: int, q: int, t1: float, t2: float, *, corner: int) -> list[Chain]:
    """The even and the odd open chain at κ = (0, 0) (corner 0) or (π/q, π/q) (corner 1), for amplitudes +t1 and +t2."""
    half = q // 2
    if q % 2:
        # The mirror fixes site 0: the even state of its two neighbors is bound to it √2 times stronger. It also cuts
        # the bond between the last two sites, which becomes ± t2 on the site.
        sign = -1 if corner else 1
        potential = sign * 2 * t1 * np.cos(2 * np.pi * (p * np.arange(half + 1) % q) / q)
        bonds = np.full(half, t2)
        bonds[:1] *= np.sqrt(2)
        even, odd = potential.copy(), potential[1:].copy()
        even[-1] += sign * t2 * (1 if half else 2)
        odd[-1:] -= sign * t2
        return [(even, bonds), (odd, np.full(max(0, half - 1), t2))]
    if not corner:
        potential = 2 * t1 * np.cos(2 * np.pi * (p * np.arange(half + 1) % q) / q)
        bonds = np.full(half, t2)
        bonds[0] *= np.sqrt(2)
        bonds[-1] *= np.sqrt(2)
        return [(potential, bonds), (potential[1:-1], np.full(max(0, half - 2), t2))]
    # Both mirrors cut bonds, between the cells where the shifted cosine is the same on both sides.
    first = (-pow(p, -1, q) % q + 1) // 2
    potential = 2 * t1 * np.cos(np.pi * ((2 * p * (first + np.arange(half)) + 1) % (2 * q)) / q)
    ends = np.zeros(half)
    ends[0] += t2
    ends[-1] -= t2
    return [(potential + ends, np.full(half - 1, t2)), (potential - ends, np.full(half - 1, t2))]


def _energies(chains: list[Chain]) -> np.ndarray:
    """Ascending energies of open chains."""
    energies = []
    for potential, bonds in chains:
        if len(potential) < 2:
            energies.append(potential)
        else:
            energies.append(eigvalsh_tridiagonal(potential, bonds, check_finite=False, lapack_driver="sterf"))
    return np.sort(np.concatenate(energies))


def count_at_corners(
    model: TightBinding, matrices: Matrices, energies: np.ndarray
) -> tuple[Int[Array, "matrix energy"], Float[Array, "matrix energy"]]:
    """Bands that begin (or end) below energies: counts at corner 0 or 1 of the zone, as `lanes.Kernel` describes.

    Where both corners agree, so do all momenta, and the energy is in a gap. The corner stands in the place of k1; k2 is
    not used.
    """
    p, q, corner, _ = (np.asarray(x) for x in matrices)
    t1, t2, onsite = amplitudes(model)
    unit = 2 * (t1 + t2) or 1.0
    largest = int(np.max(q)) // 2 + 1
    rows = max(16, 1 << (largest - 1).bit_length())
    diagonal, bonds = np.full((rows, len(q), 2), PADDING), np.zeros((rows, len(q), 2))
    for matrix in range(len(q)):
        flux = int(p[matrix] % q[matrix]), int(q[matrix])
        chains = half_chains(*flux, t1 / unit, t2 / unit, corner=int(corner[matrix]))
        for number, (chain, links) in enumerate(chains):
            diagonal[rows - len(chain) :, matrix, number] = chain
            bonds[rows - len(links) :, matrix, number] = links
    inside = np.clip((energies - onsite) / unit, -2, 2)
    return _count(*(x.astype(model.positions.dtype) for x in (diagonal, bonds**2, inside)), rows - largest)


@jax.jit
def _count(
    diagonal: Float[Array | np.ndarray, "row matrix 2"],
    squared_bonds: Float[Array | np.ndarray, "row matrix 2"],
    energies: Float[Array | np.ndarray, "matrix energy"],
    first_row: int | Int[Array, ""],
) -> tuple[Int[Array, "matrix energy"], Float[Array, "matrix energy"]]:
    chains, bonds, energies = jnp.asarray(diagonal), jnp.asarray(squared_bonds), jnp.asarray(energies)
    even, odd = (count_chain(chains[..., i], bonds[..., i], energies, first_row) for i in (0, 1))
    return even + odd, jnp.zeros_like(energies)
