"""Objects that touch, from masks that tell them apart to a model that says where they meet."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from typer.testing import CliRunner

import maskwright
from maskwright import api
from maskwright.cli import app
from maskwright.data.index import Samples
from maskwright.data.learned_objects import LearnedObjects, ObjectSettings
from maskwright.errors import SettingError
from maskwright.evaluation import Scores
from maskwright.inference import Predictor
from maskwright.plan import Plan
from maskwright.training.prepare import prepare


def painted(folder, count=10, *, told_apart=True):
    """Pairs of grey discs that touch in a bright seam; a disc has the value 1 or 2 in the mask, or both have 255."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:48, :40]
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for i in range(count):
        middle, turn = rng.uniform((18, 14), (30, 26)), rng.uniform(0, np.pi)
        reach = 7.5 * np.array([np.sin(turn), np.cos(turn)])
        first, second = (np.hypot(y - a, x - b) for a, b in (middle - reach, middle + reach))
        objects = np.where(np.minimum(first, second) < 8, np.where(first < second, 1, 2), 0)
        light = 60 + (60 + 80 * (np.abs(first - second) < 4)) * (objects > 0)
        image = np.clip(light + rng.normal(0, 8, light.shape), 0, 255).astype(np.uint8)
        Image.fromarray(image).save(folder / "images" / f"{i:02}.png")
        mask = objects if told_apart else 255 * (objects > 0)
        Image.fromarray(mask.astype(np.uint8)).save(folder / "masks" / f"{i:02}.png")
    if told_apart:
        (folder / "dataset.yaml").write_text("instances: true\n")
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory, tiny):
    """A folder: data, and run, the run that learnt them; trained once, not to be changed."""
    home = tmp_path_factory.mktemp("objects")
    settings = {**tiny, "training.budget": {"steps": 80}, "device.threads": 1, "objects": "border"}
    maskwright.train(painted(home / "discs"), out=home / "run", device="cpu", settings=settings, test=["0[01].png"])
    return home


def test_borders_are_learned_and_part_what_touches(home):
    plan = Plan.load(home / "run" / "plan.yaml")
    assert plan.objects == ObjectSettings(how="border")
    assert plan.model.classes == 3
    about = maskwright.load(home / "run" / "model.safetensors").description
    assert about.labels.objects == LearnedObjects(kind="border")
    assert about.labels.names == ["background", "foreground"]

    for name in ("00", "01"):
        found = Predictor(home / "run" / "model.safetensors", device="cpu")(home / "discs" / "images" / f"{name}.png")
        assert ndimage.label(found.labels)[1] == 1
        sizes = np.bincount(ndimage.label(found.marked == 1)[0].ravel())[1:]
        assert (sizes > 60).sum() == 2
        assert set(np.unique(found.mask)) == {0, 255}


def test_scores_are_of_the_classes_of_the_masks(home):
    scores = maskwright.evaluate(home / "run" / "model.safetensors", home / "discs", split="test", metrics=["dsb2018"])

    assert [one.name for one in scores.classes] == ["background", "foreground"]
    assert np.array(scores.confusion).shape == (2, 2)
    assert scores.of("foreground") > 0.9
    assert scores.contests["dsb2018"] is not None
    held_out = Scores.load(home / "run" / "scores-val.json")
    assert [one.name for one in held_out.classes] == ["background", "foreground"]


def test_the_report_and_show_speak_of_the_masks_classes(home):
    page = (home / "run" / "report.html").read_text()
    assert "foreground" in page
    shown = CliRunner().invoke(app, ["show", str(home / "run" / "model.safetensors")]).output
    assert "object border" in shown
    assert "class     object" not in shown


def test_crops_hold_the_class_that_is_learned_and_the_samples_do_not(home, tmp_path):
    samples = Samples.load(home / "run" / "samples.json")
    assert samples.labels.objects is None

    job = prepare(tmp_path, samples, Plan.load(home / "run" / "plan.yaml"))

    assert job.classes == ("background", "foreground", "object border")
    for i, sample in enumerate(samples.part("train")):
        marked = LearnedObjects(kind="border").marked(samples.objects_of(sample))
        np.testing.assert_array_equal(job.crops.cache.labels(i), np.where(marked, 2, samples.labels_of(sample)))


def test_folds_make_one_model_that_learned_objects(tmp_path, tiny):
    settings = {**tiny, "training.budget": {"steps": 4}, "device.threads": 1, "objects": "centre"}
    done = api.cross_validate(painted(tmp_path / "discs", 6), out=tmp_path / "out", folds=2, settings=settings)

    predictor = Predictor(done.model, device="cpu")
    assert len(predictor.members) == 2
    assert predictor.description.labels.objects == LearnedObjects(kind="centre")
    assert set(np.unique(predictor(tmp_path / "discs" / "images" / "00.png").mask)) <= {0, 255}


@pytest.mark.usefixtures("unmeasured")
def test_on_the_command_line_it_is_one_option(tmp_path):
    painted(tmp_path / "discs", 6)
    said = {}
    for how in ("centre", "none"):
        out = tmp_path / f"{how}.yaml"
        command = ["plan", str(tmp_path / "discs"), "--target", "cpu", "--objects", how, "--out", str(out)]
        assert CliRunner().invoke(app, command).exit_code == 0
        said[how] = Plan.load(out)
    assert said["centre"].objects == ObjectSettings(how="centre")
    assert (said["none"].objects, said["none"].model.classes) == (None, 2)


@pytest.mark.parametrize("asked", ["border", "centre"])
def test_masks_that_do_not_tell_objects_apart_teach_none_and_nothing_is_written(tmp_path, tiny, asked):
    folder = painted(tmp_path / "discs", 6, told_apart=False)
    with pytest.raises(SettingError, match="masks do not tell one object from another"):
        maskwright.train(folder, out=tmp_path / "run", device="cpu", settings={**tiny, "objects": asked})
    assert not (tmp_path / "run").exists()
