"""What a sweep notes about its units, tells in its log, and does when memory is short."""

import json
import logging
import time

import jax
import numpy as np
import pytest

from hofstadter.errors import RunFileError
from hofstadter.io.store import ABSENT, DONE, open_store, open_units
from hofstadter.io.writer import ChunkWriter
from hofstadter.sweep import work
from hofstadter.sweep.json_lines import logged_to
from hofstadter.sweep.plan import make_plan
from hofstadter.sweep.run import run
from hofstadter.tasks.registry import TASKS
from tests.sweep import toy_task
from tests.sweep.command import chunk_files


def test_every_unit_has_a_record(run_file, monkeypatch):
    monkeypatch.setenv("TOY_SECONDS", "0.01")
    asked = run_file()
    run(asked)
    units = open_units(asked.output.store)
    assert units.sizes == {"t2": 2, "unit": 3}
    assert (units["unit_status"] == DONE).all()
    assert (units["unit_seconds"] > 0.02).all()  # at least three points
    assert (units["unit_session"] == 0).all()
    assert np.unique(units["unit_inputs"]).size == 6
    (session,) = json.loads(open_store(asked.output.store).attrs["provenance"])
    assert set(session) == {"hofstadter", "jax", "jaxlib", "numpy", "python", "system", "host", "device", "date"}


def test_the_same_inputs_have_the_same_hash(run_file):
    one, other = (run(run_file(store=name)).path for name in ("one.zarr", "other.zarr"))
    np.testing.assert_array_equal(open_units(one)["unit_inputs"], open_units(other)["unit_inputs"])
    different = run(run_file(model="{name: honeycomb, t: 2.0}", store="different.zarr")).path
    assert not np.isin(open_units(different)["unit_inputs"], open_units(one)["unit_inputs"]).any()


def test_a_unit_of_other_inputs_is_computed_again(run_file):
    path = run(run_file()).path
    before = chunk_files(path)
    (path / "unit_inputs" / "c" / "1" / "2").write_bytes((path / "unit_inputs" / "c" / "0" / "0").read_bytes())
    assert run(run_file()).computed == 3  # the last unit has three points
    assert chunk_files(path) == before


def test_a_part_of_a_run(run_file):
    asked = run_file()
    summary = run(asked, part=(2, 4))
    assert summary.computed == summary.done == 4 + 3  # the second unit and the sixth
    assert (open_units(asked.output.store)["unit_status"] == DONE).sum() == 2
    assert run(asked).computed == 22 - 7


def test_the_largest_come_first(run_file, monkeypatch, tmp_path):
    monkeypatch.setenv("TOY_LOG", str(tmp_path / "log"))
    run(run_file())
    denominators = [int(line.split()[0].partition("/")[2] or 1) for line in (tmp_path / "log").read_text().splitlines()]
    units = [max(denominators[start : start + 3]) for start in (0, 3)] + [
        max(denominators[6:14]),
        max(denominators[14:]),
    ]
    assert units == sorted(units, reverse=True)


def test_the_log_is_json_lines(run_file, monkeypatch, tmp_path):
    monkeypatch.setenv("TOY_FAIL", "4")
    file = tmp_path / "log.jsonl"
    with logged_to(file):
        run(run_file())
    events = [json.loads(line) for line in file.read_text().splitlines()]
    names = [event["event"] for event in events]
    assert (names[0], names[-1]) == ("run started", "run ended")
    assert (names.count("unit saved"), names.count("unit failed")) == (4, 2)
    assert all({"time", "level", "event"} <= set(event) for event in events)
    failed = next(event for event in events if event["event"] == "unit failed")
    assert failed["message"].endswith("ArithmeticError: no solution at flux 1/4")
    assert events[-1]["points"] == events[-1]["of_points"] == 22
    assert events[-1]["failed_units"] == 2
    count = len(events)
    logging.getLogger("hofstadter").info("not in the file")
    assert len(file.read_text().splitlines()) == count


def test_a_log_that_cannot_be_written(tmp_path):
    with pytest.raises(RunFileError, match="cannot be written: No such file"), logged_to(tmp_path / "no" / "log"):
        pass


@pytest.mark.slow
def test_a_task_costs_less_than_ten_milliseconds_besides_its_computation(run_file, monkeypatch):
    """Processor time, which other programs on the machine do not add to."""
    masses = [number / 1000 for number in range(1000)]
    asked = run_file(task="{name: butterfly, fluxes: [1/3]}", sweep=f"{{model.mass: {masses}}}")
    layout = make_plan(asked).layout
    tasks = [(unit, layout.points_of(unit)) for unit in layout.units]
    start = time.process_time()
    for unit, points in tasks:
        work.RunFileWork(asked).compute(unit, points, None)
    bare = time.process_time() - start
    start = time.process_time()
    assert run(asked).computed == 1000
    assert (time.process_time() - start - bare) / 1000 < 0.01


@pytest.fixture
def small_device(monkeypatch):
    """A device where the toy fits into 0.3 GB only; the memory that it was given each time."""
    asked, task = [], TASKS["butterfly"]

    def compute(*args, memory_gb, **kwargs):
        asked.append(memory_gb)
        if memory_gb > 0.3:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 42 bytes.")
        return toy_task.compute(*args, memory_gb=memory_gb, **kwargs)

    monkeypatch.setitem(TASKS, "butterfly", type(task)(**{**task.__dict__, "compute": compute}))
    monkeypatch.setattr(work, "_share", work._Share())
    return asked


def test_a_device_with_less_memory_than_allowed(run_file, small_device):
    assert run(run_file(numerics="{memory_gb: 1}")).failures == ()
    assert small_device == [1, 0.5, 0.25] + [0.25] * 5  # found once, kept for the other units


def test_a_task_that_fits_into_no_memory(run_file, monkeypatch, small_device):
    monkeypatch.setattr(work, "LEAST_MEMORY", 0.5)
    summary = run(run_file(numerics="{memory_gb: 1}"))
    assert len(summary.failures) == 6
    assert "RESOURCE_EXHAUSTED" in summary.failures[0]
    assert (open_units(summary.path)["unit_status"] != ABSENT).all()


def test_the_number_of_programs_does_not_grow_with_the_number_of_tasks(tmp_path):
    """Two sizes of matrices: as many programs for two fluxes each as for six each."""
    from hofstadter.io.config import parse_run_file

    counts = []
    for name, fluxes in (("few", "1/3, 1/11"), ("many", "1/3, 2/3, 1/4, 3/4, 1/11, 2/11, 3/11, 4/11, 5/11, 1/12")):
        text = f"model: {{name: haldane}}\ntask: {{name: butterfly, fluxes: [{fluxes}], labels: false}}\n"
        text += f"sweep: {{model.mass: [0.0, 0.1, 0.2]}}\noutput: {{store: {tmp_path / name}}}\n"
        jax.clear_caches()
        counts.append(run(parse_run_file(text)).programs)
    assert 0 < counts[1] <= counts[0] + 4


def test_the_writer_of_chunks_is_the_stores_own(run_file):
    """Every array of a store is one that `ChunkWriter` can write: compressed as it does."""
    import zarr

    path = run(run_file()).path
    for name, array in zarr.open_group(str(path)).arrays():
        assert ChunkWriter.of(array, path).folder == path / name
