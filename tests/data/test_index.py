import hashlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from maskwright.data.index import Samples, index
from maskwright.data.sample import Sample
from maskwright.data.values import infer
from maskwright.errors import DataError, ReadError, SettingError
from maskwright.files import MaskStyle
from maskwright.records import IGNORED


def by_name(samples: Samples) -> dict[str, Sample]:
    return {sample.name: sample for sample in samples.samples}


def message(paint, error=DataError, **options) -> str:
    with pytest.raises(error) as caught:
        index(paint.root, **options)
    return str(caught.value)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("shape", [(8, 10), (5, 7, 3)])
def test_statistics_are_those_of_numpy(dtype, shape, paint):
    image = paint.image(*shape, dtype=dtype)
    paint.write("images/a.tif", image)
    paint.write("masks/a.png", paint.mask(size=shape[:2]))

    (sample,) = index(paint.root).samples

    values = image.reshape(-1, shape[2] if len(shape) == 3 else 1).astype(np.float64)
    assert (sample.height, sample.width, sample.channels, sample.dtype) == (*shape[:2], values.shape[1], dtype)
    assert (sample.low, sample.high) == (values.min(), values.max())
    np.testing.assert_allclose(sample.mean, values.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(sample.std, values.std(axis=0), rtol=1e-9)


@pytest.mark.parametrize("value", [0, 7, 255])
def test_a_flat_image_has_no_deviation(value, paint):
    paint.write("images/a.png", np.full((30, 30), value, np.uint8))
    paint.write("masks/a.png", paint.mask(size=(30, 30)))
    (sample,) = index(paint.root).samples
    assert sample.mean == (value,)
    assert sample.std[0] < 1e-5


def test_a_sample_says_what_it_is(paint):
    image = paint.write("images/a.jpg", paint.image(8, 10, 3))
    mask = paint.write(
        "masks/a_mask.png", np.repeat([[0, 0, 0, 255, 255]], 8, axis=0).repeat(2, axis=1).astype(np.uint8)
    )

    samples = index(paint.root)

    (sample,) = samples.samples
    assert (sample.name, sample.image, sample.mask) == ("a", "images/a.jpg", "masks/a_mask.png")
    assert sample.values == {0: 48, 255: 32}
    assert sample.content == hashlib.blake2b(image.read_bytes(), digest_size=12).hexdigest()
    assert sample.mask_content == hashlib.blake2b(mask.read_bytes(), digest_size=12).hexdigest()
    assert samples.image(sample).shape == (8, 10, 3)
    assert samples.labels_of(sample).tolist() == [[0] * 6 + [1] * 4] * 8
    assert (samples.layout, len(samples.notes)) == ("paired_folders", 2)
    assert Samples.load(samples.save(paint.root / "samples.json")) == samples


def test_equal_files_have_equal_contents_whatever_their_names(paint):
    first, other = paint.image(), paint.image(9, 9)
    paint.pairs({"a": (first, paint.mask()), "b": (first, paint.mask()), "c": (other, paint.mask(size=(9, 9)))})
    found = by_name(index(paint.root))
    assert found["a"].content == found["b"].content != found["c"].content


def test_any_number_of_workers_finds_the_same_in_the_same_order(paint):
    paint.pairs({f"img{i}": (paint.image(5 + i % 3, 6), paint.mask(size=(5 + i % 3, 6))) for i in range(12)})
    told = []

    one = index(paint.root, workers=1, progress=lambda done, of: told.append((done, of)))

    assert index(paint.root, workers=3) == one
    assert [s.name for s in one.samples] == [f"img{i}" for i in range(12)]
    assert told == [(i, 12) for i in range(1, 13)]


def test_a_mask_of_another_size_is_told_with_both_sizes_and_the_remedy(paint):
    paint.pairs({"img_07": (paint.image(8, 10), paint.mask(size=(8, 9))), "b": (paint.image(), paint.mask())})
    said = message(paint)
    for part in ("images/img_07.png is 8×10", "masks/img_07.png is 8×9 (height × width)", "--skip img_07.png"):
        assert part in said
    assert list(by_name(index(paint.root, skip=["img_07.png"]))) == ["b"]


def test_a_file_that_does_not_open_is_told_by_name(paint):
    paint.pairs({"a": (paint.image(), paint.mask()), "b": (paint.image(), paint.mask())})
    image = paint.root / "images/a.png"
    image.write_bytes(image.read_bytes()[:-20])
    assert "a.png is a PNG that was cut short" in message(paint, ReadError)

    image.write_text("no picture at all")
    assert "a.png holds text, not an image" in message(paint, ReadError, workers=1)
    assert list(by_name(index(paint.root, skip=["a"]))) == ["b"]


def test_pixels_that_are_no_numbers_are_told(paint):
    image = paint.image(dtype="float32")
    image[2, 3] = np.nan
    paint.write("images/a.tif", image)
    paint.masks("masks/a.png")
    assert "a.tif has pixels that are not numbers" in message(paint)
    assert "--skip a.tif" in message(paint)


@pytest.mark.parametrize(
    ("extra", "own", "other"),
    [
        ("images/lone.png", "image", "mask"),
        ("masks/lone.png", "mask", "image"),
        ("masks/lone_mask.png", "mask", "image"),
    ],
)
def test_a_file_without_partner_is_left_out_and_told_unless_it_was_asked_for(extra, own, other, paint):
    paint.pairs({"a": (paint.image(), paint.mask()), "b": (paint.image(), paint.mask())})
    paint.masks(extra)

    samples = index(paint.root)

    assert list(by_name(samples)) == ["a", "b"]
    note = f"left out, as 1 {own} has no {other}: {extra}"
    assert note in samples.notes
    for skip in (Path(extra).name, Path(extra).stem, extra, "lone*"):
        assert note not in index(paint.root, skip=[skip]).notes


def test_where_most_files_have_no_partner_the_names_are_not_what_pairs_them(paint):
    paint.pairs({"a": (paint.image(), paint.mask())})
    paint.images("images/lone0.png")
    assert list(by_name(index(paint.root))) == ["a"]

    paint.images(*(f"images/lone{i}.png" for i in range(1, 5)))

    said = message(paint)
    assert f"5 of the files in {paint.root} have no mask: " in said
    assert "images/lone2.png …" in said
    assert said.split("--skip ")[1].rstrip(".") == "lone0.png"


def test_two_masks_of_an_image_are_told_and_either_can_be_left_out(paint):
    paint.images("images/a.png", "images/b.png")
    paint.masks("masks/a_mask.png", "masks/a_gt.png", "masks/b.png")

    said = message(paint)

    assert "masks/a_gt.png and" in said
    assert "masks/a_mask.png could be the mask of" in said
    assert said.split("--skip ")[1].rstrip(".") == "masks/a_mask.png"
    for skip, kept in (
        ("a_mask.png", "masks/a_gt.png"),
        ("masks/a_mask.png", "masks/a_gt.png"),
        ("a_gt", "masks/a_mask.png"),
    ):
        assert by_name(index(paint.root, skip=[skip]))["a"].mask == kept
    assert list(by_name(index(paint.root, skip=["a.png"]))) == ["b"]


@pytest.mark.parametrize("skip", ["a", "a.png", "images/a.png", "images/a", "masks/a_mask.png", "a_mask", "a*"])
def test_leaving_out_an_image_or_its_mask_leaves_out_the_pair(skip, paint):
    paint.images("images/a.png", "images/b.png")
    paint.masks("masks/a_mask.png", "masks/b.png")
    assert list(by_name(index(paint.root, skip=[skip]))) == ["b"]


def test_a_name_with_brackets_means_itself(paint):
    paint.pairs({"img[1]": (paint.image(), paint.mask()), "b": (paint.image(), paint.mask())})
    assert list(by_name(index(paint.root, skip=["img[1].png"]))) == ["b"]


def test_leaving_out_everything_is_told(paint):
    paint.pairs({"a": (paint.image(), paint.mask())})
    assert "nothing to learn from" in message(paint, skip=["*"])


def test_names_are_unique_and_as_short_as_can_be(paint):
    paint.images("train/images/a.png", "train/images/b.png", "val/images/a.png", "val/images/c.png")
    paint.masks("train/masks/a.png", "train/masks/b.png", "val/masks/a.png", "val/masks/c.png")
    assert [s.name for s in index(paint.root).samples] == ["train/images/a", "b", "val/images/a", "c"]


def test_names_that_differ_in_their_ending_keep_it(paint):
    paint.images("x/a.png", "x/a.jpg", "x/b.png")
    paint.masks("y/1.png", "y/2.png", "y/3.png")
    paint.write("train.txt", "x/a.png y/1.png\nx/a.jpg y/2.png\nx/b.png y/3.png\n")
    samples = index(paint.root)
    assert [s.name for s in samples.samples] == ["x/a.png", "x/a.jpg", "b"]
    for name in ("x/a.jpg", "b"):
        assert name not in by_name(index(paint.root, skip=[name]))


def test_an_image_on_two_lists_is_told_by_name(paint):
    paint.images("x/a.png", "x/b.png")
    paint.masks("y/a.png", "y/b.png")
    paint.write("train.txt", "x/a.png y/a.png\nx/b.png y/b.png\n")
    paint.write("val.txt", "x/b.png y/b.png\n")
    assert "x/b.png is named twice" in message(paint)


def test_masks_of_8_and_16_bit_are_one_kind(paint):
    paint.pairs(
        {"a": (paint.image(), paint.mask(0, 65535, dtype="uint16")), "b": (paint.image(), paint.mask(0)),
         "c": (paint.image(), paint.mask(0, 255))}
    )  # fmt: skip
    samples = index(paint.root)
    assert samples.labels.style == MaskStyle(dtype="uint16")
    for name in ("a", "c"):
        assert samples.labels_of(by_name(samples)[name])[0].tolist() == [0] * 5 + [1] * 5


def test_an_all_grey_mask_among_coloured_ones_is_coloured(paint):
    red = np.zeros((8, 10, 3), np.uint8)
    red[:, 5:, 0] = 255
    white = np.zeros((8, 10, 3), np.uint8)
    white[4:] = 255
    paint.pairs(
        {"a": (paint.image(), red), "b": (paint.image(), white), "c": (paint.image(), np.zeros((8, 10), np.uint8))}
    )

    samples = index(paint.root)

    assert samples.labels.style.mode == "colour"
    assert samples.labels.names == ["#000000", "#ff0000", "#ffffff"]
    found = by_name(samples)
    assert found["b"].values == {0: 40, 0xFFFFFF: 40}
    assert samples.labels_of(found["b"])[:, 0].tolist() == [0] * 4 + [2] * 4
    assert samples.labels_of(found["c"]).max() == 0


def test_colours_stated_for_masks_that_are_all_grey_are_understood(paint):
    white = np.zeros((8, 10, 3), np.uint8)
    white[:, 5:] = 255
    paint.pairs({"a": (paint.image(), white), "b": (paint.image(), white)})
    paint.write("dataset.yaml", "classes: {wall: '#000000', crack: '#ffffff'}\n")
    samples = index(paint.root)
    assert samples.labels_of(samples.samples[0])[0].tolist() == [0] * 5 + [1] * 5


def palette_mask(colours, indices):
    picture = Image.fromarray(np.broadcast_to(np.array(indices, np.uint8), (8, len(indices))))
    picture = picture.convert("P")
    # Pillow would cut 255 to 2 bits for a palette of three colours.
    picture.putpalette([part for colour in [*colours, *[(9, 9, 9)] * (256 - len(colours))] for part in colour])
    return picture


def test_palette_masks_give_their_index_and_keep_their_colours(paint):
    colours = [(0, 0, 0), (128, 0, 0), (0, 128, 0)]
    for name in ("a", "b"):
        paint.images(f"images/{name}.png")
        (paint.root / "masks").mkdir(exist_ok=True)
        palette_mask(colours, [0, 1, 2, 1, 255] * 2).save(paint.root / f"masks/{name}.png")

    labels = index(paint.root).labels

    assert [c.colour for c in labels.classes] == colours
    assert (labels.style.mode, labels.ignored) == ("palette", (255,))


def test_palettes_that_number_their_colours_anew_are_told_and_colours_can_be_stated(paint):
    """Some programs sort the palette of each mask by what it holds: index 1 is then not the same class."""
    paint.images("images/a.png", "images/b.png")
    (paint.root / "masks").mkdir()
    palette_mask([(0, 0, 0), (255, 0, 0)], [0, 1] * 5).save(paint.root / "masks/a.png")
    palette_mask([(0, 0, 0), (0, 255, 0)], [0, 1] * 5).save(paint.root / "masks/b.png")

    said = message(paint)

    assert "The value 1 is #ff0000 in masks/a.png but #00ff00 in masks/b.png" in said
    paint.write("dataset.yaml", "classes: {wall: '#000000', crack: '#ff0000', rust: '#00ff00'}\n")
    samples = index(paint.root)
    assert [samples.labels_of(s)[0, :2].tolist() for s in samples.samples] == [[0, 1], [0, 2]]
    paint.write("dataset.yaml", "classes: {wall: 0, crack: 1}\n")
    samples = index(paint.root)
    assert [samples.labels_of(s)[0, :2].tolist() for s in samples.samples] == [[0, 1], [0, 1]]


def test_the_palette_is_one_that_holds_every_class(paint):
    colours = [(0, 0, 0), (255, 0, 0), (0, 255, 0)]
    (paint.root / "masks").mkdir()
    for name, length in (("a", 2), ("b", 2), ("c", 3)):
        paint.images(f"images/{name}.png")
        tifffile.imwrite(
            paint.root / f"masks/{name}.tif", np.broadcast_to(np.arange(10) % length, (8, 10)).astype(np.uint8),
            photometric="palette", colormap=palette_map(colours[:length]),
        )  # fmt: skip
    assert index(paint.root).labels.style.palette == tuple(colours)


def test_a_palette_without_a_colour_for_a_class_is_dropped(paint):
    paint.images("images/a.png")
    (paint.root / "masks").mkdir()
    tifffile.imwrite(
        paint.root / "masks/a.tif", paint.mask(0, 1, 2), photometric="palette",
        colormap=palette_map([(0, 0, 0), (255, 0, 0)]),
    )  # fmt: skip
    assert index(paint.root).labels.style == MaskStyle()


def palette_map(colours):
    table = np.ones((3, 256), np.uint16)  # what our own writer fills up with
    table[:, : len(colours)] = np.array(colours, np.uint16).T * 257
    return table


def test_signed_masks_with_minus_one_are_told_and_can_be_ignored(paint):
    paint.write("images/a.png", paint.image())
    paint.write("masks/a.tif", paint.mask(-1, 0, 1, dtype="int16"))
    assert "value -1" in message(paint)
    paint.write("dataset.yaml", "ignore: [-1]\n")
    samples = index(paint.root)
    assert samples.labels.names == ["background", "foreground"]
    assert samples.labels_of(samples.samples[0])[0, 0] == IGNORED


@pytest.mark.parametrize("name", ["classes.txt", "codes.txt", "class_names.txt", "labels.txt"])
def test_a_class_list_in_the_folder_names_the_classes(name, paint):
    paint.write("images/a.png", paint.image())
    paint.write("masks/a.png", paint.mask(0, 1, 2))
    paint.write(name, "\ufeffSky\nRoad\n\nVoid\n")
    samples = index(paint.root)
    assert (samples.labels.names, samples.labels.ignored) == (["Sky", "Road"], (2,))
    assert samples.notes[1] == "3 names in the class list, by their order; ignored: Void"


def test_a_class_list_and_values_to_ignore_go_together(paint):
    paint.write("images/a.png", paint.image())
    paint.write("masks/a.png", paint.mask(0, 1, 2, 9))
    paint.write("classes.txt", "sky\nroad\ncar\n")
    paint.write("dataset.yaml", "ignore: [2, 9]\n")
    samples = index(paint.root)
    assert samples.labels.names == ["sky", "road"]
    assert np.unique(samples.labels_of(samples.samples[0])).tolist() == [0, 1, IGNORED]


@pytest.mark.parametrize(
    "text", ["twice\ntwice\n", "A sentence that says something of the data, and is no name of a class.\n"]
)
def test_another_text_is_no_class_list(text, paint):
    paint.write("images/a.png", paint.image())
    paint.write("masks/a.png", paint.mask(0, 1))
    paint.write("labels.txt", text)
    assert index(paint.root).labels.names == ["background", "foreground"]


def test_a_class_list_that_is_no_text_is_told(paint):
    paint.pairs({"a": (paint.image(), paint.mask())})
    paint.write("classes.txt", "forêt\nchaussée\n".encode("latin-1"))
    assert "classes.txt, the list of classes, is not UTF-8 text" in message(paint)


def test_masks_that_are_pictures_are_told(paint):
    paint.pairs({"a": (paint.image(40, 40), paint.image(40, 40))})
    assert "They look like pictures" in message(paint)


def test_masks_saved_as_jpeg_are_parted_in_the_middle_and_told(paint):
    y, x = np.ogrid[:100, :100]
    disc = ((y - 50) ** 2 + (x - 44) ** 2 < 900).astype(np.uint8) * 255
    paint.write("images/a.png", paint.image(100, 100))
    paint.write("masks/a.jpg", disc)

    samples = index(paint.root)

    assert "smooth or noisy edges in masks/a.jpg" in samples.notes[1]
    np.testing.assert_array_equal(samples.labels_of(samples.samples[0]), disc // 255)
    assert samples.samples[0].values == {0: int((disc == 0).sum()), 255: int((disc == 255).sum())}


def test_masks_all_alike_are_told(paint):
    paint.pairs({name: (paint.image(), paint.mask(0)) for name in "ab"})
    assert "Every mask pixel has the value 0" in message(paint)


def test_images_without_masks_are_kept_beside_labelled_ones(paint):
    paint.images("train/images/a.png", "train/images/b.png", "test/images/c.png")
    paint.masks("train/masks/a.png", "train/masks/b.png")
    samples = index(paint.root)
    sample = by_name(samples)["c"]
    assert (sample.split, sample.mask, sample.values) == ("test", None, {})
    assert samples.part("test") == []
    with pytest.raises(DataError, match=r"test/images/c\.png has no mask"):
        samples.labels_of(sample)


def test_a_mask_that_changed_since_is_told(paint):
    paint.pairs({"a": (paint.image(), paint.mask())})
    samples = index(paint.root)
    mask = paint.write("masks/a.png", paint.mask(0, 3))
    with pytest.raises(DataError) as caught:
        samples.labels_of(samples.samples[0])
    assert f"{mask} has 40 pixels of value 3" in str(caught.value)


def test_the_classes_are_those_that_the_values_show(paint):
    paint.pairs({"a": (paint.image(), paint.mask(0, 1)), "b": (paint.image(), paint.mask(2))})
    counts = {s.mask or "": s.values for s in index(paint.root).samples}
    assert index(paint.root).labels == infer(counts, MaskStyle())[0]


def test_an_unknown_key_comes_before_any_file_is_read(paint):
    paint.write("images/a.png", "no picture")
    paint.masks("masks/a.png")
    paint.write("dataset.yaml", "clases: {}\n")
    assert "Did you mean 'classes'" in message(paint, SettingError)
