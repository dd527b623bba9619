"""All folds in turn, from the command line and from Python: what they say together, killed anywhere, as one model."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from unittest import mock

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from maskwright import api, modelfile
from maskwright.cli import app
from maskwright.data.folds import turn
from maskwright.data.index import Samples
from maskwright.errors import CheckpointError, DataError, SettingError
from maskwright.evaluation.cross_validation import CrossValidation
from maskwright.evaluation.report import write_report
from maskwright.evaluation.scores import Scores
from maskwright.inference import Predictor, ensemble
from maskwright.metrics import confusion_matrix, mean_iou
from maskwright.plan import Plan
from maskwright.training.callbacks import Listener

FOLDS = 3
TEST = "img_0[01]*"
CHARTS = "maskwright.evaluation.charts._svg"
PLAIN = f"""
import sys
from unittest import mock
from maskwright.cli import main
with mock.patch("{CHARTS}", return_value="<svg></svg>"):
    main()
"""


@pytest.fixture(scope="module", autouse=True)
def no_charts():
    """Charts have tests of their own, and drawing them would be most of the time."""
    with mock.patch(CHARTS, return_value="<svg></svg>"):
        yield


def said(*words, code=0):
    done = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture(scope="module")
def settings(tiny):
    return {**tiny, "model.base": 4, "training.budget": {"steps": 12}}


@pytest.fixture(scope="module")
def options(settings):
    return {"folds": FOLDS, "test": [TEST], "device": "cpu", "settings": settings}


@pytest.fixture(scope="module")
def pictures(paint_blobs, tmp_path_factory):
    return paint_blobs(tmp_path_factory.mktemp("data") / "blobs", count=9, size=(36, 32))


@pytest.fixture(scope="module")
def shown(pictures, settings, tmp_path_factory):
    """What the command line shows, and the folder: three folds, from the first image to the report."""
    out = tmp_path_factory.mktemp("runs") / "cv"
    words = [f"{key}={json.dumps(value)}" for key, value in settings.items()]
    return said("train", pictures, *words, "--folds", FOLDS, "--test", TEST, "--device", "cpu", "--out", out), out


@pytest.fixture(scope="module")
def whole(shown):
    """The folder of the uninterrupted cross-validation."""
    return shown[1]


def fold(out, n):
    return out / f"fold-{n}"


def same(a, b):
    a, b = load_file(a / "model.safetensors"), load_file(b / "model.safetensors")
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def without_times(out):
    record = CrossValidation.load(out / "cross-validation.json")
    return record.model_copy(update={"done": tuple(one.model_copy(update={"seconds": 0}) for one in record.done)})


def test_each_fold_is_an_ordinary_run_and_the_test_is_of_none(whole):
    validated = []
    for n in range(FOLDS):
        for name in ("samples.json", "plan.yaml", "fingerprint.json", "model.safetensors", "scores-val.json"):
            assert (fold(whole, n) / name).is_file(), name
        assert not (fold(whole, n) / "cache").exists()
        samples = Samples.load(fold(whole, n) / "samples.json")
        validated += [s.name for s in samples.part("val")]
        assert [s.name for s in samples.part("test")] == ["img_00", "img_01"]
        known = modelfile.describe(fold(whole, n) / "model.safetensors").split
        assert not set(known["train"]) & {s.content for s in samples.samples if s.split != "train"}
        assert (fold(whole, n) / "plan.yaml").read_bytes() == (whole / "plan.yaml").read_bytes()
    assert sorted(validated) == [f"img_{i:02d}" for i in range(2, 9)]


def test_the_pooled_score_is_the_one_worked_out_by_hand(whole):
    total = np.zeros((2, 2), np.int64)
    each = []
    for n in range(FOLDS):
        samples = Samples.load(fold(whole, n) / "samples.json")
        predictor = api.load(fold(whole, n) / "model.safetensors", device="cpu")
        own = np.zeros((2, 2), np.int64)
        for sample in samples.part("val"):
            own += confusion_matrix(predictor(samples.image(sample)).labels, samples.labels_of(sample), 2)
        total += own
        each.append(mean_iou(own))
    record = CrossValidation.load(whole / "cross-validation.json")
    assert record.pooled.confusion == tuple(map(tuple, total.tolist()))
    assert record.pooled.mean_iou == pytest.approx(mean_iou(total))
    assert record.pooled.images == 7
    assert record.pooled.trained_on == ()
    low, high = record.pooled.mean_iou_interval
    assert low <= record.pooled.mean_iou <= high
    assert [one.mean_iou for one in record.done] == pytest.approx(each)
    assert record.mean_iou.mean == pytest.approx(np.mean(each))
    assert record.mean_iou.deviation == pytest.approx(np.std(each, ddof=1))


def test_the_command_line_tells_the_folds_and_what_they_say_together(shown):
    text, out = shown
    assert "each of 3 folds in turn, 7 images in all" in text
    assert text.index("fold 0") < text.index("fold 1") < text.index("fold 2") < text.index("mean ± deviation")
    assert "out-of-fold: 7 images" in text
    assert str(out / "model.safetensors") in text
    assert "one plan for all 3 folds" in Plan.load(out / "plan.yaml").reasons["preprocess"]


class Tags(HTMLParser):
    """A page in which every tag is closed, in order."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in {"meta", "img", "br", "hr", "link", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_report_leads_to_the_folds(whole):
    text = (whole / "report.html").read_text("utf-8")
    for n in range(FOLDS):
        assert f'href="fold-{n}/report.html"' in text
        assert (fold(whole, n) / "report.html").is_file()
    assert "out of fold" in text
    page = Tags()
    page.feed(text)
    assert page.open == []
    assert "http" not in text.replace("http://www.w3.org", "")
    before = text
    said("report", whole)
    assert (whole / "report.html").read_text("utf-8") == before


