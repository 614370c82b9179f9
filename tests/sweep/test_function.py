import functools
import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import hofstadter as hof
from hofstadter.errors import RunFileError, Status, StoreError
from hofstadter.io.store import DONE
from hofstadter.sweep import function_work
from hofstadter.sweep.executors import SerialExecutor
from hofstadter.sweep.work import _programs
from tests.sweep import calls
from tests.sweep.command import ROOT

GRID = {"a": [0.5, 0.1, 0.9], "b": [1, 2, 3, 4]}


def product(a, b):
    return {"product": a * b, "row": jnp.stack([a, a + b, a - b])}


def expected() -> xr.DataArray:
    a, b = (xr.DataArray(np.asarray(GRID[name], float), dims=name, coords={name: GRID[name]}) for name in GRID)
    return a * b


@pytest.mark.parametrize("vectorize", [True, False])
def test_a_function_over_a_grid(vectorize):
    data = hof.sweep(product, GRID, vectorize=vectorize)
    assert data["product"].dims == ("a", "b")
    assert data["row"].dims == ("a", "b", "row_0")
    xr.testing.assert_allclose(data["product"], expected(), rtol=1e-15)
    np.testing.assert_array_equal(data["row"].sel(a=0.1, b=3), np.array([0.1, 0.1 + 3, 0.1 - 3]))
    assert (data["point_status"] == DONE).all()
    assert (data["status"] == Status.OK).all()
    assert data.attrs["task"] == "product"


def test_a_sweep_of_many_points_is_one_program_and_few_calls():
    sizes = []

    def curve(x, y):
        sizes.append(1)  # called when JAX traces it
        return jnp.sin(x) + y

    grid = {"x": np.linspace(0, 1, 2500), "y": [0.0, 10.0]}
    before = _programs.count
    data = hof.sweep(curve, grid)
    assert _programs.count - before <= 3  # it, and what writes zeros to find the device
    assert len(sizes) <= 3
    np.testing.assert_allclose(data["value"], np.sin(grid["x"])[:, None] + [0.0, 10.0], rtol=1e-14)


def test_a_device_with_too_little_memory_gets_smaller_pieces(monkeypatch):
    original, sizes = function_work._program, []

    def limited(work):
        def call(columns, size):
            sizes.append(size)
            if size > 3:
                raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 42 bytes.")
            return original(work)(columns, size)

        return call

    monkeypatch.setattr(function_work, "_program", limited)
    data = hof.sweep(lambda x: x**2, {"x": np.arange(1.0, 11.0)})
    assert sizes == [10, 5, 2]
    np.testing.assert_array_equal(data["value"], np.arange(1.0, 11.0) ** 2)


def test_physics_over_a_grid():
    def lowest(t2, mass):
        problem = hof.at_flux(hof.models.haldane(t2=t2, mass=mass), "1/3")
        return {"energies": hof.solve(problem, problem.mesh(2, 2), states=False).energies.reshape(-1).sort()[:3]}

    grid = {"t2": [0.0, 0.1], "mass": [0.0, 0.5, 1.0]}
    data = hof.sweep(lowest, grid)
    for t2 in grid["t2"]:
        for mass in grid["mass"]:
            here = lowest(t2, mass)["energies"]
            np.testing.assert_allclose(data["energies"].sel(t2=t2, mass=mass), here, rtol=0, atol=1e-12)


def test_datasets_keep_their_own_dimensions():
    def fly(t2):
        return hof.butterfly(hof.models.honeycomb(t2=t2), fluxes=["1/2", "1/3"], labels=False, min_gap=10.0)

    data = hof.sweep(fly, {"t2": [0.0, 0.1]})
    xr.testing.assert_allclose(
        data["band_lower"].isel(t2=1), fly(0.1)["band_lower"].drop_vars(["p", "q"]).assign_coords(t2=0.1)
    )
    assert data["band_lower"].dims == ("t2", "flux", "band")
    assert data["flux"].values.tolist() == [1 / 2, 1 / 3]


def test_what_fails_or_is_not_finite_does_not_stop_the_others():
    def root(x):
        if x == 2:
            raise ArithmeticError("no root")
        return np.sqrt(x) if x > 0 else np.nan

    data = hof.sweep(root, {"x": [1.0, 2.0, 3.0, -1.0]})
    assert data["point_status"].values.tolist() == [1, 2, 1, 1]
    assert data["status"].values.tolist() == [Status.OK, Status.ABSENT, Status.OK, Status.NOT_FINITE]
    assert json.loads(data.attrs["failures"]) == [[[1], "x = 2.0: ArithmeticError: no root"]]


