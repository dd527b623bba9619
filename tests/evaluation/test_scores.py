"""Scores: one confusion over all pixels, absent classes said to be absent, images known by content."""

import numpy as np
import pytest
from PIL import Image

from maskwright.data.index import Samples, index
from maskwright.errors import DataError, SettingError
from maskwright.evaluation import Scores, evaluate
from maskwright.evaluation.scores import contest_rows
from maskwright.inference import Prediction
from maskwright.metrics import image_metrics


class Says:
    """Stands in for a predictor: says what it is told, image by image."""

    def __init__(self, answers, samples, trained=()):
        from types import SimpleNamespace

        self.answers = iter(answers)
        self.description = SimpleNamespace(labels=samples.labels, split={"train": tuple(trained)})

        self.asked = []

    def __call__(self, image, *, probabilities=False):
        self.asked.append(probabilities)
        labels = next(self.answers)
        classes = self.description.labels
        shares = np.float32(labels == np.arange(classes.count)[:, None, None]) if probabilities else None
        return Prediction(labels, shares, classes)


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


# -------------------------------------------------------------------------------------------------------- contests


@pytest.fixture
def things(tmp_path):
    """Three test images of 6×8 with two classes: a thing of 12 pixels, one of 6 and none; and their labels."""
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    truth = np.zeros((4, 6, 8), np.uint8)  # the fourth is one to train on
    truth[0, 1:4, 1:5] = truth[1, 2:4, 2:5] = 1
    for i in range(4):
        Image.fromarray(np.full((6, 8), 60 * i, np.uint8)).save(tmp_path / "images" / f"{i}.png")
        Image.fromarray(truth[i]).save(tmp_path / "masks" / f"{i}.png")
    (tmp_path / "dataset.yaml").write_text(
        "classes: {ground: 0, thing: 1}\nsplit: {test: ['[012].png'], train: ['3.png']}\n"
    )
    return index(tmp_path), truth[:3]


def test_contest_scores_are_means_over_the_images_that_have_one(things, tmp_path):
    samples, truth = things
    said = truth.copy()
    said[0, 1, 1] = 0  # IoU 11/12: above 0.50 … 0.90
    scores = evaluate(Says(said, samples), samples, samples.part("test"), "test", metrics=["salt", "rand_error"])

    assert [image.contests["salt"] for image in scores.per_image] == pytest.approx([0.9, 1, 1])
    assert scores.contests["salt"] == pytest.approx(2.9 / 3)
    own = [image.contests["rand_error"] for image in scores.per_image]
    assert own[2] is None, "there is no foreground that could stay together"
    assert scores.contests["rand_error"] == pytest.approx((own[0] + 0) / 2)
    low, high = scores.contests_interval["salt"]
    assert low == pytest.approx(0.9)
    assert low <= scores.contests["salt"] <= high <= 1
    assert Scores.load(scores.save(tmp_path / "scores.json")) == scores


def test_the_interval_of_a_contest_score_is_that_of_a_mean_over_images_drawn_anew(things):
    samples, truth = things
    said = truth.copy()
    said[1, 2, 2:4] = 0
    scores = evaluate(Says(said, samples), samples, samples.part("test"), "test", metrics=["salt"])
    values = np.array([image.contests["salt"] for image in scores.per_image])
    draws = np.random.default_rng(1).integers(0, 3, (4000, 3))

    expected = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
    np.testing.assert_allclose(scores.contests_interval["salt"], expected, atol=1e-9)


def test_where_no_image_has_a_score_there_is_none_and_one_image_has_no_interval(things):
    samples, truth = things
    metrics = ["v_rand", "salt"]
    scores = evaluate(Says(truth[2:], samples), samples, samples.part("test")[2:], "test", metrics=metrics)

    assert scores.contests == {"v_rand": None, "salt": 1.0}
    assert scores.contests_interval == {"v_rand": None, "salt": None}


