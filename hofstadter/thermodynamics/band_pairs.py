"""Sums over pairs of bands of Im ⟨n|V_1|m⟩⟨m|V_2|n⟩ with weights that depend on the two energies.

Antisymmetric weights make such sums independent of the choice of states in degenerate levels: a pair of levels that
are filled alike drops out, however close its energies are.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from hofstadter.eigensolver import dense

# Below this part of the largest |energy| a slope is better than a divided difference, whose rounding error is 1e-16
# over it.
CLOSE = 1e-6

Parameters = tuple[Float[Array, " state"], ...]


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def pair_sum(
    weight: Callable, matrix: Complex[Array, "n n"], velocity: Complex[Array, "2 n n"], parameters: Parameters
) -> tuple[Float[Array, " state"], Float[Array, " n"]]:
    """Σ_{nm} w(E_n, E_m) Im[⟨n|V_1|m⟩ ⟨m|V_2|n⟩] at many thermodynamic states, and the energies.

    Its derivative is right at degeneracies too, wherever w is smooth there or (filled alike) vanishes.

    Args:
        weight: `weight(e_n, e_m, closed, *parameters)` gives w, elementwise; w(E_m, E_n) = −w(E_n, E_m). Levels whose
            difference is not above `closed` are degenerate.
        matrix: H(k).
        velocity: V_i = ∂H̃/∂k_i.
        parameters: Arrays that hold one number per thermodynamic state.

    Returns:
        The sums, one per state, and the ascending energies.
    """
    energies, states = dense.eigensystem(matrix)
    pairs = _pairs(*(_rotate(states, component) for component in velocity))
    closed = _closed(energies)

    def one(values):
        return jnp.sum(weight(energies[:, None], energies[None, :], closed, *values) * pairs)

    return jax.lax.map(one, parameters), energies


@pair_sum.defjvp
def _pair_sum_jvp(weight, primals, tangents):
    matrix, velocity, parameters = primals
    matrix_change, velocity_change, parameter_changes = tangents
    energies, states = dense.eigensystem(matrix)
    first, second = (_rotate(states, component) for component in velocity)
    first_change, second_change = (_rotate(states, component) for component in velocity_change)
    mixing = _rotate(states, matrix_change)
    pairs, pairs_change = _pairs(first, second), _pairs(first_change, second) + _pairs(first, second_change)
    closed = _closed(energies)

    def one(values_and_changes):
        values, changes = values_and_changes

        def weights(partners, *values):
            return weight(energies[:, None], partners[None, :], closed, *values)

        zero = jnp.zeros_like(energies)
        value, thermal = jax.jvp(weights, (energies, *values), (zero, *changes))
        _, slope = jax.jvp(weights, (energies, *values), (jnp.ones_like(energies), *map(jnp.zeros_like, values)))

        def from_level(n):
            divided = _divided_difference(energies, value[n], slope[n])
            return (first[n] @ (mixing * divided.astype(mixing.dtype)) @ second[:, n]).imag

        rotation = jnp.sum(jax.lax.map(from_level, jnp.arange(energies.shape[0])))
        return jnp.sum(thermal * pairs) + jnp.sum(value * pairs_change) + 2 * rotation

    changes = jax.lax.map(one, (parameters, parameter_changes)), jnp.diagonal(mixing).real
    return pair_sum(weight, matrix, velocity, parameters), changes


def _divided_difference(
    energies: Float[Array, " n"], value: Float[Array, " n"], slope: Float[Array, " n"]
) -> Float[Array, "n n"]:
    """(w_m − w_a)/(E_m − E_a), or the mean slope where the two levels are close.

    With it, the rotation of states and the shift of energies by dH take one form (Daletskii and Krein),
    dF = 2 Im Σ_{nam} V_1,na dH_am V_2,mn (w_nm − w_na)/(E_m − E_a), which has no degenerate denominator.
    """
    difference = energies[:, None] - energies[None, :]
    close = jnp.abs(difference) <= CLOSE * jnp.max(jnp.abs(energies))
    quotient = (value[:, None] - value[None, :]) / jnp.where(close, 1, difference)
    return jnp.where(close, (slope[:, None] + slope[None, :]) / 2, quotient)


def _rotate(states, operator):
    return states.conj().T @ operator @ states


def _pairs(first, second):
    """Im[⟨n|V_1|m⟩ ⟨m|V_2|n⟩]."""
    return (first * second.T).imag


def _closed(energies):
    """Level distance that is rounding error of the eigensolver."""
    return 8 * energies.shape[-1] * float(jnp.finfo(energies.dtype).eps) * jnp.max(jnp.abs(energies))
