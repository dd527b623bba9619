import json
import sys
import threading

import numpy as np
import pytest
import zarr

from maskwright.errors import ReadError
from maskwright.files import (
    Header,
    axes_in,
    files_in,
    pages_in,
    read_georeference,
    read_header,
    read_image,
    read_mask,
    read_window,
)

VERSIONS = pytest.mark.parametrize("version", [2, 3])


def saved(path, array, version=3, chunks=None, **options):
    chunks = chunks or tuple(min(4, size) for size in array.shape)
    found = zarr.create_array(
        str(path), shape=array.shape, chunks=chunks, dtype=array.dtype, zarr_format=version, **options
    )
    found[...] = array
    return path


def pyramid(path, array, axes="tczyx", version=3, moves=None, named=True):
    """An OME-Zarr of two levels, as its specification says: 0.4 in version 2, 0.5 in version 3."""
    group = zarr.open_group(str(path), mode="w", zarr_format=version)
    chunks = (*(1 for _ in array.shape[:-2]), 8, 8)
    for name, level in (("full", array), ("half", array[..., ::2, ::2])):
        group.create_array(name, shape=level.shape, chunks=chunks, dtype=level.dtype)[...] = level
    datasets = [{"path": "full", "coordinateTransformations": moves or []}, {"path": "half"}]
    listed = [{"name": axis, **({"unit": "micrometer"} if axis in "xyz" else {})} for axis in axes]
    about = [{"datasets": datasets, **({"axes": listed} if named else {})}]
    group.attrs.update({"multiscales": about} if version == 2 else {"ome": {"version": "0.5", "multiscales": about}})
    return path


