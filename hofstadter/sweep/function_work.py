"""Computing a function of parameters, point by point or as one compiled program, and what its results depend on."""

import dataclasses
import functools
import hashlib
import inspect
import pickle
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import xarray as xr

from hofstadter.eigensolver._threads import single_threaded_blas
from hofstadter.eigensolver.pieces import in_pieces, padded, within_memory
from hofstadter.errors import Status
from hofstadter.io.layout import Layout, Point, Unit
from hofstadter.sweep.work import Progress


@dataclasses.dataclass(frozen=True)
class FunctionWork:
    """A function of the axes of a layout.

    Attributes:
        function: The function.
        identity: What it is; equal identities share compiled programs.
        layout: Its parameters: the sweep's, then the points'.
        chunk: How many points a compiled program works on together; zero to call the function point by point.
    """

    function: Callable[..., Any] = dataclasses.field(compare=False)
    identity: str
    layout: Layout = dataclasses.field(compare=False)
    chunk: int

    def compute(self, unit: Unit, points: Sequence[Point], progress: Progress | None) -> xr.Dataset:
        """Compute some points along the inner axis."""
        values, axis = self.layout.values_at(unit), self.layout.axis
        if self.chunk:
            columns = {name: np.full(len(points), value) for name, value in values.items()}
            results = self._compiled({**columns, axis: np.asarray(points)})
            datasets = [_as_dataset(results, axis)]
        else:
            datasets = [_as_dataset(self.function(**values, **{axis: point}), None) for point in points]
            datasets = [data.expand_dims(axis) for data in datasets]
        if progress is not None:
            progress(len(points))
        dataset = datasets[0] if len(datasets) == 1 else xr.concat(datasets, axis)
        return dataset.assign_coords({axis: np.array([float(point) for point in points])})

    def _compiled(self, columns: dict[str, np.ndarray]) -> Any:
        """All points through one program; the last unit is filled up to the size of the others."""
        count = len(next(iter(columns.values())))
        size = self.layout.unit_size
        with single_threaded_blas():
            results, _ = within_memory(functools.partial(_program(self), padded(columns, size)), min(self.chunk, size))
        return jax.tree.map(lambda x: np.asarray(x)[:count], results)

    def __getstate__(self) -> dict[str, Any]:
        """Functions that stand in no module travel by cloudpickle, where it is installed."""
        try:
            import cloudpickle as pickler
        except ImportError:
            pickler = pickle
        try:
            function = pickler.dumps(self.function)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            hint = "Define it at the top of a module, or install cloudpickle."
            raise ValueError(f"The function cannot be sent to other processes ({error}). {hint}") from None
        return {**self.__dict__, "function": function}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Arrive in another process."""
        self.__dict__.update(state | {"function": pickle.loads(state["function"])})


@functools.lru_cache(maxsize=16)
def _program(work: FunctionWork) -> Callable[[dict[str, np.ndarray], int], Any]:
    def all_points(columns: dict[str, jax.Array], size: int) -> Any:
        return in_pieces(lambda values: work.function(**values), columns, size)

    return jax.jit(all_points, static_argnums=1)


def _as_dataset(result: Any, axis: str | None) -> xr.Dataset:
    """The result at one point, or of many along `axis`, as a dataset."""
    if isinstance(result, xr.DataArray):
        result = result.to_dataset(name=result.name or "value")
    if isinstance(result, xr.Dataset):
        return result.reset_coords([name for name in result.coords if name not in result.dims])
    named = result if isinstance(result, Mapping) else {"value": result}
    variables, first = {}, [] if axis is None else [axis]
    finite = np.bool_(True)
    for name, values in named.items():
        array = np.asarray(values)
        if array.dtype.kind not in "biufc":
            raise TypeError(
                f"The function returned {type(values).__name__} for {name!r}, which is no array of numbers."
            )
        dims = [*first, *(f"{name}_{number}" for number in range(array.ndim - len(first)))]
        variables[str(name)] = (dims, array)
        finite = finite & np.isfinite(array).all(axis=tuple(range(len(first), array.ndim)))
    if "status" not in variables:
        status = np.where(finite, int(Status.OK), int(Status.NOT_FINITE)).astype(np.int32)
        variables["status"] = (first, status)
    return xr.Dataset(variables)


def function_identity(function: Callable[..., Any]) -> dict[str, Any]:
    """What the results of a function depend on, as far as it can be seen: its source, and the numbers it refers to."""
    given: dict[str, Any] = {}
    while isinstance(function, functools.partial):
        given |= {str(number): value for number, value in enumerate(function.args)} | function.keywords
        function = function.func
    name = getattr(function, "__qualname__", type(function).__name__)
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        source = ""
    try:
        seen = inspect.getclosurevars(function)
        given |= {**seen.globals, **seen.nonlocals}
    except TypeError:
        given |= {"self": function}
    digests = {key: digest for key, value in sorted(given.items()) if (digest := _digest(value))}
    return {
        "task": {"name": name},
        "function": {"source": hashlib.sha256(source.encode()).hexdigest()[:16], "refers_to": digests},
    }


def _digest(value: Any) -> str:
    """A short name of numbers, text, arrays, and models made of them; empty for anything else."""
    leaves, structure = jax.tree.flatten(value)
    plain = (bool, int, float, complex, str, np.ndarray, np.generic, jax.Array)
    if not all(isinstance(leaf, plain) for leaf in leaves):
        return ""
    digest = hashlib.sha256(str(structure).encode())
    for leaf in leaves:
        array = np.asarray(leaf)
        digest.update(f"{array.dtype.str}{array.shape}".encode() + array.tobytes())
    return digest.hexdigest()[:16]
