import json

import numpy as np
import pytest
import tifffile

from maskwright.data.dataset_file import DatasetFile
from maskwright.data.index import index
from maskwright.data.layouts import recognise
from maskwright.data.survey import survey
from maskwright.errors import DataError, MaskwrightError
from tests.data import annotated
from tests.data.annotated import SIZE, STEMS, boxes, truth

ALL = {f"{stem}.png": boxes(stem) for stem in STEMS}


def pictures(paint, folder=""):
    for stem in STEMS:
        paint.write(f"{folder}{stem}.png", paint.image(*SIZE))


def parts(paint, folder):
    for part, stems in (("train", STEMS[:2]), ("val", STEMS[2:])):
        for stem in stems:
            paint.write(f"{folder.format(part)}/{stem}.png", paint.image(*SIZE))
        yield part, stems, {f"{stem}.png": boxes(stem) for stem in stems}


def as_coco(paint):
    for part, _, images in parts(paint, "{}2017"):
        paint.write(f"annotations/instances_{part}2017.json", annotated.coco(images))
        paint.write(f"annotations/captions_{part}2017.json", '{"images": [], "annotations": [{"caption": "a cat"}]}')


def as_roboflow(paint):
    for part, stems, images in parts(paint, "{}"):
        found = json.loads(annotated.coco(images, ("cracks-and-leaves", *annotated.NAMES)))
        for category in found["categories"]:
            category["supercategory"] = "none" if category["id"] == 1 else "cracks-and-leaves"
        paint.write(f"{part}/_annotations.coco.json", json.dumps(found))


def as_labelme(paint):
    pictures(paint)
    for stem in STEMS:
        paint.write(f"{stem}.json", annotated.labelme(f"{stem}.png", boxes(stem)))


def as_labelme_apart(paint):
    pictures(paint, "images/")
    for stem in STEMS:
        paint.write(f"json/{stem}.json", annotated.labelme(f"..\\images\\{stem}.png", boxes(stem)))


def as_cvat(paint):
    pictures(paint, "images/")
    paint.write("annotations.xml", annotated.cvat(ALL))


def as_label_studio(paint):
    pictures(paint, "images/")
    paint.write("project-1-at-2024-01-01.json", annotated.label_studio(ALL))


def as_yolo(paint):
    for part, stems, _ in parts(paint, "images/{}"):
        for stem in stems:
            paint.write(f"labels/{part}/{stem}.txt", annotated.yolo(boxes(stem)))
    paint.write("data.yaml", "train: images/train\nnames: [crack, leaf]\n")


def as_yolo_of_roboflow(paint):
    for part, stems, _ in parts(paint, "{}/images"):
        for stem in stems:
            paint.write(f"{part}/labels/{stem}.txt", annotated.yolo(boxes(stem)))
    paint.write("data.yaml", "names: {0: crack, 1: leaf}\n")


def as_geojson(paint):
    for stem in STEMS:
        (paint.root / "scenes").mkdir(exist_ok=True)
        tags = [(33550, "d", 3, (0.5, 0.5, 0.0)), (33922, "d", 6, (0, 0, 0, 1000.0, 2000.0, 0))]
        tifffile.imwrite(
            paint.root / "scenes" / f"{stem}.tif", paint.image(*SIZE), extratags=[(*t, True) for t in tags]
        )
        paint.write(f"labels/{stem}.geojson", annotated.geojson(boxes(stem), 0.5, (1000.0, 2000.0)))


def as_contest(paint):
    pictures(paint, "train_images/")
    paint.write("test_images/x.png", paint.image(*SIZE))
    paint.write("train.csv", annotated.run_table(ALL))
    paint.write("sample_submission.csv", "ImageId,ClassId,EncodedPixels\nx.png,crack,1 1\n")


WORLDS = {world.__name__.removeprefix("as_"): world for world in (
    as_coco, as_roboflow, as_labelme, as_labelme_apart, as_cvat, as_label_studio, as_yolo, as_yolo_of_roboflow,
    as_geojson, as_contest,
)}  # fmt: skip


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
        assert samples.objects_of(sample) is None, "of two classes no one is the object"
        assert sample.values == dict(zip(*map(np.ndarray.tolist, np.unique(truth(sample.name), return_counts=True))))
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

    paint.write("train.csv", annotated.run_table(ALL, rows=True))
    paint.write("dataset.yaml", "annotations: {run_order: rows}\n")
    samples = index(paint.root)
    np.testing.assert_array_equal(samples.labels_of(samples.samples[0]), truth("a"))
    assert not any("run_order" in note for note in samples.notes)


def test_touching_objects_of_the_one_class_stay_apart(paint):
    pictures(paint, "images/")
    cracks = {file: [box for box in found if box[0] == "crack"] for file, found in ALL.items()}
    paint.write("all.json", annotated.coco(cracks, ("crack",)))

    samples = index(paint.root)

    first = samples.samples[0]
    np.testing.assert_array_equal(samples.objects_of(first)[5, :18], [0] + 8 * [1] + 6 * [2] + 3 * [0])
    np.testing.assert_array_equal(samples.labels_of(first), truth("a") == 1)


