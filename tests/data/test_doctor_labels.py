"""What the doctor says of masks and classes, each both ways: where it is so with the right files, else nothing."""

import numpy as np
import pytest
from tests.data import label_sets
from tests.data.label_sets import GREEN, NAMES, RED, SETS, coloured, disc, indexed, put, regions

from maskwright.data.doctor import checks, diagnose
from maskwright.data.index import index
from maskwright.data.survey import survey
from maskwright.errors import DataError


def found(paint, code=None, *, deep=True):
    """Code → finding, of the codes about masks and classes."""
    findings = [f for f in diagnose(survey(paint.root), deep=deep) if f.code.startswith(("masks-", "classes-"))]
    assert len({f.code for f in findings}) == len(findings), "one finding a kind"
    by_code = {finding.code: finding for finding in findings}
    return by_code.get(code) if code else by_code


def masks(names):
    return tuple(f"masks/{name}.png" for name in names)


def with_fix(paint, finding):
    """What is said once the patch stands in dataset.yaml."""
    import yaml

    paint.write("dataset.yaml", yaml.safe_dump(finding.fix))
    return found(paint, finding.code)


QUIET = [
    painter
    for painter in SETS
    if painter.__name__
    not in {"zero_one_and_255", "deep_and_flat", "jpegs", "resized", "palettes_numbered_anew",
            "colours_with_table", "noisy_colours_with_table", "voc_colours", "stated"}
]  # fmt: skip


@pytest.mark.parametrize("painter", QUIET, ids=lambda painter: painter.__name__)
def test_of_clean_masks_nothing_is_said(painter, paint):
    painter(paint)
    assert found(paint) == {}


def test_frayed_masks_are_told_and_the_threshold_written_down(paint):
    label_sets.jpegs(paint)
    finding = found(paint, "masks-frayed")
    assert finding.files == tuple(f"masks/{name}.jpg" for name in NAMES[:5])
    assert (finding.severity, finding.fix) == ("warning", {"threshold": 128})
    before = index(paint.root).labels
    assert with_fix(paint, finding) is None
    assert index(paint.root).labels == before


def test_noisy_colours_are_told(paint):
    label_sets.noisy_colours_with_table(paint)
    finding = found(paint, "masks-frayed")
    assert (finding.files, finding.fix) == (masks("abc"), {"tolerance": 32})
    assert with_fix(paint, finding) is None


def test_two_numbers_for_one_thing_are_noted(paint):
    label_sets.zero_one_and_255(paint)
    finding = found(paint, "masks-mixed-values")
    assert (finding.severity, finding.files) == ("note", masks("abc"))
    before = index(paint.root).samples
    assert with_fix(paint, finding) is None
    assert index(paint.root).samples == before


def test_two_depths_are_noted(paint):
    label_sets.deep_and_flat(paint)
    finding = found(paint, "masks-mixed-depth")
    assert (finding.severity, finding.files) == ("note", masks("abc"))
    assert finding.title == "3 masks have 8 bits, the others 16"


def test_palettes_that_are_read_by_colour_are_noted(paint):
    label_sets.palettes_numbered_anew(paint)
    finding = found(paint, "masks-palettes-differ")
    assert (finding.severity, finding.files) == ("note", masks(NAMES))
    before = index(paint.root).labels
    assert with_fix(paint, finding) is None
    assert index(paint.root).labels == before


def test_palettes_of_which_nobody_knows_what_counts_are_an_error(paint):
    for i, name in enumerate(NAMES):
        put(paint, name, indexed(regions(i, 0, 1, 2), [(0, 0, 0), RED if i else GREEN, (9, 90, i)]))
    finding = found(paint, "masks-palettes-differ")
    assert (finding.severity, finding.files) == ("error", masks(NAMES))
    assert "classes: {NAME: '#ff8000'}" in finding.remedy
    assert set(found(paint)) == {"masks-palettes-differ"}


