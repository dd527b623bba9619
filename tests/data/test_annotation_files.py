"""Folders with annotations in place of masks: read as they are, by whichever tool they were made."""

import numpy as np
import pytest
from tests.data.annotated import (
    ALL,
    SIZE,
    STEMS,
    WORLDS,
    as_coco,
    as_contest,
    as_geojson,
    as_labelme,
    as_roboflow,
    boxes,
    pictures,
    truth,
    written_coco,
    written_label_studio,
    written_labelme,
    written_run_table,
)

from maskwright.data.dataset_file import DatasetFile
from maskwright.data.index import index
from maskwright.data.layouts import recognise
from maskwright.data.survey import survey
from maskwright.errors import DataError, MaskwrightError


@pytest.mark.parametrize("world", WORLDS)
def test_a_folder_with_annotations_is_read_as_it_is(world, paint):
    WORLDS[world](paint)

    samples = index(paint.root)

    assert samples.layout == "annotations"
    assert samples.labels.names == ["background", "crack", "leaf"]
    labelled = [sample for sample in samples.samples if sample.mask]
    assert sorted(sample.name for sample in labelled) == list(STEMS)
    for sample in labelled:
        np.testing.assert_array_equal(samples.labels_of(sample), truth(sample.name))
        objects = samples.objects_of(sample)
        np.testing.assert_array_equal(objects > 0, truth(sample.name) > 0)
        assert [len(np.unique(truth(sample.name)[objects == number])) for number in (1, 2, 3)] == [1, 1, 1]
        values, counts = np.unique(truth(sample.name), return_counts=True)
        assert sample.values == dict(zip(values.tolist(), counts.tolist(), strict=True))
    if world in {"coco", "roboflow", "yolo", "yolo_of_roboflow"}:
        assert {s.name: s.split for s in labelled} == {"a": "train", "b": "train", "c": "val", "d": "val"}
    if world == "contest":
        assert [(s.name, s.split) for s in samples.samples if not s.mask] == [("x", "test")]


@pytest.mark.parametrize("world", WORLDS)
def test_every_drawn_object_is_one_where_it_is_said(world, paint):
    WORLDS[world](paint)
    paint.write("dataset.yaml", "instances: true\n")

    samples = index(paint.root)

    assert samples.labels.names == ["background", "foreground"]
    for sample in (sample for sample in samples.samples if sample.mask):
        objects = samples.objects_of(sample)
        np.testing.assert_array_equal(objects > 0, truth(sample.name) > 0)
        assert objects.max() == 3


def test_notes_tell_what_was_inferred(paint):
    as_coco(paint)
    notes = "; ".join(index(paint.root).notes)
    assert "drawn from coco annotations, annotations/instances_train2017.json" in notes
    assert "captions_train2017.json left alone" in notes
    assert "classes as the annotations name them: 0 background, 1 crack, 2 leaf" in notes


def test_the_group_that_roboflow_lists_is_no_class(paint):
    as_roboflow(paint)
    assert any("cracks-and-leaves only groups other classes" in note for note in index(paint.root).notes)


def test_the_order_of_runs_is_told_and_can_be_stated(paint):
    as_contest(paint)
    assert any("annotations: {run_order: rows} in dataset.yaml" in note for note in index(paint.root).notes)

    paint.write("train.csv", written_run_table(ALL, rows=True))
    paint.write("dataset.yaml", "annotations: {run_order: rows}\n")
    samples = index(paint.root)
    np.testing.assert_array_equal(samples.labels_of(samples.samples[0]), truth("a"))
    assert not any("run_order" in note for note in samples.notes)


def test_touching_objects_of_the_one_class_stay_apart(paint):
    pictures(paint, "images/")
    cracks = {file: [box for box in found if box[0] == "crack"] for file, found in ALL.items()}
    paint.write("all.json", written_coco(cracks, ("crack",)))

    samples = index(paint.root)

    first = samples.samples[0]
    np.testing.assert_array_equal(samples.objects_of(first)[5, :18], [0] + 8 * [1] + 6 * [2] + 3 * [0])
    np.testing.assert_array_equal(samples.labels_of(first), truth("a") == 1)


def test_where_objects_of_two_classes_overlap_the_object_is_seen_whose_class_is(paint):
    pictures(paint)
    found = [("leaf", 2, 2, 6, 6), ("crack", 3, 3, 14, 14), ("crack", 8, 8, 12, 12), ("leaf", 11, 11, 16, 16)]
    for stem in STEMS:
        paint.write(f"{stem}.json", written_labelme(f"{stem}.png", found))
    samples = index(paint.root)
    labels, objects = (of(samples.samples[0]) for of in (samples.labels_of, samples.objects_of))

    np.testing.assert_array_equal(objects > 0, labels > 0)
    assert [np.unique(labels[objects == number]).tolist() for number in range(1, 5)] == [[1], [1], [2], [2]]
    assert objects[8, 8] != objects[6, 6], "of one class the smaller one is seen"
    assert (objects == objects[2, 2]).sum() == 4 * 4 - 3 * 3, "what lies over it in the mask hides it"


