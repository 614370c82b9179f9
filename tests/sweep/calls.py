"""Functions that tests send to other processes."""

import os
import signal
import time
from pathlib import Path

import jax
import jax.numpy as jnp


def where() -> tuple[int, set[int], str]:
    """The process, its cores, and the GPUs it sees."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    return os.getpid(), set(cores), os.environ.get("CUDA_VISIBLE_DEVICES", "")


def is_double() -> bool:
    return jnp.zeros(()).dtype == jnp.float64 and bool(jax.config.values["jax_enable_x64"])


def die(marks: str, times: int) -> int:
    """Die so many times, then return how often it was called; each call leaves a file in `marks`."""
    calls = len(list(Path(marks).iterdir())) + 1
    (Path(marks) / str(calls)).touch()
    if calls <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return calls


def large() -> bytes:
    """More than a pipe holds."""
    return bytes(10_000_000)


def nothing_to_send():
    """A result that cannot be pickled."""
    return lambda: None


def wait(seconds: float) -> None:
    time.sleep(seconds)


def parabola(a: float, b: float) -> dict:
    """For sweeps: takes some time, and says in a file that it was called."""
    if "CALLS_LOG" in os.environ:
        with open(os.environ["CALLS_LOG"], "a") as log:
            log.write(f"{a} {b}\n")
    time.sleep(float(os.environ.get("CALLS_SECONDS", "0")))
    return {"parabola": float(a) ** 2 + float(b)}


def fatal(x: float) -> float:
    """Kills its process at 3."""
    if x == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * float(x)
