"""Prediction from the command line: killed at any moment and given again, it writes what the uninterrupted one does."""

import json
import random
import shutil

import numpy as np
import pytest
import tifffile
from PIL import Image
from tests.journeys.killing import Moment, Zygote

import maskwright

LARGE = {"maskwright.inference.many:IN_MEMORY": 20_000, "maskwright.inference.one:EVERY": 0}
"""The scene counts as large, the pictures do not; every band is marked."""
OUTPUTS = ("overlay", "probabilities=uint8", "geojson", "coco", "measurements", "objects")
PLACES = [
    ("inference/one.py", "_fill", 4, 6000),
    ("inference/working.py", "Working.mark", 8, 60),
    ("inference/journal.py", "Journal.add", 6, 80),
    ("inference/many.py", "_Work._made", 3, 4000),
    ("files/tiffwriting.py", "write_tiff", 4, 600),
    ("maskwright/records.py", "replacing", 12, 200),
    ("outputs/coco.py", "Coco.finish", 1, 100),
    ("regions/separation.py", "separate", 3, 1500),
]


@pytest.fixture(scope="module")
def home(paint_blobs, tiny, tmp_path_factory):
    """A model, and in `new` three pictures, one of them damaged, and a scene."""
    home = tmp_path_factory.mktemp("predicting")
    paint_blobs(home / "blobs", count=10)
    settings = {**tiny, "tiles.window": [64, 64]}
    maskwright.train(home / "blobs", out=home / "run", epochs=3, device="cpu", settings=settings)
    new = home / "new"
    new.mkdir()
    for name in ("img_00.png", "img_01.png"):
        shutil.copy(home / "blobs" / "images" / name, new)
    picture = np.asarray(Image.open(new / "img_00.png"))
    tifffile.imwrite(new / "scene.tif", np.tile(picture, (4, 2)), tile=(64, 64), compression="zlib")
    (new / "bad.png").write_bytes(b"no picture")
    return home


@pytest.fixture(scope="module")
def zygote(tmp_path_factory):
    with Zygote(tmp_path_factory.mktemp("zygote")) as zygote:
        yield zygote


def words(home, out):
    outputs = [word for output in OUTPUTS for word in ("-o", output)]
    return [
        "predict",
        home / "run" / "model.safetensors",
        home / "new",
        "--out",
        out,
        *outputs,
        "--device",
        "cpu",
        "--jobs",
        1,
    ]


def contents(folder):
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if name != "predicted.jsonl"}


@pytest.fixture(scope="module")
def whole(home, zygote, tmp_path_factory):
    """What the uninterrupted command writes."""
    out = tmp_path_factory.mktemp("whole")
    ended = zygote(*words(home, out), patched=LARGE)
    assert ended.code == 1, ended.said
    assert "3 written, 1 failed" in ended.said
    found = contents(out)
    assert {"scene.geojson", "scene.objects.tif", "coco.json", "measurements.csv", "img_00.overlay.png"} <= set(found)
    return found


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3))])
def test_killed_at_any_moment_and_given_again_it_writes_the_same(seed, home, zygote, whole, tmp_path):
    rng, kills = random.Random(seed), 0
    for file, function, nth, calls in rng.sample(PLACES, len(PLACES)):
        moment = Moment(rng.randrange(calls), file, function, rng.randint(1, nth))
        ended = zygote(*words(home, tmp_path), until=moment, patched=LARGE)
        assert ended.killed or ended.code == 1, f"{moment}\n{ended.said}"
        kills += ended.killed
    assert zygote(*words(home, tmp_path), patched=LARGE).code == 1
    assert contents(tmp_path) == whole
    assert kills >= 3, "they came"


def test_the_command_says_what_it_did(home, zygote, tmp_path):
    ended = zygote(*words(home, tmp_path / "out"))
    assert "bad.png" in ended.said
    again = zygote(*words(home, tmp_path / "out"))
    assert "3 done before, 1 failed" in again.said
    lines = [json.loads(line) for line in (tmp_path / "out" / "predicted.jsonl").read_text().splitlines()]
    assert {line["image"].rsplit("/", 1)[1] for line in lines} == {"img_00.png", "img_01.png", "scene.tif", "bad.png"}
    listed = zygote("predict", "--outputs")
    assert listed.code == 0
    assert "geojson" in listed.said
