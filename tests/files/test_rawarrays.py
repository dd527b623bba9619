import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from maskwright.errors import ReadError
from maskwright.files import rawarrays
from maskwright.files.rawarrays import RawArray


@given(
    shape=hnp.array_shapes(min_dims=1, max_dims=4, max_side=7),
    dtype=st.sampled_from(["uint8", ">i2", "<f4"]),
    fortran=st.booleans(),
    block=st.sampled_from([1, 8, 40, 2**20]),
    data=st.data(),
)
def test_a_part_is_what_slicing_the_whole_gives(shape, dtype, fortran, block, data):
    array = np.arange(np.prod(shape)).astype(dtype).reshape(shape, order="F" if fortran else "C")
    ends = [sorted(data.draw(st.tuples(st.integers(0, size), st.integers(0, size)))) for size in shape]
    part = tuple(slice(*end) for end in ends)
    file = io.BytesIO(b"head" + array.tobytes("F" if fortran else "C"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rawarrays, "BLOCK", block)
        found = RawArray(file, 4, shape, np.dtype(dtype), fortran).take(part)

    np.testing.assert_array_equal(found, array[part])


def test_what_lies_far_from_the_part_is_not_read():
    class Counting(io.BytesIO):
        count = 0

        def read(self, size=-1):
            self.count += size
            return super().read(size)

    file = Counting(bytes(64 * 2**20))
    RawArray(file, 0, (64, 1024, 1024), np.dtype("uint8")).take((slice(3, 5), slice(10, 20), slice(0, 9)))

    assert file.count < 4 * 2**20


def test_an_end_that_is_missing_is_told():
    with pytest.raises(ReadError, match="cut short"):
        RawArray(io.BytesIO(bytes(99)), 0, (10, 10), np.dtype("uint8")).take((slice(0, 10), slice(0, 10)))
