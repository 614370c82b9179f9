import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hofstadter.eigensolver import pieces
from hofstadter.eigensolver.pieces import in_pieces, local_devices, out_of_memory, padded, within_memory

ROOT = Path(__file__).parents[2]
FULL = "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 42 bytes."


@pytest.mark.parametrize("size", [1, 3, 4, 7, 20])
def test_work_in_pieces_is_the_same_work(size):
    values = jnp.arange(14.0).reshape(7, 2)
    np.testing.assert_array_equal(in_pieces(lambda x: x[0] * x[1], values, size), values[:, 0] * values[:, 1])


def test_several_arrays_at_once():
    values = {"a": jnp.arange(5.0), "b": jnp.arange(10.0).reshape(5, 2)}
    found = in_pieces(lambda x: {"sum": x["a"] + x["b"]}, values, 2)
    np.testing.assert_array_equal(found["sum"], values["a"][:, None] + values["b"])


def test_padding_repeats_entries():
    assert padded(np.arange(5), 4).tolist() == [0, 1, 2, 3, 4, 0, 1, 2]
    assert padded(np.arange(4), 4).tolist() == [0, 1, 2, 3]


def test_too_little_memory_halves_the_size():
    sizes = []

    def call(size):
        sizes.append(size)
        if size > 3:
            raise jax.errors.JaxRuntimeError(FULL)
        return jnp.ones(size)

    found, size = within_memory(call, 26)
    assert (sizes, size, found.shape) == ([26, 13, 6, 3], 3, (3,))


@pytest.mark.parametrize("error", [jax.errors.JaxRuntimeError("INTERNAL: broken"), MemoryError(FULL)])
def test_other_errors_are_not_about_memory(error):
    def call(size):
        raise error

    assert not out_of_memory(error)
    with pytest.raises(type(error)):
        within_memory(call, 8)


def test_a_single_entry_that_does_not_fit():
    def call(size):
        raise jax.errors.JaxRuntimeError(FULL)

    with pytest.raises(jax.errors.JaxRuntimeError, match="RESOURCE_EXHAUSTED"):
        within_memory(call, 8)


@pytest.mark.parametrize(("threads", "count"), [("16", 8), ("15", 1), ("", 1)])
def test_devices_made_of_one_cpu_need_threads(monkeypatch, threads, count):
    cpu = jax.devices("cpu")[0]
    monkeypatch.setattr(jax, "local_devices", lambda: [cpu] * 8)
    monkeypatch.setenv("NPROC", threads)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    assert len(local_devices()) == count
    with jax.default_device(cpu):
        assert local_devices() == [cpu]
    assert pieces.THREADS_PER_DEVICE == 2


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.eigensolver.devices", *map(str, arguments)]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.slow
def test_eight_devices_give_what_one_gives_without_communication():
    process = start(8)
    out, _ = process.communicate(timeout=150)
    assert (process.returncode, "the same everywhere" in out) == (0, True), out


@pytest.mark.slow
def test_two_processes_give_what_one_gives_without_communication():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    both = [start(2, number, 2, address) for number in range(2)]
    for process in both:
        out, _ = process.communicate(timeout=100)
        assert (process.returncode, "the same everywhere" in out) == (0, True), out
