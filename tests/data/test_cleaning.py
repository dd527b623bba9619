"""A cleaned copy holds the same labels in the plainest form."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maskwright.data.cleaning import write_clean
from maskwright.data.index import index
from maskwright.errors import DataError


def labels(samples):
    return {s.name: (s.split, samples.labels_of(s).tolist()) for s in samples.samples if s.mask}


def test_the_copy_has_the_same_labels_parts_and_classes(paint, tmp_path_factory):
    paint.write("dataset.yaml", "classes: {ground: 0, tree: 100, road: [200, 201]}\nignore: [7]\n")
    for name in "abcdef":
        paint.write(f"images/{name}.png", paint.image())
        paint.write(f"masks/{name}.png", paint.mask(0, 7, 100, 200, 201))
    before = index(paint.root, test=["a"], val=["b", "c"])

    after = index(write_clean(before, tmp_path_factory.mktemp("copy") / "new"))

    assert labels(after) == labels(before)
    assert after.labels.names == ["ground", "tree", "road"]
    assert {s.name: s.content for s in after.samples} == {s.name: s.content for s in before.samples}, "copied as it was"


def test_an_image_turned_by_its_file_is_written_upright(paint, tmp_path_factory):
    image = Image.fromarray(paint.image(6, 9, 3))
    exif = Image.Exif()
    exif[274] = 6
    (paint.root / "images").mkdir()
    image.save(paint.root / "images" / "a.png", exif=exif)
    paint.pairs({"b": (paint.image(), paint.mask())})
    paint.write("masks/a.png", paint.mask(size=(9, 6)))
    before = index(paint.root)

    after = index(write_clean(before, tmp_path_factory.mktemp("copy")))

    turned, after_root = next(s for s in after.samples if s.name == "a"), Path(after.root)
    np.testing.assert_array_equal(after.image(turned), before.image(next(s for s in before.samples if s.name == "a")))
    with Image.open(after_root / turned.image) as file:
        assert file.size == (6, 9)


def test_objects_keep_their_numbers(paint, tmp_path_factory):
    paint.write("dataset.yaml", "instances: true\n")
    for name in "ab":
        paint.write(f"images/{name}.png", paint.image())
        paint.write(f"masks/{name}.png", paint.mask(0, 1, 2, 3))
    before = index(paint.root)

    after = index(write_clean(before, tmp_path_factory.mktemp("copy")))

    for old, new in zip(before.samples, after.samples, strict=True):
        np.testing.assert_array_equal(before.objects_of(old), after.objects_of(new))


def test_pages_become_files(paint, tmp_path_factory):
    import tifffile

    for kind in ("images", "masks"):
        (paint.root / kind).mkdir()
        stack = [paint.image() if kind == "images" else paint.mask() for _ in range(4)]
        with tifffile.TiffWriter(paint.root / kind / "s.tif") as file:
            for page in stack:
                file.write(page, photometric="minisblack", metadata=None)
    before = index(paint.root)

    after = index(write_clean(before, tmp_path_factory.mktemp("copy")))

    assert [s.name for s in sorted(after.samples, key=lambda s: s.name)] == ["s_0", "s_1", "s_2", "s_3"]
    assert labels(after) == labels(before)


def test_nothing_is_written_over_nor_into_the_data(paint, tmp_path_factory):
    paint.pairs({"a": (paint.image(), paint.mask()), "b": (paint.image(), paint.mask())})
    samples = index(paint.root)
    full = tmp_path_factory.mktemp("full")
    (full / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="not empty"):
        write_clean(samples, full)
    with pytest.raises(DataError, match="inside the data set"):
        write_clean(samples, paint.root / "copy")
    assert [path.name for path in full.iterdir()] == ["mine.txt"]


def test_images_of_many_bands_are_written_as_tiff(paint, tmp_path_factory):
    import tifffile

    (paint.root / "images").mkdir()
    for name in "ab":
        tifffile.imwrite(
            paint.root / "images" / f"{name}.tif",
            paint.image(8, 10, 5, dtype="uint16"),
            photometric="minisblack",
            planarconfig="contig",
        )
        paint.masks(f"masks/{name}.png")
    before = index(paint.root)
    bands = before.model_copy(
        update={"samples": tuple(s.model_copy(update={"bands": (s.image,)}) for s in before.samples)}
    )

    after = index(write_clean(bands, tmp_path_factory.mktemp("copy")))

    for old, new in zip(bands.samples, after.samples, strict=True):
        assert new.channels == 10
        np.testing.assert_array_equal(bands.image(old), after.image(new))
