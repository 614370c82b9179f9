import json
import os
import signal
import threading

import jax
import numpy as np
import pytest
import xarray as xr

import hofstadter
from hofstadter.errors import RunFileError, Status, StoreError
from hofstadter.io.config import RunFile
from hofstadter.io.store import open_store
from hofstadter.sweep import run as run_module
from hofstadter.sweep.interrupt import interrupt_later
from hofstadter.sweep.run import run
from hofstadter.tasks.registry import TASKS
from tests.sweep import toy_task
from tests.sweep.command import chunk_files

POINTS = 22  # 11 reduced fractions with q ≤ 5, two points of the sweep


def direct(run_file: RunFile) -> list[xr.Dataset]:
    """What the task gives at each point of the sweep, without plan or store."""
    results = []
    for index in np.ndindex(run_file.sweep_shape):
        model, parameters = run_file.at(index)
        points = run_file.task.points(model, parameters)
        results.append(toy_task.compute(model, parameters, points, memory_gb=1.0, progress=None))
    return results


def test_the_store_holds_what_the_task_gives(run_file):
    asked = run_file()
    summary = run(asked)
    assert (summary.points, summary.done, summary.computed, summary.failures) == (POINTS, POINTS, POINTS, ())
    dataset = open_store(asked.output.store)
    assert dataset["band_lower"].dims == ("t2", "flux", "band")
    assert dataset["band_lower"].attrs == {"units": "t"}
    assert dataset.attrs["energy_unit"] == "meV"
    for number, expected in enumerate(direct(asked)):
        for name in expected.variables:
            stored = dataset[name]
            stored = stored.isel(t2=number) if "t2" in stored.dims else stored
            assert stored.dtype == expected[name].dtype
            np.testing.assert_array_equal(stored.values, expected[name].values)
    assert (dataset["point_status"] == 1).all()
    assert dataset["t2"].values.tolist() == [0.0, 0.1]
    assert dataset["t2"].attrs["target"] == "model.t2"


def test_plain_xarray_opens_a_store(run_file):
    asked = run_file()
    run(asked)
    dataset = xr.open_zarr(asked.output.store)
    assert dict(dataset.sizes) == {"t2": 2, "flux": 11, "band": 10, "gap": 9, "unit": 3}
    assert {"p", "q"} <= set(dataset.coords)


def test_without_a_sweep(run_file):
    asked = run_file(sweep="")
    assert run(asked).done == POINTS // 2
    assert open_store(asked.output.store)["band_lower"].dims == ("flux", "band")


def test_a_single_band_has_no_gap(run_file):
    asked = run_file(model="{name: square}", task="{name: butterfly, fluxes: [0, 1]}", sweep="")
    assert run(asked).done == 2
    assert open_store(asked.output.store).sizes["gap"] == 0
    assert run(asked).computed == 0


def test_where_results_came_from(run_file):
    asked = run_file()
    run(asked)
    run(asked)
    attributes = open_store(asked.output.store).attrs
    assert attributes["run_file"] == asked.text
    assert json.loads(attributes["identity"]) == asked.identity
    (session,) = json.loads(attributes["provenance"])  # the second run computed nothing
    assert session["hofstadter"] == hofstadter.__version__ == attributes["version"]
    assert session["jax"] == jax.__version__
    assert session["device"] == "cpu"


def test_failed_units_do_not_stop_the_others(run_file, monkeypatch):
    asked = run_file()
    monkeypatch.setenv("TOY_FAIL", "4")
    summary = run(asked)
    # Fluxes in the order of the store: 0, 1, 1/2, 1/3 | 2/3, 1/4, 3/4, 1/5 | 2/5, 3/5, 4/5.
    assert summary.done == summary.computed == 14
    assert summary.failures == tuple(
        f"t2 = {t2}, 4 fluxes from 2/3 to 1/5: ArithmeticError: no solution at flux 1/4" for t2 in (0.0, 0.1)
    )
    dataset = open_store(asked.output.store)
    failed = dataset["point_status"] == 2
    assert dataset["q"].values[failed.values[0]].tolist() == [5, 4, 3, 4]
    assert np.isnan(dataset["band_lower"].values[failed.values]).all()
    assert (dataset["status"].values[failed.values] == Status.ABSENT).all()
    assert open_store(asked.output.store, finished_only=True).sizes["flux"] == 7

    monkeypatch.delenv("TOY_FAIL")
    again = run(asked)
    assert (again.computed, len(again.failures)) == (0, 2)
    retried = run(asked, retry_failed=True)
    assert (retried.done, retried.computed, retried.failures) == (POINTS, 8, ())
    assert open_store(asked.output.store).attrs["failures"] == "[]"
    assert len(json.loads(open_store(asked.output.store).attrs["provenance"])) == 2


