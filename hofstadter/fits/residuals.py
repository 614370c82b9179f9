"""Residuals of a fit as a traced function of the parameters, between searches for the momenta of the edges."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from hofstadter.eigensolver._threads import single_threaded_blas
from hofstadter.errors import Status
from hofstadter.fits.levels import EdgeStack, stack_edges
from hofstadter.fits.momenta import Extrema, find_extrema
from hofstadter.fits.observations import ObservationTable, bands_per_cell
from hofstadter.flux import Flux
from hofstadter.hamiltonian._abstract import AbstractTruncatedProblem
from hofstadter.hamiltonian.at_flux import at_flux
from hofstadter.models import AbstractContinuum, Model

OFFSET, SCALE = "energy_offset", "energy_scale"
# Energies of edges are searched for to this part of the smallest error, so that momenta, of which they are quadratic
# functions, are right to its root.
ACCURACY = 1e-7
# Momenta that are kept of one edge, the latest ones.
MOMENTA = 8


class Residuals(eqx.Module):
    """(predicted − measured)/error of all observations as a function of variables, values = center + unit × variables.

    Attributes:
        build: Makes the model from the parameters.
        names: The parameters.
        bands: Bands per cell that a continuum model needs.
        stacks: The edges, at the momenta known so far.
        weights: Model value = weights @ energies of the edges.
        is_level: 1 for level energies, 0 for gap sizes.
        measured: The measured values.
        error: Their standard errors.
        center: Values at which the variables are zero.
        unit: Change of the values with the variables.
    """

    build: Callable[..., Model] = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)
    bands: int = eqx.field(static=True)
    stacks: list[EdgeStack]
    weights: Float[Array, "observation edge"]
    is_level: Float[Array, " observation"]
    measured: Float[Array, " observation"]
    error: Float[Array, " observation"]
    center: Float[Array, " parameter"]
    unit: Float[Array, " parameter"]

    def __call__(self, variables: Float[Array, " parameter"], _: None = None) -> Float[Array, " observation"]:
        """The residuals; the second argument is not used."""
        values = self.values(variables)
        return self.deviations(values, self.edges(values))

    def values(self, variables: Float[Array, " parameter"]) -> dict[str, Any]:
        """The parameters by name."""
        return dict(zip(self.names, self.center + self.unit * variables, strict=True))

    def edges(self, values: Mapping[str, Any]) -> Float[Array, " edge"]:
        """Energies of the edges."""
        model = build_model(self.build, values, self.bands)
        energies = jnp.zeros(self.weights.shape[1])
        for stack in self.stacks:
            # One stack after the other: two batches of LAPACK calls side by side can deadlock XLA's CPU threads.
            after = 0 * jax.lax.stop_gradient(jnp.sum(energies))
            stack = dataclasses.replace(stack, momenta=stack.momenta + after)
            energies = energies.at[stack.index].set(stack.energies(model))
        return energies

    def deviations(self, values: Mapping[str, Any], edges: Float[Array, " edge"]) -> Float[Array, " observation"]:
        """(predicted − measured)/error for given energies of the edges."""
        return (with_nuisances(values, self.weights @ edges, self.is_level) - self.measured) / self.error


def with_nuisances(values: Mapping[str, Any], model_values: Any, is_level: Any) -> Any:
    """Model values with the common scale, and the common offset of level energies, where these are parameters."""
    return values.get(OFFSET, 0.0) * is_level + values.get(SCALE, 1.0) * model_values


def build_model(build: Callable[..., Model], values: Mapping[str, Any], bands: int) -> Model:
    """The model with these parameters; of a continuum model no more bands than are needed."""
    model = build(**{name: value for name, value in values.items() if name not in (OFFSET, SCALE)})
    return dataclasses.replace(model, bands_per_cell=bands) if isinstance(model, AbstractContinuum) else model


class EdgeSearch:
    """The band edges of a fit: what is known of their momenta, and of the sizes of bases, from search to search."""

    def __init__(
        self,
        build: Callable[..., Model],
        names: tuple[str, ...],
        table: ObservationTable,
        rtol: float,
        memory_gb: float,
    ):
        """Start with nothing known."""
        self.build, self.names, self.table = build, names, table
        self.rtol, self.memory_gb = rtol, memory_gb
        self.bands = bands_per_cell(table)
        self.sizes: dict[Flux, int] = {}
        self.momenta: list[np.ndarray] = [np.zeros((0, 2)) for _ in table.edges]

    def build_at(self, values: np.ndarray) -> Model:
        """The model with these parameters as numbers."""
        return build_model(self.build, dict(zip(self.names, values.tolist(), strict=True)), self.bands)

    def search(self, values: np.ndarray) -> Extrema:
        """Find the edges of the model with these parameters, and remember momenta that are new."""
        model = self.build_at(values)
        problems = {}
        if isinstance(model, AbstractContinuum):
            problems = {flux: self._problem(model, flux) for flux in self.table.fluxes}
        self.sizes = {flux: int(problem.size) for flux, problem in problems.items()}
        accuracy = ACCURACY * float(self.table.error.min())
        extrema = find_extrema(model, self.table.edges, problems, accuracy, self.memory_gb)
        known = np.full(len(self.momenta), np.nan)
        if self.momenta[0].size:
            known = self._linearized(values)[0]
        for number, edge in enumerate(self.table.edges):
            if not edge.side * (extrema.energies[number] - known[number]) <= 2 * accuracy:
                momenta = np.concatenate([self.momenta[number], extrema.momenta[number : number + 1]])
                self.momenta[number] = momenta[-MOMENTA:]
        return extrema

    def residuals(self, values: np.ndarray) -> Residuals:
        """The residuals near these parameters."""
        table = self.table
        return Residuals(
            build=self.build,
            names=self.names,
            bands=self.bands,
            # Each parameter has derivatives of the matrices.
            stacks=stack_edges(table.edges, self.momenta, self.sizes, self.memory_gb / (1 + len(self.names))),
            weights=jnp.asarray(table.weights),
            is_level=jnp.asarray(table.is_level, float),
            measured=jnp.asarray(table.measured),
            error=jnp.asarray(table.error),
            center=jnp.asarray(values),
            unit=jnp.ones(len(values)),
        )

    def linearized(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residuals and their derivatives (observation, parameter)."""
        return self._linearized(values)[1:]

    def _linearized(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        with single_threaded_blas():
            edges, residuals, jacobian = jax.block_until_ready(_linearized(self.residuals(values)))
        return np.asarray(edges), np.asarray(residuals), np.asarray(jacobian)

    def _problem(self, model: AbstractContinuum, flux: Flux) -> AbstractTruncatedProblem:
        """The model at a flux, in the basis of the last search if that is still large enough."""
        if flux in self.sizes:
            size = {"levels": self.sizes[flux]} if flux.p else {"plane_waves": self.sizes[flux]}
            problem = at_flux(model, flux, rtol=self.rtol, **size)
            if int(problem.basis_status) == Status.OK:
                return problem
        # Stricter than needed, so that the basis stays large enough while the parameters move.
        return at_flux(model, flux, rtol=self.rtol / 4)


@eqx.filter_jit
def _linearized(residuals: Residuals) -> tuple[Array, Array, Array]:
    """Energies of the edges, the residuals, and the derivatives of these, from one evaluation."""

    def function(variables):
        values = residuals.values(variables)
        edges = residuals.edges(values)
        deviations = residuals.deviations(values, edges)
        return deviations, (edges, deviations)

    jacobian, (edges, deviations) = jax.jacfwd(function, has_aux=True)(jnp.zeros_like(residuals.center))
    return edges, deviations, jacobian
