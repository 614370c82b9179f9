"""The public function of this folder."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from hofstadter_kernels import _dispatch
from hofstadter_kernels.ring_inertia import reference

BACKENDS = {
    "reference": reference.ring_inertia,
    "pallas_mosaic": _dispatch.on_demand("hofstadter_kernels.ring_inertia.pallas_mosaic", "ring_inertia"),
    "pallas_tpu": _dispatch.on_demand("hofstadter_kernels.ring_inertia.pallas_tpu", "ring_inertia"),
}
# As in `sturm_count`: only what has beaten the reference on the hardware it is written for.
DEFAULT = ("reference",)
# On-site energy of cells that only pad a ring, in the units of |H|.
PADDING = 1e6


def ring_inertia(
    blocks: Complex[Array, "*batch cell site site"],
    bonds: Complex[Array, "*batch cell site site"],
    energies: Float[Array, "*batch energy"],
    *,
    padding: Int[Array, "*batch"] | None = None,
    implementation: str | None = None,
) -> tuple[Int[Array, "*batch energy"], Float[Array, "*batch energy"]]:
    """Count the eigenvalues of block-cyclic Hermitian matrices below energies.

    H − E = L D L† has as many negative pivots as H has eigenvalues below E. All cells but the last are eliminated one
    by one, without pivoting; their bonds to the last cell fill in. Pivots below eps^0.75 are moved there. Units are
    such that |H| is about 1.

    The growth says how many times larger than |H| numbers became. Counts may be wrong for energies closer to an
    eigenvalue than about growth × eps; where it is far above 1 (energies next to an eigenvalue of the chain that is
    eliminated, or to those of a flat band) count again a little below and a little above, as `hofstadter` does. Single
    precision so tells energies apart down to 1e-4 |H| where the growth is below 1000.

    Work: about 36 operations × site³ per cell and energy. The elimination is written out for the number of sites per
    cell, which should be at most 4.

    Args:
        blocks: Hermitian block of each cell; only the diagonal's real part and the lower triangle are read.
        bonds: Block of each cell (rows) with the cell before (columns); that of the first cell with the last one, and
            so the ring's phase.
        energies: Energies, of each matrix its own.
        padding: How many of the first cells are not there, so that rings of different length fit in one array; zero by
            default.
        implementation: "reference" (any device), or, experimental, "pallas_mosaic" (NVIDIA GPUs from Hopper on) or
            "pallas_tpu" (single precision only), which have been lowered and interpreted but never run on such devices.
            None is the reference.

    Returns:
        The counts and the growth.

    Raises:
        ValueError: If shapes or dtypes do not fit, or no implementation has that name.
        NotImplementedError: If the named implementation cannot do this dtype, size or device.

    Examples:
        A ring of four sites with bonds 1/2, whose energies are −1, 0, 0 and 1:

        >>> import jax.numpy as jnp
        >>> ring = jnp.zeros((4, 1, 1), complex), jnp.full((4, 1, 1), 0.5 + 0j)
        >>> ring_inertia(*ring, jnp.array([-1.1, -0.1, 0.1, 1.1]))[0].tolist()
        [0, 1, 3, 4]
    """
    _check(blocks, bonds, energies, padding)
    counts = jnp.zeros(energies.shape, jnp.int32)
    if energies.size == 0 or blocks.size == 0:
        return counts, jnp.zeros_like(energies)
    batch, (cells, sites, _) = blocks.shape[:-3], blocks.shape[-3:]
    absent = jnp.zeros(batch, jnp.int32) if padding is None else padding.astype(jnp.int32)
    shape = (-1, cells, sites, sites)
    tables = pack(blocks.reshape(shape), bonds.reshape(shape), absent.reshape(-1))
    found = _dispatch.run(BACKENDS, DEFAULT, implementation, *tables, energies.reshape(-1, energies.shape[-1]))
    counts, growth = (x.reshape(energies.shape) for x in found)
    return counts, growth


@jax.jit
def pack(
    blocks: Complex[Array, "matrix cell site site"],
    bonds: Complex[Array, "matrix cell site site"],
    padding: Int[Array, " matrix"],
) -> tuple[Float[Array, "matrix chain number"], Float[Array, "matrix number2"]]:
    """Real tables of the cells of the chain and of the border, which is the last cell; see `reference.ring_inertia`."""
    if blocks.shape[1] == 1:
        # A chain of no cells would be an array without elements.
        blocks, bonds = (jnp.pad(x, ((0, 0), (1, 0), (0, 0), (0, 0))) for x in (blocks, bonds))
        padding = padding + 1
    cells, sites = blocks.shape[1:3]
    cell = jnp.arange(cells, dtype=jnp.int32)[None, :, None, None]
    first = padding[:, None, None, None]
    unit = jnp.asarray((PADDING * np.eye(sites)).astype(blocks.dtype))[None, None]
    blocks = jnp.where(cell < first, unit, blocks)
    closing = jnp.where(cell == first, bonds, 0)
    inner = jnp.where(cell > first, bonds, 0)
    # The last cell of the chain is bound to the border by the border's bond; a lone cell is bound to itself.
    last = closing[:, -1]
    border = blocks[:, -1] + last + last.conj().mT
    entries = closing[:, :-1].at[:, -1].add(inner[:, -1].conj().mT)
    rows = [_hermitian_numbers(blocks[:, :-1]), _numbers(inner[:, :-1]), _numbers(entries)]
    return jnp.concatenate(rows, axis=-1), _hermitian_numbers(border)


def _hermitian_numbers(block: Complex[Array, "*batch site site"]) -> Float[Array, "*batch number"]:
    """The diagonal, and the parts of the elements below it."""
    row, column = np.tril_indices(block.shape[-1], -1)
    lower = block[..., row, column]
    parts = jnp.stack([lower.real, lower.imag], axis=-1).reshape(*block.shape[:-2], 2 * len(row))
    return jnp.concatenate([jnp.diagonal(block, axis1=-2, axis2=-1).real, parts], axis=-1)


def _numbers(block: Complex[Array, "*batch site site"]) -> Float[Array, "*batch number"]:
    """The parts of all elements."""
    return jnp.stack([block.real, block.imag], axis=-1).reshape(*block.shape[:-2], 2 * block.shape[-1] ** 2)


def _check(
    blocks: Complex[Array, "*batch cell site site"],
    bonds: Complex[Array, "*batch cell site site"],
    energies: Float[Array, "*batch energy"],
    padding: Int[Array, "*batch"] | None,
) -> None:
    if blocks.dtype not in (jnp.complex64, jnp.complex128):
        raise ValueError(f"Argument `blocks` must be complex64 or complex128, but is {blocks.dtype}.")
    if blocks.ndim < 3 or blocks.shape[-1] != blocks.shape[-2]:
        raise ValueError(f"Argument `blocks` must end in (cell, site, site), but has the shape {blocks.shape}.")
    if bonds.shape != blocks.shape or bonds.dtype != blocks.dtype:
        raise ValueError(
            f"Argument `bonds` must have the shape and the dtype of `blocks`, {blocks.shape} and {blocks.dtype}, but "
            f"has {bonds.shape} and {bonds.dtype}."
        )
    batch, real = blocks.shape[:-3], jnp.finfo(blocks.dtype).dtype
    if energies.shape[:-1] != batch or energies.dtype != real:
        raise ValueError(
            f"Argument `energies` must have the batch axes of `blocks`, {batch}, and be {real}, but has "
            f"{energies.shape[:-1]} and {energies.dtype}."
        )
    if padding is not None and padding.shape != batch:
        raise ValueError(f"Argument `padding` must have the batch axes of `blocks`, {batch}, but has {padding.shape}.")
