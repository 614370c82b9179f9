"""A store: a zarr group that xarray opens, with the results of a run file and where they came from."""

import json
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr
import zarr

from hofstadter.errors import StoreError
from hofstadter.io.chunks import dimension_names, read_cells

FORMAT = 2
ABSENT, DONE, FAILED = 0, 1, 2
STATUS_ATTRIBUTES = {"flag_values": [ABSENT, DONE, FAILED], "flag_meanings": "absent done failed"}
RECORDS = {
    "seconds": (np.dtype(np.float64), "wall time of a unit in seconds"),
    "session": (np.dtype(np.int32), "entry of `provenance`: versions and device"),
    "inputs": (np.dtype(np.uint64), "hash of all that the results of a unit depend on"),
}
"""What is kept about each unit besides its status, as the arrays `unit_...`: type and meaning."""


def open_store(path: str | Path, *, finished_only: bool = False) -> xr.Dataset:
    """Open the results of a run, finished or not, fluxes in ascending order. Data are read when they are used.

    Args:
        path: The folder of the store.
        finished_only: Whether to leave out fluxes that are not done at every point of the sweep. The flux of
            a task that has one only stays, as a coordinate without dimension.

    Returns:
        The dataset of the task with the swept parameters as further dimensions, outermost, and

        - the variable `point_status`: 0 absent, 1 done, 2 failed;
        - the attributes `run_file` (its text), `run_hash`, `version`, and, as JSON, `identity` (all that the
          results depend on), `provenance` (versions, device and date of every session) and `failures`.

    Raises:
        StoreError: If there is no store.
    """
    group = read_group(Path(path))
    # chunks=None: plain lazy arrays, also where Dask is installed.
    dataset = xr.open_zarr(str(path), consolidated=False, chunks=None)
    axis = str(group.attrs["axis"])
    *sweep, _ = dataset["unit_status"].dims
    dataset = dataset.drop_vars(["unit_status", *(f"unit_{name}" for name in RECORDS)])
    status = read_cells(get_array(group, "unit_status"), Path(path))
    units = np.arange(dataset.sizes[axis]) // int(str(group.attrs["unit_size"]))
    dataset["point_status"] = ((*sweep, axis), status[..., units], STATUS_ATTRIBUTES)
    failures = [[list(index), message] for index, message in read_failures(group).items()]
    dataset.attrs["failures"] = json.dumps(failures)
    if not group.attrs["splits"]:
        return dataset.isel({axis: 0})
    if finished_only:
        done = (dataset["point_status"] == DONE).all(sweep)
        dataset = dataset.isel({axis: np.flatnonzero(done.values)})
    return dataset.sortby("flux") if axis == "flux" else dataset


def open_units(path: str | Path) -> xr.Dataset:
    """What a store knows about each unit of work: status, wall time, session and hash of the inputs.

    Raises:
        StoreError: If there is no store.
    """
    group = read_group(Path(path))
    arrays = {name: get_array(group, name) for name in ("unit_status", *(f"unit_{name}" for name in RECORDS))}
    return xr.Dataset({name: (dimension_names(array), read_cells(array, Path(path))) for name, array in arrays.items()})


def read_group(path: Path, mode: Literal["r", "r+"] = "r") -> zarr.Group:
    """Open the zarr group of a store, for reading or (r+) for reading and writing.

    Raises:
        StoreError: If there is none, or it was not made by this package.
    """
    if not path.exists():
        raise StoreError(f"There is no store {path}.")
    try:
        group = zarr.open_group(str(path), mode=mode, use_consolidated=False)
    except (OSError, ValueError, KeyError) as error:
        raise StoreError(f"{path} is not a store of hofstadter (no zarr group can be read there).") from error
    if group.attrs.get("hofstadter_store") != FORMAT:
        raise StoreError(f"{path} is not a store of hofstadter, or one of another version.")
    return group


def get_array(group: zarr.Group, name: str) -> zarr.Array:
    """An array of a group."""
    array = group[name]
    assert isinstance(array, zarr.Array)
    return array


def read_failures(group: zarr.Group) -> dict[tuple[int, ...], str]:
    """The messages of the units that failed, by their place in `unit_status`."""
    entries = json.loads(str(get_array(group, "unit_status").attrs.get("failures", "[]")))
    return {tuple(index): message for index, message in entries}
