import os
import subprocess
import sys

import pytest

from hofstadter.errors import StoreError
from hofstadter.io.lock import locked
from hofstadter.io.store import open_store
from hofstadter.sweep.run import run
from tests.sweep.command import chunk_files


def files_below(path):
    return [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]


def test_a_unit_is_one_chunk_of_every_variable_and_its_mark_is_written_last(run_file):
    path = run(run_file()).path
    fixed = ("flux", "p", "q", "t2", "unit_status", "zarr.json")
    variables = [folder for folder in path.iterdir() if folder.name not in fixed]
    assert len(variables) == 11 + 3  # of the toy, and unit_seconds, unit_session, unit_inputs
    for sweep in range(2):
        for unit in range(3):
            mark = path / "unit_status" / "c" / str(sweep) / str(unit)
            for variable in variables:
                (chunk,) = files_below(variable / "c" / str(sweep) / str(unit))
                assert chunk.stat().st_mtime_ns <= mark.stat().st_mtime_ns


@pytest.mark.parametrize("lost", [1, 5, 12, 13, 25])
def test_any_order_of_dying_resumes_to_the_same_bits(run_file, lost):
    """Without the chunks that were written last, as after a kill in between, the bits are the same."""
    path = run(run_file()).path
    chunks = sorted(
        (file for file in files_below(path) if file.name != "zarr.json"),
        key=lambda file: file.stat().st_mtime_ns,
    )
    whole = chunk_files(path)
    marks = [file for file in chunks[-lost:] if "unit_status" in file.parts]
    assert marks
    for file in chunks[-lost:]:
        file.unlink()
    (path / "band_lower" / "c" / "0" / "1" / "0.abc.partial").write_bytes(b"half a chu")
    summary = run(run_file())
    # Units of 3, 4 and 4 fluxes, each at both points of the sweep; the last ones are lost first.
    assert summary.computed == sum([4, 4, 4, 4, 3, 3][: len(marks)])
    assert chunk_files(path) == whole
    assert not list(path.rglob("*.partial"))


def test_an_unfinished_store_says_what_is_missing(run_file):
    path = run(run_file()).path
    (path / "unit_status" / "c" / "1" / "0").unlink()
    dataset = open_store(path)
    assert dataset["point_status"].values.sum(axis=1).tolist() == [11, 7]
    assert dataset["flux"].values.tolist() == sorted(dataset["flux"].values)
    assert open_store(path, finished_only=True).sizes["flux"] == 7


def test_there_is_no_store(tmp_path):
    with pytest.raises(StoreError, match="There is no store"):
        open_store(tmp_path / "nothing.zarr")
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreError, match="is not a store of hofstadter"):
        open_store(tmp_path / "empty")


def test_only_one_writer(tmp_path):
    store = tmp_path / "a.zarr"
    with locked(store):
        message = rf"Another run \(process {os.getpid()} on .*\) is writing to"
        with pytest.raises(StoreError, match=message), locked(store):
            pass
        with locked(tmp_path / "b.zarr"):
            pass
    with locked(store):
        pass
    assert not list(tmp_path.iterdir())


def test_the_lock_of_a_dead_process_is_free(tmp_path):
    program = (
        "import os; from pathlib import Path; from hofstadter.io.lock import locked\n"
        f"with locked(Path({str(tmp_path / 'a.zarr')!r})): os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert (tmp_path / ".a.zarr.lock").exists()
    with locked(tmp_path / "a.zarr"):
        pass
    assert not (tmp_path / ".a.zarr.lock").exists()
