from dataclasses import replace

import numpy as np
import pytest
import rasterio
import tifffile
import zarr
from PIL import Image

from maskwright.errors import SettingError
from maskwright.files import (
    ArrayScene,
    FilePlane,
    Georeference,
    Header,
    MemoryPlane,
    Origin,
    Raster,
    open_scene,
    origin_of,
    pngwriting,
    raster_of,
    rasters,
    read_georeference,
    read_header,
    read_image,
    read_mask,
    tiffwriting,
    write_image,
    write_png,
    write_tiff,
    write_zarr,
)
from maskwright.files.rasters import smaller

# GDAL warns of pictures that lie nowhere: most do not.
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

NORTH_UP = rasterio.Affine(10, 0, 500_000, 0, -10, 6_000_000)
TURNED = rasterio.Affine(3, 4, 500_000, 4, -3, 6_000_000)


def nowhere(height, width, **about):
    return Origin(Header(height, width, 1, "uint8"), **about)


def geotiff(path, height=900, width=700, transform=NORTH_UP, crs="EPSG:32633", overviews=(), **options):
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=1, dtype="uint8", crs=crs,
        transform=transform, **options,
    ) as file:  # fmt: skip
        file.write(np.ones((1, height, width), np.uint8))
        if overviews:
            file.build_overviews(overviews)
    return path


def origin_at(path):
    with open_scene(path) as scene:
        return origin_of(scene, path)


def rgb_raster(values_HW3, *, named=False):
    height, width, _ = values_HW3.shape
    return Raster(height, width, "uint8", (lambda rows, columns: values_HW3[rows, columns],), 3, named=named)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float16", "float32"])
@pytest.mark.parametrize("size", [(1, 1), (37, 53), (513, 700)])
@pytest.mark.parametrize("compression", ["zlib", "zstd"])
def test_tiff_holds_every_value_for_every_reader(dtype, size, compression, tmp_path, paint):
    values = paint(*size).astype(dtype)

    path = write_tiff(
        tmp_path / "a.tif", raster_of(MemoryPlane(values)), nowhere(*size), compression=compression
    )  # fmt: skip

    np.testing.assert_array_equal(tifffile.imread(path), values)
    np.testing.assert_array_equal(read_image(path)[:, :, 0], values)
    with rasterio.open(path) as file:
        np.testing.assert_array_equal(file.read(1), values)
        assert file.profile["tiled"]
        assert file.overviews(1) == []


@pytest.mark.parametrize("bands", [2, 3, 4])
def test_planes_become_bands_with_names_and_nothing_is_alpha(bands, tmp_path, paint):
    values = paint(bands, 40, 530).astype(np.float32)
    names = tuple(f"<{n} & more>" for n in range(bands))
    raster = replace(raster_of(*map(MemoryPlane, values), named=False), bands=names, nodata=np.nan)

    path = write_tiff(tmp_path / "a.tif", raster, nowhere(40, 530))

    np.testing.assert_array_equal(np.moveaxis(read_image(path), 2, 0), values)
    with rasterio.open(path) as file:
        np.testing.assert_array_equal(file.read(), values)
        assert file.descriptions == names
        assert np.isnan(file.nodata)
        assert rasterio.enums.ColorInterp.alpha not in file.colorinterp


def test_colours_and_palettes_are_kept(tmp_path, paint):
    rgb, index = paint(40, 50, 3), paint(40, 50) % 5
    palette = paint(5, 3)
    origin = nowhere(40, 50)

    for path in (
        write_tiff(tmp_path / "a.tif", rgb_raster(rgb), origin),
        write_png(tmp_path / "a.png", rgb_raster(rgb)),
    ):
        np.testing.assert_array_equal(read_image(path), rgb)
        with Image.open(path) as picture:
            np.testing.assert_array_equal(np.asarray(picture), rgb)
    raster = replace(raster_of(MemoryPlane(index)), palette=palette)
    for path in (write_tiff(tmp_path / "b.tif", raster, origin), write_png(tmp_path / "b.png", raster)):
        mask = read_mask(path)
        np.testing.assert_array_equal(mask.values, index)
        assert mask.style.palette == tuple(map(tuple, palette.tolist()))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (37, 53)])
def test_png_is_the_same_whatever_the_bands(dtype, size, tmp_path, paint, monkeypatch):
    values = paint(*size, dtype=dtype)
    for at_once in (1, 10_000_000):
        monkeypatch.setattr(pngwriting, "AT_ONCE", at_once)
        path = write_png(tmp_path / f"{at_once}.png", raster_of(MemoryPlane(values)))
        with Image.open(path) as picture:
            np.testing.assert_array_equal(np.asarray(picture), values)
        np.testing.assert_array_equal(read_image(path)[:, :, 0], values)


