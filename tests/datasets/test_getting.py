import errno
import hashlib
import importlib.util
import logging
import tarfile

import pooch
import pytest

from maskwright.datasets import dataset_card, get, getting
from maskwright.datasets.getting import bring, there
from maskwright.errors import DataError, DownloadError, ReadError, SettingError


def unpacked(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def wanted(archives):
    return {name.removeprefix("set/"): content for name, content in archives.files.items()}


@pytest.mark.parametrize("published", [True, False])
@pytest.mark.parametrize("file", ["set.tar.gz", "set.zip"])
def test_a_data_set_is_fetched_checked_and_unpacked(card_of, archives, wanted, tmp_path, published, file):
    archive = archives.zip(archives.files) if file.endswith("zip") else archives.tar(archives.files)
    card = card_of(archive, published, file)
    told = []

    folder = bring(card, tmp_path / "data", agree=True, progress=lambda *news: told.append(news))

    assert folder == tmp_path / "data" / "tiny"
    assert unpacked(folder) == wanted
    assert there(card, tmp_path / "data")
    beside = {path.name for path in (tmp_path / "data").iterdir()}
    assert beside == ({"tiny"} if published else {"tiny", "tiny.sha256"}), "archives and parts are gone"
    assert {what for what, _, _ in told} == {file, f"unpacking {file}"}
    assert (file, len(archive), len(archive)) in told


def test_get_finds_the_card_by_its_name(card_of, archives, tmp_path, monkeypatch):
    card = card_of(archives.tar(archives.files))
    monkeypatch.setattr(dataset_card, "_cards", lambda: {"tiny": card})

    assert get("tiny", tmp_path, agree=True).is_dir()
    with pytest.raises(SettingError, match="Did you mean 'tiny'"):
        get("tinny", tmp_path, agree=True)


def test_nothing_is_asked_for_before_the_terms_are_agreed_to(card_of, archives, publisher, tmp_path):
    with pytest.raises(SettingError, match=r"Public domain.*agree=True"):
        bring(card_of(archives.tar(archives.files)), tmp_path / "data", agree=False)

    assert publisher.asked == []
    assert not (tmp_path / "data").exists()


def test_what_is_there_is_left_alone(card_of, archives, publisher, tmp_path):
    card = card_of(archives.tar(archives.files))
    bring(card, tmp_path, agree=True)
    (tmp_path / "tiny" / "masks" / "a.png").write_bytes(b"drawn again by hand")
    asked = len(publisher.asked)

    bring(card, tmp_path, agree=False)

    assert len(publisher.asked) == asked
    assert (tmp_path / "tiny" / "masks" / "a.png").read_bytes() == b"drawn again by hand"


def test_a_folder_of_somebody_else_is_in_the_way(card_of, archives, publisher, tmp_path):
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "thesis.txt").write_text("mine")

    with pytest.raises(DataError, match=r"is not a whole tiny, and is left as it is"):
        bring(card_of(archives.tar(archives.files)), tmp_path, agree=True)

    assert unpacked(tmp_path) == {"tiny/thesis.txt": b"mine"}
    assert publisher.asked == []


def test_a_folder_that_fills_up_meanwhile_is_not_overwritten(card_of, archives, tmp_path):
    def intrude(what, done, total):
        (tmp_path / "tiny").mkdir(exist_ok=True)
        (tmp_path / "tiny" / "thesis.txt").write_text("mine")

    with pytest.raises(DownloadError, match="cannot be put into"):
        bring(card_of(archives.tar(archives.files)), tmp_path, agree=True, progress=intrude)

    assert unpacked(tmp_path / "tiny") == {"thesis.txt": b"mine"}


def test_an_empty_folder_is_filled(card_of, archives, wanted, tmp_path):
    (tmp_path / "tiny").mkdir()

    assert unpacked(bring(card_of(archives.tar(archives.files)), tmp_path, agree=True)) == wanted


def test_a_place_that_is_a_file_is_said(card_of, archives, tmp_path):
    (tmp_path / "data").write_text("not a folder")

    with pytest.raises(DownloadError, match=r"cannot be put into .*data"):
        bring(card_of(archives.tar(archives.files)), tmp_path / "data", agree=True)


def test_a_wrong_checksum_is_said_and_nothing_is_unpacked(card_of, archives, tmp_path):
    card = card_of(archives.tar(archives.files), md5="0" * 32)

    with pytest.raises(DownloadError, match=f"another checksum than the one published: md5:{'0' * 32}.*was removed"):
        bring(card, tmp_path, agree=True)

    assert not (tmp_path / "tiny").exists()
    assert unpacked(tmp_path) == {}


