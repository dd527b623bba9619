import shutil

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.data import label_sets
from tests.data.label_sets import SETS

from maskwright.data.dataset_file import DatasetFile, SplitFile
from maskwright.data.described import Described, describe, write
from maskwright.data.index import index
from maskwright.data.survey import Asked, survey
from maskwright.errors import DataError


@pytest.mark.parametrize("painter", SETS, ids=lambda painter: painter.__name__)
def test_a_folder_read_with_its_own_description_is_the_same(painter, paint):
    painter(paint)
    before = index(paint.root)
    assert before.labels.names == SETS[painter]

    described = describe(survey(paint.root))
    (paint.root / "dataset.yaml").unlink(missing_ok=True)
    path = write(paint.root, described)

    assert path == paint.root / "dataset.yaml"
    after = index(paint.root)
    assert after.samples == before.samples
    assert after.labels == before.labels
    for sample in before.samples[:3]:
        np.testing.assert_array_equal(after.labels_of(sample), before.labels_of(sample))
    again = describe(survey(paint.root))
    assert again.file == described.file


@pytest.mark.parametrize(
    "asked",
    [
        {"test": ["a.png", "b*"]},
        {"val": ["c"], "skip": ["d.png"]},
        {"share": 0.3, "split_seed": 4},
        {"share": 2, "test_share": 0.25, "stratify": True, "split_seed": 7},
    ],
)
def test_what_was_asked_for_is_written_too(asked, paint):
    label_sets.binary(paint)
    before = index(paint.root, **asked)
    write(paint.root, describe(survey(paint.root, Asked(**asked)), Asked(**asked)))
    assert index(paint.root).samples == before.samples


def test_a_published_split_is_referred_to_not_repeated(paint):
    label_sets.split_folders(paint)
    described = describe(survey(paint.root))
    assert described.file.split == SplitFile()
    label_sets.binary(paint)
    assert "test:" not in described.text().replace("#", "")


def test_each_line_has_its_reason(paint):
    label_sets.jpegs(paint)
    text = describe(survey(paint.root, Asked(skip=("h.png",))), Asked(skip=("h.png",))).text()
    lines = text.splitlines()
    for key in ("classes:", "threshold: 128", "split:", "skip: [h.png]"):
        assert lines[lines.index(key) - 1].startswith("#")
    assert "smooth or noisy edges" in text
    assert "folders images and masks, paired by name" in text
    assert "  foreground: {value: 255, colour: '#e69f00'}" in lines
    assert "  val: 0.15" in lines


def test_nothing_is_written_over_a_file(paint):
    label_sets.binary(paint)
    mine = paint.write("dataset.yaml", "skip: [a]\n")
    described = describe(survey(paint.root))
    with pytest.raises(DataError, match=r"there already.*--write .*dataset-new\.yaml"):
        write(paint.root, described)
    assert mine.read_text() == "skip: [a]\n"
    assert not [path for path in paint.root.iterdir() if path.name.startswith(".")]
    with pytest.raises(DataError, match=r"should end in \.yaml"):
        write(paint.root / "dataset.txt", described)


def test_a_file_elsewhere_says_where_the_data_lie(paint, tmp_path):
    label_sets.palettes_numbered_anew(paint)
    before = index(paint.root)
    path = write(tmp_path / "mine" / "cells.yaml", describe(survey(paint.root)))
    assert DatasetFile.load(path).path == "../data"
    after = index(path)
    assert (after.samples, after.labels) == (before.samples, before.labels)


def test_what_does_not_hold_together_is_not_written(paint):
    label_sets.binary(paint)
    paint.write("masks/a.png", paint.mask(size=(40, 47)))
    with pytest.raises(DataError, match=r"before it holds together: .*masks/a\.png is 40×47"):
        describe(survey(paint.root))


def test_the_described_set_stays_when_its_class_table_goes(paint):
    """What the file says is law: nothing else is asked any more."""
    label_sets.noisy_colours_with_table(paint)
    before = index(paint.root)
    write(paint.root, describe(survey(paint.root)))
    (paint.root / "labelmap.txt").unlink()
    assert index(paint.root).labels == before.labels


names = st.text(min_size=1, max_size=200).filter(lambda name: not any(0xD800 <= ord(c) < 0xE000 for c in name))


@given(
    classes=st.dictionaries(names, st.integers(0, 255), min_size=2, max_size=5),
    skip=st.lists(names, max_size=4),
    reason=names,
)
def test_any_names_and_reasons_come_back(classes, skip, reason, tmp_path_factory):
    file = DatasetFile(classes={name: {"value": value} for name, value in classes.items()}, skip=tuple(skip))
    text = Described(tmp_path_factory.getbasetemp(), file, (reason,), {"classes": reason, "skip": reason}).text()
    assert DatasetFile.read(yaml.safe_load(text) or {}) == file


def test_a_copy_of_the_folder_reads_the_same(paint, tmp_path):
    label_sets.colours_with_table(paint)
    write(paint.root, describe(survey(paint.root)))
    shutil.copytree(paint.root, tmp_path / "copy")
    assert index(tmp_path / "copy").samples == index(paint.root).samples
