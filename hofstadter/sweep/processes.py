"""Processes of this machine, each on a GPU or a group of cores of its own; one that dies is replaced."""

import contextlib
import dataclasses
import itertools
import logging
import multiprocessing
import os
import queue
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import threadpoolctl

from hofstadter.sweep.executors import TRIES, WorkerDied
from hofstadter.sweep.settings import call_with, read_settings

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Place:
    """What one process computes on.

    Attributes:
        cores: The CPU cores that it may use; empty for all.
        gpu: The value of CUDA_VISIBLE_DEVICES, or empty.
    """

    cores: tuple[int, ...]
    gpu: str = ""


class ProcessExecutor:
    """Computes calls in processes of this machine.

    Each process is a pool of one from the standard library: when it dies, this one call is lost and no other. The call
    is made again in a new process, at most `TRIES` times in all.
    """

    local = False
    batch_seconds = 0.0

    def __init__(self, workers: int | None = None, *, device: str = "auto"):
        """Prepare processes; each starts with its first call.

        Args:
            workers: How many; by default one per GPU, or one per core.
            device: "cpu", "gpu" or "auto", which takes GPUs if there are any.
        """
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._workers = [_Worker(place) for place in find_places(workers, device)]
        for worker in self._workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(len(self._workers), thread_name_prefix="worker")
        # As many calls again wait, so that no process does while a result is saved.
        self.slots = 2 * len(self._workers)

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Start a call in the next process that is free."""
        return self._threads.submit(self._call, function, *arguments)

    def close(self) -> None:
        """End all processes, also in the middle of a call."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self._workers:
            worker.close()

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        worker = self._idle.get()
        try:
            for number in range(1, TRIES + 1):
                try:
                    return worker.call(function, *arguments)
                except BrokenProcessPool:
                    log.warning("A worker process died (try %d of %d).", number, TRIES)
            raise WorkerDied(
                f"The process that computed it died {TRIES} times: it was killed, or had too little memory."
            )
        finally:
            self._idle.put(worker)


class _Worker:
    """One process, started when it is needed and again when it died."""

    def __init__(self, place: Place):
        self.place = place
        self._pool: ProcessPoolExecutor | None = None
        self._process = 0
        self._closed = False

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
                self._process = self._pool.submit(prepare, self.place).result()
            return self._pool.submit(call_with, read_settings(), function, *arguments).result()
        except BrokenProcessPool:
            self._pool = None
            if self._closed:
                raise RuntimeError("The processes were ended.") from None
            raise

    def close(self) -> None:
        self._closed = True
        pool = self._pool
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)
            if self._process:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._process, signal.SIGTERM)


def prepare(place: Place) -> int:
    """Settle this process, just started, in its place; returns its number."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ |= _environment(place)
    if place.cores:
        os.sched_setaffinity(0, place.cores)
        threadpoolctl.threadpool_limits(len(place.cores))
    return os.getpid()


def find_places(workers: int | None, device: str) -> list[Place]:
    """Divide this machine's GPUs, if there are any and `device` allows, or else its cores."""
    gpus = [] if device == "cpu" else list_gpus(os.environ)
    if gpus:
        return [Place((), gpus[number % len(gpus)]) for number in range(workers or len(gpus))]
    if not hasattr(os, "sched_setaffinity"):
        return [Place(())] * (workers or os.cpu_count() or 1)
    cores = sorted(os.sched_getaffinity(0))
    count = workers or len(cores)
    if count > len(cores):
        return [Place((cores[number % len(cores)],)) for number in range(count)]
    bounds = [number * len(cores) // count for number in range(count + 1)]
    return [Place(tuple(cores[start:stop])) for start, stop in itertools.pairwise(bounds)]


def list_gpus(environment: Mapping[str, str]) -> list[str]:
    """The NVIDIA GPUs that this process may use, without touching them."""
    if environment.get("JAX_PLATFORMS", "").split(",")[0] == "cpu":
        return []
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1")]
    command = shutil.which("nvidia-smi")
    if command is None:
        return []
    done = subprocess.run([command, "-L"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return [str(number) for number, line in enumerate(done.stdout.splitlines()) if line.startswith("GPU")]


def _environment(place: Place) -> dict[str, str]:
    return {"CUDA_VISIBLE_DEVICES": place.gpu} if place.gpu else {}


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
