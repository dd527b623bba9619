"""Objects of two classes that touch, from masks of classes and numbers to files of objects, each of one class."""

import csv
import json

import numpy as np
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner

import maskwright
from maskwright import api
from maskwright.cli import app
from maskwright.data.index import Samples
from maskwright.data.learned_objects import LearnedObjects, ObjectSettings
from maskwright.evaluation import Scores
from maskwright.files import read_mask
from maskwright.inference import Predictor, many
from maskwright.inference.inputs import expanded
from maskwright.inference.one import Asked
from maskwright.inference.outputs import wanted
from maskwright.plan import Plan
from maskwright.tiling import Tiles
from maskwright.training.prepare import prepare


def painted(folder, count=8):
    """Rows of discs that touch: dark ones are cats, light ones dogs; a mask's value is 1000 · class + number."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:40, :48]
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for i in range(count):
        away = np.stack([np.hypot(y - 20 - rng.uniform(-3, 3), x - at) for at in (8, 20, 32, 42)])
        number = np.where(away.min(0) < 7, away.argmin(0) + 1, 0)
        kinds = np.array([0, 1, 1, 2, 2])[number]
        seam = np.abs(np.diff(np.sort(away, axis=0)[:2], axis=0)[0]) < 3
        light = 40 + np.array([0, 60, 130])[kinds] + 60 * seam * (number > 0)
        image = np.clip(light + rng.normal(0, 5, light.shape), 0, 255).astype(np.uint8)
        Image.fromarray(image).save(folder / "images" / f"{i}.png")
        Image.fromarray((1000 * kinds + number).astype(np.uint16)).save(folder / "masks" / f"{i}.png")
    (folder / "dataset.yaml").write_text("instances: 1000\nclasses: {background: 0, cat: 1, dog: 2}\n")
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory, tiny):
    """A folder: data, and run, which learned borders for a dozen steps; not to be changed."""
    home = tmp_path_factory.mktemp("classes")
    settings = {**tiny, "training.budget": {"steps": 12}, "device.threads": 1, "objects": "border"}
    painted(home / "discs")
    api.train(home / "discs", out=home / "run", device="cpu", settings=settings, test=["[01].png"])
    return home


def test_unasked_objects_that_touch_their_like_are_taken_apart_by_distance(home):
    plan = api.plan(api.inspect(home / "discs"), device="cpu")

    assert plan.objects == ObjectSettings(how="distance")
    assert plan.model.classes == 3
    assert plan.reasons["objects"].startswith("100% of the objects touch another")


def test_one_class_more_is_learned_of_objects_of_both(home):
    about = maskwright.load(home / "run" / "model.safetensors").description
    assert (about.labels.objects, about.labels.names) == (LearnedObjects(kind="border"), ["background", "cat", "dog"])
    plan, samples = Plan.load(home / "run" / "plan.yaml"), Samples.load(home / "run" / "samples.json")
    assert plan.model.classes == 4

    job = prepare(home / "again", samples, plan)

    assert job.classes == ("background", "cat", "dog", "object border")
    for i, sample in enumerate(samples.part("train")):
        marked = LearnedObjects(kind="border").marked(samples.objects_of(sample))
        np.testing.assert_array_equal(job.crops.cache.labels(i), np.where(marked, 3, samples.labels_of(sample)))


def test_scores_and_the_report_are_of_the_masks_classes_and_of_each_ones_objects(home):
    model = home / "run" / "model.safetensors"
    scores = maskwright.evaluate(model, home / "discs", split="test", metrics=["ap50", "pq"])

    assert np.array(scores.confusion).shape == (3, 3)
    assert list(scores.contests) == ["ap50", "ap50 of cat", "ap50 of dog", "pq", "pq of cat", "pq of dog"]
    held_out = Scores.load(home / "run" / "scores-val.json")
    assert [one.name for one in held_out.classes] == ["background", "cat", "dog"]
    assert "object border" in CliRunner().invoke(app, ["show", str(model)]).output


OUTPUTS = ("mask", "objects", "coco", "labelme", "measurements", "probabilities", "geojson")


class Marking(Predictor):
    """Says the truth of a painted picture, borders and all, in bands of seven rows."""

    def __init__(self, of, truth_HW, marked_HW):
        self.__dict__ = of.__dict__ | {"truth": (truth_HW, marked_HW)}

    def stream(self, scene, *, start=0):
        labels_HW, marked_HW = self.truth
        for band in super().stream(scene, start=start):
            here = band.rows, band.columns
            yield type(band)(*here, labels_HW[here], band.probabilities, marked_HW[here])


@pytest.fixture
def knowing(home):
    """A predictor that knows the first picture, the true labels, and the true objects."""
    samples = Samples.load(home / "run" / "samples.json")
    sample = next(one for one in samples.samples if one.name == "0")
    labels_HW, objects_HW = samples.labels_of(sample), samples.objects_of(sample)
    known = samples.labels.learning(LearnedObjects(kind="border"))
    border_HW = LearnedObjects(kind="border", width=2).marked(objects_HW)
    second_HW = np.where(border_HW & (np.indices(labels_HW.shape).sum(0) % 2 > 0), 3 - labels_HW, labels_HW)
    marked_HW = known.marked(second_HW.astype(np.uint8), border_HW)  # half of the borders look like the other class
    return Marking(Predictor(home / "run" / "model.safetensors", device="cpu"), labels_HW, marked_HW), objects_HW


def contents(folder):
    files = (path for path in folder.iterdir() if path.is_file())
    return {path.name: path.read_bytes() for path in files if path.name != "predicted.jsonl"}


def written(knowing, image, out):
    asked = Asked(wanted(OUTPUTS), ObjectSettings(how="border"), guard="off")
    (one,) = many.write_all(knowing, expanded([image]), out, asked)
    assert one.error is None, one.error
    return out


def test_every_output_says_objects_of_one_class_each_and_the_mask_agrees(home, knowing, tmp_path):
    predictor, objects_HW = knowing
    out = written(predictor, home / "discs" / "images" / "0.png", tmp_path / "out")

    found, mask = tifffile.imread(out / "0.objects.tif"), read_mask(out / "0.png").values
    assert found.max() == 4
    assert (mask == predictor.truth[0]).mean() > 0.99, "borders have the class of the object that they go to"
    np.testing.assert_array_equal(found > 0, mask > 0)
    assert [np.unique(mask[found == n]).tolist() for n in (1, 2, 3, 4)].count([1]) == 2
    assert all(len(np.unique(mask[found == n])) == 1 for n in (1, 2, 3, 4))
    for n in (1, 2, 3, 4):
        own = np.bincount(objects_HW[found == n], minlength=5)
        assert own.max() > 0.9 * own.sum()
    coco = json.loads((out / "coco.json").read_text())
    names = {one["id"]: one["name"] for one in coco["categories"]}
    assert sorted(names[one["category_id"]] for one in coco["annotations"]) == ["cat", "cat", "dog", "dog"]
    shapes = json.loads((out / "0.json").read_text())["shapes"]
    assert sorted(one["label"] for one in shapes) == ["cat", "cat", "dog", "dog"]
    rows = list(csv.DictReader((out / "measurements.csv").read_text().splitlines()))
    assert sorted(row["class"] for row in rows) == ["cat", "cat", "dog", "dog"]


def test_in_bands_all_is_as_at_once_bit_for_bit(home, tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    tifffile.imwrite(tmp_path / "scene.tif", rng.integers(0, 255, (300, 90), np.uint8), tile=(64, 64))
    predictor = Predictor(home / "run" / "model.safetensors", device="cpu", tiles=Tiles(window=(64, 64)))
    at_once = predictor(tmp_path / "scene.tif", probabilities=True)
    bands = list(predictor.stream(tmp_path / "scene.tif"))
    small = written(predictor, tmp_path / "scene.tif", tmp_path / "small")
    monkeypatch.setattr(many, "IN_MEMORY", 0)
    monkeypatch.setattr("maskwright.regions.separation.BLOCK", 32)
    large = written(predictor, tmp_path / "scene.tif", tmp_path / "large")

    assert len(bands) > 2
    for band in bands:
        here = band.rows, band.columns
        np.testing.assert_array_equal(band.labels, band.probabilities.argmax(0))
        np.testing.assert_array_equal(band.marked >= 3, at_once.marked[here] >= 3)
        np.testing.assert_array_equal(band.marked[band.marked < 3], at_once.labels[here][band.marked < 3])
        np.testing.assert_array_equal(band.probabilities, at_once.probabilities[:, *here])
    assert contents(small) == contents(large)
    np.testing.assert_array_equal(read_mask(large / "scene.png").values, at_once.mask)
