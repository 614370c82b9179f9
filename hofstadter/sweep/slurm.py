"""SLURM, through submitit: each call is a job, and computes many units."""

import contextlib
import logging
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hofstadter.sweep.executors import TRIES, WorkerDied, import_optional
from hofstadter.sweep.settings import call_with, read_settings

log = logging.getLogger(__name__)

WORKERS = 8
# A job waits in the queue for minutes, so it should compute for a quarter of an hour.
BATCH_SECONDS = 900.0
SECONDS_BETWEEN_LOOKS = 0.2


class SlurmExecutor:
    """Computes calls in jobs; a job that dies is submitted again, at most `TRIES` times in all."""

    local = False

    def __init__(
        self,
        workers: int | None = None,
        cluster: str | None = None,
        *,
        folder: Path | None = None,
        options: Mapping[str, Any] | None = None,
    ):
        """Prepare jobs.

        Args:
            workers: How many jobs wait or run at the same time; by default 8.
            cluster: "local" for processes of this machine in place of jobs; by default SLURM.
            folder: Where jobs keep their files, which all machines must see; by default a temporary folder here.
            options: What submitit's `update_parameters` takes, such as {"slurm_partition": "gpu"}.

        Raises:
            ValueError: If submitit is not installed, there is no SLURM here, or it does not know an option.
        """
        submitit = import_optional("submitit", "slurm")
        if cluster not in (None, "slurm", "local"):
            raise ValueError(f"The executor 'slurm' has the schedulers slurm and local, but not {cluster!r}.")
        if cluster != "local" and shutil.which("sbatch") is None:
            raise ValueError("There is no SLURM here (the command sbatch is missing). Use `--scheduler local` to test.")
        self._errors = submitit.core.utils
        self._folder = Path(folder or tempfile.mkdtemp(prefix="hofstadter-jobs-"))
        self._submitit = submitit.AutoExecutor(folder=self._folder / "%j", cluster=cluster or "slurm")
        try:
            self._submitit.update_parameters(**{"timeout_min": 120, **(options or {})})
        except (NameError, TypeError) as error:
            raise ValueError(f"submitit does not take these options: {error}") from None
        self.slots = workers or WORKERS
        self.batch_seconds = BATCH_SECONDS
        self._threads = ThreadPoolExecutor(self.slots, thread_name_prefix="job")
        self._jobs: set[Any] = set()
        self._closed = False

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Submit a job."""
        return self._threads.submit(self._call, function, *arguments)

    def close(self) -> None:
        """Cancel jobs that wait or run, and remove their files."""
        self._closed = True
        for job in list(self._jobs):
            with contextlib.suppress(Exception):  # it may have ended meanwhile
                job.cancel(check=False)
        self._threads.shutdown(wait=True, cancel_futures=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        message = ""
        for number in range(1, TRIES + 1):
            job = self._submitit.submit(call_with, read_settings(), function, *arguments)
            self._jobs.add(job)
            while not job.done() and not self._closed:
                time.sleep(SECONDS_BETWEEN_LOOKS)
            self._jobs.discard(job)
            if self._closed:
                raise RuntimeError("The jobs were cancelled.")
            try:
                return job.result()
            except self._errors.FailedJobError as error:  # the call itself raised an exception
                raise RuntimeError(_last_line_of_trace(str(error))) from None
            except self._errors.UncompletedJobError as error:
                message = str(error).strip().partition("\n")[0]
                log.warning("Job %s died (try %d of %d): %s", job.job_id, number, TRIES, message)
        raise WorkerDied(f"The job that computed it died {TRIES} times: {message}")


def _last_line_of_trace(message: str) -> str:
    """The line of submitit's message that names the exception; its trace stands between two rules."""
    parts = re.split(r"^-{10,}$", message, flags=re.MULTILINE)
    return (parts[1] if len(parts) > 2 else message).strip().rpartition("\n")[2]
