"""Filling a store, unit by unit, safe to kill at any moment.

One unit of work is exactly one chunk of every variable. Its chunks are written first and its entry in
`unit_status` last; zarr writes a chunk under another name and then renames it. So an entry that says "done"
stands for complete chunks, and anything else is computed again.
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
import zarr.codecs
import zarr.errors

from hofstadter.errors import Status, StoreError
from hofstadter.io.identity import differences, run_hash
from hofstadter.io.layout import Layout, Unit
from hofstadter.io.store import (
    DONE,
    FAILED,
    FORMAT,
    STATUS_ATTRIBUTES,
    get_array,
    read_failures,
    read_group,
)

# Coordinates of the dimension `flux`, written when the store is made.
_AXIS = ("flux", "p", "q")
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
    "coordinates",
)


@dataclasses.dataclass(frozen=True)
class Store:
    """A store open for writing; `open_for_run` gives one.

    Attributes:
        path: Its folder.
        layout: The shape of its data.
        group: The zarr group.
    """

    path: Path
    layout: Layout
    group: zarr.Group

    @property
    def unit_status(self) -> np.ndarray:
        """For each unit ABSENT, DONE or FAILED; the dimensions of the sweep, then the unit's number."""
        return np.asarray(get_array(self.group, "unit_status")[...])

    @property
    def failures(self) -> dict[tuple[int, ...], str]:
        """The messages of the units that failed, by their place in `unit_status`."""
        return read_failures(self.group)

    def save(self, unit: Unit, result: xr.Dataset) -> None:
        """Write the result of a unit, then that it is done.

        Raises:
            StoreError: If the result does not have the shape that the task announced.
            OSError: If the disk is full, say; what was saved before is intact.
        """
        self._check(unit, result)
        self._create_arrays(result)
        for name, variable in _saved(result):
            array = get_array(self.group, name)
            if variable.dims == (name,):  # a dimension's own labels, the same everywhere
                if variable.shape == array.shape:
                    array[...] = variable.values
                continue
            sweep = len(unit.sweep)
            rows = (slice(unit.start, unit.stop),) if self.layout.splits else ()
            lengths = (*(row.stop - row.start for row in rows), *array.shape[sweep + len(rows) :])
            block = np.full(lengths, array.fill_value, dtype=array.dtype)
            block[tuple(slice(length) for length in variable.shape)] = variable.values
            array[(*(slice(i, i + 1) for i in unit.sweep), *rows, ...)] = block[(None,) * sweep]
        failures = self.failures
        if failures.pop(unit.index, None) is not None:
            self._write_failures(failures)
        get_array(self.group, "unit_status")[unit.index] = DONE

    def fail(self, unit: Unit, message: str) -> None:
        """Write why a unit failed, then that it did."""
        self._write_failures({**self.failures, unit.index: message})
        get_array(self.group, "unit_status")[unit.index] = FAILED

    def add_provenance(self, entry: dict[str, str]) -> None:
        """Note that another session, with these versions and this device, works on the store."""
        entries = json.loads(str(self.group.attrs["provenance"]))
        self.group.attrs["provenance"] = json.dumps([*entries, entry])

    def finish(self) -> None:
        """Collect the metadata of all variables in one place, where xarray looks for it first."""
        with warnings.catch_warnings():  # it is a convention of zarr-python and xarray, not in the zarr standard
            warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
            zarr.consolidate_metadata(str(self.path))

    def _write_failures(self, failures: dict[tuple[int, ...], str]) -> None:
        entries = [[list(index), message] for index, message in sorted(failures.items())]
        get_array(self.group, "unit_status").attrs["failures"] = json.dumps(entries)

    def _check(self, unit: Unit, result: xr.Dataset) -> None:
        asked = [(flux.p, flux.q) for flux in self.layout.fluxes[unit.start : unit.stop]]
        if self.layout.splits:
            given = list(zip(result["p"].values.tolist(), result["q"].values.tolist(), strict=True))
            if given != asked:
                raise StoreError(f"The task returned the fluxes {given} where {asked} were asked for.")
        for name, length in result.sizes.items():
            room = unit.stop - unit.start if name == "flux" else self.layout.sizes.get(str(name), -1)
            if length > room:
                raise StoreError(f"The task returned {length} entries along `{name}`, but announced {max(room, 0)}.")
        for name, variable in _saved(result):
            if self.layout.splits and variable.dims[:1] != ("flux",) and variable.dims != (name,):
                raise StoreError(f"The variable `{name}` of the task does not start with the dimension `flux`.")

    def _create_arrays(self, result: xr.Dataset) -> None:
        """Make the arrays that are missing, of the variables of one result."""
        sweep, sizes = self.layout.sweep, {**self.layout.sizes, "flux": len(self.layout.fluxes)}
        for name, variable in _saved(result):
            if name in self.group:
                continue
            dims = [str(dim) for dim in variable.dims]
            shape = [sizes[dim] for dim in dims]
            chunks = [self.layout.unit_size if dim == "flux" else sizes[dim] for dim in dims]
            if dims != [name]:
                dims = [*(axis.name for axis in sweep), *dims]
                shape = [*self.layout.sweep_shape, *shape]
                chunks = [*(1 for _ in sweep), *chunks]
            _create(self.group, name, shape, chunks, variable.dtype, dims, _json_attributes(variable.attrs))
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


