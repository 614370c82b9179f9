"""The README's Python runs, its commands exist, and its links lead somewhere."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

import hofstadter
from hofstadter.cli.main import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_python_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert (len(blocks("python")), len(blocks("py"))) == (1, 1)
    names: dict = {}
    exec(compile(blocks("python")[0], "README.md", "exec"), names)
    assert (tmp_path / "butterfly.png").stat().st_size > 10_000
    # Honeycomb at 1/3 with a mass: a Landau level of electrons below, one of holes above, no Hall effect half-way.
    assert names["gaps"].t.values[names["gaps"].density == 1] == [0]
    assert capsys.readouterr().out.rstrip().endswith("\n-1")


@pytest.mark.slow
def test_more_python_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(blocks("py")[0], "README.md", "exec"), {"hof": hofstadter})
    assert (tmp_path / "tbg.png").stat().st_size > 10_000
    assert capsys.readouterr().out.startswith("[ 1.  1. -1.  1.] to 0.0")


def test_commands_are_one_line_each():
    run, test = blocks("sh")
    assert run.count("\n") == test.count("\n") == 1
    config = re.search(r"configs/\S+\.yaml", run)
    assert config is not None
    assert (ROOT / config[0]).is_file()
    assert "pytest" in test


def test_ci_runs_what_the_readme_says(tmp_path):
    """`.ci/run` holds no command of its own to set up or test: it reads the README's."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "pytest" not in script
    assert "pip install" not in script
    (reader,) = re.findall(r"< <\((sed .*) README\.md\)", script)
    read = subprocess.run(["bash", "-c", f"{reader} README.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert read.stdout == "".join(blocks("sh"))


def test_every_command_is_listed():
    listed = re.findall(r"^\| `hofstadter (\w+)", README, re.MULTILINE)
    assert listed == list(get_command(app).commands)


@pytest.mark.parametrize("target", re.findall(r"\]\((?!https?:)([^)]+)\)", README))
def test_links_exist(target):
    assert (ROOT / target).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_ci_is_executable():
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o100


@pytest.mark.slow
def test_benchmarks_run_and_are_stored(tmp_path):
    """One of the benchmarks, small; running it imports all of them."""
    stored = tmp_path / "stored.json"
    command = [sys.executable, "benchmarks/run.py", "--quick", "--only", "density_maps", "--json", str(stored)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    lines = json.loads(stored.read_text(encoding="utf-8"))["lines"]
    assert len(lines) == 5
    assert all(line["error"] == 0 and line["ratio"] > 0 for line in lines[:4])


def test_speed_table_is_the_stored_one():
    """Made by `python benchmarks/report.py FILE`, with the file that the README names."""
    (stored,) = re.findall(r"benchmarks/results/\S+\.json", README)
    command = [sys.executable, "benchmarks/report.py", stored]
    table = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, encoding="utf-8").stdout
    assert table.count("\n") > 5
    assert table in README
