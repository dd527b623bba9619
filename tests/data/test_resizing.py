import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from maskwright.data.resizing import taps

sides = st.integers(1, 60)


@given(size=sides, to=sides, cut=st.tuples(st.floats(0, 1), st.floats(0, 1)), channels=st.integers(1, 4))
@settings(max_examples=100)
def test_a_part_resized_is_that_part_of_what_torch_resizes(size, to, cut, channels):
    image = torch.randn(channels, size, 3, generator=torch.Generator().manual_seed(0))
    whole = F.interpolate(image[None], size=(to, 3), mode="bilinear", antialias=True, align_corners=False)[0]
    start, last = sorted(int(share * (to - 1)) for share in cut)
    line = taps(size, to, "bilinear")

    found = line.resized(image[:, line.needs(start, last + 1)], 1, start, last + 1)

    torch.testing.assert_close(found, whole[:, start : last + 1], atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize(("size", "to"), [(6000, 2333), (3000, 7001)])
def test_far_from_the_border_too(size, to):
    line = taps(size, to, "bilinear")
    image = torch.randn(1, size, 2)
    whole = F.interpolate(image[None], size=(to, 2), mode="bilinear", antialias=True, align_corners=False)[0]

    found = line.resized(image[:, line.needs(to - 50, to)], 1, to - 50, to)

    torch.testing.assert_close(found, whole[:, -50:], atol=2e-6, rtol=1e-5)


@given(size=sides, to=sides)
def test_nearest_takes_the_pixel_at_each_middle(size, to):
    line = taps(size, to, "nearest")

    found = line.resized(torch.arange(float(size)), 0, 0, to) if line.needs(0, to).start == 0 else None

    expected = [(2 * i + 1) * size // (2 * to) for i in range(to)]
    np.testing.assert_array_equal(line.first, expected)
    assert found is None or found.tolist() == expected
