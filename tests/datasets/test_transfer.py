import gzip
import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maskwright.datasets.transfer import TRIES, Transfer, need_room
from maskwright.errors import DownloadError

BODY = bytes(range(256)) * 500


@pytest.fixture
def part(tmp_path):
    return tmp_path / "file.part"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "file"


def ranges(publisher):
    return [headers.get("Range") for _, headers in publisher.asked]


def test_a_file_arrives_whole_and_leaves_nothing_beside_it(publisher, part, file, tmp_path):
    publisher.files["f"] = BODY
    told = []

    Transfer(part, tell=lambda done, total: told.append((done, total)))(publisher.url("f"), file)

    assert file.read_bytes() == BODY
    assert list(tmp_path.iterdir()) == [file]
    assert told[-1] == (len(BODY), len(BODY))
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_cut_connection_goes_on_where_it_ended(publisher, part, file, waits):
    publisher.files["f"], publisher.cuts = BODY, [70_000]
    transfer = Transfer(part)

    transfer(publisher.url("f"), file)

    assert file.read_bytes() == BODY
    assert ranges(publisher) == [None, "bytes=70000-"]
    assert publisher.asked[1][1]["If-Range"] == publisher.etag
    assert publisher.sent == len(BODY), "no byte is sent twice"
    assert transfer.resumed
    assert waits == [1.0]


def test_the_next_run_goes_on_with_the_part_of_the_last(publisher, part, file):
    publisher.files["f"], publisher.cuts, publisher.codes = BODY, [50_000], [0] + [503] * TRIES
    with pytest.raises(DownloadError, match=r"50 kB\) is kept; the same command goes on from there"):
        Transfer(part)(publisher.url("f"), file)
    assert not file.exists()

    Transfer(part)(publisher.url("f"), file)

    assert file.read_bytes() == BODY
    assert ranges(publisher)[-1] == "bytes=50000-"


def test_a_server_without_ranges_sends_the_whole_again(publisher, part, file):
    publisher.files["f"], publisher.cuts, publisher.ranges = BODY, [70_000], False
    transfer = Transfer(part)

    transfer(publisher.url("f"), file)

    assert file.read_bytes() == BODY
    assert not transfer.resumed


def test_a_file_replaced_in_between_is_not_patched_together(publisher, part, file):
    publisher.files["f"], publisher.cuts, publisher.codes = BODY, [50_000], [0] + [503] * TRIES
    with pytest.raises(DownloadError):
        Transfer(part)(publisher.url("f"), file)

    publisher.files["f"], publisher.etag = BODY[::-1], '"two"'
    Transfer(part)(publisher.url("f"), file)

    assert file.read_bytes() == BODY[::-1]


def test_a_part_from_another_address_is_not_gone_on_with_unless_a_checksum_follows(publisher, part, file):
    publisher.files |= {"f": BODY, "g": BODY}
    for checked, wanted in ((False, None), (True, "bytes=50000-")):
        publisher.cuts, publisher.codes = [50_000], [0] + [503] * TRIES
        with pytest.raises(DownloadError):
            Transfer(part)(publisher.url("f"), file)

        Transfer(part, checked=checked)(publisher.url("g"), file)

        assert file.read_bytes() == BODY
        assert ranges(publisher)[-1] == wanted
        assert "If-Range" not in publisher.asked[-1][1]


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_where_the_server_names_no_version_a_part_is_not_trusted(publisher, part, file, etag):
    publisher.files["f"], publisher.cuts, publisher.etag = BODY, [50_000], etag

    Transfer(part)(publisher.url("f"), file)

    assert file.read_bytes() == BODY
    assert ranges(publisher) == [None, None]


def test_without_an_etag_the_date_tells_one_version_from_another(publisher, part, file):
    date = "Mon, 02 Jan 2012 03:04:05 GMT"
    publisher.files["f"], publisher.cuts, publisher.etag = BODY, [50_000], None
    publisher.extra = {"Last-Modified": date}

    Transfer(part)(publisher.url("f"), file)

    assert file.read_bytes() == BODY
    assert [headers.get("If-Range") for _, headers in publisher.asked] == [None, date]


def test_the_bytes_are_those_on_the_server_not_unpacked_on_the_way(publisher, part, file):
    """Some servers call a .tar.gz a tar that they packed for the journey; a browser would unpack it."""
    publisher.files["f"] = packed = gzip.compress(BODY)
    publisher.extra = {"Content-Encoding": "gzip"}

    Transfer(part)(publisher.url("f"), file)

    assert file.read_bytes() == packed
    assert publisher.asked[0][1]["Accept-Encoding"] == "identity"


