import nibabel
import numpy as np
import pytest

from maskwright.errors import DataError
from maskwright.inference.inputs import Input, Standing, expanded, is_stack, targets


def test_a_volume_is_a_stack_and_its_mask_has_its_name_without_both_endings(tmp_path):
    image = tmp_path / "brain.nii.gz"
    nibabel.Nifti1Image(np.zeros((4, 5, 3), np.uint8), np.eye(4)).to_filename(image)

    assert is_stack(image)
    assert list(targets(expanded([image]), tmp_path / "out")) == [tmp_path / "out" / "brain"]


def test_a_pattern_through_folders_keeps_them_apart(tmp_path):
    for name in ("a/image.png", "b/image.png", "b/other.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    pattern = tmp_path / "*" / "*.png"
    found = targets(expanded([pattern]), tmp_path / "out")
    assert [str(target.relative_to(tmp_path / "out")) for target in found] == ["a/image", "b/image", "b/other"]
    assert list(targets(expanded([tmp_path / "b" / "*.png"]), tmp_path)) == [tmp_path / "image", tmp_path / "other"]


def test_a_zarr_is_found_by_a_pattern_though_it_is_a_folder(tmp_path):
    zarr = pytest.importorskip("zarr")
    zarr.create_array(str(tmp_path / "cells.zarr"), data=np.zeros((4, 5), np.uint8))
    assert expanded([tmp_path / "*.zarr"]) == [
        Input(tmp_path / "cells.zarr", expanded([tmp_path / "*.zarr"])[0].inside)
    ]


def test_each_image_is_taken_once_and_two_of_a_name_are_told(tmp_path):
    for name in ("a.png", "a.tif"):
        (tmp_path / name).write_bytes(b"")
    assert [one.image.name for one in expanded([tmp_path / "a.png", tmp_path, tmp_path / "*.tif"])] == [
        "a.png",
        "a.tif",
    ]
    with pytest.raises(DataError, match=r"a\.png and .*a\.tif would both become"):
        targets(expanded([tmp_path]), tmp_path / "out")
    with pytest.raises(DataError, match="neither an image, nor a folder"):
        expanded([tmp_path / "b*.png"])


def test_what_stands_in_a_folder_is_told_by_its_beginning(tmp_path):
    for name in ("a[1].png", "b.overlay.png", "c_1.png"):
        (tmp_path / name).write_bytes(b"")
    standing = Standing()
    assert [tmp_path / name in standing for name in ("a[1]", "a1", "b", "c", "c_1", "c_2")] == [
        True, False, True, True, True, False,
    ]  # fmt: skip
    assert tmp_path / "nowhere" / "a" not in standing


def test_only_what_is_left_of_the_targets_themselves_is_found(tmp_path):
    names = (
        ".a.0123abcd.png",
        ".a.overlay.0123abcd.png",
        ".b.0123abcd.png",
        ".a.working",
        "a.png",
        ".a.b.0123abcd.tif",
    )
    for name in names:
        (tmp_path / name).write_bytes(b"")
    found = Standing().half_written([tmp_path / "a", tmp_path / "x" / "a"])
    assert {path.name for path in found} == {".a.0123abcd.png", ".a.overlay.0123abcd.png", ".a.b.0123abcd.tif"}
