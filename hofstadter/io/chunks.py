"""Writing single chunks of zarr arrays, and reading arrays of very many.

Zarr itself takes about a millisecond of scheduling per chunk, which a sweep with many small units would spend most of
its time on. A chunk here is one Zstandard frame of little-endian numbers in C order, as the arrays' metadata say
(codecs `bytes` and `zstd` of the zarr specification, version 3).
"""

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
import zarr
import zarr.codecs
from numcodecs.zstd import Zstd

LEVEL = 3


def codec() -> zarr.codecs.ZstdCodec:
    """The compression that arrays must be created with."""
    return zarr.codecs.ZstdCodec(level=LEVEL, checksum=True)


@dataclasses.dataclass(frozen=True)
class ChunkWriter:
    """Writes chunks of one array.

    Attributes:
        folder: The array's folder.
        dims: Names of the dimensions.
        shape: Of the array.
        chunks: Of each chunk.
        dtype: Of the numbers.
        fill: What stands where there is no result.
    """

    folder: Path
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype
    fill: Any

    @staticmethod
    def of(array: zarr.Array, store: Path) -> "ChunkWriter":
        """For an array of a store."""
        dims = dimension_names(array)
        return ChunkWriter(store / array.path, dims, array.shape, array.chunks, np.dtype(array.dtype), array.fill_value)

    def write(self, place: tuple[int, ...], values: Any) -> None:
        """Write the chunk at a place, counted in chunks; where `values` is shorter than the chunk, it is filled up.

        The file appears complete or not at all: it is written under another name, then renamed.

        Raises:
            OSError: If the disk is full, say.
        """
        if 0 in self.shape:
            return
        block = np.full(self.chunks, self.fill, self.dtype)
        values = np.asarray(values)
        block[tuple(slice(length) for length in values.shape)] = values
        data = Zstd(level=LEVEL, checksum=True).encode(block.astype(self.dtype.newbyteorder("<"), copy=False))
        path = self.folder.joinpath("c", *map(str, place))
        part = path.with_name(f"{path.name}.partial")
        try:
            part.write_bytes(data)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(data)
        os.replace(part, path)


def read_cells(array: zarr.Array, store: Path) -> np.ndarray:
    """An array of a store whose every cell is a chunk of its own; what has no chunk is the fill value.

    Raises:
        OSError, RuntimeError: If a chunk cannot be read.
    """
    cells = np.full(array.shape, array.fill_value, array.dtype)
    folder = store / array.path / "c"
    decode = Zstd().decode
    for place, _, files in os.walk(folder):
        outer = tuple(map(int, Path(place).relative_to(folder).parts))
        for name in files:
            if name.isdigit():  # and not a chunk that is being written
                data = decode(Path(place, name).read_bytes())
                cells[(*outer, int(name))] = np.frombuffer(data, cells.dtype.newbyteorder("<"))[0]
    return cells


def dimension_names(array: zarr.Array) -> tuple[str, ...]:
    """The names of an array's dimensions."""
    return tuple(map(str, getattr(array.metadata, "dimension_names", None) or ()))
