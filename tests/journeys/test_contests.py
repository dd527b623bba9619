"""What contests take and how they score, from the command line and from Python."""

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import maskwright
from maskwright import api
from maskwright.cli import app
from maskwright.errors import DataError, SettingError
from maskwright.evaluation import Scores
from maskwright.files import decode_runs, read_run_lengths


@pytest.fixture(scope="module")
def home(paint_blobs, tiny, tmp_path_factory):
    """A folder, data, with the data and, run, a run on them with four test images."""
    home = tmp_path_factory.mktemp("contests")
    paint_blobs(home / "blobs", count=10)
    maskwright.train(home / "blobs", out=home / "run", epochs=10, device="cpu", settings=tiny, test=["img_0[0-3].png"])
    return home


def command(*words):
    return CliRunner().invoke(app, [*map(str, words)])


def test_contest_scores_are_printed_kept_and_shown_in_the_report(home):
    model = home / "run" / "model.safetensors"

    done = command("evaluate", model, home / "blobs", "--metric", "salt", "--metric", "warping_error")

    assert done.exit_code == 0, done.output
    scores = Scores.load(home / "run" / "scores-test.json")
    assert list(scores.contests) == ["salt", "warping_error"]
    assert scores.contests["salt"] > 0.3, "discs on noise are easy"
    lines = done.stdout.splitlines()
    assert any(line.startswith(f"salt {scores.contests['salt']:.4f} (95 % interval") for line in lines), done.stdout
    assert any(line.startswith("warping_error ") and "smaller is better" in line for line in lines)
    page = (home / "run" / "report.html").read_text()
    assert "warping_error" in page
    assert f"{scores.contests['salt']:.4f}" in page


def test_without_metrics_no_contest_is_spoken_of(home):
    scores = maskwright.evaluate(home / "run" / "model.safetensors", home / "blobs", split="test")

    assert scores.contests == {}
    assert "As contests score it" not in (home / "run" / "report.html").read_text()


def test_an_unknown_metric_is_refused_before_any_work(tmp_path):
    done = command("evaluate", tmp_path / "no model", tmp_path / "no data", "--metric", "warping_eror")

    assert isinstance(done.exception, SettingError)
    assert "no image metric called 'warping_eror'. Did you mean 'warping_error'?" in str(done.exception)
    with pytest.raises(SettingError, match="salt"):
        maskwright.evaluate(tmp_path / "no model", metrics=["slat"])


def test_predictions_become_a_csv_of_run_lengths(home, tmp_path):
    model, images, masks = home / "run" / "model.safetensors", home / "blobs" / "images", tmp_path / "masks"

    done = command("predict", model, images, "--out", masks, "-o", "runs")

    assert done.exit_code == 0, done.output
    found = read_run_lengths(masks / "runs.csv")
    assert list(found) == [f"img_{i:02d}" for i in range(10)]
    for stem, (text,) in found.items():
        mask = np.asarray(Image.open(masks / f"{stem}.png"))
        np.testing.assert_array_equal(decode_runs(text, mask.shape), mask == 255)


def test_run_lengths_are_written_over_only_if_told_to_and_nothing_else_is_then(home, tmp_path):
    model, image = home / "run" / "model.safetensors", home / "blobs" / "images" / "img_00.png"
    masks = tmp_path / "masks"
    masks.mkdir()
    (masks / "runs.csv").write_text("mine")

    with pytest.raises(DataError, match=r"runs\.csv is there already.*--overwrite"):
        list(api.predict_files(model, [image], masks, outputs=["runs"]))
    assert [path.read_text() for path in masks.iterdir()] == ["mine"]

    list(api.predict_files(model, [image], masks, outputs=["runs"], overwrite=True))
    assert list(read_run_lengths(masks / "runs.csv")) == ["img_00"]


def test_an_image_that_does_not_open_has_no_run_lengths_and_stops_no_others(home, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    inputs = [tmp_path / "bad.png", home / "blobs" / "images" / "img_01.png"]

    done = api.predict_files(home / "run" / "model.safetensors", inputs, tmp_path / "masks", outputs=["runs"])

    assert [written.error is None for written in done] == [False, True]
    assert list(read_run_lengths(tmp_path / "masks" / "runs.csv")) == ["img_01"]