def test_a_table_with_a_row_an_image_tells_no_objects_apart(paint):
    pictures(paint, "train/")
    rows = {file: [found[0]] for file, found in ALL.items()}
    paint.write("train.csv", annotated.run_table(rows).replace(",crack,", ",").replace("ImageId,ClassId", "id"))
    paint.write("train.csv", (paint.root / "train.csv").read_text().replace("id,EncodedPixels", "id,rle_mask"))
    samples = index(paint.root)
    assert samples.labels.names == ["background", "foreground"]
    assert samples.objects_of(samples.samples[0]).max() == 1


def test_an_image_without_shapes_is_background_and_one_that_is_not_named_has_no_mask(paint):
    pictures(paint, "images/")
    paint.write("all.json", annotated.coco({"a.png": boxes("a"), "b.png": boxes("b"), "c.png": []}))

    samples = index(paint.root)

    assert {s.name: s.values for s in samples.samples}["c"] == {0: SIZE[0] * SIZE[1]}
    assert [s.name for s in samples.samples] == ["a", "b", "c"]
    assert any("left out, as 1 image has no mask: images/d.png" in note for note in samples.notes)


def test_pixels_of_ignored_names_count_nowhere(paint):
    pictures(paint)
    for stem in STEMS:
        found = [*boxes(stem), ("__ignore__", 0, 0, 4, 4), ("void", 28, 0, 32, 4), ("_background_", 4, 12, 6, 23)]
        paint.write(f"{stem}.json", annotated.labelme(f"{stem}.png", found))
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
    assert index(paint.root).labels.names == ["_background_", "leaf", "stone", "crack"]

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
    paint.write("annotations.json", annotated.coco(ALL))

    samples = index(paint.root)

    assert samples.layout == "paired_folders"
    assert any("could also be read as annotations (4 images" in note for note in samples.notes)
    paint.write("dataset.yaml", "annotations: {file: annotations.json}\n")
    assert index(paint.root).labels.names == ["background", "crack", "leaf"]


def test_two_files_about_the_same_images_are_asked_about(paint):
    pictures(paint, "images/")
    paint.write("ann/first.json", annotated.coco(ALL))
    paint.write("ann/second.json", annotated.coco(ALL))
    with pytest.raises(DataError, match=r"annotations: \{file: ann/first.json\}") as caught:
        index(paint.root)
    assert caught.value.files == ("ann/first.json", "ann/second.json")
    paint.write("dataset.yaml", "annotations: {file: ann/second.json}\n")
    assert {s.mask for s in index(paint.root).samples} == {"ann/second.json"}


def test_files_of_parts_win_over_the_one_of_all(paint):
    pictures(paint, "images/")
    paint.write("all.json", annotated.coco(ALL))
    for part, stems in (("train", "ab"), ("val", "cd")):
        paint.write(f"{part}.json", annotated.coco({f"{stem}.png": boxes(stem) for stem in stems}))
    samples = index(paint.root)
    assert [(s.name, s.split, s.mask) for s in samples.samples] == [
        ("a", "train", "train.json"), ("b", "train", "train.json"), ("c", "val", "val.json"), ("d", "val", "val.json"),
    ]  # fmt: skip


def test_whose_work_counts_is_asked(paint):
    pictures(paint, "images/")
    paint.write("export.json", annotated.label_studio(ALL, ("ann", "bob")))
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
    # Of a few files each is looked into; a broken one among them is as if it were not there.
    pairs = recognise(paint.root)[1]
    assert {path.name for path in pairs.images_alone} == {"b.png"}
    assert any("b.json" in note for note in pairs.notes)


def test_a_file_that_is_none_says_so(paint):
    pictures(paint)
    paint.write("all.json", annotated.coco(ALL)[:-20])
    with pytest.raises(DataError, match="broken JSON"):
        index(paint.root)
    paint.write("all.json", annotated.coco({"x.png": boxes("a")}))
    with pytest.raises(DataError, match="all.json holds annotations, but no image in .* is called as they say"):
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
    paint.write("b.json", annotated.labelme("b.png", boxes("b")[:2]))
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
    for name, stem in (("first", "a"), ("second", "b")):
        paint.write(f"{name}/{stem}.png", paint.image(*SIZE))
        paint.write(f"{name}/{stem}.json", annotated.labelme(f"{stem}.png", boxes(stem)))
    with pytest.raises(DataError, match=r"holds several data sets: first, second. Give one of them") as caught:
        recognise(paint.root)
    assert caught.value.code == "which-folder"


def test_the_survey_keeps_one_fault_a_damaged_image(paint):
    as_coco(paint)
    paint.write("train2017/a.png", paint.image(32, 24))
    found = survey(paint.root)
    assert [fault.code for fault in found.faults] == ["unequal-sizes"]
    assert len(found.measured) == 3
