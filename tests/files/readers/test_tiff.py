import logging

import numpy as np
import pytest
import tifffile
from PIL import Image

from maskwright.errors import ReadError
from maskwright.files import Header, pages_in, read_header, read_image, read_mask
from maskwright.files.readers import tiff

LAYOUTS = [{}, {"rowsperstrip": 3}, {"tile": (16, 16)}]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "zstd"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("bands", ["grey", "rgb", "rgb-separate", "five"])
def test_every_layout_gives_the_painted_values(layout, compression, dtype, byteorder, bands, tmp_path, paint):
    channels = {"grey": 1, "five": 5}.get(bands, 3)
    picture = paint(19, 21, channels, dtype="uint8").astype(dtype)
    array, planes = {
        "grey": (picture[:, :, 0], None),
        "rgb-separate": (np.moveaxis(picture, 2, 0), "separate"),
    }.get(bands, (picture, "contig"))
    tifffile.imwrite(
        tmp_path / "image.tif", array, photometric="rgb" if channels == 3 else "minisblack",
        planarconfig=planes, compression=compression, byteorder=byteorder, **layout,
    )  # fmt: skip

    image = read_image(tmp_path / "image.tif")

    np.testing.assert_array_equal(image, picture, strict=True)
    assert image.dtype.isnative
    assert image.flags.c_contiguous
    assert read_header(tmp_path / "image.tif") == Header(19, 21, channels, dtype)


@pytest.mark.parametrize(("dtype", "given"), [("int16", "float32"), ("uint32", "float32"), ("float16", "float32")])
def test_other_numbers_become_float32(dtype, given, tmp_path):
    tifffile.imwrite(tmp_path / "image.tif", np.array([[0, 1], [2, 3]], dtype), photometric="minisblack")

    image = read_image(tmp_path / "image.tif")

    assert image[:, :, 0].tolist() == [[0, 1], [2, 3]]
    assert image.dtype == read_header(tmp_path / "image.tif").dtype == given


def test_numbers_that_float32_would_change_are_told_by_name(tmp_path):
    tifffile.imwrite(tmp_path / "image.tif", np.array([[2**24 + 1]], np.int32), photometric="minisblack")

    with pytest.raises(ReadError, match=r"image\.tif holds int32 numbers"):
        read_image(tmp_path / "image.tif")


@pytest.mark.parametrize("bigtiff", [False, True])
def test_bigtiff_is_tiff(bigtiff, tmp_path, paint):
    tifffile.imwrite(tmp_path / "image.tif", paint(4, 5), bigtiff=bigtiff)

    np.testing.assert_array_equal(read_image(tmp_path / "image.tif")[:, :, 0], paint(4, 5))


@pytest.mark.parametrize(("extra", "kept"), [("unassalpha", 3), ("assocalpha", 3), ("unspecified", 4)])
def test_a_band_is_dropped_only_if_the_file_calls_it_alpha(extra, kept, tmp_path, paint):
    picture = paint(6, 7, 4)
    tifffile.imwrite(tmp_path / "image.tif", picture, photometric="rgb", extrasamples=[extra])

    np.testing.assert_array_equal(read_image(tmp_path / "image.tif"), picture[:, :, :kept])
    assert read_header(tmp_path / "image.tif").channels == kept


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "bool"])
def test_zero_is_white_is_turned_round_in_images(dtype, tmp_path):
    stored = np.array([[0, 1]], dtype)
    tifffile.imwrite(tmp_path / "image.tif", stored, photometric="miniswhite")

    expected = {"uint8": [255, 254], "uint16": [65535, 65534], "bool": [255, 0]}[dtype]
    assert read_image(tmp_path / "image.tif").ravel().tolist() == expected


def test_inks_become_the_colours_that_pillow_shows(tmp_path, paint):
    picture = Image.frombytes("CMYK", (7, 6), paint(6, 7, 4).tobytes())
    picture.save(tmp_path / "print.tif")

    expected = np.array(picture.convert("RGB")).astype(int)
    np.testing.assert_allclose(read_image(tmp_path / "print.tif").astype(int), expected, atol=1)
    assert read_header(tmp_path / "print.tif") == Header(6, 7, 3, "uint8")


def test_jpeg_within_tiff_gives_what_pillow_decodes(tmp_path):
    colours = np.full((32, 32, 3), (200, 100, 50), np.uint8)
    Image.fromarray(colours).save(tmp_path / "image.tif", compression="jpeg")

    np.testing.assert_allclose(read_image(tmp_path / "image.tif").astype(int), colours, atol=4)


def test_a_palette_of_8_bit_numbers_in_16_bit_places_is_read(tmp_path):
    colormap = np.zeros((3, 256), np.uint16)
    colormap[:, 1] = (200, 100, 50)
    tifffile.imwrite(tmp_path / "mask.tif", np.array([[0, 1]], np.uint8), photometric="palette", colormap=colormap)

    assert read_image(tmp_path / "mask.tif").tolist() == [[[0, 0, 0], [200, 100, 50]]]


