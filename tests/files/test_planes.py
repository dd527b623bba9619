"""Planes on disk are what arrays in memory are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.errors import ReadError
from maskwright.files import FilePlane, MemoryPlane


@given(st.data(), st.sampled_from(["uint8", "int32", "float32"]))
def test_a_plane_in_a_file_is_one_in_memory(tmp_path_factory, data, dtype):
    shape = data.draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    path = tmp_path_factory.mktemp("plane") / "plane.raw"
    memory = MemoryPlane(np.zeros(shape, dtype))
    with FilePlane.create(path, shape, dtype) as plane:
        for _ in range(4):
            rows, columns = (slice(*sorted(data.draw(st.tuples(st.integers(0, n), st.integers(0, n))))) for n in shape)
            values = rng.integers(0, 99, (rows.stop - rows.start, columns.stop - columns.start)).astype(dtype)
            plane.write(rows, columns, values)
            memory.write(rows, columns, values)
            assert np.array_equal(plane.read(rows, columns), values)
        plane.sync()
    with FilePlane.open(path, shape, dtype) as plane:
        everything = slice(0, shape[0]), slice(0, shape[1])
        assert np.array_equal(plane.read(*everything), memory.read(*everything))
        assert (plane.shape, plane.dtype) == (memory.shape, memory.dtype)


def test_a_file_of_another_length_is_no_such_plane(tmp_path):
    FilePlane.create(tmp_path / "plane.raw", (3, 4), "uint8").close()
    with pytest.raises(ReadError, match="should hold 3×5 values of uint8, 15 bytes; it has 12"):
        FilePlane.open(tmp_path / "plane.raw", (3, 5), "uint8")
    with pytest.raises(ReadError, match="is not there"):
        FilePlane.open(tmp_path / "other.raw", (3, 5), "uint8")
