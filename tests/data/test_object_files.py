import numpy as np
import pytest

from maskwright.data.index import index
from maskwright.data.layouts import recognise
from maskwright.errors import DataError, ReadError


def disc(y, x, radius, size=(20, 24)):
    rows, columns = np.ogrid[: size[0], : size[1]]
    return ((rows - y) ** 2 + (columns - x) ** 2 <= radius**2).astype(np.uint8) * 255


NUCLEI = [disc(5, 5, 3), disc(5, 12, 3), disc(14, 14, 4)]  # the first two touch


@pytest.fixture
def case(paint):
    """One image of the contest: RGBA, with a mask a nucleus."""

    def case(name, masks=NUCLEI, folder="stage1_train/"):
        paint.write(f"{folder}{name}/images/{name}.png", paint.image(20, 24, 4))
        if masks is not None:
            (paint.root / f"{folder}{name}/masks").mkdir()
            for i, mask in enumerate(masks):
                paint.write(f"{folder}{name}/masks/{i:02}{name[:3]}.png", mask)
        return paint.root

    return case


def by_name(samples):
    return {sample.name: sample for sample in samples.samples}


def test_an_image_has_the_union_of_its_objects_as_mask_and_each_as_object(case):
    for name in ("0d2bf916", "11a3c", "ff00"):
        root = case(name)

    samples = index(root / "stage1_train")

    assert samples.layout == "object_files"
    assert samples.labels.names == ["background", "foreground"]
    assert [c.values for c in samples.labels.classes] == [(0,), (255,)]
    sample = by_name(samples)["11a3c"]
    assert (sample.image, sample.mask) == ("11a3c/images/11a3c.png", "11a3c/masks")
    assert (sample.channels, samples.image(sample).shape) == (3, (20, 24, 3))
    union = np.max(NUCLEI, axis=0) > 0
    np.testing.assert_array_equal(samples.labels_of(sample), union)
    assert sample.values == {0: int((~union).sum()), 255: int(union.sum())}
    objects = samples.objects_of(sample)
    assert objects.dtype == np.int32
    for number, nucleus in enumerate(NUCLEI, start=1):
        np.testing.assert_array_equal(objects == number, nucleus > 0)
    assert type(samples).load(samples.save(root / "samples.json")) == samples


def test_the_folder_above_is_known_too_and_test_images_are_kept(case):
    case("aa"), case("bb"), case("cc", folder="stage1_test/", masks=None)
    root = case("dd", folder="stage2_test_final/", masks=None)

    samples = index(root)

    assert {(s.name, s.split) for s in samples.samples if not s.mask} == {("cc", "test"), ("dd", "test")}
    assert {s.name for s in samples.samples if s.mask} == {"aa", "bb"}
    assert "smaller one" in samples.notes[0]


def test_an_empty_folder_of_masks_is_an_image_without_objects(case):
    case("aa")
    samples = index(case("bb", masks=[]))
    sample = by_name(samples)["bb"]
    assert sample.values == {0: 480}
    assert not samples.labels_of(sample).any()
    assert samples.objects_of(sample).shape == (20, 24)
    assert not samples.objects_of(sample).any()


def test_an_image_without_a_folder_of_masks_is_told(case):
    case("aa")
    root = case("bb", masks=None)
    assert any("no mask: stage1_train/bb/images/bb.png" in note for note in index(root).notes)
    assert list(by_name(index(root))) == ["aa"]
    assert list(by_name(index(root, skip=["bb.png"]))) == ["aa"]


@pytest.mark.parametrize("skip", ["bb", "bb.png", "stage1_train/bb/*", "stage1_train/bb/masks", "*/bb/images/bb"])
def test_an_image_can_be_left_out_by_its_name_or_its_folder(skip, case):
    case("aa")
    assert list(by_name(index(case("bb"), skip=[skip]))) == ["aa"]


def test_the_contents_of_all_masks_are_the_masks_content(case, paint):
    case("aa")
    root = case("bb")
    before = by_name(index(root))
    assert before["aa"].mask_content == before["bb"].mask_content
    paint.write("stage1_train/bb/masks/02bb.png", disc(14, 14, 3))
    after = by_name(index(root))
    assert after["bb"].mask_content != before["bb"].mask_content
    assert (after["bb"].content, after["aa"]) == (before["bb"].content, before["aa"])


@pytest.mark.parametrize(
    ("mask", "says"),
    [
        (disc(5, 5, 3, (20, 23)), r"bb/masks/07\.png is 20×23, its image 20×24 .*Masks must match"),
        (disc(5, 5, 3) // 255 + disc(9, 9, 3), r"bb/masks/07\.png holds 0, 1 and 255; a file of one object"),
    ],
)
def test_a_file_that_is_no_mask_of_an_object_is_told(mask, says, case, paint):
    case("aa")
    root = case("bb")
    paint.write("stage1_train/bb/masks/07.png", mask)
    with pytest.raises(DataError, match=says) as caught:
        index(root)
    assert str(caught.value).endswith("--skip bb.png.")
    assert list(by_name(index(root, skip=["bb.png"]))) == ["aa"]


def test_a_file_that_does_not_open_is_told(case, paint):
    root = case("aa")
    paint.write("stage1_train/aa/masks/07.png", b"\x89PNG\r\n\x1a\n")
    with pytest.raises(ReadError, match=r"aa/masks/07\.png is a PNG that was cut short"):
        index(root)


def test_a_folder_of_one_plain_mask_an_image_is_no_folder_of_objects(paint):
    """The mask may hold any classes: nothing says that it is one object."""
    for name in "ab":
        paint.images(f"{name}/images/{name}.png")
        paint.masks(f"{name}/masks/{name}_mask.png")
    name, pairs = recognise(paint.root)
    assert name == "nested"
    assert {entry.source for entry in pairs.entries} == {"mask_file"}


def test_the_objects_know_no_order_of_workers(case):
    for i in range(6):
        root = case(f"case{i}", masks=NUCLEI[: i % 4])
    assert index(root, workers=3) == index(root, workers=1)
