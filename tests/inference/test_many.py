"""Many images: what is written, what is not done twice, and what goes on where it stopped."""

import errno
import json

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from maskwright.data.fingerprint import Fingerprint
from maskwright.data.labels import ClassLabel, Labels
from maskwright.data.learned_objects import ObjectSettings
from maskwright.data.preprocess import Preprocess
from maskwright.errors import DataError, SettingError
from maskwright.files import read_image, read_mask
from maskwright.inference import many
from maskwright.inference.apart import apart
from maskwright.inference.inputs import expanded
from maskwright.inference.many import write_all
from maskwright.inference.one import Asked, StoppedError
from maskwright.inference.outputs import wanted
from maskwright.inference.predictor import Predictor
from maskwright.model import UNet
from maskwright.modelfile import Description, Model
from maskwright.plan import decide
from maskwright.tiling import Tiles


def predictor(seed=0):
    """A predictor with random weights, of grey images, that tells two classes apart."""
    fingerprint = Fingerprint(
        train=1, val=0, test=0, channels=1, dtype="uint8", smallest=(9, 9), median=(9, 9), largest=(9, 9),
        low=0, high=255, mean=(100.0,), std=(50.0,), classes=("ground", "cell"),
        pixel_share=(0.5, 0.5), image_share=(1, 1), ignored_share=0,
    )  # fmt: skip
    torch.manual_seed(seed)
    network = UNet(1, 2, depth=2, base=4, init="torch").eval()
    classes = (
        ClassLabel(name="ground", values=(0,), colour=(0, 0, 0)),
        ClassLabel(name="cell", values=(255,), colour=(230, 159, 0)),
    )
    about = Description(
        maskwright="0", network=network.record,
        preprocess=Preprocess(channels=1, dtype="uint8", mean=(100.0,), std=(50.0,)),
        labels=Labels(classes=classes), plan=decide(fingerprint), fingerprint=fingerprint,
    )  # fmt: skip
    return Predictor(Model(network, about), device="cpu", tiles=Tiles(window=(64, 64)))


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for n, size in enumerate([(40, 50), (33, 70), (90, 30)]):
        Image.fromarray(rng.integers(0, 255, size, np.uint8)).save(folder / f"img_{n}.png")
    return folder


def done(images, out, *outputs, model=None, objects=None, **options):
    asked = Asked(wanted(["mask", *outputs]), objects)
    return list(write_all(model or predictor(), expanded([images]), out, asked, **options))


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "predicted.jsonl"
    }


def test_each_image_gets_what_the_predictor_says_of_it_in_order(images, tmp_path):
    found = done(images, tmp_path / "out", "overlay", jobs=2)
    assert [one.image.name for one in found] == ["img_0.png", "img_1.png", "img_2.png"]
    for one in found:
        assert one.error is None
        assert one.files == (tmp_path / "out" / one.image.name, tmp_path / "out" / f"{one.image.stem}.overlay.png")
        np.testing.assert_array_equal(read_mask(one.mask).values, predictor()(one.image).mask)
        assert one.pixels == read_mask(one.mask).values.size
        assert one.computed >= 1


def test_any_number_of_jobs_writes_the_same(images, tmp_path):
    outputs = ("geojson", "runs", "coco", "measurements", "probabilities=uint8")
    for jobs in (1, 3):
        done(images, tmp_path / str(jobs), *outputs, jobs=jobs)
    assert contents(tmp_path / "1") == contents(tmp_path / "3")


def test_what_is_done_is_not_done_again_and_new_wishes_add_to_it(images, tmp_path):
    out = tmp_path / "out"
    done(images, out, "coco")
    before = {path: path.stat().st_mtime_ns for path in out.glob("*.png")}
    again = done(images, out, "coco", "overlay", "runs")
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert [one.was_done for one in again] == [False] * 3
    assert len(json.loads((out / "coco.json").read_text())["images"]) == 3
    assert [one.was_done for one in done(images, out, "coco", "overlay", "runs")] == [True] * 3
    (out / "img_1.overlay.png").unlink()
    assert [one.was_done for one in done(images, out, "overlay")] == [True, False, True]


