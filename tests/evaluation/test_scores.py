"""Scores: one confusion over all pixels, absent classes said to be absent, images known by content."""

import numpy as np
import pytest
from PIL import Image

from maskwright.data.index import index
from maskwright.errors import DataError
from maskwright.evaluation import evaluate
from maskwright.inference import Prediction


class Says:
    """Stands in for a predictor: says what it is told, image by image."""

    def __init__(self, answers, samples, trained=()):
        from types import SimpleNamespace

        self.answers = iter(answers)
        self.description = SimpleNamespace(labels=samples.labels, split={"train": tuple(trained)})

    def __call__(self, image):
        return Prediction(next(self.answers), None, self.description.labels)


@pytest.fixture
def three_classes(tmp_path):
    """Two images of 4×6; the class `never` is in the list and in no mask."""
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    truth = np.zeros((2, 4, 6), np.uint8)
    truth[0, :, :3] = 1
    truth[1, 0] = 255
    for i in range(2):
        Image.fromarray(np.full((4, 6), 60 * i, np.uint8)).save(tmp_path / "images" / f"{i}.png")
        Image.fromarray(truth[i]).save(tmp_path / "masks" / f"{i}.png")
    (tmp_path / "dataset.yaml").write_text(
        "classes: {ground: 0, thing: 1, never: 2}\nignore: [255]\nsplit: {test: ['0.png'], train: ['1.png']}\n"
    )
    return index(tmp_path), truth


def test_scores_worked_out_by_hand(three_classes):
    samples, truth = three_classes
    said = truth.copy()
    said[0, 0, 0] = 0  # one pixel of the thing missed
    said[1][truth[1] == 255] = 1  # said where nothing counts
    scores = evaluate(Says(said, samples), samples, sorted(samples.samples, key=lambda s: s.name), "all")

    ground, thing, never = scores.classes
    assert thing.pixels == 12
    assert thing.predicted == 11
    assert thing.scores["iou"] == pytest.approx(11 / 12)
    assert thing.scores["dice"] == pytest.approx(22 / 23)
    assert ground.scores["iou"] == pytest.approx(30 / 31)
    assert never.absent
    assert set(never.scores.values()) == {None}
    assert scores.mean_iou == pytest.approx((11 / 12 + 30 / 31) / 2)
    assert scores.accuracy == pytest.approx(41 / 42)
    assert scores.per_image[1].dice == {"ground": 1.0, "thing": None, "never": None}
    low, high = scores.mean_iou_interval
    assert low <= scores.mean_iou <= high


def test_images_that_were_trained_on_are_named(three_classes):
    samples, truth = three_classes
    part = sorted(samples.samples, key=lambda s: s.name)
    scores = evaluate(Says(truth, samples, [part[1].content]), samples, part, "all")
    assert scores.trained_on == ("1",)


def test_an_empty_part_and_other_classes_are_refused(three_classes):
    samples, truth = three_classes
    with pytest.raises(DataError, match="--test"):
        evaluate(Says(truth, samples), samples, [], "test")
    other = samples.model_copy(
        update={"labels": samples.labels.model_copy(update={"classes": samples.labels.classes[:2]})}
    )
    with pytest.raises(DataError, match="ground, thing, never"):
        evaluate(Says(truth, samples), other, list(samples.samples), "all")
