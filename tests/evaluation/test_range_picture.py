import math

import numpy as np
import pytest
from PIL import Image

from maskwright.evaluation.range_picture import draw_range
from maskwright.training.range_test import RangeTest, read

RATES = [10 ** (i / 5 - 7) for i in range(41)]
VALLEY = [1.0] * 20 + [1.0 - 0.05 * i for i in range(12)] + [0.5, 0.8, 1.5, 9.0, 60.0]


def pixels(path):
    """The picture, H W 3, in numbers one can subtract."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def coloured(path, colour):
    """Which pixels have about this colour, H W."""
    return np.abs(pixels(path) - colour).sum(axis=-1) < 40


LINE, MARK = (0, 114, 178), (213, 94, 0)


def test_the_curve_and_the_suggestion_are_drawn(tmp_path):
    path = draw_range(read(RATES, VALLEY, len(RATES)), tmp_path / "lr-range.png")

    assert pixels(path).shape == (504, 864, 3)
    assert coloured(path, LINE).sum() > 1000
    assert coloured(path, MARK)[60:].sum(axis=0).max() > 300, "a line from top to bottom"
    assert [p.name for p in tmp_path.iterdir()] == ["lr-range.png"]


def test_without_a_suggestion_there_is_no_line(tmp_path):
    path = draw_range(read(RATES, [1.0] * 41, 41), tmp_path / "lr-range.png")

    marked = coloured(path, MARK)
    assert not marked[60:].any()
    assert marked[:60].sum() > 50, "it says why"


@pytest.mark.parametrize(
    "losses",
    [[math.nan], [1.0, math.inf], [0.0] * 5, [1.0] * 30 + [1e38], [-3.0] * 20 + [-4.0] * 21, [1e-9] * 41],
    ids=["none at all", "one", "zeros", "a huge last", "below zero", "tiny"],
)
def test_whatever_was_seen_can_be_drawn(losses, tmp_path):
    assert draw_range(read(RATES, losses, 41), tmp_path / "a.png").stat().st_size > 1000


def test_the_same_test_gives_the_same_picture(tmp_path):
    found = RangeTest(rates=(1e-3, 1e-2), losses=(1.0, 0.5), smoothed=(1.0, 0.6), suggestion=5e-3)

    assert draw_range(found, tmp_path / "a.png").read_bytes() == draw_range(found, tmp_path / "b.png").read_bytes()
