import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from maskwright import modelfile
from maskwright.data.fingerprint import fingerprint
from maskwright.data.index import Samples, index
from maskwright.data.samples import write_samples
from maskwright.errors import DataError
from maskwright.evaluation import Scores, evaluate
from maskwright.evaluation.gallery import Gallery, data_pictures
from maskwright.evaluation.report import write_report
from maskwright.files import write_image
from maskwright.inference import Prediction
from maskwright.model import UNet
from maskwright.plan import Plan, decide
from maskwright.settings import Budget
from maskwright.training.callbacks import HistoryRow

SECTIONS = {
    "data": "The data at a glance",
    "plan": "The plan and its reasons",
    "training": "Training",
    "scores-test": "Scores on 4 test images",
    "scores-val": "Scores on 2 validation images",
    "provenance": "Provenance",
}
EVIL = "<script>alert('x')</script>"
VOID = {"meta", "img", "link", "br", "hr", "input"}


class Page(HTMLParser):
    """A page, read strictly: every tag is closed, in order."""

    def __init__(self, path: Path):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.html = path.read_text("utf-8")
        self.feed(self.html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


class BrightIsCell:
    """A stand-in for a predictor."""

    def __init__(self, samples: Samples, trained_on: tuple[str, ...] = ()):
        self.description = SimpleNamespace(labels=samples.labels, split={"train": trained_on})

    def __call__(self, image_HWC: NDArray[np.uint8]) -> Prediction:
        return Prediction((image_HWC[:, :, 0] > 90).astype(np.uint8), None, self.description.labels)


def history(rows: int) -> list[HistoryRow]:
    return [
        HistoryRow(
            step=10 * i, epoch=i, seconds=20 * i, rate=1e-3, train_loss=1 / i, train_accuracy=0.9, val_loss=0.9 / i,
            val_accuracy=0.9, val_score=0.8, best=i == 1,
        )
        for i in range(1, rows + 1)
    ]  # fmt: skip


def write_history(run: Path, rows: int = 6) -> None:
    (run / "history.jsonl").write_text("".join(row.model_dump_json() + "\n" for row in history(rows)), "utf-8")


def write_model(run: Path, samples: Samples, plan: Plan) -> None:
    description = modelfile.Description(
        maskwright="9.8.7", network=plan.model, preprocess=plan.preprocess, labels=samples.labels, plan=plan,
        fingerprint=fingerprint(samples), provenance={"data": "cells", "seconds": 75.0, "torch": "2.x"},
    )  # fmt: skip
    network = UNet.from_record(plan.model)
    golden = torch.zeros(plan.model.in_channels, 8, 8)
    modelfile.save(run / "model.safetensors", network.state_dict(), description, golden)


def score(run: Path, samples: Samples, split: str, trained_on: tuple[str, ...] = ()) -> Scores:
    gallery = Gallery(samples.labels, keep=1)
    predictor = BrightIsCell(samples, trained_on)
    scores = evaluate(predictor, samples, samples.part(split), split, watch=gallery.watch)
    scores.save(run / f"scores-{split}.json")
    gallery.write(run / "pictures" / split)
    return scores


def make_run(run: Path, data: Path) -> Samples:
    run.mkdir()
    samples = index(data, val=["cells_00.png", "cells_01.png"])
    plan = decide(fingerprint(samples), budget=Budget(epochs=3), wishes={"model.depth": 1, "model.base": 2})
    samples.save(run / "samples.json")
    fingerprint(samples).save(run / "fingerprint.json")
    plan.save(run / "plan.yaml")
    write_history(run)
    write_model(run, samples, plan)
    data_pictures(samples, run / "pictures" / "data", count=3)
    for split in ("val", "test"):
        score(run, samples, split)
    return samples


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run; not to be changed."""
    folder = tmp_path_factory.mktemp("report")
    write_samples(folder / "cells", train=6, test=4, size=(64, 64))
    make_run(folder / "run", folder / "cells")
    return folder / "run"


@pytest.fixture(scope="module")
def page(finished: Path) -> Page:
    """Its report, read."""
    return Page(write_report(finished))


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture
def no_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts have tests of their own, and drawing them is most of a report's time."""
    monkeypatch.setattr("maskwright.evaluation.charts._svg", lambda *_: "<svg></svg>")


def test_every_section_is_there_and_the_contents_lead_to_it(page):
    ids = [section["id"] for section in page.all("section")]
    assert ids == list(SECTIONS)
    for title in SECTIONS.values():
        assert title in page.text
    assert [a["href"] for a in page.all("a")] == [f"#{name}" for name in ids]


def test_the_page_needs_nothing_from_outside(page):
    assert not page.all("script")
    assert not page.all("link")
    for _, attributes in page.tags:
        for name in ("src", "href", "xlink:href", "srcset", "data", "action"):
            assert re.match(r"#|data:image/(png|jpeg);base64,", attributes.get(name) or "#"), attributes
    assert not re.search(r"@import|url\((?!#)", page.html)
    assert {found for found in re.findall(r"https?://[^\"\s]+", page.html)} <= {
        "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink",
    }  # fmt: skip


def test_ids_are_unique_but_for_equal_shapes_in_charts(page):
    ids = [a["id"] for tag, a in page.tags if "id" in a and tag not in {"clippath", "path"}]
    assert len(set(ids)) == len(ids)


def test_pictures_and_charts_speak_and_tables_have_headers(page):
    assert all(image.get("alt") for image in page.all("img"))
    assert len(page.all("img")) == 3 + 2 + 3  # data; best and worst of two; best, typical and worst of four
    assert all(svg.get("role") == "img" and svg.get("aria-label") for svg in page.all("svg"))
    assert len(page.all("svg")) == 1 + 4 + 2 * 2
    assert all(cell.get("scope") in {"row", "col"} for cell in page.all("th"))


@pytest.mark.usefixtures("no_charts")
def test_the_headline_is_that_of_the_test_images_with_its_interval(run):
    scores = Scores.load(run / "scores-test.json")

    text = Page(write_report(run)).text

    low, high = scores.mean_iou_interval or (0, 0)
    assert f"{scores.mean_iou:.3f} 95 % interval {low:.3f} – {high:.3f}" in text
    assert "On 4 test images the model is" in text


@pytest.mark.usefixtures("no_charts")
@pytest.mark.parametrize(("iou", "word"), [(0.05, "poor"), (0.7, "good"), (0.95, "excellent")])
def test_a_background_makes_no_model_look_good(run, iou, word):
    scores = Scores.load(run / "scores-test.json")
    ground, cell = scores.classes
    classes = (
        ground.model_copy(update={"scores": {**ground.scores, "iou": 0.99}}),
        cell.model_copy(update={"scores": {**cell.scores, "iou": iou}}),
    )
    scores.model_copy(update={"classes": classes}).save(run / "scores-test.json")

    text = Page(write_report(run)).text

    assert f"the model is {word}, which is a hint" in text
    assert f"calls foreground, {100 * iou:.0f} are in both." in text


@pytest.mark.usefixtures("no_charts")
def test_figures_of_every_part_are_shown(run):
    decided = Plan.load(run / "plan.yaml")

    text = Page(write_report(run)).text

    for said in (
        "4 to train on, 2 for validation, 4 for the test", "64 × 64", "uint8",  # data
        "as asked for", "depth 1, base 2", *decided.reasons, *decided.reasons.values(),  # plan
        "6 epochs, 60 steps, 2 min 0 s", "Step size", "Overfitting", "Underfitting",  # training
        "processed image", "actual mask", "predicted mask", "missed: called background",  # pictures
        "9.8.7", "1 min 15 s", "Torch",  # provenance
    ):  # fmt: skip
        assert said in text, said


def test_the_file_lies_in_the_run_and_stays_small(page, finished):
    assert (finished / "report.html").stat().st_size < 1_000_000


def test_a_report_written_again_is_the_same(page, finished):
    assert write_report(finished).read_text("utf-8") == page.html


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        (["samples.json"], "Nothing is known of the data"),
        (["fingerprint.json"], "Nothing is known of the data"),
        (["plan.yaml"], "There is no plan.yaml"),
        (["history.jsonl"], "There is no history yet"),
        (["scores-test.json"], "There are no test scores"),
        (["scores-test.json", "scores-val.json"], "its best mean IoU on validation images was 0.800"),
        (["scores-test.json", "scores-val.json", "history.jsonl"], "The model has not been scored yet"),
        (["pictures"], "No pictures were kept"),
        (["model.safetensors"], "There is no model file"),
    ],
)
@pytest.mark.usefixtures("no_charts")
def test_a_missing_part_is_left_out_and_named(run, missing, said):
    for name in missing:
        shutil.rmtree(run / name) if name == "pictures" else (run / name).unlink()

    assert said in Page(write_report(run)).text