def test_a_table_with_a_row_an_image_and_class_tells_no_objects_apart(paint):
    pictures(paint, "train/")
    rows = {file: found[:1] + [box for box in found if box[0] == "leaf"][:1] for file, found in ALL.items()}
    paint.write("train.csv", written_run_table(rows))
    samples = index(paint.root)

    assert samples.labels.names == ["background", "crack", "leaf"]
    assert samples.objects_of(samples.samples[0]) is None


def test_a_table_with_a_row_an_image_tells_no_objects_apart(paint):
    pictures(paint, "train/")
    rows = {file: [found[0]] for file, found in ALL.items()}
    paint.write("train.csv", written_run_table(rows).replace(",crack,", ",").replace("ImageId,ClassId", "id"))
    paint.write("train.csv", (paint.root / "train.csv").read_text().replace("id,EncodedPixels", "id,rle_mask"))
    samples = index(paint.root)
    assert samples.labels.names == ["background", "foreground"]
    assert samples.objects_of(samples.samples[0]).max() == 1

    paint.write("train.csv", "".join(["id,rle_mask\n", *(f"{stem}.png,1 5 50 5\n" for stem in STEMS)]))
    samples = index(paint.root)
    assert samples.objects_of(samples.samples[0]).max() == 2, "pieces, as of any mask of a class"
    paint.write("dataset.yaml", "instances: true\n")
    samples = index(paint.root)
    assert samples.objects_of(samples.samples[0]).max() == 1, "a row is an object where it is said"


def test_what_is_ignored_or_a_hole_is_of_no_object(paint):
    pictures(paint)
    for stem in STEMS:
        found = [("crack", 2, 2, 12, 12), ("__ignore__", 2, 2, 5, 5), ("_background_", 8, 8, 10, 10)]
        paint.write(f"{stem}.json", written_labelme(f"{stem}.png", found))
    samples = index(paint.root)
    for sample in samples.samples:
        np.testing.assert_array_equal(samples.objects_of(sample) > 0, samples.labels_of(sample) == 1)


def test_images_without_objects_do_not_speak_for_the_others_of_their_file(paint):
    pictures(paint, "images/")
    paint.write("all.json", written_coco({**ALL, "d.png": []}))
    paint.write("dataset.yaml", "instances: true\n")
    assert index(paint.root).labels.names == ["background", "foreground"]


def test_an_image_without_shapes_is_background_and_one_that_is_not_named_has_no_mask(paint):
    pictures(paint, "images/")
    paint.write("all.json", written_coco({"a.png": boxes("a"), "b.png": boxes("b"), "c.png": []}))

    samples = index(paint.root)

    assert {s.name: s.values for s in samples.samples}["c"] == {0: SIZE[0] * SIZE[1]}
    assert [s.name for s in samples.samples] == ["a", "b", "c"]
    assert any("left out, as 1 image has no mask: images/d.png" in note for note in samples.notes)


def test_pixels_of_ignored_names_count_nowhere(paint):
    pictures(paint)
    for stem in STEMS:
        found = [*boxes(stem), ("__ignore__", 0, 0, 4, 4), ("void", 28, 0, 32, 4), ("_background_", 4, 12, 6, 23)]
        paint.write(f"{stem}.json", written_labelme(f"{stem}.png", found))
    samples = index(paint.root)
    assert samples.labels.names == ["background", "crack", "leaf"]
    assert samples.labels.ignored == (255,)
    labels = samples.labels_of(samples.samples[0])
    assert (labels[:4, :4] == 255).all()
    assert (labels[:4, 28:] == 255).all()
    assert (labels[12:23, 4:6] == 0).all()
    assert any("pixels of void count nowhere" in note for note in samples.notes)


def test_a_list_beside_labelme_files_gives_the_order(paint):
    as_labelme(paint)
    paint.write("labels.txt", "__ignore__\n_background_\nleaf\nstone\ncrack\n")
    assert index(paint.root).labels.names == ["background", "leaf", "stone", "crack"]

    paint.write("labels.txt", "leaf\n")
    samples = index(paint.root)
    assert samples.labels.names == ["background", "leaf", "crack"]
    assert any("labels.txt does not list crack" in note for note in samples.notes)


