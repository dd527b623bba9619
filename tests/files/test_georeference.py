import numpy as np
import pytest
import rasterio
import tifffile
from rasterio.crs import CRS

from maskwright.files import Georeference, read_georeference, read_header, read_image, valid_pixels, write_image

NORTH_UP = rasterio.Affine(10, 0, 500_000, 0, -10, 6_000_000)
TURNED = rasterio.Affine(3, 4, 500_000, 4, -3, 6_000_000)
CRS_TEXT = 'LOCAL_CS["the quarry",UNIT["metre",1]]'


def geotiff(path, array, transform=NORTH_UP, crs="EPSG:32633", **options):
    with rasterio.open(
        path, "w", driver="GTiff", width=array.shape[1], height=array.shape[0], count=1, dtype=array.dtype,
        crs=crs, transform=transform, **options,
    ) as file:  # fmt: skip
        file.write(array, 1)
    return path


@pytest.mark.parametrize("transform", [NORTH_UP, TURNED])
@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:4326"])
@pytest.mark.parametrize("options", [{}, {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"}])
def test_a_geotiff_lies_where_gdal_says(transform, crs, options, tmp_path, paint):
    path = geotiff(tmp_path / "a.tif", paint(20, 30), transform, crs, **options)

    place = read_georeference(path)

    assert place == Georeference(tuple(transform)[:6], crs)
    np.testing.assert_array_equal(read_image(path)[:, :, 0], paint(20, 30))


def test_coordinates_of_pixel_middles_are_moved_to_the_corner(tmp_path, paint):
    with rasterio.Env(GTIFF_POINT_GEO_IGNORE=False):
        path = tmp_path / "a.tif"
        geotiff(path, paint(20, 30))
        with rasterio.open(path, "r+") as file:
            file.update_tags(AREA_OR_POINT="Point")
    with rasterio.open(path) as file:
        assert file.tags()["AREA_OR_POINT"] == "Point"
        assert read_georeference(path).affine == tuple(file.transform)[:6]


def test_a_map_of_its_own_is_described_in_words(tmp_path, paint):
    path = geotiff(tmp_path / "a.tif", paint(20, 30), crs=CRS.from_wkt(CRS_TEXT))

    assert "quarry" in read_georeference(path).crs


def test_points_go_to_the_map_and_back(paint):
    place = Georeference(tuple(TURNED)[:6], "EPSG:32633")
    points = np.array([[0, 0], [3.5, 7], [-2, 1000]])

    np.testing.assert_allclose(place.to_map(points), [TURNED @ tuple(point) for point in points])
    np.testing.assert_allclose(place.to_pixels(place.to_map(points)), points, atol=1e-6)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_lies_where_its_pixels_lie(orientation, tmp_path):
    """The pixel that is lit is at the same place of the map, however the file is stored."""
    stored = np.zeros((4, 6), np.uint8)
    stored[1, 4] = 9
    tags = [
        (274, 3, 1, orientation, True),
        (33550, 12, 3, (2.0, 5.0, 0.0), True),
        (33922, 12, 6, (0.0, 0.0, 0.0, 100.0, 200.0, 0.0), True),
    ]
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="minisblack", metadata=None, extratags=tags)

    row, column, _ = np.argwhere(read_image(tmp_path / "a.tif"))[0]

    x, y = read_georeference(tmp_path / "a.tif").to_map(np.array([[column + 0.5, row + 0.5]]))[0]
    assert (x, y) == (100 + 4.5 * 2, 200 - 1.5 * 5)


def test_most_pictures_lie_nowhere(tmp_path, paint):
    for name in ("a.png", "a.tif"):
        assert read_georeference(write_image(tmp_path / name, paint(4, 5))) is None
    np.save(tmp_path / "a.npy", paint(4, 5))
    assert read_georeference(tmp_path / "a.npy") is None


@pytest.mark.parametrize("scale", [(0.0, 5.0, 0.0), (float("nan"), 5.0, 0.0)])
def test_numbers_that_lead_nowhere_are_no_place(scale, tmp_path, paint):
    tags = [(33550, 12, 3, scale, True), (33922, 12, 6, (0.0,) * 6, True)]
    tifffile.imwrite(tmp_path / "a.tif", paint(4, 5), metadata=None, extratags=tags)

    assert read_georeference(tmp_path / "a.tif") is None


@pytest.mark.parametrize(("dtype", "nodata"), [("uint8", 7), ("int16", -9999), ("float32", -3.4e38), ("uint8", 300)])
def test_gdals_value_for_no_data_marks_the_pixels_without(dtype, nodata, tmp_path, paint):
    array = paint(20, 30).astype(dtype)
    if nodata != 300:
        array[3:9, 4:5] = nodata
    path = tmp_path / "a.tif"
    text = f"{nodata}\0" if nodata != -3.4e38 else "-3.4e+38 \0"
    tifffile.imwrite(path, array, photometric="minisblack", metadata=None, extratags=[(42113, 2, 0, text, True)])

    assert read_header(path).nodata == nodata
    np.testing.assert_array_equal(valid_pixels(path), array != np.array(nodata, np.float64).astype(np.float32))


def test_a_pixel_is_without_data_where_all_bands_are_or_one_is_nan(tmp_path):
    for nodata, missing in (("0", [True, False, False]), ("nan", [False, False, True])):
        array = np.array([[[0, 0], [0, 5], [np.nan, 5]]], np.float32)
        tags = [(42113, 2, 0, nodata, True)]
        tifffile.imwrite(
            tmp_path / "a.tif", array, photometric="minisblack", planarconfig="contig", metadata=None, extratags=tags
        )
        assert valid_pixels(tmp_path / "a.tif").tolist() == [[not one for one in missing]]
        assert read_header(tmp_path / "a.tif") == read_header(tmp_path / "a.tif")


def test_a_file_that_names_no_such_value_says_nothing_of_it(tmp_path, paint):
    for name in ("a.png", "a.tif"):
        path = write_image(tmp_path / name, paint(4, 5))
        assert valid_pixels(path) is None
        assert read_header(path).nodata is None


def test_a_window_of_a_sparse_geotiff_holds_what_the_whole_holds(tmp_path):
    """GDAL leaves tiles without data out of the file."""
    from maskwright.files import read_window

    path = tmp_path / "a.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=64, height=64, count=1, dtype="uint8", nodata=9, sparse_ok=True,
        tiled=True, blockxsize=16, blockysize=16, transform=NORTH_UP,
    ) as file:  # fmt: skip
        file.write(np.ones((16, 16), np.uint8), 1, window=rasterio.windows.Window(16, 16, 16, 16))
    with rasterio.open(path) as file:
        expected = file.read(1)

    np.testing.assert_array_equal(read_image(path)[:, :, 0], expected)
    np.testing.assert_array_equal(read_window(path, slice(10, 40), slice(20, 60))[:, :, 0], expected[10:40, 20:60])
    assert valid_pixels(path).sum() == 256
