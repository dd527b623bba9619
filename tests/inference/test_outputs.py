import contextlib
import csv
import io
import json
from dataclasses import replace

import numpy as np
import pyogrio
import pytest
import rasterio
import rasterio.features
import tifffile
from pycocotools import mask as coco_masks
from pycocotools.coco import COCO
from rasterio.warp import transform
from shapely.geometry import shape
from tests.inference.results import CELLS, CLASSES, painted, result_of

from maskwright.data.display import overlay
from maskwright.errors import DataError, SettingError
from maskwright.files import (
    ArrayScene,
    Georeference,
    MaskStyle,
    Origin,
    open_scene,
    read_image,
    read_mask,
    read_run_lengths,
    valid_pixels,
    write_image,
)
from maskwright.files.annotations import Reading, draw, draw_objects, read_annotations
from maskwright.files.annotations.coco_runs import decode_counts, encode_counts
from maskwright.inference.outputs import describe, outputs, wanted
from maskwright.inference.pictures import written_values
from maskwright.inference.things import things
from maskwright.records import IGNORED

VALUES = {"background": 0, "cell": 1, "nucleus": 2}
UTM = Georeference((10, 0, 500_000, 0, -10, 6_000_000), "EPSG:32633")
TURNED = Georeference((3, 4, 500_000, 4, -3, 6_000_000), "EPSG:25832")


def made(name, labels_HW, folder, stem="a", **options):
    result = result_of(labels_HW, **options)
    return result, wanted([name])[name.split("=")[0]].write(result, folder / stem)


def placed(labels_HW, place, **options):
    scene = ArrayScene(np.zeros((*labels_HW.shape, 3), np.uint8), georeference=place)
    return result_of(labels_HW, scene=scene, **options)


def foreground(labels_HW):
    return np.where(labels_HW == IGNORED, 0, labels_HW)


# ----------------------------------------------------------------------------------------------------------- masks


@pytest.mark.parametrize("format", ["png", "tiff"])
@pytest.mark.parametrize(
    ("style", "values", "ignored", "written"),
    [
        (MaskStyle(), (0, 100, 200), (), 255),
        (MaskStyle(), (0, 100, 255), (), 254),
        (MaskStyle(), (0, 100, 255), (7,), 7),
        (MaskStyle(dtype="uint16"), (0, 1_000, 65_535), (), 255),
        (MaskStyle(mode="palette", palette=((0, 0, 0), (9, 8, 7), (200, 0, 0))), (0, 1, 2), (), 255),
        (MaskStyle(mode="palette", palette=((0, 0, 0), (9, 8, 7), (200, 0, 0), (1, 1, 1))), (0, 1, 2), (3,), 3),
        (MaskStyle(mode="colour"), (0, 0xFF8000, 0x00FF00), (), 0xFFFFFF),
        (MaskStyle(mode="colour"), (0, 0xFF8000, 0xFFFFFF), (), 0xFFFFFE),
    ],
)
def test_a_mask_is_written_as_the_user_s_own_are(style, values, ignored, written, format, tmp_path):
    own = [one.model_copy(update={"values": (value,)}) for one, value in zip(CLASSES.classes, values, strict=True)]
    classes = CLASSES.model_copy(update={"style": style, "ignored": ignored, "classes": tuple(own)})
    labels = painted()

    _, path = made(f"mask={format}", labels, tmp_path, classes=classes)

    mask = read_mask(path, colour=style.mode == "colour")
    np.testing.assert_array_equal(mask.values, np.array([*values, written])[np.where(labels == IGNORED, 3, labels)])
    assert mask.style.mode == style.mode
    assert mask.style.dtype == style.dtype
    if style.palette:
        assert mask.style.palette[: len(style.palette)] == style.palette
    # What can be told to count nowhere is told.
    if format == "tiff" and style.mode != "colour":
        np.testing.assert_array_equal(valid_pixels(path), labels != IGNORED)
    if ignored:
        np.testing.assert_array_equal(classes.encode(mask.values), labels)


