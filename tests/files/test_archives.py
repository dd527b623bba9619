import io
import os
import pickle
import tarfile
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from maskwright import files
from maskwright.errors import ReadError
from maskwright.files import archive_index, archives, read_image, read_mask, write_image
from maskwright.files.places import content_hash, folders_in, is_file, is_folder, open_file, read_bytes, stamp


def tarred(path, contents, **options):
    """A tar as `tarfile` writes it: name → bytes."""
    with tarfile.open(path, "w", **options) as tar:
        for name, data in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def zipped(path, contents, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return path


def packed(path, contents):
    return zipped(path, contents) if path.suffix == ".zip" else tarred(path, contents)


@pytest.fixture
def pictures(tmp_path, paint):
    """Files of several kinds in a folder, by the name they get in archives."""
    (tmp_path / "plain" / "deep").mkdir(parents=True)
    write_image(tmp_path / "plain" / "a.png", paint(9, 7))
    write_image(tmp_path / "plain" / "deep" / "b.jpg", paint(16, 8, 3))
    write_image(tmp_path / "plain" / "c10.tif", paint(9, 7, dtype="uint16"))
    tifffile.imwrite(tmp_path / "plain" / "c9.tif", paint(3, 600, 900), photometric="minisblack", metadata=None)
    return {p.relative_to(tmp_path / "plain").as_posix(): p for p in sorted((tmp_path / "plain").rglob("*.*"))}


@pytest.mark.parametrize("suffix", [".tar", ".zip", ".TAR"])
def test_a_file_in_an_archive_is_the_file_itself(suffix, pictures, tmp_path):
    archive = packed(tmp_path / f"all{suffix}", {name: path.read_bytes() for name, path in pictures.items()})

    for name, path in pictures.items():
        inside = archive / name
        assert read_bytes(inside) == path.read_bytes()
        assert content_hash(inside) == content_hash(path)
        assert files.pages_in(inside) == files.pages_in(path)
        assert is_file(inside)
        assert not is_folder(inside)
        page = 1 if files.pages_in(path) > 1 else None
        np.testing.assert_array_equal(read_image(inside, page), read_image(path, page), strict=True)
        assert files.read_header(inside, page) == files.read_header(path, page)
    np.testing.assert_array_equal(read_mask(archive / "a.png").values, read_mask(pictures["a.png"]).values)


@pytest.mark.parametrize("suffix", [".tar", ".zip"])
def test_an_archive_is_listed_as_a_folder_is(suffix, pictures, tmp_path):
    contents = {f"./{name}": path.read_bytes() for name, path in pictures.items()}
    archive = packed(tmp_path / f"all{suffix}", {**contents, ".hidden.png": b"", "notes.txt": b"x"})
    plain = tmp_path / "plain"

    for place in ("", "deep"):
        names = [path.name for path in files.files_in(archive / place)]
        assert names == [path.name for path in files.files_in(plain / place)]
        assert [path.name for path in folders_in(archive / place)] == [p.name for p in folders_in(plain / place)]
        assert files.has_files(archive / place)
        assert is_folder(archive / place)
    assert files.members(archive) == [*pictures, ".hidden.png", "notes.txt"]
    assert not files.has_files(archive, {".bmp"})


def test_a_large_member_is_a_window_and_not_a_copy(tmp_path):
    data = np.random.default_rng(0).bytes(archives.SMALL + 5000)
    tar = tarred(tmp_path / "a.tar", {"first.bin": b"x" * 700, "large.bin": data, "last.bin": b"y"})
    stored = zipped(tmp_path / "a.zip", {"large.bin": data}, zipfile.ZIP_STORED)

    for archive in (tar, stored):
        with open_file(archive / "large.bin") as file:
            assert not isinstance(file, io.BytesIO)
            assert file.seek(0, os.SEEK_END) == len(data)
            assert file.read(10) == b""
            for start, length in ((0, 10), (len(data) - 4, 100), (70_000, 5), (3, 200_000)):
                file.seek(start)
                assert file.read(length) == data[start : start + length]
            file.seek(5)
            file.seek(2, os.SEEK_CUR)
            assert file.tell() == 7
            with pytest.raises(ValueError, match="negative"):
                file.seek(-1)


@given(names=st.lists(st.text("ab/.é ", min_size=1, max_size=8), max_size=6), sizes=st.lists(st.integers(0, 2000)))
def test_whatever_is_packed_is_found_or_refused(names, sizes, tmp_path_factory):
    """As `tarfile` itself would unpack it; the later of two with one name counts."""
    contents = {name: bytes([i]) * size for i, (name, size) in enumerate(zip(names, sizes, strict=False))}
    path = tarred(tmp_path_factory.mktemp("tar") / "x.tar", contents)
    steps = {name: [step for step in name.split("/") if step not in ("", ".")] for name in contents}
    if any(".." in step or not step or name.startswith("/") for name, step in steps.items()):
        with pytest.raises(ReadError, match="leads out of the archive"):
            files.members(path)
        return
    clean = {"/".join(step): contents[name] for name, step in steps.items()}
    assert set(files.members(path)) == set(clean)
    assert {name: read_bytes(path / name) for name in clean} == clean


def test_of_two_members_with_one_name_the_later_counts(tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        for data in (b"old", b"newer"):
            info = tarfile.TarInfo("a.bin")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))

    assert files.members(path) == ["a.bin"]
    assert read_bytes(path / "a.bin") == b"newer"


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_kind_of_tar_is_read(kind, tmp_path):
    names = ["a" * 90 + ".bin", "d/" + "e" * 80 + "/f.bin"]
    if kind != tarfile.USTAR_FORMAT:
        names.append("long/" * 40 + "ö.bin")
    path = tarred(tmp_path / "a.tar", {name: name.encode() for name in names}, format=kind)

    assert {name: read_bytes(path / name) for name in files.members(path)} == {name: name.encode() for name in names}


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "x/../../a.png", "C:/a.png", "a\\b.png", "x/" * 70 + "a"])
@pytest.mark.parametrize("suffix", [".tar", ".zip"])
def test_names_that_lead_out_are_refused(name, suffix, tmp_path):
    if suffix == ".zip" and "\\" in name and os.sep == "\\":
        return
    path = packed(tmp_path / f"a{suffix}", {"fine.png": b"", name: b""})
    with pytest.raises(ReadError, match="leads out of the archive"):
        files.files_in(path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE])