def test_the_model_of_all_folds_says_the_mean_of_theirs(whole, pictures, tmp_path):
    files = [fold(whole, n) / "model.safetensors" for n in range(FOLDS)]
    image = pictures / "images" / "img_00.png"
    by_hand = np.mean([api.load(f, device="cpu")(image, probabilities=True).probabilities for f in files], axis=0)
    found = api.load(whole / "model.safetensors", device="cpu")(image, probabilities=True)
    np.testing.assert_allclose(found.probabilities, by_hand, atol=1e-6)

    said("ensemble", *files, "--out", tmp_path / "m.safetensors")
    others = [word for file in files[1:] for word in ("--with", file)]
    said("predict", files[0], image, *others, "-o", "probabilities", "--out", tmp_path / "listed", "--device", "cpu")
    said(
        "predict",
        tmp_path / "m.safetensors",
        image,
        "-o",
        "probabilities",
        "--out",
        tmp_path / "one",
        "--device",
        "cpu",
    )
    for out in ("listed", "one"):
        written = np.load(tmp_path / out / "img_00.probabilities.npy")
        np.testing.assert_allclose(written, by_hand, atol=1e-6)


def test_show_tells_of_an_ensemble_and_its_members(whole):
    text = said("show", whole / "model.safetensors")
    assert "of 3 models" in text
    assert text.count("network   U-Net") == 3
    assert "out-of-fold: mean IoU" in text
    assert "member 2, val: mean IoU" in text


def test_evaluate_says_that_the_model_of_all_folds_has_seen_them(whole, pictures, tmp_path):
    out = tmp_path / "cv"
    shutil.copytree(whole, out)
    text = said("evaluate", out / "model.safetensors", "--split", "val", "--device", "cpu")
    assert "7 of these images were trained on" in text
    assert len(Scores.load(out / "scores-val.json").trained_on) == 7
    assert "The model was trained on 7 of these 7 images" in (out / "report.html").read_text("utf-8")
    test = said("evaluate", out / "model.safetensors", "--split", "test", "--device", "cpu")
    assert "trained on" not in test
    assert "The ensemble on 2 test images" in (out / "report.html").read_text("utf-8")
    elsewhere = api.evaluate(out / "model.safetensors", pictures, split="val", device="cpu")
    assert len(elsewhere.trained_on) == 7, "whatever part the folder gives them"


