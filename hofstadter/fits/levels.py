"""Energies of band edges as differentiable functions of the model, at momenta that are known.

The energy of an edge is that of a level at the edge's momentum, and so is its derivative: how the momentum moves does
not matter to first order, because the energy is extremal there (envelope theorem).
"""

from collections.abc import Mapping, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from hofstadter.eigensolver import dense
from hofstadter.eigensolver.pieces import in_pieces
from hofstadter.eigensolver.spectrum import chunk_size
from hofstadter.fits.observations import Edge
from hofstadter.flux import Flux
from hofstadter.hamiltonian.at_flux import at_flux
from hofstadter.hamiltonian.batch import padded_cells
from hofstadter.hamiltonian.bloch import TightBindingProblem
from hofstadter.models import AbstractContinuum, Model


class EdgeStack(eqx.Module):
    """Edges whose matrices have one size, each with several momenta of which the most extreme one counts.

    Attributes:
        index: Place of each edge in the caller's list.
        p: Numerators of the fluxes.
        q: Denominators of the fluxes.
        band: Bands, counted from the model's reference.
        side: +1 for upper edges, −1 for lower ones.
        momenta: Reduced momenta.
        size: Lattice models: cells that magnetic cells are padded to. Continuum models: Landau levels or, at zero
            flux, plane waves.
        flux: Continuum models only: the flux that all edges share.
        memory_gb: Working memory for the matrices; more of them are done in pieces.
    """

    index: Int[Array, " edge"]
    p: Int[Array, " edge"]
    q: Int[Array, " edge"]
    band: Int[Array, " edge"]
    side: Float[Array, " edge"]
    momenta: Float[Array, "edge momentum 2"]
    size: int = eqx.field(static=True)
    flux: Flux | None = eqx.field(static=True)
    memory_gb: float = eqx.field(static=True)

    def energies(self, model: Model) -> Float[Array, " edge"]:
        """The energies, differentiable in the model."""
        if isinstance(model, AbstractContinuum):
            assert self.flux is not None  # `stack_edges` puts every flux of a continuum model into its own stack
            basis = {"levels": self.size} if self.flux.p else {"plane_waves": self.size}
            problem = at_flux(model, self.flux, **basis)
            rows, first = problem.basis_size, problem.first_band + model.wanted_bands(self.flux)[0]

            def matrix(number, k):
                return problem.matrix(k)

        else:
            rows, first = self.size * model.orbitals, 0

            def matrix(number, k):
                p, q = self.p[number], self.q[number]
                return TightBindingProblem(model=model, p=p, q=q, cells=self.size).matrix(k)

        def edge(number):
            row, side = first + self.band[number], self.side[number]
            levels = jax.vmap(lambda k: level_energy(matrix(number, k), row))(self.momenta[number])
            return side * jnp.max(side * levels)

        count, slots, _ = self.momenta.shape
        return in_pieces(edge, jnp.arange(count), max(1, chunk_size(rows, self.memory_gb) // slots))


@jax.custom_jvp
def level_energy(matrix: Complex[Array, "n n"], row: Int[Array, ""]) -> Float[Array, ""]:
    """One eigenvalue, the `row`-th from the bottom, of a Hermitian matrix.

    Its derivative is Tr(D dH) with the density matrix D of the level. Of a degenerate group all levels share the mean,
    which does not depend on the choice of states in the group; it is the derivative of each level wherever the change
    does not split them.
    """
    return dense.eigenvalues(matrix)[row]


@level_energy.defjvp
def _level_energy_jvp(primals, tangents):
    matrix, row = primals
    energies, states = dense.eigensystem(matrix)
    group = ~dense.distinct(energies)[row]
    weights = group.astype(energies.dtype) / jnp.sum(group)
    density = (states * weights[None, :]) @ states.conj().T
    return energies[row], jnp.sum((density.conj() * tangents[0]).real)


def stack_edges(
    edges: Sequence[Edge], momenta: Sequence[np.ndarray], sizes: Mapping[Flux, int], memory_gb: float
) -> list[EdgeStack]:
    """Sort edges into stacks of equal matrix size.

    Args:
        edges: The edges.
        momenta: For each edge its momenta (momentum, 2).
        sizes: Continuum models only: Landau levels or plane waves of each flux. Fluxes of lattice models share stacks.
        memory_gb: Working memory for the matrices of one stack.

    Returns:
        The stacks, in which edges with fewer momenta than others repeat their last one.
    """
    members: dict[tuple[int, Flux | None], list[int]] = {}
    for number, edge in enumerate(edges):
        key = (sizes[edge.flux], edge.flux) if sizes else (padded_cells(edge.flux.q), None)
        members.setdefault(key, []).append(number)
    stacks = []
    for (size, flux), index in members.items():
        # Few shapes, so that few programs are compiled while momenta are added.
        slots = 1 << (max(len(momenta[i]) for i in index) - 1).bit_length()
        rows = [np.concatenate([momenta[i], np.repeat(momenta[i][-1:], slots - len(momenta[i]), 0)]) for i in index]
        stacks.append(
            EdgeStack(
                index=jnp.asarray(index),
                p=jnp.asarray([edges[i].flux.p for i in index]),
                q=jnp.asarray([edges[i].flux.q for i in index]),
                band=jnp.asarray([edges[i].band for i in index]),
                side=jnp.asarray([edges[i].side for i in index], float),
                momenta=jnp.asarray(np.stack(rows)),
                size=size,
                flux=flux,
                memory_gb=memory_gb,
            )
        )
    return stacks
