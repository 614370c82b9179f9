"""Overlaps of cell-periodic states at neighboring momenta, and their determinants.

A link is ⟨u(k)|u(k + dk)⟩ = ⟨ψ(k)| exp(−i dk·r) |ψ(k + dk)⟩, built from `apply_plane_wave` alone, so it holds the true
positions and needs no special case at the edge of the magnetic zone. To first order its phase is −A · dk with the Berry
connection A = i⟨u|∂u⟩.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter_kernels import det_small
from hofstadter_kernels.det_small.reference import MOST_EXPANDED


def overlaps(
    problem: AbstractMagneticBlochProblem,
    k: Float[Array, "*mesh 2"],
    dk: Float[Array, " 2"],
    bra: Complex[Array, "*mesh basis m"],
    ket: Complex[Array, "*mesh basis m"],
) -> Complex[Array, "*mesh m m"]:
    """Overlap matrices ⟨bra(k)| exp(−i dk·r) |ket(k + dk)⟩ for states on an array of momenta."""

    def one(point, left, right):
        return left.conj().T @ problem.apply_plane_wave(point, dk, right)

    for _ in range(k.ndim - 1):
        one = jax.vmap(one)
    return one(k, bra, ket)


def determinant(
    overlap: Complex[Array, "*batch m m"],
) -> tuple[Complex[Array, "*batch"], Float[Array, "*batch"]]:
    """Phase factor and modulus of det; an exact zero has phase 1."""
    if overlap.shape[-1] <= MOST_EXPANDED:
        value = det_small(overlap)
        modulus = jnp.abs(value)
        return _phase(value, modulus), modulus
    sign, log_modulus = jnp.linalg.slogdet(overlap)
    modulus = jnp.exp(log_modulus)
    return jnp.where(modulus > 0, sign, 1), modulus


def nested_determinants(
    overlap: Complex[Array, "n n"],
) -> tuple[Complex[Array, " n"], Float[Array, " n"]]:
    """Phase factors and moduli of all leading principal minors det overlap[:r, :r], r = 1 … n, in one elimination.

    Entry r − 1 is the link variable of the r lowest bands, so one pass serves every gap. Elimination without pivoting
    is what keeps the minors nested; a pivot smaller than √eps is replaced by √eps. It belongs to a minor that nearly
    vanishes (bands r and r + 1 cross between the two momenta, so that gap is closed anyway) and costs the later minors
    half of the digits, not their phase.
    """
    pivots = jnp.diagonal(_eliminate(overlap))
    modulus = jnp.abs(pivots)
    return jnp.cumprod(_phase(pivots, modulus)), jnp.cumprod(modulus)


def _eliminate(matrix: Complex[Array, "n n"]) -> Complex[Array, "n n"]:
    """LU factors without pivoting, packed in one matrix: by rows when small, else by halves to use matrix products."""
    size = matrix.shape[0]
    if size <= 24:
        return _eliminate_rows(matrix)
    half = size // 2
    head = _eliminate(matrix[:half, :half])
    # L right = top and Uᵀ belowᵀ = leftᵀ as one stack: two LAPACK calls side by side can deadlock XLA's CPU threads.
    lower = jnp.tril(head, -1) + jnp.eye(half, dtype=head.dtype)
    triangles = jnp.stack([lower, jnp.triu(head).T])
    sides = jnp.stack([matrix[:half, half:], matrix[half:, :half].T])
    right, below = jax.lax.linalg.triangular_solve(triangles, sides, left_side=True, lower=True)
    below = below.T
    tail = _eliminate(matrix[half:, half:] - below @ right)
    return jnp.block([[head, right], [below, tail]])


def _eliminate_rows(matrix: Complex[Array, "n n"]) -> Complex[Array, "n n"]:
    size = matrix.shape[0]
    smallest = jnp.sqrt(jnp.finfo(matrix.dtype).eps).astype(matrix.dtype)
    index = jnp.arange(size)

    def eliminate(i, current):
        pivot = current[i, i]
        pivot = jnp.where(jnp.abs(pivot) < smallest.real, smallest, pivot)
        factors = jnp.where(index > i, current[:, i] / pivot, 0)
        row = jnp.where(index > i, current[i], 0)
        current = current - factors[:, None] * row[None, :]
        return current.at[:, i].set(jnp.where(index > i, factors, current[:, i])).at[i, i].set(pivot)

    return jax.lax.fori_loop(0, size, eliminate, matrix)


def _phase(value, modulus):
    return jnp.where(modulus > 0, value / jnp.where(modulus > 0, modulus, 1), 1)
