"""Blocks from top to bottom: all of them together are what the windows say, and any later ones come out the same."""

from types import SimpleNamespace

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from maskwright.errors import SettingError
from maskwright.tiling import (
    Inside,
    Tiles,
    Whole,
    bands,
    block_rows,
    first_input_row,
    gaussian,
    plan_windows,
    spared,
)

MODES = st.sampled_from(["auto", "exact", "blend"])


def network(images):
    """Two logits, of which one hangs on where in its window a pixel lies, so that the blending shows."""
    where = torch.arange(images.shape[-1]) + 3.0 * torch.arange(images.shape[-2])[:, None]
    return torch.cat([images[:, :1], images[:, :1] * 0 + where], dim=1)


def at_once(image, reach, tiles):
    """All windows summed up over the whole picture, one by one."""
    exact, (rows, columns) = plan_windows(image.shape[1:], reach, tiles)
    total, weight = torch.zeros(2, *image.shape[1:]), torch.zeros(image.shape[1:])
    for y in rows:
        for x in columns:
            logits = network(image[None, :, y.start : y.stop, x.start : x.stop])[0]
            kept = logits[:, y.first : y.first + y.high - y.low, x.first : x.first + x.high - x.low]
            share = torch.ones(kept.shape[1:]) if exact else gaussian(kept.shape[1:])
            total[:, y.low : y.high, x.low : x.high] += kept * share
            weight[y.low : y.high, x.low : x.high] += share
    return total / weight


@given(
    size=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    window=st.tuples(st.integers(24, 60), st.integers(24, 60)),
    overlap=st.floats(0, 0.85),
    batch=st.integers(1, 4),
    mode=MODES,
    in_memory=st.sampled_from([0, 2000, 10**9]),
    data=st.data(),
)
@settings(max_examples=60)
def test_blocks_come_in_order_and_are_what_all_windows_say(size, window, overlap, batch, mode, in_memory, data):
    reach = SimpleNamespace(stride=4, before=7, after=6, margin=0, is_local=data.draw(st.booleans()))
    assume(mode != "exact" or reach.is_local)
    tiles = Tiles(window=window, overlap=overlap, batch=batch, mode=mode)
    image = torch.randn(1, 4 * size[0], 4 * size[1])
    expected = at_once(image, reach, tiles)

    found = list(bands(network, Whole(image), reach, tiles, in_memory=in_memory))

    whole = torch.full_like(expected, torch.nan)
    row, column = 0, 0
    for block in found:
        assert (block.rows.start, block.columns.start) == (row, column)
        whole[:, block.rows, block.columns] = block.values
        row, column = (row, block.columns.stop) if block.columns.stop < 4 * size[1] else (block.rows.stop, 0)
    torch.testing.assert_close(whole, expected, atol=1e-4, rtol=1e-5)
    assert sorted({block.rows.start for block in found}) == block_rows(image.shape[1:], reach, tiles)

    start = data.draw(st.integers(0, 4 * size[0] - 1))
    for block in bands(network, Whole(image), reach, tiles, start=start, in_memory=in_memory):
        assert torch.equal(block.values, whole[:, block.rows, block.columns])
        assert block.rows.start >= start


@given(start=st.integers(0, 199), mode=MODES, overlap=st.sampled_from([0.0, 0.5, 0.8]))
def test_rows_are_asked_for_from_top_to_bottom_and_none_above_the_first(start, mode, overlap):
    reach = SimpleNamespace(stride=4, before=8, after=8, margin=0, is_local=True)
    tiles = Tiles(window=(40, 40), mode=mode, overlap=overlap)
    asked = []

    class Asked(Whole):
        def window(self, rows, columns):
            asked.append(rows.start)
            return super().window(rows, columns)

    image = torch.randn(1, 200, 60)
    list(bands(network, Asked(image), reach, tiles, start=start))

    assert asked == sorted(asked)
    assert asked[0] == first_input_row((200, 60), reach, tiles, start)
    assert asked[0] >= start - 4 * 40


@pytest.mark.parametrize("mode", ["exact", "blend"])
def test_windows_without_data_are_not_computed_and_their_logits_are_0(mode):
    reach = SimpleNamespace(stride=4, before=8, after=8, margin=0, is_local=True)
    tiles = Tiles(window=(40, 40), mode=mode, batch=3)
    seen = []

    class Half(Whole):
        def window(self, rows, columns):
            return super().window(rows, columns) if columns.start >= 60 else None

    def counted(images):
        seen.append(len(images))
        return network(images)

    blocks = list(bands(counted, Half(torch.ones(1, 80, 120)), reach, tiles, classes=2))

    assert 0 < sum(seen) < len(plan_windows((80, 120), reach, tiles)[1][1]) * 9
    assert all((b.values == 0).all() for b in blocks if b.columns.stop <= 60)
    assert all((b.values[0] != 0).all() for b in blocks if b.columns.start >= 100)


@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    window=st.tuples(st.integers(24, 60), st.integers(24, 60)),
    sides=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    batch=st.integers(1, 3),
    mode=MODES,
)
@settings(max_examples=60)
def test_windows_whose_outermost_logits_are_not_kept_are_computed_without(size, window, sides, batch, mode):
    reach = SimpleNamespace(stride=4, before=sides[0], after=sides[1], margin=0, is_local=True)
    tiles = Tiles(window=window, batch=batch, mode=mode)
    image = torch.randn(1, 4 * size[0], 4 * size[1])
    margin, windows = spared(image.shape[1:], reach, tiles)
    inside, spoken = slice(margin, -margin or None), []

    def trimmed(images):
        spoken.append(len(images))
        return network(images)[..., inside, inside]

    found = bands(network, Whole(image), reach, tiles, inside=Inside(trimmed, margin) if windows else None)

    whole = at_once(image, reach, tiles)
    for block in found:
        torch.testing.assert_close(block.values, whole[:, block.rows, block.columns], atol=1e-4, rtol=1e-5)
    assert sum(spoken) == windows
    exact, (rows, columns) = plan_windows(image.shape[1:], reach, tiles)
    assert windows == exact * max(0, len(rows) - 2) * max(0, len(columns) - 2), "all but those at the border"


def test_what_cannot_be_exact_is_refused_before_anything_is_computed():
    reach = SimpleNamespace(stride=4, before=8, after=8, margin=0, is_local=False)

    with pytest.raises(SettingError, match="cannot be exact"):
        next(bands(network, Whole(torch.zeros(1, 80, 80)), reach, Tiles(window=(40, 40), mode="exact")))
