import numpy as np
import pytest

from maskwright.data.fingerprint import Fingerprint, fingerprint
from maskwright.data.index import index
from maskwright.errors import DataError

SIZES = {"a": (8, 10), "b": (20, 6), "c": (5, 5), "d": (9, 9), "e": (7, 11)}


def painted(paint, dtype, channels):
    """Five images of different sizes: c for validation, e for the test."""
    contents = {}
    for n, (name, size) in enumerate(SIZES.items()):
        shape = (*size, 3) if channels == 3 else size
        values = (0, 1, 255) if n % 2 else (0, 0, 1, 2)
        contents[f"{name}.tif"] = (paint.image(*shape, dtype=dtype), paint.mask(*values, size=size))
    return contents


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_numbers_are_those_of_all_training_pixels_side_by_side(dtype, channels, paint):
    contents = painted(paint, dtype, channels)

    found = fingerprint(index(paint.pairs(contents), val=["c"], test=["e"]))

    train = [contents[f"{name}.tif"] for name in "abd"]
    pixels_NC = np.concatenate([image.reshape(-1, channels) for image, _ in train]).astype(np.float64)
    values = np.concatenate([mask.ravel() for _, mask in train])
    counted = values[values != 255]
    assert (found.train, found.val, found.test, found.channels, found.dtype) == (3, 1, 1, channels, dtype)
    assert (found.smallest, found.median, found.largest) == ((8, 6), (9, 9), (20, 10))
    assert (found.low, found.high) == (pixels_NC.min(), pixels_NC.max())
    np.testing.assert_allclose(found.mean, pixels_NC.mean(axis=0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.std, pixels_NC.std(axis=0), rtol=1e-9)
    np.testing.assert_allclose(found.pixel_share, [(counted == v).mean() for v in (0, 1, 2)], rtol=1e-12)
    np.testing.assert_allclose(found.image_share, [np.mean([v in mask for _, mask in train]) for v in (0, 1, 2)])
    assert found.ignored_share == pytest.approx((values == 255).mean())
    assert found.classes == ("background", "class_1", "class_2")


def test_validation_and_test_images_do_not_leak_into_the_numbers(paint):
    contents = painted(paint, "uint8", 1)
    before = fingerprint(index(paint.pairs(contents), val=["c"], test=["e"]))
    for name in ("c", "e"):
        contents[f"{name}.tif"] = (np.full(SIZES[name], 255, np.uint8), paint.mask(2, size=SIZES[name]))
    assert fingerprint(index(paint.pairs(contents), val=["c"], test=["e"])) == before


def test_grey_among_colour_counts_in_all_three_channels(paint):
    grey, colour = paint.image(6, 6), paint.image(4, 5, 3)
    paint.pairs({"a": (grey, paint.mask(size=(6, 6))), "b": (colour, paint.mask(size=(4, 5)))})
    paint.pairs({"c": (paint.image(), paint.mask())})

    found = fingerprint(index(paint.root, val=["c"]))

    pixels_NC = np.concatenate([np.repeat(grey.reshape(-1, 1), 3, axis=1), colour.reshape(-1, 3)]).astype(float)
    assert found.channels == 3
    np.testing.assert_allclose(found.mean, pixels_NC.mean(axis=0))
    np.testing.assert_allclose(found.std, pixels_NC.std(axis=0))


def test_colour_in_the_validation_part_alone_makes_no_colour_network(paint):
    paint.pairs({"a": (paint.image(), paint.mask()), "b": (paint.image(8, 10, 3), paint.mask())})
    assert fingerprint(index(paint.root, val=["b"])).channels == 1


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_kinds_of_value_are_not_mixed_whatever_the_part(split, paint):
    for name in "abc":
        paint.images(f"images/{name}.png")
        paint.masks(f"masks/{name}.png")
    paint.write("images/odd.png", paint.image(dtype="uint16"))
    paint.masks("masks/odd.png")
    wishes = {} if split == "train" else {split: ["odd"]}
    samples = index(paint.root, **({"val": ["a"]} | wishes))
    with pytest.raises(
        DataError, match=r"images/odd\.png holds uint16 values, most images hold uint8 \(1 of 4 differ\)"
    ):
        fingerprint(samples)


@pytest.mark.parametrize("split", ["train", "val"])
def test_numbers_of_channels_are_not_mixed_whatever_the_part(split, paint):
    """Told now, and not when the first validation comes."""
    for name in "abc":
        paint.write(f"images/{name}.tif", paint.image(8, 10, 3))
        paint.masks(f"masks/{name}.png")
    bands = np.moveaxis(paint.image(8, 10, 5), 2, 0)
    import tifffile

    tifffile.imwrite(paint.root / "images/odd.tif", bands, photometric="minisblack", planarconfig="separate")
    paint.masks("masks/odd.png")
    samples = index(paint.root, val=["odd"] if split == "val" else ["a"])
    with pytest.raises(DataError, match=r"images/odd\.tif has 5 channels, most images have 3.*--skip odd"):
        fingerprint(samples)


def test_a_class_without_a_training_pixel_is_absent(paint):
    paint.write("images/a.png", paint.image())
    paint.write("masks/a.png", paint.mask(0, 2))
    paint.write("classes.txt", "sky\nroad\ncar\n")
    found = fingerprint(index(paint.root))
    assert found.absent == ["road"]
    assert found.pixel_share[1] == found.image_share[1] == 0


def test_shares_of_pixels_that_are_all_ignored_are_none(paint):
    paint.pairs({"a": (paint.image(), paint.mask(255)), "b": (paint.image(), paint.mask(0, 1, 2))})
    found = fingerprint(index(paint.root, val=["b"]))
    assert found.ignored_share == 1
    assert found.pixel_share == (0, 0, 0)


def test_a_fingerprint_saves_and_loads(paint):
    found = fingerprint(index(paint.pairs(painted(paint, "float32", 1))))
    assert Fingerprint.load(found.save(paint.root / "fingerprint.json")) == found
