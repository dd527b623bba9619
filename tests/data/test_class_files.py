import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.data.index import index
from maskwright.data.layouts import recognise
from maskwright.data.layouts.class_files import ClassFiles
from maskwright.data.sources.class_files import overlap, painted
from maskwright.errors import DataError


def box(top, left, bottom, right, value=255):
    mask = np.zeros((12, 16), np.uint8)
    mask[top:bottom, left:right] = value
    return mask


ROAD, CAR = box(2, 0, 12, 16), box(4, 4, 7, 10, 1)

FORMS = {
    "a folder a class": "masks/{kind}/{name}.png",
    "a folder a class, with endings": "labels/{kind}/{name}_mask.png",
    "a folder an image": "masks/{name}/{kind}.png",
    "the end of names": "masks/{name}_{kind}.png",
    "the end of names, and a word": "masks/{name}_mask_{kind}.png",
}


@pytest.fixture
def street(paint):
    def street(form="masks/{kind}/{name}.png", image="images/{name}.jpg", **kinds):
        for name in ("n1", "n2", "n3"):
            paint.write(image.format(name=name), paint.image(12, 16, 3))
            for kind, mask in (kinds or {"road": ROAD, "car": CAR}).items():
                paint.write(form.format(name=name, kind=kind), mask)
        return paint

    return street


@pytest.mark.parametrize("form", FORMS)
def test_each_class_has_a_file_and_the_smaller_one_is_seen(form, street):
    samples = index(street(FORMS[form]).root)

    assert samples.layout == "class_files"
    assert samples.labels.names == ["background", "car", "road"]
    assert samples.table == {"background": 0, "car": 1, "road": 2}
    expected = np.where(CAR > 0, 1, np.where(ROAD > 0, 2, 0))
    for sample in samples.samples:
        assert set(sample.parts) == {"car", "road"}
        np.testing.assert_array_equal(samples.labels_of(sample), expected)
        assert sample.values == {int(v): int(n) for v, n in zip(*np.unique(expected, return_counts=True), strict=True)}
    share = (CAR > 0).sum() / (ROAD > 0).sum()
    assert any(f"where classes overlap ({share:.1%}" in n and "fewer pixels is seen" in n for n in samples.notes)
    assert any("a network that gives a pixel several classes is not built here" in note for note in samples.notes)
    assert type(samples).load(samples.save(street().root / "samples.json")) == samples


def test_side_by_side_with_their_images_too(street):
    samples = index(street("{name}_{kind}.png", "{name}.jpg").root)
    assert samples.layout == "class_files"
    assert samples.labels.names == ["background", "car", "road"]


def test_the_order_can_be_stated(street):
    paint = street()
    paint.write("dataset.yaml", "overlap: [car, road]\n")
    samples = index(paint.root)
    np.testing.assert_array_equal(samples.labels_of(samples.samples[0]), np.where(ROAD > 0, 2, 0))
    assert samples.table == {"background": 0, "car": 1, "road": 2}
    paint.write("dataset.yaml", "overlap: [road, car]\n")
    samples = index(paint.root)
    np.testing.assert_array_equal(samples.labels_of(samples.samples[0]), np.where(CAR > 0, 2, np.where(ROAD > 0, 1, 0)))


@pytest.mark.parametrize("order", ["[road]", "[road, car, tree]", "[road, road]"])
def test_an_order_of_other_classes_is_told(order, street):
    paint = street()
    paint.write("dataset.yaml", f"overlap: {order}\n")
    with pytest.raises(DataError, match="but the classes are car, road"):
        index(paint.root)


def test_the_values_of_classes_can_be_stated(street):
    paint = street()
    paint.write("dataset.yaml", "classes: {none: 0, road: 7, car: 9}\n")
    samples = index(paint.root)
    assert [(c.name, c.values) for c in samples.labels.classes] == [("none", (0,)), ("road", (7,)), ("car", (9,))]
    np.testing.assert_array_equal(samples.labels_of(samples.samples[0]), np.where(CAR > 0, 2, np.where(ROAD > 0, 1, 0)))
    paint.write("dataset.yaml", "classes: {none: 0, road: 1}\n")
    with pytest.raises(DataError, match=r"masks/car/n1\.png is of the class 'car', which has no value"):
        index(paint.root)


