"""The public function of this folder."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from hofstadter_kernels import _dispatch
from hofstadter_kernels.sturm_bisect import reference
from hofstadter_kernels.sturm_count.api import check_chains

BACKENDS = {
    "reference": reference.sturm_bisect,
    "pallas_mosaic": _dispatch.on_demand("hofstadter_kernels.sturm_bisect.pallas_mosaic", "sturm_bisect"),
    "pallas_tpu": _dispatch.on_demand("hofstadter_kernels.sturm_bisect.pallas_tpu", "sturm_bisect"),
}
# As in `sturm_count`: only what has beaten the reference on the hardware it is written for.
DEFAULT = ("reference",)


def sturm_bisect(
    diagonal: Float[Array, "*batch row"],
    squared_bonds: Float[Array, "*batch row"],
    indices: Int[Array, "*batch level"],
    *,
    bounds: tuple[Float[Array, "*batch"], Float[Array, "*batch"]] | None = None,
    implementation: str | None = None,
) -> Float[Array, "*batch level"]:
    """Eigenvalues of real symmetric tridiagonal matrices, by bisection on counts.

    Eigenvalue `index` is where the count of eigenvalues below passes from `index` to `index + 1`. The interval is
    halved until it is as wide as a rounding error of |T|; the error of the eigenvalue is a few of these, whatever lies
    next to it. Work: 55 (double) or 26 (single precision) counts, see `sturm_count`. There is no derivative.

    Args:
        diagonal: Diagonal of each matrix.
        squared_bonds: Square of the element that joins each row to the row before it; zero in the first row.
        indices: Which eigenvalues, 0 for the lowest, of type int32. Outside the matrix the result is an end of the
            interval.
        bounds: An interval for each matrix that holds the wanted eigenvalues; None takes Gershgorin's. Give it where
            rows pad a matrix, since their diagonal would widen the interval and coarsen the result.
        implementation: As in `sturm_count`.

    Raises:
        ValueError: If shapes or dtypes do not fit, or no implementation has that name.
        NotImplementedError: If the named implementation cannot do this dtype, size or device, or on differentiation.

    Examples:
        >>> import jax.numpy as jnp
        >>> sturm_bisect(jnp.zeros(2), jnp.array([0.0, 1.0]), jnp.array([0, 1], jnp.int32)).round(3).tolist()
        [-1.0, 1.0]
    """
    check_chains(diagonal, squared_bonds)
    if indices.shape[:-1] != diagonal.shape[:-1] or indices.dtype != jnp.int32:
        raise ValueError(
            f"Argument `indices` must be int32 and have the batch axes of `diagonal`, {diagonal.shape[:-1]}, but is "
            f"{indices.dtype} and has {indices.shape[:-1]}."
        )
    if diagonal.shape[-1] == 0:
        raise ValueError("Argument `diagonal` must have at least one row, but has 0.")
    if indices.size == 0:
        return jnp.zeros(indices.shape, diagonal.dtype)
    rows, levels = diagonal.shape[-1], indices.shape[-1]
    lower, upper = gershgorin(diagonal, squared_bonds) if bounds is None else bounds
    for bound in (lower, upper):
        if bound.shape != diagonal.shape[:-1] or bound.dtype != diagonal.dtype:
            raise ValueError(
                f"Argument `bounds` must have the batch axes and the dtype of `diagonal`, {diagonal.shape[:-1]} and "
                f"{diagonal.dtype}, but has {bound.shape} and {bound.dtype}."
            )
    chains = diagonal.reshape(-1, rows), squared_bonds.reshape(-1, rows)
    # Through the loop, derivatives would be those of the bounds.
    arguments = *chains, indices.reshape(-1, levels), lower.reshape(-1), upper.reshape(-1)
    arguments = tuple(_without_derivative(argument) for argument in arguments)
    return _dispatch.run(BACKENDS, DEFAULT, implementation, *arguments).reshape(indices.shape)


def gershgorin(
    diagonal: Float[Array, "*batch row"], squared_bonds: Float[Array, "*batch row"]
) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
    """An interval that holds all eigenvalues, rounding included."""
    bonds = jnp.sqrt(squared_bonds)
    reach = bonds + jnp.concatenate([bonds[..., 1:], jnp.zeros_like(bonds[..., :1])], axis=-1)
    lower, upper = jnp.min(diagonal - reach, axis=-1), jnp.max(diagonal + reach, axis=-1)
    margin = 8 * jnp.finfo(diagonal.dtype).eps * jnp.maximum(jnp.abs(lower), jnp.abs(upper))
    return lower - margin, upper + margin


@jax.custom_jvp
def _without_derivative(values: Array) -> Array:
    """The same values, but differentiation is an error."""
    return values


@_without_derivative.defjvp
def _refuse(primals, tangents):
    raise NotImplementedError("`sturm_bisect` has no derivative: it is the squared entries of eigenvectors.")
