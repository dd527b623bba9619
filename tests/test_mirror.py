import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from maskwright.mirror import mirror_indices


@given(size=st.integers(2, 9), before=st.integers(0, 30), after=st.integers(0, 30))
def test_the_mirror_is_what_numpy_pads_with(size, before, after):
    expected = np.pad(np.arange(size), (before, after), mode="reflect")
    np.testing.assert_array_equal(mirror_indices(-before, size + after, size), expected)


def test_one_pixel_alone_is_repeated():
    assert mirror_indices(-3, 4, 1).tolist() == [0] * 7


@given(size=st.integers(1, 9), start=st.integers(-40, 40), length=st.integers(0, 20))
def test_a_span_that_lies_anywhere_is_a_part_of_the_whole_mirror(size, start, length):
    whole = mirror_indices(-40, 60, size)
    np.testing.assert_array_equal(mirror_indices(start, start + length, size), whole[start + 40 : start + 40 + length])
