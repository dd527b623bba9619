import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage.measure import label

from maskwright.data.index import index
from maskwright.data.objects import from_files, numbered, pieces
from maskwright.errors import DataError, SettingError

maps = hnp.arrays(np.int64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.integers(0, 5))


@given(values=maps)
def test_objects_are_numbered_without_gaps_and_stay_the_same(values):
    found = numbered(values)

    assert found.dtype == np.int32
    assert np.unique(found[found > 0]).tolist() == list(range(1, len(set(values[values > 0].tolist())) + 1))
    np.testing.assert_array_equal(found == 0, values == 0)
    for number in range(1, found.max() + 1):
        assert len(np.unique(values[found == number])) == 1
    order = [values[found == number][0] for number in range(1, found.max() + 1)]
    assert order == sorted(order)


@given(values=maps)
def test_pieces_are_those_of_another_library(values):
    """Its count of sides: 1 is by sides, 2 by corners too."""
    np.testing.assert_array_equal(pieces(values > 2), label(values > 2, connectivity=1))


def test_a_diagonal_line_parts_what_lies_on_its_sides():
    assert pieces(~np.eye(5, dtype=bool)).max() == 2


def written(paint, masks):
    (paint.root / "masks").mkdir()
    for name, mask in masks.items():
        paint.write(f"masks/{name}.png", np.asarray(mask, np.uint8))
    return paint.root / "masks"


def test_where_objects_overlap_the_smaller_is_seen_and_of_two_alike_the_later(paint):
    masks = {
        "1": [[255, 255, 255, 0, 0, 0]],
        "2": [[0, 0, 255, 255, 255, 255]],
        "3": [[255, 0, 0, 0, 0, 0]],
        "10": [[0, 0, 0, 0, 255, 255]],
        "11": [[0, 0, 0, 0, 255, 255]],
    }
    # The 10 is covered by the 11, so that becomes number 4.
    assert from_files(written(paint, masks), (1, 6)).tolist() == [[3, 1, 1, 2, 4, 4]]


@given(data=st.data())
def test_overlaps_are_resolved_as_by_painting_one_after_the_other(data, tmp_path_factory):
    masks = data.draw(st.lists(hnp.arrays(bool, (4, 5)), min_size=1, max_size=5))
    folder = tmp_path_factory.mktemp("masks")
    from maskwright.files import MaskStyle, write_mask

    for i, mask in enumerate(masks):
        write_mask(folder / f"{i}.png", mask.astype(np.uint8) * 255, MaskStyle())
    painted = np.zeros((4, 5), int)
    for size in range(20, 0, -1):
        for i, mask in enumerate(masks):
            if mask.sum() == size:
                painted[mask] = i + 1
    left = [i for i in range(1, len(masks) + 1) if (painted == i).any()]

    found = from_files(folder, (4, 5))

    assert found.max() == len(left)
    for number, i in enumerate(left, start=1):
        np.testing.assert_array_equal(found == number, painted == i)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_masks_of_numbers_are_instance_maps_if_the_data_set_says_so(dtype, paint):
    top = np.iinfo(dtype).max
    numbers = np.array([[0, 0, 7, 7, top], [3, 3, 0, 7, top]], dtype)
    for name, values in (("a", numbers), ("b", numbers * 0)):
        paint.write(f"images/{name}.png", paint.image(2, 5))
        paint.write(f"masks/{name}.png", values)
    paint.write("dataset.yaml", "instances: true\n")

    samples = index(paint.root)

    first, second = samples.samples
    assert samples.labels.names == ["background", "foreground"]
    assert (first.values, second.values) == ({0: 3, 255: 7}, {0: 10})
    np.testing.assert_array_equal(samples.labels_of(first), numbers > 0)
    assert samples.objects_of(first).tolist() == [[0, 0, 2, 2, 3], [1, 1, 0, 2, 3]]
    assert not samples.objects_of(second).any()
    assert samples.labels.style.dtype == "uint8"


def test_classes_of_instance_maps_can_be_named(paint):
    paint.write("images/a.png", paint.image())
    paint.write("masks/a.png", paint.mask(0, 1, 2, 3))
    paint.write("dataset.yaml", "instances: true\nclasses: {ground: 0, nucleus: 255}\n")
    assert index(paint.root).labels.names == ["ground", "nucleus"]
    paint.write("dataset.yaml", "instances: true\n")
    paint.write("classes.txt", "ground\nseed\n")
    assert index(paint.root).labels.names == ["ground", "seed"]
    paint.write("classes.txt", "one\ntwo\nthree\n")
    assert index(paint.root).labels.names == ["background", "foreground"]


def test_many_numbers_without_that_word_are_told_how_to_say_it(paint):
    paint.write("images/a.png", paint.image(20, 20))
    paint.write("masks/a.png", np.arange(400, dtype=np.uint16).reshape(20, 20))
    with pytest.raises(DataError, match="instances: true"):
        index(paint.root)


def test_numbers_below_zero_and_values_to_ignore_are_no_objects(paint):
    paint.write("images/a.png", paint.image())
    paint.write("masks/a.tif", paint.mask(-1, 0, 1, dtype="int16"))
    paint.write("dataset.yaml", "instances: true\n")
    with pytest.raises(DataError, match=r"a\.tif holds the value -1; objects are numbered from 1.*--skip a\.png"):
        index(paint.root)
    paint.write("dataset.yaml", "instances: true\nignore: [255]\n")
    with pytest.raises(SettingError, match="there is none to ignore"):
        index(paint.root)


def test_a_map_of_numbers_of_another_size_is_told(paint):
    paint.write("images/a.png", paint.image())
    paint.write("masks/a.png", paint.mask(0, 1, 2, size=(8, 9)))
    paint.write("dataset.yaml", "instances: true\n")
    with pytest.raises(DataError, match=r"a\.png is 8×10, its mask .*a\.png is 8×9"):
        index(paint.root)


@pytest.mark.parametrize(("classes", "foreground"), [("{a: 0, b: 255}", 255), ("{crack: 255, wall: 0}", 255),
                                                     ("{background: 255, hole: 0}", 0)])  # fmt: skip
def test_of_a_foreground_and_a_background_the_pieces_are_the_objects(classes, foreground, paint):
    mask = paint.mask(0, 255, 0, 255, 255)
    paint.write("images/a.png", paint.image())
    paint.write("masks/a.png", mask)
    paint.write("dataset.yaml", f"classes: {classes}\n")
    samples = index(paint.root)
    np.testing.assert_array_equal(samples.objects_of(samples.samples[0]), ndimage.label(mask == foreground)[0])


def test_ignored_pixels_are_of_no_object(paint):
    paint.write("images/a.png", paint.image())
    paint.write("masks/a.png", paint.mask(0, 1, 7, 1))
    paint.write("dataset.yaml", "ignore: [7]\n")
    samples = index(paint.root)
    assert samples.objects_of(samples.samples[0])[0].tolist() == [0, 0, 0, 1, 1, 0, 0, 0, 2, 2]


@pytest.mark.parametrize("text", ["classes: {a: 0, b: 1, c: 2}", "classes: {cat: 1, dog: 2}\nignore: [0]"])
def test_classes_that_are_no_such_pair_have_no_objects(text, paint):
    paint.write("images/a.png", paint.image())
    paint.write("masks/a.png", paint.mask(0, 1, 2))
    paint.write("dataset.yaml", f"{text}\n")
    samples = index(paint.root)
    assert samples.objects_of(samples.samples[0]) is None
