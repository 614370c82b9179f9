"""The public function of this folder."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from hofstadter_kernels import _dispatch
from hofstadter_kernels.sturm_count import reference

BACKENDS = {
    "reference": reference.sturm_count,
    "pallas_mosaic": _dispatch.on_demand("hofstadter_kernels.sturm_count.pallas_mosaic", "sturm_count"),
    "pallas_tpu": _dispatch.on_demand("hofstadter_kernels.sturm_count.pallas_tpu", "sturm_count"),
}
# Tried in this order where no implementation is named. The Pallas backends have not run on the hardware they are
# written for; one enters here with a benchmark in which it beats the reference.
DEFAULT = ("reference",)


def sturm_count(
    diagonal: Float[Array, "*batch row"],
    squared_bonds: Float[Array, "*batch row"],
    energies: Float[Array, "*batch energy"],
    *,
    implementation: str | None = None,
) -> Int[Array, "*batch energy"]:
    """Count the eigenvalues of real symmetric tridiagonal matrices below energies.

    T − E = L D Lᵀ has as many negative pivots as T has eigenvalues below E, by Sylvester's law of inertia (Givens 1954;
    Barth, Martin and Wilkinson, Numer. Math. 9, 386 (1967)). Counts are wrong only for energies within a few rounding
    errors of an eigenvalue. Units are such that |T| is about 1. Work: one division per row and energy.

    Args:
        diagonal: Diagonal of each matrix. A row that only pads a matrix has a diagonal far above all energies and no
            bonds, and is never counted.
        squared_bonds: Square of the element that joins each row to the row before it; zero in the first row.
        energies: Energies, of each matrix its own.
        implementation: "reference" (any device), or, experimental, "pallas_mosaic" (NVIDIA GPUs from Hopper on) or
            "pallas_tpu" (float32 only), which have been lowered and interpreted but never run on such devices. None
            is the reference.

    Raises:
        ValueError: If shapes or dtypes do not fit, or no implementation has that name.
        NotImplementedError: If the named implementation cannot do this dtype, size or device.

    Examples:
        >>> import jax.numpy as jnp
        >>> sturm_count(jnp.zeros(2), jnp.array([0.0, 1.0]), jnp.array([-2.0, 0.0, 2.0])).tolist()
        [0, 1, 2]
    """
    check_chains(diagonal, squared_bonds)
    if energies.shape[:-1] != diagonal.shape[:-1] or energies.dtype != diagonal.dtype:
        raise ValueError(
            f"Argument `energies` must have the batch axes and the dtype of `diagonal`, {diagonal.shape[:-1]} and "
            f"{diagonal.dtype}, but has {energies.shape[:-1]} and {energies.dtype}."
        )
    if energies.size == 0 or diagonal.size == 0:
        return jnp.zeros(energies.shape, jnp.int32)
    rows, lanes = diagonal.shape[-1], energies.shape[-1]
    chains = diagonal.reshape(-1, rows), squared_bonds.reshape(-1, rows)
    counts = _dispatch.run(BACKENDS, DEFAULT, implementation, *chains, energies.reshape(-1, lanes))
    return counts.reshape(energies.shape)


def check_chains(diagonal: Float[Array, "*batch row"], squared_bonds: Float[Array, "*batch row"]) -> None:
    """Refuse matrices whose two arrays do not fit, or that are not real."""
    if squared_bonds.shape != diagonal.shape or squared_bonds.dtype != diagonal.dtype:
        raise ValueError(
            f"Argument `squared_bonds` must have the shape and the dtype of `diagonal`, {diagonal.shape} and "
            f"{diagonal.dtype}, but has {squared_bonds.shape} and {squared_bonds.dtype}."
        )
    if diagonal.dtype not in (jnp.float32, jnp.float64):
        raise ValueError(f"Argument `diagonal` must be float32 or float64, but is {diagonal.dtype}.")