def test_a_server_that_sends_another_range_than_asked_is_asked_for_the_whole(publisher, part, file):
    publisher.files["f"], publisher.cuts, publisher.shift = BODY, [50_000], 7

    Transfer(part)(publisher.url("f"), file)

    assert file.read_bytes() == BODY
    assert ranges(publisher) == [None, "bytes=50000-", None]


@pytest.mark.parametrize("size", [None, len(BODY)])
def test_a_part_that_is_whole_already_is_taken(publisher, part, file, size):
    publisher.files["f"] = BODY
    part.write_bytes(BODY)

    Transfer(part, checked=True, size=size)(publisher.url("f"), file)

    assert file.read_bytes() == BODY
    assert publisher.sent == 0


def test_a_part_that_is_longer_than_the_file_is_thrown_away(publisher, part, file):
    publisher.files["f"] = BODY
    part.write_bytes(BODY + b"more")

    Transfer(part, checked=True)(publisher.url("f"), file)

    assert file.read_bytes() == BODY


def test_a_busy_server_is_asked_again_after_longer_and_longer_waits(publisher, part, file, waits):
    publisher.files["f"], publisher.codes = BODY, [503, 429, 500]

    Transfer(part)(publisher.url("f"), file)

    assert file.read_bytes() == BODY
    assert waits == [1.0, 2.0, 4.0]


def test_every_new_byte_earns_new_tries(publisher, part, file, waits):
    publisher.files["f"], publisher.cuts = BODY, [10_000] * (2 * TRIES)

    Transfer(part)(publisher.url("f"), file)

    assert file.read_bytes() == BODY
    assert waits == [1.0] * (2 * TRIES)


def test_a_server_that_begins_anew_each_time_is_given_up(publisher, part, file):
    publisher.files["f"], publisher.cuts, publisher.ranges = BODY, [10_000] * 100, False

    with pytest.raises(DownloadError, match="out of reach"):
        Transfer(part)(publisher.url("f"), file)

    assert len(publisher.asked) <= TRIES + 1


def test_what_is_not_there_is_asked_for_once(publisher, part, file):
    with pytest.raises(DownloadError, match=r"answers 404.*homepage"):
        Transfer(part)(publisher.url("nothing"), file)

    assert len(publisher.asked) == 1


def test_offline_is_said_after_all_tries(part, file, waits, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as unused:  # bound, but nobody listens
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(DownloadError, match=r"out of reach .*Check the connection"):
            Transfer(part)(f"http://127.0.0.1:{unused.getsockname()[1]}/f", file)

    assert waits == [1.0, 2.0, 4.0, 8.0]


def test_an_address_that_is_none_is_said(part, file):
    with pytest.raises(DownloadError, match="cannot be fetched"):
        Transfer(part)("no://where", file)


def test_another_size_than_the_published_one_ends_it_before_the_first_byte(publisher, part, file):
    publisher.files["f"] = b"<html>Please log in</html>"

    with pytest.raises(DownloadError, match="offers 26 bytes, the published file has 99"):
        Transfer(part, size=99)(publisher.url("f"), file)

    assert not part.exists()


def test_a_file_larger_than_the_disk_ends_it_before_the_first_byte(publisher, part, file, full_disk):
    publisher.files["f"] = BODY
    full_disk(100_000)

    with pytest.raises(DownloadError, match=r"256 kB are needed.*100 kB are free"):
        Transfer(part)(publisher.url("f"), file)

    assert not part.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full disk at hand")
def test_a_disk_that_fills_up_on_the_way_is_said(publisher, part, file):
    publisher.files["f"] = BODY
    part.symlink_to("/dev/full")

    with pytest.raises(DownloadError, match=r"cannot be written: No space left.*Free some room"):
        Transfer(part)(publisher.url("f"), file)


def test_room_is_looked_for_on_the_disk_of_the_nearest_folder_there_is(tmp_path, full_disk):
    full_disk(10)
    need_room(tmp_path / "not" / "yet", 10)

    with pytest.raises(DownloadError, match="--to"):
        need_room(tmp_path / "not" / "yet", 11)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_however_it_is_cut_the_bytes_are_the_same(publisher, tmp_path, data):
    body = data.draw(st.binary(min_size=1, max_size=400))
    publisher.files["f"] = body
    publisher.ranges = data.draw(st.booleans())
    publisher.cuts = data.draw(st.lists(st.integers(0, 400), max_size=3))
    file = tmp_path / "file"

    Transfer(tmp_path / "file.part")(publisher.url("f"), file)

    assert file.read_bytes() == body
    assert not (tmp_path / "file.part").exists()
