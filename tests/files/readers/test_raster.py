import io
import sys
import warnings

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from maskwright.errors import ReadError
from maskwright.files import (
    Georeference,
    Header,
    read_alpha,
    read_georeference,
    read_header,
    read_image,
    read_mask,
    read_window,
    valid_pixels,
)
from maskwright.files.readers.raster import Raster

PLACE = rasterio.Affine(10, 0, 500_000, 0, -10, 6_000_000)
LOSSLESS = {"JP2OpenJPEG": {"QUALITY": "100", "REVERSIBLE": "YES"}, "HFA": {}}
KINDS = pytest.mark.parametrize(("driver", "name"), [("JP2OpenJPEG", "a.jp2"), ("HFA", "a.img")])


def saved(path, driver, array_CHW, transform=PLACE, crs="EPSG:32633", meanings=None, **options):
    bands, height, width = array_CHW.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(
            path, "w", driver=driver, width=width, height=height, count=bands, dtype=array_CHW.dtype.name,
            transform=transform, crs=crs, **LOSSLESS[driver], **options,
        ) as file:  # fmt: skip
            file.write(array_CHW)
            if meanings:
                file.colorinterp = meanings
    return path


@KINDS
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("bands", [1, 3, 5])
def test_all_bands_are_read_where_the_file_says_they_lie(driver, name, dtype, bands, tmp_path, paint):
    array = paint(bands, 40, 50, dtype=dtype)
    path = saved(tmp_path / name, driver, array)

    image = read_image(path)
    np.testing.assert_array_equal(image, np.moveaxis(array, 0, -1), strict=True)
    assert read_header(path) == Header(40, 50, bands, dtype)
    assert read_georeference(path) == Georeference(tuple(PLACE)[:6], "EPSG:32633")
    np.testing.assert_array_equal(read_window(path, slice(5, 30), slice(-20, None)), image[5:30, -20:], strict=True)


@KINDS
def test_pictures_that_lie_nowhere_are_read_without_a_warning(driver, name, tmp_path, paint):
    path = saved(tmp_path / name, driver, paint(1, 40, 50), None, None)

    assert read_georeference(path) is None
    np.testing.assert_array_equal(read_mask(path).values, paint(1, 40, 50)[0])


def test_no_data_is_known(tmp_path, paint):
    path = saved(tmp_path / "a.img", "HFA", paint(2, 40, 50) % 4, nodata=3)

    assert read_header(path).nodata == 3
    np.testing.assert_array_equal(valid_pixels(path), (paint(2, 40, 50) % 4 != 3).any(axis=0))


def test_alpha_is_apart(tmp_path, paint):
    colours = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    path = saved(tmp_path / "a.jp2", "JP2OpenJPEG", paint(4, 40, 50), meanings=colours, photometric="RGB")

    assert read_header(path).channels == 3
    np.testing.assert_array_equal(read_image(path), np.moveaxis(paint(4, 40, 50)[:3], 0, -1))
    np.testing.assert_array_equal(read_alpha(path), paint(4, 40, 50)[3])


def test_a_stream_without_a_name_is_read_too(tmp_path, paint):
    path = saved(tmp_path / "a.jp2", "JP2OpenJPEG", paint(1, 40, 50))

    np.testing.assert_array_equal(Raster.open(io.BytesIO(path.read_bytes())).decode()[:, :, 0], paint(1, 40, 50)[0])


@KINDS
def test_wherever_a_file_is_cut_it_is_an_error_or_whole(driver, name, tmp_path, paint):
    path = saved(tmp_path / name, driver, paint(3, 40, 50))
    whole, data = read_image(path), path.read_bytes()

    errors = 0
    for part in np.linspace(0.02, 0.999, 80):
        path.write_bytes(data[: int(len(data) * part)])
        try:
            image = read_image(path)
        except ReadError as error:
            assert str(path) in str(error)  # noqa: PT017 - it need not be raised
            errors += 1
        else:
            np.testing.assert_array_equal(image, whole)
    assert errors > 70


# rasterio cannot pass on what GDAL says of names that are no UTF-8.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@KINDS
def test_damage_anywhere_is_an_error_or_an_image(driver, name, tmp_path, paint):
    path = saved(tmp_path / name, driver, paint(1, 40, 50))
    whole = path.read_bytes()
    noise = np.random.default_rng(0)
    for _ in range(60):
        data = bytearray(whole)
        for place in noise.integers(12, [len(data), 300, 120]):
            data[place] = noise.integers(256)
        path.write_bytes(data)
        try:
            read_image(path)
        except ReadError as error:
            assert str(path) in str(error)  # noqa: PT017 - it need not be raised


def test_without_rasterio_the_line_that_installs_it_is_told(tmp_path, paint, monkeypatch):
    path = saved(tmp_path / "a.jp2", "JP2OpenJPEG", paint(1, 40, 50))
    monkeypatch.setitem(sys.modules, "rasterio", None)

    with pytest.raises(ReadError, match=r"a\.jp2 is a JPEG 2000 .*pip install maskwright\[geo\]"):
        read_image(path)
