import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from maskwright.data.index import index
from maskwright.data.layouts import Told, recognise
from maskwright.errors import DataError, ReadError


def picture(value, suffix):
    out = io.BytesIO()
    pixels = np.full((6, 8), value, np.uint8)
    if suffix == "png":
        pixels[:, :3] = 0
    Image.fromarray(pixels).save(out, {"jpg": "JPEG", "png": "PNG", "tif": "TIFF", "webp": "WEBP"}[suffix])
    return out.getvalue()


def shard(path, *names):
    """A tar of pictures, and of texts where the ending is none of a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for number, name in enumerate(names):
            suffix = name.rpartition(".")[2]
            data = picture(40 + number, suffix) if suffix in {"jpg", "png", "tif", "webp"} else b"{}"
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def pairs(root):
    name, found = recognise(root)
    assert name == "shards"
    base = root if root.is_dir() else root.parent
    return {
        (e.image.relative_to(base).as_posix(), e.mask and e.mask.relative_to(base).as_posix(), e.split)
        for e in found.entries
    }, found


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("0.jpg", "0.png"),
        ("0.png", "0.mask.png"),
        ("0.jpg", "0.seg.png"),
        ("0.jpg", "0_mask.png"),
        ("0.image.png", "0.mask.png"),
        ("0.webp", "0.tif"),
        ("deep/0.jpg", "deep/0.png"),
        ("eye_l.jpg", "eye_l.png"),
        ("eye_l.jpg", "eye_l_mask.png"),
    ],
)
def test_members_of_equal_key_belong_together(image, mask, tmp_path):
    shard(tmp_path / "a.tar", image, mask)
    found, _ = pairs(tmp_path)
    assert found == {(f"a.tar/{image}", f"a.tar/{mask}", None)}


def test_what_is_no_picture_is_left_alone_with_a_note(tmp_path):
    shard(tmp_path / "a.tar", "0.jpg", "0.json", "0.png", "0.cls", "1.jpg", "1.png", "1.json", ".DS_Store")
    _, found = pairs(tmp_path)
    assert found.reason.endswith(
        "1 tar shards (a.tar), members of equal key belong together; left alone: 1 .cls, 2 .json"
    )


def test_equal_keys_of_two_shards_are_two_images(tmp_path):
    for name in ("a", "b"):
        shard(tmp_path / f"{name}.tar", "0.jpg", "0.png")
    found, _ = pairs(tmp_path)
    assert found == {(f"{n}.tar/0.jpg", f"{n}.tar/0.png", None) for n in "ab"}


def test_the_part_is_said_by_the_shards_name_or_by_its_folder(tmp_path):
    shard(tmp_path / "train-0000.tar", "0.jpg", "0.png")
    shard(tmp_path / "cells_val_07.tar", "1.jpg", "1.png")
    shard(tmp_path / "test" / "0000.tar", "2.jpg", "2.png", "3.jpg")
    found, _ = pairs(tmp_path)
    assert {(image, split) for image, _, split in found} == {
        ("train-0000.tar/0.jpg", "train"), ("cells_val_07.tar/1.jpg", "val"),
        ("test/0000.tar/2.jpg", "test"), ("test/0000.tar/3.jpg", "test"),
    }  # fmt: skip


def test_what_has_no_partner_is_alone(tmp_path):
    shard(tmp_path / "a.tar", "0.jpg", "0.png", "1.jpg", "2.mask.png")
    _, found = pairs(tmp_path)
    assert [path.name for path in found.images_alone] == ["1.jpg"]
    assert [path.name for path in found.masks_alone] == ["2.mask.png"]


def test_several_masks_of_a_key_are_rivals(tmp_path):
    shard(tmp_path / "a.tar", "0.jpg", "0.mask.png", "0.seg.png")
    _, found = pairs(tmp_path)
    assert [path.name for path in found.entries[0].rivals] == ["0.seg.png"]


@pytest.mark.parametrize(
    "names", [("0.jpg", "0.webp"), ("0.png", "0.tif"), ("0.left.jpg", "0.right.jpg", "0.mask.png")]
)
def test_several_images_of_a_key_are_asked_about(names, tmp_path):
    shard(tmp_path / "a.tar", "1.jpg", "1.png", *names)
    with pytest.raises(DataError, match=r"have the same key '0'.*Call the mask 0\.mask\.png"):
        recognise(tmp_path)


def test_the_data_may_be_one_tar(tmp_path):
    path = shard(tmp_path / "all.tar", "0.jpg", "0.png", "1.jpg", "1.png", "2.jpg", "2.png")
    samples = index(path)
    assert [s.image for s in samples.samples] == ["0.jpg", "1.jpg", "2.jpg"]
    assert samples.image(samples.samples[1]).shape == (6, 8, 1)


def test_the_data_may_be_one_tar_of_folders(tmp_path):
    path = shard(tmp_path / "all.tar", *(f"{kind}/{i}.png" for i in range(3) for kind in ("images", "masks")))
    name, found = recognise(
        path, Told(layout="paired_folders")
    )  # all painted alike: else asked about as fields of view
    assert name == "paired_folders"
    assert [e.mask.name for e in found.entries] == ["0.png", "1.png", "2.png"]


def test_an_archive_without_pairs_is_told(tmp_path):
    with pytest.raises(DataError, match=r"No images with masks were found in .*all\.tar, 1 files"):
        recognise(shard(tmp_path / "all.tar", "0.json"))


def test_images_that_lie_unpacked_beside_their_archive_are_meant(paint):
    paint.images("images/a.png")
    paint.masks("masks/a.png")
    shard(paint.root / "download.tar", "0.jpg", "0.png")
    assert recognise(paint.root)[0] == "paired_folders"


def test_shards_that_are_compressed_are_refused_with_the_reason(tmp_path):
    (tmp_path / "train-0000.tar.gz").write_bytes(b"\x1f\x8b")
    with pytest.raises(DataError, match=r"train-0000\.tar\.gz is compressed as a whole.*gunzip"):
        recognise(tmp_path)


def test_a_damaged_shard_is_told(tmp_path):
    path = shard(tmp_path / "a.tar", "0.jpg", "0.png")
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(ReadError, match=r"a\.tar was cut short"):
        recognise(tmp_path)


def test_an_index_of_shards_is_that_of_the_same_files_unpacked(tmp_path):
    names = [f"{i}.{suffix}" for i in range(6) for suffix in ("jpg", "mask.png")]
    (tmp_path / "packed").mkdir()
    (tmp_path / "plain").mkdir()
    path = shard(tmp_path / "packed" / "a.tar", *names)
    with tarfile.open(path) as tar:
        for name in names:
            (tmp_path / "plain" / name).write_bytes(tar.extractfile(name).read())

    packed, plain = index(tmp_path / "packed"), index(tmp_path / "plain")

    assert packed.layout == "shards"
    assert packed.labels == plain.labels
    for one, other in zip(packed.samples, plain.samples, strict=True):
        assert one.image == f"a.tar/{other.image}"
        same = {"image": other.image, "mask": other.mask, "split": other.split}
        assert one.model_copy(update=same) == other
        np.testing.assert_array_equal(packed.image(one), plain.image(other), strict=True)
        np.testing.assert_array_equal(packed.labels_of(one), plain.labels_of(other), strict=True)
