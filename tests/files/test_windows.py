import tracemalloc

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from maskwright.errors import ReadError, SettingError
from maskwright.files import opening, read_header, read_image, read_window, windows, write_image
from maskwright.files.stored import Stored

ORGANISATIONS = [
    {},
    {"rowsperstrip": 5},
    {"tile": (16, 32)},
    {"tile": (16, 16), "compression": "zlib", "predictor": True},
    {"rowsperstrip": 7, "compression": "lzw"},
    {"compression": "zstd"},
    {"rowsperstrip": 7, "byteorder": ">"},
    {"byteorder": ">", "tile": (32, 16), "compression": "zlib"},
    {"bigtiff": True},
]
KINDS = {"grey": {}, "rgb": {"photometric": "rgb"}, "planes": {"planarconfig": "separate"}, "white": {}}
BOUND = st.one_of(st.none(), st.integers(-60, 60))
SIDE = st.builds(slice, BOUND, BOUND)


def painted_tiffs(folder, paint):
    for number, options in enumerate(ORGANISATIONS):
        for kind, more in KINDS.items():
            for dtype in ("uint8", "uint16", "float32"):
                shape = {"rgb": (37, 43, 3), "planes": (4, 37, 43)}.get(kind, (37, 43))
                path = folder / f"{number}-{kind}-{dtype}.tif"
                photometric = {"white": "miniswhite", "rgb": "rgb"}.get(kind, "minisblack")
                array = (paint(*shape, dtype="uint8") if dtype == "float32" else paint(*shape, dtype=dtype)).astype(
                    dtype
                )
                tifffile.imwrite(path, array, metadata=None, **{**options, **more, "photometric": photometric})
                yield path


@pytest.fixture(scope="module")
def tiffs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("windows")

    def paint(*shape, dtype):
        return np.random.default_rng(sum(shape)).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)

    paths = list(painted_tiffs(folder, paint))
    for orientation in range(1, 9):
        path = folder / f"turned-{orientation}.tif"
        tifffile.imwrite(path, paint(37, 43, dtype="uint8"), extratags=[(274, 3, 1, orientation, True)], rowsperstrip=4)
        paths.append(path)
    bits = folder / "bits.tif"
    tifffile.imwrite(bits, paint(37, 43, dtype="uint8") > 99, photometric="minisblack", compression="packbits")
    palette = folder / "palette.tif"
    Image.fromarray(paint(37, 43, 3, dtype="uint8")).quantize(17).save(palette, compression="tiff_lzw")
    photograph = folder / "jpeg.tif"
    Image.fromarray(paint(37, 43, 3, dtype="uint8")).save(photograph, compression="jpeg")
    tiles = folder / "jpeg-tiles.tif"
    tifffile.imwrite(tiles, paint(37, 43, 3, dtype="uint8"), photometric="rgb", compression="jpeg", tile=(16, 16))
    alpha = folder / "alpha.tif"
    tifffile.imwrite(alpha, paint(37, 43, 4, dtype="uint8"), photometric="rgb", extrasamples=["unassalpha"])
    inks = folder / "inks.tif"
    Image.frombytes("CMYK", (43, 37), paint(37, 43, 4, dtype="uint8").tobytes()).save(inks)
    return [(path, read_image(path)) for path in [*paths, bits, palette, photograph, tiles, alpha, inks]]


@settings(max_examples=12, deadline=None)
@given(rows=SIDE, columns=SIDE)
def test_a_window_of_a_tiff_is_a_slice_of_the_whole_whatever_its_organisation(tiffs, rows, columns):
    for path, image in tiffs:
        window = read_window(path, rows, columns)
        np.testing.assert_array_equal(window, image[rows, columns], strict=True, err_msg=path.name)
        assert window.flags.c_contiguous


def test_a_window_of_a_tiff_is_read_without_the_rest(tiffs, monkeypatch):
    monkeypatch.setattr(tifffile.TiffPage, "asarray", lambda *args, **kwargs: pytest.fail("decoded whole"))
    for path, image in tiffs:
        np.testing.assert_array_equal(read_window(path, slice(3, 9), slice(2, 40)), image[3:9, 2:40])


@pytest.mark.parametrize("options", [{}, {"truncate": True}, {"compression": "zlib", "rowsperstrip": 3}])
def test_a_window_may_be_of_a_page(options, tmp_path, paint):
    volume = paint(4, 20, 30)
    tifffile.imwrite(tmp_path / "stack.tif", volume, photometric="minisblack", **options)

    window = read_window(tmp_path / "stack.tif", slice(5, 12), slice(8, None), page=2)

    np.testing.assert_array_equal(window[:, :, 0], volume[2, 5:12, 8:])


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.npy", "fortran.npy", "a.npz", "a.gif"])
@settings(max_examples=15, deadline=None)
@given(rows=SIDE, columns=SIDE)
def test_a_window_of_any_other_format_is_a_slice_too(name, rows, columns, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / name
    if not path.exists():
        array = np.random.default_rng(0).integers(0, 255, (37, 43, 3), np.uint8)
        {
            ".npy": lambda: np.save(path, np.asfortranarray(array) if "fortran" in name else array),
            ".npz": lambda: np.savez_compressed(path, array),
            ".gif": lambda: Image.fromarray(array).save(path),
        }.get(path.suffix, lambda: write_image(path, array))()

    np.testing.assert_array_equal(read_window(path, rows, columns), read_image(path)[rows, columns], strict=True)


def test_a_step_is_refused(tmp_path, paint):
    path = write_image(tmp_path / "a.png", paint(4, 5))

    with pytest.raises(SettingError, match="without a step"):
        read_window(path, slice(0, 4, 2), slice(None))


def test_the_whole_may_be_larger_than_can_be_read_at_once_but_not_the_window(tmp_path, paint, monkeypatch):
    path = write_image(tmp_path / "a.tif", paint(40, 50))
    monkeypatch.setattr(opening, "MAX_PIXELS", 100)
    monkeypatch.setattr(windows, "MAX_PIXELS", 100)

    assert read_window(path, slice(0, 10), slice(0, 10)).shape == (10, 10, 1)
    with pytest.raises(ReadError, match="Read smaller ones"):
        read_window(path, slice(0, 10), slice(0, 11))
    with pytest.raises(ReadError, match="at most 100"):
        read_window(write_image(tmp_path / "a.png", paint(40, 50)), slice(0, 2), slice(0, 2))


@pytest.mark.parametrize("options", [{"tile": (256, 256), "compression": "zlib"}, {}])
def test_a_window_of_a_large_tiff_takes_little_memory(options, tmp_path):
    path = tmp_path / "large.tif"
    tifffile.imwrite(path, np.zeros((6000, 6000), np.uint8), photometric="minisblack", metadata=None, **options)
    read_window(path, slice(0, 9), slice(0, 9))  # imports

    tracemalloc.start()
    read_window(path, slice(3000, 3256), slice(3000, 3256))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 3_000_000  # of 36 million bytes
    assert read_header(path).height == 6000


def test_a_stranger_without_regions_is_decoded_and_cut(tmp_path, monkeypatch, paint):
    array = paint(5, 6, 1)
    stored = Stored(5, 6, 1, "uint8", lambda: array, orientation=6)
    path = write_image(tmp_path / "a.png", array)
    monkeypatch.setattr(opening.readers["png"], "open", lambda file: stored)

    np.testing.assert_array_equal(read_window(path, slice(1, 3), slice(0, 4)), read_image(path)[1:3, :4])