def test_classes_can_be_stated(paint):
    as_coco(paint)
    paint.write("dataset.yaml", "classes: {nothing: 0, leaf: 255, crack: 7}\n")
    samples = index(paint.root)
    assert samples.labels.names == ["nothing", "leaf", "crack"]
    np.testing.assert_array_equal(samples.labels_of(samples.samples[0]), np.array([0, 2, 1])[truth("a")])

    paint.write("dataset.yaml", "classes: {nothing: 0, leaf: 1}\n")
    with pytest.raises(DataError, match=r"'crack' has no value.*dataset.yaml, classes: must name every class"):
        index(paint.root)


def test_a_picture_of_another_size_is_told(paint):
    as_coco(paint)
    paint.write("train2017/a.png", paint.image(32, 24))
    with pytest.raises(DataError, match=r"instances_train2017.json was drawn on a.png.* 24×32, but .* 32×24") as caught:
        index(paint.root)
    assert caught.value.code == "unequal-sizes"
    assert caught.value.facts == {"image": (32, 24), "mask": (24, 32)}


def test_masks_that_are_pictures_win_with_a_note(paint):
    pictures(paint, "images/")
    for stem in STEMS:
        paint.write(f"masks/{stem}.png", (truth(stem) == 1).astype(np.uint8) * 255)
    paint.write("annotations.json", written_coco(ALL))

    samples = index(paint.root)

    assert samples.layout == "paired_folders"
    assert any("could also be read as annotations (4 images" in note for note in samples.notes)
    paint.write("dataset.yaml", "annotations: {file: annotations.json}\n")
    assert index(paint.root).labels.names == ["background", "crack", "leaf"]


def test_two_files_about_the_same_images_are_asked_about(paint):
    pictures(paint, "images/")
    paint.write("ann/first.json", written_coco(ALL))
    paint.write("ann/second.json", written_coco(ALL))
    with pytest.raises(DataError, match=r"annotations: \{file: ann/first.json\}") as caught:
        index(paint.root)
    assert caught.value.files == ("ann/first.json", "ann/second.json")
    paint.write("dataset.yaml", "annotations: {file: ann/second.json}\n")
    assert {s.mask for s in index(paint.root).samples} == {"ann/second.json"}


def test_files_of_parts_win_over_the_one_of_all(paint):
    pictures(paint, "images/")
    paint.write("all.json", written_coco(ALL))
    for part, stems in (("train", "ab"), ("val", "cd")):
        paint.write(f"{part}.json", written_coco({f"{stem}.png": boxes(stem) for stem in stems}))
    samples = index(paint.root)
    assert [(s.name, s.split, s.mask) for s in samples.samples] == [
        ("a", "train", "train.json"), ("b", "train", "train.json"), ("c", "val", "val.json"), ("d", "val", "val.json"),
    ]  # fmt: skip


def test_a_file_says_which_of_two_images_of_one_stem_it_is_of(paint):
    as_labelme(paint)
    paint.write("a.jpg", paint.image(16, 16))
    samples = index(paint.root)
    assert [s.image for s in samples.samples] == [f"{stem}.png" for stem in STEMS]


def test_whose_work_counts_is_asked(paint):
    pictures(paint, "images/")
    paint.write("export.json", written_label_studio(ALL, ("ann", "bob")))
    with pytest.raises(DataError, match=r"dataset.yaml whose work counts: annotations: \{annotator: ann\}"):
        index(paint.root)
    paint.write("dataset.yaml", "annotations: {annotator: bob}\n")
    assert len(index(paint.root).samples) == 4
    paint.write("dataset.yaml", "annotations: {annotator: eve}\n")
    with pytest.raises(DataError, match=r"'eve' drew, but work of ann, bob.*annotations: \{annotator: NAME\}"):
        index(paint.root)


def test_which_property_is_the_class_is_asked(paint):
    as_geojson(paint)
    path = paint.root / "labels" / "a.geojson"
    path.write_text(path.read_text().replace('{"class"', '{"type": "x", "class"'))
    with pytest.raises(MaskwrightError, match=r"annotations: \{class_property: type\}"):
        index(paint.root)
    paint.write("dataset.yaml", "annotations: {class_property: class}\n")
    samples = index(paint.root)
    np.testing.assert_array_equal(samples.labels_of(samples.samples[0]), truth("a"))


def test_a_broken_file_of_one_image_is_a_fault_of_that_image(paint):
    as_labelme(paint)
    paint.write("b.json", '{"shapes": [')
    found = survey(paint.root)
    assert ["b.json, line 1" in str(fault) for fault in found.faults] == [True]
    assert len(found.measured) == 3


