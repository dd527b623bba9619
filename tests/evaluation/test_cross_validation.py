"""What folds say together, compared with scoring everything at once."""

import statistics

import numpy as np
import pytest

from maskwright.errors import DataError
from maskwright.evaluation.cross_validation import CrossValidation, fold_scores, pooled, spread
from maskwright.evaluation.scores import _of_image, scores_of
from maskwright.metrics import confusion_matrix

NAMES = ["ground", "cell", "never"]


def scored(images, seed=0, contests=True):
    """Per-image scores and confusions of pictures that were labelled at random."""
    rng = np.random.default_rng(seed)
    found = []
    for name in images:
        truth, said = rng.integers(0, 2, (2, 9, 7))
        confusion = confusion_matrix(said.astype(np.uint8), truth.astype(np.uint8), 3)
        own = {"salt": float(rng.uniform()) if rng.uniform() < 0.8 else None} if contests else {}
        found.append((_of_image(name, NAMES, confusion, own), confusion))
    return found


def scores(found, split="val", seen=()):
    return scores_of(split, NAMES, [image for image, _ in found], np.stack([c for _, c in found]), seen)


def test_pooled_scores_are_those_of_all_images_at_once():
    found = scored("abcdefgh")
    parts = [scores(found[:3]), scores(found[3:4], seen=["d"]), scores(found[4:])]
    assert pooled(parts) == scores(found, "out-of-fold", seen=["d"])
    assert pooled(parts).mean_iou_interval is not None


def test_an_image_that_two_folds_scored_is_refused():
    found = scored("abc")
    with pytest.raises(DataError, match="scored by two folds"):
        pooled([scores(found[:2]), scores(found[1:])])


def test_scores_of_an_earlier_version_cannot_be_pooled():
    found = [(image.model_copy(update={"pixels": ()}), confusion) for image, confusion in scored("ab")]
    with pytest.raises(DataError, match="earlier version"):
        pooled([scores(found[:1]), scores(found[1:])])


def test_mean_and_deviation_over_folds_are_those_of_the_numbers():
    parts = [scores(scored("ab", 1)), scores(scored("cd", 2)), scores(scored("ef", 3))]
    lines = [fold_scores(n, part, steps=5, seconds=1.0, ended="why") for n, part in enumerate(parts)]
    record = CrossValidation(folds=3).with_folds(lines[:2], parts[:2])
    assert record.pooled is None
    assert not record.finished
    record = record.with_folds(lines, parts)
    assert record.finished
    values = [part.mean_iou for part in parts]
    assert record.mean_iou.mean == pytest.approx(sum(values) / 3)
    assert record.mean_iou.deviation == pytest.approx(statistics.stdev(values))
    dice = [part.of("cell") for part in parts]
    assert record.classes["cell"]["dice"].mean == pytest.approx(np.mean(dice))
    assert record.classes["never"]["dice"] is None
    assert str(spread([0.5, None])) == "0.5000"
    assert spread([0.5, None]).folds == 1


def test_the_record_is_saved_and_read_again(tmp_path):
    part = scores(scored("ab"))
    line = fold_scores(0, part, steps=5, seconds=1.0, ended="why")
    record = CrossValidation(folds=1).with_folds([line], [part])
    assert CrossValidation.load(record.save(tmp_path / "cross-validation.json")) == record
