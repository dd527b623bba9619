import pytest

from maskwright.errors import ReadError
from maskwright.files import IMAGE_SUFFIXES, files_in, readers


def names(folder, *args):
    return [path.name for path in files_in(folder, *args)]


def fill(folder, *names):
    for name in names:
        (folder / name).touch()


def test_numbers_are_put_in_order_as_numbers(tmp_path):
    fill(
        tmp_path,
        "img10.png",
        "img2.png",
        "img1_11.png",
        "img1_2.png",
        "007.png",
        "7.png",
        "a.png",
        "B.png",
        "10.png",
    )

    assert names(tmp_path) == [
        "007.png", "7.png", "10.png", "a.png", "B.png", "img1_2.png", "img1_11.png", "img2.png", "img10.png",
    ]  # fmt: skip


def test_only_files_that_may_be_images_are_listed(tmp_path):
    fill(
        tmp_path,
        "a.png",
        "b.JPG",
        "c.tiff",
        "Thumbs.db",
        "desktop.ini",
        ".DS_Store",
        "._a.png",
        ".png",
        "notes.txt",
        "png",
    )
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "__MACOSX").mkdir()

    assert names(tmp_path) == ["a.png", "b.JPG", "c.tiff"]


@pytest.mark.parametrize("suffixes", [{".txt"}, ["txt"], (".TXT",)])
def test_other_suffixes_may_be_asked_for(suffixes, tmp_path):
    fill(tmp_path, "a.png", "b.txt")

    assert names(tmp_path, suffixes) == ["b.txt"]


def test_litter_is_passed_over_even_if_its_suffix_is_asked_for(tmp_path):
    fill(tmp_path, "Thumbs.db", "real.db")

    assert names(tmp_path, [".db"]) == ["real.db"]


def test_paths_start_with_the_folder(tmp_path):
    fill(tmp_path, "a.png")

    assert files_in(str(tmp_path)) == [tmp_path / "a.png"]


def test_a_missing_folder_is_told_and_so_is_a_file(tmp_path):
    fill(tmp_path, "a.png")

    with pytest.raises(ReadError, match="nowhere does not exist"):
        files_in(tmp_path / "nowhere")
    with pytest.raises(ReadError, match=r"a\.png is a file"):
        files_in(tmp_path / "a.png")


def test_the_suffixes_are_those_of_the_readers(monkeypatch):
    assert set(IMAGE_SUFFIXES) >= {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp"}
    assert ".new" not in IMAGE_SUFFIXES
    monkeypatch.setattr(readers["png"], "suffixes", (".new",))
    assert ".new" in IMAGE_SUFFIXES
    assert ".png" not in IMAGE_SUFFIXES
