import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.errors import ReadError, SettingError
from maskwright.files import Header, axes_in, pages_in, read_header, read_image, read_mask, write_image
from maskwright.files.axes import Volume, checked, inferred


def volume(array, axes=None):
    return Volume(array.shape, array.dtype, lambda part: array[part], axes)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((9, 7), "HW"),
        ((2, 3), "HW"),
        ((3, 40, 50), "CHW"),
        ((40, 50, 3), "HWC"),
        ((1, 8, 9), "CHW"),
        ((8, 9, 1), "HWC"),
        ((16, 64, 64), "CHW"),
        ((64, 64, 13), "HWC"),
        ((64, 3, 64), None),  # nobody stores channels in the middle
        ((3, 64, 3), None),
        ((3, 11, 50), None),  # 3 is not clearly less than 11
        ((17, 200, 200), None),
        ((100, 100, 100), None),
        ((1, 1, 1), None),
        ((2, 3, 40, 50), None),
    ],
)
def test_channels_are_inferred_only_where_one_end_is_clearly_short(shape, axes):
    if axes is None:
        with pytest.raises(ReadError, match=r"State it in dataset\.yaml: `axes:`"):
            inferred(shape)
    else:
        assert inferred(shape)[0] == axes
        assert inferred(shape)[1]


@pytest.mark.parametrize("shape", [(), (5,)])
def test_an_array_of_fewer_axes_is_no_picture(shape):
    with pytest.raises(ReadError, match="height and width"):
        inferred(shape)


@pytest.mark.parametrize("axes", ["", "H", "CH", "HHW", "HWQ", "HWCC", "images"])
def test_letters_that_are_no_axes_are_told_before_the_file_is_opened(axes, tmp_path):
    for read in (read_image, read_header, pages_in, read_mask):
        with pytest.raises(SettingError, match="should be letters"):
            read(tmp_path / "nothing.npy", axes=axes)


def test_letters_may_be_small_and_y_and_x():
    assert checked("zcyx") == "ZCHW"


@given(order=st.permutations("TZCHW"), data=st.data())
def test_each_page_is_what_a_person_would_cut_out(order, data):
    axes = "".join(order)
    sizes = dict(zip("TZCHW", (2, 3, 4, 5, 6), strict=True))
    array = np.arange(720).astype(np.uint16).reshape([sizes[letter] for letter in axes])
    opened = volume(array)

    # The slow twin: pages in the order of the letters, picked axis by axis.
    pages = [letter for letter in axes if letter in "TZ"]
    page = data.draw(st.integers(0, 5))
    at = dict(zip(pages, divmod(page, sizes[pages[1]]), strict=True))
    picture = array[tuple(at.get(letter, slice(None)) for letter in axes)]
    left = [letter for letter in axes if letter not in at]
    expected = np.einsum(f"{''.join(left)}->HWC", picture)

    assert opened.pages(axes) == 6
    stored = opened.open(page, axes)
    np.testing.assert_array_equal(stored.decode(), expected)
    np.testing.assert_array_equal(stored.region(slice(1, 4), slice(2, 3)), expected[1:4, 2:3])
    assert stored.header == Header(5, 6, 4, "uint16")


def test_what_is_stated_comes_before_what_the_file_says_and_that_before_what_is_inferred(tmp_path, paint):
    array = paint(3, 40, 50)
    assert volume(array).letters() == inferred(array.shape)
    assert volume(array, "ZHW").letters()[0] == "ZHW"
    assert volume(array, "ZHW").letters("CHW") == ("CHW", "stated")
    np.save(tmp_path / "a.npy", array)
    assert axes_in(tmp_path / "a.npy")[0] == "CHW"
    assert "the first" in axes_in(tmp_path / "a.npy")[1]
    assert axes_in(tmp_path / "a.npy", axes="ZHW") == ("ZHW", "stated")


def test_more_letters_than_axes_are_told(tmp_path, paint):
    np.save(tmp_path / "a.npy", paint(3, 40, 50))

    with pytest.raises(ReadError, match=r"a\.npy is an array of 3×40×50: 3 axes; `axes: ZCHW` names 4"):
        read_image(tmp_path / "a.npy", axes="ZCHW")


def test_a_format_that_knows_its_axes_takes_no_others(tmp_path, paint):
    grey, colour = write_image(tmp_path / "g.png", paint(4, 5)), write_image(tmp_path / "c.png", paint(4, 5, 3))

    np.testing.assert_array_equal(read_image(grey, axes="HW"), read_image(grey))
    np.testing.assert_array_equal(read_image(colour, axes="hwc"), read_image(colour))
    for path, axes in ((colour, "CHW"), (colour, "HW"), (grey, "ZHW")):
        with pytest.raises(ReadError, match="cannot be true of it"):
            read_image(path, axes=axes)


def test_more_numbers_than_can_be_read_at_once_are_refused_before_any_is_read():
    def take(part):
        pytest.fail("read")

    stored = Volume((100, 40_000, 40_000), np.dtype("uint8"), take, "CHW").open()

    with pytest.raises(ReadError, match="one read may take"):
        stored.decode()