def test_an_empty_folder_gives_a_page_too(tmp_path):
    page = Page(write_report(tmp_path))

    assert "has not been scored yet" in page.text
    assert not page.all("svg")


def test_a_folder_that_is_not_there_is_an_error_and_is_not_made(tmp_path):
    with pytest.raises(DataError, match="no folder"):
        write_report(tmp_path / "lost")
    assert not (tmp_path / "lost").exists()


@pytest.mark.parametrize("name", ["scores-val.json", "samples.json", "history.jsonl", "plan.yaml", "model.safetensors"])
@pytest.mark.usefixtures("no_charts")
def test_a_damaged_part_is_named_and_the_rest_is_shown(run, name):
    (run / name).write_text('{"half": \n{"a line', "utf-8")

    text = Page(write_report(run)).text

    assert f"{name} could not be read" in text
    assert "Scores on 4 test images" in text


@pytest.mark.usefixtures("no_charts")
def test_a_damaged_picture_costs_the_pictures_only(run):
    (run / "pictures" / "test" / "worst-1.png").write_bytes(b"no picture")

    assert "Scores on 4 test images" in Page(write_report(run)).text


@pytest.mark.usefixtures("no_charts")
def test_a_run_that_was_interrupted_says_so(run):
    (run / "interrupted").write_text("")

    assert "can be resumed" in Page(write_report(run)).text


