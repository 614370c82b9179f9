"""`hofstadter.sweep`: a function, or the task of a run file, at all points of a grid of parameters."""

import contextlib
import json
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

from hofstadter._checks import as_integer, fail
from hofstadter.errors import StoreError
from hofstadter.io.config import SweepAxis, parse_run_file
from hofstadter.io.identity import input_hash, run_hash
from hofstadter.io.layout import Layout, Unit
from hofstadter.io.lock import locked
from hofstadter.io.provenance import package_version
from hofstadter.io.store import open_store, read_group
from hofstadter.io.writer import open_for_run
from hofstadter.sweep.executors import Executor, make_executor
from hofstadter.sweep.fill import Summary, Sweep, fill
from hofstadter.sweep.function_work import FunctionWork, function_identity
from hofstadter.sweep.run import run

Values = Sequence[float | int] | np.ndarray | jax.Array
"""Values of a parameter."""

# Points of one unit where a compiled program does many at a time: a killed run loses a unit.
LARGEST_UNIT = 1024
MOST_POINTS = 10**7
# What a store has of its own.
RESERVED = frozenset({"unit", "point_status", "status"})


def sweep(
    function: Callable[..., Any] | Mapping[str, Any],
    grid: Mapping[str, Values],
    *,
    store: str | Path | None = None,
    executor: str | Executor = "serial",
    workers: int | None = None,
    vectorize: bool | None = None,
    chunk_size: int | None = None,
    overwrite: bool = False,
    retry_failed: bool = False,
    quiet: bool = True,
) -> xr.Dataset:
    """Compute a function, or the task of a run file, at all points of a grid.

    Results are saved while they come. If the process is killed, the same call goes on where it was; a store of another
    function, or one that refers to other numbers or arrays, is refused. Results that are not finite, or points where
    the function raises an exception, do not stop the others.

    A function that JAX can trace is compiled once for the whole grid, and computes many points per call, on all
    devices of the process, with smaller pieces where their memory is too small. Others are called point by point.

    Args:
        function: Takes the parameters by name. Returns a number, an array, a dictionary of those, or a dataset, of the
            same shapes everywhere. Or a dictionary with the sections `model`, `task` and maybe `numerics` of a run
            file; then `grid` has entries such as "model.t2".
        grid: For each parameter its values, numbers in any order.
        store: Folder for the results; by default they are kept in memory only.
        executor: "serial", "processes", "dask", "slurm" or an executor, which stays open.
        workers: How many processes or jobs compute, for an executor given by name.
        vectorize: Whether the function is traced and compiled; by default if that is possible.
        chunk_size: How many points are worked on together on a device; by default a unit, up to 1024 points.
        overwrite: Whether to replace a store that is there.
        retry_failed: Whether to compute again what failed before.
        quiet: Whether to show no progress bar.

    Returns:
        Dataset with the parameters as dimensions, in the order of `grid`. An array's own axes are called after its
        variable, `energy_0` and so on; what has no name is called `value`. `status` says which results are finite (not
        for datasets), `point_status` which points are done (1) or failed (2); the attribute `failures` says why.

    Raises:
        ValueError: If the grid is not valid, or `vectorize` is asked for and the function cannot be traced.
        RunFileError: If the sections are not valid.
        StoreError: If the store cannot be written, is in use, or belongs to something else.

    Examples:
        >>> import jax, hofstadter as hof
        >>> def lowest(t2, mass):
        ...     problem = hof.at_flux(hof.models.haldane(t2=t2, mass=mass), "1/3")
        ...     return {"lowest": hof.solve(problem, problem.mesh(2, 2), states=False).energies.min()}
        >>> data = hof.sweep(lowest, {"t2": [0.0, 0.1], "mass": [0.0, 0.5, 1.0]})
        >>> dict(data["lowest"].sizes)
        {'t2': 2, 'mass': 3}
    """
    with contextlib.ExitStack() as stack:
        folder = store if store is not None else stack.enter_context(tempfile.TemporaryDirectory(prefix="hofstadter-"))
        path = Path(folder) if store is not None else Path(folder) / "sweep.zarr"
        options = {"overwrite": overwrite, "retry_failed": retry_failed, "quiet": quiet}
        chosen = stack.enter_context(_executor(executor, workers, path))
        if isinstance(function, Mapping):
            if vectorize is not None or chunk_size is not None:
                raise ValueError("`vectorize` and `chunk_size` are for functions; a task has `numerics.memory_gb`.")
            summary, names = _sweep_sections(function, grid, path, chosen, options), []
        else:
            axes = _axes(grid)
            summary = _sweep_function(function, axes, path, chosen, vectorize, chunk_size, options)
            names = [axis.name for axis in axes]
        if summary.interrupted:
            raise KeyboardInterrupt(f"{summary.done} of {summary.points} points are done in {path}.")
        if summary.stopped:
            raise StoreError(summary.stopped)
        dataset = open_store(path).transpose(*names, ...)
        return dataset if store is not None else dataset.load()