def test_a_file_of_all_images_is_not_replaced_by_one_of_others(images, tmp_path):
    done(images / "img_0.png", tmp_path / "out", "runs")
    before = (tmp_path / "out" / "runs.csv").read_text()
    with pytest.raises(DataError, match=r"runs\.csv is there already.*--overwrite"):
        done(images / "img_1.png", tmp_path / "out", "runs")
    assert (tmp_path / "out" / "runs.csv").read_text() == before
    done(images, tmp_path / "out", "runs")
    assert (tmp_path / "out" / "runs.csv").read_text().count("img_") == 3


def test_a_changed_image_is_done_again(images, tmp_path):
    done(images, tmp_path / "out")
    Image.fromarray(np.full((20, 20), 7, np.uint8)).save(images / "img_1.png")
    assert [one.was_done for one in done(images, tmp_path / "out")] == [True, False, True]
    assert read_mask(tmp_path / "out" / "img_1.png").values.shape == (20, 20)


def test_what_another_model_wrote_is_kept_unless_told_otherwise(images, tmp_path):
    done(images, tmp_path / "out")
    before = contents(tmp_path / "out")
    with pytest.raises(DataError, match=r"img_0\.png is there already.*--overwrite"):
        done(images, tmp_path / "out", model=predictor(1))
    assert contents(tmp_path / "out") == before
    done(images, tmp_path / "out", model=predictor(1), overwrite=True)
    assert contents(tmp_path / "out") != before
    done(images, tmp_path / "out", overwrite=True)
    assert contents(tmp_path / "out") == before


def test_a_bad_file_stops_no_others_and_is_tried_again_when_it_is_whole(images, tmp_path):
    whole = (images / "img_1.png").read_bytes()
    (images / "img_1.png").write_bytes(whole[:100])
    found = done(images, tmp_path / "out", "runs")
    assert [one.error is None for one in found] == [True, False, True]
    assert "img_1.png" in str(found[1].error)
    (images / "img_1.png").write_bytes(whole)
    assert [one.was_done for one in done(images, tmp_path / "out", "runs")] == [True, False, True]
    assert (tmp_path / "out" / "runs.csv").read_text().count("img_") == 3


class Stopping(Predictor):
    """Is stopped after some bands of each image; counts the rows that it predicts."""

    def __init__(self, of, after):
        self.__dict__ = of.__dict__ | {"after": after, "rows": []}

    def stream(self, scene, *, start=0):
        for n, band in enumerate(super().stream(scene, start=start)):
            if n == self.after:
                raise KeyboardInterrupt
            self.rows.append(band.rows)
            yield band


@pytest.fixture
def large(tmp_path, monkeypatch):
    """An image that counts as large, and is marked after every band."""
    monkeypatch.setattr(many, "IN_MEMORY", 0)
    monkeypatch.setattr("maskwright.inference.one.EVERY", 0)
    rng = np.random.default_rng(1)
    tifffile.imwrite(tmp_path / "scene.tif", rng.integers(0, 255, (300, 90), np.uint8), tile=(64, 64))
    return tmp_path / "scene.tif"


def test_a_large_image_that_was_interrupted_goes_on_below_what_is_marked(large, tmp_path):
    outputs = ("probabilities", "objects", "measurements", "geojson")
    plain = predictor()
    done(large, tmp_path / "whole", *outputs, model=plain)
    assert not list((tmp_path / "whole").glob(".*.working"))
    first = Stopping(plain, 2)
    with pytest.raises(KeyboardInterrupt):
        done(large, tmp_path / "out", *outputs, model=first)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {".scene.working", "predicted.jsonl"}
    second = Stopping(plain, None)
    (one,) = done(large, tmp_path / "out", *outputs, model=second)
    assert second.rows[0].start == first.rows[-1].stop > 0
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert one.computed > 1