@pytest.mark.usefixtures("no_charts")
def test_images_that_were_trained_on_are_warned_of_at_the_top(run):
    samples = Samples.load(run / "samples.json")
    score(run, samples, "test", trained_on=(samples.part("test")[0].content,))

    page = Page(write_report(run))

    head = page.text.split("The data at a glance")[0]
    assert f"trained on 1 of these 4 images ({samples.part('test')[0].name})" in head


@pytest.mark.usefixtures("no_charts")
def test_absent_classes_say_absent_and_have_no_score(run):
    scores = Scores.load(run / "scores-test.json")
    tram = scores.classes[0].model_copy(
        update={"name": "tram", "pixels": 0, "predicted": 0, "scores": dict.fromkeys(scores.classes[0].scores)}
    )
    confusion = (*((*row, 0) for row in scores.confusion), (0, 0, 0))
    with_tram = scores.model_copy(update={"classes": (*scores.classes, tram), "confusion": confusion})
    with_tram.save(run / "scores-test.json")

    assert "tram absent 0 0" in Page(write_report(run)).text


@pytest.mark.usefixtures("no_charts")
def test_one_image_alone_has_no_interval(run):
    scores = Scores.load(run / "scores-test.json")
    alone = {"images": 1, "mean_iou_interval": None, "per_image": scores.per_image[:1]}
    scores.model_copy(update=alone).save(run / "scores-test.json")

    text = Page(write_report(run)).text

    assert "On 1 test image the model is" in text
    assert "no interval: one image only" in text


def test_hostile_names_of_classes_files_and_notes_are_text(tmp_path):
    """A class list, a file and a run folder with markup in their names."""
    data = tmp_path / "data"
    data.mkdir()
    # A file's name holds no slash; what an img tag without one can do is bad enough.
    for i in range(4):
        labels = np.indices((32, 32))[0] // 16
        write_image(data / "images" / f"<img src=x onerror=alert({i})>.png", np.full((32, 32), 60 * i, np.uint8))
        write_image(data / "masks" / f"<img src=x onerror=alert({i})>.png", labels.astype(np.uint8))
    (data / "classes.txt").write_text(f'{EVIL}\n"><b onclick="x\n', "utf-8")
    run = tmp_path / "<i>run"
    run.mkdir()
    samples = index(data)
    samples = samples.model_copy(update={"notes": (*samples.notes, EVIL)})
    seen = fingerprint(samples)
    plan = decide(seen, budget=Budget(epochs=1))
    samples.save(run / "samples.json")
    seen.save(run / "fingerprint.json")
    plan.model_copy(update={"reasons": {**plan.reasons, "model": EVIL}}).save(run / "plan.yaml")
    write_history(run)
    data_pictures(samples, run / "pictures" / "data")
    score(run, samples, "val", trained_on=tuple(s.content for s in samples.samples))

    page = Page(write_report(run))

    tags = {tag for tag, _ in page.tags}
    assert not {"script", "i"} & tags
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert "<script" not in page.html
    assert page.text.count(EVIL) >= 6
    assert all((image["src"] or "").startswith("data:") for image in page.all("img"))


@pytest.mark.usefixtures("no_charts")
def test_noisy_photographs_are_embedded_small(run):
    """What compresses worst: nine strips of noise as wide as they come stay far below their PNG."""
    rng = np.random.default_rng(0)
    album = json.loads((run / "pictures" / "test" / "pictures.json").read_text("utf-8"))
    noise = Image.fromarray(rng.integers(0, 255, (400, 1624, 3)).astype(np.uint8))
    noise.save(run / "pictures" / "test" / album["pictures"][0]["file"])

    assert write_report(run).stat().st_size < 1_500_000
