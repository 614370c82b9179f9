"""Benchmarks of the kernels `ring_inertia` and `det_small`: the reference against LAPACK, and as in `sturm_kernels`.

An implementation other than the reference appears only where there is a device for it; none of them has been run yet.
"""

import functools
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from measure import Line, compare, timed
from sturm_kernels import BACKENDS

from hofstadter_kernels import det_small, ring_inertia
from hofstadter_kernels.det_small import arg_specs as matrices_specs
from hofstadter_kernels.ring_inertia import arg_specs as ring_specs


def ring_counts(quick: bool) -> Iterator[Line]:
    """Eigenvalues below energies, of disordered rings as long as magnetic cells of honeycomb and kagome."""
    platform = jax.default_backend()
    names = ["honeycomb, q = 97"] if quick else ["honeycomb, q = 97", "kagome, q = 97"]
    if platform != "cpu" and not quick:
        names.append("honeycomb, q = 997")
    for name in names:
        for dtype in _precisions():
            spec = ring_specs.ARG_SPECS[name]
            blocks, bonds, energies = ring_specs.draw(spec, dtype)
            size = f"{name}: {spec.matrices} rings of {spec.cells} × {spec.sites} sites × {spec.lanes} energies"
            arguments = tuple(jnp.asarray(x) for x in (blocks, bonds, energies))
            work = f"counts of block-cyclic matrices, {np.dtype(dtype).name}"
            # Dense, the rival of a thousand cells would take an hour.
            if spec.cells < 500:
                dense = _dense(blocks, bonds)
                rival = functools.partial(_search, dense, energies)
                name_of_rival = "numpy.linalg.eigvalsh + searchsorted"
                # 36 operations × site³ per cell and energy.
                flops = 36.0 * spec.sites**3 * spec.matrices * spec.cells * spec.lanes
                yield _line(work, size, ring_inertia, arguments, name_of_rival, rival, flops=flops)
            for backend in BACKENDS.get(platform, ()):
                yield _backend_line(work, size, ring_inertia, arguments, backend)


def small_determinants(quick: bool) -> Iterator[Line]:
    """Determinants of as many small matrices as a mesh has links."""
    names = ["links of four bands"] if quick else ["links of two bands", "links of four bands", "links of eight bands"]
    for name in names:
        for dtype in _precisions():
            spec = matrices_specs.ARG_SPECS[name]
            host = matrices_specs.draw(spec, dtype)
            arguments = (jnp.asarray(host),)
            work, size = f"determinants, {np.dtype(dtype).name}", f"{spec.matrices} × ({spec.rows} × {spec.rows})"
            rival = functools.partial(np.linalg.det, host)
            # Elimination needs 8/3 n³; an expansion by minors is more than that, and faster all the same.
            flops = 8 / 3 * spec.matrices * spec.rows**3
            numbers = spec.matrices * (spec.rows**2 + 1) * host.itemsize
            yield _line(work, size, det_small, arguments, "numpy.linalg.det", rival, flops=flops, traffic=numbers)
            for backend in BACKENDS.get(jax.default_backend(), ()):
                yield _backend_line(work, size, det_small, arguments, backend)


def _precisions() -> tuple[type, ...]:
    return (np.complex64,) if jax.default_backend() == "tpu" else (np.complex128, np.complex64)


def _dense(blocks: np.ndarray, bonds: np.ndarray) -> np.ndarray:
    matrices, cells, sites = blocks.shape[:3]
    whole = np.zeros((matrices, cells, sites, cells, sites), blocks.dtype)
    for cell in range(cells):
        whole[:, cell, :, cell] += blocks[:, cell]
        whole[:, cell, :, cell - 1] += bonds[:, cell]
        whole[:, cell - 1, :, cell] += bonds[:, cell].conj().swapaxes(-1, -2)
    return whole.reshape(matrices, cells * sites, cells * sites)


def _search(dense: np.ndarray, energies: np.ndarray) -> np.ndarray:
    levels = np.linalg.eigvalsh(dense)
    return np.stack([np.searchsorted(own, below) for own, below in zip(levels, energies, strict=True)])


def _line(
    work: str,
    size: str,
    kernel: Callable,
    arguments: tuple,
    rival: str,
    call: Callable,
    *,
    flops: float,
    traffic: float | None = None,
) -> Line:
    ours = jax.jit(lambda *x: kernel(*x, implementation="reference"))
    times, found, expected = compare(lambda: ours(*arguments), timed(call), seconds=3)
    error = _difference(found, expected)
    note = f"reference; on {jax.devices()[0].device_kind}; error: {_meaning(found)}"
    return Line(work, size, rival, **times, error=error, note=note, headline=False, flops=flops, traffic=traffic)


def _backend_line(work: str, size: str, kernel: Callable, arguments: tuple, backend: str) -> Line:
    ours = jax.jit(lambda *x: kernel(*x, implementation=backend))
    reference = jax.jit(lambda *x: kernel(*x, implementation="reference"))
    times, found, expected = compare(lambda: ours(*arguments), timed(lambda: reference(*arguments)), seconds=3)
    note = f"{backend}, experimental; on {jax.devices()[0].device_kind}; error: {_meaning(found)}"
    error = _difference(found, expected[0] if isinstance(expected, tuple) else expected)
    return Line(work, size, "the reference on the same device", **times, error=error, note=note, headline=False)


def _meaning(found) -> str:
    return (
        "miscounts, also of energies within rounding of a level" if isinstance(found, tuple) else "largest difference"
    )


def _difference(found, expected) -> float:
    if isinstance(found, tuple):
        return int(np.sum(np.asarray(found[0]) != np.asarray(expected)))
    return float(np.max(np.abs(np.asarray(found) - np.asarray(expected))))
