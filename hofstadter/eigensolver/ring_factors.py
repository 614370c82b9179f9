"""H − E of a block ring in factors: solutions of linear systems, and how many eigenvalues lie below E.

Block after block of the chain is eliminated, S_0 = D_0 − E, S_{j+1} = D_{j+1} − E − U_j† S_j⁻¹ U_j, and the border goes
last. By Haynsworth's theorem the eigenvalues below E are the negative eigenvalues of all S_j and of what is left of the
border. The work is that of n/b dense blocks of b rows, not of n rows.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Int

from hofstadter.eigensolver import dense
from hofstadter.hamiltonian.rings import BlockRing, adjoint_product


class RingFactors(NamedTuple):
    """H − E in factors.

    Attributes:
        inverse: S⁻¹ of each block.
        mixing: S⁻¹ times what couples a block to the next one and to the border.
        last: Inverse of what is left of the border.
    """

    inverse: Complex[Array, "block row row"]
    mixing: Complex[Array, "block row others"]
    last: Complex[Array, "edge edge"]

    def solve(self, right: Complex[Array, "basis band"]) -> Complex[Array, "basis band"]:
        """(H − E)⁻¹ applied to columns."""
        blocks, rows, _ = self.inverse.shape
        chain, edge = right[: blocks * rows].reshape(blocks, rows, -1), right[blocks * rows :]

        def forward(carry, block):
            before, taken = carry
            mixing, own = block
            own = own - before
            passed = adjoint_product(mixing, own)
            return (passed[:rows], taken + passed[rows:]), own

        def backward(after, block):
            mixing, own = block
            own = own - mixing @ jnp.concatenate([after, last])
            return own, own

        zero = jnp.zeros_like(chain[0])
        (_, taken), reduced = jax.lax.scan(forward, (zero, jnp.zeros_like(edge)), (self.mixing, chain))
        last = self.last @ (edge - taken)
        _, solution = jax.lax.scan(backward, zero, (self.mixing, self.inverse @ reduced), reverse=True)
        return jnp.concatenate([solution.reshape(blocks * rows, -1), last])


def factorized(ring: BlockRing, energy: Float[Array, ""]) -> RingFactors:
    """H − E in factors; not finite if E is an eigenvalue of one of the open chains up to a block."""

    def eliminate(matrix, coupling):
        inverse = jnp.linalg.inv(matrix)
        inverse = (inverse + inverse.mT.conj()) / 2
        return _product(inverse, coupling), inverse

    (inverse, mixing), border = _eliminated(ring, energy, eliminate)
    last = jnp.linalg.inv(border)
    return RingFactors(inverse, mixing, (last + last.mT.conj()) / 2)


def count_below(ring: BlockRing, energy: Float[Array, ""]) -> tuple[Int[Array, ""], Float[Array, ""]]:
    """Eigenvalues below an energy, and the growth: the largest element met on the way.

    The count is right if no eigenvalue is closer than about the growth times the rounding error.
    """

    def eliminate(matrix, coupling):
        return jnp.linalg.solve(matrix, coupling), matrix

    (blocks, _), border = _eliminated(ring, energy, eliminate)
    # The border as one more block, its other rows above all energies: XLA's threads can deadlock where they call LAPACK
    # for two batches at a time.
    padding = jnp.arange(blocks.shape[-1]) >= border.shape[0]
    last = jnp.diag(padding).astype(border.dtype).at[: border.shape[0], : border.shape[0]].set(border)
    levels = dense.eigenvalues(jnp.concatenate([blocks, last[None]]))
    return jnp.sum(levels < 0, dtype=jnp.int32), jnp.maximum(jnp.max(jnp.abs(blocks)), jnp.max(jnp.abs(border)))


def _eliminated(ring: BlockRing, energy: Float[Array, ""], eliminate):
    """Eliminate the chain: `eliminate(S, [U C])` returns S⁻¹ [U C] and what is to be kept of each block."""
    rows = ring.diagonal.shape[-1]
    shift = energy * jnp.eye(rows, dtype=ring.diagonal.dtype)

    def step(carry, block):
        own, edge, border = carry
        diagonal, upper, corner = block
        matrix, edge = diagonal - shift - own, corner - edge
        coupling = jnp.concatenate([upper, edge], axis=1)
        mixing, kept = eliminate(matrix, coupling)
        passed = _product(coupling.mT.conj(), mixing)
        return (passed[:rows, :rows], passed[:rows, rows:], border - passed[rows:, rows:]), (kept, mixing)

    size = ring.last.shape[0]
    border = ring.last - energy * jnp.eye(size, dtype=ring.last.dtype)
    start = (jnp.zeros_like(ring.diagonal[0]), jnp.zeros_like(ring.border[0]), border)
    (_, _, border), kept = jax.lax.scan(step, start, (ring.diagonal, ring.upper, ring.border))
    return kept, (border + border.mT.conj()) / 2


def _product(left: Complex[Array, "*batch row inner"], right: Complex[Array, "*batch inner column"]):
    """Product by three real products, three times faster on CPUs for the sizes of blocks."""
    a, b = left.real, left.imag
    c, d = right.real, right.imag
    real, imag = a @ c, b @ d
    return jax.lax.complex(real - imag, (a + b) @ (c + d) - real - imag)
