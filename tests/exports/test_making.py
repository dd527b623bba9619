"""An export is certified, and kept only if it holds."""

import hashlib
import json

import numpy as np
import onnx
import pytest
import torch
from tests.exports.conftest import VALUES, model, noise, ours
from typer.testing import CliRunner

from maskwright import api
from maskwright.cli import app
from maskwright.data.sample import Samples
from maskwright.errors import ExportError, SettingError
from maskwright.exports import Case, Certificate, Options, made
from maskwright.exports.checking import compared, cut, peak_of
from maskwright.exports.onnx import Onnx
from maskwright.files import MaskStyle, write_image, write_mask
from maskwright.inference import Predictor
from maskwright.inference.ensemble import golden_image, joined, load


@pytest.fixture
def folder(tmp_path):
    """Six images with masks that are all three classes."""
    for name in "abcdef":
        image = noise("uint8", 50, 61, 1, seed=ord(name))
        write_image(tmp_path / "data" / "images" / f"{name}.png", image)
        labels = np.digitize(image[:, :, 0], [80, 160])
        write_mask(tmp_path / "data" / "masks" / f"{name}.png", np.array(VALUES, np.uint8)[labels], MaskStyle())
    (tmp_path / "data" / "dataset.yaml").write_text("classes: {ground: 0, cell: 10, edge: 200}\n")
    return tmp_path / "data"


def spoil(monkeypatch):
    """What is written is not the model: a number of its head is changed."""
    write = Onnx.write

    def wrong(self, model, target, options):
        path = write(self, model, target, options)
        graph = onnx.load(path)
        (head,) = [one for one in graph.graph.initializer if one.name.endswith("head.bias")]
        values = onnx.numpy_helper.to_array(head).copy()
        values[0] += 0.5
        head.CopyFrom(onnx.numpy_helper.from_array(values, head.name))
        onnx.save(graph, path)
        return path

    monkeypatch.setattr(Onnx, "write", wrong)


def test_an_export_lies_beside_its_model_with_a_certificate(saved, folder):
    path = saved(scale=0.5)

    certificate = api.export(path, data=folder, images=4)

    target = path.with_suffix(".onnx")
    assert certificate.holds
    assert certificate.difference < 1e-4
    assert certificate.changed < 1e-3
    assert certificate.images[0] == "golden sample"
    assert len(certificate.images) == 5
    assert certificate.mean_iou is not None
    assert certificate.mean_iou.change == pytest.approx(0, abs=1e-3)
    assert Certificate.load(f"{target}.certificate.json") == certificate
    for name in (path.name, target.name):
        assert certificate.sha256[name] == hashlib.sha256((path.parent / name).read_bytes()).hexdigest()
    page = (path.parent / f"{target.name}.certificate.md").read_text()
    assert all(text in page for text in certificate.lines().values())
    kept = {p.name for p in path.parent.iterdir()} - {"data"}
    assert kept == {
        path.name,
        target.name,
        "runner.py",
        f"{target.name}.certificate.json",
        f"{target.name}.certificate.md",
    }


def test_without_images_the_golden_sample_is_compared_at_an_odd_size_and_that_is_said(saved):
    certificate = api.export(saved())

    assert certificate.images == ("golden sample",)
    assert certificate.pixels == 67 * 73
    assert "golden sample alone" in certificate.notes[0]


def test_a_spoilt_export_is_refused_and_leaves_nothing(saved, monkeypatch):
    path = saved()
    before = sorted(path.parent.iterdir())
    spoil(monkeypatch)

    with pytest.raises(ExportError, match="DOES NOT HOLD"):
        api.export(path)
    assert sorted(path.parent.iterdir()) == before

    api.export(path, tolerance=1.0)  # who asks for little gets it
    assert path.with_suffix(".onnx").exists()


def test_a_file_that_is_there_is_kept_until_a_new_one_holds(saved, monkeypatch):
    path = saved()
    target = path.with_suffix(".onnx")
    target.write_text("an earlier one")
    with pytest.raises(SettingError, match="there already"):
        api.export(path)
    spoil(monkeypatch)
    with pytest.raises(ExportError):
        api.export(path, overwrite=True)
    assert target.read_text() == "an earlier one"


def test_not_a_number_never_holds():
    one = joined([model()])

    def broken(image):
        labels, shares = ours(one, image)
        return labels, shares * np.float32("nan")

    image = Case("a", noise("uint8", 20, 20, 1))
    said = compared(Predictor(one, device="cpu"), broken, [image, image])
    assert np.isnan(said.difference)


