"""Dense Hermitian eigenproblems in batches, with derivatives that stay finite at degeneracies."""

import functools
import importlib

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float


@jax.custom_jvp
def eigenvalues(matrix: Complex[Array, "*batch n n"]) -> Float[Array, "*batch n"]:
    """Ascending eigenvalues of Hermitian matrices, without the cost of eigenvectors where LAPACK runs (CPU).

    The derivative is the Hellmann-Feynman diagonal ⟨v|dH|v⟩. Inside an exactly degenerate group only sums over the
    whole group have a derivative, and those come out right.
    """
    energies = jax.lax.platform_dependent(matrix, cpu=_lapack_values, default=_values_with_vectors)
    return jnp.where(_finite(matrix)[..., None], energies, _nan(energies))


@eigenvalues.defjvp
def _eigenvalues_jvp(primals, tangents):
    energies, states = eigensystem(primals[0])
    derivative = jnp.einsum("...ji,...jk,...ki->...i", states.conj(), tangents[0], states)
    return energies, derivative.real


@jax.custom_jvp
def eigensystem(
    matrix: Complex[Array, "*batch n n"],
) -> tuple[Float[Array, "*batch n"], Complex[Array, "*batch n n"]]:
    """Ascending eigenvalues and orthonormal eigenvectors (columns) of Hermitian matrices.

    The derivative of the vectors is first-order perturbation theory in the parallel gauge, ⟨v|dv⟩ = 0, with no mixing
    inside degenerate groups: right for everything that does not depend on the choice of vectors in a group.
    """
    states, energies = jax.lax.linalg.eigh(matrix, symmetrize_input=False)
    return jnp.where(_finite(matrix)[..., None], energies, _nan(energies)), states


@eigensystem.defjvp
def _eigensystem_jvp(primals, tangents):
    energies, states = eigensystem(primals[0])
    coupling = jnp.einsum("...ji,...jk,...kl->...il", states.conj(), tangents[0], states)
    derivative = jnp.einsum("...ii->...i", coupling).real
    mixing = coupling * _inverse_differences(energies, distinct(energies)).astype(coupling.dtype)
    return (energies, states), (derivative, states @ mixing)


def _finite(matrix: Complex[Array, "*batch n n"]) -> Bool[Array, "*batch"]:
    """Whether all entries are numbers: LAPACK returns numbers for some matrices that hold NaN."""
    return jnp.all(jnp.isfinite(matrix), axis=(-2, -1))


def distinct(energies: Float[Array, "*batch n"]) -> Bool[Array, "*batch n n"]:
    """Pairs of levels further apart than rounding errors of the eigensolver."""
    size = energies.shape[-1]
    scale = jnp.max(jnp.abs(energies), axis=-1, keepdims=True)[..., None]
    tolerance = 8 * size * jnp.finfo(energies.dtype).eps * scale
    return jnp.abs(energies[..., None, :] - energies[..., :, None]) > tolerance


def _inverse_differences(
    energies: Float[Array, "*batch n"], pairs: Bool[Array, "*batch n n"]
) -> Float[Array, "*batch n n"]:
    """1/(E_column − E_row) for the given pairs, zero elsewhere."""
    difference = energies[..., None, :] - energies[..., :, None]
    return jnp.where(pairs, 1 / jnp.where(pairs, difference, 1), 0)


def _nan(like: Float[Array, "*batch"]) -> Float[Array, ""]:
    """NaN of the same precision: in 64-bit mode JAX makes numbers of Python double, which no TPU has."""
    return jnp.full((), jnp.nan, like.dtype)


def _values_with_vectors(matrix: Complex[Array, "*batch n n"]) -> Float[Array, "*batch n"]:
    return jax.lax.linalg.eigh(matrix, symmetrize_input=False)[1]


def _lapack_values(matrix: Complex[Array, "*batch n n"]) -> Float[Array, "*batch n"]:
    """LAPACK's divide and conquer with jobz = 'N', through the routine that jaxlib itself calls with 'V'.

    The targets are private to jaxlib. If a release drops them, `_values_with_vectors` does the same work slower.
    A Hermitian matrix and its transpose have the same eigenvalues, so no column-major copy is made.
    """
    target = _LAPACK_TARGETS.get(matrix.dtype.name)
    if target is None or not load_lapack():
        return _values_with_vectors(matrix)
    *batch, size, _ = matrix.shape
    real = jnp.finfo(matrix.dtype).dtype
    outputs = (
        jax.ShapeDtypeStruct(matrix.shape, matrix.dtype),
        jax.ShapeDtypeStruct((*batch, size), real),
        jax.ShapeDtypeStruct(tuple(batch), jnp.int32),
    )
    call = jax.ffi.ffi_call(target, outputs, vmap_method="broadcast_all")
    _, energies, info = call(matrix, mode=np.uint8(ord("N")), uplo=np.uint8(ord("L")))
    return jnp.where((info == 0)[..., None], energies, _nan(energies))


_LAPACK_TARGETS = {
    "complex128": "lapack_zheevd_ffi",
    "complex64": "lapack_cheevd_ffi",
    "float64": "lapack_dsyevd_ffi",
    "float32": "lapack_ssyevd_ffi",
}


@functools.cache
def load_lapack() -> bool:
    """Load the LAPACK that jaxlib calls, and say whether its targets are there; calling one before crashes."""
    try:
        lapack = importlib.import_module("jaxlib.lapack")
        lapack._lapack.initialize()
        targets = {entry[0] for entry in lapack.registrations()["cpu"]}
    except (ImportError, AttributeError, KeyError):
        return False
    return targets.issuperset(_LAPACK_TARGETS.values())
