"""Run the command line in another process."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

RUN_FILE = """\
model: {name: honeycomb, t: 1.0}
task: {name: butterfly, max_denominator: MAX}
sweep: {model.t2: [0.0, 0.1]}
output: {store: STORE}
"""


def write_run_file(folder: Path, *, name: str = "run", max_denominator: int = 6, store: str | None = None) -> Path:
    """Write a run file with a sweep of two points; its store is NAME.zarr next to it."""
    path = folder / f"{name}.yaml"
    text = RUN_FILE.replace("MAX", str(max_denominator)).replace("STORE", store or str(folder / f"{name}.zarr"))
    path.write_text(text)
    return path


def environment(folder: Path, **variables: object) -> dict[str, str]:
    """The environment of the other process: no GPU, its own caches, and `variables`."""
    return {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "COLUMNS": "200",
        **{key: str(value) for key, value in variables.items()},
    }


def start(
    arguments: list[str], folder: Path, *, toy: bool = True, cwd: Path = ROOT, **variables: object
) -> subprocess.Popen[str]:
    """Start the command line; with `toy`, with the toy task in the place of the butterfly."""
    program = ["-m", "tests.sweep.toy_task"] if toy else ["-c", "from hofstadter.cli.main import main; main()"]
    return subprocess.Popen(
        [sys.executable, *program, *arguments],
        cwd=cwd,
        env=environment(folder, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def call(
    arguments: list[str], folder: Path, *, toy: bool = True, cwd: Path = ROOT, **variables: object
) -> tuple[int, str, str]:
    """Run the command line to its end; return its exit code and what it wrote to stdout and stderr."""
    process = start(arguments, folder, toy=toy, cwd=cwd, **variables)
    out, err = process.communicate(timeout=300)
    assert "Traceback" not in out + err
    return process.returncode, out, err


def chunk_files(store: Path) -> dict[str, bytes]:
    """The content of all data files of a store but those that say how long units took, and in which session."""
    files = [path for path in store.rglob("*") if path.is_file() and path.name != "zarr.json"]
    named = {str(path.relative_to(store)): path for path in files}
    timing = ("unit_seconds", "unit_session")
    return {name: path.read_bytes() for name, path in named.items() if not name.startswith(timing)}
