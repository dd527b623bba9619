"""From a broken folder to one that trains: what `inspect` finds, mends and copies, and what `train` says of it."""

import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from maskwright.api import diagnose
from maskwright.cli import app

SIZE = (64, 56)


def said(*words, code=0):
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def folder(blobs):
    return blobs(count=12, size=SIZE)


def mask(folder, number):
    return folder / "masks" / f"img_{number:02d}.png"


def image(folder, number):
    return folder / "images" / f"img_{number:02d}.png"


def redraw(path, change):
    with Image.open(path) as picture:
        array = np.array(picture)
    Image.fromarray(change(array)).save(path)


def truncated(folder):
    image(folder, 3).write_bytes(image(folder, 3).read_bytes()[:400])


def truncated_mask(folder):
    mask(folder, 3).write_bytes(mask(folder, 3).read_bytes()[:60])


def off_by_one(folder):
    redraw(mask(folder, 4), lambda array: array[:-1])


def turned(folder):
    with Image.open(image(folder, 2)) as picture:
        note = Image.Exif()
        note[0x112] = 6
        picture.save(image(folder, 2), exif=note)


def wrong_value(folder):
    def spoil(array):
        array[0, :5] = 7
        return array

    redraw(mask(folder, 6), spoil)


def swapped(folder):
    held = mask(folder, 1).read_bytes()
    mask(folder, 1).write_bytes(mask(folder, 2).read_bytes())
    mask(folder, 2).write_bytes(held)


def jpeg(folder):
    for path in sorted((folder / "masks").iterdir()):
        with Image.open(path) as picture:
            picture.save(path.with_suffix(".jpg"), quality=80)
        path.unlink()


def two_scales(folder):
    for number in range(4):
        redraw(mask(folder, number), lambda array: (array > 0).astype(np.uint8))


def empty(folder):
    redraw(mask(folder, 5), np.zeros_like)


def near_name(folder):
    mask(folder, 8).rename(folder / "masks" / "img_8_mask.png")


def leaking(folder):
    for part, numbers in (("train", range(7)), ("val", range(7, 9)), ("test", range(9, 12))):
        for kind in ("images", "masks"):
            (folder / part / kind).mkdir(parents=True)
            for number in numbers:
                (folder / kind / f"img_{number:02d}.png").rename(folder / part / kind / f"img_{number:02d}.png")
    for kind in ("images", "masks"):
        shutil.copy(folder / "train" / kind / "img_03.png", folder / "test" / kind / "img_20.png")
        (folder / kind).rmdir()


ERRORS = {
    truncated: ("unreadable", {"images/img_03.png"}),
    truncated_mask: ("unreadable", {"masks/img_03.png"}),
    off_by_one: ("off-by-one", {"images/img_04.png"}),
    turned: ("image-turned-mask-not", {"images/img_02.png"}),
    wrong_value: ("masks-strange-values", {"masks/img_06.png"}),
}
OTHERS = {
    swapped: ("masks-swapped", {"masks/img_01.png", "masks/img_02.png"}),
    jpeg: ("masks-frayed", {f"masks/img_{n:02d}.jpg" for n in range(12)}),
    two_scales: ("masks-mixed-values", {f"masks/img_{n:02d}.png" for n in range(4)}),
    empty: ("masks-empty", {"masks/img_05.png"}),
    near_name: ("images-alone masks-alone", {"images/img_08.png", "masks/img_8_mask.png"}),
    leaking: ("copies-train-test", {"train/images/img_03.png", "test/images/img_20.png"}),
}


def named(function):
    return function.__name__


@pytest.mark.parametrize("spoil", [*ERRORS, *OTHERS], ids=named)
def test_what_is_broken_is_found_and_nothing_else(folder, spoil):
    spoil(folder)
    codes, files = {**ERRORS, **OTHERS}[spoil]

    found = diagnose(folder)

    assert {f.code for f in found.findings} == set(codes.split())
    assert {file for f in found.findings for file in f.files} == files
    assert bool(found.errors) == (spoil in ERRORS)


def test_a_sound_folder_has_no_finding(folder):
    assert "nothing odd was found" in said("inspect", folder)


@pytest.mark.parametrize("spoil", [truncated, leaking], ids=named)
def test_what_can_be_mended_is_mended_in_a_file_and_in_a_copy(folder, tmp_path, spoil):
    spoil(folder)

    shown = said("inspect", folder, "--fix", code=int(spoil in ERRORS))

    assert f"fixed   {folder / 'dataset.yaml'}" in shown
    assert "nothing odd was found" in said("inspect", folder)
    said("inspect", folder, "--copy", tmp_path / "copy")
    assert "nothing odd was found" in said("inspect", tmp_path / "copy")


def test_what_a_person_must_mend_is_left_and_said(folder):
    truncated(folder)
    off_by_one(folder)

    shown = said("inspect", folder, "--fix", code=1)

    assert "left    1 error; maskwright inspect" in shown
    assert {finding.code for finding in diagnose(folder).findings} == {"off-by-one"}


@pytest.mark.parametrize("spoil", [truncated, off_by_one, turned], ids=named)
def test_the_remedy_that_is_shown_works_when_it_is_pasted(folder, spoil):
    spoil(folder)
    (remedy,) = [line for line in said("inspect", folder, code=1).splitlines() if "--skip" in line]

    pasted = shlex.split(remedy[remedy.index("--skip") :])

    assert "nothing odd was found" in said("inspect", folder, *pasted)


@pytest.mark.parametrize("spoil", [off_by_one, wrong_value, truncated], ids=named)
def test_training_refuses_with_what_inspect_says(folder, tmp_path, spoil):
    spoil(folder)
    (finding,) = diagnose(folder).errors

    done = CliRunner().invoke(app, ["train", str(folder), "--out", str(tmp_path / "run")])

    assert done.exit_code != 0
    (file,) = finding.files
    assert Path(file).name in str(done.exception)
    assert not (tmp_path / "run").exists()


def test_training_goes_on_with_warnings_and_prints_them(folder, tiny, tmp_path):
    leaking(folder)
    (finding,) = diagnose(folder).findings
    settings = [f"{key}={value}" for key, value in tiny.items()]

    shown = said("train", folder, *settings, "--epochs", 1, "--device", "cpu", "--out", tmp_path / "run")

    assert f"Warning: {finding.title}. {finding.remedy}" in shown
    assert (tmp_path / "run" / "model.safetensors").exists()