def test_a_class_without_a_file_is_absent_there(street):
    paint = street()
    (paint.root / "masks/car/n2.png").unlink()
    samples = index(paint.root)
    by_name = {sample.name: sample for sample in samples.samples}
    np.testing.assert_array_equal(samples.labels_of(by_name["n2"]), np.where(ROAD > 0, 2, 0))
    assert any("1 images have no file for some class" in note for note in samples.notes)


def test_an_image_without_any_class_is_told(street):
    paint = street()
    paint.images("images/lone.jpg")
    assert [path.name for path in recognise(paint.root)[1].images_alone] == ["lone.jpg"]


def test_a_file_of_another_size_is_told(street):
    paint = street()
    paint.write("masks/car/n2.png", CAR[:-1])
    with pytest.raises(DataError, match=r"masks/car/n2\.png is 11×16, its image 12×16"):
        index(paint.root)


def test_a_file_of_more_values_is_told(street):
    paint = street()
    paint.write("masks/road/n3.png", np.maximum(ROAD, CAR * 100 + 3))
    with pytest.raises(DataError, match=r"masks/road/n3\.png.* holds 0, 3 and 255; a mask of one class"):
        index(paint.root)


@pytest.mark.parametrize(
    "masks",
    [
        ["masks/x/{name}.png"],  # one folder
        ["masks/{name}/1.png", "masks/{name}/2.png"],  # objects by number
        ["masks/{name}_1.png", "masks/{name}_2.png"],
        ["masks/expert1/{name}.png", "masks/expert2/{name}.png"],  # annotators
        ["masks/{name}_expert1.png", "masks/{name}_expert2.png"],
        ["masks/{name}_mask.png", "masks/{name}_gt.png"],  # rivals
        ["masks/train/{name}.png", "masks/val/{name}.png"],
        ["masks/{name}.png"],
    ],
)
def test_other_masks_are_no_files_of_classes(masks, street):
    paint = street(masks[0], x=ROAD)
    for mask in masks[1:]:
        street(mask, x=CAR)
    assert ClassFiles()(paint.root) is None


def test_masks_sorted_into_folders_are_no_files_of_classes(paint):
    """Each image in one folder only: the folder is of a kind of image."""
    for number in range(6):
        paint.images(f"images/{number}.jpg")
        paint.masks(f"masks/{'dogs' if number % 2 else 'cats'}/{number}.png")
    assert ClassFiles()(paint.root) is None


def test_pictures_of_many_values_are_no_files_of_classes(street, paint):
    for name in ("n1", "n2"):
        paint.images(f"{name}.png", f"{name}_blur.png", f"{name}_crop.png")
    assert ClassFiles()(paint.root) is None


def test_masks_of_several_channels_are_a_class_a_channel(paint):
    import tifffile

    for name in "abc":
        paint.images(f"images/{name}.png", dtype="uint8")
        shapes = np.zeros((4, 8, 10), np.uint8)
        shapes[0, 1:7], shapes[1, 2:5, 2:6], shapes[3, :, 9] = 255, 255, 255
        (paint.root / "masks").mkdir(exist_ok=True)
        tifffile.imwrite(paint.root / f"masks/{name}.tif", shapes, photometric="minisblack", planarconfig="separate")

    samples = index(paint.root)

    assert samples.samples[0].source == "class_channels"
    assert samples.labels.names == ["background", "class_1", "class_2", "class_3", "class_4"]
    expected = np.zeros((8, 10), np.uint8)
    expected[1:7], expected[2:5, 2:6], expected[:, 9] = 1, 2, 4
    np.testing.assert_array_equal(samples.labels_of(samples.samples[0]), expected)
    assert any("4 channels, each taken as a class; where they overlap" in note for note in samples.notes)

    paint.write("classes.txt", "sky\nroad\ncar\nman\n")
    assert index(paint.root).labels.names == ["background", "sky", "road", "car", "man"]


@given(st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=1, max_size=4))
def test_painting_is_as_pixel_by_pixel(shapes):
    arrays = [np.array(shape).reshape(2, 3) for shape in shapes]
    values = painted(list(enumerate(arrays, start=1)), (2, 3)).values
    for place in np.ndindex(2, 3):
        there = [number for number, array in enumerate(arrays, start=1) if array[place]]
        assert values[place] == (there[-1] if there else 0)
    several = sum(sum(a[place] for a in arrays) > 1 for place in np.ndindex(2, 3))
    any_class = sum(any(a[place] for a in arrays) for place in np.ndindex(2, 3))
    assert overlap(arrays) == pytest.approx(several / max(1, any_class))