def test_a_map_keeps_its_place_its_pyramid_and_its_value_for_no_data(tmp_path):
    """From file to file: what GDAL says of the mask is what it says of the image."""
    source = tmp_path / "map.tif"
    labels = painted(45, 35).repeat(20, axis=0).repeat(20, axis=1)
    with rasterio.open(
        source, "w", driver="GTiff", height=900, width=700, count=1, dtype="uint16", crs="EPSG:32633", nodata=0,
        transform=rasterio.Affine(*UTM.affine),
    ) as file:  # fmt: skip
        file.write(np.where(labels == IGNORED, 0, 1 + labels).astype(np.uint16)[None])
        file.build_overviews([2])
    with open_scene(source) as scene:
        result = result_of(labels, file=source, scene=scene)
        written = {name: outputs[name]().write(result, tmp_path / "out" / "map") for name in outputs}

    assert written["mask"].name == "map.tif"
    for name in ("mask", "colour", "overlay", "probabilities", "objects"):
        with rasterio.open(source) as there, rasterio.open(written[name]) as here:
            assert (here.transform, here.crs, here.shape) == (there.transform, there.crs, there.shape), name
            assert here.overviews(1) == [2], name
    with rasterio.open(written["mask"]) as file:
        assert file.nodata == 255
        np.testing.assert_array_equal(file.read_masks(1) > 0, labels != IGNORED)
    with rasterio.open(written["probabilities"]) as file:
        assert np.isnan(file.nodata)
        assert file.descriptions == ("background", "cell", "nucleus")


def test_of_zarr_comes_zarr(tmp_path):
    source = tmp_path / "in" / "a.ome.zarr"
    labels = painted()
    place = Georeference((0.5, 0, 3, 0, 0.25, 7), "", "micrometer")
    first = placed(labels, place)
    outputs["mask"]().write(
        replace(first, origin=Origin(first.scene.header, place, kind="zarr")), tmp_path / "in" / "a"
    )
    with open_scene(source) as scene:
        result = result_of(labels, file=source, scene=scene)
        paths = [outputs[name]().write(result, tmp_path / "out" / "a") for name in ("mask", "objects", "probabilities")]
        for path in paths:
            with open_scene(path) as again:
                assert again.georeference == place
    assert [path.name for path in paths] == ["a.ome.zarr", "a.objects.ome.zarr", "a.probabilities.ome.zarr"]
    np.testing.assert_array_equal(read_mask(paths[0]).values, read_mask(source).values)
    np.testing.assert_array_equal(read_image(paths[1])[:, :, 0], result.objects.ids.values)


def test_more_objects_than_16_bits_number_take_32(tmp_path):
    ids = np.arange(1, 300 * 300 + 1, dtype=np.int32).reshape(300, 300)
    labels = np.ones((300, 300), np.uint8)
    result = result_of(labels)
    result.objects.ids.values = ids
    many = replace(result, objects=replace(result.objects, areas=np.ones(90_000, np.int64)))

    np.testing.assert_array_equal(tifffile.imread(outputs["objects"]().write(many, tmp_path / "a")), ids)
    with pytest.raises(SettingError, match="90,000 objects; a PNG numbers at most 65,535"):
        wanted(["objects=png"])["objects"].write(many, tmp_path / "a")


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32"])
@pytest.mark.parametrize("format", ["npy", "tiff", "zarr"])
def test_probabilities_of_every_kind_are_near(dtype, format, tmp_path):
    labels = painted(40, 70)
    result, path = made(f"probabilities={dtype},{format}", labels, tmp_path)

    if format == "npy":
        values = np.load(path)
    elif format == "tiff":
        values = tifffile.imread(path)
    else:
        values = np.moveaxis(read_image(path), 2, 0)
    assert values.dtype == dtype or (format == "zarr" and dtype == "float16")
    known = labels != IGNORED
    exact = np.stack([plane.values for plane in result.probabilities])
    scale, far = {"uint8": (255, 0.5 / 255 + 1e-6), "float16": (1, 6e-4), "float32": (1, 0)}[dtype]
    np.testing.assert_allclose(values[:, known].astype(float) / scale, exact[:, known], rtol=0, atol=far)
    assert (values[:, ~known] == 0).all() if dtype == "uint8" else np.isnan(values[:, ~known].astype(float)).all()


