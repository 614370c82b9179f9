"""Compiled programs are kept between runs of the command line."""

import os
from pathlib import Path

import pytest

from tests.sweep import command


@pytest.fixture(autouse=True)
def _no_cache_settings(monkeypatch):
    """The tests' own settings would be inherited by the other process."""
    for name in [name for name in os.environ if name.startswith("JAX_") and "CACHE" in name]:
        monkeypatch.delenv(name)


def entries(folder: Path) -> dict[str, int]:
    """The programs in a cache folder, and when they were written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*-cache")}


def run(folder: Path, name: str, **variables: object) -> str:
    """A small butterfly to a new store, with JAX's log of compilation; returns that log."""
    file = folder / f"{name}.yaml"
    store = folder / f"{name}.zarr"
    file.write_text(
        f"model: {{name: square}}\ntask: {{name: butterfly, max_denominator: 3}}\noutput: {{store: {store}}}\n"
    )
    options = {"JAX_LOGGING_LEVEL": "DEBUG", **variables}
    code, _, err = command.call(["run", str(file)], folder, toy=False, **options)
    assert code == 0
    return err


def test_the_second_run_compiles_nothing(tmp_path):
    cache = tmp_path / "cache" / "hofstadter" / "jax"  # XDG_CACHE_HOME is tmp_path / "cache"
    assert "Persistent compilation cache hit" not in run(tmp_path, "first")
    written = entries(cache)
    assert written
    log = run(tmp_path, "second")
    assert log.count("Persistent compilation cache hit") >= len(written)
    assert "PERSISTENT COMPILATION CACHE MISS" not in log
    assert entries(cache) == written


@pytest.mark.slow
def test_the_user_chooses_the_folder_or_none(tmp_path):
    run(tmp_path, "elsewhere", JAX_COMPILATION_CACHE_DIR=tmp_path / "mine")
    assert entries(tmp_path / "mine")
    run(tmp_path, "off", JAX_ENABLE_COMPILATION_CACHE=0)
    assert not entries(tmp_path / "cache")
