"""Processes of this machine, each on a GPU or a group of cores of its own; one that dies is replaced."""

import dataclasses
import itertools
import logging
import multiprocessing
import os
import pickle
import queue
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import threadpoolctl

from hofstadter.sweep.executors import TRIES, WorkerDied
from hofstadter.sweep.settings import call_with, read_settings

log = logging.getLogger(__name__)

# A process that is told to end and does not is killed.
SECONDS_TO_END = 5.0


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
    """Computes calls in processes of this machine; a call whose process dies is made again, at most `TRIES` times.

    Not a pool of the standard library: when a process is killed in the middle of sending a large result, such a pool
    waits for the rest forever, because it holds the other end of the pipe itself. Here only the process does.
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
                except _Died:
                    log.warning("A worker process died (try %d of %d).", number, TRIES)
            raise WorkerDied(
                f"The process that computed it died {TRIES} times: it was killed, or had too little memory."
            )
        finally:
            self._idle.put(worker)


class _Died(Exception):
    """The process ended before it answered."""


class _Worker:
    """One process and the pipe to it, started when they are needed and again after it died."""

    def __init__(self, place: Place):
        self.place = place
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._closed = False

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Have the process call a function; raises what it raises."""
        try:
            pipe = self._pipe or self._start()
            pipe.send((read_settings(), function, arguments))
            succeeded, value = pipe.recv()
        except (EOFError, ConnectionError):
            self._end()
            if self._closed:
                raise RuntimeError("The processes were ended.") from None
            raise _Died from None
        if not succeeded:
            raise value
        return value

    def close(self) -> None:
        """End the process, whatever it does."""
        self._closed = True
        self._end()

    def _start(self) -> Connection:
        if self._closed:
            raise EOFError
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, self.place), daemon=True)
        self._process.start()
        theirs.close()  # now its end is the end of the file here
        return self._pipe

    def _end(self) -> None:
        process, self._process, self._pipe = self._process, None, None
        if process is not None:
            process.terminate()
            process.join(SECONDS_TO_END)
            if process.exitcode is None:
                process.kill()
                process.join()


def serve(pipe: Connection, place: Place) -> None:
    """Be a worker process: answer calls until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _settle(place)
    while True:
        try:
            data = pipe.recv_bytes()
        except EOFError:
            return
        try:
            settings, function, arguments = pickle.loads(data)
            answer = True, call_with(settings, function, *arguments)
        except Exception as error:
            answer = False, error
        try:
            pipe.send(answer)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            pipe.send((False, RuntimeError(f"The result cannot be sent to another process: {error}")))


def _settle(place: Place) -> None:
    """Keep this process, just started, in its place; JAX has not looked for devices yet."""
    if place.gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = place.gpu
    if place.cores:
        os.sched_setaffinity(0, place.cores)
        threadpoolctl.threadpool_limits(len(place.cores))


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


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
