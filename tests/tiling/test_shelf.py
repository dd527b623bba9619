import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maskwright.tiling import Shelf

sides = st.lists(st.integers(1, 6), min_size=1, max_size=4)


@given(heights=sides, widths=sides, in_memory=st.sampled_from([0, 100, 10**9]), data=st.data())
def test_any_cut_of_what_was_put_is_taken_again(heights, widths, in_memory, data):
    height, width = sum(heights), sum(widths)
    image = torch.randn(2, height, width)
    with Shelf(in_memory=in_memory) as shelf:
        for down, across in itertools.product(spans(heights), spans(widths)):
            shelf.put(down, across, image[:, down, across])
        top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
        cut = slice(top, data.draw(st.integers(top + 1, height))), slice(left, data.draw(st.integers(left + 1, width)))

        assert torch.equal(shelf.fill(torch.zeros_like(image[:, *cut]), *cut), image[:, *cut])


def spans(lengths):
    stops = list(itertools.accumulate(lengths))
    return [slice(stop - n, stop) for n, stop in zip(lengths, stops, strict=True)]


@pytest.mark.parametrize("in_memory", [0, 10**9])
def test_what_is_dropped_is_gone_and_its_room_is_used_again(in_memory):
    shelf = Shelf(in_memory=in_memory)
    for row in range(0, 40, 2):
        for left in (0, 3):
            shelf.put(slice(row, row + 2), slice(left, left + 3), torch.full((1, 2, 3), float(row)))
        assert shelf.fill(torch.zeros(1, 2, 6), slice(row, row + 2), slice(0, 6)).unique().tolist() == [row]
        shelf.drop(row)
        assert len(shelf) == 2
    assert shelf.fill(torch.full((1, 2, 6), 7.0), slice(0, 2), slice(0, 6)).unique().tolist() == [7]
    assert shelf._end <= 4 * 2 * 3 * 4
    shelf.close()
