"""Masks that tell objects and their classes: values of both, and a folder of numbers beside masks of classes."""

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from maskwright import api
from maskwright.data import doctor
from maskwright.data.cleaning import write_clean
from maskwright.data.dataset_file import DatasetFile
from maskwright.data.described import describe, write
from maskwright.data.index import index
from maskwright.data.layouts.cityscapes import IDS
from maskwright.data.survey import survey
from maskwright.errors import DataError, SettingError
from maskwright.files import MaskStyle, write_mask

CLASSES = "classes: {sky: 0, cat: 1, dog: 2}\n"
NUMBERS = np.zeros((24, 24), int)
NUMBERS[2:8, 2:8], NUMBERS[2:8, 8:14], NUMBERS[2:8, 14:20], NUMBERS[12:20, 4:12] = 1, 2, 4, 3
LABELS = np.select([NUMBERS == 0, NUMBERS == 4], [0, 2], 1)
LABELS[22, :] = 2
"""Three objects in a row, of which the first two are cats, and a cat apart; a row of dogs that nobody has counted."""


def values(path, values_HW):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mask(path, values_HW, MaskStyle(dtype="uint16" if values_HW.max() > 255 else "uint8"))


@pytest.fixture(params=["values", "folder"])
def told(request, paint):
    """Five pictures with their objects and classes, told in one of the two ways."""
    for i in range(5):
        paint.write(f"images/{i}.png", paint.image(24, 24))
        if request.param == "values":
            values(paint.root / f"masks/{i}.png", np.where(NUMBERS, 1000 * LABELS + 3 * NUMBERS, LABELS))
        else:
            values(paint.root / f"masks/{i}.png", LABELS)
            values(paint.root / f"cells/{i}.png", 50 * NUMBERS)
    paint.write("dataset.yaml", f"instances: {1000 if request.param == 'values' else 'cells'}\n{CLASSES}")
    return paint


def the_same(samples):
    assert samples.labels.names == ["sky", "cat", "dog"]
    for sample in samples.samples:
        np.testing.assert_array_equal(samples.labels_of(sample), LABELS)
        np.testing.assert_array_equal(samples.objects_of(sample), NUMBERS)
    return True


def test_classes_and_objects_are_read(told):
    samples = index(told.root)

    assert the_same(samples)
    assert all(sample.numbers_objects and not sample.tells_objects for sample in samples.samples)


def test_only_objects_of_a_class_that_touch_count_as_touching_and_all_of_them_have_borders(told):
    seen = api.inspect(told.root).fingerprint.objects

    assert seen.objects == 4 * seen.masks
    assert seen.classes == ("cat", "dog")
    assert seen.touching == 0.5, "two cats; the dog beside them is told from them by its class"
    assert seen.border == pytest.approx(2 * 2 * 4 * 6 / 24**2 - 2 * 6 / 24**2, abs=1e-3), "two pixels are in both seams"


def test_what_was_recognised_is_written_down_and_read_again(told):
    found = survey(told.root)
    told.root.joinpath("dataset.yaml").unlink()

    write(told.root, describe(found))

    assert the_same(index(told.root))


def test_a_cleaned_copy_tells_objects_and_classes(told, tmp_path_factory):
    about = write_clean(index(told.root), tmp_path_factory.mktemp("copy"))

    assert yaml.safe_load(about.read_text())["instances"] == "objects"
    assert the_same(index(about.parent))


def test_the_doctor_finds_numbers_that_stand_for_two_objects(told):
    twice = NUMBERS.copy()
    twice[:, 18:] = np.where(np.arange(24)[:, None] > 20, 1, twice[:, 18:])
    twice[2:8, 8:14] = twice[12:20, 4:12] = 0
    for i in range(5):
        if (told.root / "cells").exists():
            values(told.root / f"cells/{i}.png", twice)
        else:
            values(told.root / f"masks/{i}.png", np.where(twice, 1000 + twice, 0))

    assert "repeated-ids" in {finding.code for finding in doctor.diagnose(survey(told.root), deep=True)}


@pytest.mark.parametrize("told", ["folder"], indirect=True)
def test_a_file_of_numbers_that_is_missing_or_does_not_match_is_named(told):
    values(told.root / "cells/3.png", NUMBERS[:20])
    with pytest.raises(DataError, match=r"cells/3\.png and the image .* 20×24 and 24×24.*--skip 3\.png"):
        index(told.root)
    (told.root / "cells/3.png").unlink()
    with pytest.raises(DataError, match=r"no file of cells is called as images/3\.png.*--skip 3\.png"):
        index(told.root)
    told.write("dataset.yaml", f"instances: nuclei\n{CLASSES}")
    with pytest.raises(DataError, match=r"instances: nuclei, but there is no such folder"):
        index(told.root)


@pytest.mark.parametrize("told", ["values"], indirect=True)
def test_another_number_of_values_a_class_is_another_mask(told):
    before = index(told.root).samples[0].mask_content
    told.write("dataset.yaml", "instances: 500\nclasses: {sky: 0, cat: [1, 2, 3], dog: [4, 5]}\n")

    samples = index(told.root)

    assert samples.samples[0].mask_content != before
    assert samples.samples[0].values.keys() == {0, 2, 4}


@pytest.mark.parametrize("stated", [1, 0.5, -3])
def test_what_can_be_no_number_of_values_is_refused(stated):
    with pytest.raises((ValidationError, SettingError), match=r"1000 in Cityscapes|instances"):
        DatasetFile.read({"instances": stated}, "dataset.yaml")


def test_files_of_one_object_each_take_no_numbers_besides(paint):
    for i in range(3):
        paint.write(f"{i}/images/{i}.png", paint.image(24, 24))
        values(paint.root / f"{i}/masks/a.png", (NUMBERS == 1) * 255)
    paint.write("dataset.yaml", "instances: 1000\n")
    with pytest.raises(DataError, match=r"labels of .* are no mask file\. Take the line out"):
        index(paint.root)


def test_the_objects_of_cityscapes_are_read_where_it_is_said(paint):
    ids = np.where(NUMBERS, 26000 + NUMBERS, 23)
    ids[NUMBERS == 4], ids[22, :] = 24001, 26
    for number, split in enumerate(("train", "train", "val")):
        name = f"{split}/ulm/ulm_00000{number}_000019"
        paint.write(f"leftImg8bit/{name}_leftImg8bit.png", paint.image(24, 24, 3))
        for kind, shown in (("labelIds", np.where(ids < 1000, ids, ids // 1000)), ("instanceIds", ids)):
            values(paint.root / f"gtFine/{name}_gtFine_{kind}.png", shown)
    plain = index(paint.root)
    paint.write("dataset.yaml", "instances: 1000\n")

    samples = index(paint.root)

    assert samples.labels == plain.labels
    assert samples.labels.names == list(IDS)
    for sample, without in zip(samples.samples, plain.samples, strict=True):
        np.testing.assert_array_equal(samples.labels_of(sample), plain.labels_of(without))
        assert plain.objects_of(without) is None
        found = samples.objects_of(sample)
        np.testing.assert_array_equal(found > 0, NUMBERS > 0)
        assert len({(a, b) for a, b in zip(found.ravel().tolist(), NUMBERS.ravel().tolist(), strict=True)}) == 5
