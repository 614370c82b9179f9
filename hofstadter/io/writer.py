"""Filling a store, unit by unit, safe to kill at any moment.

One unit of work is exactly one chunk of every variable. Its chunks are written first and its entry in
`unit_status` last; a chunk is written under another name and then renamed. So an entry that says "done"
stands for complete chunks, and anything else is computed again. There is one writer, which holds the store's lock,
however many processes compute: no two of them can write the same chunk, and none needs to see the store.
"""

import dataclasses
import glob
import json
import os
import shutil
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
import zarr.errors

from hofstadter.errors import Status, StoreError
from hofstadter.io.chunks import ChunkWriter, codec, read_cells
from hofstadter.io.identity import differences, run_hash
from hofstadter.io.layout import Layout, Unit
from hofstadter.io.store import (
    ABSENT,
    DONE,
    FAILED,
    FORMAT,
    RECORDS,
    STATUS_ATTRIBUTES,
    get_array,
    read_failures,
    read_group,
)

# Attributes of the group that are the store's, not the task's.
_ATTRIBUTES = (
    "hofstadter_store",
    "version",
    "task",
    "run_file",
    "identity",
    "run_hash",
    "provenance",
    "failures",
    "unit_size",
    "splits",
    "axis",
    "coordinates",
)


class Misfit(StoreError):
    """A result does not have the shape that the store has."""


@dataclasses.dataclass(frozen=True)
class Record:
    """How a unit was computed.

    Attributes:
        seconds: Wall time.
        session: Which entry of the store's `provenance` says the versions and the device.
        inputs: Hash of everything that its results depend on.
    """

    seconds: float
    session: int
    inputs: int


