"""Band edges and gap labels of continuum models: few wanted bands out of a truncated basis.

Densities are counted from the model's reference (the bottom of the spectrum, charge neutrality, or its top), and so are
the labels of a gap, n = s + t φ. Chern numbers of the bands between two gaps come from Berry flux, which gives the
difference of their t. That is all for spectra with a bottom or a top, where t = 0 is known. Near neutrality, and as a
second route, the Středa slope towards neighboring fluxes gives t itself; half-integer for a single Dirac cone.

Magnetic cells of up to 24 cells ⋅ components are solved in Landau levels, which have states and so Berry flux. Larger
ones (lower fields, or fractions of large q: from q = 7 on for twisted bilayer graphene, from q = 25 on for an electron
gas) are solved in the strip basis, which costs q instead of q³, and labelled by Středa slopes. Those are counted in the
strip basis at every flux, and so do not share a line with the Berry flux of Landau levels. Heavy fermions, which have
no strip basis, need fewer Landau levels: they are diagonalized at every flux.
"""

import dataclasses
import functools
import itertools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from hofstadter.counting.edges import BandEdges, reduced_mesh
from hofstadter.counting.gaps import Gaps, combine_routes
from hofstadter.counting.peaks import PeakSearch
from hofstadter.eigensolver.low_field import states_below, strip_problem, sufficient_waves
from hofstadter.eigensolver.spectrum import solve
from hofstadter.errors import Status
from hofstadter.flux import Flux, farey_neighbors
from hofstadter.hamiltonian._abstract import AbstractTruncatedProblem
from hofstadter.hamiltonian.at_flux import at_flux
from hofstadter.hamiltonian.heavy_fermions import sufficient_levels, with_levels
from hofstadter.hamiltonian.strip import StripProblem
from hofstadter.models._abstract import AbstractContinuum
from hofstadter.models.continuum import Continuum
from hofstadter.models.heavy_fermions import HeavyFermions
from hofstadter.topology.chern import chern_numbers

# Accuracy of the wanted energies relative to their range, for edges that are looked at and gaps that are labelled.
DEFAULT_RTOL = 1e-6
# Cells × components from which on the strip basis is faster than Landau levels, some 60 of them per cell.
LANDAU_CELLS = 24
# Edges are refined to this part of the range of the wanted energies, which a picture does not resolve; in the strip
# basis, where each momentum costs more, to what is still below the narrowest gaps that are listed.
EDGE_TOLERANCE = 1e-4
STRIP_EDGE_TOLERANCE = 5e-4
# Rounds of local search around extrema that are not on the mesh.
MAX_REFINEMENTS = 8
# Neighbors with more than four times as many cells and these, and more than so many pairs of them, are not asked for a
# Středa slope.
NEIGHBOR_CELLS = 12
MAX_NEIGHBORS = 4
# Accuracy of energies at neighbors, relative to their range, where states are counted in the middle of gaps.
COUNTING_RTOL = 1e-4
# A neighbor counts as being in the same gap if no level comes closer to the middle than this part of the gap, and if
# levels that move in proportion to the flux, as those of Landau do, moved less than this part of it.
CLEARANCE = 0.2
MOTION = 0.75


