"""The whole street on painted data, from Python and from the command line."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import maskwright
from maskwright import api
from maskwright.cli import app
from maskwright.data.index import Samples
from maskwright.errors import SettingError
from maskwright.evaluation import Scores
from maskwright.plan import Plan


@pytest.fixture(scope="module")
def trained(paint_blobs, tiny, tmp_path_factory):
    """A folder, data, with the data and, run, the run that learnt them; trained once, not to be changed."""
    home = tmp_path_factory.mktemp("street")
    paint_blobs(home / "blobs", count=12)
    maskwright.train(home / "blobs", out=home / "run", epochs=30, device="cpu", settings=tiny, test=["img_0[01].png"])
    return home


@pytest.fixture
def home(trained, tmp_path):
    """A copy of it that a test may change."""
    return shutil.copytree(trained, tmp_path / "home")


def test_a_folder_becomes_a_model_that_has_learnt_predictions_scores_and_a_report(home):
    folder, run = home / "blobs", home / "run"
    assert Scores.load(run / "scores-val.json").mean_iou > 0.8, "discs on noise are easy"
    assert {"samples.json", "fingerprint.json", "plan.yaml", "history.jsonl", "last.ckpt", "report.html"} <= {
        path.name for path in run.iterdir()
    }

    image = folder / "images" / "img_00.png"
    prediction = maskwright.predict(run / "model.safetensors", image, probabilities=True)
    truth = np.asarray(Image.open(folder / "masks" / "img_00.png"))
    assert prediction.mask.shape == truth.shape
    assert set(np.unique(prediction.mask)) <= {0, 255}
    assert (prediction.mask == truth).mean() > 0.9
    np.testing.assert_allclose(prediction.probabilities.sum(axis=0), 1, atol=1e-5)

    scores = maskwright.evaluate(run / "model.safetensors", folder, split="test")
    assert scores.images == 2
    assert scores.of("foreground") > 0.8
    assert json.loads((run / "scores-test.json").read_text())["images"] == 2
    assert "img_00" in (run / "report.html").read_text()


def test_images_keep_the_part_they_had_in_training_whatever_they_are_called_now(home):
    folder, model = home / "blobs", home / "run" / "model.safetensors"
    trained_on = Samples.load(home / "run" / "samples.json").part("train")[0]
    for kind in ("images", "masks"):
        (folder / kind / f"{trained_on.name}.png").rename(folder / kind / "img_000.png")

    scores = maskwright.evaluate(model, folder, split="test", test=["img_000.png", "img_0[01].png"])
    assert scores.images == 2
    assert "img_000" not in {image.name for image in scores.per_image}
    assert "img_000" in maskwright.evaluate(model, folder, split="all").trained_on


def test_scores_on_other_data_do_not_enter_the_runs_report(home, paint_blobs):
    other = paint_blobs(home / "other", count=3, seed=9)
    scores = maskwright.evaluate(home / "run" / "model.safetensors", other, split="all")
    assert scores.images == 3
    assert scores.trained_on == ()
    assert not (home / "run" / "scores-all.json").exists()


def test_a_plan_can_be_saved_edited_and_followed(home):
    plan = Plan.load(home / "run" / "plan.yaml")
    assert plan.model.depth == 2
    edited = plan.with_wishes({"seed": 5, "training.budget": {"epochs": 1}})
    again = maskwright.train(home / "blobs", out=home / "again", plan=edited)
    assert again.outcome.history[-1].epoch == 1
    assert again.plan.seed == 5


def test_a_run_never_lands_in_a_folder_that_holds_something(trained):
    with pytest.raises(SettingError, match="not empty"):
        maskwright.train(trained / "blobs", out=trained / "run")


def test_the_default_run_folder_is_a_new_one_each_time(blobs, tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = blobs()
    first = maskwright.train(folder, epochs=1, device="cpu", settings=tiny)
    second = maskwright.train(folder, epochs=1, device="cpu", settings=tiny)
    assert [str(first.folder), str(second.folder)] == ["runs/blobs-1", "runs/blobs-2"]


def test_a_budget_in_minutes_ends_by_itself(blobs, tiny, tmp_path):
    run = maskwright.train(blobs(), out=tmp_path / "run", minutes=0.1, device="cpu", settings=tiny)
    assert run.outcome.reason == "the budget was used"
    assert run.outcome.steps > 10
    assert run.outcome.history[-1].step == run.outcome.steps, "it ends with a validation"


def test_valid_networks_and_single_logits_walk_the_street_too(blobs, tiny, tmp_path):
    settings = {**tiny, "model.padding": "valid", "model.classes": 1, "sampling.crop": [68, 68], "model.up": "bilinear"}
    run = maskwright.train(blobs(size=(90, 75)), out=tmp_path / "run", epochs=6, device="cpu", settings=settings)
    prediction = maskwright.predict(run.model, tmp_path / "blobs" / "images" / "img_00.png", probabilities=True)
    assert prediction.mask.shape == (90, 75)
    assert prediction.probabilities.shape == (2, 90, 75)


def test_sixteen_bit_images_colours_and_an_ignored_value_walk_the_street(tiny, tmp_path):
    import tifffile

    rng = np.random.default_rng(0)
    folder = tmp_path / "deep"
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for i in range(6):
        mask = np.repeat(np.repeat(rng.integers(0, 3, (5, 6)), 8, 0), 8, 1).astype(np.uint8)
        image = (mask[:, :, None] * np.array([900, 3000, 5000]) + rng.normal(2000, 300, (40, 48, 3))).astype(np.uint16)
        mask[:3] = 255
        tifffile.imwrite(folder / "images" / f"{i}.tif", image, photometric="rgb", compression="lzw", tile=(16, 16))
        Image.fromarray(mask).save(folder / "masks" / f"{i}_mask.png")
    run = maskwright.train(folder, out=tmp_path / "run", epochs=60, device="cpu", settings=tiny)
    assert run.scores.mean_iou > 0.6
    assert [c.name for c in run.scores.classes] == ["background", "class_1", "class_2"]


def command(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "maskwright", *map(str, words)], capture_output=True, text=True, check=False
    )


def said(*words: object) -> str:
    done = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.usefixtures("unmeasured")
def test_the_command_line_walks_the_street(blobs, tiny, tmp_path):
    folder = blobs(count=8)
    out = tmp_path / "run"
    settings = [f"{key}={value}" for key, value in tiny.items()]
    trained = command(
        "train", folder, *settings, "--epochs", 2, "--out", out, "--test", "img_00.png", "--device", "cpu"
    )
    assert trained.returncode == 0, trained.stderr
    assert "validation loss" in trained.stdout

    model = out / "model.safetensors"
    masks = tmp_path / "masks"
    predicted = command("predict", model, folder / "images", "--out", masks, "-o", "overlay", "-o", "probabilities")
    assert predicted.returncode == 0, predicted.stderr
    assert len(list(masks.glob("img_??.png"))) == 8
    assert len(list(masks.glob("*.overlay.png"))) == 8
    assert np.load(masks / "img_00.probabilities.npy").shape == (2, 48, 40)

    # The other commands in this process: they are as well found there, and much faster.
    assert json.loads(said("evaluate", model, folder, "--split", "test", "--json", "-"))["images"] == 1
    assert {"golden sample", "foreground"} <= set(re.findall("golden sample|foreground", said("show", model)))
    said("plan", folder, "--minutes", 1, "--out", tmp_path / "plan.yaml")
    assert Plan.load(tmp_path / "plan.yaml").training.budget.minutes == 1
    said("inspect", folder)
    said("report", out)


def test_one_bad_file_does_not_stop_the_others_and_the_exit_status_says_so(home, tmp_path):
    images = home / "blobs" / "images"
    (images / "img_03.png").write_bytes((images / "img_03.png").read_bytes()[:200])

    predicted = command("predict", home / "run" / "model.safetensors", images, "--out", tmp_path / "masks")
    assert predicted.returncode == 1
    assert "img_03.png" in predicted.stderr
    assert len(list((tmp_path / "masks").glob("*.png"))) == 11


def test_the_same_seed_gives_the_same_model_and_another_seed_another(blobs, tiny, tmp_path):
    folder = blobs()
    a, b, c = (
        api.load(maskwright.train(folder, out=tmp_path / name, epochs=2, seed=seed, device="cpu", settings=tiny).model)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    first, second, third = (next(iter(p.network.parameters())) for p in (a, b, c))
    assert torch.equal(first, second)
    assert not torch.equal(first, third)
