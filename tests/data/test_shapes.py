"""How thin what is drawn in the masks is."""

import numpy as np
import pytest

from maskwright import api
from maskwright.data.shapes import area_and_border, thickness
from maskwright.files import write_image


def slow(labels, classes):
    """Pixel by pixel."""
    area, border = [0] * classes, [0] * classes
    height, width = labels.shape
    for y in range(height):
        for x in range(width):
            one = labels[y, x]
            if one == 255:
                continue
            area[one] += 1
            for other in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if 0 <= other[0] < height and 0 <= other[1] < width and labels[other] != one:
                    border[one] += 1
    return area, border


def test_areas_and_borders_are_those_counted_pixel_by_pixel():
    labels = np.random.default_rng(0).choice(np.array([0, 1, 2, 255], np.uint8), (23, 31))
    area, border = area_and_border(labels, 3)
    assert (area.tolist(), border.tolist()) == slow(labels, 3)


def test_a_strip_is_as_thick_as_it_is_wide(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(14):
        mask = np.zeros((64, 96), np.uint8)
        mask[:, 20:23] = mask[:, 60:63] = 255
        image = rng.integers(0, 255, (64, 96, 1)).astype(np.uint8)
        for folder, array in (("images", image), ("masks", mask[:, :, None])):
            (tmp_path / folder).mkdir(exist_ok=True)
            write_image(tmp_path / folder / f"{i:02}.png", array)
    seen = api.inspect(tmp_path)
    assert seen.fingerprint.thickness[1] == pytest.approx(3.0)
    assert thickness(seen.samples, []) == (None, None)
