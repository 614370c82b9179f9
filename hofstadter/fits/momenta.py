"""Where bands have the edges that a fit asks for: a search without derivatives, on the host."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from hofstadter.counting.continuum import continuum_mesh_size
from hofstadter.counting.edges import mesh_size, reduced_mesh
from hofstadter.counting.peaks import PeakSearch
from hofstadter.eigensolver.spectrum import solve
from hofstadter.eigensolver.stacks import energies_at
from hofstadter.errors import Status
from hofstadter.fits.observations import Edge
from hofstadter.flux import Flux
from hofstadter.hamiltonian._abstract import AbstractTruncatedProblem
from hofstadter.models import AbstractContinuum, Model

# Rounds of local search around extrema that are not on the mesh.
MAX_REFINEMENTS = 40


class Extrema(NamedTuple):
    """Edges of bands and where they are.

    Attributes:
        momenta: Reduced momentum of each edge (edge, 2).
        energies: Energy of each edge.
        status: OK, EDGES_NOT_CONVERGED, CUTOFF_TOO_LOW or NOT_FINITE for each edge.
    """

    momenta: np.ndarray
    energies: np.ndarray
    status: np.ndarray


Energies = Callable[[Sequence[Flux], Sequence[np.ndarray]], list[np.ndarray]]
"""Energies (momentum, band) at many fluxes, each with its own momenta."""


def find_extrema(
    model: Model,
    edges: Sequence[Edge],
    problems: Mapping[Flux, AbstractTruncatedProblem],
    accuracy: float,
    memory_gb: float,
) -> Extrema:
    """Search the magnetic zone for the edges of bands.

    Args:
        model: The zero-field model.
        edges: The edges.
        problems: Continuum models only: the problem at each flux.
        accuracy: Wanted accuracy in energy; not below 1e-10 of the range of the energies.
        memory_gb: Working memory.
    """
    fluxes = list(dict.fromkeys(edge.flux for edge in edges))
    below, basis = dict.fromkeys(fluxes, 0), dict.fromkeys(fluxes, int(Status.OK))
    if isinstance(model, AbstractContinuum):
        below = {flux: model.wanted_bands(flux)[0] for flux in fluxes}
        basis = {flux: int(problems[flux].basis_status) for flux in fluxes}
        meshes = [reduced_mesh(flux, continuum_mesh_size(flux)) for flux in fluxes]

        def energies(at: Sequence[Flux], momenta: Sequence[np.ndarray]) -> list[np.ndarray]:
            return [
                np.asarray(solve(problems[flux], jnp.asarray(k), states=False, memory_gb=memory_gb).energies)
                for flux, k in zip(at, momenta, strict=True)
            ]

    else:
        meshes = [reduced_mesh(flux, mesh_size(flux.q)) for flux in fluxes]

        def energies(at: Sequence[Flux], momenta: Sequence[np.ndarray]) -> list[np.ndarray]:
            return energies_at(model, at, momenta, memory_gb=memory_gb)

    searches = _search(energies, edges, fluxes, meshes, below, accuracy)
    momenta, values = np.zeros((len(edges), 2)), np.zeros(len(edges))
    status = np.zeros(len(edges), int)
    for number, edge in enumerate(edges):
        search = searches[_pair(edge)]
        momenta[number], values[number] = search.extremum(edge.side, edge.band + below[edge.flux])
        if not np.isfinite(values[number]):
            status[number] = Status.NOT_FINITE
        elif basis[edge.flux] != Status.OK:
            status[number] = basis[edge.flux]
        elif not search.converged:
            status[number] = Status.EDGES_NOT_CONVERGED
    return Extrema(momenta, values, status)


class _PairSearch:
    """The search for the edges of two neighboring bands, which remembers where the best energies were."""

    def __init__(self, first: int, momenta: np.ndarray, energies: np.ndarray, accuracy: float):
        """Start from energies of all bands on a mesh; the pair is (first, first + 1), less what does not exist."""
        self.bands = slice(max(first, 0), min(first + 2, energies.shape[1]))
        self.peaks = PeakSearch(momenta, energies[:, self.bands], max(accuracy, 1e-10 * float(np.ptp(energies))))
        count = self.bands.stop - self.bands.start
        self.best, self.best_at = np.full((2, count), -np.inf), np.zeros((2, count, 2))
        self._remember(momenta, energies)

    def stencil(self) -> np.ndarray:
        return self.peaks.stencil()

    def update(self, momenta: np.ndarray, energies: np.ndarray) -> None:
        self.peaks.update(energies[:, self.bands])
        self._remember(momenta, energies)

    @property
    def converged(self) -> bool:
        return self.peaks.converged

    def extremum(self, side: int, band: int) -> tuple[np.ndarray, float]:
        """Momentum and energy of an edge."""
        row, column = (0, 1)[side > 0], band - self.bands.start
        return self.best_at[row, column], side * self.best[row, column]

    def _remember(self, momenta: np.ndarray, energies: np.ndarray) -> None:
        signed = np.stack([-energies[:, self.bands], energies[:, self.bands]])
        place = signed.argmax(axis=1)
        highest = signed.max(axis=1)
        # A later momentum has to be clearly better, so that equal edges keep their place from search to search.
        better = ~(highest <= self.best + 1e-3 * self.peaks.tolerance)
        self.best = np.where(better, highest, self.best)
        self.best_at = np.where(better[..., None], momenta[place], self.best_at)


def _pair(edge: Edge) -> tuple[Flux, int]:
    """The flux and the lower band of the pair that an edge faces: a gap's two edges share one."""
    return edge.flux, edge.band if edge.side > 0 else edge.band - 1


def _search(
    energies: Energies,
    edges: Sequence[Edge],
    fluxes: Sequence[Flux],
    meshes: Sequence[np.ndarray],
    below: dict[Flux, int],
    accuracy: float,
) -> dict[tuple[Flux, int], _PairSearch]:
    """Do all searches side by side, so that their matrices share programs."""
    on_mesh = dict(zip(fluxes, zip(meshes, energies(fluxes, meshes), strict=True), strict=True))
    searches = {
        (flux, band): _PairSearch(band + below[flux], *on_mesh[flux], accuracy)
        for flux, band in dict.fromkeys(map(_pair, edges))
    }
    for _ in range(MAX_REFINEMENTS):
        active = [(flux, search) for (flux, _), search in searches.items() if not search.converged]
        if not active:
            break
        points = {flux: [(search, search.stencil()) for at, search in active if at == flux] for flux, _ in active}
        momenta = [np.concatenate([k for _, k in entries]) for entries in points.values()]
        for entries, found in zip(points.values(), energies(list(points), momenta), strict=True):
            ends = np.cumsum([len(k) for _, k in entries])[:-1]
            for (search, k), part in zip(entries, np.split(found, ends), strict=True):
                search.update(k, part)
    return searches