def killed(words, run):
    """Start the command and kill -9 it as soon as that run has a checkpoint."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    command = [sys.executable, "-c", PLAIN, "train", *map(str, words)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    while process.poll() is None and not (run / "last.ckpt").exists():
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors.decode()


def test_killed_in_the_second_fold_and_resumed_it_is_what_it_would_have_been(whole, pictures, settings, tmp_path):
    out = tmp_path / "cv"
    often = {**settings, "training.checkpoint_seconds": 0.0}
    words = [f"{key}={json.dumps(value)}" for key, value in often.items()]
    killed([pictures, *words, "--folds", FOLDS, "--test", TEST, "--device", "cpu", "--out", out], fold(out, 1))
    assert len(CrossValidation.load(out / "cross-validation.json").done) == 1
    assert not fold(out, 2).exists()
    first = (fold(out, 0) / "model.safetensors").stat().st_mtime_ns
    assert "1 of 3 folds are done" in write_report(out).read_text("utf-8")

    said("train", "--resume", out)

    assert (fold(out, 0) / "model.safetensors").stat().st_mtime_ns == first
    assert without_times(out) == without_times(whole)
    assert same(out, whole)
    assert all(same(fold(out, n), fold(whole, n)) for n in range(FOLDS))


class Stops(Listener):
    """Presses Ctrl-C at the third step."""

    def stepped(self, news):
        if news.step == 3:
            signal.raise_signal(signal.SIGINT)


def test_ctrl_c_stops_the_folds_and_they_can_go_on(whole, pictures, options, tmp_path):
    stopped = api.cross_validate(
        pictures, out=tmp_path / "cv", callbacks=lambda n: [Stops()] if n == 1 else [], **options
    )
    assert not stopped.finished
    assert len(stopped.record.done) == 1
    assert not stopped.model.exists()
    assert fold(stopped.folder, 1).is_dir()
    with pytest.raises(CheckpointError, match="resume_folds"):
        api.resume(stopped.folder)

    found = api.resume_folds(stopped.folder)

    assert found.finished
    assert same(found.folder, whole)
    assert without_times(found.folder) == without_times(whole)


def test_a_kill_after_a_fold_was_trained_costs_no_training(whole, tmp_path):
    """Its model is there, and perhaps older scores: it is scored, not trained, and the record is as it would be."""
    out = tmp_path / "cv"
    shutil.copytree(whole, out)
    (out / "model.safetensors").unlink()
    record = CrossValidation.load(out / "cross-validation.json")
    parts = [Scores.load(fold(out, n) / "scores-val.json") for n in range(2)]
    CrossValidation(folds=FOLDS).with_folds(record.done[:2], parts).save(out / "cross-validation.json")
    parts[0].save(fold(out, 2) / "scores-val.json")
    about, tensors = modelfile.read(fold(out, 2) / "model.safetensors")
    modelfile.write(fold(out, 2) / "model.safetensors", tensors, about.model_copy(update={"scores": {}}))
    (fold(out, 2) / "unfinished").touch()
    history = (fold(out, 2) / "history.jsonl").read_bytes()

    api.resume_folds(out)

    assert (fold(out, 2) / "history.jsonl").read_bytes() == history
    assert without_times(out) == without_times(whole)
    assert modelfile.describe(fold(out, 2) / "model.safetensors").scores == about.scores
    assert same(out, whole)


def test_what_is_finished_or_was_never_begun_is_not_resumed(whole, tmp_path):
    with pytest.raises(CheckpointError, match="is finished"):
        api.resume_folds(whole)
    with pytest.raises(CheckpointError, match=r"has no cross-validation\.json"):
        api.resume_folds(tmp_path)


def test_a_fold_alone_by_the_plan_of_all_is_the_same_fold(whole, pictures, tmp_path):
    plan = Plan.load(whole / "plan.yaml")
    alone = api.train(pictures, plan=plan, folds=FOLDS, fold=2, test=[TEST], out=tmp_path / "alone")
    assert same(alone.folder, fold(whole, 2))


class StopHereError(Exception):
    """Raised once the plan is known."""


def planned(*given, **options):
    """What `cross_validate` finds and decides, without training."""
    found = []

    def seen(*what):
        found.extend(what)
        raise StopHereError

    with pytest.raises(StopHereError):
        api.cross_validate(*given, planned=seen, **options)
    return found


@pytest.mark.usefixtures("unmeasured")
def test_minutes_are_for_all_folds_together(pictures, tmp_path):
    seen, plan, _ = planned(pictures, out=tmp_path / "cv", folds=4, minutes=10, device="cpu")
    assert plan.training.budget.minutes == pytest.approx(2.5)
    assert "10 minutes for 4 folds together" in plan.reasons["training.budget"]
    assert (seen.fingerprint.train, seen.fingerprint.val) in {(7, 2), (6, 3)}
    assert plan.preprocess.mean == pytest.approx(np.mean([s.mean for s in seen.samples.samples], axis=0))
    _, again, _ = planned(pictures, out=tmp_path / "again", folds=4, plan=plan)
    assert again.training.budget == plan.training.budget, "a plan says what each fold does"


@pytest.mark.usefixtures("unmeasured")
def test_folds_are_counted_where_they_are_stated(pictures, tmp_path):
    (tmp_path / "dataset.yaml").write_text(f"path: {pictures}\nsplit: {{folds: 4, fold: 2}}\n")
    seen, _, _ = planned(tmp_path, out=tmp_path / "a")
    assert {s.fold for s in seen.samples.samples} == {0, 1, 2, 3}
    inspected = api.inspect(pictures, folds=2)
    seen, _, _ = planned(inspected, out=tmp_path / "b")
    assert turn(seen.samples, 0) == inspected.samples
    with pytest.raises(DataError, match="folds=5"):
        api.cross_validate(pictures, out=tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_single_run_trains_a_single_fold(pictures, tmp_path):
    with pytest.raises(SettingError, match="cross_validate"):
        api.train(pictures, folds=3, out=tmp_path / "run")


def test_members_of_the_model_of_all_folds_are_theirs_bit_for_bit(whole):
    found = ensemble.load(whole / "model.safetensors")
    for n, member in enumerate(found.members):
        alone = modelfile.load(fold(whole, n) / "model.safetensors")
        assert member.description == alone.description
        assert all(
            torch.equal(tensor, alone.network.state_dict()[name])
            for name, tensor in member.network.state_dict().items()
        )
    assert Predictor(found, device="cpu").description.fingerprint.train in {4, 5}
