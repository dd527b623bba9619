"""What every output owes those who use it. A new output is found here by itself."""

import csv
import json

import numpy as np
import pytest
import tifffile
from PIL import Image
from tests.inference.results import painted, result_of

from maskwright.errors import SettingError
from maskwright.files import read_image, read_mask
from maskwright.files.annotations import draw, draw_objects, read_annotations
from maskwright.inference.outputs import Gathered, outputs, wanted
from maskwright.inference.pictures import written_values
from maskwright.records import IGNORED, Record

PARTS = [pytest.param(kind, id=name) for name, kind in outputs.items()]
PICTURES = {
    "odd": painted(),
    "one pixel": np.ones((1, 1), np.uint8),
    "background only": np.zeros((9, 4), np.uint8),
    "one class only": np.full((3, 40), 2, np.uint8),
    "nothing counts": np.full((5, 6), IGNORED, np.uint8),
    "a row": painted(1, 64),
    "a column": painted(64, 1),
}
VALUES = {"background": 0, "cell": 1, "nucleus": 2}


def files_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("part", PARTS)
def test_every_output_says_what_it_is_and_is_a_record(part):
    assert len((vars(part).get("__doc__") or "").split()) >= 8
    assert 20 < len(part.about) <= 110
    assert "\n" not in part.about
    assert issubclass(part, Record)
    assert part.read(part().plain()) == part()
    assert part().needs <= {"probabilities", "objects", "things"}


def test_outputs_that_are_promised_are_there():
    promised = {
        "mask", "colour", "overlay", "probabilities", "geojson", "coco", "labelme", "runs", "objects", "measurements",
    }  # fmt: skip
    assert promised <= set(outputs)


@pytest.mark.parametrize("picture", PICTURES)
def test_no_two_outputs_write_the_same_file(picture, tmp_path):
    result = result_of(PICTURES[picture])
    paths = [part().path(result.origin, tmp_path / "a.b") for _, part in outputs.items()]

    assert len(set(paths)) == len(paths)
    assert all(path.name.startswith("a.b") for path in paths)
    gathered = [part.file for _, part in outputs.items() if isinstance(part(), Gathered)]
    assert len(set(gathered)) == len(gathered)


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("name", list(outputs))
def test_every_output_writes_what_it_said_it_would_and_it_reads_back(name, picture, tmp_path):
    """Nothing else lies there, and a reader of ours or of its tool gives the result back."""
    result, target = result_of(PICTURES[picture]), tmp_path / "out" / "a.b"
    output = outputs[name]()

    path = output.write(result, target)

    assert path == output.path(result.origin, target)
    assert files_in(tmp_path / "out") == [path.relative_to(tmp_path / "out").as_posix()]
    file = output.finish([path], tmp_path / output.file) if isinstance(output, Gathered) else path
    if name in READ_BACK:
        READ_BACK[name](result, file)


@pytest.mark.parametrize("part", PARTS)
def test_every_output_is_whole_or_not_there(part, tmp_path):
    """Whatever fails while it is written, what was there before stays."""
    result, target = result_of(painted()), tmp_path / "a"
    before = part().write(result, target).read_bytes()

    def broken(rows, columns):
        raise OSError("the disk is gone")

    for plane in (result.labels, *result.probabilities, result.objects.ids, result.scene):
        plane.read = broken
    with pytest.raises(OSError, match="the disk is gone"):
        part().write(result, target)

    path = part().path(result.origin, target)
    assert files_in(tmp_path) == [path.relative_to(tmp_path).as_posix()]
    assert path.read_bytes() == before


@pytest.mark.parametrize("part", PARTS)
def test_every_output_is_written_the_same_twice(part, tmp_path):
    first, second = (part().write(result_of(painted()), tmp_path / name / "a") for name in ("one", "two"))

    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("part", PARTS)
def test_every_choice_of_an_output_can_be_asked_for_by_name(part):
    name = next(name for name, kind in outputs.items() if kind is part)

    (plain,) = wanted([name]).values()
    assert plain == part()
    with pytest.raises(SettingError, match="no choice 'nonesuch'"):
        wanted([f"{name}=nonesuch"])


# ------------------------------------------------------------------------------------------------------ read back


def reads_mask(result, path):
    table, style, ignored = written_values(result.classes)
    mask = read_mask(path)
    np.testing.assert_array_equal(mask.values, table[result.labels.values])
    assert mask.style.mode == style.mode
    assert ignored == 255
    with Image.open(path) as picture:
        np.testing.assert_array_equal(np.asarray(picture), mask.values)


def reads_colours(result, path):
    colours = {label: one.colour for label, one in enumerate(result.classes.classes)} | {IGNORED: (255, 255, 255)}
    with Image.open(path) as picture:
        shown = np.asarray(picture)
    np.testing.assert_array_equal(shown, np.array([[colours[label] for label in row] for row in result.labels.values]))
    np.testing.assert_array_equal(np.broadcast_to(read_image(path), shown.shape), shown)


def reads_overlay(result, path):
    clear = np.isin(result.labels.values, [0, IGNORED])
    with Image.open(path) as picture:
        shown = np.asarray(picture)
    rows, columns = (slice(0, side) for side in clear.shape)
    np.testing.assert_array_equal(shown[clear], result.scene.read(rows, columns)[clear])
    assert clear.all() or (shown[~clear] != result.scene.read(rows, columns)[~clear]).any()


def reads_objects(result, path):
    np.testing.assert_array_equal(tifffile.imread(path), result.objects.ids.values)
    np.testing.assert_array_equal(read_mask(path).values, result.objects.ids.values)


def reads_probabilities(result, path):
    values = np.load(path)
    missing = result.labels.values == IGNORED
    assert values.dtype == np.float32
    assert np.isnan(values[:, missing]).all()
    for plane, band in zip(result.probabilities, values, strict=True):
        np.testing.assert_array_equal(band[~missing], plane.values[~missing])
    np.testing.assert_array_equal(np.moveaxis(read_image(path, axes="CHW"), 2, 0), values)


def reads_shapes(result, path):
    (image,) = read_annotations(path).images
    size = result.labels.shape
    said = np.where(result.labels.values == IGNORED, 0, result.labels.values)
    np.testing.assert_array_equal(draw(image.shapes, size, VALUES), said)
    numbers = draw_objects(image.shapes, size)
    pairs = np.unique(np.stack([numbers.ravel(), result.objects.ids.values.ravel()]), axis=1)
    assert len(set(pairs[0].tolist())) == len(set(pairs[1].tolist())) == pairs.shape[1], "objects are told apart"


def reads_runs(result, path):
    images = read_annotations(path).images
    size = result.labels.shape
    (image,) = images
    values = {"100": 1, "200": 2}
    said = np.where(result.labels.values == IGNORED, 0, result.labels.values)
    np.testing.assert_array_equal(draw(image.shapes, size, values), said)
    assert image.file == "a.b"


def reads_measurements(result, path):
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["area"]) for row in rows] == result.objects.areas.tolist()
    assert {row["image"] for row in rows} <= {"a.b"}


def reads_geojson(result, path):
    value = json.loads(path.read_text("utf-8"))
    assert value["type"] == "FeatureCollection"
    assert len(value["features"]) == len(result.objects.areas)
    reads_shapes(result, path)


READ_BACK = {
    "mask": reads_mask, "colour": reads_colours, "overlay": reads_overlay, "objects": reads_objects,
    "probabilities": reads_probabilities, "geojson": reads_geojson, "labelme": reads_shapes, "coco": reads_shapes,
    "runs": reads_runs, "measurements": reads_measurements,
}  # fmt: skip