def test_probabilities_are_made_only_for_metrics_that_use_them(things):
    samples, truth = things
    for metrics, asked in (((), False), (("salt", "dsb2018"), False), (("salt", "pixel_error"), True)):
        says = Says(truth, samples)
        scores = evaluate(says, samples, samples.part("test"), "test", metrics=metrics)
        assert says.asked == [asked] * 3
        assert set(scores.contests) == set(scores.contests_interval) == set(metrics)
    assert scores.contests["pixel_error"] == 0


def test_true_objects_are_read_where_the_data_have_them_and_a_metric_uses_them(things):
    class Numbered(Samples):
        """Samples that tell the left half of each thing from its right half."""

        def objects_of(self, sample):
            asked.append(sample.name)
            if sample.name == "1":
                return None
            return self.labels_of(sample).astype(np.int32) * np.repeat([1, 2], [3, 5]).astype(np.int32)

    asked = []
    samples, truth = things
    numbered = Numbered(**{name: getattr(samples, name) for name in Samples.model_fields})
    evaluate(Says(truth, samples), numbered, numbered.part("test"), "test", metrics=["salt"])
    assert asked == []

    scores = evaluate(Says(truth, samples), numbered, numbered.part("test"), "test", metrics=["dsb2018"])
    assert sorted(asked) == ["0", "1", "2"]
    assert [image.contests["dsb2018"] for image in scores.per_image] == [0, 1, 1]


def test_separated_objects_are_scored_where_the_data_tell_true_ones_apart(things):
    class Numbered(Samples):
        """Samples that tell the left half of each thing from its right half, but for one image."""

        def objects_of(self, sample):
            return None if sample.name == "1" else halves(self.labels_of(sample))

    def halves(labels_HW):
        return labels_HW.astype(np.int32) * np.repeat([1, 2], [3, 5]).astype(np.int32)

    def separate(prediction):
        parted.append(prediction)
        return halves(prediction.labels)

    parted = []
    samples, truth = things
    numbered = Numbered(**{name: getattr(samples, name) for name in Samples.model_fields})
    metrics = ["dsb2018", "ap", "salt"]
    scores = evaluate(Says(truth, samples), numbered, numbered.part("test"), "test", metrics=metrics, separate=separate)

    assert [image.contests["dsb2018"] for image in scores.per_image] == [1, 1, 1]
    assert scores.contests["ap"] == 1
    assert len(parted) == 2
    evaluate(Says(truth, samples), numbered, numbered.part("test"), "test", metrics=["salt"], separate=separate)
    assert len(parted) == 2, "only metrics that look at objects need them"


def test_an_unknown_metric_is_refused_before_any_image_is_read(things):
    samples, truth = things
    says = Says(truth, samples)

    with pytest.raises(SettingError, match=r"no image metric called 'slat'\. Did you mean 'salt'"):
        evaluate(says, samples, samples.part("test"), "test", metrics=["salt", "slat"])
    assert says.asked == []


def test_contest_scores_are_written_for_people(things):
    samples, truth = things
    said = truth.copy()
    said[0, 1, 1] = 0
    metrics = ["salt", "rand_error", "warping_error"]
    scores = evaluate(Says(said, samples), samples, samples.part("test"), "test", metrics=metrics)
    small = {"contests": {"warping_error": 0.000353, "gone": None}, "contests_interval": {"gone": None}}

    rows = {name: (value, remark) for name, value, remark in contest_rows(scores)}
    assert list(rows) == metrics
    assert rows["salt"] == ("0.9667", "95 % interval 0.9000 … 1.0000")
    assert rows["rand_error"][1].endswith("smaller is better, applies to 2 of 3 images")
    assert "gone" not in image_metrics.names()
    assert contest_rows(scores.model_copy(update=small)) == [
        ("warping_error", "0.000353", "smaller is better"),
        ("gone", "–", "applies to 0 of 3 images"),
    ]


def test_scores_of_before_there_were_contests_still_load(things):
    samples, truth = things
    plain = evaluate(Says(truth, samples), samples, samples.part("test"), "test").plain()
    for part in (plain, *plain["per_image"]):
        del part["contests"]
    del plain["contests_interval"]

    assert Scores.read(plain).contests == {}