def test_a_part_with_wrong_bytes_costs_a_second_download_and_no_more(card_of, archives, publisher, wanted, tmp_path):
    archive = archives.tar(archives.files)
    (tmp_path / ".tiny.partial").mkdir()
    (tmp_path / ".tiny.partial" / "set.tar.gz.part").write_bytes(b"wrong")

    folder = bring(card_of(archive), tmp_path, agree=True)

    assert unpacked(folder) == wanted
    assert [headers.get("Range") for _, headers in publisher.asked] == ["bytes=5-", None]


def test_a_download_that_was_cut_goes_on_in_the_next_run(card_of, archives, publisher, wanted, tmp_path):
    archive = archives.tar(archives.files)
    card = card_of(archive)
    publisher.cuts, publisher.codes = [100], [0, 503, 503, 503, 503, 503]
    with pytest.raises(DownloadError, match="is kept"):
        bring(card, tmp_path, agree=True)

    assert unpacked(bring(card, tmp_path, agree=True)) == wanted
    assert publisher.sent == len(archive)


def test_a_mirror_is_asked_where_the_first_address_fails(card_of, archives, publisher, wanted, tmp_path):
    archive = archives.tar(archives.files)
    card = card_of(archive, url=publisher.url("gone/set.tar.gz"), mirrors=(publisher.url("set.tar.gz"),))

    assert unpacked(bring(card, tmp_path, agree=True)) == wanted
    assert [path for path, _ in publisher.asked] == ["gone/set.tar.gz", "set.tar.gz"]


def test_where_all_addresses_fail_the_first_one_is_named(card_of, archives, publisher, tmp_path):
    card = card_of(
        archives.tar(archives.files), url=publisher.url("gone.tar.gz"), mirrors=(publisher.url("also-gone.tar.gz"),)
    )

    with pytest.raises(DownloadError, match=r"/gone\.tar\.gz: the server answers 404"):
        bring(card, tmp_path, agree=True)


def test_without_a_published_checksum_the_first_download_is_the_measure(card_of, archives, publisher, tmp_path):
    first = archives.tar(archives.files)
    card = card_of(first, published=False)
    bring(card, tmp_path, agree=True)
    note = (tmp_path / "tiny.sha256").read_text()
    assert note == f"{hashlib.sha256(first).hexdigest()}  set.tar.gz\n", "as sha256sum writes it"

    (tmp_path / "tiny").rename(tmp_path / "old")
    publisher.files["set.tar.gz"] = archives.tar({**archives.files, "set/names.txt": b"dog\n"})
    with pytest.raises(DownloadError, match=r"one of the first download.*If you trust the new file, delete .*\.sha256"):
        bring(card, tmp_path, agree=True)
    assert not (tmp_path / "tiny").exists()

    publisher.files["set.tar.gz"] = first
    bring(card, tmp_path, agree=True)
    assert unpacked(tmp_path / "tiny") == unpacked(tmp_path / "old")


def test_an_archive_cut_short_without_a_word_sets_no_measure(card_of, archives, publisher, wanted, tmp_path):
    whole = archives.zip(archives.files)
    card = card_of(whole[:-30], published=False, file="set.zip")
    with pytest.raises(ReadError, match="damaged"):
        bring(card, tmp_path, agree=True)
    assert unpacked(tmp_path) == {}

    publisher.files["set.zip"] = whole
    assert unpacked(bring(card, tmp_path, agree=True)) == wanted


def test_a_dangerous_archive_leaves_nothing(card_of, archives, tmp_path):
    card = card_of(archives.tar({**archives.files, "../../escaped": b"!"}), published=False)

    with pytest.raises(ReadError, match="a place outside"):
        bring(card, tmp_path / "data", agree=True)

    assert unpacked(tmp_path) == {}


def test_archives_without_the_expected_folders_make_no_data_set(card_of, archives, tmp_path):
    card = card_of(archives.tar({"set/images/a.png": b"1"}))

    with pytest.raises(DataError, match=r"masks is not among their files.*https://example.org"):
        bring(card, tmp_path, agree=True)

    assert not (tmp_path / "tiny").exists()


