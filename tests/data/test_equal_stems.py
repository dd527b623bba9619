import io

import numpy as np
import pytest
from PIL import Image

from maskwright.data.index import index
from maskwright.data.layouts import recognise
from maskwright.data.layouts.equal_stems import EqualStems
from maskwright.errors import DataError


def photograph(number, size=(40, 60)):
    """Smooth, with many values, as a camera gives it."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    waves = [np.sin(rows / (5 + k + number)) + np.cos(columns / (7 + k)) for k in range(3)]
    return np.stack([(60 * wave + 127).astype(np.uint8) for wave in waves], axis=2)


def drawn(number, size=(40, 60)):
    mask = np.zeros(size, np.uint8)
    mask[5 : 20 + number, 10:40] = 1
    mask[30:, 20:50] = 2
    return mask


def as_palette(mask):
    picture = Image.fromarray(mask, "P")
    picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    memory = io.BytesIO()
    picture.save(memory, "PNG")
    return memory.getvalue()


MASKS = {
    "values": drawn,
    "palette": lambda number: as_palette(drawn(number)),
    "colours": lambda number: np.array([[0, 0, 0], [255, 0, 0], [0, 0, 255]], np.uint8)[drawn(number)],
    "one bit": lambda number: drawn(number) > 0,
}


ENDINGS = [("jpg", "png"), ("tif", "png"), ("bmp", "png"), ("png", "bmp")]


@pytest.mark.parametrize(
    ("kind", "endings"), [(k, e) for k in MASKS for e in ENDINGS if (k, e) != ("palette", ENDINGS[-1])]
)
def test_of_two_files_of_one_name_the_one_of_few_values_is_the_mask(kind, endings, paint):
    of_image, of_mask = endings
    for number in range(4):
        paint.write(f"{number}.{of_image}", photograph(number))
        paint.write(f"{number}.{of_mask}", MASKS[kind](number))
    name, pairs = recognise(paint.root)
    assert name == "equal_stems"
    for entry in pairs.entries:
        assert (entry.image.suffix[1:], entry.mask.suffix[1:]) == endings
        assert entry.image.stem == entry.mask.stem
    assert len(pairs.entries) == 4
    assert f"the .{of_mask} files are the masks" in pairs.reason


@pytest.mark.parametrize("endings", [("jpg", "png"), ("tif", "png")])
def test_an_image_in_two_formats_is_no_pair(endings, paint):
    for number in range(4):
        for ending in endings:
            paint.write(f"{number}.{ending}", photograph(number))
    assert EqualStems()(paint.root) is None
    with pytest.raises(DataError, match="No images with masks"):
        recognise(paint.root)


def test_two_files_of_few_values_are_told_apart_only_if_one_is_a_jpeg(paint):
    for number in range(3):
        paint.write(f"{number}.jpg", np.full((40, 60), 200, np.uint8))
        paint.write(f"{number}.png", drawn(number))
    assert {entry.mask.suffix for entry in EqualStems()(paint.root).entries} == {".png"}
    for number in range(3):
        (paint.root / f"{number}.jpg").unlink()
        paint.write(f"{number}.tif", drawn(number))
    assert EqualStems()(paint.root) is None


def test_doubles_beside_named_masks_are_not_taken_for_masks(paint):
    for number in range(3):
        paint.write(f"{number}.jpg", photograph(number))
        paint.write(f"{number}.png", photograph(number))
        paint.write(f"{number}_mask.png", drawn(number))
    name, pairs = recognise(paint.root)
    assert name == "one_folder"
    assert {entry.mask.name for entry in pairs.entries} == {f"{n}_mask.png" for n in range(3)}
    assert len(pairs.images_alone) == 3


def test_doubles_in_the_folder_of_images_are_not_taken_for_masks(paint):
    for number in range(3):
        paint.write(f"images/{number}.jpg", photograph(number))
        paint.write(f"images/{number}.png", photograph(number))
        paint.write(f"masks/{number}.png", drawn(number))
    name, pairs = recognise(paint.root)
    assert name == "paired_folders"
    assert {entry.mask.parent.name for entry in pairs.entries} == {"masks"}


def test_files_that_disagree_are_not_decided(paint):
    for number in range(4):
        first, second = (photograph(number), drawn(number))[:: 1 if number % 2 else -1]
        paint.write(f"{number}.bmp", first)
        paint.write(f"{number}.png", second)
    assert EqualStems()(paint.root) is None


def test_what_has_no_twin_is_alone_and_parts_are_kept(paint):
    for part in ("train", "val"):
        for number in range(3):
            paint.write(f"{part}/{part}{number}.jpg", photograph(number))
            paint.write(f"{part}/{part}{number}.png", drawn(number))
    paint.write("train/lone.jpg", photograph(9))
    pairs = recognise(paint.root)[1]
    assert [path.name for path in pairs.images_alone] == ["lone.jpg"]
    assert {entry.split for entry in pairs.entries} == {"train", "val"}
    assert index(paint.root).labels.count == 3