class FluxSpectrum(NamedTuple):
    """The wanted bands at one flux.

    Attributes:
        problem: The magnetic Bloch problem.
        edges: Edges of the wanted bands.
        energies: Wanted energies on an even mesh of momenta.
    """

    problem: AbstractTruncatedProblem | StripProblem
    edges: BandEdges
    energies: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class ContinuumSpectra:
    """Band edges and labelled gaps of one model at any number of fluxes.

    Attributes:
        model: The zero-field model.
        rtol: Accuracy of the wanted energies relative to their range.
        memory_gb: Working memory.
    """

    model: AbstractContinuum
    rtol: float = DEFAULT_RTOL
    memory_gb: float = 4.0

    def at(self, flux: Flux) -> FluxSpectrum:
        """Edges of the wanted bands at one flux."""
        problem = self._problem(flux)
        mesh = reduced_mesh(flux, continuum_mesh_size(flux))
        energies = self._energies(problem, mesh)
        tolerance = STRIP_EDGE_TOLERANCE if isinstance(problem, StripProblem) else EDGE_TOLERANCE
        search = PeakSearch(mesh, energies, tolerance * float(np.ptp(energies)))
        for _ in range(MAX_REFINEMENTS):
            if search.converged:
                break
            search.update(self._energies(problem, search.stencil()))
        lower, upper = search.edges()
        if not np.all(np.isfinite([lower, upper])):
            status = Status.NOT_FINITE
        elif int(problem.basis_status) != Status.OK:
            status = Status(int(problem.basis_status))
        else:
            status = Status.OK if search.converged else Status.EDGES_NOT_CONVERGED
        return FluxSpectrum(problem, BandEdges(lower, upper, status), energies)

    def labelled(self, flux: Flux, spectrum: FluxSpectrum, gaps: Gaps) -> Gaps:
        """The gaps of one flux with their s and t, counted from the model's reference."""
        problem = spectrum.problem
        count = gaps.bands_below - float(problem.reference_filling)
        if not len(count):
            return gaps
        streda = self._streda(flux, count, gaps, _reference_energy(spectrum))
        berry = np.full(len(count), np.nan) if isinstance(problem, StripProblem) else _berry(problem, gaps, streda)
        return combine_routes(flux, gaps, count, berry, streda, self.model.dirac_half if flux.p else 0.0)

    def _problem(self, flux: Flux) -> AbstractTruncatedProblem | StripProblem:
        if isinstance(self.model, Continuum) and flux.p > 0 and self.model.components * flux.q > LANDAU_CELLS:
            return strip_problem(self.model, flux, rtol=self.rtol)
        return at_flux(self.model, flux, rtol=self.rtol)

    def _energies(self, problem: AbstractTruncatedProblem | StripProblem, k: np.ndarray) -> np.ndarray:
        return np.asarray(solve(problem, jnp.asarray(k), states=False, memory_gb=self.memory_gb).energies)

    def _streda(self, flux: Flux, count: np.ndarray, gaps: Gaps, edge: float) -> np.ndarray:
        """Slope of the density in each gap towards Farey neighbors on both sides; NaN where no two close ones agree.

        Energies are measured from `edge`, the place in the spectrum that densities are counted from.
        """
        result = np.full(len(count), np.nan)
        distance = np.abs((gaps.lower + gaps.upper) / 2 - edge)
        reach = MOTION * gaps.size * float(flux) / np.where(distance > 0, distance, 1)
        largest, tried = 4 * flux.q + NEIGHBOR_CELLS, 0
        denominator = flux.q + 1
        while denominator <= largest and tried < MAX_NEIGHBORS and np.any(np.isnan(result)):
            sides = farey_neighbors(flux, denominator)
            denominator = max(side.q for side in sides) + 1
            asked = (max(abs(float(side) - float(flux)) for side in sides) < reach) & np.isnan(result)
            if denominator > largest + 1 or not np.any(asked) or any(side.p <= 0 for side in sides):
                continue
            tried += 1
            slopes = []
            for side in sides:
                density = self._density_in_gaps(side, gaps, asked)
                slopes.append((density - count / flux.q) * side.q * flux.q / (side.p * flux.q - flux.p * side.q))
            agree = asked & (np.abs(slopes[0] - slopes[1]) < 1e-6)
            # Without −0.
            result = np.where(agree, np.round(2 * slopes[0]) / 2 + 0.0, result)
        return result

    def _density_in_gaps(self, flux: Flux, gaps: Gaps, asked: np.ndarray) -> np.ndarray:
        """States per cell below the middle of some gaps at another flux; NaN where that is not in a clear gap there."""
        middle, margin = ((gaps.lower + gaps.upper) / 2)[asked], (CLEARANCE * gaps.size)[asked]
        # The more cells, the flatter the bands: with some 24 they are lines beside the margin.
        mesh = reduced_mesh(flux, 3 if flux.q <= 6 else 2 if flux.q <= 24 else 1)
        below, above = self._states_below(flux, mesh, np.stack([middle - margin, middle + margin]))
        clear = np.all((below == below[:1]) & (above == below[:1]), axis=0)
        result = np.full(len(asked), np.nan)
        result[asked] = np.where(clear, below[0] / flux.q, np.nan)
        return result

    def _states_below(self, flux: Flux, mesh: np.ndarray, energies: np.ndarray) -> np.ndarray:
        """States below some energies (…, energy), counted from the reference: (…, momentum, energy)."""
        model = self.model
        if isinstance(model, Continuum):
            problem = StripProblem(model, flux, self._waves, *model.wanted_bands(flux))
            return np.stack([states_below(problem, mesh, row) for row in energies])
        # With a band more than is wanted on either side, so that no gap is beyond all of them.
        assert isinstance(model, HeavyFermions)  # there are no others
        bands_per_cell = model.bands_per_cell + 1
        levels = sufficient_levels(model, flux, bands_per_cell, COUNTING_RTOL)
        problem = with_levels(model, flux, levels, model.wanted_bands(flux, bands_per_cell))
        bands = self._energies(problem, mesh)
        counts = np.sum(bands[None, :, None, :] < energies[:, None, :, None], axis=-1)
        outside = (counts == 0) | (counts == bands.shape[-1])
        return np.where(outside, np.nan, counts - float(problem.reference_filling))

    @functools.cached_property
    def _waves(self) -> int:
        """Waves of the strip basis at the neighbors whose states are only counted."""
        assert isinstance(self.model, Continuum)  # the only ones with a strip basis
        return sufficient_waves(self.model, rtol=self.rtol)


def continuum_mesh_size(flux: Flux) -> int:
    """Mesh points per direction of the reduced zone: fewer for larger q, where bands are flatter."""
    return 12 if flux.q == 1 else 6 if flux.q <= 4 else 4


def _reference_energy(spectrum: FluxSpectrum) -> float:
    """Where in the spectrum densities are counted from."""
    lower, upper = spectrum.edges.lower, spectrum.edges.upper
    if spectrum.problem.reference == "neutrality":
        filled = int(spectrum.problem.reference_filling)
        return (upper[filled - 1] + lower[filled]) / 2
    return lower[0] if spectrum.problem.reference == "bottom" else upper[-1]


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
