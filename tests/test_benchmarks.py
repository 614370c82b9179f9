"""The regression check of the benchmarks."""

import importlib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def benchmarks(monkeypatch):
    """Import a module of the benchmarks, which is no package."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


def test_ratios_that_fell(benchmarks):
    check, line = benchmarks("check"), benchmarks("measure").Line
    stored = {"lines": [{"work": "w", "size": size, "rival": "r", "ratio": 10.0} for size in ("1", "2")]}
    stored["lines"].append({"work": "w", "size": "3", "rival": "r", "ratio": None})
    now = [line("w", "1", "r", ours=1.0, theirs=5.1), line("w", "2", "r", ours=1.0, theirs=4.9)]
    now += [line("w", "3", "r", ours=1.0), line("w", "4", "r", ours=1.0, theirs=0.1)]
    sentences, compared = check.regressions(stored, now)
    assert compared == 2
    assert sentences == ["w, 2, against r: ratio 4.90, stored 10.00."]
