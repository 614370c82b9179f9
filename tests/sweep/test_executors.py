import os
import re
import signal
import subprocess
import sys
import time

import pytest

from hofstadter.sweep import executors, processes
from hofstadter.sweep.executors import SerialExecutor, WorkerDied, make_executor
from hofstadter.sweep.processes import Place, ProcessExecutor, find_places, list_gpus
from hofstadter.sweep.settings import read_settings
from hofstadter.sweep.slurm import SlurmExecutor
from tests.sweep import calls
from tests.sweep.command import ROOT


def test_the_serial_executor_computes_at_once():
    executor = make_executor("serial")
    assert isinstance(executor, SerialExecutor)
    assert executor.submit(divmod, 7, 2).result() == (3, 1)
    assert isinstance(executor.submit(divmod, 7, 0).exception(), ZeroDivisionError)
    executor.close()


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("fast", {}, "The executor 'fast' does not exist. Possible: serial, processes, dask, slurm."),
        ("serial", {"workers": 2}, "The executor 'serial' has no workers; processes and dask and slurm have."),
        ("processes", {"workers": 0}, "Argument `workers` must be at least 1, but is 0."),
        ("processes", {"scheduler": "tcp://a"}, "The executor 'processes' has no scheduler; dask and slurm have."),
        ("dask", {"options": {"a": 1}}, "The executor 'dask' has no options; slurm have."),
        ("dask", {"scheduler": "tcp://a", "workers": 2}, "Argument `workers` must be left out with a scheduler"),
        ("slurm", {"scheduler": "pbs"}, "has the schedulers slurm and local, but not 'pbs'"),
        ("slurm", {"scheduler": "local", "options": {"fast": 1}}, "submitit does not take these options"),
    ],
)
def test_what_cannot_be_made(name, options, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        make_executor(name, **options)


@pytest.mark.parametrize(("name", "module"), [("dask", "distributed"), ("slurm", "submitit")])
def test_what_is_not_installed(monkeypatch, name, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ValueError, match=rf"The package {module} is not installed: pip install 'hofstadter\[{name}\]'"):
        make_executor(name)


def test_slurm_needs_slurm(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="There is no SLURM here"):
        SlurmExecutor()


def test_a_scheduler_that_does_not_answer(monkeypatch):
    from hofstadter.sweep import dask_cluster

    monkeypatch.setattr(dask_cluster, "SECONDS_TO_CONNECT", 0.1)
    with pytest.raises(ValueError, match="No Dask scheduler answers at"):
        dask_cluster.DaskExecutor(scheduler="tcp://127.0.0.1:1")


@pytest.mark.parametrize(
    ("workers", "cores"),
    [
        (None, [(0,), (2,), (3,), (7,)]),
        (2, [(0, 2), (3, 7)]),
        (3, [(0,), (2,), (3, 7)]),
        (5, [(0,), (2,), (3,), (7,), (0,)]),
    ],
)
def test_cores_are_divided(monkeypatch, workers, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {7, 0, 2, 3}, raising=False)
    monkeypatch.setattr(os, "sched_setaffinity", lambda *_: None, raising=False)
    assert find_places(workers, "cpu") == [Place(own) for own in cores]


def test_one_process_per_gpu(monkeypatch):
    monkeypatch.setattr(processes, "list_gpus", lambda _: ["0", "5"])
    assert find_places(None, "auto") == [Place((), "0"), Place((), "5")]
    assert find_places(3, "gpu") == [Place((), "0"), Place((), "5"), Place((), "0")]
    assert all(not place.gpu for place in find_places(None, "cpu"))


@pytest.mark.parametrize(
    ("environment", "gpus"),
    [
        ({"CUDA_VISIBLE_DEVICES": "1,GPU-a"}, ["1", "GPU-a"]),
        ({"CUDA_VISIBLE_DEVICES": ""}, []),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, []),
        ({"CUDA_VISIBLE_DEVICES": "0", "JAX_PLATFORMS": "cpu"}, []),
    ],
)
def test_gpus_that_a_process_may_use(environment, gpus):
    assert list_gpus(environment) == gpus


