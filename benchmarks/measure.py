"""How the benchmarks take time: interleaved repetitions, the smallest counts, compilation listed apart."""

import dataclasses
import datetime
import importlib.metadata
import os
import platform
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from hofstadter.eigensolver._threads import single_threaded_blas

COMPILE_EVENT = "/jax/core/compile/backend_compile_duration"
PACKAGES = ("hofstadter", "jax", "jaxlib", "numpy", "scipy", "cupy")


@dataclasses.dataclass
class Line:
    """One line of the table. Times are in seconds.

    Attributes:
        work: What is computed.
        size: How much of it.
        rival: What it is compared to, or what stands in the place of a comparison.
        first: First call of ours in this process, compilation included.
        compile: XLA's compilation within `first`.
        ours: Warm, the smallest of the repetitions.
        theirs: The rival's smallest; None if there is only a time to report.
        error: Largest difference between the two results.
        target: Ratio to reach; None if none was set.
        note: What a reader of the number must know.
        headline: Whether it is in the README's table.
        flops: Floating-point operations that the work needs; None if that is no useful number.
        traffic: Bytes that it must at least read and write; None if memory is not what limits it.
    """

    work: str
    size: str
    rival: str
    ours: float
    first: float | None = None
    compile: float | None = None
    theirs: float | None = None
    error: float | None = None
    target: float | None = None
    note: str = ""
    headline: bool = True
    flops: float | None = None
    traffic: float | None = None

    @property
    def ratio(self) -> float | None:
        return None if self.theirs is None else self.theirs / self.ours


class Compilation:
    """Sums up what XLA says it spent on compiling."""

    def __init__(self):
        self.seconds = 0.0
        jax.monitoring.register_event_duration_secs_listener(self._add)

    def _add(self, event: str, seconds: float, **_: Any) -> None:
        if event == COMPILE_EVENT:
            self.seconds += seconds


COMPILATION = Compilation()


def clock(function: Callable[[], Any]) -> tuple[float, Any]:
    """Wall time of a call until its result is there, and the result."""
    start = time.perf_counter()
    result = jax.block_until_ready(function())
    return time.perf_counter() - start, result


def compare(
    ours: Callable[[], Any], theirs: Callable[[], tuple[float, Any]], *, seconds: float, most: int = 7
) -> tuple[dict[str, float], Any, Any]:
    """Run both in turn for about `seconds`, at least twice each after a first call.

    Args:
        ours: The call to time.
        theirs: Times itself, so that it can leave out the building of matrices: returns (time, result).
        seconds: How long to go on.
        most: Repetitions at most.

    Returns:
        The times as arguments of `Line`, and both results.
    """
    compiled = COMPILATION.seconds
    first, our_result = clock(ours)
    compiled = COMPILATION.seconds - compiled
    _, their_result = theirs()
    our_times, their_times = [], []
    end = time.perf_counter() + seconds
    while len(our_times) < 2 or (len(our_times) < most and time.perf_counter() < end):
        our_times.append(clock(ours)[0])
        their_times.append(theirs()[0])
    times = {"first": first, "compile": compiled, "ours": min(our_times), "theirs": min(their_times)}
    return times, our_result, their_result


def timed(function: Callable[[], Any]) -> Callable[[], tuple[float, Any]]:
    """A rival that is timed as a whole."""
    return lambda: clock(function)


def as_solve_calls(function: Callable[[Any], Any], argument: Any) -> Callable[[], Any]:
    """Call a compiled function as `hofstadter.solve` does: JAX's threads over the batch, one BLAS thread each."""

    def call():
        with single_threaded_blas():
            return jax.block_until_ready(function(argument))

    return call


def largest(difference: Any) -> float:
    return float(np.max(np.abs(np.asarray(difference))))


def peak_flops() -> float:
    """Floating-point operations per second of a product of complex matrices, the roof for dense algorithms here."""
    size = 1000
    rng = np.random.default_rng(0)
    host = rng.standard_normal((size, size)) + 1j * rng.standard_normal((size, size))
    if jax.default_backend() == "cpu":
        seconds = min(clock(lambda: host @ host)[0] for _ in range(5))
    else:
        device, product = jax.numpy.asarray(host), jax.jit(lambda x: x @ x)
        clock(lambda: product(device))
        seconds = min(clock(lambda: product(device))[0] for _ in range(5))
    return 8 * size**3 / seconds


def peak_bandwidth() -> float:
    """Bytes per second, read and written, of a copy of an array that no cache holds: the roof for simple work."""
    source = np.ones(2**25)
    if jax.default_backend() == "cpu":
        target = np.empty_like(source)
        seconds = min(clock(lambda: np.copyto(target, source))[0] for _ in range(5))
    else:
        device, copy = jax.numpy.asarray(source), jax.jit(lambda x: x + 1)
        clock(lambda: copy(device))
        seconds = min(clock(lambda: copy(device))[0] for _ in range(5))
    return 2 * source.nbytes / seconds


def surroundings(blas_threads: str, quick: bool) -> dict[str, Any]:
    """Device, versions, threads and date: what one must know to read a stored table."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "date": datetime.date.today().isoformat(),
        "device": f"{cores}-core {platform.machine()} CPU"
        if jax.default_backend() == "cpu"
        else f"{jax.devices()[0].device_kind} beside a {cores}-core {platform.machine()} CPU",
        "backend": jax.default_backend(),
        "blas_threads_of_the_rival": blas_threads,
        "load_average_at_start": [round(x, 2) for x in os.getloadavg()],
        "python": platform.python_version(),
        "versions": versions,
        "quick": quick,
    }
