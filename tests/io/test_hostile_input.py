"""Run files made to do harm are refused at once, and stores hold nothing that could be executed."""

import json
import os
import pickle
import time

import numcodecs
import pytest
import zarr

from hofstadter.errors import RunFileError
from hofstadter.io.config import parse_run_file
from hofstadter.io.store import open_store
from hofstadter.sweep.run import run

GOOD = "model: {name: square}\ntask: {name: butterfly, max_denominator: 3}\noutput: {store: a.zarr}\n"
MARK = "harm.txt"
LAUGHS = "\n".join(
    ["a0: &a0 [lol, lol]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)), GOOD]
)


def many(name: str) -> str:
    return f"model.{name}: [{', '.join(str(number) for number in range(1, 1001))}]"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(f"{GOOD}x: !!python/object/apply:os.system ['touch {MARK}']\n", "not valid YAML", id="tag"),
        pytest.param(f"{GOOD}x: !!python/name:os.system\n", "not valid YAML", id="name tag"),
        pytest.param(f"{GOOD}x: !!python/object/new:os.system ['touch {MARK}']\n", "not valid YAML", id="object tag"),
        pytest.param(f"{GOOD}x: !mine {{a: 1}}\n", "not valid YAML", id="own tag"),
        pytest.param(LAUGHS, "more than 50000 entries, with what aliases repeat", id="anchor bomb"),
        pytest.param("a: &a [*a]\n", "an alias contains itself", id="alias of itself"),
        pytest.param("[" * 100_000, "nested more than 40 levels deep", id="deep list"),
        pytest.param("".join(f"{' ' * n}a:\n" for n in range(900)), "nested more than 40 levels", id="deep mapping"),
        pytest.param("{" * 60 + "}" * 60, "nested more than 40 levels deep", id="deep flow mapping"),
        pytest.param("#" * 1_000_001, "at most 1000000 characters", id="long"),
        pytest.param(f"a: [{'1, ' * 200_000}1]", "more than 50000 entries", id="many entries"),
        pytest.param(GOOD + "model: {name: square}\n", "`model` is there twice", id="key twice"),
        pytest.param(
            f"{GOOD.replace('square', 'honeycomb')}sweep: {{{many('t')}, {many('t2')}, {many('t3')}}}\n",
            "The sweep has 1000000000 points, more than 1000000.",
            id="10^9 points",
        ),
        pytest.param(GOOD.replace("3}", f"{'9' * 5000}}}"), "5000 digits|4300 digits", id="long number"),
        pytest.param(GOOD.replace("a.zarr", "../a.zarr"), "without `..` in its path", id="traversal"),
        pytest.param(GOOD.replace("a.zarr", "a/../../b.zarr"), "without `..` in its path", id="traversal inside"),
        pytest.param(GOOD.replace("a.zarr", '"a\\0b"'), "without `..` in its path|special characters", id="nul"),
        pytest.param(GOOD.replace("}\nout", ", plots: x}\nout"), "is not a parameter of butterfly", id="unknown key"),
        pytest.param(GOOD.replace("a.zarr}", "a.zarr, plots: [../../x]}"), "There is no plot", id="plot"),
    ],
)
def test_refused_quickly(text, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    start = time.perf_counter()
    with pytest.raises(RunFileError, match=words):
        parse_run_file(text)
    assert time.perf_counter() - start < 10
    assert os.listdir(tmp_path) == []


def test_a_long_sweep_is_checked_quickly(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    start = time.perf_counter()
    run_file = parse_run_file(f"{GOOD}sweep: {{model.t: {[number / 7 for number in range(1, 20_001)]}}}\n")
    assert time.perf_counter() - start < 30
    assert run_file.sweep_shape == (20_000,)


def test_a_store_holds_numbers_and_json_only(run_file, monkeypatch):
    path = run(run_file()).path
    for file in path.rglob("*"):
        if file.name == "zarr.json":
            json.loads(file.read_text())
        elif file.is_file():
            content = numcodecs.Zstd().decode(file.read_bytes())
            array = next(parent for parent in file.parents if (parent / "zarr.json").exists())
            described = json.loads((array / "zarr.json").read_text())
            size = {"bool": 1, "int8": 1, "int32": 4}.get(described["data_type"], 8)
            shape = described["chunk_grid"]["configuration"]["chunk_shape"]
            assert len(content) == size * int(zarr.core.common.product(shape))
    for name, array in zarr.open_group(str(path)).arrays():
        assert array.dtype.kind in "biufc", name
        assert [type(codec).__name__ for codec in array.metadata.codecs] == ["BytesCodec", "ZstdCodec"]

    def refuse(*_, **__):
        raise AssertionError("a store was unpickled")

    for function in ("load", "loads"):
        monkeypatch.setattr(pickle, function, refuse)
    assert open_store(path).load()["point_status"].size
