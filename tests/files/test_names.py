import pytest

from maskwright.files import IMAGE_SUFFIXES, STACK_SUFFIXES, files_in, stem, suffix_of


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("a.png", "a", ".png"),
        ("a.b.png", "a.b", ".png"),
        ("a.ome.tif", "a", ".ome.tif"),
        ("A.OME.TIFF", "A", ".ome.tiff"),
        ("cells.ome.zarr", "cells", ".ome.zarr"),
        ("brain.nii.gz", "brain", ".nii.gz"),
        ("brain.nii", "brain", ".nii"),
        ("brain.tar.gz", "brain.tar", ".gz"),
        ("ome.tif", "ome", ".tif"),
        ("home.tif", "home", ".tif"),
        ("folder.d/plain", "plain", ""),
        (".hidden", ".hidden", ""),
        ("", "", ""),
    ],
)
def test_an_ending_of_two_parts_is_one_ending(name, first, last):
    assert (stem(name), suffix_of(name)) == (first, last)


def test_suffixes_know_what_may_be_a_stack():
    assert {".tif", ".ome.tif", ".nii", ".nii.gz", ".npy", ".npz", ".zarr"} <= set(STACK_SUFFIXES)
    assert ".png" not in STACK_SUFFIXES
    assert {".jp2", ".nii.gz", ".ome.zarr"} <= set(IMAGE_SUFFIXES)
    assert ".gz" not in IMAGE_SUFFIXES


def test_folders_that_are_pictures_are_listed_and_other_folders_are_not(tmp_path):
    for name in ("b.nii.gz", "c.tar.gz", "a.ome.tif"):
        (tmp_path / name).touch()
    for name in ("d.zarr", "e.zarr", "g.png"):
        (tmp_path / name).mkdir()
    (tmp_path / "d.zarr" / ".zgroup").touch()

    assert [path.name for path in files_in(tmp_path)] == ["a.ome.tif", "b.nii.gz", "d.zarr"]
    assert [path.name for path in files_in(tmp_path, [".tif"])] == ["a.ome.tif"]
