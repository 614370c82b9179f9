"""Runs that end before their time lose nothing that was finished, and nothing is computed twice."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hofstadter.io.store import DONE, open_store
from tests.sweep import preloaded
from tests.sweep.command import ROOT, call, chunk_files, environment, start, write_run_file

POINTS = 2 * 47  # two sweep points, reduced fractions p/q in [0, 1] with q ≤ 12


def finished_points(store: Path) -> set[str]:
    """The finished points of a store, as the toy's log names them."""
    if not store.exists():
        return set()
    status = open_store(store)["point_status"]
    points = set()
    for row, strength in enumerate((3.0, 3.6)):  # Σ|amplitude| = 3 t + 6 t2, which the toy writes to its log
        for p, q, code in zip(status["p"].values, status["q"].values, status.values[row], strict=True):
            if code == DONE:
                points.add(f"{p}/{q} {strength:.6f}")
    return points


def logged(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> dict[str, bytes]:
    """The data files of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    file = write_run_file(folder, max_denominator=12)
    code, out, err = call(["run", str(file)], folder)
    assert (code, err.count("Failed")) == (0, 0)
    assert f"{POINTS} of {POINTS} points are done" in out
    return chunk_files(folder / "run.zarr")


def wait_for(condition, process, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.slow
def test_kill_9_at_random_moments(tmp_path, uninterrupted):
    file, store = write_run_file(tmp_path, max_denominator=12), tmp_path / "run.zarr"
    random_delay = random.Random(1)
    kills = 0
    for session in range(6):
        done = finished_points(store)
        log = tmp_path / f"log{session}"
        process = preloaded.start(["run", str(file), "--quiet"], TOY_LOG=log, TOY_SECONDS=0.01)
        if kills < 5:
            # From the first computed flux on, so that the kill hits computing and saving, not Python's start.
            while not log.exists() and process.exitcode is None:
                time.sleep(0.002)
            time.sleep(random_delay.uniform(0.0, 0.2))
            process.kill()
            kills += 1
        process.join(60)
        assert not done & set(logged(log)), "a finished point was computed again"
        assert done <= finished_points(store)
        assert process.exitcode == (0 if session == 5 else -signal.SIGKILL)
    assert kills == 5
    assert len(finished_points(store)) == POINTS
    assert chunk_files(store) == uninterrupted


def test_ctrl_c_says_how_to_go_on(tmp_path, uninterrupted):
    file, store, log = write_run_file(tmp_path, max_denominator=12), tmp_path / "run.zarr", tmp_path / "log"
    process = start(["run", str(file)], tmp_path, TOY_LOG=log, TOY_SECONDS=0.1)
    wait_for(lambda: len(logged(log)) > 10, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in out + err
    assert f"Interrupted. To go on: hofstadter run {file}" in err
    done = finished_points(store)
    assert done
    assert f"{len(done)} of {POINTS} points are done" in out
    code, out, _ = call(["run", str(file)], tmp_path)
    assert code == 0
    assert f"({POINTS - len(done)} computed now)" in out
    assert chunk_files(store) == uninterrupted


def test_file_size_limit_stops_the_run_and_keeps_what_was_saved(tmp_path, uninterrupted):
    """A write that the system refuses (the error EFBIG) looks to a program like a full disk."""
    file, store = write_run_file(tmp_path, max_denominator=12), tmp_path / "run.zarr"
    code, _, err = call(["run", str(file)], tmp_path, TOY_FILE_LIMIT=10)
    assert code == 1
    assert "The disk is full, so the run stopped" in err
    assert f"To go on: hofstadter run {file}" in err
    done = finished_points(store)
    assert len(done) == 3  # the first unit, before the limit
    assert call(["run", str(file)], tmp_path)[0] == 0
    assert chunk_files(store) == uninterrupted


@pytest.mark.slow
def test_full_disk(tmp_path, uninterrupted):
    """A real full disk: a small one in memory, mounted where only the test's own processes see it."""
    run = f"{sys.executable} -m tests.sweep.toy_task run {tmp_path}/run.yaml"
    inside = f"""
        mount -t tmpfs -o size=300k tmpfs {tmp_path}/disk || exit 77
        {run} 2> {tmp_path}/err1; echo $? > {tmp_path}/code1
        mount -o remount,size=20m {tmp_path}/disk
        {run} 2> {tmp_path}/err2; echo $? > {tmp_path}/code2
        cp -r {tmp_path}/disk/run.zarr {tmp_path}/copy.zarr
    """
    if shutil.which("unshare") is None:
        pytest.skip("the command unshare is missing")
    write_run_file(tmp_path, max_denominator=12, store=str(tmp_path / "disk" / "run.zarr"))
    (tmp_path / "disk").mkdir()
    subprocess.run(["unshare", "-rm", "sh", "-c", inside], cwd=ROOT, env=environment(tmp_path), check=False)
    if not (tmp_path / "code1").exists():
        pytest.skip("this system lets the test mount no disk of its own")
    first = (tmp_path / "err1").read_text()
    assert (tmp_path / "code1").read_text().strip() == "1", first
    assert "The disk is full, so the run stopped" in first
    assert "Traceback" not in first
    assert (tmp_path / "code2").read_text().strip() == "0"
    assert chunk_files(tmp_path / "copy.zarr") == uninterrupted


def test_two_runs_at_once(tmp_path):
    file, log = write_run_file(tmp_path), tmp_path / "log"
    first = start(["run", str(file)], tmp_path, TOY_LOG=log, TOY_SECONDS=1.0)
    try:
        wait_for(log.exists, first)
        code, _, err = call(["run", str(file)], tmp_path)
        assert code == 2
        assert f"Another run (process {first.pid} on {os.uname().nodename}) is writing to" in err
    finally:
        first.kill()
        first.communicate()
    assert call(["run", str(file)], tmp_path)[0] == 0  # the lock of a dead process does not count
    assert not list(tmp_path.glob(".*.lock"))


@pytest.mark.slow
def test_the_real_butterfly_resumes_to_the_same_bits(tmp_path):
    (tmp_path / "whole").mkdir()
    options = {"TOY_OFF": 1, "TOY_UNIT": 2, "XDG_CACHE_HOME": tmp_path / "cache"}
    whole = write_run_file(tmp_path / "whole", max_denominator=4)
    assert call(["run", str(whole)], tmp_path, **options)[0] == 0
    file, marks = write_run_file(tmp_path, max_denominator=4), tmp_path / "run.zarr" / "unit_status" / "c"
    for killed_after in (1, 3, 6):
        process = start(["run", str(file), "-q"], tmp_path, **options)
        wait_for(lambda count=killed_after: len(list(marks.glob("*/*"))) >= count, process)
        process.kill()
        process.communicate()
    done = len(finished_points(tmp_path / "run.zarr"))
    code, out, _ = call(["run", str(file)], tmp_path, **options)
    assert code == 0
    assert f"({14 - done} computed now, with" in out
    assert 0 < done < 14
    assert chunk_files(tmp_path / "run.zarr") == chunk_files(tmp_path / "whole" / "run.zarr")