@pytest.mark.parametrize("transform", [NORTH_UP, TURNED])
@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:4326", 'LOCAL_CS["the quarry",UNIT["metre",1]]'])
@pytest.mark.parametrize("copied", [True, False])
def test_a_geotiff_lies_where_its_image_lay(transform, crs, copied, tmp_path):
    """By the tags of the source, or anew from the georeference."""
    source = geotiff(tmp_path / "source.tif", 20, 30, transform, crs)
    origin = origin_at(source)
    assert origin.on_a_map
    if not copied:
        origin = replace(origin, tags=())

    path = write_tiff(tmp_path / "a.tif", raster_of(MemoryPlane(np.zeros((20, 30), np.uint8))), origin)

    with rasterio.open(source) as there, rasterio.open(path) as here:
        assert here.transform == there.transform
        assert copied is False or here.crs == there.crs
        assert crs.startswith("LOCAL") or here.crs == there.crs
    assert read_georeference(path).affine == read_georeference(source).affine


@pytest.mark.parametrize(("crs", "same"), [("EPSG:32633", True), ("EPSG:4326", True), ("the quarry", False)])
def test_without_gdal_coordinates_are_written_still(crs, same, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    place = Georeference(tuple(NORTH_UP)[:6], crs)
    origin = nowhere(4, 5, georeference=place)

    path = write_tiff(tmp_path / "a.tif", raster_of(MemoryPlane(np.zeros((4, 5), np.uint8))), origin)

    assert read_georeference(path) == place
    with rasterio.open(path) as file:
        assert file.transform == NORTH_UP
        assert not same or file.crs == rasterio.CRS.from_string(crs)


def test_a_microscope_s_micrometres_are_no_map_and_a_scanner_s_resolution_is_kept(tmp_path):
    plane = raster_of(MemoryPlane(np.zeros((4, 5), np.uint8)))
    slide = nowhere(4, 5, georeference=Georeference((0.5, 0, 0, 0, 0.5, 0), "", "micrometer"))
    assert read_georeference(write_tiff(tmp_path / "a.tif", plane, slide)) is None

    tifffile.imwrite(
        tmp_path / "s.tif", np.zeros((4, 5), np.uint8), resolution=(20_000, 10_000), resolutionunit="CENTIMETER"
    )
    path = write_tiff(tmp_path / "b.tif", plane, origin_at(tmp_path / "s.tif"))
    with tifffile.TiffFile(path) as file:
        assert file.pages.first.resolution == (20_000, 10_000)
        assert file.pages.first.resolutionunit == 3


@pytest.mark.parametrize("size", [(900, 1300), (513, 40), (1025, 1030)])
def test_a_pyramid_is_written_where_the_source_has_one(size, tmp_path, paint):
    source = geotiff(tmp_path / "source.tif", *size, overviews=[2])
    origin = origin_at(source)
    assert origin.pyramid
    assert not origin_at(geotiff(tmp_path / "flat.tif")).pyramid
    values = paint(*size)

    path = write_tiff(tmp_path / "a.tif", raster_of(MemoryPlane(values)), origin)

    with rasterio.open(path) as file:
        assert file.overviews(1) == [2 ** (n + 1) for n in range(len(file.overviews(1)))]
        for level, factor in enumerate(file.overviews(1)):
            with rasterio.open(path, overview_level=level) as smaller_one:
                np.testing.assert_array_equal(smaller_one.read(1), values[::factor, ::factor])
                last = smaller_one.shape
    assert max(last) <= 512
    np.testing.assert_array_equal(read_mask(path).values, values)


def test_large_pictures_get_a_pyramid_unasked(monkeypatch):
    assert not nowhere(4_000, 4_000).wants_pyramid
    assert nowhere(4_100, 4_100).wants_pyramid


def test_smaller_copies_of_measured_values_are_means():
    """Of whole numbers rounded, at an odd border of those that there are, without those that are none."""
    grey = np.arange(35, dtype=np.uint8).reshape(5, 7) * 3
    floats = grey.astype(np.float32)
    floats[0, 0] = floats[2:4, 2:4] = np.nan
    for values in (grey, floats):
        (half,) = _copies(replace(raster_of(MemoryPlane(values)), named=False), 4)[:1]
        for row in range(3):
            for column in range(4):
                four = values[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].astype(float)
                four = np.pad(four, [(0, 2 - side) for side in four.shape], mode="edge")
                there = four[~np.isnan(four)]
                expected = there.mean() if len(there) else np.nan
                if values is grey:
                    expected = np.floor(expected + 0.5)
                assert half[row, column] == expected or (np.isnan(expected) and np.isnan(half[row, column]))


def _copies(raster, least):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rasters, "LEAST", least)
        return [
            copy.parts[0](slice(0, copy.height), slice(0, copy.width)) for copy in smaller(raster)
        ]  # fmt: skip


@pytest.mark.parametrize("channels", [1, 3])
def test_smaller_copies_do_not_depend_on_the_bands(channels, paint, monkeypatch):
    values = paint(61, 47, channels)
    read = lambda rows, columns: values[rows, columns] if channels > 1 else values[rows, columns, 0]  # noqa: E731
    for named in (True, False):
        raster = Raster(61, 47, "uint8", (read,), channels, named=named)
        whole = _copies(raster, 8)
        monkeypatch.setattr(rasters, "AT_ONCE", 1)
        for one, other in zip(whole, _copies(raster, 8), strict=True):
            np.testing.assert_array_equal(one, other)
        monkeypatch.undo()


