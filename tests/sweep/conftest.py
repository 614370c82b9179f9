import pytest

from hofstadter.io.config import parse_run_file
from hofstadter.sweep import plan
from hofstadter.tasks.registry import TASKS
from tests.sweep.toy_task import TOY


@pytest.fixture
def toy(monkeypatch):
    """The toy task in the place of the butterfly, with units of at most four fluxes."""
    monkeypatch.setitem(TASKS, "butterfly", TOY)
    monkeypatch.setattr(plan, "LARGEST_UNIT", 4)


@pytest.fixture
def run_file(tmp_path, toy):
    """A run file of the toy task; keyword arguments replace its lines."""

    def make(
        model="{name: honeycomb, t: 1.0}",
        task="{name: butterfly, max_denominator: 5}",
        sweep="{model.t2: [0.0, 0.1]}",
        numerics="{precision: double}",
        store="run.zarr",
    ):
        sweep = f"sweep: {sweep}\n" if sweep else ""
        text = f"model: {model}\ntask: {task}\n{sweep}numerics: {numerics}\n"
        return parse_run_file(text + f"output: {{store: {tmp_path / store}}}\n")

    return make