@pytest.mark.parametrize("mode", ["YCbCr", "LAB"])
def test_colours_we_do_not_know_are_refused_rather_than_guessed(mode, tmp_path, paint):
    Image.fromarray(paint(6, 7, 3)).convert("YCbCr" if mode == "YCbCr" else "RGB").save(tmp_path / "image.tif")
    if mode == "LAB":
        tifffile.imwrite(tmp_path / "image.tif", paint(6, 7, 3), photometric="cielab", planarconfig="contig")

    for read in (read_image, read_header, read_mask):
        with pytest.raises(ReadError, match="Export it as RGB"):
            read(tmp_path / "image.tif")


def test_complex_numbers_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "image.tif", np.ones((2, 2), np.complex64), photometric="minisblack")

    with pytest.raises(ReadError, match="plain numbers"):
        read_image(tmp_path / "image.tif")


STACKS = pytest.mark.parametrize(
    "options",
    [
        {"photometric": "minisblack"},
        {"imagej": True, "metadata": {"axes": "ZYX"}},
        {"photometric": "minisblack", "metadata": None},
        {"photometric": "minisblack", "metadata": None, "compression": "zlib", "rowsperstrip": 3},
        {"photometric": "minisblack", "truncate": True},
        {"photometric": "minisblack", "truncate": True, "byteorder": ">"},
        {"ome": True, "metadata": {"axes": "ZYX"}},
    ],
)


@STACKS
def test_a_stack_is_refused_with_its_pages_counted(options, tmp_path):
    tifffile.imwrite(tmp_path / "stack.tif", np.zeros((5, 8, 9), np.uint8), **options)

    for read in (read_image, read_header, read_mask):
        with pytest.raises(ReadError, match=r"stack\.tif is a stack of 5 pages of 9×8 pixels.*Split it"):
            read(tmp_path / "stack.tif")


@STACKS
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_each_page_of_a_stack_is_read_as_painted(options, dtype, tmp_path, paint):
    volume = paint(5, 8, 9).astype(dtype)
    tifffile.imwrite(tmp_path / "stack.tif", volume, **options)

    assert pages_in(tmp_path / "stack.tif") == 5
    for number, page in enumerate(volume):
        image = read_image(tmp_path / "stack.tif", page=number)
        np.testing.assert_array_equal(image, page[:, :, None], strict=True)
        assert image.dtype.isnative
        np.testing.assert_array_equal(read_mask(tmp_path / "stack.tif", page=number).values, page)
        assert read_header(tmp_path / "stack.tif", page=number) == Header(8, 9, 1, dtype)


@STACKS
@pytest.mark.parametrize("page", [5, 99, -1])
def test_a_page_that_is_not_there_is_told(options, page, tmp_path):
    tifffile.imwrite(tmp_path / "stack.tif", np.zeros((5, 8, 9), np.uint8), **options)

    for read in (read_image, read_header, read_mask):
        with pytest.raises(
            ReadError, match=rf"stack\.tif, page {page}, is not there: the file has 5 pages, the first being 0"
        ):
            read(tmp_path / "stack.tif", page=page)


def test_coloured_pages_are_read_though_one_description_serves_them_all(tmp_path, paint):
    volume = paint(3, 8, 9, 3)
    for truncate in (False, True):
        tifffile.imwrite(tmp_path / "stack.tif", volume, photometric="rgb", truncate=truncate)
        for number, page in enumerate(volume):
            np.testing.assert_array_equal(read_image(tmp_path / "stack.tif", page=number), page)


def test_pages_may_be_unlike_and_smaller_copies_of_them_do_not_count(tmp_path, paint):
    pages = [paint(16, 16), paint(10, 12), paint(4, 6, 3)]
    with tifffile.TiffWriter(tmp_path / "stack.tif") as writer:
        for page in pages:
            kind = "rgb" if page.ndim == 3 else "minisblack"
            writer.write(page, photometric=kind, metadata=None)
            writer.write(page[::2, ::2], photometric=kind, metadata=None, subfiletype=1)

    assert pages_in(tmp_path / "stack.tif") == 3
    for number, page in enumerate(pages):
        np.testing.assert_array_equal(read_image(tmp_path / "stack.tif", page=number).squeeze(), page)


def test_the_only_picture_of_a_file_is_its_page_0(tmp_path, paint):
    tifffile.imwrite(tmp_path / "image.tif", paint(8, 9), photometric="minisblack")

    assert pages_in(tmp_path / "image.tif") == 1
    np.testing.assert_array_equal(read_image(tmp_path / "image.tif", page=0)[:, :, 0], paint(8, 9))


