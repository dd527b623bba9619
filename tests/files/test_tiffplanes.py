import numpy as np
import pytest
import tifffile

from maskwright.errors import ReadError
from maskwright.files import Header, axes_in, pages_in, read_header, read_image, read_mask, read_window

PLAIN = {"photometric": "minisblack"}


HYPERSTACKS = ["CYX", "ZCYX", "TZCYX", "TCYX", "ZYX", "TZYX"]


@pytest.mark.parametrize(
    ("how", "axes"),
    [(how, axes) for how in ("ome", "imagej", "shaped") for axes in HYPERSTACKS]
    + [(how, axes) for how in ("ome", "shaped") for axes in ("CZYX", "CTZYX")],  # ImageJ stores channels last
)
def test_channels_of_a_hyperstack_are_bands_and_its_other_axes_are_pages(how, axes, tmp_path, paint):
    sizes = {"T": 2, "Z": 3, "C": 4, "Y": 8, "X": 9}
    array = paint(*(sizes[letter] for letter in axes), dtype="uint16")
    path = tmp_path / "stack.tif"
    options = {"imagej": {"imagej": True}, "ome": {"ome": True, **PLAIN}, "shaped": PLAIN}[how]
    tifffile.imwrite(path, array, metadata={"axes": axes}, **options)

    # The slow twin: pages in the file's order of T and Z, channels last.
    order = [axes.index(letter) for letter in axes if letter in "TZ"]
    order += [axes.index(letter) for letter in "YXC" if letter in axes]
    pictures = array.transpose(order).reshape(-1, 8, 9, 4 if "C" in axes else 1)
    assert pages_in(path) == len(pictures)
    for number, picture in enumerate(pictures):
        np.testing.assert_array_equal(read_image(path, number), picture, strict=True)
        np.testing.assert_array_equal(read_window(path, slice(2, 6), slice(1, 8), number), picture[2:6, 1:8])
        assert read_header(path, number) == Header(8, 9, picture.shape[2], "uint16")
    if len(pictures) == 1:
        np.testing.assert_array_equal(read_image(path), pictures[0])
    else:
        with pytest.raises(ReadError, match=f"stack of {len(pictures)} pages"):
            read_image(path)
    assert axes_in(path)[1] != "stated"


def test_planes_are_put_in_the_order_that_ome_gives_them(tmp_path, paint):
    planes = paint(4, 8, 9)
    tifffile.imwrite(tmp_path / "a.ome.tif", planes, metadata={"axes": "CYX"}, **PLAIN)
    text = tifffile.tiffcomment(tmp_path / "a.ome.tif")
    backwards = "".join(f'<TiffData FirstC="{c}" IFD="{3 - c}"/>' for c in range(4))
    tifffile.tiffcomment(tmp_path / "a.ome.tif", text.replace('<TiffData IFD="0" PlaneCount="4"/>', backwards).encode())

    np.testing.assert_array_equal(read_image(tmp_path / "a.ome.tif"), np.moveaxis(planes[::-1], 0, -1))


def test_each_series_of_ome_has_its_pages(tmp_path, paint):
    one, two = paint(2, 3, 8, 9), paint(4, 6, 5)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as writer:
        writer.write(one, metadata={"axes": "ZCYX"}, **PLAIN)
        writer.write(two, metadata={"axes": "CYX"}, **PLAIN)

    assert pages_in(tmp_path / "a.ome.tif") == 3
    np.testing.assert_array_equal(read_image(tmp_path / "a.ome.tif", 1), np.moveaxis(one[1], 0, -1))
    np.testing.assert_array_equal(read_image(tmp_path / "a.ome.tif", 2), np.moveaxis(two, 0, -1))


def test_colours_of_ome_are_samples_of_a_page(tmp_path, paint):
    array = paint(3, 8, 9, 3)
    tifffile.imwrite(tmp_path / "a.ome.tif", array, metadata={"axes": "ZYXS"}, photometric="rgb")

    assert pages_in(tmp_path / "a.ome.tif") == 3
    np.testing.assert_array_equal(read_image(tmp_path / "a.ome.tif", 1), array[1])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('SizeZ="2"', 'SizeZ="2000000000"'),
        ('SizeC="3"', 'SizeC="0"'),
        ('SizeC="3"', ""),
        ('IFD="0"', 'IFD="4"'),
        ('PlaneCount="6"', 'PlaneCount="-1"'),
        ("<Image", "<Imag"),
        ('DimensionOrder="XYCZT"', 'DimensionOrder="CYXZT"'),
        ('IFD="0" PlaneCount="6"/>', 'IFD="0" PlaneCount="6"><UUID FileName="b.tif">urn:uuid:other</UUID></TiffData>'),
    ],
)
def test_a_text_that_speaks_of_other_planes_than_there_are_is_not_believed(old, new, tmp_path, paint):
    array = paint(2, 3, 8, 9)
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, array, metadata={"axes": "ZCYX"}, **PLAIN)
    text = tifffile.tiffcomment(path)
    assert old in text
    tifffile.tiffcomment(path, text.replace(old, new).encode())

    assert pages_in(path) == 6
    np.testing.assert_array_equal(read_image(path, 4)[:, :, 0], array[1, 1])