def test_a_large_image_is_what_a_small_one_is(large, tmp_path, monkeypatch):
    outputs = ("overlay", "colour", "objects", "coco", "geojson", "measurements", "probabilities=uint8,tiff")
    done(large, tmp_path / "large", *outputs)
    monkeypatch.setattr(many, "IN_MEMORY", 2**28)
    done(large, tmp_path / "small", *outputs)
    assert contents(tmp_path / "large") == contents(tmp_path / "small")


def test_whoever_stops_waiting_stops_the_work(images, tmp_path):
    found = write_all(predictor(), expanded([images]), tmp_path / "out", Asked(wanted(["mask"]), None), jobs=1)
    next(found)
    found.close()
    assert (tmp_path / "out" / "img_0.png").exists()
    assert next(one.was_done for one in done(images, tmp_path / "out"))


def test_a_stack_gets_a_stack_and_the_rest_a_file_a_page(tmp_path):
    pages = np.random.default_rng(0).integers(0, 255, (3, 30, 40), np.uint8)
    tifffile.imwrite(tmp_path / "stack.tif", pages, photometric="minisblack")
    (one,) = done(tmp_path / "stack.tif", tmp_path / "out", "overlay", "runs")
    assert one.mask == tmp_path / "out" / "stack.tif"
    for page in range(3):
        np.testing.assert_array_equal(read_mask(one.mask, page).values, predictor()(pages[page]).mask)
        assert read_image(tmp_path / "out" / f"stack_{page}.overlay.png").shape == (30, 40, 3)
    assert [line.split(",")[0] for line in (tmp_path / "out" / "runs.csv").read_text().splitlines()[1:]] == [
        "stack_0", "stack_1", "stack_2",
    ]  # fmt: skip
    assert done(tmp_path / "stack.tif", tmp_path / "out", "overlay", "runs")[0].was_done


def test_a_full_disk_ends_the_command_which_goes_on_later(images, tmp_path, monkeypatch):
    outputs = wanted(["mask", "overlay"])
    write = type(outputs["overlay"]).write

    def full(self, result, target):
        if target.name == "img_1":
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, result, target)

    monkeypatch.setattr(type(outputs["overlay"]), "write", full)
    with pytest.raises(DataError, match=r"img_1\.png could not be written \(No space left on device\)"):
        done(images, tmp_path / "out", "overlay", jobs=1)
    monkeypatch.undo()
    assert (tmp_path / "out" / "img_1.png").exists(), "the mask was written before the disk was full"
    assert [one.was_done for one in done(images, tmp_path / "out", "overlay", jobs=1)][:2] == [True, False]


def test_no_image_is_written_over(images):
    with pytest.raises(DataError, match="would be written over"):
        done(images, images, overwrite=True)


def test_objects_come_apart_as_asked_where_the_model_can():
    about = predictor().description
    assert apart(about, None) is None
    assert apart(about, "none") is None
    assert apart(about, "distance") == ObjectSettings(how="distance")
    with pytest.raises(SettingError, match=r"by their border: it has learned nothing of objects.*--objects distance"):
        apart(about, "border")
    with pytest.raises(SettingError, match="--objects"):
        apart(about, "distanze")


def test_the_work_on_an_image_is_stopped_from_outside(large, tmp_path):
    """What Ctrl-C does while a worker thread is in the middle of a large image."""
    plain = predictor()
    work = many._Work(plain, tmp_path / "out", Asked(wanted(["mask"]), None), False, 1)
    work.stop.set()
    ((target, one),) = many.targets(expanded([large]), tmp_path / "out").items()
    with pytest.raises(StoppedError):
        work.one(one, target)
    counted = Stopping(plain, None)
    done(large, tmp_path / "out", model=counted)
    assert counted.rows[0].start > 0