def test_a_retry_that_fails_again_keeps_the_rest(run_file, monkeypatch):
    asked = run_file()
    monkeypatch.setenv("TOY_FAIL", "4")
    run(asked)
    before = chunk_files(run(asked, retry_failed=True).path)
    assert run(asked, retry_failed=True).computed == 0
    assert chunk_files(run(asked).path) == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "{name: honeycomb, t: 1.5}"}, "`model.t` is 1.0 in the store and 1.5 in the run file."),
        (
            {"model": "{name: haldane}"},
            '`model.name` is "honeycomb" in the store and "haldane" in the run file.',
        ),
        (
            {"task": "{name: butterfly, max_denominator: 6}"},
            "`task.max_denominator` is 5 in the store and 6 in",
        ),
        (
            {"sweep": "{model.t2: [0.0, 0.2]}"},
            "`sweep.model.t2` is [0.0, 0.1] in the store and [0.0, 0.2] in",
        ),
        ({"sweep": ""}, "`sweep.model.t2` is [0.0, 0.1] in the store and absent in the run file."),
        (
            {"numerics": "{precision: single}"},
            '`numerics.precision` is "double" in the store and "single" in',
        ),
    ],
)
def test_the_store_of_another_run_file(run_file, change, words):
    path = run(run_file()).path
    before = chunk_files(path)
    with pytest.raises(StoreError) as caught:
        run(run_file(**change))
    first, *differences, last = str(caught.value).splitlines()
    assert first == f"The store {path} belongs to another run:"
    assert any(words in sentence for sentence in differences)
    assert last.endswith("replace the store with --overwrite.")
    assert chunk_files(path) == before


def test_overwrite(run_file):
    run(run_file())
    other = run_file(model="{name: honeycomb, t: 1.5}")
    summary = run(other, overwrite=True)
    assert summary.computed == POINTS
    assert json.loads(open_store(summary.path).attrs["identity"]) == other.identity
    assert not list(summary.path.parent.glob(".*"))  # nothing is left lying about


def test_memory_and_output_are_not_part_of_a_run(run_file):
    run(run_file())
    assert run(run_file(numerics="{memory_gb: 1, device: cpu}")).computed == 0


def test_the_store_of_another_version(run_file, monkeypatch):
    run(run_file())
    monkeypatch.setattr(run_module, "package_version", lambda: "99.0")
    with pytest.raises(StoreError, match=r"hofstadter is 0\.\d+\.\d+ in the store and 99\.0 here"):
        run(run_file())


def test_what_is_no_store_is_never_touched(run_file, tmp_path):
    folder = tmp_path / "run.zarr"
    folder.mkdir()
    (folder / "precious.partial").write_text("data")
    for overwrite in (False, True):
        with pytest.raises(StoreError, match="is not a store"):
            run(run_file(), overwrite=overwrite)
    assert (folder / "precious.partial").read_text() == "data"


def test_a_file_in_the_place_of_a_store(run_file, tmp_path):
    (tmp_path / "run.zarr").write_text("data")
    with pytest.raises(StoreError, match="is not a store of hofstadter"):
        run(run_file(), overwrite=True)


def test_a_folder_that_cannot_be_made(run_file, tmp_path):
    asked = run_file(store="folder/run.zarr")
    (tmp_path / "folder").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be written: File exists"):
        run(asked)


def test_a_half_made_store_is_made_anew(run_file, tmp_path):
    leftover = tmp_path / ".run.zarr.new.partial"
    leftover.mkdir()
    (leftover / "zarr.json").write_text("{")
    assert run(run_file()).done == POINTS
    assert not leftover.exists()


def test_damaged_data_are_noticed(run_file):
    path = run(run_file()).path
    chunk = next((path / "band_lower" / "c").rglob("0"))
    while chunk.is_dir():
        chunk = next(chunk.iterdir())
    chunk.write_bytes(chunk.read_bytes()[:-5])
    with pytest.raises(Exception, match=r"(?i)zstd|buffer|decompress"):
        open_store(path).load()


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (lambda d: d.isel(flux=slice(None, None, -1)), "The task returned flux = ["),
        (lambda d: d.pad(band=(0, 50)), "entries along `band`, but announced 10"),
        (lambda d: d.rename(gap="hole"), "entries along `hole`, but announced 0"),
        (lambda d: d.transpose("gap", "band", "flux"), "does not start with the dimension `flux`"),
        (
            lambda d: d.assign(name=("flux", ["x"] * d.sizes["flux"])),
            "is of type <U1, which a store cannot hold",
        ),
    ],
)
def test_a_task_that_breaks_its_promise(run_file, monkeypatch, broken, words):
    asked = run_file()
    task = TASKS["butterfly"]
    wrong = {**task.__dict__, "compute": lambda *args, **kwargs: broken(toy_task.compute(*args, **kwargs))}
    monkeypatch.setitem(TASKS, "butterfly", type(task)(**wrong))
    with pytest.raises(StoreError) as caught:
        run(asked)
    assert words in str(caught.value)


def test_single_precision_reaches_the_task(run_file, monkeypatch):
    seen = []
    task = TASKS["butterfly"]

    def compute(model, *args, **kwargs):
        seen.append(model.amplitudes.dtype)
        return toy_task.compute(model, *args, **kwargs)

    monkeypatch.setitem(TASKS, "butterfly", type(task)(**{**task.__dict__, "compute": compute}))
    run(run_file(numerics="{precision: single}"))
    assert set(seen) == {np.dtype("complex64")}


@pytest.mark.skipif(any(d.platform == "gpu" for d in jax.devices()), reason="the test needs a machine without a GPU")
def test_a_device_that_is_not_there(run_file):
    with pytest.raises(RunFileError, match=r"`numerics\.device` is gpu, but JAX finds no such device here"):
        run(run_file(numerics="{device: gpu}"))


def test_ctrl_c_waits_for_saving():
    finished = []

    def save():
        with interrupt_later():
            os.kill(os.getpid(), signal.SIGINT)
            finished.append(True)

    with pytest.raises(KeyboardInterrupt):
        save()
    assert finished
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_saving_in_a_thread_leaves_signals_alone():
    entered = []

    def save():
        with interrupt_later():
            entered.append(True)

    thread = threading.Thread(target=save)
    thread.start()
    thread.join()
    assert entered