def test_nan_is_a_status_of_its_point_in_a_compiled_sweep():
    data = hof.sweep(lambda x: jnp.sqrt(x), {"x": [1.0, -1.0, 4.0]})
    assert data["status"].values.tolist() == [Status.OK, Status.NOT_FINITE, Status.OK]
    assert data["value"].values[[0, 2]].tolist() == [1, 2]


def test_other_shapes_at_other_points_are_failures():
    data = hof.sweep(lambda n: np.arange(int(n)), {"n": [2, 2.5, 3]}, vectorize=False)
    assert data["point_status"].values.tolist() == [1, 1, 2] or data["point_status"].values.tolist() == [2, 2, 1]
    assert "entries along `value_0`, at other points" in data.attrs["failures"]


def test_a_store_is_gone_on_with(tmp_path, monkeypatch):
    store, log = tmp_path / "a.zarr", tmp_path / "log"
    monkeypatch.setenv("CALLS_LOG", str(log))
    whole = hof.sweep(calls.parabola, GRID, vectorize=False)
    log.unlink()

    class Stopping(SerialExecutor):
        left = 5

        def submit(self, function, *arguments):
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            return super().submit(function, *arguments)

    with pytest.raises(KeyboardInterrupt, match="5 of 12 points are done"):
        hof.sweep(calls.parabola, GRID, store=store, vectorize=False, executor=Stopping())
    assert len(log.read_text().splitlines()) == 5
    data = hof.sweep(calls.parabola, GRID, store=store, vectorize=False)
    assert sorted(log.read_text().splitlines()) == sorted(f"{a} {b}" for a in GRID["a"] for b in GRID["b"])
    xr.testing.assert_identical(data.load().drop_attrs(), whole.drop_attrs())
    xr.testing.assert_identical(hof.open_store(store).drop_attrs().transpose("a", "b"), data.drop_attrs())


def test_another_function_or_number_is_another_sweep(tmp_path):
    scale = np.array([2.0])

    def scaled(x):
        return x * scale[0]

    store, grid = tmp_path / "a.zarr", {"x": [1.0, 2.0]}
    hof.sweep(scaled, grid, store=store)
    hof.sweep(scaled, grid, store=store)
    scale = np.array([3.0])
    with pytest.raises(StoreError, match=r"refers_to\.scale"):
        hof.sweep(scaled, grid, store=store)
    with pytest.raises(StoreError, match=r"function\.source"):
        hof.sweep(lambda x: x, grid, store=store)
    with pytest.raises(StoreError, match=r"grid\.x"):
        hof.sweep(scaled, {"x": [1.0, 2.5]}, store=store)
    assert hof.sweep(scaled, grid, store=store, overwrite=True)["value"].values.tolist() == [3, 6]


def test_bound_arguments_count():
    one, other = (function_work.function_identity(functools.partial(product, b=b)) for b in (1.0, 2.0))
    assert one["function"]["source"] == other["function"]["source"]
    assert one != other
    model = [
        function_work.function_identity(functools.partial(product, hof.models.square(t=t))) for t in (1.0, 1.0, 2.0)
    ]
    assert model[0] == model[1] != model[2]


def test_the_task_of_a_run_file(tmp_path):
    sections = {"model": {"name": "honeycomb"}, "task": {"name": "bands", "flux": hof.Flux(1, 2), "points": 6}}
    data = hof.sweep(sections, {"model.t2": np.array([0.0, 0.1])}, store=tmp_path / "a.zarr")
    direct = hof.bands(hof.models.honeycomb(t2=0.1), "1/2", points=6)
    np.testing.assert_array_equal(data["energy"].isel(t2=1), direct["energy"])
    with pytest.raises(RunFileError, match="is not a parameter of honeycomb"):
        hof.sweep({**sections, "model": {"name": "honeycomb", "tt": 1}}, {"model.t2": [0.0]})
    with pytest.raises(ValueError, match="are for functions"):
        hof.sweep(sections, {"model.t2": [0.0]}, chunk_size=2)