def test_differences_are_those_of_the_arrays():
    one = joined([model()])
    image, labels = noise("uint8", 20, 24, 1), np.zeros((20, 24), np.uint8)
    ours_HW, shares = ours(one, image)

    def other(image):
        found = ours_HW.copy()
        found[:2] = (found[:2] + 1) % 3
        return found, shares + np.float32(0.25)

    said = compared(Predictor(one, device="cpu"), other, [Case("a", image, labels)])

    assert said.difference == pytest.approx(0.25)
    assert said.changed == 48 / 480
    assert said.mean_iou.torch == pytest.approx((ours_HW == 0).mean())
    assert said.mean_iou.change != 0


def test_a_large_image_is_compared_on_its_middle():
    image = noise("uint8", 9, 30, 1)
    labels = image[:, :, 0] % 3
    found = cut(Case("a", image, labels), 11)
    np.testing.assert_array_equal(found.image, image[:, 9:20])
    np.testing.assert_array_equal(found.labels, labels[:, 9:20])


def test_memory_is_what_the_work_holds_at_its_highest():
    found = peak_of(lambda: np.ones(40_000_000, np.uint8).sum())
    assert found is None or 35e6 < found < 120e6


def test_8_bit_integers_are_judged_by_mean_iou(saved, folder):
    path = saved()
    listed = api.inspect(folder).samples
    taught = {"train": tuple(s.content for s in listed.samples)}
    opened = load(path)
    about = opened.description.model_copy(update={"split": taught})
    images = [listed.image(s) for s in listed.samples]
    cases = [Case(s.name, listed.image(s), listed.labels_of(s)) for s in listed.samples]
    out = path.with_name("small.onnx")

    found = made(opened, "onnx", out, golden_image(path), cases, options=Options(path, images), tolerance=0.1)

    assert about.split["train"]
    assert found.int8
    assert found.loss == pytest.approx(found.mean_iou.torch - found.mean_iou.export)
    assert found.difference > 1e-3, "that is float32"
    assert any(node.op_type == "QuantizeLinear" for node in onnx.load(out).graph.node)
    with pytest.raises(ExportError, match="mean IoU lost"):
        made(opened, "onnx", out, golden_image(path), cases, options=Options(path, images), tolerance=-1.0)


def test_a_model_that_sees_one_class_alone_is_told_to_say_little_of_8_bit(tmp_path):
    one = model()
    with torch.no_grad():
        one.network.head.bias[0] += 1000
    images = [noise("uint8", 40, 40, 1)]
    cases = [Case("a", images[0], np.zeros((40, 40), np.uint8))]

    found = made(joined([one]), "onnx", tmp_path / "m.onnx", images[0], cases, options=Options(calibration=images))

    assert "one class alone" in found.notes[0]
    assert found.lines()["Verdict"].startswith("holds: mean IoU lost 0,")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"to": "onx"}, "Did you mean 'onnx'"),
        ({"int8": True}, "Name their folder: --data"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_written(asked, said, saved):
    path = saved()
    with pytest.raises(SettingError, match=said):
        api.export(path, **asked)
    assert list(path.parent.iterdir()) == [path]


def test_a_missing_package_is_named_with_the_line_that_brings_it(saved, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(SettingError, match=r"pip install \"maskwright\[onnx\]\""):
        api.export(saved())


def test_other_classes_are_refused(saved, folder):
    (folder / "dataset.yaml").write_text("classes: {sky: 0, cell: 10, edge: 200}\n")
    with pytest.raises(Exception, match="The model knows the classes ground"):
        api.export(saved(), data=folder)


def test_the_command_line_prints_the_certificate_and_fails_with_1(saved, folder, monkeypatch):
    path = saved()
    done = CliRunner().invoke(app, ["export", str(path), "--data", str(folder), "--images", "2"])
    assert done.exit_code == 0, done.output
    assert "holds: probabilities apart by" in done.output
    spoil(monkeypatch)
    assert CliRunner().invoke(app, ["export", str(path), "--overwrite"]).exit_code == 1


def test_what_can_be_written_is_listed():
    done = CliRunner().invoke(app, ["export", "--list"])
    assert done.exit_code == 0
    for name in ("onnx", "openvino", "torchscript", "torch-export"):
        assert name in done.output


def test_the_description_is_read_back_with_the_formats_own_reader(saved, folder):
    path = saved(style=MaskStyle(dtype="uint16"))
    api.export(path)

    props = {entry.key: entry.value for entry in onnx.load(path.with_suffix(".onnx")).metadata_props}
    said = json.loads(props["maskwright"])

    assert [c["value"] for c in said["classes"]] == list(VALUES)
    assert said["mask"] == {"mode": "grey", "dtype": "uint16", "palette": None}
    assert said["preprocess"][0]["mean"] == [102.0]
    assert said["provenance"] == {"data": "painted"}


def test_the_run_folder_tells_which_images_to_compare_on(saved, folder):
    path = saved()
    samples = api.inspect(folder).samples
    samples.save(path.parent / "samples.json")
    assert isinstance(Samples.load(path.parent / "samples.json"), Samples)

    assert len(api.export(path, images=2).images) == 3
