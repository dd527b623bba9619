import numpy as np
import pytest

from maskwright.errors import ReadError
from maskwright.files import Header, Stored
from maskwright.files.stored import image_of


def stored(values, **more):
    values = np.asarray(values)
    return Stored(*values.shape, values.dtype.name, lambda: values, **more)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("int8", -128),
        ("int16", -7),
        ("int32", 2**24),
        ("uint32", 2**31),
        ("int64", -(2**53)),
        ("uint64", 2**40),
    ],
)
def test_integers_that_float32_holds_become_float32(dtype, value):
    image = image_of(stored(np.array([[[value]]], dtype)))

    assert (image.dtype, image.item()) == ("float32", value)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("int32", 2**24 + 1),
        ("uint32", 2**32 - 1),
        ("int64", 2**53 + 1),
        ("uint64", 2**64 - 1),
        ("int64", 2**62),
    ],
)
def test_integers_that_float32_would_change_are_refused(dtype, value):
    with pytest.raises(ReadError, match="cannot tell from their neighbours"):
        image_of(stored(np.array([[[value]]], dtype)))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats_become_float32(dtype):
    image = image_of(stored(np.array([[[0.5], [np.nan], [-np.inf]]], dtype)))

    np.testing.assert_array_equal(image, np.array([[[0.5], [np.nan], [-np.inf]]], np.float32), strict=True)


def test_floats_beyond_float32_are_refused():
    with pytest.raises(ReadError, match=r"3\.4e38"):
        image_of(stored(np.array([[[1e39]]])))


@pytest.mark.parametrize(("bits", "top"), [(1, 1), (2, 3), (4, 15), (8, 255)])
def test_few_bits_are_stretched_to_eight(bits, top):
    values = np.array([[[0], [1], [top]]], np.uint8)

    assert image_of(stored(values, bits=bits)).ravel().tolist() == [0, 255 // top, 255]
    assert image_of(stored(values, bits=bits, inverted=True)).ravel().tolist() == [255, 255 - 255 // top, 0]


def test_a_palette_is_expanded_and_an_index_past_its_end_is_black():
    picture = stored(np.array([[[1], [0], [2]]], np.uint8), palette=np.array([[9, 8, 7], [1, 2, 3]], np.uint8))

    assert image_of(picture).tolist() == [[[1, 2, 3], [9, 8, 7], [0, 0, 0]]]
    assert picture.header == Header(1, 3, 3, "uint8")


def test_a_palette_of_greys_gives_one_channel():
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)

    assert image_of(stored(np.array([[[7]]], np.uint8), palette=ramp)).tolist() == [[[7]]]
    assert stored(np.array([[[7]]], np.uint8), palette=ramp[::-1]).header.channels == 1