def test_gpus_are_counted_without_touching_them(monkeypatch, tmp_path):
    command = tmp_path / "nvidia-smi"
    command.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA H100 (UUID: a)'\necho 'GPU 1: NVIDIA H100 (UUID: b)'\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert list_gpus({}) == ["0", "1"]


@pytest.fixture
def two_processes():
    executor = ProcessExecutor(2)
    yield executor
    executor.close()


def test_processes_are_pinned_and_replaced_when_they_die(two_processes, tmp_path):
    first = two_processes.submit(calls.where)
    assert two_processes.submit(calls.is_double).result(60)  # JAX's settings come along
    process, cores, _ = first.result(60)
    assert process != os.getpid()
    assert 1 <= len(cores) <= max(1, len(os.sched_getaffinity(0)) // 2)
    assert two_processes.submit(calls.die, str(tmp_path), 1).result(60) == 2
    assert isinstance(two_processes.submit(divmod, 7, 0).exception(60), ZeroDivisionError)
    assert "cannot be sent to another process" in str(two_processes.submit(calls.nothing_to_send).exception(60))
    assert len(two_processes.submit(calls.large).result(60)) == 10_000_000


@pytest.mark.slow
def test_a_process_killed_in_the_middle_of_sending_is_noticed():
    worker = processes._Worker(Place(()))
    pipe = worker._start()
    pipe.send((read_settings(), calls.large, ()))
    assert pipe.poll(60)  # it sends, and waits until somebody reads
    assert worker._process is not None
    assert worker._process.pid is not None
    os.kill(worker._process.pid, signal.SIGKILL)
    with pytest.raises(EOFError):
        pipe.recv()
    worker._end()
    assert worker.call(divmod, 7, 2) == (3, 1)
    worker.close()
    with pytest.raises(RuntimeError, match="were ended"):
        worker.call(divmod, 7, 2)


@pytest.mark.slow
def test_a_call_that_kills_its_process_is_given_up(two_processes, tmp_path):
    error = two_processes.submit(calls.die, str(tmp_path), 100).exception(120)
    assert isinstance(error, WorkerDied)
    assert f"died {executors.TRIES} times" in str(error)
    assert len(list(tmp_path.iterdir())) == executors.TRIES
    assert two_processes.submit(divmod, 7, 2).result(60) == (3, 1)


@pytest.mark.slow
def test_closing_ends_processes_in_the_middle_of_a_call(two_processes):
    process, _, _ = two_processes.submit(calls.where).result(60)
    futures = [two_processes.submit(calls.wait, 100.0) for _ in range(2)]
    time.sleep(0.5)
    start = time.monotonic()
    two_processes.close()
    assert all(future.exception(30) for future in futures)
    assert time.monotonic() - start < 20
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


@pytest.mark.slow
def test_processes_end_with_a_parent_that_is_killed(tmp_path):
    program = (
        "import time; from hofstadter.sweep.processes import ProcessExecutor; from tests.sweep import calls\n"
        "if __name__ == '__main__':\n"
        "    executor = ProcessExecutor(1); print(executor.submit(calls.where).result()[0], flush=True)\n"
        "    executor.submit(calls.wait, 100.0); time.sleep(100)\n"
    )
    file = tmp_path / "parent.py"
    file.write_text(program)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, str(file)], stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        process = int(parent.stdout.readline())
        os.kill(process, 0)  # it lives
        parent.send_signal(signal.SIGKILL)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("the process outlived its parent")


@pytest.mark.slow
def test_jobs_that_die_are_submitted_again(tmp_path):
    executor = SlurmExecutor(1, "local", folder=tmp_path / "jobs")
    (tmp_path / "marks").mkdir()
    try:
        assert executor.submit(calls.die, str(tmp_path / "marks"), 1).result(100) == 2
        error = executor.submit(divmod, 7, 0).exception(60)
        assert isinstance(error, RuntimeError)
        assert "division" in str(error)
    finally:
        executor.close()
    assert not (tmp_path / "jobs").exists()