def test_too_small_a_disk_is_said_before_anything_is_asked_for(card_of, archives, publisher, tmp_path, full_disk):
    archive = archives.tar(archives.files)
    full_disk(2 * len(archive) - 1)

    with pytest.raises(DownloadError, match="are needed on the disk"):
        bring(card_of(archive), tmp_path / "data", agree=True)
    assert publisher.asked == []
    assert not (tmp_path / "data").exists()

    full_disk(2 * len(archive))
    bring(card_of(archive), tmp_path / "data", agree=True)


def test_without_a_published_size_the_disk_is_looked_at_before_the_first_byte(
    card_of, archives, publisher, tmp_path, full_disk
):
    archive = archives.tar(archives.files)
    full_disk(2 * len(archive) - 1)

    with pytest.raises(DownloadError, match="are needed on the disk"):
        bring(card_of(archive, published=False), tmp_path, agree=True)

    assert list(tmp_path.rglob("*.part")) == []


def test_a_disk_that_fills_up_while_unpacking_keeps_the_archive(
    card_of, archives, publisher, wanted, tmp_path, monkeypatch
):
    card = card_of(archives.tar(archives.files))

    def full(archive, kind, target, **options):
        target.mkdir(parents=True)
        (target / "half.png").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(getting, "unpack", full)
        with pytest.raises(DownloadError, match=r"No space left on device. Free some room.*archive is kept"):
            bring(card, tmp_path, agree=True)
    assert set(unpacked(tmp_path)) == {".tiny.partial/set.tar.gz"}

    assert unpacked(bring(card, tmp_path, agree=True)) == wanted
    assert len(publisher.asked) == 1, "the archive was not fetched again"


def test_ctrl_c_while_unpacking_leaves_no_half_data_set(card_of, archives, wanted, tmp_path):
    card = card_of(archives.tar(archives.files))

    def stop(what, done, total):
        if what.startswith("unpacking"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring(card, tmp_path, agree=True, progress=stop)
    assert set(unpacked(tmp_path)) == {".tiny.partial/set.tar.gz"}

    assert unpacked(bring(card, tmp_path, agree=True)) == wanted


def test_what_a_killed_run_unpacked_is_unpacked_anew(card_of, archives, wanted, tmp_path):
    stale = tmp_path / ".tiny.partial" / "unpacked" / "images"
    stale.mkdir(parents=True)
    (stale / "of-an-older-version.png").write_bytes(b"old")

    assert unpacked(bring(card_of(archives.tar(archives.files)), tmp_path, agree=True)) == wanted


def test_by_hand_means_steps_and_no_request(by_hand_card, tmp_path):
    with pytest.raises(
        DataError, match=r"(?s)by hand:\n1\. Ask the author\.\n2\. Put the answer into .*tiny\..*tiny/\n└"
    ):
        bring(by_hand_card, tmp_path, agree=True)

    assert list(tmp_path.iterdir()) == []


def test_what_was_got_by_hand_is_found(by_hand_card, tmp_path):
    (tmp_path / "tiny" / "images").mkdir(parents=True)
    assert not there(by_hand_card, tmp_path)
    (tmp_path / "tiny" / "masks").mkdir()

    assert bring(by_hand_card, tmp_path, agree=False) == tmp_path / "tiny"


def test_without_pooch_the_pip_line_is_said(card_of, archives, publisher, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(SettingError, match=r'pip install "maskwright\[datasets\]"'):
        bring(card_of(archives.tar(archives.files)), tmp_path, agree=True)

    assert publisher.asked == []


def test_pooch_is_quiet_here_and_as_loud_as_before_afterwards(card_of, archives, tmp_path):
    logger, heard = pooch.get_logger(), []
    ear = logging.Handler()
    ear.emit = heard.append
    logger.addHandler(ear)
    level = logger.level
    logger.setLevel(logging.INFO)
    try:
        bring(card_of(archives.tar(archives.files), published=False), tmp_path, agree=True)
        assert logger.level == logging.INFO
    finally:
        logger.removeHandler(ear)
        logger.setLevel(level)

    assert heard == []


def test_owners_and_modes_of_an_archive_are_not_taken_over(card_of, tmp_path):
    path = tmp_path / "made.tar"
    with tarfile.open(path, "w") as tar:
        for name in ("set/images/a", "set/masks/a"):
            member = tarfile.TarInfo(name)
            member.mode = 0o4777
            tar.addfile(member)

    folder = bring(card_of(path.read_bytes()), tmp_path, agree=True)

    assert (folder / "images" / "a").stat().st_mode & 0o7000 == 0
