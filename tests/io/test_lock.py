import json
import os
import platform
import subprocess
import sys

from hofstadter.io.lock import find_writer, locked


def test_others_see_how_far_a_run_is(tmp_path):
    store = tmp_path / "a.zarr"
    assert find_writer(store) is None
    with locked(store) as lock:
        writer = find_writer(store)
        assert writer is not None
        assert (writer.owner, writer.progress) == (f"process {os.getpid()} on {platform.node()}", {})
        lock.tell({"units": 3, "left": "x" * 100})
        lock.tell({"units": 4})
        writer = find_writer(store)
        assert writer is not None
        assert writer.progress == {"units": 4}
        assert 0 <= writer.age < 10
    assert find_writer(store) is None


def test_a_dead_run_writes_no_more(tmp_path):
    program = (
        "import os; from pathlib import Path; from hofstadter.io.lock import locked\n"
        f"with locked(Path({str(tmp_path / 'a.zarr')!r})): os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert (tmp_path / ".a.zarr.lock").exists()
    assert find_writer(tmp_path / "a.zarr") is None


def test_a_run_on_another_machine_is_believed(tmp_path):
    (tmp_path / ".a.zarr.lock").write_text(f"process 1 on far-away\n{json.dumps({'units': 2})}\n")
    writer = find_writer(tmp_path / "a.zarr")
    assert writer is not None
    assert (writer.owner, writer.progress) == ("process 1 on far-away", {"units": 2})