def test_links_devices_and_sparse_members_are_refused(kind, tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        info = tarfile.TarInfo("odd.png")
        info.type, info.linkname = kind, "/etc/passwd"
        tar.addfile(info)
    with pytest.raises(ReadError, match=r"holds 'odd\.png', which is (a link or a device|sparse)"):
        read_image(path / "odd.png")


def test_a_link_in_a_zip_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("odd.png")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(ReadError, match="is a link"):
        read_image(tmp_path / "a.zip" / "odd.png")


def test_a_zip_that_is_packed_in_another_way_is_refused(tmp_path):
    with pytest.raises(ReadError, match="compressed in a way"):
        files.members(zipped(tmp_path / "a.zip", {"a": b"aaaa"}, zipfile.ZIP_BZIP2))
    path = zipped(tmp_path / "b.zip", {"a": b"aaaa"})
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(ReadError, match="encrypted"):
        files.members(path)


@pytest.mark.parametrize("name", ["a.tar.gz", "a.tgz", "a.tar"])
def test_a_tar_that_is_compressed_as_a_whole_is_refused_with_the_reason(name, tmp_path):
    with tarfile.open(tmp_path / name, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("a.png"))
    for ask in (lambda path: read_image(path / "a.png"), files.files_in):
        with pytest.raises(ReadError, match=r"compressed as a whole.*decompress it first"):
            ask(tmp_path / name)


def test_a_tar_cut_anywhere_is_told(tmp_path):
    path = tarred(tmp_path / "a.tar", {f"{i}.bin": bytes([i]) * 700 for i in range(4)})
    whole = path.read_bytes()
    for length in [0, 100, 512, 600, 1024, 1536, 2048, 3000, 4608, 6144]:
        path.write_bytes(whole[:length])
        with pytest.raises(ReadError, match=r"a\.tar (is damaged|was cut short|is empty)"):
            files.members(path)
    path.write_bytes(whole[: 4 * 1536 + 1024])
    assert len(files.members(path)) == 4


def test_a_tar_damaged_in_its_middle_is_told_and_not_taken_for_its_end(tmp_path):
    path = tarred(tmp_path / "a.tar", {f"{i}.bin": bytes([i]) * 700 for i in range(4)})
    whole = bytearray(path.read_bytes())
    whole[2 * 1536 + 3] ^= 255
    path.write_bytes(whole)
    with pytest.raises(ReadError, match=r"is damaged, at byte 3072"):
        files.members(path)


def test_a_tar_behind_a_tar_is_told(tmp_path):
    path = tarred(tmp_path / "a.tar", {"a": b"1"})
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(ReadError, match=r"goes on after its end.*one behind the other"):
        files.members(path)


@pytest.mark.parametrize("place", range(0, 400, 9))
def test_a_damaged_zip_gives_the_bytes_or_an_error_of_ours(place, tmp_path):
    contents = {"a.bin": b"hello" * 50, "b.bin": bytes(range(256))}
    path = zipped(tmp_path / "a.zip", contents)
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= 0x5A
    path.write_bytes(data)
    try:
        for name in files.members(path):
            assert read_bytes(path / name) in contents.values()
    except ReadError:
        pass


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "LARGEST_DEFLATED", 1000)
    path = zipped(tmp_path / "a.zip", {"a.bin": b"\0" * 1001})
    with pytest.raises(ReadError, match="unpacks to 1,001 bytes"):
        read_bytes(path / "a.bin")


