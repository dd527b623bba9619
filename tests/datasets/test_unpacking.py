import io
import shutil
import stat
import tarfile
import zipfile

import pytest

from maskwright.datasets.unpacking import unpack
from maskwright.errors import DownloadError, ReadError


@pytest.fixture
def place(tmp_path):
    """An archive on the disk, two folders deep, so that one may try to climb out."""
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    return tmp_path / "deep" / "deeper"


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refuse(place, kind, match):
    """Unpacking is refused, and nothing is made outside the target."""

    def outside():
        return {path for path in place.parents[1].rglob("*") if place / "out" not in {path, *path.parents}}

    before = outside()
    with pytest.raises(ReadError, match=match):
        unpack(place / "archive", kind, place / "out")
    assert outside() == before


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_what_is_unpacked_is_what_python_unpacks(place, archives, kind):
    archive = place / f"archive.{'tar.gz' if kind == 'tar' else 'zip'}"
    archive.write_bytes(getattr(archives, kind)(archives.files))
    shutil.unpack_archive(archive, place / "twin", **({"filter": "data"} if kind == "tar" else {}))

    unpack(archive, kind, place / "out")

    assert tree(place / "out") == tree(place / "twin") == archives.files


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_may_be_compressed_in_any_of_the_usual_ways(place, archives, mode):
    (place / "archive").write_bytes(archives.tar(archives.files, mode))

    unpack(place / "archive", "tar", place / "out")

    assert tree(place / "out") == archives.files


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_top_folder_is_left_away_where_there_is_one(place, archives, kind):
    (place / "archive").write_bytes(getattr(archives, kind)({"./set/a/b": b"1", "c": b"2", "setting/d": b"3"}))

    unpack(place / "archive", kind, place / "out", drop="set")

    assert tree(place / "out") == {"a/b": b"1", "c": b"2", "setting/d": b"3"}


def test_folders_are_made_even_if_nothing_is_in_them(place):
    with tarfile.open(place / "archive", "w") as tar:
        folder = tarfile.TarInfo("empty")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
    unpack(place / "archive", "tar", place / "out")
    with zipfile.ZipFile(place / "archive", "w") as archive:
        archive.writestr("void/", b"")
    unpack(place / "archive", "zip", place / "out")

    assert {path.name for path in (place / "out").iterdir() if path.is_dir()} == {"empty", "void"}


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/tmp/maskwright-x", "C:/x", "a\\..\\x", "..", "a/.."])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_member_that_would_leave_the_folder_is_refused(place, archives, kind, name):
    (place / "archive").write_bytes(getattr(archives, kind)({"fine": b"1", name: b"2"}))

    refuse(place, kind, "a place outside")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE])
@pytest.mark.parametrize("goal", ["../../x", "/etc/passwd", "fine"])
def test_links_and_devices_in_a_tar_are_refused(place, kind, goal):
    with tarfile.open(place / "archive", "w") as tar:
        tar.addfile(tarfile.TarInfo("fine"), io.BytesIO())
        member = tarfile.TarInfo("odd")
        member.type, member.linkname = kind, goal
        tar.addfile(member)

    refuse(place, "tar", "'odd', which is a link or a device")


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_in_a_zip_are_refused(place, mode):
    member = zipfile.ZipInfo("odd")
    member.external_attr = (mode | 0o777) << 16
    with zipfile.ZipFile(place / "archive", "w") as archive:
        archive.writestr(member, "../../x")

    refuse(place, "zip", "'odd', which is a link or a device")


def test_an_encrypted_zip_is_refused(place, archives):
    content = bytearray(archives.zip({"secret": b"1"}))
    content[6] |= 1  # general purpose bit 0 of the local header, and of the directory's
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (place / "archive").write_bytes(content)

    refuse(place, "zip", "encrypted")


def test_a_zip_packed_in_an_unknown_way_is_refused(place, archives):
    content = bytearray(archives.zip({"odd": b"1"}))
    content[8] = 97
    content[content.index(b"PK\x01\x02") + 10] = 97
    (place / "archive").write_bytes(content)

    refuse(place, "zip", "packed in a way unknown")


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_damaged_archive_is_said(place, archives, kind):
    good = getattr(archives, kind)(archives.files)
    for content in (good[: len(good) // 2], b"<html>not here</html>", b"", b"\x1f\x8b" + bytes(40)):
        (place / "archive").write_bytes(content)
        refuse(place, kind, "is damaged")


def test_a_byte_changed_inside_a_zip_is_found(place, archives):
    content = bytearray(archives.zip({"a": b"x" * 100}))
    content[60] ^= 1
    (place / "archive").write_bytes(content)

    refuse(place, "zip", "CRC")


def test_a_zip_that_grows_larger_than_the_disk_is_not_begun(place, archives, full_disk):
    (place / "archive").write_bytes(archives.zip({"a": b"x" * 5000}))
    full_disk(4000)

    with pytest.raises(DownloadError, match="5 kB are needed"):
        unpack(place / "archive", "zip", place / "out")

    assert tree(place / "out") == {}


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_progress_grows_up_to_the_archives_size(place, archives, kind):
    (place / "archive").write_bytes(getattr(archives, kind)(archives.files))
    told = []

    unpack(place / "archive", kind, place / "out", tell=lambda done, size: told.append((done, size)))

    assert len(told) == len(archives.files)
    assert told == sorted(told)
    assert 0 < told[-1][0] <= told[-1][1] == (place / "archive").stat().st_size
