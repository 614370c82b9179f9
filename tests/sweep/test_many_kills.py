"""A sweep of 200 tasks is killed at random moments, again and again, and loses nothing that it had finished."""

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest

from hofstadter.io.store import DONE, open_store, open_units
from tests.sweep import preloaded
from tests.sweep.command import call, chunk_files, start

pytestmark = pytest.mark.slow

FLUXES = [f"{p}/{101}" for p in range(1, 51)]
STRENGTHS = {t2: f"{3 + 6 * t2:.6f}" for t2 in (0.0, 0.1, 0.2, 0.3)}  # what the toy writes to its log
TASKS = len(FLUXES) * len(STRENGTHS)
KILLS_OF_RUNS, FULL_DISKS, KILLS_OF_PARALLEL_RUNS, KILLS_OF_WORKERS = 12, 4, 3, 6


def write_file(folder: Path) -> Path:
    file = folder / "run.yaml"
    file.write_text(
        "model: {name: honeycomb, t: 1.0}\n"
        f"task: {{name: butterfly, fluxes: [{', '.join(FLUXES)}]}}\n"
        f"sweep: {{model.t2: {list(STRENGTHS)}}}\n"
        f"output: {{store: {folder / 'run.zarr'}}}\n"
    )
    return file


def finished(store: Path) -> set[str]:
    """The finished tasks of a store, as the toy's log names them; reads everything that is there."""
    if not store.exists():
        return set()
    dataset = open_store(store).load()
    points = set()
    codes = dataset["point_status"].values
    for row, strength in enumerate(STRENGTHS.values()):
        for p, q, code in zip(dataset["p"].values, dataset["q"].values, codes[row], strict=True):
            if code == DONE:
                points.add(f"{p}/{q} {strength}")
    return points


def logged(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def wait_for(condition, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    process = preloaded.start(["run", str(write_file(folder)), "-q"], TOY_UNIT=1)
    process.join(100)
    assert process.exitcode == 0
    assert len(finished(folder / "run.zarr")) == TASKS
    return chunk_files(folder / "run.zarr")


def test_runs_killed_and_full_disks_at_random_moments(tmp_path, undisturbed):
    file, store, chance = write_file(tmp_path), tmp_path / "run.zarr", random.Random(7)
    ends = ["kill"] * KILLS_OF_RUNS + ["full"] * FULL_DISKS
    chance.shuffle(ends)
    computed = 0
    for session, end in enumerate([*ends, "none"]):
        done, log = finished(store), tmp_path / f"log{session}"
        variables = {"TOY_LOG": log, "TOY_UNIT": 1, "TOY_SECONDS": 0.005}
        if end == "full":
            variables |= {"TOY_FILE_LIMIT": 10, "TOY_LIMIT_AFTER": chance.randrange(1, 8)}
        process = preloaded.start(["run", str(file), "-q"], **variables)
        if end == "kill":
            wait_for(lambda log=log, process=process: log.exists() or process.exitcode is not None)
            time.sleep(chance.uniform(0.0, 0.15))
            process.kill()
        process.join(60)
        assert process.exitcode == {"kill": -signal.SIGKILL, "full": 1, "none": 0}[end]
        assert not done & set(logged(log)), "a finished task was computed again"
        assert done <= finished(store)
        computed += len(logged(log))
    assert TASKS <= computed <= TASKS + len(ends)  # at most the task under way was lost each time
    assert len(finished(store)) == TASKS
    assert chunk_files(store) == undisturbed


def test_runs_on_processes_killed_with_their_workers(tmp_path, undisturbed):
    file, store, chance = write_file(tmp_path), tmp_path / "run.zarr", random.Random(8)
    options = ["run", str(file), "-q", "--executor", "processes", "--workers", "2"]
    for session in range(KILLS_OF_PARALLEL_RUNS):
        done, log = finished(store), tmp_path / f"log{session}"
        process = start(options, tmp_path, TOY_LOG=log, TOY_UNIT=1, TOY_SECONDS=0.02)
        wait_for(log.exists)
        time.sleep(chance.uniform(0.4, 1.4))
        process.kill()
        process.communicate()
        assert not done & set(logged(log)), "a finished task was computed again"
        assert done <= finished(store)
    before, log = finished(store), tmp_path / "log"
    assert 0 < len(before) < TASKS
    process = start([*options, "--log", str(tmp_path / "events")], tmp_path, TOY_LOG=log, TOY_UNIT=1, TOY_SECONDS=0.15)
    victims = 0
    while victims < KILLS_OF_WORKERS:
        count = len(logged(log))
        wait_for(lambda count=count: len(logged(log)) > count + 2)
        worker = chance.choice(computing_children(process.pid))
        time.sleep(chance.uniform(0.0, 0.3))
        os.kill(worker, signal.SIGKILL)
        victims += 1
    _, err = process.communicate(timeout=100)
    assert (process.returncode, err) == (0, "")
    assert not before & set(logged(log)), "a finished task was computed again"
    # What dies is computed again, and nothing else is.
    assert TASKS - len(before) <= len(logged(log)) <= TASKS - len(before) + victims
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    assert sum(event["event"].startswith("A worker process died") for event in events) == victims
    assert chunk_files(store) == undisturbed
    assert (open_units(store)["unit_status"] == DONE).all()


def test_ctrl_c_ends_the_workers_too(tmp_path):
    file, log = write_file(tmp_path), tmp_path / "log"
    options = ["run", str(file), "--executor", "processes", "--workers", "2"]
    process = start(options, tmp_path, TOY_LOG=log, TOY_UNIT=1, TOY_SECONDS=0.2)
    wait_for(lambda: len(logged(log)) > 4)
    workers = computing_children(process.pid)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, "Traceback" in out + err) == (130, False)
    assert f"Interrupted. To go on: hofstadter run {file}" in err
    assert f"{len(finished(tmp_path / 'run.zarr'))} of {TASKS} points are done" in out
    assert len(workers) == 2
    assert not any((Path("/proc") / str(worker)).exists() for worker in workers)


def computing_children(process: int) -> list[int]:
    """The worker processes of a process: its children that are not multiprocessing's own helpers."""
    children = [
        int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and parent_of(path) == process
    ]
    return [child for child in children if b"spawn_main" in (Path("/proc") / str(child) / "cmdline").read_bytes()]


def parent_of(path: Path) -> int:
    try:
        return int((path / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ProcessLookupError):
        return 0


def test_one_run_file_gives_the_same_on_every_executor(tmp_path):
    masses = [number / 100 for number in range(200)]
    stores = {}
    for name, options in {
        "serial": [],
        "processes": ["--workers", "2"],
        "dask": ["--workers", "2"],
        "slurm": ["--workers", "2", "--scheduler", "local"],
    }.items():
        file, stores[name] = tmp_path / f"{name}.yaml", tmp_path / f"{name}.zarr"
        file.write_text(
            "model: {name: honeycomb}\ntask: {name: bands, flux: 1/3, points: 12}\n"
            f"sweep: {{model.mass: {masses}}}\noutput: {{store: {stores[name]}}}\n"
        )
        code, out, err = call(["run", str(file), "--executor", name, *options], tmp_path, toy=False)
        assert (code, "200 of 200 points are done" in out) == (0, True), err
    expected = open_store(stores["serial"]).load()
    assert open_units(stores["serial"])["unit_status"].size == 200
    for name in ("processes", "dask", "slurm"):
        found = open_store(stores[name]).load()
        assert found.drop_attrs().identical(expected.drop_attrs())
        assert found.attrs["run_hash"] == expected.attrs["run_hash"]
        assert chunk_files(stores[name]) == chunk_files(stores["serial"])