@dataclasses.dataclass
class Store:
    """A store open for writing; `open_for_run` gives one.

    Attributes:
        path: Its folder.
        layout: The shape of its data.
        group: The zarr group.
        unit_status: For each unit ABSENT, DONE or FAILED; the dimensions of the sweep, then the unit's number.
        failures: The messages of the units that failed, by their place in `unit_status`.
        chunks: What writes each array.
    """

    path: Path
    layout: Layout
    group: zarr.Group

    def __post_init__(self):
        """Read what the store has."""
        self.failures = read_failures(self.group)
        self.unit_status = read_cells(get_array(self.group, "unit_status"), self.path)
        self.chunks = {name: ChunkWriter.of(array, self.path) for name, array in self.group.arrays()}

    def finished(self, inputs: dict[tuple[int, ...], int]) -> np.ndarray:
        """Like `unit_status`, where a unit that was computed from other inputs is absent.

        Args:
            inputs: For each unit, by its place, the hash of what its results depend on.
        """
        status, stored = self.unit_status.copy(), read_cells(get_array(self.group, "unit_inputs"), self.path)
        for index, value in inputs.items():
            if status[index] == DONE and int(stored[index]) != value:
                status[index] = ABSENT
        return status

    def save(self, unit: Unit, result: xr.Dataset, record: Record) -> None:
        """Write the result of a unit and how it was computed, then that it is done.

        Raises:
            Misfit: If the result does not have the shape that the task announced.
            OSError: If the disk is full, say; what was saved before is intact.
        """
        self._check(unit, result)
        self._create_arrays(result)
        for name, variable in self._saved(result):
            writer = self.chunks[name]
            if variable.dims == (name,):  # a dimension's own labels, the same everywhere
                if variable.shape == writer.shape:
                    writer.write((0,), variable.values)
                continue
            place = unit.index if self.layout.splits else unit.sweep
            values = variable.values[(None,) * len(unit.sweep)]
            writer.write((*place, *(0,) * (len(writer.shape) - len(place))), values)
        if self.failures.pop(unit.index, None) is not None:
            self._write_failures()
        self._mark(unit, DONE, record)

    def fail(self, unit: Unit, message: str, record: Record) -> None:
        """Write why a unit failed, then that it did."""
        self.failures[unit.index] = message
        self._write_failures()
        self._mark(unit, FAILED, record)

    def add_provenance(self, entry: dict[str, str]) -> int:
        """Note that another process, with these versions and this device, works on the store; its number."""
        entries = json.loads(str(self.group.attrs["provenance"]))
        self.group.attrs["provenance"] = json.dumps([*entries, entry])
        return len(entries)

    def _mark(self, unit: Unit, status: int, record: Record) -> None:
        for name in RECORDS:
            self.chunks[f"unit_{name}"].write(unit.index, getattr(record, name))
        self.chunks["unit_status"].write(unit.index, status)
        self.unit_status[unit.index] = status

    def finish(self) -> None:
        """Collect the metadata of all variables in one place, where xarray looks for it first."""
        collect_metadata(self.path)

    def _write_failures(self) -> None:
        entries = [[list(index), message] for index, message in sorted(self.failures.items())]
        get_array(self.group, "unit_status").attrs["failures"] = json.dumps(entries)

    def _saved(self, result: xr.Dataset) -> Iterator[tuple[str, xr.Variable]]:
        """The variables of a result that a unit writes; the labels of all points are there from the beginning."""
        fixed = self.layout.coordinates
        return ((str(name), variable) for name, variable in result.variables.items() if name not in fixed)

    def _check(self, unit: Unit, result: xr.Dataset) -> None:
        axis, sizes = self.layout.axis, self.layout.sizes
        if self.layout.splits:
            for name, labels in self.layout.coordinates.items():
                given, asked = result[name].values.tolist(), labels[unit.start : unit.stop].tolist()
                if given != asked:
                    raise Misfit(f"The task returned {name} = {given} where {asked} was asked for.")
        for name, length in result.sizes.items():
            if sizes is None and name != axis:
                others = self._stored_length(str(name), length)
                if length != others:
                    raise Misfit(f"It returned {length} entries along `{name}`, at other points {others}.")
                continue
            room = unit.stop - unit.start if name == axis else (sizes or {}).get(str(name), -1)
            if length > room:
                raise Misfit(f"The task returned {length} entries along `{name}`, but announced {max(room, 0)}.")
        for name, variable in self._saved(result):
            if self.layout.splits and variable.dims[:1] != (axis,) and variable.dims != (name,):
                raise Misfit(f"The variable `{name}` of the task does not start with the dimension `{axis}`.")
            if sizes is None and name in self.chunks:
                array = self.chunks[name]
                if array.dtype != variable.dtype or len(array.shape) != len(variable.dims) + len(self.layout.sweep):
                    raise Misfit(
                        f"The variable `{name}` is not what it is at other points: {variable.dtype}, {variable.dims}."
                    )

    def _stored_length(self, dim: str, default: int) -> int:
        """How long a dimension is in the store; `default` where there is nothing yet."""
        lengths = (array.shape[array.dims.index(dim)] for array in self.chunks.values() if dim in array.dims)
        return next(lengths, default)

    def _create_arrays(self, result: xr.Dataset) -> None:
        """Make the arrays that are missing, of the variables of one result."""
        sweep, axis = self.layout.sweep, self.layout.axis
        lengths = {str(dim): length for dim, length in result.sizes.items()} | (self.layout.sizes or {})
        lengths[axis] = len(self.layout.points)
        for name, variable in self._saved(result):
            if name in self.chunks:
                continue
            dims = [str(dim) for dim in variable.dims]
            shape = [lengths[dim] for dim in dims]
            chunks = [self.layout.unit_size if dim == axis else lengths[dim] for dim in dims]
            if dims != [name]:
                dims = [*(axis.name for axis in sweep), *dims]
                shape = [*self.layout.sweep_shape, *shape]
                chunks = [*(1 for _ in sweep), *chunks]
            array = _create(self.group, name, shape, chunks, variable.dtype, dims, _json_attributes(variable.attrs))
            self.chunks[name] = ChunkWriter.of(array, self.path)
        known = str(self.group.attrs["coordinates"]).split()
        more = [str(name) for name in result.coords if str(name) not in (*known, *result.dims)]
        own = {key: value for key, value in _json_attributes(result.attrs).items() if key not in _ATTRIBUTES}
        attributes = {**own, "coordinates": " ".join([*known, *more])}
        if any(self.group.attrs.get(key) != value for key, value in attributes.items()):
            self.group.attrs.update(attributes)