def test_what_is_not_there_is_told(tmp_path):
    path = tarred(tmp_path / "a.tar", {"deep/a.png": b"x"})
    with pytest.raises(ReadError, match=r"a\.tar has no file b\.png: it holds 1 others"):
        read_image(path / "b.png")
    with pytest.raises(ReadError, match="deep is a folder there"):
        read_bytes(path / "deep")
    with pytest.raises(ReadError, match="it is a file there"):
        files.files_in(path / "deep" / "a.png")
    with pytest.raises(ReadError, match="does not exist"):
        read_image(tmp_path / "none.tar" / "b.png")
    assert not is_file(path / "b.png")
    assert not is_folder(path / "b")


def test_a_folder_called_as_an_archive_is_a_folder(tmp_path, paint):
    write_image(tmp_path / "odd.tar" / "a.png", paint(4, 4))
    assert [path.name for path in files.files_in(tmp_path / "odd.tar")] == ["a.png"]
    assert read_image(tmp_path / "odd.tar" / "a.png").shape == (4, 4, 1)


def test_an_archive_that_changes_is_looked_at_anew(tmp_path):
    path = tarred(tmp_path / "a.tar", {"a": b"1"})
    before = stamp(path / "a")
    assert files.members(path) == ["a"]
    tarred(path, {"b": b"22", "a": b"3"})
    assert files.members(path) == ["b", "a"]
    assert read_bytes(path / "a") == b"3"
    assert stamp(path / "a") != before


def test_an_archive_is_indexed_once_however_many_threads_ask(tmp_path, monkeypatch):
    path = tarred(tmp_path / "a.tar", {f"{i:03}": bytes([i]) for i in range(200)})
    asked, real = [], archive_index.contents_of
    monkeypatch.setattr(archives, "contents_of", lambda path: (asked.append(path), real(path))[1])
    start = threading.Barrier(4)

    def read(part):
        start.wait()
        return [read_bytes(path / f"{i:03}") for i in range(part, 200, 4)]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(read, range(4)))

    assert asked == [path]
    assert found == [[bytes([i]) for i in range(part, 200, 4)] for part in range(4)]


def test_what_is_remembered_of_archives_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "REMEMBERED", 25)
    monkeypatch.setattr(archives, "_remembered", archives._Remembered())
    paths = [tarred(tmp_path / f"{n}.tar", {str(i): b"" for i in range(10)}) for n in range(5)]
    for path in paths:
        files.members(path)
    assert list(archives._remembered._known) == paths[-2:]
    assert len(files.members(paths[0])) == 10


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_reads_while_a_thread_of_its_parent_holds_the_lock(tmp_path):
    path = tarred(tmp_path / "a.tar", {"a": b"1"})
    files.members(path)
    read, write = os.pipe()
    with archives._remembered._lock:
        child = os.fork()
        if child == 0:  # whatever happens, it must not go on as a second pytest
            try:
                found = read_bytes(path / "a")
            except BaseException as error:  # told by the parent, which fails then
                found = repr(error).encode()
            os.write(write, found)
            os._exit(0)
    assert os.read(read, 1000) == b"1"
    os.waitpid(child, 0)


def test_the_same_bytes_have_the_same_hash_wherever_they_lie(tmp_path):
    (tmp_path / "x.bin").write_bytes(b"abc")
    tar, zip_ = tarred(tmp_path / "a.tar", {"y": b"abc"}), zipped(tmp_path / "a.zip", {"z": b"abc"})
    assert len({content_hash(path) for path in (tmp_path / "x.bin", tar / "y", zip_ / "z")}) == 1


def test_a_hash_is_of_what_lies_there_now(tmp_path, paint):
    """Also right after the file was read, when its bytes are still at hand."""
    path = write_image(tmp_path / "a.png", paint(5, 5))
    read_image(path)
    first = content_hash(path)
    write_image(path, paint(5, 6))
    assert content_hash(path) != first
    assert content_hash(path) == files.hashed(path.read_bytes())


def test_paths_into_archives_travel(tmp_path):
    tar = tarred(tmp_path / "a.tar", {"y": b"abc"})
    assert read_bytes(pickle.loads(pickle.dumps(Path(tar / "y")))) == b"abc"