def test_a_png_too_large_for_most_tools_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("maskwright.inference.pictures.LARGEST_PNG", 100)

    with pytest.raises(SettingError, match=r"37×53 pixels; .*tiff"):
        made("mask=png", painted(), tmp_path)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("format", ["png", "tiff"])
def test_an_overlay_is_that_of_the_whole(dtype, format, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    image = (rng.random((137, 153, 2)) * 250).astype(dtype)
    labels = painted(137, 153)
    for room in ("files.pngwriting", "files.rasters"):
        monkeypatch.setattr(f"maskwright.{room}.AT_ONCE", 137 * 40)

    result, path = made(f"overlay={format}", labels, tmp_path, scene=ArrayScene(image))

    np.testing.assert_array_equal(read_image(path), overlay(image, labels, result.classes))


# --------------------------------------------------------------------------------------------------------- geojson


@pytest.mark.parametrize("place", [UTM, TURNED, replace(UTM, crs="EPSG:4326")])
def test_geojson_lies_on_the_map(place, tmp_path):
    """GDAL's rasterizer, given the image's transform, draws the mask; the area is the map's; our reader agrees."""
    result = placed(painted(), place)
    path = outputs["geojson"]().write(result, tmp_path / "a")
    value = json.loads(path.read_text("utf-8"))

    affine = rasterio.Affine(*place.affine)
    shapes = [(f["geometry"], VALUES[f["properties"]["class"]]) for f in value["features"]]
    drawn = rasterio.features.rasterize(shapes, out_shape=result.labels.shape, transform=affine)
    np.testing.assert_array_equal(drawn, foreground(result.labels.values))
    for feature in value["features"]:
        polygon = shape(feature["geometry"])
        assert polygon.is_valid
        assert polygon.area == pytest.approx(feature["properties"]["area"], rel=1e-6)
        assert polygon.area == pytest.approx(feature["properties"]["pixels"] * abs(affine.determinant), rel=1e-6)
        parts = [polygon] if polygon.geom_type == "Polygon" else polygon.geoms
        assert all(part.exterior.is_ccw and not any(ring.is_ccw for ring in part.interiors) for part in parts)
    said = value.get("crs", {}).get("properties", {}).get("name")
    assert said == (None if place.crs == "EPSG:4326" else f"urn:ogc:def:crs:EPSG::{place.crs[5:]}")
    assert said is None or rasterio.CRS.from_user_input(said) == rasterio.CRS.from_string(place.crs)
    (image,) = read_annotations(path, Reading(pixel_to_map=place.affine)).images
    np.testing.assert_array_equal(draw(image.shapes, result.labels.shape, VALUES), drawn)


@pytest.mark.parametrize("way", ["map", "wgs84"])
@pytest.mark.parametrize("place", [UTM, TURNED])
def test_gdal_s_own_reader_knows_where_geojson_lies(way, place, tmp_path):
    """QGIS and GeoPandas read with it."""
    result = placed(painted(), place)
    path = wanted([f"geojson={way}"])["geojson"].write(result, tmp_path / "a")

    found = pyogrio.read_info(path, force_total_bounds=True)

    assert found["crs"] == (place.crs if way == "map" else "EPSG:4326")
    assert found["features"] == len(result.objects.areas)
    assert {"class", "pixels", "score"} <= set(found["fields"])
    rows, columns = np.nonzero(foreground(result.labels.values))
    corners = np.concatenate([np.stack([columns + i, rows + j], 1) for i in (0, 1) for j in (0, 1)])
    x, y = place.to_map(corners).T
    if way == "wgs84":
        x, y = np.array(transform(place.crs, "EPSG:4326", x.tolist(), y.tolist()))
    np.testing.assert_allclose(found["total_bounds"], (x.min(), y.min(), x.max(), y.max()), rtol=1e-9)


def test_geojson_in_degrees_is_where_the_map_is(tmp_path):
    result = placed(painted(), UTM)
    paths = [
        wanted([f"geojson={way}"])["geojson"].write(result, tmp_path / way / "a") for way in ("map", "wgs84")
    ]  # fmt: skip
    there, here = (json.loads(path.read_text("utf-8")) for path in paths)

    assert "crs" not in here
    for one, other in zip(there["features"], here["features"], strict=True):
        x, y = zip(*shape(one["geometry"]).convex_hull.exterior.coords, strict=True)
        lon, lat = transform(UTM.crs, "EPSG:4326", x, y)
        found = shape(other["geometry"])
        assert found.convex_hull.hausdorff_distance(
            shape({"type": "Polygon", "coordinates": [list(zip(lon, lat, strict=True))]})
        ) < 1e-6  # fmt: skip


def test_geojson_without_a_map_is_in_pixels_and_has_what_qupath_sorts_by(tmp_path):
    result, path = made("geojson", painted(), tmp_path)
    value = json.loads(path.read_text("utf-8"))

    first = value["features"][0]["properties"]
    assert first["objectType"] == "annotation"
    assert first["classification"] == {
        "name": first["class"],
        "color": list(CLASSES.classes[VALUES[first["class"]]].colour),
    }
    assert "area" not in first
    assert sum(f["properties"]["pixels"] for f in value["features"]) == (foreground(result.labels.values) > 0).sum()
    with pytest.raises(SettingError, match="no longitude and latitude"):
        made("geojson=wgs84", painted(), tmp_path)
    micro = placed(painted(), Georeference((0.5, 0, 0, 0, 0.5, 0), "", "micrometer"))
    assert (
        json.loads(outputs["geojson"]().write(micro, tmp_path / "m").read_text("utf-8"))["features"]
        == value["features"]
    )


def test_scores_are_the_mean_probability_of_the_object_s_class(tmp_path):
    result, path = made("geojson", painted(), tmp_path)
    ids, labels = result.objects.ids.values, result.labels.values

    for feature in json.loads(path.read_text("utf-8"))["features"]:
        inside = ids == feature["id"]
        expected = result.probabilities[labels[inside][0]].values[inside].mean()
        assert feature["properties"]["score"] == pytest.approx(expected, abs=1e-5)
    silent = replace(result, probabilities=None)
    assert all(thing.score is None for thing in things(silent))


def test_without_objects_each_piece_of_a_class_is_one(tmp_path):
    """Without a background, that too."""
    labels = painted()
    _, path = made("geojson", labels, tmp_path, objects=False)
    (image,) = read_annotations(path).images
    np.testing.assert_array_equal(draw(image.shapes, labels.shape, VALUES), foreground(labels))

    names = [
        one.model_copy(update={"name": name}) for one, name in zip(CLASSES.classes, ("sky", "sea", "land"), strict=True)
    ]
    named = CLASSES.model_copy(update={"classes": tuple(names)})
    assert named.background is None
    covered = sum(thing.area for thing in things(result_of(labels, named, objects=False)))
    assert covered == (labels != IGNORED).sum()


@pytest.mark.parametrize("name", ["geojson", "labelme"])
def test_simplified_contours_are_shorter_and_said_to_be(name, tmp_path):
    labels = painted(60, 80, seed=3)
    _, exact = made(name, labels, tmp_path / "exact")
    _, fewer = made(f"{name}=simplify=1.5", labels, tmp_path / "fewer")

    assert len(fewer.read_bytes()) < 0.8 * len(exact.read_bytes())
    (image,) = read_annotations(fewer).images
    assert (draw(image.shapes, labels.shape, VALUES) == foreground(labels)).mean() > 0.85


# ------------------------------------------------------------------------------------------------------------ coco


def coco_of(path):
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools and NumPy 2
@pytest.mark.parametrize("way", ["polygons", "runs"])
def test_pycocotools_draws_each_object_of_each_image(way, tmp_path):
    results, parts = [], []
    for number, (size, seed) in enumerate([((37, 53), 0), ((60, 41), 4), ((9, 9), 2)]):
        result, part = made(f"coco={way}", painted(*size, seed=seed) * (number != 2), tmp_path, stem=f"s{number}")
        results.append(replace(result, name=f"s{number}.png"))
        parts.append(part)
    path = outputs["coco"]().finish(parts, tmp_path / "coco.json")

    api = coco_of(path)
    assert [category["name"] for category in api.loadCats(api.getCatIds())] == ["cell", "nucleus"]
    assert [(image["height"], image["width"]) for image in api.loadImgs(api.getImgIds())] == [
        (37, 53),
        (60, 41),
        (9, 9),
    ]
    holes = 0
    for image, result in zip(api.getImgIds(), results, strict=True):
        found = api.loadAnns(api.getAnnIds(image))
        assert len(found) == len(result.objects.areas)
        for number, entry in enumerate(found, start=1):
            inside = result.objects.ids.values == number
            np.testing.assert_array_equal(api.annToMask(entry) == 1, inside)
            assert entry["area"] == inside.sum()
            top, left, bottom, right = result.objects.boxes[number - 1].tolist()
            assert entry["bbox"] == [left, top, right - left, bottom - top]
            assert entry["category_id"] == result.objects.labels[number - 1]
            assert 0 < entry["score"] < 1
            holes += isinstance(entry["segmentation"], dict)
    assert holes > 0
    assert (holes == sum(len(result.objects.areas) for result in results)) == (way == "runs")


def test_our_run_lengths_are_the_letters_of_pycocotools():
    rng = np.random.default_rng(0)
    for size in ((1, 1), (7, 5), (400, 300)):
        for share in (0, 0.01, 0.5, 1):
            mask = rng.random(size) < share
            theirs = coco_masks.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
            assert encode_counts(decode_counts(theirs)) == theirs


def test_gathered_files_of_no_image_are_sound(tmp_path):
    assert coco_of(outputs["coco"]().finish([], tmp_path / "coco.json")).getImgIds() == []
    assert outputs["measurements"]().finish([], tmp_path / "m.csv").read_text("utf-8") == "image\n"
    assert outputs["runs"]().finish([], tmp_path / "r.csv").read_text("utf-8") == "id,rle_mask\n"


# ------------------------------------------------------------------------------------------------ tables and labelme


def test_run_lengths_of_one_class_are_as_they_always_were(tmp_path):
    parts = []
    for stem, labels in (("one", painted(classes=2)), ("none", np.zeros((4, 5), np.uint8))):
        parts.append(made("runs", labels, tmp_path, stem=stem, classes=CELLS)[1])
    path = outputs["runs"]().finish(parts, tmp_path / "runs.csv")

    rows = read_run_lengths(path)
    assert list(rows) == ["one", "none"]
    assert rows["none"] == [""]
    (image,) = (image for image in read_annotations(path).images if image.file == "one")
    np.testing.assert_array_equal(draw(image.shapes, (37, 53), {"foreground": 1}), painted(classes=2) == 1)


def test_run_lengths_of_objects_have_a_row_each(tmp_path):
    result, part = made("runs=objects", painted(classes=2), tmp_path, classes=CELLS)
    empty = made("runs=objects", np.zeros((4, 5), np.uint8), tmp_path, stem="none", classes=CELLS)[1]
    path = wanted(["runs=objects"])["runs"].finish([part, empty], tmp_path / "runs.csv")

    assert {name: len(rows) for name, rows in read_run_lengths(path).items()} == {
        "a": len(result.objects.areas),
        "none": 1,
    }
    image, _ = read_annotations(path).images
    np.testing.assert_array_equal(draw_objects(image.shapes, (37, 53)), result.objects.ids.values)
    with pytest.raises(SettingError, match="one foreground class"):
        made("runs=objects", painted(), tmp_path)


def test_two_images_of_one_name_are_refused(tmp_path):
    parts = [made("runs", painted(), tmp_path / name)[1] for name in ("one", "two")]

    with pytest.raises(DataError, match=r"'a_100' would be in .* twice"):
        outputs["runs"]().finish(parts, tmp_path / "runs.csv")
    assert not (tmp_path / "runs.csv").exists()


def test_measurements_of_all_images_are_one_table(tmp_path):
    """Columns that only a map has are empty elsewhere."""
    result, plain = made("measurements", painted(), tmp_path, stem="plain")
    place = Georeference((2, 0, 0, 0, 2, 0), "", "um")
    mapped = outputs["measurements"]().write(placed(painted(), place), tmp_path / "placed")
    path = outputs["measurements"]().finish([plain, mapped], tmp_path / "measurements.csv")

    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    count = len(result.objects.areas)
    assert [row["image"] for row in rows] == ["plain"] * count + ["placed"] * count
    assert [row["class"] for row in rows[:count]] == [CLASSES.names[label] for label in result.objects.labels]
    assert [row["area"] for row in rows[:count]] == [row["area"] for row in rows[count:]]
    assert all(float(row["area_um2"]) == 4 * int(row["area"]) for row in rows[count:])
    assert all(row["area_um2"] == "" for row in rows[:count])


def test_labelme_names_the_image_from_where_it_lies_and_groups_objects(tmp_path):
    """Holes are small masks; what ends at the last pixel is not pulled to the border."""
    image = write_image(tmp_path / "in" / "a.png", np.zeros((6, 9, 3), np.uint8))
    labels = np.zeros((6, 9), np.uint8)
    labels[1:5, 1:5], labels[2, 2], labels[0:3, 6:8], labels[4:5, 6:8] = 1, 0, 2, 2
    with open_scene(image) as scene:
        result = result_of(labels, file=image, scene=scene)
        path = outputs["labelme"]().write(result, tmp_path / "out" / "a")
    value = json.loads(path.read_text("utf-8"))

    assert value["imagePath"] == "../in/a.png"
    assert (path.parent / value["imagePath"]).resolve() == image.resolve()
    assert sorted(entry["shape_type"] for entry in value["shapes"]) == ["mask", "polygon", "polygon"]
    assert [entry["group_id"] for entry in value["shapes"]] == [1, 2, 3]
    (found,) = read_annotations(path).images
    np.testing.assert_array_equal(draw(found.shapes, (6, 9), VALUES), labels)


# ---------------------------------------------------------------------------------------------------------- wanted


def test_outputs_are_asked_for_by_name_and_choice():
    found = wanted(["mask", "probabilities=uint8,tiff", "geojson=pixels,simplify=1.5"])

    assert list(found) == ["mask", "probabilities", "geojson"]
    assert found["probabilities"].plain() == {"dtype": "uint8", "format": "tiff"}
    assert found["geojson"].plain() == {"coordinates": "pixels", "simplify": 1.5}
    assert wanted(["runs"])["runs"].needs == frozenset()
    assert wanted(["runs=objects"])["runs"].needs == {"objects"}


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["geojsn"], "Did you mean 'geojson'"),
        (["probabilities=uint9"], "no choice 'uint9'. Did you mean 'uint8'"),
        (["geojson=simplfy=2"], "Did you mean 'simplify=…'"),
        (["geojson=simplify=-2"], "simplify in --output geojson=simplify=-2"),
        (["measurements=all"], "It has no choices"),
        (["mask", "mask=tiff"], "asked for twice"),
    ],
)
def test_what_is_misspelt_is_told_before_any_work(texts, said):
    with pytest.raises(SettingError, match=said.replace("(", r"\(")):
        wanted(texts)


def test_the_help_has_a_line_for_each():
    lines = list(describe())

    assert [name for name, _, _ in lines] == list(outputs)
    assert ("probabilities", "float32|float16|uint8 auto|npy|tiff|zarr") in [line[:2] for line in lines]
    assert ("geojson", "map|wgs84|pixels simplify=…") in [line[:2] for line in lines]


def test_the_value_of_what_counts_nowhere_is_no_class_s():
    many = [
        one.model_copy(update={"values": tuple(range(80 * n, 80 * n + 80))}) for n, one in enumerate(CLASSES.classes)
    ]
    full = CLASSES.model_copy(update={"classes": tuple(many)})
    assert written_values(full)[2] == 255
    table, _, ignored = written_values(CLASSES)
    assert table[[0, 1, 2, 3, IGNORED]].tolist() == [0, 100, 200, ignored, ignored]