def test_values_that_are_no_class_are_told_with_all_their_files(paint):
    label_sets.listed(paint)
    for name in "bd":
        put(paint, name, regions(1, 0, 1, 9))
    finding = found(paint, "masks-strange-values")
    assert (finding.severity, finding.files) == ("error", masks("bd"))
    assert finding.title == "2 masks have pixels of a value that is no class: 9"
    assert finding.fix is None
    assert all("pixels" in line for line in finding.details)
    put(paint, "b", regions(1, 0, 1, 2))
    few = regions(1, 0, 1, 2)
    few[0, :3] = 9
    put(paint, "d", few)
    finding = found(paint, "masks-strange-values")
    assert (finding.files, finding.fix) == (masks("d"), {"ignore": [9]})
    assert with_fix(paint, finding) is None


def test_pictures_among_masks_are_told_and_may_be_left_out(paint):
    label_sets.binary(paint)
    for name in "ce":
        put(paint, name, paint.image(40, 48))
    finding = found(paint, "masks-many-values")
    assert (finding.severity, sorted(finding.files)) == ("error", list(masks("ce")))
    assert with_fix(paint, finding) is None
    assert len(index(paint.root).samples) == 6


def test_a_table_that_matches_no_pixel_is_an_error(paint):
    label_sets.colours(paint)
    paint.write("class_dict.csv", "name,r,g,b\nroad,0,0,200\nsky,10,100,100\n")
    finding = found(paint, "classes-match-nothing")
    assert (finding.severity, finding.files) == ("error", ("class_dict.csv",))
    paint.write("class_dict.csv", "name,r,g,b\nroad,0,0,0\nsky,255,0,0\ncar,0,255,0\n")
    assert found(paint) == {}


def test_names_that_no_pixel_has_are_told(paint):
    label_sets.colours_with_table(paint)
    finding = found(paint, "classes-absent")
    assert (finding.severity, finding.details) == ("warning", ("car",))


@pytest.mark.parametrize(("empty", "severity"), [(0, None), (1, "note"), (4, "note"), (5, "warning")])
def test_empty_masks_are_counted(empty, severity, paint):
    label_sets.binary(paint)
    for name in NAMES[:empty]:
        put(paint, name, np.zeros((40, 48), np.uint8))
    finding = found(paint, "masks-empty")
    assert (finding and finding.severity) == severity
    if finding:
        assert finding.files == masks(NAMES[:empty])
        assert f"{empty / 8:.0%} of all" in finding.title


@pytest.mark.parametrize("copies", [2, 4, 8])
def test_one_mask_for_many_images_is_told(copies, paint):
    label_sets.binary(paint)
    for name in NAMES[:copies]:
        put(paint, name, (disc() * 255).astype(np.uint8))
    finding = found(paint, "masks-alike")
    assert (finding and finding.files) == (masks(NAMES[:copies]) if copies >= 4 else None)


def test_inverted_foreground_is_told(paint):
    for i, name in enumerate(NAMES):
        put(paint, name, (~disc(i, radius=7) * 255).astype(np.uint8))
    finding = found(paint, "masks-inverted")
    assert (finding.severity, finding.files, finding.fix) == ("warning", masks(NAMES), None)
    assert "{'background': [255], 'foreground': [0]}" in finding.remedy
    assert found(paint, deep=False) == {}
    paint.write("dataset.yaml", "classes: {background: 0, foreground: 255}\n")
    assert found(paint) == {}


@pytest.mark.parametrize("kind", ["cells", "small", "few"])
def test_large_objects_are_not_taken_for_background(kind, paint):
    """Cells fill most of an image, and touch its rim; something in the middle may fill it, too."""
    for i, name in enumerate(NAMES):
        values = np.full((40, 48), 255, np.uint8)
        if kind == "cells":
            values[:, i::6] = 0
        elif kind == "small":
            values[0], values[-1], values[:, 0], values[:, -1], values[20, 5 + i] = 0, 0, 0, 0, 0
        else:
            values = ((~disc(i, radius=7) if i < 5 else disc(i)) * 255).astype(np.uint8)
        put(paint, name, values)
    assert found(paint, "masks-inverted") is None