def test_pages_are_counted_once_however_many_are_read(tmp_path, paint, monkeypatch):
    tifffile.imwrite(tmp_path / "stack.tif", paint(40, 4, 5), photometric="minisblack")
    looked, count = [], tiff._stack
    monkeypatch.setattr(tiff, "_stack", lambda *args: looked.append(0) or count(*args))

    for page in range(40):
        read_image(tmp_path / "stack.tif", page=page)

    assert len(looked) == 1


def test_a_stack_written_anew_is_counted_anew(tmp_path, paint):
    for pages in (4, 7):
        tifffile.imwrite(tmp_path / "stack.tif", paint(pages, 4, 5), photometric="minisblack")
        assert pages_in(tmp_path / "stack.tif") == pages


def test_a_missing_part_of_a_stack_is_told(tmp_path, paint):
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, paint(5, 64, 64), photometric="minisblack", truncate=True)
    path.write_bytes(path.read_bytes()[: -2 * 64 * 64])

    with pytest.raises(ReadError, match="pixels are missing"):
        read_image(path, page=0)


def test_a_solid_of_voxels_is_refused(tmp_path):
    volume = np.zeros((16, 32, 32), np.uint8)
    tifffile.imwrite(tmp_path / "volume.tif", volume, photometric="minisblack", volumetric=True, tile=(16, 16, 16))

    with pytest.raises(ReadError, match=r"volume\.tif"):
        read_image(tmp_path / "volume.tif")


@pytest.mark.parametrize("first", ["thumbnail", "picture"])
def test_overviews_and_thumbnails_are_no_pages(first, tmp_path, paint):
    picture = paint(32, 48)
    with tifffile.TiffWriter(tmp_path / "map.tif") as writer:
        pages = [(picture, 0), (picture[::2, ::2], 1), (picture > 0, 4)]
        for page, kind in pages if first == "picture" else pages[::-1]:
            writer.write(page, subfiletype=kind, photometric="minisblack", metadata=None)

    np.testing.assert_array_equal(read_image(tmp_path / "map.tif")[:, :, 0], picture)


def test_a_stack_cut_after_its_first_page_is_not_read_as_one_picture(tmp_path, paint):
    with tifffile.TiffWriter(tmp_path / "stack.tif") as writer:
        for page in range(3):
            writer.write(paint(64, 64 + page), photometric="minisblack", metadata=None)
    with tifffile.TiffFile(tmp_path / "stack.tif") as file:
        second = file.pages[1].offset
    (tmp_path / "stack.tif").write_bytes((tmp_path / "stack.tif").read_bytes()[:second])

    with pytest.raises(ReadError, match="a further page is missing"):
        read_image(tmp_path / "stack.tif")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_header_tells_that_pixels_are_missing(layout, tmp_path, paint):
    tifffile.imwrite(tmp_path / "image.tif", paint(64, 64), photometric="minisblack", **layout)
    data = (tmp_path / "image.tif").read_bytes()
    (tmp_path / "image.tif").write_bytes(data[:-100])

    for read in (read_header, read_image):
        with pytest.raises(ReadError, match="pixels are missing"):
            read(tmp_path / "image.tif")


def test_a_strip_that_is_not_listed_is_missing(tmp_path, paint):
    """Its rows would be read as whatever the memory held."""
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, paint(64, 64), photometric="minisblack", rowsperstrip=8, compression="zlib", metadata=None)
    with tifffile.TiffFile(path) as file:
        counts = [file.pages[0].tags[code].offset + 4 for code in (273, 279)]  # of strips: offsets, lengths
    data = bytearray(path.read_bytes())
    for place in counts:
        data[place] = 7
    path.write_bytes(data)

    with pytest.raises(ReadError, match="pixels are missing"):
        read_image(path)


def test_a_damaged_tiff_leaves_the_screen_to_our_error(tmp_path, paint, capsys, caplog):
    """Without a handler, Python prints what tifffile logs."""
    tifffile.imwrite(tmp_path / "image.tif", paint(64, 64))
    data = (tmp_path / "image.tif").read_bytes()
    (tmp_path / "image.tif").write_bytes(data[:4] + b"\xff\xff\xff\x7f" + data[8:])

    with pytest.raises(ReadError, match=r"image\.tif"):
        read_image(tmp_path / "image.tif")

    assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("tifffile").handlers)
    assert capsys.readouterr().err == ""


def test_the_header_is_read_without_decoding(tmp_path, paint, monkeypatch):
    tifffile.imwrite(tmp_path / "image.tif", paint(8, 9, 3), photometric="rgb")
    monkeypatch.setattr(tifffile.TiffPage, "asarray", lambda *args, **kwargs: pytest.fail("decoded"))

    assert read_header(tmp_path / "image.tif") == Header(8, 9, 3, "uint8")
