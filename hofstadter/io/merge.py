"""One store from several of the same run."""

import dataclasses
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import zarr

from hofstadter.errors import StoreError
from hofstadter.io.chunks import ChunkWriter, read_cells
from hofstadter.io.identity import differences
from hofstadter.io.lock import locked
from hofstadter.io.store import ABSENT, DONE, FAILED, RECORDS, get_array, read_failures, read_group
from hofstadter.io.writer import collect_metadata


@dataclasses.dataclass(frozen=True)
class Merged:
    """What a merged store has.

    Attributes:
        units: All units of work.
        done: Those that are done.
        failed: Those that failed in every store that tried.
    """

    units: int
    done: int
    failed: int


def merge_stores(out: Path, stores: Sequence[Path]) -> Merged:
    """Join stores of the same run, with whatever each of them has; they stay as they are.

    A unit is taken from the first store that has it done, or else failed. Its files are copied as they are.

    Args:
        out: The store to make.
        stores: The stores to read.

    Raises:
        StoreError: If `out` is there, one of `stores` is no store or of another run, or `out` cannot be written.
    """
    if os.path.lexists(out):
        raise StoreError(f"{out} is there already. Give the joined store another name.")
    groups = [read_group(path) for path in stores]
    for path, group in zip(stores[1:], groups[1:], strict=True):
        _check_same_run(stores[0], groups[0], path, group)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with locked(out):
            new = out.with_name(f".{out.name}.new.partial")
            shutil.rmtree(new, ignore_errors=True)
            merged = _merge(new, stores, groups)
            os.rename(new, out)
    except OSError as error:
        raise StoreError(f"The store {out} cannot be written: {error.strerror or error}.") from error
    return merged


def _merge(new: Path, stores: Sequence[Path], groups: Sequence[zarr.Group]) -> Merged:
    tables = [
        {name: read_cells(get_array(group, name), path) for name in _tables()}
        for path, group in zip(stores, groups, strict=True)
    ]
    status = np.stack([table["unit_status"] for table in tables])
    # The first store where a unit is done, else the first where it failed.
    rank = np.select([status == DONE, status == FAILED], [0, 1], 2)
    source = np.argmin(rank, axis=0)
    joined = {name: np.choose(source, [table[name] for table in tables]) for name in _tables()}
    sessions: list[dict[str, str]] = []
    failures = []
    new.mkdir()
    shutil.copy(stores[0] / "zarr.json", new / "zarr.json")
    for number, (path, group) in enumerate(zip(stores, groups, strict=True)):
        taken = (source == number) & (joined["unit_status"] != ABSENT)
        joined["unit_session"][taken] += len(sessions)
        sessions += json.loads(str(group.attrs["provenance"]))
        messages = read_failures(group)
        failures += [
            [list(index), messages.get(index, "")] for index in _places(taken & (joined["unit_status"] == FAILED))
        ]
        _copy(new, path, group, _places(taken & (joined["unit_status"] == DONE)))
    target = zarr.open_group(str(new), mode="r+", use_consolidated=False)
    for name, table in joined.items():
        writer = ChunkWriter.of(get_array(target, name), new)
        for index in _places(joined["unit_status"] != ABSENT):
            writer.write(index, table[index])
    get_array(target, "unit_status").attrs["failures"] = json.dumps(sorted(failures))
    target.attrs["provenance"] = json.dumps(sessions)
    collect_metadata(new)
    done, failed = (int((joined["unit_status"] == code).sum()) for code in (DONE, FAILED))
    return Merged(joined["unit_status"].size, done, failed)


def _copy(new: Path, path: Path, group: zarr.Group, done: list[tuple[int, ...]]) -> None:
    """Copy the arrays that are not there yet, and the chunks of some units of all."""
    for name, array in group.arrays():
        folder = new / name
        if not folder.exists():
            folder.mkdir()
            shutil.copy(path / name / "zarr.json", folder / "zarr.json")
        if name in _tables():
            continue
        writer = ChunkWriter.of(array, path)
        if writer.dims == (name,) or name in ("p", "q"):  # labels, the same in all stores
            if (path / name / "c").exists():
                shutil.copytree(path / name / "c", folder / "c", dirs_exist_ok=True)
            continue
        for index in done:
            # Without a dimension of points, variables do not have that of units either.
            place = index if group.attrs["splits"] else index[:-1]
            chunk = Path("c", *map(str, (*place, *(0,) * (len(writer.shape) - len(place)))))
            if (path / name / chunk).exists():
                (folder / chunk).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path / name / chunk, folder / chunk)


def _tables() -> list[str]:
    return ["unit_status", *(f"unit_{name}" for name in RECORDS)]


def _places(mask: np.ndarray) -> list[tuple[int, ...]]:
    return [tuple(map(int, index)) for index in np.argwhere(mask)]


def _check_same_run(first_path: Path, first: zarr.Group, path: Path, group: zarr.Group) -> None:
    what = differences(json.loads(str(first.attrs["identity"])), json.loads(str(group.attrs["identity"])))
    what = [
        sentence.replace(" in the run file.", f" in {path}.").replace(" in the store", f" in {first_path}")
        for sentence in what
    ]
    if not what and any(first.attrs[key] != group.attrs[key] for key in ("version", "unit_size", "splits", "axis")):
        what = ["They were made by different versions of hofstadter."]
    if not what and any(not _same(first, group, name) for name in ("p", "q", str(first.attrs["axis"]))):
        what = ["Their points are not the same."]
    if what:
        listed = "\n".join(f"  {sentence}" for sentence in what)
        raise StoreError(f"The stores {first_path} and {path} belong to different runs:\n{listed}")


def _same(first: zarr.Group, group: zarr.Group, name: str) -> bool:
    return name not in first or np.array_equal(get_array(first, name)[...], get_array(group, name)[...])
