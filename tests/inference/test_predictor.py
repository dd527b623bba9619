"""The predictor: any image in, the answer in the image's own frame."""

import numpy as np
import pytest
import torch
from tests.inference.painting import noise, predictor
from torch.nn import functional as F

from maskwright.anysize import as_probabilities, enlarged_rows
from maskwright.errors import DataError, SettingError
from maskwright.tiling import Tiles


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (37, 53), (64, 64), (101, 3)])
@pytest.mark.parametrize("scale", [1.0, 0.5])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_any_size_comes_back_in_its_own_size_and_values(size, scale, padding):
    prediction = predictor(scale, padding=padding)(noise(*size), probabilities=True)
    assert prediction.labels.shape == prediction.mask.shape == size
    assert set(np.unique(prediction.mask)) <= {0, 10, 20}
    np.testing.assert_allclose(prediction.probabilities.sum(axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(prediction.probabilities.argmax(axis=0), prediction.labels)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("size", [(201, 187), (96, 300)])
def test_tiles_and_the_whole_image_give_the_same_logits(padding, size):
    """The promise of the README, through the predictor itself: odd sizes, random weights."""
    image = noise(*size, 1)
    whole = predictor(padding=padding, tiles=Tiles(window=(4096, 4096)))
    tiled = predictor(padding=padding, tiles=Tiles(window=(92, 100), mode="exact"))
    difference = (whole.logits(image) - tiled.logits(image)).abs().max()
    assert float(difference) <= 1e-4


def test_a_large_image_is_decided_in_bands_as_if_at_once():
    whole = noise(589, 40, 1)
    p = predictor(scale=0.5)
    at_once = F.interpolate(p.logits(whole)[None], size=whole.shape[:2], mode="bilinear", align_corners=False)[0]
    found = p(whole, probabilities=True)
    np.testing.assert_allclose(found.probabilities, as_probabilities(at_once), atol=1e-5)


@pytest.mark.parametrize(("size", "to"), [((7, 9), (20, 31)), ((7, 9), (7, 31)), ((20, 9), (5, 4)), ((1, 1), (3, 3))])
def test_enlarged_rows_are_rows_of_the_enlarged(size, to):
    logits = torch.randn(3, *size)
    everything = F.interpolate(logits[None], size=to, mode="bilinear", align_corners=False)[0]
    middle = max(1, to[0] // 2)
    parts = [enlarged_rows(logits, to, 0, middle), enlarged_rows(logits, to, middle, to[0])]
    torch.testing.assert_close(torch.cat(parts, dim=1), everything)


def test_a_single_logit_stands_for_two_classes():
    prediction = predictor(classes=1)(noise(20, 20), probabilities=True)
    assert prediction.probabilities.shape == (2, 20, 20)
    assert set(np.unique(prediction.mask)) <= {0, 10}


def test_grey_and_colour_are_brought_to_the_networks_channels():
    assert predictor(channels=3)(noise(20, 20)).labels.shape == (20, 20)
    assert predictor(channels=1)(noise(20, 20, 3)).labels.shape == (20, 20)


def test_what_does_not_fit_is_refused_by_name(tmp_path):
    p = predictor()
    with pytest.raises(DataError, match="5 channels"):
        p(noise(20, 20, 5))
    with pytest.raises(DataError, match="float32"):
        p(np.zeros((20, 20), np.float32))
    with pytest.raises(SettingError, match="H W C"):
        p(noise(2, 20, 20, 1))


def test_predicting_from_several_threads_gives_what_one_gives():
    from concurrent.futures import ThreadPoolExecutor

    p = predictor()
    images = [noise(40 + i, 50) for i in range(8)]
    alone = [p(image).labels for image in images]
    with ThreadPoolExecutor(4) as pool:
        together = [prediction.labels for prediction in pool.map(p, images)]
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_array_equal(a, b)
