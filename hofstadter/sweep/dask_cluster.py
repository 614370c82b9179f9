"""Dask: a cluster of this machine's own, or one that somebody started and that has an address."""

import importlib.util
import os
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from hofstadter.sweep.executors import import_optional
from hofstadter.sweep.interrupt import children_ignore_interrupts
from hofstadter.sweep.processes import list_gpus
from hofstadter.sweep.settings import call_with, read_settings

SECONDS_TO_CONNECT = 20


class DaskExecutor:
    """Computes calls on the workers of a Dask cluster; Dask makes a call again elsewhere when its worker dies."""

    local = False
    batch_seconds = 0.0

    def __init__(self, workers: int | None = None, scheduler: str | None = None, *, device: str = "auto"):
        """Connect to a cluster.

        Args:
            workers: How many workers to start; by default one per GPU (with dask-cuda), or one per core.
            scheduler: Address of a scheduler, whose workers are used instead.
            device: "cpu", "gpu" or "auto": what workers of this machine compute on.

        Raises:
            ValueError: If Dask is not installed or the scheduler does not answer.
        """
        distributed = import_optional("distributed", "dask")
        if scheduler is not None and workers is not None:
            raise ValueError("Argument `workers` must be left out with a scheduler, which has its own workers.")
        with children_ignore_interrupts():
            self._cluster = None if scheduler is not None else _local_cluster(distributed, workers, device)
        try:
            self._client = distributed.Client(self._cluster or scheduler, timeout=SECONDS_TO_CONNECT)
        except (OSError, ValueError) as error:
            raise ValueError(f"No Dask scheduler answers at {scheduler}: {error}") from None
        self._pool = self._client.get_executor(pure=False)

    @property
    def slots(self) -> int:
        """Twice as many calls as there are workers now, so that none waits while a result is saved."""
        return 2 * max(1, sum(self._client.nthreads().values()))

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Start a call on some worker."""
        return self._pool.submit(call_with, read_settings(), function, *arguments)

    def close(self) -> None:
        """Cancel what is under way; end a cluster of our own."""
        self._pool.shutdown(wait=False)
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()


def _local_cluster(distributed: Any, workers: int | None, device: str) -> Any:
    gpus = [] if device == "cpu" else list_gpus(os.environ)
    if gpus and importlib.util.find_spec("dask_cuda") is not None:
        chosen = gpus[: workers or len(gpus)]
        return import_optional("dask_cuda", "dask").LocalCUDACluster(
            CUDA_VISIBLE_DEVICES=chosen, threads_per_worker=1, dashboard_address=None
        )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return distributed.LocalCluster(
        n_workers=workers or cores, threads_per_worker=1, processes=True, dashboard_address=None
    )