def test_windows_stay_small_whatever_the_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(rasters, "AT_ONCE", 2**20)
    most = 0

    def read(rows, columns):
        nonlocal most
        size = rows.stop - rows.start, columns.stop - columns.start
        most = max(most, size[0] * size[1])
        return np.zeros(size, np.uint8)

    write_tiff(tmp_path / "a.tif", Raster(1_000, 20_000, "uint8", (read,)), nowhere(1_000, 20_000))

    assert 0 < most <= 2**20


def test_what_may_outgrow_4_gb_is_a_bigtiff(tmp_path, monkeypatch):
    raster, origin = raster_of(MemoryPlane(np.ones((40, 50), np.uint8))), nowhere(40, 50)
    for limit, big in ((1999, True), (2000, False)):
        monkeypatch.setattr(tiffwriting, "BIG_FROM", limit)
        path = write_tiff(tmp_path / "a.tif", raster, origin)
        with tifffile.TiffFile(path) as file:
            assert file.is_bigtiff == big
        assert read_image(path).all()


@pytest.mark.parametrize("version", [2, 3])
def test_ome_zarr_holds_every_value_the_place_and_a_pyramid(version, tmp_path, paint):
    values = paint(2, 700, 1_030).astype(np.float32)
    place = Georeference((0.5, 0, 3, 0, 0.25, 7), "", "micrometer")
    origin = nowhere(700, 1_030, georeference=place, kind="zarr", zarr_format=version)
    raster = replace(raster_of(*map(MemoryPlane, values), named=False), bands=("a", "b"))

    path = write_zarr(tmp_path / "a.ome.zarr", raster, origin)

    np.testing.assert_array_equal(np.moveaxis(read_image(path), 2, 0), values)
    assert read_georeference(path) == place
    again = origin_at(path)
    assert (again.kind, again.pyramid, again.zarr_format, again.format) == ("zarr", True, version, "zarr")
    group = zarr.open_group(str(path), mode="r")
    attributes = group.attrs.asdict()
    assert ("ome" in attributes) == (version == 3)
    (pyramid,) = attributes.get("ome", attributes)["multiscales"]
    assert [axis["name"] for axis in pyramid["axes"]] == ["c", "y", "x"]
    assert [group[level["path"]].shape for level in pyramid["datasets"]] == [
        (2, 700, 1_030),
        (2, 350, 515),
        (2, 175, 258),
    ]
    scale, move = pyramid["datasets"][1]["coordinateTransformations"]
    assert scale["scale"] == [1, 0.5, 1]
    assert move["translation"] == [0, 7.25, 3.5]


def test_ome_zarr_takes_the_place_of_an_older_one_whole_or_not_at_all(tmp_path, paint):
    path = tmp_path / "a.ome.zarr"
    old, new = (paint(30, size) for size in (40, 20))
    write_zarr(path, raster_of(MemoryPlane(old)), nowhere(30, 40))

    def broken(rows, columns):
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        write_zarr(path, Raster(30, 20, "uint8", (broken,)), nowhere(30, 20))
    np.testing.assert_array_equal(read_image(path)[:, :, 0], old)
    write_zarr(path, raster_of(MemoryPlane(new)), nowhere(30, 20))
    np.testing.assert_array_equal(read_image(path)[:, :, 0], new)
    assert [found.name for found in tmp_path.iterdir()] == ["a.ome.zarr"]


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "zarr", None)

    with pytest.raises(SettingError, match=r"a\.ome\.zarr .*pip install maskwright\[zarr\]"):
        write_zarr(tmp_path / "a.ome.zarr", raster_of(MemoryPlane(np.ones((3, 3), np.uint8))), nowhere(3, 3))


def test_what_an_image_is_made_into(tmp_path, paint):
    """PNG of ordinary ones; TIFF of large ones, and where PNG cannot keep something; Zarr of Zarr."""
    png = write_image(tmp_path / "a.png", paint(4, 5, 3))
    plain = write_image(tmp_path / "a.tif", paint(4, 5))
    assert [origin_at(path).format for path in (png, plain)] == ["png", "png"]
    assert origin_at(geotiff(tmp_path / "map.tif", 20, 30)).format == "tiff"
    assert (
        origin_at(geotiff(tmp_path / "none.tif", 20, 30, rasterio.Affine.identity(), None, nodata=0)).format == "tiff"
    )
    assert nowhere(10_000, 10_000).format == "tiff"
    assert nowhere(9_000, 9_900).format == "png"
    assert origin_of(ArrayScene(paint(4, 5))).format == "png"


def test_rasters_come_from_planes_on_disk_too(tmp_path, paint):
    values = paint(600, 700)
    with FilePlane.create(tmp_path / "plane", values.shape, "uint8") as plane:
        plane.write(slice(0, 600), slice(0, 700), values)
        path = write_tiff(tmp_path / "a.tif", raster_of(plane), nowhere(600, 700))
    np.testing.assert_array_equal(tifffile.imread(path), values)
    assert read_header(path).nodata is None