@VERSIONS
def test_the_full_level_of_a_pyramid_is_read_with_channels_together(version, tmp_path, paint):
    array = paint(2, 3, 4, 20, 30, dtype="uint16")
    path = pyramid(tmp_path / "a.ome.zarr", array, version=version)

    assert pages_in(path) == 8
    assert axes_in(path) == ("TCZHW", "OME-Zarr names its axes")
    for page in range(8):
        picture = np.moveaxis(array[page // 4, :, page % 4], 0, -1)
        np.testing.assert_array_equal(read_image(path, page), picture, strict=True)
        assert read_header(path, page) == Header(20, 30, 3, "uint16")
    np.testing.assert_array_equal(read_window(path, slice(3, 11), slice(7, None), 5), read_image(path, 5)[3:11, 7:])
    with pytest.raises(ReadError, match="holds 8 pages"):
        read_image(path)


@pytest.mark.parametrize("axes", ["yx", "cyx", "zyx", "czyx", "yxc"])
def test_any_axes_may_be_named(axes, tmp_path, paint):
    sizes = {"c": 3, "z": 4, "y": 20, "x": 30}
    array = paint(*(sizes[axis] for axis in axes))
    path = pyramid(tmp_path / "a.zarr", array, axes)

    pages = array[None] if "z" not in axes else np.moveaxis(array, axes.index("z"), 0)
    left = axes.replace("z", "")
    assert pages_in(path) == len(pages)
    for number, page in enumerate(pages):
        picture = page[..., None] if "c" not in axes else np.moveaxis(page, left.index("c"), -1)
        np.testing.assert_array_equal(read_image(path, number), picture)


def test_axes_that_the_first_versions_did_not_name_are_those_of_the_specification(tmp_path, paint):
    path = pyramid(tmp_path / "a.zarr", paint(1, 3, 2, 20, 30), version=2, named=False)

    assert axes_in(path)[0] == "TCZHW"


@VERSIONS
def test_a_bare_array_is_understood_by_its_shape_or_as_stated(version, tmp_path, paint):
    array = paint(3, 20, 30)
    path = saved(tmp_path / "a.zarr", array, version)

    np.testing.assert_array_equal(read_image(path), np.moveaxis(array, 0, -1))
    np.testing.assert_array_equal(read_image(path, 2, "ZHW")[:, :, 0], array[2])
    with pytest.raises(ReadError, match="State it in dataset.yaml"):  # noqa: RUF043
        read_image(saved(tmp_path / "cube.zarr", paint(20, 20, 20), version))


def test_names_of_dimensions_are_believed(tmp_path, paint):
    named = saved(tmp_path / "a.zarr", paint(3, 20, 30), dimension_names=["time", "y", "x"])
    xarray = saved(tmp_path / "b.zarr", paint(3, 20, 30), 2, attributes={"_ARRAY_DIMENSIONS": ["band", "lat", "lon"]})
    other = saved(tmp_path / "c.zarr", paint(3, 20, 30), dimension_names=["spam", "y", "x"])

    assert [axes_in(path)[0] for path in (named, xarray, other)] == ["THW", "CHW", "CHW"]


@VERSIONS
def test_a_group_of_several_arrays_asks_which(version, tmp_path, paint):
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=version)
    for name in ("image", "label"):
        group.create_array(name, shape=(20, 30), chunks=(8, 8), dtype="uint8")[...] = paint(20, 30)

    with pytest.raises(ReadError, match=r"a\.zarr is a Zarr group of image, label.*a\.zarr/image"):
        read_image(tmp_path / "a.zarr")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.zarr" / "label").values, paint(20, 30))


def test_the_only_array_of_a_group_is_the_one_that_is_meant(tmp_path, paint):
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w")
    group.create_array("data", shape=(20, 30), chunks=(8, 8), dtype="uint8")[...] = paint(20, 30)

    np.testing.assert_array_equal(read_image(tmp_path / "a.zarr")[:, :, 0], paint(20, 30))


def test_a_pyramid_lies_where_its_scale_and_translation_say(tmp_path, paint):
    moves = [{"type": "scale", "scale": [1, 0.5, 0.25]}, {"type": "translation", "translation": [0, 10, 100]}]
    path = pyramid(tmp_path / "a.zarr", paint(3, 20, 30), "cyx", moves=moves)

    place = read_georeference(path)

    # The middle of the first pixel is at the translation.
    assert place.to_map(np.array([[0.5, 0.5], [1.5, 2.5]])).tolist() == [[100, 10], [100.25, 11]]
    assert place.unit == "micrometer"
    assert read_georeference(pyramid(tmp_path / "b.zarr", paint(20, 30), "yx")) is None


def test_such_a_folder_counts_as_a_file(tmp_path, paint):
    saved(tmp_path / "b.zarr", paint(20, 30))
    pyramid(tmp_path / "a.ome.zarr", paint(20, 30), "yx")
    (tmp_path / "c.zarr").mkdir()

    assert [path.name for path in files_in(tmp_path)] == ["a.ome.zarr", "b.zarr"]
    with pytest.raises(ReadError, match=r"c\.zarr is a folder"):
        read_image(tmp_path / "c.zarr")


def test_a_window_reads_only_its_chunks(tmp_path, paint):
    path = saved(tmp_path / "a.zarr", paint(64, 64), 2, chunks=(16, 16))
    (path / "0.0").write_bytes(b"no chunk")

    np.testing.assert_array_equal(read_window(path, slice(20, 40), slice(0, 64))[:, :, 0], paint(64, 64)[20:40])
    with pytest.raises(ReadError, match=r"a\.zarr"):
        read_image(path)


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [10**9, 10**9]},
        {"shape": [20, 30], "chunks": [10**6, 10**6]},
        {"shape": [0, 5]},
        {"shape": [-4, 5]},
        {"shape": "twenty"},
        {"dtype": "|O"},
        {"dtype": "<c16"},
        {"compressor": {"id": "spam"}},
        {"zarr_format": 9},
    ],
)
def test_a_description_that_lies_is_an_error(change, tmp_path, paint):
    path = saved(tmp_path / "a.zarr", paint(20, 30), 2)
    about = json.loads((path / ".zarray").read_text())
    (path / ".zarray").write_text(json.dumps({**about, **change}))

    with pytest.raises(ReadError, match=r"a\.zarr"):
        read_image(path)


@pytest.mark.parametrize(
    "about",
    [
        {"multiscales": 3},
        {"multiscales": [{}]},
        {"multiscales": [{"datasets": [{"path": "../../etc"}]}]},
        {"multiscales": [{"datasets": [{"path": "lost"}]}]},
        {"multiscales": [{"datasets": []}]},
        {"ome": 5},
    ],
)
@VERSIONS
def test_attributes_that_lie_are_an_error(about, version, tmp_path):
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=version)
    group.attrs.update(about)

    with pytest.raises(ReadError, match=r"a\.zarr"):
        read_image(tmp_path / "a.zarr")


def test_several_threads_read_at_once(tmp_path, paint):
    path = saved(tmp_path / "a.zarr", paint(64, 64))
    found = []
    threads = [threading.Thread(target=lambda: found.append(read_image(path))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 4
    assert all((image[:, :, 0] == paint(64, 64)).all() for image in found)


def test_without_zarr_the_line_that_installs_it_is_told(tmp_path, paint, monkeypatch):
    path = saved(tmp_path / "a.zarr", paint(20, 30))
    monkeypatch.setitem(sys.modules, "zarr", None)

    with pytest.raises(ReadError, match=r"a\.zarr is a Zarr folder.*pip install maskwright\[zarr\]"):
        read_image(path)