def test_the_command_line_shows_such_a_store(tmp_path, capsys):
    from hofstadter.cli.main import main

    hof.sweep(product, GRID, store=tmp_path / "a.zarr")
    with pytest.raises(SystemExit) as caught:
        main(["show", str(tmp_path / "a.zarr")])
    out = capsys.readouterr().out
    assert caught.value.code == 0
    assert "a.zarr: product" in out
    assert "all" in out
    with pytest.raises(SystemExit) as caught:
        main(["plot", str(tmp_path / "a.zarr")])
    assert (caught.value.code, "has no plots" in capsys.readouterr().err) == (2, True)


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ({}, "about at least one parameter"),
        ({"status": [1.0]}, "names of parameters other than"),
        ({"a b": [1.0]}, "names of parameters other than"),
        ({"a": []}, "lists of finite real numbers"),
        ({"a": [1.0, np.nan]}, "lists of finite real numbers"),
        ({"a": ["x"]}, "lists of finite real numbers"),
        ({"a": [[1.0]]}, "lists of finite real numbers"),
        ({"a": [1.0, 1.0]}, "lists of different numbers"),
        ({name: np.arange(1000) for name in "abc"}, "at most 10000000 points, but is of 1000000000 points"),
    ],
)
def test_wrong_grids(grid, words, unchecked_types):
    with pytest.raises(ValueError, match=words):
        hof.sweep(product, grid)


def test_a_function_that_cannot_be_traced():
    with pytest.raises(ValueError, match="cannot be traced by JAX"):
        hof.sweep(lambda x: float(x), {"x": [1.0]}, vectorize=True)
    with pytest.raises(ValueError, match="which has its own number"):
        hof.sweep(product, GRID, executor=SerialExecutor(), workers=2)
    data = hof.sweep(lambda x: "text", {"x": [1.0]}, vectorize=False)
    assert "which is no array of numbers" in data.attrs["failures"]


@pytest.mark.slow
def test_functions_without_a_module_travel_to_processes():
    shift = 2.0
    one = hof.sweep(lambda a, b: {"sum": a + b + shift}, GRID, executor="processes", workers=2)
    assert float(one["sum"].sel(a=0.5, b=4)) == 6.5


@pytest.mark.slow
def test_a_point_that_kills_its_worker_again_and_again_has_failed():
    data = hof.sweep(calls.fatal, {"x": [1.0, 2.0, 3.0, 4.0, 5.0]}, executor="processes", workers=2, vectorize=False)
    assert data["value"].values.tolist()[:2] + data["value"].values.tolist()[3:] == [2, 4, 8, 10]
    assert data["point_status"].values.tolist() == [1, 1, 2, 1, 1]
    ((_, message),) = json.loads(data.attrs["failures"])
    assert message.startswith("x = 3.0: WorkerDied: The process that computed it died 3 times")


@pytest.mark.slow
def test_a_dask_worker_that_dies_is_survived(tmp_path):
    """On a cluster with an address; one of its two workers is killed in the middle."""
    program = f"""
import os, signal, threading, time
import distributed, hofstadter as hof
from hofstadter.io.store import DONE, open_units
from tests.sweep import calls

def kill_one(cluster, store):
    while not os.path.exists(store) or (open_units(store)["unit_status"] == DONE).sum() < 8:
        time.sleep(0.05)
    os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)

if __name__ == "__main__":
    store = {str(tmp_path / "a.zarr")!r}
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        threading.Thread(target=kill_one, args=(cluster, store)).start()
        executor = hof_executor(cluster.scheduler_address)
        hof.sweep(calls.parabola, {{"a": list(range(40)), "b": [0.5]}}, store=store, vectorize=False, executor=executor)
        executor.close()
""".replace(
        "hof_executor(", "__import__('hofstadter.sweep.executors', fromlist=['x']).make_executor('dask', scheduler="
    )
    file, log = tmp_path / "program.py", tmp_path / "log"
    file.write_text(program)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CALLS_LOG": str(log), "CALLS_SECONDS": "0.1"}
    done = subprocess.run(
        [sys.executable, str(file)], env=environment, capture_output=True, text=True, timeout=150, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Restarting worker" in done.stderr or "Removing worker" in done.stderr
    data = hof.open_store(tmp_path / "a.zarr")
    np.testing.assert_array_equal(data["parabola"].values.ravel(), np.arange(40.0) ** 2 + 0.5)
    called = log.read_text().splitlines()
    assert len(set(called)) == 40
    assert 40 <= len(called) <= 40 + 4  # what the dead worker had, and nothing else