def open_for_run(
    path: Path, layout: Layout, identity: dict[str, Any], version: str, *, text: str, overwrite: bool = False
) -> Store:
    """Open a store to go on with it, or make it. Call it under the lock of the store.

    Args:
        path: Its folder.
        layout: The shape of its data.
        identity: What the results depend on (`RunFile.identity`).
        version: Version of the package.
        text: The run file, to be kept in the store.
        overwrite: Whether to replace a store that is there.

    Raises:
        StoreError: If there is something else at `path`, or the store belongs to another run file or version.
        OSError: If it cannot be written.
    """
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        shutil.rmtree(leftover, ignore_errors=True)
    if path.exists() or path.is_symlink():
        group = read_group(path, mode="r+")
        if not overwrite:
            _check_same_run(path, group, layout, identity, version)
            for leftover in path.rglob("*.partial"):  # chunks that a killed process had not renamed yet
                leftover.unlink()
            return Store(path, layout, group)
        old = path.with_name(f".{path.name}.old.partial")
        os.rename(path, old)
        shutil.rmtree(old)
    # Made under another name, so that a store is either complete or not there.
    new = path.with_name(f".{path.name}.new.partial")
    group = zarr.create_group(str(new), zarr_format=3)
    _write_skeleton(group, layout)
    group.attrs.update(
        {
            "hofstadter_store": FORMAT,
            "version": version,
            "task": identity["task"]["name"],
            "run_file": text,
            "identity": json.dumps(identity),
            "run_hash": run_hash(identity),
            "provenance": "[]",
        }
    )
    os.rename(new, path)
    return Store(path, layout, zarr.open_group(str(path), mode="r+", use_consolidated=False))


def collect_metadata(path: Path) -> None:
    """Copy the metadata of all variables of a store to its group."""
    with warnings.catch_warnings():  # it is a convention of zarr-python and xarray, not in the zarr standard
        warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
        zarr.consolidate_metadata(str(path))


def _check_same_run(path: Path, group: zarr.Group, layout: Layout, identity: dict[str, Any], version: str) -> None:
    what = differences(json.loads(str(group.attrs["identity"])), identity)
    if group.attrs["version"] != version:
        what.append(f"hofstadter is {group.attrs['version']} in the store and {version} here.")
    if not what and (not _same_points(group, layout) or group.attrs["unit_size"] != layout.unit_size):
        what.append("The points are divided into units in another way.")
    if what:
        listed = "\n".join(f"  {sentence}" for sentence in what)
        raise StoreError(
            f"The store {path} belongs to another run:\n{listed}\n"
            "Give another `output.store`, or replace the store with --overwrite."
        )


def _same_points(group: zarr.Group, layout: Layout) -> bool:
    asked = layout.coordinates
    return asked.keys() <= set(group.array_keys()) and all(
        np.array_equal(np.asarray(get_array(group, name)[...]), labels) for name, labels in asked.items()
    )


def _write_skeleton(group: zarr.Group, layout: Layout) -> None:
    """Everything that is known before computing: coordinates and the empty table of units."""
    names = [axis.name for axis in layout.sweep]
    for name, labels in layout.coordinates.items():
        _create(group, name, labels.shape, labels.shape, labels.dtype, [layout.axis], {})[...] = labels
    if layout.axis == "flux":
        group["flux"].attrs["long_name"] = "flux quanta per cell"
    for axis in layout.sweep:
        labels = np.array(axis.values)
        _create(group, axis.name, labels.shape, labels.shape, labels.dtype, [axis.name], {"target": axis.target})[
            ...
        ] = labels
    shape = [*layout.sweep_shape, layout.units_per_place]
    tables = {"unit_status": (np.dtype(np.int8), STATUS_ATTRIBUTES)}
    tables |= {f"unit_{name}": (dtype, {"long_name": meaning}) for name, (dtype, meaning) in RECORDS.items()}
    for name, (dtype, attributes) in tables.items():
        _create(group, name, shape, [1] * len(shape), dtype, [*names, "unit"], attributes)
    others = " ".join(name for name in layout.coordinates if name != layout.axis)
    group.attrs.update(
        {"unit_size": layout.unit_size, "splits": layout.splits, "axis": layout.axis, "coordinates": others}
    )


def _create(
    group: zarr.Group,
    name: str,
    shape: Iterable[int],
    chunks: Iterable[int],
    dtype: np.dtype,
    dims: Iterable[str],
    attributes: dict[str, Any],
) -> zarr.Array:
    if dtype.kind not in "biufc":
        raise StoreError(f"The variable `{name}` of the task is of type {dtype}, which a store cannot hold.")
    fill: Any = 0
    if dtype.kind in "fc" and not name.startswith("unit_"):
        fill = np.nan
    elif name.endswith("status") and not name.startswith("unit_"):
        fill = int(Status.ABSENT)
    return group.create_array(
        name,
        shape=tuple(shape),
        chunks=tuple(max(1, length) for length in chunks),
        dtype=dtype,
        dimension_names=list(dims),
        fill_value=dtype.type(fill),
        compressors=codec(),
        attributes=attributes,
    )


def _json_attributes(attributes: dict[Any, Any]) -> dict[str, Any]:
    """Attributes as plain JSON: NumPy scalars and arrays become numbers and lists."""
    return {str(key): value.tolist() if hasattr(value, "tolist") else value for key, value in attributes.items()}
