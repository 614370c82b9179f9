import json

import numpy as np
import pytest

from hofstadter.errors import StoreError
from hofstadter.io.merge import merge_stores
from hofstadter.io.store import DONE, FAILED, open_store, open_units
from hofstadter.sweep.run import run
from tests.sweep.command import chunk_files


@pytest.fixture
def parts(run_file, monkeypatch):
    """Three stores of one run: two units done; two done and two failed; three that the first has, too, or failed."""
    one = run(run_file(store="one.zarr"), part=(1, 3)).path
    monkeypatch.setenv("TOY_FAIL", "4")
    other = run(run_file(store="other.zarr"), part=(2, 3)).path
    last = run(run_file(store="last.zarr"), part=(1, 2)).path
    monkeypatch.delenv("TOY_FAIL")
    return one, other, last


def test_parts_of_a_run_together_are_the_run(run_file, tmp_path):
    stores = [run(run_file(store=f"{number}.zarr"), part=(number, 3)).path for number in (1, 2, 3)]
    assert [int((open_units(store)["unit_status"] == DONE).sum()) for store in stores] == [2, 2, 2]
    merged = merge_stores(tmp_path / "all.zarr", stores[::-1])
    assert (merged.units, merged.done, merged.failed) == (6, 6, 0)
    whole = run(run_file(store="whole.zarr")).path
    assert chunk_files(tmp_path / "all.zarr") == chunk_files(whole)
    together, expected = open_store(tmp_path / "all.zarr").load(), open_store(whole).load()
    assert together.drop_attrs().identical(expected.drop_attrs())
    assert len(json.loads(together.attrs["provenance"])) == 3
    assert sorted(set(open_units(tmp_path / "all.zarr")["unit_session"].values.ravel().tolist())) == [0, 1, 2]
    assert run(run_file(store="all.zarr")).computed == 0


def test_what_is_missing_or_failed_stays_so_and_can_be_computed(parts, run_file, tmp_path):
    before = [chunk_files(part) for part in parts]
    merged = merge_stores(tmp_path / "all.zarr", parts)
    units = open_units(tmp_path / "all.zarr")["unit_status"].values
    assert (merged.done, merged.failed) == ((units == DONE).sum(), (units == FAILED).sum())
    assert merged.failed
    assert merged.done + merged.failed < merged.units
    failures = json.loads(open_store(tmp_path / "all.zarr").attrs["failures"])
    assert len(failures) == merged.failed
    assert all("no solution at flux 1/4" in message for _, message in failures)
    assert run(run_file(store="all.zarr"), retry_failed=True).failures == ()
    assert chunk_files(tmp_path / "all.zarr") == chunk_files(run(run_file(store="whole.zarr")).path)
    assert [chunk_files(part) for part in parts] == before


def test_a_done_unit_wins_over_a_failed_one(run_file, tmp_path, monkeypatch):
    good = run(run_file(store="good.zarr")).path
    monkeypatch.setenv("TOY_FAIL", "4")
    bad = run(run_file(store="bad.zarr")).path
    assert merge_stores(tmp_path / "all.zarr", [bad, good]).failed == 0
    assert chunk_files(tmp_path / "all.zarr") == chunk_files(good)


def test_a_task_of_one_point(tmp_path, run_file):
    make = {"model": "{name: square}", "task": "{name: bands, flux: 1/3, points: 5}", "sweep": "{model.t: [1, 2, 3]}"}
    stores = [run(run_file(**make, store=f"{number}.zarr"), part=(number, 2)).path for number in (1, 2)]
    merge_stores(tmp_path / "all.zarr", stores)
    energy = open_store(tmp_path / "all.zarr")["energy"].values
    np.testing.assert_allclose(energy[2], 3 * energy[0], rtol=0, atol=1e-13)
    assert np.isfinite(energy).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "{name: honeycomb, t: 1.5}"}, "`model.t` is 1.0 in "),
        ({"sweep": "{model.t2: [0.0, 0.2]}"}, "`sweep.model.t2` is [0.0, 0.1] in "),
        ({"task": "{name: butterfly, max_denominator: 4}"}, "`task.max_denominator` is 5 in "),
    ],
)
def test_stores_of_different_runs_are_refused(run_file, tmp_path, change, words):
    first, other = run(run_file(store="a.zarr")).path, run(run_file(**change, store="b.zarr")).path
    with pytest.raises(StoreError) as caught:
        merge_stores(tmp_path / "all.zarr", [first, other])
    assert str(caught.value).startswith(f"The stores {first} and {other} belong to different runs:\n  {words}")
    assert not (tmp_path / "all.zarr").exists()


def test_what_cannot_be_merged(run_file, tmp_path):
    store = run(run_file(store="a.zarr")).path
    with pytest.raises(StoreError, match="is there already"):
        merge_stores(store, [store])
    with pytest.raises(StoreError, match="There is no store"):
        merge_stores(tmp_path / "all.zarr", [store, tmp_path / "nothing.zarr"])
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        merge_stores(tmp_path / "file" / "all.zarr", [store])
