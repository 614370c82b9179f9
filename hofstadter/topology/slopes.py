"""What the slopes of levels at sampled momenta say about crossings between them."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float

from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem

# Each corner answers for its quarter of the plaquette, half a side in each direction, and a little more.
REACH = 0.6


def slopes(
    problem: AbstractMagneticBlochProblem, k: Float[Array, "*mesh 2"], states: Complex[Array, "*mesh basis band"]
) -> Float[Array, "*mesh band"]:
    """|∂E/∂k1| + |∂E/∂k2| of each level (Hellmann-Feynman), without derivatives of its own.

    ⟨ψ|∂H|ψ⟩ is real, so both come out of one matrix product, as real and imaginary part.
    """

    def one(point, vectors):
        along1, along2 = (jax.jvp(problem.matrix, (point,), (axis,))[1] for axis in jnp.eye(2, dtype=k.dtype))
        both = jnp.sum(vectors.conj() * ((along1 + 1j * along2) @ vectors), axis=0)
        return jnp.abs(both.real) + jnp.abs(both.imag)

    for _ in range(k.ndim - 1):
        one = jax.vmap(one)
    return jax.lax.stop_gradient(one(k, states))


def stay_apart(
    energies: Float[Array, "*corner band"], change: Float[Array, "*corner band"]
) -> Bool[Array, "*corner band"]:
    """Whether the r lowest levels stay below the others around each momentum, entry r − 1.

    Args:
        energies: Ascending energies.
        change: How much each level changes along the side of a plaquette if it goes on with its slope.
    """
    motion = REACH * change
    highest = jax.lax.cummax(energies + motion, axis=energies.ndim - 1)
    lowest = jax.lax.cummin(energies - motion, axis=energies.ndim - 1, reverse=True)
    return highest < jnp.roll(lowest, -1, axis=-1).at[..., -1].set(jnp.inf)