@pytest.mark.parametrize("other", ["palette", "colour", "empty"])
def test_one_mask_of_another_kind_is_told(other, paint):
    label_sets.binary(paint, value=1)
    kinds = {
        "palette": indexed(regions(2, 0, 1), [(0, 0, 0), RED]),
        "colour": coloured(regions(2, 0, 1), [(0, 0, 0), RED]),
        "empty": indexed(regions(2, 0), [(0, 0, 0), RED]),
    }
    put(paint, "c", kinds[other])
    finding = found(paint, "masks-other-kind")
    assert (finding and finding.files) == (None if other == "empty" else masks("c"))
    if finding:
        assert finding.details == (f"masks/c.png: {other}",)
        assert with_fix(paint, finding) is None


def test_masks_of_classes_saved_as_jpeg_are_told(paint):
    for i, name in enumerate(NAMES):
        values = regions(i, 0, 1, 2)
        put(paint, name, values, ".jpg" if i < 3 else ".png", **({"quality": 100} if i < 3 else {}))
    finding = found(paint, "masks-lossy")
    assert finding.files == tuple(f"masks/{name}.jpg" for name in "abc")


def parts(paint, **masks_of):
    for part, all_ in masks_of.items():
        for i, values in enumerate(all_):
            paint.write(f"{part}/images/{part}{i}.png", paint.image(40, 48))
            paint.write(f"{part}/masks/{part}{i}.png", regions(i + len(part), *values))
    return found(paint)


def test_classes_that_a_part_does_not_show_are_told(paint):
    said = parts(paint, train=[(0, 1, 2)] * 3, val=[(0, 1, 3), (0, 3)], test=[(0, 2), (0, 2), (0, 2)])
    assert said["classes-not-in-training"].files == ("val/masks/val0.png", "val/masks/val1.png")
    assert said["classes-not-in-training"].details == ("class_3: 2 validation images",)
    assert "class_2" in said["classes-not-in-validation"].title
    assert "class_1" in said["classes-not-in-test"].title
    assert {f.severity for f in said.values()} == {"warning", "note"}


def test_classes_that_every_part_shows_are_not_told(paint):
    assert parts(paint, train=[(0, 1, 2)] * 3, val=[(0, 1, 2), (0, 2)], test=[(0, 2, 1)]) == {}


def test_a_class_in_one_image_only_is_told(paint):
    label_sets.numbered(paint)
    put(paint, "e", regions(1, 0, 1, 2, 3))
    assert found(paint, "classes-in-one-image").files == masks("e")
    put(paint, "f", regions(2, 0, 1, 2, 3))
    assert found(paint, "classes-in-one-image") is None


def test_rare_classes_are_noted(paint):
    label_sets.numbered(paint)
    for i, name in enumerate("ab"):
        values = regions(i, 0, 1, 2)
        values[0, :7] = 3
        put(paint, name, values)
    finding = found(paint, "classes-rare")
    assert (finding.severity, finding.files) == ("note", masks("ab"))
    assert finding.details == (f"class_3: {14 / (8 * 40 * 48 - ignored(paint)):.4%} of the pixels",)
    for name in "cde":
        values = regions(0, 0, 1, 2)
        values[0, :] = 3
        put(paint, name, values)
    assert found(paint, "classes-rare") is None


def ignored(paint):
    return sum(s.values.get(255, 0) for s in index(paint.root).samples)


def test_a_quick_look_opens_no_file_again(paint, monkeypatch):
    label_sets.binary(paint)
    seen = survey(paint.root)
    monkeypatch.setattr("maskwright.data.sample.Samples.labels_of", lambda *_: pytest.fail("opened"))
    assert [f for f in diagnose(seen, deep=False) if f.code.startswith("masks-")] == []


def test_no_fault_is_told_twice_or_lost(paint):
    label_sets.listed(paint)
    put(paint, "a", regions(1, 0, 1, 9))
    with pytest.raises(DataError) as caught:
        index(paint.root)
    errors = [f for f in diagnose(survey(paint.root)) if f.severity == "error"]
    assert [f.remedy for f in errors] == [str(caught.value)]
    told = set().union(*(getattr(check, "tells", ()) for _, check in checks.items()))
    assert {"masks-strange-values", "masks-many-values", "masks-palettes-differ", "classes-match-nothing"} <= told
