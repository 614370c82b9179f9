"""Band edges and gap labels of continuum models: few wanted bands out of a truncated basis.

Densities are counted from the model's reference (the bottom of the spectrum, charge neutrality, or its top), and so are
the labels of a gap, n = s + t φ. Chern numbers of the bands between two gaps come from Berry flux, which gives the
difference of their t. That is all for spectra with a bottom or a top, where t = 0 is known. Near neutrality, and as a
second route, the Středa slope towards neighboring fluxes gives t itself; half-integer for a single Dirac cone.
"""

import itertools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from hofstadter.counting.edges import BandEdges, reduced_mesh
from hofstadter.counting.gaps import Gaps, combine_routes
from hofstadter.counting.peaks import PeakSearch
from hofstadter.eigensolver.spectrum import solve
from hofstadter.errors import Status
from hofstadter.flux import Flux, farey_neighbors
from hofstadter.hamiltonian._abstract import AbstractTruncatedProblem
from hofstadter.hamiltonian.at_flux import at_flux
from hofstadter.models.continuum import Continuum
from hofstadter.topology.chern import chern_numbers

# Accuracy of the wanted energies relative to their range, for edges that are looked at and gaps that are labelled.
DEFAULT_RTOL = 1e-6
# Edges are refined to this part of the range of the wanted energies, which a picture does not resolve.
EDGE_TOLERANCE = 1e-4
# Rounds of local search around extrema that are not on the mesh.
MAX_REFINEMENTS = 8
# Neighbors with larger matrices, and more than so many pairs of them, are not asked for a Středa slope.
MAX_NEIGHBOR_BASIS = 1500
MAX_NEIGHBORS = 2
# A neighbor counts as being in the same gap if no level comes closer to the middle than this part of the gap, and if
# levels that move in proportion to the flux, as those of Landau do, moved less than this part of it.
CLEARANCE = 0.2
MOTION = 0.75


class FluxSpectrum(NamedTuple):
    """The wanted bands at one flux.

    Attributes:
        problem: The magnetic Bloch problem.
        edges: Edges of the wanted bands.
    """

    problem: AbstractTruncatedProblem
    edges: BandEdges


def find_continuum_edges(
    model: Continuum, flux: Flux, *, rtol: float = DEFAULT_RTOL, memory_gb: float = 4.0
) -> FluxSpectrum:
    """Edges of the wanted bands at one flux."""
    problem = at_flux(model, flux, rtol=rtol)
    mesh = reduced_mesh(flux, continuum_mesh_size(flux))
    energies = _energies(problem, mesh, memory_gb)
    search = PeakSearch(mesh, energies, EDGE_TOLERANCE * float(np.ptp(energies)))
    for _ in range(MAX_REFINEMENTS):
        if search.converged:
            break
        search.update(_energies(problem, search.stencil(), memory_gb))
    lower, upper = search.edges()
    if not np.all(np.isfinite([lower, upper])):
        status = Status.NOT_FINITE
    elif int(problem.basis_status) != Status.OK:
        status = Status(int(problem.basis_status))
    else:
        status = Status.OK if search.converged else Status.EDGES_NOT_CONVERGED
    return FluxSpectrum(problem, BandEdges(lower, upper, status))


def continuum_mesh_size(flux: Flux) -> int:
    """Mesh points per direction of the reduced zone: fewer for larger q, where bands are flatter."""
    return 12 if flux.q == 1 else 6 if flux.q <= 4 else 4


def label_continuum_gaps(
    model: Continuum,
    flux: Flux,
    spectrum: FluxSpectrum,
    gaps: Gaps,
    *,
    rtol: float = DEFAULT_RTOL,
    memory_gb: float = 4.0,
) -> Gaps:
    """Compute s and t of the gaps of one flux, counted from the model's reference."""
    problem = spectrum.problem
    count = gaps.bands_below - float(problem.reference_filling)
    if not len(count):
        return gaps
    streda = _streda(model, flux, count, gaps, _reference_energy(spectrum), rtol, problem.basis_size, memory_gb)
    berry = _berry(problem, gaps, streda)
    return combine_routes(flux, gaps, count, berry, streda, dirac_half(problem))


