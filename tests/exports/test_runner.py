"""The script beside an ONNX file, in a process of its own."""

import runpy
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from tests.exports.conftest import model, noise, ours

from maskwright import api
from maskwright.exports.describing import described
from maskwright.exports.onnx import SCRIPT
from maskwright.files import MaskStyle, read_mask, write_image
from maskwright.inference.ensemble import joined

PALETTE = tuple((n, 255 - n, 7) for n in range(256))


def run(model, source, target):
    script = model.with_name("runner.py")
    return subprocess.run([sys.executable, script, model, source, target], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("settings", "suffix"),
    [
        ({"channels": 3, "style": MaskStyle(mode="palette", palette=PALETTE)}, ".png"),
        ({"dtype": "uint16", "style": MaskStyle(dtype="uint16"), "values": (0, 700, 65535)}, ".png"),
        ({"channels": 3, "style": MaskStyle(mode="colour"), "values": (0, 0xFF8000, 0x10)}, ".png"),
        ({"channels": 5, "dtype": "float32"}, ".npy"),
    ],
    ids=["palette", "16 bit", "colours", "channels"],
)
def test_it_writes_the_mask_that_maskwright_writes(settings, suffix, saved, tmp_path):
    path = saved(**settings)
    api.export(path)
    one = model(**settings)
    image = noise(one.description.preprocess.dtype, 37, 45, one.description.preprocess.channels)
    source = tmp_path / f"image{suffix}"
    if suffix == ".npy":
        np.save(source, image)
    else:
        write_image(source, image)

    done = run(path.with_suffix(".onnx"), source, tmp_path / "mask.png")

    assert done.returncode == 0, done.stderr
    mask = read_mask(tmp_path / "mask.png", colour=one.description.labels.style.mode == "colour")
    np.testing.assert_array_equal(mask.values, one.description.labels.decode(ours(joined([one]), image)[0]))
    assert mask.style.mode == one.description.labels.style.mode


def test_another_kind_of_number_and_too_few_words_are_refused(saved, tmp_path):
    path = saved()
    api.export(path)
    write_image(tmp_path / "deep.png", noise("uint16", 9, 9, 1))

    done = run(path.with_suffix(".onnx"), tmp_path / "deep.png", tmp_path / "mask.png")

    assert done.returncode == 1
    assert "uint16" in done.stderr
    assert "python runner.py model.onnx" in subprocess.run(
        [sys.executable, SCRIPT], capture_output=True, text=True
    ).stderr  # fmt: skip


@pytest.mark.parametrize("settings", [{}, {"padding": "valid"}, {"stem": 2}], ids=str)
def test_pieces_of_a_local_network_give_the_labels_of_the_whole(settings, monkeypatch):
    monkeypatch.setattr("maskwright.exports.describing.SIDE", 160)
    one = joined([model(**settings)])
    about = described(one)
    script = runpy.run_path(str(SCRIPT))
    image = noise("uint8", 301, 270, 1)

    class Session:
        """What onnxruntime would be."""

        seen = 0

        def run(self, names, given):
            Session.seen = max(Session.seen, *given["image"].shape[1:3])
            return [ours(one, given["image"][0])[0][None]]

    found = script["labels_of"](Session(), about, image)

    assert Session.seen <= about["tiling"]["side"] < 270
    assert about["tiling"]["exact"]
    assert (found != ours(one, image)[0]).mean() < 1e-4  # classes that are as good as equally likely


def test_pieces_cover_each_pixel_once():
    pieces = runpy.run_path(str(SCRIPT))["pieces"]
    for size in (1, 159, 160, 161, 500, 1777):
        found = pieces(size, {"side": 160, "halo": 24, "step": 8})
        kept = [n for _, _, start, stop in found for n in range(start, stop)]
        assert kept == list(range(size))
        assert all(a % 8 == 0 and b - a <= 160 for a, b, _, _ in found)


def test_an_image_that_is_made_one_size_is_never_cut():
    assert described(joined([model(size=(24, 40))]))["tiling"] is None


@pytest.mark.parametrize("mode", ["1", "LA", "RGBA", "P"])
def test_what_pillow_opens_is_read_as_it_looks(mode, tmp_path):
    read = runpy.run_path(str(SCRIPT))["read"]
    Image.fromarray(noise("uint8", 9, 11, 3)).convert(mode).save(tmp_path / "image.png")
    image = read(str(tmp_path / "image.png"))
    assert image.shape == (9, 11, 1 if mode in {"1", "LA"} else 3)
    assert image.dtype == np.uint8


def test_it_is_short_and_needs_nothing_of_ours():
    text = SCRIPT.read_text("utf-8")
    assert "import maskwright" not in text
    assert "from maskwright" not in text
    assert len(text.splitlines()) <= 80
