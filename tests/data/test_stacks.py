import numpy as np
import pytest
import tifffile
from PIL import Image

from maskwright.data.index import index
from maskwright.data.layouts import recognise
from maskwright.errors import DataError, ReadError


def stack(paint, name, pages, values=None, **options):
    """A TIFF of so many pages; each mask is white from the column of its number."""
    path = paint.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    volume = paint.image(pages, 8, 10) if values is None else np.zeros((pages, 8, 10), np.uint8)
    for number in range(pages if values else 0):
        volume[number, :, number % 10 :] = values
    tifffile.imwrite(path, volume, photometric="minisblack", **options)
    return volume


@pytest.fixture
def challenge(paint):
    """What ISBI-2012 gives its participants."""
    return stack(paint, "train-volume.tif", 30), stack(paint, "train-labels.tif", 30, 255), paint


def test_a_volume_and_its_labels_are_samples_page_by_page(challenge):
    volume, labels, paint = challenge
    tested = stack(paint, "test-volume.tif", 4)

    samples = index(paint.root)

    assert samples.layout == "stacks"
    assert "train-volume.tif + train-labels.tif" in samples.notes[0]
    names = [f"train-volume_{page:02}" for page in range(30)]
    assert sorted(s.name for s in samples.samples if s.mask) == names
    for page, sample in enumerate(s for s in samples.samples if s.mask):
        assert (sample.name, sample.page, sample.image) == (names[page], page, "train-volume.tif")
        np.testing.assert_array_equal(samples.image(sample)[:, :, 0], volume[page])
        np.testing.assert_array_equal(samples.labels_of(sample), labels[page] // 255)
    bare = [s for s in samples.samples if not s.mask]
    assert [(s.name, s.split) for s in bare] == [(f"test-volume_{page}", "test") for page in range(4)]
    np.testing.assert_array_equal(samples.image(bare[2])[:, :, 0], tested[2])
    assert type(samples).load(samples.save(paint.root / "samples.json")) == samples


@pytest.mark.parametrize(
    ("pattern", "pages"),
    [
        ("train-volume_2[4-9]", range(24, 30)),
        ("train-volume_2[4-9].tif", range(24, 30)),
        ("train-volume_07", [7]),
        ("*_0?", range(10)),
    ],
)
def test_patterns_mean_pages(pattern, pages, challenge):
    root = challenge[2].root
    assert [s.page for s in index(root, test=[pattern]).part("test")] == list(pages)
    assert [s.page for s in index(root, skip=[pattern]).samples] == [p for p in range(30) if p not in pages]


def test_a_page_of_the_labels_or_a_whole_stack_can_be_left_out(challenge):
    paint = challenge[2]
    assert len(index(paint.root, skip=["train-labels_03"]).samples) == 29
    stack(paint, "more-volume.tif", 3)
    stack(paint, "more-labels.tif", 3, 255)
    assert len(index(paint.root).samples) == 33
    assert len(index(paint.root, skip=["train-volume.tif"]).samples) == 3


def test_contents_are_those_of_pages(challenge):
    samples = index(challenge[2].root).samples
    assert len({s.content for s in samples}) == len({s.mask_content for s in samples}) == 30
    again = index(challenge[2].root).samples
    assert [s.content for s in again] == [s.content for s in samples]

    stack(challenge[2], "train-labels.tif", 30, 1)
    other = index(challenge[2].root).samples
    assert [s.content for s in other] == [s.content for s in samples]
    assert not {s.mask_content for s in other} & {s.mask_content for s in samples}


def test_values_are_counted_page_by_page(challenge):
    samples = index(challenge[2].root).samples
    assert [s.values for s in samples[:3]] == [{255: 80}, {0: 8, 255: 72}, {0: 16, 255: 64}]


@pytest.mark.parametrize("pages", [29, 1])
def test_stacks_of_unlike_length_are_told(pages, challenge):
    stack(challenge[2], "train-labels.tif", pages, 255)
    with pytest.raises(DataError) as caught:
        index(challenge[2].root)
    for part in ("train-volume.tif has 30 pages", f"train-labels.tif has {pages} page", "--skip train-volume.tif"):
        assert part in str(caught.value)


def test_an_image_of_several_pages_with_one_mask_is_told(paint):
    paint.images("images/b.png")
    paint.masks("masks/a.png", "masks/b.png")
    stack(paint, "images/a.tif", 3)
    with pytest.raises(DataError, match=r"a\.tif has 3 pages, its mask .*a\.png has 1 page.*bands.*--skip a\.tif"):
        index(paint.root)
    assert [s.name for s in index(paint.root, skip=["a.tif"]).samples] == ["b"]


def test_stacks_in_folders_pair_page_by_page_beside_single_files(paint):
    volume = stack(paint, "images/cells.tif", 12, compression="zlib")
    stack(paint, "masks/cells_mask.tif", 12, 255)
    paint.images("images/one.png", "images/flat.tif")
    paint.masks("masks/one.png", "masks/flat.tif")

    samples = index(paint.root)

    assert samples.layout == "paired_folders"
    assert [s.name for s in samples.samples] == ["flat", "one", *(f"cells_{page:02}" for page in range(12))]
    assert [s.page for s in samples.samples] == [None, None, *range(12)]
    np.testing.assert_array_equal(samples.image(samples.samples[13])[:, :, 0], volume[11])


def test_a_page_and_a_file_of_the_same_name_are_told_apart(paint):
    stack(paint, "images/cells.tif", 3)
    stack(paint, "masks/cells.tif", 3, 255)
    paint.images("images/cells_1.png")
    paint.masks("masks/cells_1.png")
    assert [s.name for s in index(paint.root).samples] == [
        "cells_0",
        "images/cells_1.tif",
        "cells_2",
        "images/cells_1.png",
    ]


def test_folders_win_over_stacks_beside_them_and_the_notes_say_so(challenge):
    paint = challenge[2]
    paint.images("images/0.png", "images/1.png")
    paint.masks("masks/0.png", "masks/1.png")
    name, pairs = recognise(paint.root)
    assert (name, len(pairs.entries)) == ("paired_folders", 2)
    assert pairs.reason.endswith("; left alone: train-labels.tif, train-volume.tif")


def test_a_volume_without_labels_is_told_unless_it_is_for_the_test(challenge):
    stack(challenge[2], "more-volume.tif", 3)
    assert any("no mask: more-volume.tif" in note for note in index(challenge[2].root).notes)


def test_a_size_that_differs_on_one_page_is_told_by_page(paint):
    for name, sizes in (("images/a.tif", [(8, 10), (8, 10)]), ("masks/a.tif", [(8, 10), (8, 9)])):
        (paint.root / name).parent.mkdir()
        with tifffile.TiffWriter(paint.root / name) as writer:
            for size in sizes:
                writer.write(paint.mask(size=size), photometric="minisblack", metadata=None)
    with pytest.raises(DataError) as caught:
        index(paint.root)
    for part in ("images/a_1.tif is 8×10", "masks/a_1.tif is 8×9", "--skip a_1.tif"):
        assert part in str(caught.value)
    assert [s.name for s in index(paint.root, skip=["a_1.tif"]).samples] == ["a_0"]


def test_a_strange_value_is_told_with_its_page(paint):
    stack(paint, "images/a.tif", 2)
    stack(paint, "masks/a.tif", 2, 7)
    paint.write("dataset.yaml", "classes: {a: 0, b: 1}\n")
    with pytest.raises(DataError, match=r"masks/a\.tif, page 0, has 80 pixels of value 7"):
        index(paint.root)


def test_a_damaged_page_is_told_by_number(paint):
    stack(paint, "images/a.tif", 3, compression="zlib", rowsperstrip=8)
    stack(paint, "masks/a.tif", 3, 255)
    path = paint.root / "images/a.tif"
    with tifffile.TiffFile(path) as file:
        start, length = file.pages[1].dataoffsets[0], file.pages[1].databytecounts[0]
    data = bytearray(path.read_bytes())
    data[start : start + length] = b"\xff" * length
    path.write_bytes(data)
    with pytest.raises(ReadError, match=r"a\.tif, page 1, cannot be read"):
        index(paint.root)


def test_frames_of_an_animation_are_still_refused(paint):
    frames = [Image.fromarray(paint.image(8, 10 + i)[:, :10]) for i in range(3)]
    (paint.root / "images").mkdir()
    frames[0].save(paint.root / "images/a.gif", save_all=True, append_images=frames[1:])
    paint.masks("masks/a.png")
    with pytest.raises(ReadError, match="animation"):
        index(paint.root)
