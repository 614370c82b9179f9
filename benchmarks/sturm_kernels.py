"""Benchmarks of `sturm_count` and `sturm_bisect`: the references against LAPACK, others against the references.

An implementation other than the reference appears only where there is a device for it; none of them has been run yet.
"""

import functools
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from measure import Line, compare, timed
from scipy.linalg import eigvalsh_tridiagonal

from hofstadter_kernels import sturm_bisect, sturm_count
from hofstadter_kernels.sturm_count.arg_specs import ARG_SPECS, draw

# What each platform can run, apart from the reference.
BACKENDS = {"gpu": ("pallas_mosaic",), "tpu": ("pallas_tpu",)}


def sturm_counts(quick: bool) -> Iterator[Line]:
    """Eigenvalues below energies, of disordered chains as long as the parity blocks of the square lattice."""
    platform = jax.default_backend()
    names = ["parity blocks, q = 97" if quick else "parity blocks, q = 199"]
    if platform != "cpu" and not quick:
        names.append("parity blocks, q = 999")
    for name in names:
        for dtype in (np.float32,) if platform == "tpu" else (np.float64, np.float32):
            yield _against_lapack(name, dtype)
            for backend in BACKENDS.get(platform, ()):
                yield _against_reference(name, dtype, backend)


def sturm_levels(quick: bool) -> Iterator[Line]:
    """All eigenvalues of the same chains: bisection needs 55 counts (26 in single precision) for each of them."""
    name = "parity blocks, q = 97" if quick else "parity blocks, q = 199"
    for dtype in (np.float32,) if jax.default_backend() == "tpu" else (np.float64, np.float32):
        kind = np.dtype(dtype).name
        diagonal, bonds, _ = draw(ARG_SPECS[name], dtype)
        matrices, rows = diagonal.shape
        indices = jnp.broadcast_to(jnp.arange(rows, dtype=jnp.int32), diagonal.shape)
        chains = jnp.asarray(diagonal), jnp.asarray(bonds**2)
        ours = jax.jit(lambda *x: sturm_bisect(*x, implementation="reference"))

        def levels(diagonal=diagonal, bonds=bonds):
            pairs = zip(diagonal, bonds[:, 1:], strict=True)
            return np.stack([eigvalsh_tridiagonal(*pair, lapack_driver="sterf") for pair in pairs])

        call = functools.partial(ours, *chains, indices)
        times, found, expected = compare(call, timed(levels), seconds=3)
        yield Line(
            f"eigenvalues of tridiagonal matrices, {kind}",
            f"{name}: {matrices} matrices of {rows} rows",
            "scipy.linalg.eigvalsh_tridiagonal (sterf)",
            **times,
            error=float(np.max(np.abs(np.asarray(found) - expected))),
            note=f"reference; on {jax.devices()[0].device_kind}; on CPUs the package calls sterf itself",
            headline=False,
        )


def _problem(name: str, dtype) -> tuple[str, str, tuple[np.ndarray, np.ndarray, np.ndarray], tuple[jax.Array, ...]]:
    """What it is called and how large; diagonals, bonds and energies, and the same as arguments of the kernel."""
    spec, kind = ARG_SPECS[name], np.dtype(dtype).name
    diagonal, bonds, energies = draw(spec, dtype)
    size = f"{name}: {spec.matrices} matrices of {spec.rows} rows × {spec.lanes} energies"
    arguments = tuple(jax.block_until_ready(jnp.asarray(x)) for x in (diagonal, bonds**2, energies))
    return f"counts of tridiagonal matrices, {kind}", size, (diagonal, bonds, energies), arguments


def _against_lapack(name: str, dtype) -> Line:
    work, size, (diagonal, bonds, energies), arguments = _problem(name, dtype)
    count = jax.jit(lambda *x: sturm_count(*x, implementation="reference"))

    def search():
        counts = np.empty(energies.shape, np.int32)
        for matrix, below in enumerate(energies):
            levels = eigvalsh_tridiagonal(diagonal[matrix], bonds[matrix, 1:], lapack_driver="sterf")
            counts[matrix] = np.searchsorted(levels, below)
        return counts

    times, ours, theirs = compare(lambda: count(*arguments), timed(search), seconds=3)
    note = (
        f"reference; on {jax.devices()[0].device_kind}; error: miscounts, also of energies within rounding of a level"
    )
    rival = "scipy.linalg.eigvalsh_tridiagonal (sterf) + numpy.searchsorted"
    error = int(np.sum(np.asarray(ours) != theirs))
    # A division, two subtractions, and two comparisons and a sum to count, per row and energy.
    flops = 6.0 * diagonal.size * energies.shape[1]
    return Line(work, size, rival, **times, error=error, note=note, headline=False, flops=flops)


def _against_reference(name: str, dtype, backend: str) -> Line:
    work, size, _, arguments = _problem(name, dtype)
    ours = jax.jit(lambda *x: sturm_count(*x, implementation=backend))
    reference = jax.jit(lambda *x: sturm_count(*x, implementation="reference"))
    times, found, expected = compare(lambda: ours(*arguments), timed(lambda: reference(*arguments)), seconds=3)
    note = f"{backend}, experimental; on {jax.devices()[0].device_kind}; error: counts unlike the reference's"
    error = int(np.sum(np.asarray(found) != np.asarray(expected)))
    return Line(work, size, "the reference on the same device", **times, error=error, note=note, headline=False)
