import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.data.moments import Moments


@given(cuts=st.lists(st.integers(0, 50), max_size=4), offset=st.sampled_from([0.0, 1e6, -300.0]))
def test_parts_combine_to_the_whole(cuts, offset):
    values = np.random.default_rng(0).normal(offset, 3, (50, 2))

    total = sum((Moments.of(part) for part in np.split(values, sorted(cuts))), Moments.of(values[:0]))

    assert total.count == 50
    np.testing.assert_allclose(total.mean, values.mean(0), rtol=1e-12)
    np.testing.assert_allclose(total.std, values.std(0), rtol=1e-9)


@pytest.mark.parametrize("values", [np.full((9, 1), 7.0), np.zeros((9, 1)), np.zeros((0, 1))])
def test_what_does_not_vary_can_be_divided_by(values):
    assert Moments.of(values).std.tolist() == [1.0]