def dirac_half(problem: AbstractTruncatedProblem) -> float:
    """1/2 where gaps have half-integer t, as near the neutrality of a single Dirac cone, else 0."""
    if problem.reference != "neutrality" or int(problem.p) == 0:
        return 0.0
    states = int(np.sum(np.asarray(problem.kept_rows(int(problem.size)))))
    return (states // int(problem.p)) % 2 / 2


def _reference_energy(spectrum: FluxSpectrum) -> float:
    """Where in the spectrum densities are counted from."""
    lower, upper = spectrum.edges.lower, spectrum.edges.upper
    if spectrum.problem.reference == "neutrality":
        filled = int(spectrum.problem.reference_filling)
        return (upper[filled - 1] + lower[filled]) / 2
    return lower[0] if spectrum.problem.reference == "bottom" else upper[-1]


def _energies(problem: AbstractTruncatedProblem, k: np.ndarray, memory_gb: float) -> np.ndarray:
    return np.asarray(solve(problem, jnp.asarray(k), states=False, memory_gb=memory_gb).energies)


def _berry(problem: AbstractTruncatedProblem, gaps: Gaps, streda: np.ndarray) -> np.ndarray:
    """Chern numbers t of the gaps from the Berry flux of the bands between them, from the end where t is known.

    That end is the bottom or the top of the spectrum; near neutrality the widest gap that has a Středa slope.
    """
    places = gaps.bands_below.tolist()
    ends = {"bottom": [0, *places], "neutrality": places, "top": [*places, problem.returned_bands]}[problem.reference]
    groups = list(itertools.pairwise(ends))
    steps = np.array([number.value for number in chern_numbers(problem, groups)]) if groups else np.zeros(0)
    if problem.reference == "bottom":
        return np.cumsum(steps)
    if problem.reference == "top":
        return -np.cumsum(steps[::-1])[::-1]
    if np.all(np.isnan(streda)):
        return np.full(len(places), np.nan)
    anchor = int(np.nanargmax(np.where(np.isnan(streda), np.nan, gaps.size)))
    above = streda[anchor] + np.cumsum(steps[anchor:])
    below = streda[anchor] - np.cumsum(steps[:anchor][::-1])[::-1]
    return np.concatenate([below, [streda[anchor]], above])


def _streda(
    model: Continuum,
    flux: Flux,
    count: np.ndarray,
    gaps: Gaps,
    edge: float,
    rtol: float,
    basis_size: int,
    memory_gb: float,
) -> np.ndarray:
    """Slope of the density in each gap towards Farey neighbors on both sides; NaN where no two close ones agree.

    Energies are measured from `edge`, the place in the spectrum that densities are counted from. `basis_size` is
    that of this flux; those of others are in proportion to q.
    """
    result = np.full(len(count), np.nan)
    distance = np.abs((gaps.lower + gaps.upper) / 2 - edge)
    reach = MOTION * gaps.size * float(flux) / np.where(distance > 0, distance, 1)
    largest, tried = MAX_NEIGHBOR_BASIS * flux.q // basis_size, 0
    denominator = flux.q + 1
    while denominator <= largest and tried < MAX_NEIGHBORS and np.any(np.isnan(result)):
        sides = farey_neighbors(flux, denominator)
        denominator = max(side.q for side in sides) + 1
        near = max(abs(float(side) - float(flux)) for side in sides) < reach
        if denominator > largest + 1 or not np.any(near & np.isnan(result)) or any(side.p <= 0 for side in sides):
            continue
        tried += 1
        slopes = []
        for side in sides:
            density = _density_in_gaps(at_flux(model, side, rtol=rtol), side, gaps, memory_gb)
            slopes.append((density - count / flux.q) * side.q * flux.q / (side.p * flux.q - flux.p * side.q))
        agree = np.isnan(result) & near & (np.abs(slopes[0] - slopes[1]) < 1e-6)
        result = np.where(agree, np.round(2 * slopes[0]) / 2, result)
    return result


def _density_in_gaps(problem: AbstractTruncatedProblem, flux: Flux, gaps: Gaps, memory_gb: float) -> np.ndarray:
    """States per cell below the middle of each gap at another flux; NaN where that is not in a clear gap there."""
    energies = _energies(problem, reduced_mesh(flux, 3), memory_gb)[:, None, :]
    middle, margin = (gaps.lower + gaps.upper) / 2, CLEARANCE * gaps.size
    below = np.sum(energies < middle[None, :, None], axis=-1)
    clear = np.all(np.abs(energies - middle[None, :, None]) > margin[None, :, None], axis=(0, 2))
    clear &= np.all(below == below[:1], axis=0) & (below[0] > 0) & (below[0] < energies.shape[-1])
    return np.where(clear, (below[0] - float(problem.reference_filling)) / flux.q, np.nan)