def test_the_users_axes_come_before_the_files(tmp_path, paint):
    planes = paint(6, 20, 30)
    tifffile.imwrite(tmp_path / "a.tif", planes, **PLAIN)

    np.testing.assert_array_equal(read_image(tmp_path / "a.tif", axes="CHW"), np.moveaxis(planes, 0, -1))
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif", 4, axes="ZHW")[:, :, 0], planes[4])
    assert pages_in(tmp_path / "a.tif", "CHW") == 1
    assert axes_in(tmp_path / "a.tif", axes="CHW") == ("CHW", "stated")
    with pytest.raises(ReadError, match=r"6 planes of 20×30; `axes: ZCHW` does not fit"):
        read_image(tmp_path / "a.tif", axes="ZCHW")
    with pytest.raises(ReadError, match="stack of 6 pages"):
        read_image(tmp_path / "a.tif", axes="ZHW")

    tifffile.imwrite(tmp_path / "b.tif", planes.reshape(2, 3, 20, 30), imagej=True, metadata={"axes": "ZCYX"})
    np.testing.assert_array_equal(read_image(tmp_path / "b.tif", 2, axes="CZHW")[:, :, 1], planes[5])
    assert pages_in(tmp_path / "b.tif", "ZHW") == 6


def test_a_picture_that_was_cut_up_along_its_height_is_put_together_if_the_axes_say_so(tmp_path, paint):
    picture = paint(20, 30, 5)
    tifffile.imwrite(tmp_path / "a.tif", picture, **PLAIN)  # without a word, that is 20 pages of 30×5
    tifffile.imwrite(tmp_path / "b.tif", picture, metadata={"axes": "YXC"}, **PLAIN)

    assert pages_in(tmp_path / "a.tif") == 20
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif", axes="HWC"), picture)
    np.testing.assert_array_equal(read_image(tmp_path / "b.tif"), picture)
    assert pages_in(tmp_path / "b.tif") == 1


def test_axes_of_one_plane(tmp_path, paint):
    tifffile.imwrite(tmp_path / "grey.tif", paint(20, 30), **PLAIN)
    tifffile.imwrite(tmp_path / "five.tif", paint(5, 20, 30), planarconfig="separate", **PLAIN)
    for name, axes in (("grey.tif", "HW"), ("grey.tif", "ZHW"), ("five.tif", "HWC"), ("five.tif", "CHW")):
        np.testing.assert_array_equal(read_image(tmp_path / name, axes=axes), read_image(tmp_path / name))
    np.testing.assert_array_equal(
        read_image(tmp_path / "grey.tif", axes="WH"), read_image(tmp_path / "grey.tif").swapaxes(0, 1)
    )


def test_channels_of_unequal_size_are_told(tmp_path, paint):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for size in (8, 9):
            writer.write(paint(size, 9), metadata=None, **PLAIN)

    with pytest.raises(ReadError, match="differ in size"):
        read_image(tmp_path / "a.tif", axes="CHW")


def test_a_mask_of_channels_says_how_to_call_them_pages(tmp_path, paint):
    tifffile.imwrite(tmp_path / "a.tif", paint(5, 8, 9), imagej=True)  # ImageJ's text: channels=5

    with pytest.raises(ReadError, match=r"5 channels \(axes CHW: ImageJ names its axes\).*`axes: ZHW`"):
        read_mask(tmp_path / "a.tif")
    assert pages_in(tmp_path / "a.tif", "ZHW") == 5
    assert read_mask(tmp_path / "a.tif", 3, axes="ZHW").values.shape == (8, 9)


def test_planes_that_the_text_leaves_out_are_not_lost(tmp_path, paint):
    array = paint(2, 3, 8, 9)
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, array, metadata={"axes": "ZCYX"}, **PLAIN)
    text = tifffile.tiffcomment(path)
    tifffile.tiffcomment(path, text.replace('SizeZ="2"', 'SizeZ="1"').replace('Count="6"', 'Count="3"').encode())

    assert pages_in(path) == 6