def _saved(result: xr.Dataset) -> Iterator[tuple[str, xr.Variable]]:
    """The variables of a result that a unit writes."""
    return ((str(name), variable) for name, variable in result.variables.items() if name not in _AXIS)


def _check_same_run(path: Path, group: zarr.Group, layout: Layout, identity: dict[str, Any], version: str) -> None:
    what = differences(json.loads(str(group.attrs["identity"])), identity)
    if group.attrs["version"] != version:
        what.append(f"hofstadter is {group.attrs['version']} in the store and {version} here.")
    stored = [np.asarray(get_array(group, name)[...]) for name in ("p", "q")]
    fluxes = [[flux.p for flux in layout.fluxes], [flux.q for flux in layout.fluxes]]
    if not what and (not np.array_equal(stored, fluxes) or group.attrs["unit_size"] != layout.unit_size):
        what.append("The fluxes are divided into units in another way.")
    if what:
        listed = "\n".join(f"  {sentence}" for sentence in what)
        raise StoreError(
            f"The store {path} belongs to another run:\n{listed}\n"
            "Give another `output.store`, or replace the store with --overwrite."
        )


def _write_skeleton(group: zarr.Group, layout: Layout) -> None:
    """Everything that is known before computing: coordinates and the empty table of units."""
    names = [axis.name for axis in layout.sweep]
    fluxes = layout.fluxes
    values = {
        "flux": np.array([float(flux) for flux in fluxes]),
        "p": np.array([flux.p for flux in fluxes]),
        "q": np.array([flux.q for flux in fluxes]),
    }
    for name, data in values.items():
        _write(group, name, data, ["flux"])
    group["flux"].attrs["long_name"] = "flux quanta per cell"
    for axis in layout.sweep:
        _write(group, axis.name, np.array(axis.values), [axis.name])
        group[axis.name].attrs["target"] = axis.target
    shape = [*layout.sweep_shape, layout.units_per_point]
    _create(group, "unit_status", shape, [1] * len(shape), np.dtype(np.int8), [*names, "unit"], STATUS_ATTRIBUTES)
    group.attrs.update({"unit_size": layout.unit_size, "splits": layout.splits, "coordinates": "p q"})


def _write(group: zarr.Group, name: str, data: np.ndarray, dims: list[str]) -> None:
    _create(group, name, data.shape, data.shape, data.dtype, dims, {})
    get_array(group, name)[...] = data


def _create(
    group: zarr.Group,
    name: str,
    shape: Iterable[int],
    chunks: Iterable[int],
    dtype: np.dtype,
    dims: Iterable[str],
    attributes: dict[str, Any],
) -> None:
    if dtype.kind not in "bifc":
        raise StoreError(f"The variable `{name}` of the task is of type {dtype}, which a store cannot hold.")
    fill: Any = 0
    if dtype.kind in "fc":
        fill = np.nan
    elif name.endswith("status") and name != "unit_status":
        fill = int(Status.ABSENT)
    group.create_array(
        name,
        shape=tuple(shape),
        chunks=tuple(max(1, length) for length in chunks),
        dtype=dtype,
        dimension_names=list(dims),
        fill_value=dtype.type(fill),
        compressors=zarr.codecs.ZstdCodec(level=3, checksum=True),
        attributes=attributes,
    )


def _json_attributes(attributes: dict[Any, Any]) -> dict[str, Any]:
    """Attributes as plain JSON: NumPy scalars and arrays become numbers and lists."""
    return {str(key): value.tolist() if hasattr(value, "tolist") else value for key, value in attributes.items()}
