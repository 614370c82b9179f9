"""Eigenvalues nearest an energy and their states, by block Lanczos iteration on (H − σ)⁻¹ with thick restarts.

The largest eigenvalues 1/(E − σ) of the inverse converge first (Ericsson and Ruhe, Math. Comp. 35, 1251 (1980)). New
vectors are made orthogonal to all old ones, so that no level is found twice; the energies come from H itself, in the
space that was found (Wu and Simon, SIAM J. Matrix Anal. Appl. 22, 602 (2000)).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from hofstadter.eigensolver import dense
from hofstadter.hamiltonian.rings import adjoint_product

# Vectors that a cycle adds beyond three times the returned levels, and cycles after which no more is expected.
EXTRA = 16
CYCLES = 6

Apply = Callable[[Complex[Array, "basis band"]], Complex[Array, "basis band"]]


class Levels(NamedTuple):
    """What was found.

    Attributes:
        energies: Ascending.
        states: Orthonormal columns.
        errors: ‖H v − E v‖ of each.
    """

    energies: Float[Array, " level"]
    states: Complex[Array, "basis level"]
    errors: Float[Array, " level"]


def nearest_levels(
    apply: Apply,
    inverse: Apply,
    start: Complex[Array, "basis together"],
    energy: Float[Array, ""],
    count: int,
    kept: int,
    tolerance: Float[Array, ""],
) -> Levels:
    """Levels of a Hermitian matrix nearest an energy.

    Args:
        apply: H.
        inverse: (H − σ)⁻¹ for σ at the energy or close to it.
        start: Vectors to start with, as many as are multiplied at a time.
        energy: The energy.
        count: Wanted levels.
        kept: Levels returned, more than `count`: those that are not wanted need not be accurate.
        tolerance: Largest ‖H v − E v‖ of a wanted level.
    """
    rows, together = start.shape
    steps = -(-(3 * kept + EXTRA) // together)
    size = kept + steps * together

    def expand(number, state):
        basis, projected = state
        first = kept + number * together
        image = inverse(jax.lax.dynamic_slice_in_dim(basis, first, together, axis=1))
        elements = adjoint_product(basis, image)
        following = _orthonormal(basis, image - basis @ elements)
        basis = jax.lax.dynamic_update_slice_in_dim(basis, following, first + together, axis=1)
        return basis, jax.lax.dynamic_update_slice_in_dim(projected, elements[:size], first, axis=1)

    def cycle(state):
        _, kept_states, inverses, following, cycles = state
        unused = jnp.zeros((rows, steps * together), start.dtype)
        basis = jnp.concatenate([kept_states, following, unused], axis=1)
        projected = jnp.zeros((size, size), start.dtype).at[:kept, :kept].set(jnp.diag(inverses).astype(start.dtype))
        basis, projected = jax.lax.fori_loop(0, steps, expand, (basis, projected))
        upper = jnp.triu(projected)
        inverses, mixing = dense.eigensystem(upper + jnp.triu(upper, 1).mT.conj())
        largest = jnp.argsort(-jnp.abs(inverses))[:kept]
        states, inverses = basis[:, :size] @ mixing[:, largest], inverses[largest]
        return _refined(apply, inverse, states), states, inverses, basis[:, size:], cycles + 1

    def unfinished(state):
        found, *_, cycles = state
        wanted = jnp.argsort(jnp.abs(found.energies - energy))[:count]
        return (cycles < CYCLES) & jnp.any(found.errors[wanted] > tolerance)

    real = start.real.dtype
    none = jnp.zeros((rows, kept), start.dtype)
    nothing = Levels(jnp.zeros(kept, real), none, jnp.full(kept, jnp.inf, real))
    first = cycle((nothing, none, jnp.zeros(kept, real), jnp.linalg.qr(inverse(start))[0], jnp.zeros((), jnp.int32)))
    return jax.lax.while_loop(unfinished, cycle, first)[0]


def _refined(apply: Apply, inverse: Apply, states: Complex[Array, "basis level"]) -> Levels:
    """Levels of H in the space of some states, after a step of inverse iteration.

    That step removes rounding errors, which have components at all energies and grow with the largest inverse.
    """
    states, _ = jnp.linalg.qr(inverse(states))
    image = apply(states)
    elements = adjoint_product(states, image)
    energies, mixing = dense.eigensystem((elements + elements.mT.conj()) / 2)
    states, image = states @ mixing, image @ mixing
    return Levels(energies, states, jnp.linalg.norm(image - states * energies[None, :].astype(states.dtype), axis=0))


def _orthonormal(
    basis: Complex[Array, "basis vector"], new: Complex[Array, "basis together"]
) -> Complex[Array, "basis together"]:
    """New vectors, orthonormal and orthogonal to a basis.

    What is lost to rounding where a vector has hardly anything new becomes a random direction, orthogonal to the basis
    in the second pass: so copies of a degenerate level are found.
    """
    new, _ = jnp.linalg.qr(new)
    return jnp.linalg.qr(new - basis @ adjoint_product(basis, new))[0]