@contextlib.contextmanager
def _executor(executor: str | Executor, workers: int | None, path: Path) -> Iterator[Executor]:
    if isinstance(executor, str):
        folder = path.with_name(f".{path.name}.jobs")
        with contextlib.closing(make_executor(executor, workers=workers, folder=folder)) as made:
            yield made
    elif workers is not None:
        raise ValueError("Argument `workers` must be left out for an executor, which has its own number.")
    else:
        yield executor


def _sweep_sections(
    sections: Mapping[str, Any], grid: Mapping[str, Values], path: Path, executor: Executor, options: dict[str, Any]
) -> Summary:
    """Sweep the task of a run file, given as its sections."""
    swept = {target: np.asarray(values).tolist() for target, values in grid.items()}
    # Every JSON text is a YAML text.
    text = json.dumps({**sections, "sweep": swept, "output": {"store": str(path)}}, indent=1, default=str)
    return run(parse_run_file(text, "sweep"), executor=executor, **options)


def _sweep_function(
    function: Callable[..., Any],
    axes: Sequence[SweepAxis],
    path: Path,
    executor: Executor,
    vectorize: bool | None,
    chunk_size: int | None,
    options: dict[str, Any],
) -> Summary:
    # The longest axis is the one that units have many points of.
    inner = max(axes, key=lambda axis: len(axis.values))
    outer = tuple(axis for axis in axes if axis is not inner)
    vectorized = _can_be_traced(function, axes, vectorize)
    size = min(LARGEST_UNIT, math.ceil(len(inner.values) / executor.slots)) if vectorized else 1
    if path.exists() and not options["overwrite"]:  # a store stays as it was divided, whatever executor goes on
        size = int(str(read_group(path).attrs["unit_size"]))
    layout = Layout(outer, inner.values, size, splits=True, sizes=None, axis=inner.name)
    identity = function_identity(function) | {"grid": {axis.name: list(axis.values) for axis in axes}}
    version = package_version()
    chunk = size if chunk_size is None else as_integer("chunk_size", chunk_size, minimum=1)
    work = FunctionWork(function, json.dumps(identity), layout, chunk if vectorized else 0)

    name = run_hash(identity)

    def inputs(unit: Unit) -> int:
        return input_hash(name, layout.values_at(unit), list(layout.points_of(unit)), version)

    what = Sweep(work, layout, inputs, lambda unit: 1e-3 * (unit.stop - unit.start), strict=False)
    overwrite = options.pop("overwrite")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path) as lock:
            store = open_for_run(path, layout, identity, version, text="", overwrite=overwrite)
            return fill(what, store, executor, lock, **options)
    except OSError as error:
        raise StoreError(f"The store {path} cannot be written: {error.strerror or error}.") from error


def _axes(grid: Mapping[str, Values]) -> list[SweepAxis]:
    """The grid as axes of a store."""
    axes = []
    for name, given in grid.items():
        values = np.asarray(given)
        if not name.isidentifier() or name in RESERVED:
            raise fail("grid", f"by names of parameters other than {', '.join(sorted(RESERVED))}", f"about {name!r}")
        if values.ndim != 1 or not values.size or values.dtype.kind not in "iuf" or not np.isfinite(values).all():
            raise fail("grid", "lists of finite real numbers, at least one each", f"{given} for {name!r}")
        if len(np.unique(values)) < values.size:
            raise fail("grid", "lists of different numbers", f"{given} for {name!r}")
        axes.append(SweepAxis(name, name, tuple(values.tolist())))
    if not axes:
        raise fail("grid", "about at least one parameter", grid)
    points = math.prod(len(axis.values) for axis in axes)
    if points > MOST_POINTS:
        raise fail("grid", f"of at most {MOST_POINTS} points", f"of {points} points", "Divide it.")
    return axes


def _can_be_traced(function: Callable[..., Any], axes: Sequence[SweepAxis], wanted: bool | None) -> bool:
    """Whether JAX can compile the function."""
    if wanted is False:
        return False
    point = {axis.name: jax.ShapeDtypeStruct((), np.asarray(axis.values).dtype) for axis in axes}
    try:
        result = jax.eval_shape(lambda values: function(**values), point)
    except Exception as error:
        if wanted:
            raise ValueError(f"The function cannot be traced by JAX: {type(error).__name__}: {error}") from error
        return False
    leaves = jax.tree.leaves(result)
    return bool(leaves) and all(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in leaves)
