import numpy as np
import pytest
import zarr

from hofstadter.io.chunks import ChunkWriter, codec, read_cells


@pytest.mark.parametrize("dtype", ["f8", "f4", "c16", "i8", "i1", "u8", "b1"])
def test_zarr_reads_what_is_written_and_would_write_the_same(tmp_path, dtype, rng):
    group = zarr.create_group(str(tmp_path))
    arrays = [
        group.create_array(name, shape=(3, 5, 4), chunks=(1, 2, 4), dtype=dtype, fill_value=0, compressors=codec())
        for name in ("ours", "theirs")
    ]
    values = (100 * rng.normal(size=(1, 2, 4))).astype(dtype)
    ChunkWriter.of(arrays[0], tmp_path).write((2, 1, 0), values)
    arrays[1][2:3, 2:4] = values
    np.testing.assert_array_equal(arrays[0][...], arrays[1][...])
    ours, theirs = ((tmp_path / name / "c" / "2" / "1" / "0").read_bytes() for name in ("ours", "theirs"))
    assert ours == theirs
    assert not list(tmp_path.rglob("*.partial"))


def test_a_short_block_is_filled_up(tmp_path):
    array = zarr.create_group(str(tmp_path)).create_array("a", shape=(5,), chunks=(4,), dtype="f8", fill_value=np.nan)
    ChunkWriter.of(array, tmp_path).write((1,), np.array([7.0]))
    np.testing.assert_array_equal(array[...], [np.nan] * 4 + [7.0])


def test_arrays_of_one_number_and_of_none(tmp_path):
    group = zarr.create_group(str(tmp_path))
    one = group.create_array("one", shape=(), chunks=(), dtype="f8")
    ChunkWriter.of(one, tmp_path).write((), 3.0)
    assert one[...] == 3
    none = group.create_array("none", shape=(0, 3), chunks=(1, 3), dtype="f8")
    ChunkWriter.of(none, tmp_path).write((0, 0), np.zeros((0, 3)))
    assert not (tmp_path / "none" / "c").exists()


def test_cells_are_read_as_zarr_reads_them(tmp_path):
    array = zarr.create_group(str(tmp_path)).create_array(
        "a", shape=(3, 20), chunks=(1, 1), dtype="u8", fill_value=5, compressors=codec()
    )
    writer = ChunkWriter.of(array, tmp_path)
    for place in ((0, 0), (1, 7), (2, 19)):
        writer.write(place, 2**63 + sum(place))
    (tmp_path / "a" / "c" / "1" / "3.partial").write_bytes(b"half")
    np.testing.assert_array_equal(read_cells(array, tmp_path), array[...])