def test_a_broken_file_beside_those_that_count_is_an_error_and_elsewhere_a_note(paint):
    as_coco(paint)
    paint.write("notes/x.json", "[1,")
    assert any("notes/x.json left alone, as it is broken" in note for note in index(paint.root).notes)
    paint.write("annotations/instances_test.json", "[1,")
    with pytest.raises(DataError, match=r"instances_test.json, line 1.*broken JSON"):
        index(paint.root)


def test_an_entry_that_could_be_of_two_images_is_asked_about(paint):
    pictures(paint, "one/")
    paint.write("two/a.png", paint.image(*SIZE))
    paint.write("all.json", written_coco(ALL))
    with pytest.raises(DataError, match=r"says a.png, which could be one/a.png and two/a.png"):
        index(paint.root)
    paint.write("all.json", written_coco({f"one/{file}": found for file, found in ALL.items()}))
    assert [s.image for s in index(paint.root).samples] == [f"one/{file}" for file in ALL]


def test_a_file_that_is_none_says_so(paint):
    pictures(paint)
    paint.write("all.json", written_coco(ALL)[:-20])
    with pytest.raises(DataError, match="broken JSON"):
        index(paint.root)
    paint.write("all.json", written_coco({"x.png": boxes("a")}))
    with pytest.raises(DataError, match=r"all.json holds annotations, but no image in .* is called as they say"):
        index(paint.root)


def test_other_texts_are_no_annotations(paint):
    paint.images("images/a.png", "images/b.png")
    paint.write("package.json", '{"name": "thing"}')
    paint.write("images/a.txt", "a picture of a cat\n")
    paint.write("metadata.csv", "image,camera\na.png,Leica\n")
    paint.write("voc/a.xml", "<annotation><filename>a.png</filename></annotation>")
    with pytest.raises(DataError, match="No images with masks"):
        recognise(paint.root)


def test_the_file_that_is_stated_must_be_there(paint):
    as_coco(paint)
    paint.write("dataset.yaml", "annotations: {file: nowhere.json}\n")
    with pytest.raises(DataError, match=r"annotations: file: nowhere.json, which does not exist"):
        index(paint.root)
    with pytest.raises(MaskwrightError, match="neither images: nor layout: is needed"):
        DatasetFile.read({"annotations": {"file": "a.json"}, "layout": "folders"})


def test_a_changed_annotation_changes_the_masks_content(paint):
    as_labelme(paint)
    before = {s.name: s.mask_content for s in index(paint.root).samples}
    paint.write("b.json", written_labelme("b.png", boxes("b")[:2]))
    after = {s.name: s.mask_content for s in index(paint.root).samples}
    assert {name for name in before if before[name] != after[name]} == {"b"}


def test_a_child_folder_that_fits_is_read_in_place_of_the_one_around_it(paint):
    (paint.root / "drawn").mkdir()
    as_labelme(type(paint)(paint.root / "drawn"))
    paint.write("README.md", "photographs")
    name, pairs = recognise(paint.root)
    assert name == "annotations"
    assert "read is the folder drawn" in pairs.notes
    assert index(paint.root).samples[0].image == "drawn/a.png"


def test_of_two_child_folders_with_the_same_images_the_better_is_read(paint):
    for name in ("drawn", "ready"):
        (paint.root / name).mkdir()
    as_labelme(type(paint)(paint.root / "drawn"))
    pictures(paint, "ready/images/")
    for stem in STEMS:
        paint.write(f"ready/masks/{stem}.png", truth(stem))
    paint.write("ready/classes.txt", "ground\ncrack\nleaf\n")

    samples = index(paint.root)

    assert samples.layout == "paired_folders"
    assert samples.labels.names == ["ground", "crack", "leaf"], "lists lie in the folder that is read"
    assert any(note.startswith("drawn shows the same images (annotations") for note in samples.notes)


def test_of_two_child_folders_with_other_images_none_is_chosen(paint):
    paint.write("first/a.png", paint.image(*SIZE))
    paint.write("first/a.json", written_labelme("a.png", boxes("a")))
    paint.images("second/images/x.png")
    paint.masks("second/masks/x.png")
    with pytest.raises(DataError, match=r"holds several data sets: first, second. Give one of them") as caught:
        recognise(paint.root)
    assert caught.value.code == "which-folder"


def test_the_survey_keeps_one_fault_a_damaged_image(paint):
    as_coco(paint)
    paint.write("train2017/a.png", paint.image(32, 24))
    found = survey(paint.root)
    assert [fault.code for fault in found.faults] == ["unequal-sizes"]
    assert len(found.measured) == 3
