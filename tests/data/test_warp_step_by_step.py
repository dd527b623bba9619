"""The one warp against its steps, made one after the other on an image of four times the resolution.

Flip and turn, enlargement, shear and elastic displacement each sample the whole image anew, linearly, as separate
functions would; only then is the result brought back to the crop's resolution.
"""

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.nn import functional as F

from maskwright.data.augment import Augment, draw_moves, warp
from maskwright.records import IGNORED

FINER = 4
CROP, SOURCE = (48, 40), (120, 112)
SETTINGS = Augment(flip_vertical=True, rotate=180, scale=(0.7, 1.4), shear=12, elastic=2.0)


def smooth_picture(rng):
    """Values and labels as functions of (row, column) in pixels from the middle: waves longer than ten pixels."""
    waves = rng.uniform(-0.4, 0.4, (6, 2)), rng.uniform(0, 2 * np.pi, 6)

    def values(y, x):
        return sum(np.sin(a * y + b * x + c) for (a, b), c in zip(*waves, strict=True)) / np.sqrt(3)

    return values


def seen_from_the_middle(size, finer):
    """Row and column of each pixel's middle, in coarse pixels from the image's middle."""
    return np.meshgrid(*((np.arange(n * finer) + 0.5) / finer - n / 2 for n in size), indexing="ij")


def sampled(picture, y, x, order):
    """The fine picture at places given in coarse pixels from its middle."""
    at = [v * FINER + (n - 1) / 2 for v, n in zip((y, x), picture.shape, strict=True)]
    return ndimage.map_coordinates(picture, at, order=order, mode="constant", cval=np.nan)


def one_by_one(picture, matrix, displacement_2hw, order):
    """The crop, from a fine picture: linear parts one after the other, then the displacement, then coarse pixels."""
    y, x = seen_from_the_middle(SOURCE, FINER)
    q, r = np.linalg.qr(matrix)
    scales = np.diag(np.diag(r))
    # picture(q · scales · unit p): the picture is turned (and flipped) first, then enlarged, then sheared.
    for part in (q, scales, np.linalg.inv(scales) @ r):
        picture = sampled(picture, part[1, 0] * x + part[1, 1] * y, part[0, 0] * x + part[0, 1] * y, order)
    h, w = CROP
    y, x = seen_from_the_middle(CROP, FINER)
    fine = F.interpolate(displacement_2hw[None], (h * FINER, w * FINER), mode="bilinear", align_corners=False)[
        0
    ].numpy()
    before = np.linalg.inv(matrix)
    dx, dy = (before[i, 0] * fine[0] + before[i, 1] * fine[1] for i in (0, 1))
    return sampled(picture, y + dy, x + dx, order)


@pytest.mark.parametrize("number", range(6))
def test_one_warp_is_its_steps_one_by_one_at_four_times_the_resolution(number):
    """To 2 % of the picture's deviation, 8 % at the worst pixel, and in every label that is not beside another."""
    values = smooth_picture(np.random.default_rng(number))
    coarse, fine = (values(*seen_from_the_middle(SOURCE, finer)) for finer in (1, FINER))
    image = torch.from_numpy(coarse[None, None].astype(np.float32))
    drawn = draw_moves(SETTINGS, 1, [number], 1, np.zeros((1, 2)))
    assert drawn.elastic is not None

    seen, labels, _ = warp(image, (image[:, 0] > 0).to(torch.uint8), drawn, CROP)

    displacement = F.interpolate(drawn.elastic, CROP, mode="bicubic", align_corners=True)[0]
    matrix = drawn.affine[0, :, :2].double().numpy()
    expected = one_by_one(fine, matrix, displacement, order=1)
    # A coarse pixel's middle lies between four fine ones.
    centre = expected.reshape(CROP[0], FINER, CROP[1], FINER)[:, 1:3, :, 1:3].mean(axis=(1, 3))
    inside = ~np.isnan(centre)
    assert inside.mean() > 0.6
    error = np.abs(seen[0, 0].numpy() - centre)[inside] / coarse.std()
    assert np.sqrt((error**2).mean()) < 0.02
    assert error.max() < 0.08
    counts = inside & (labels[0].numpy() != IGNORED)
    assert counts.mean() > 0.6
    # A label is that of the nearest pixel; so it may differ where the picture changes sign within one.
    clear = counts & (np.abs(centre) > 0.6 * coarse.std())
    assert clear.mean() > 0.3
    np.testing.assert_array_equal(labels[0].numpy()[clear], centre[clear] > 0)
