"""Every recipe runs with one command on its data's true layout: painted, small, and for two steps."""

import json

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from typer.testing import CliRunner

from maskwright.cli import app
from maskwright.files import pages_in, read_header
from maskwright.modelfile import describe
from maskwright.plan import Plan


def disc(size, rng):
    """Where a disc is, H W bool."""
    y, x = np.mgrid[: size[0], : size[1]]
    middle = rng.uniform(0.3, 0.7, 2) * size
    return np.hypot(y - middle[0], x - middle[1]) < min(size) / 5


def photo(mask, rng, channels=3):
    """A noisy picture that is brighter where the mask is."""
    noise = rng.normal(60 + 100 * mask, 15)
    grey = np.clip(noise, 0, 255).astype(np.uint8)
    return grey if channels == 1 else np.stack([grey] * 3, axis=2)


def paint_pets(root, rng):
    """images/, annotations/trimaps/ with 1 pet, 2 background, 3 outline, and the two published lists."""
    (root / "images").mkdir()
    (root / "annotations" / "trimaps").mkdir(parents=True)
    names = [f"Abyssinian_{i}" for i in range(8)] + [f"great_pyrenees_{i}" for i in range(4)]
    for i, name in enumerate(names):
        size = (60 + i, 80 - i)
        mask = disc(size, rng)
        trimap = np.where(mask, 1, 2).astype(np.uint8)
        trimap[1:][mask[1:] != mask[:-1]] = 3
        Image.fromarray(photo(mask, rng)).save(root / "images" / f"{name}.jpg")
        Image.fromarray(trimap).save(root / "annotations" / "trimaps" / f"{name}.png")
    for file, part in (("trainval.txt", names[:9]), ("test.txt", names[9:])):
        (root / "annotations" / file).write_text("".join(f"{name} 1 1 1\n" for name in part))


def paint_camvid(root, rng):
    """images/, labels/NAME_P.png, codes.txt with Void, valid.txt."""
    (root / "images").mkdir()
    (root / "labels").mkdir()
    names = [f"0016E5_{i:05d}" for i in range(8)]
    for name in names:
        mask = disc((72, 96), rng)
        labels = mask.astype(np.uint8) * 2
        labels[:, :40] += 1
        labels[:3] = 4
        Image.fromarray(photo(mask, rng)).save(root / "images" / f"{name}.png")
        Image.fromarray(labels).save(root / "labels" / f"{name}_P.png")
    (root / "codes.txt").write_text("Animal\nArchway\nBicyclist\nBridge\nVoid\n")
    (root / "valid.txt").write_text("".join(f"{name}.png\n" for name in names[-2:]))


def paint_salt(root, rng):
    """101×101, masks of 0 and 65535, empty ones in 8 bits, depths.csv."""
    (root / "images").mkdir()
    (root / "masks").mkdir()
    rows = ["id,z"]
    for i in range(12):
        mask = disc((101, 101), rng) & (i % 3 > 0)
        Image.fromarray(photo(mask, rng)).save(root / "images" / f"{i:010x}.png")
        stored = mask.astype(np.uint16) * 65535 if mask.any() else np.zeros((101, 101), np.uint8)
        Image.fromarray(stored).save(root / "masks" / f"{i:010x}.png")
        rows.append(f"{i:010x},{100 + i}")
    (root / "depths.csv").write_text("\n".join(rows))


def paint_carvana(root, rng):
    """train_hq/CAR_ANGLE.jpg, train_masks/CAR_ANGLE_mask.gif."""
    (root / "train_hq").mkdir()
    (root / "train_masks").mkdir()
    for i in range(10):
        mask = disc((64, 96), rng)
        Image.fromarray(photo(mask, rng)).save(root / "train_hq" / f"0cdf5b5d0ce1_{i:02d}.jpg")
        gif = Image.fromarray(mask.astype(np.uint8), mode=None)
        gif = gif.convert("P")
        gif.putpalette([0, 0, 0, 255, 255, 255])
        gif.save(root / "train_masks" / f"0cdf5b5d0ce1_{i:02d}_mask.gif")


def paint_isbi(root, rng):
    """Two stacks, a page a slice; 255 is cell, 0 membrane."""
    masks = np.stack([~disc((64, 64), rng) for _ in range(6)])
    volume = np.stack([photo(mask, rng, channels=1) for mask in masks])
    tifffile.imwrite(root / "train-volume.tif", volume, photometric="minisblack")
    tifffile.imwrite(root / "train-labels.tif", masks.astype(np.uint8) * 255, photometric="minisblack")


PAINTED = {
    "pets-unet": (paint_pets, ["preprocess.size=[32, 32]", "model.base=4"]),
    "camvid-unet": (paint_camvid, ["preprocess.size=[32, 64]", "model.base=2"]),
    "camvid-resnet34": (
        paint_camvid,
        ["preprocess.size=[32, 64]", "model.base=2", "model.encoder.name=resnet18"],
    ),
    "salt-unet": (paint_salt, ["model.base=2", "sampling.batch=4"]),
    "carvana-simple": (paint_carvana, ["model.widths=[4, 4, 8, 8]", "model.decoder_widths=[4, 4, 8]"]),
    "carvana-unet": (paint_carvana, ["model.base=4"]),
    "valid-unet": (paint_isbi, ["model.base=4", "sampling.crop=[92, 92]"]),
    "isbi-2015": (paint_isbi, ["model.base=4", "sampling.crop=[188, 188]"]),
}


@pytest.mark.parametrize("name", PAINTED)
def test_a_recipe_trains_evaluates_and_predicts_on_its_own_layout(name, tmp_path):
    data, run = tmp_path / "data", tmp_path / "run"
    data.mkdir()
    paint, smaller = PAINTED[name]
    if name == "camvid-resnet34":
        timm = pytest.importorskip("timm")
        torch.save(timm.create_model("resnet18").state_dict(), tmp_path / "weights.pth")
        (tmp_path / "LICENSE").write_text("Apache License, Version 2.0")
        smaller = [*smaller, f"encoder.weights={tmp_path / 'weights.pth'}"]
    paint(data, np.random.default_rng(0))
    steps = ["training.budget={steps: 2}", "training.validation.times=1"]

    told = invoke("train", data, "--recipe", name, "--out", run, "--device", "cpu", *smaller, *steps)
    assert "as the recipe" in told
    plan = Plan.load(run / "plan.yaml")
    assert plan.recipe == name
    said = describe(run / "model.safetensors")
    assert said.plan == plan
    if name == "camvid-resnet34":
        assert said.network.encoder.weights is None, "a model file needs no other file"
        assert "pache" in said.provenance["encoder_weights"]["licence"]
    invoke("evaluate", run / "model.safetensors", "--split", "val", "--json", run / "scores.json", "--device", "cpu")
    scores = json.loads((run / "scores.json").read_text())
    assert set(scores["contests"]) == set(plan.metrics)
    image = sorted(path for path in data.rglob("*") if path.suffix in {".jpg", ".png"} and "mask" not in str(path))
    image = image[0] if image else data / "train-volume.tif"
    invoke("predict", run / "model.safetensors", image, "--out", tmp_path / "masks", "--device", "cpu", "-o", "overlay")
    (mask,) = (path for path in (tmp_path / "masks").iterdir() if path.stem == image.stem)
    page = 0 if image.suffix == ".tif" else None
    assert pages_in(mask) == pages_in(image)
    shown, drawn = read_header(image, page), read_header(mask, page)
    assert (drawn.height, drawn.width) == (shown.height, shown.width)


def invoke(*words):
    """The command's output; it must end well."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output
