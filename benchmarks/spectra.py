"""Benchmarks of eigenvalues: batches of dense matrices, and all band edges of the square lattice."""

import functools
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from measure import Line, as_solve_calls, clock, compare, largest, timed

import hofstadter as hof
from hofstadter.counting.edges import find_band_edges
from hofstadter.eigensolver import dense
from hofstadter.hamiltonian.bloch import TightBindingProblem

SIZES = (16, 48, 96, 194, 400)
HEADLINES = (48, 194)
# Real operations per n³ of a complex matrix: 4/3 complex products and sums to make it tridiagonal, four real ones each;
# with eigenvectors by divide and conquer about three times as many.
VALUES_FLOPS, VECTORS_FLOPS = 16 / 3, 16


def batched_dense(quick: bool) -> Iterator[Line]:
    """Eigenvalues, and eigenvectors too, of honeycomb matrices at random momenta."""
    model = hof.models.honeycomb(t2=0.1, mass=0.2)
    rng = np.random.default_rng(1)
    values, vectors = jax.jit(dense.eigenvalues), jax.jit(dense.eigensystem)
    seconds = 1.0 if quick else 3.0
    for n in SIZES:
        q = n // 2
        count = max(4, int((4e6 if quick else 1.6e7) / n**2.5))
        problem = hof.at_flux(model, (q // 2 - 1, q))
        matrices = problem.matrix(rng.random((count, 2)))
        host = np.array(matrices)
        size = f"{count} × ({n} × {n}) c128"
        ours = as_solve_calls(values, matrices)
        for rival, call, target in _value_rivals(host, matrices):
            times, our, their = compare(ours, timed(call), seconds=seconds)
            yield Line(
                "eigenvalues",
                size,
                rival,
                **times,
                flops=count * VALUES_FLOPS * n**3,
                error=None if their is None else largest(our - np.asarray(their)),
                target=target,
                headline=n in HEADLINES and rival.startswith("numpy"),
            )
        ours = as_solve_calls(vectors, matrices)
        for rival, call, target in _vector_rivals(host, matrices):
            times, (energies, states), _ = compare(ours, timed(call), seconds=seconds)
            yield Line(
                "eigenvectors",
                size,
                rival,
                **times,
                flops=count * VECTORS_FLOPS * n**3,
                error=largest(matrices @ states - states * energies[:, None, :]),
                target=target,
                note="error: largest entry of H v − E v of ours",
                headline=n in HEADLINES and rival.startswith("numpy"),
            )


def _value_rivals(host, device):
    yield "numpy.linalg.eigvalsh", functools.partial(np.linalg.eigvalsh, host), 0.9
    yield "jnp.linalg.eigvalsh, jitted", functools.partial(jax.jit(jnp.linalg.eigvalsh), device), None
    for cupy, array in _cupy(host):
        yield "cupy.linalg.eigvalsh", functools.partial(_on_device, cupy, cupy.linalg.eigvalsh, array), None


def _vector_rivals(host, device):
    yield "numpy.linalg.eigh", functools.partial(np.linalg.eigh, host), 0.9
    for cupy, array in _cupy(host):
        yield "cupy.linalg.eigh", functools.partial(_on_device, cupy, cupy.linalg.eigh, array), None


def _cupy(host):
    """CuPy and the matrices on its device, if JAX runs on a GPU and CuPy is installed."""
    if jax.default_backend() != "gpu":
        return
    try:
        import cupy
    except ImportError:
        return
    yield cupy, cupy.asarray(host)


def _on_device(cupy, function, array):
    """Run on CuPy's device and wait; the result stays there, since moving it is no part of the comparison."""
    function(array)
    cupy.cuda.Device().synchronize()


def square_butterfly(quick: bool) -> Iterator[Line]:
    """All band edges of the square lattice; the rival solves the same two momenta per flux."""
    model = hof.models.square()
    order = 40 if quick else 150
    fluxes = hof.farey(order)

    def rival():
        total, edges = 0.0, {}
        for q in range(1, order + 1):
            members = [flux for flux in fluxes if flux.q == q]
            matrices = _two_point_matrices(model, members)
            seconds, energies = clock(lambda matrices=matrices: np.linalg.eigvalsh(matrices))
            total += seconds
            edges.update(zip(members, zip(energies.min(axis=1), energies.max(axis=1), strict=True), strict=True))
        return total, edges

    times, ours, theirs = compare(lambda: find_band_edges(model, fluxes), rival, seconds=20, most=3)
    error = max(
        max(largest(edge.lower - theirs[flux][0]), largest(edge.upper - theirs[flux][1]))
        for flux, edge in zip(fluxes, ours, strict=True)
    )
    yield Line(
        "square butterfly, all band edges",
        f"{len(fluxes)} fluxes p/q, q ≤ {order}",
        "numpy.linalg.eigvalsh, one stack per q",
        **times,
        error=error,
        target=8,
        note="two momenta per flux for both; the rival's matrices are built outside its time",
    )


def _two_point_matrices(model, fluxes) -> np.ndarray:
    """H at the two momenta that hold the band edges, at fluxes of one denominator (flux, momentum, q, q)."""
    q = fluxes[0].q
    # κ = 2π k + π for the hopping −t: κ = (0, 0) and (π/q, π/q).
    momenta = np.tile(0.5 + np.array([[0.0, 0.0], [0.5 / q, 0.5 / q]]), (len(fluxes), 1, 1))
    return np.array(_matrices(model, np.array([flux.p for flux in fluxes]), momenta, q))


@functools.partial(jax.jit, static_argnums=3)
def _matrices(model, p, k, q):
    return jax.vmap(lambda p, k: TightBindingProblem(model, p, jnp.asarray(q), q).matrix(k))(p, k)
