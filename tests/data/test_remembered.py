import os
import time
from pathlib import Path

import numpy as np
import pytest

from maskwright.data import remembered, seeing
from maskwright.data.index import index
from maskwright.data.remembered import cache_folder
from maskwright.data.survey import survey
from maskwright.errors import DataError

LONG_AGO = 1_600_000_000


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path / "cache"))
    # A file's inner time cannot be set back, so here files count as settled at once.
    monkeypatch.setattr(remembered, "SETTLED", -(10**15))
    return tmp_path / "cache" / "measured"


@pytest.fixture
def measures(monkeypatch):
    """The names of the images that were measured, in any order."""
    names, real = [], seeing.measure

    def watched(root, entry, *rest):
        names.append(entry.image.name)
        return real(root, entry, *rest)

    monkeypatch.setattr(seeing, "measure", watched)
    return names


@pytest.fixture
def data(paint):
    for i in range(40):
        paint.write(f"images/{i}.png", paint.image(7, 9, *([3] if i % 3 == 0 else [])))
        paint.write(f"masks/{i}.png", paint.mask(0, 1, size=(7, 9)))
    return paint.root


def shown(found):
    return [
        (one.measured.sample, one.measured.style, one.measured.look.thumbnail.tolist(), one.measured.look.orientation)
        for one in found.seen
    ]


def test_what_was_measured_is_not_measured_again_and_is_the_same(data, cache, measures):
    first = survey(data)
    assert len(measures) == 40
    measures.clear()

    second = survey(data)

    assert measures == []
    assert shown(second) == shown(first)
    assert second.samples == first.samples


def test_nothing_is_written_into_the_data(data, cache):
    before = sorted(data.rglob("*"))
    index(data)
    assert sorted(data.rglob("*")) == before


def test_a_file_that_changes_is_measured_anew(data, cache, measures, paint):
    first = index(data)
    measures.clear()
    paint.write("masks/3.png", paint.mask(0, 0, 1, size=(7, 9)))
    paint.write("images/7.png", paint.image(7, 9))

    second = index(data)

    assert sorted(measures) == ["3.png", "7.png"]
    changed = [a.name for a, b in zip(first.samples, second.samples, strict=True) if a != b]
    assert changed == ["3", "7"]


def test_a_file_with_its_old_size_and_time_but_other_contents_is_measured_anew(data, cache, measures):
    """As when an archive is unpacked over it that keeps times."""
    path = data / "images" / "5.png"
    os.utime(path, (LONG_AGO, LONG_AGO))
    index(data)
    measures.clear()
    other = bytearray(path.read_bytes())
    path.unlink()
    path.write_bytes(other)
    os.utime(path, (LONG_AGO, LONG_AGO))

    index(data)

    assert measures == ["5.png"]


def test_a_file_that_was_just_written_is_not_remembered(data, cache, measures, monkeypatch):
    monkeypatch.setattr(remembered, "SETTLED", 10**15)
    index(data)
    measures.clear()
    index(data)
    assert len(measures) == 40


def test_other_code_measures_anew(data, cache, measures, monkeypatch):
    index(data)
    measures.clear()
    monkeypatch.setattr(remembered, "version", lambda: "other")
    index(data)
    assert len(measures) == 40


def test_another_way_to_read_the_masks_measures_anew(data, cache, measures, paint):
    index(data)
    measures.clear()
    paint.write("dataset.yaml", "instances: true\n")
    assert all(sample.source == "object_values" for sample in index(data).samples)
    assert len(measures) == 40


def test_names_and_parts_are_of_today(data, cache, measures):
    index(data)
    measures.clear()
    (data / "train").mkdir()
    assert {s.name for s in index(data, test=["1?.png"]).part("test")} == {str(i) for i in range(10, 20)}
    assert measures == []


class KilledError(Exception):
    """Stands for kill -9."""


def test_a_killed_index_goes_on_where_it_stopped(data, cache, measures, monkeypatch):
    def die(done, total):
        if done == 20:
            raise KilledError

    monkeypatch.setattr(remembered.Remembered, "__exit__", lambda self, *_: self._log.close())
    with pytest.raises(KilledError):
        index(data, workers=1, progress=die)
    known = len(b"".join(path.read_bytes() for path in cache.rglob("*.jsonl")).splitlines())
    assert known >= 20
    measures.clear()
    monkeypatch.undo()
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(cache.parent))
    again = []
    real = seeing.measure
    monkeypatch.setattr(seeing, "measure", lambda *a: (again.append(a), real(*a))[1])

    index(data)

    assert len(again) == 40 - known


@pytest.mark.parametrize("harm", [lambda b: b[:-7], lambda b: b[: len(b) // 2], lambda b: b.replace(b'"', b"'"), lambda b: b"\n\n" + b[5:], lambda b: os.urandom(3000)])  # fmt: skip # noqa: E501
def test_a_damaged_memory_is_no_worse_than_none(harm, data, cache):
    first = index(data)
    for path in cache.rglob("*.jsonl"):
        path.write_bytes(harm(path.read_bytes()))
    assert index(data) == first


def test_where_nothing_can_be_written_all_is_measured(data, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path / "file"))
    assert len(index(data).samples) == 40


def test_what_does_not_open_is_told_each_time(data, cache, paint):
    paint.write("images/3.png", b"broken")
    for _ in range(2):
        found = survey(data)
        assert [one.entry.image.name for one in found.seen if one.error] == ["3.png"]
        assert "3.png" in str(found.faults[0])
    with pytest.raises(Exception, match=r"3\.png"):
        index(data)


def test_many_small_memories_are_joined_and_stay_whole(data, cache, measures, paint, monkeypatch):
    monkeypatch.setattr(remembered, "MANY", 3)
    for i in range(6):
        paint.write(f"images/{i}.png", paint.image(7, 9))
        index(data)
        for path in cache.rglob("*.jsonl"):
            os.utime(path, (time.time() - 2 * remembered.ABANDONED,) * 2)
    assert len(list(cache.rglob("*.jsonl"))) <= 4
    measures.clear()
    index(data)
    assert measures == []


def test_all_together_is_bounded_and_the_oldest_goes_first(cache, paint, monkeypatch):
    monkeypatch.setattr(remembered, "LIMIT", 9000)
    for place in ("one", "two", "three"):
        for i in range(2):
            paint.write(f"{place}/images/{i}.png", paint.image())
            paint.write(f"{place}/masks/{i}.png", paint.mask())
        index(paint.root / place)
        for path in cache.rglob("*.jsonl"):
            os.utime(path, (path.stat().st_mtime - 100,) * 2)
    kept = {remembered.Remembered(paint.root / place).folder.exists() for place in ("two", "three")}
    assert kept == {True}
    assert not remembered.Remembered(paint.root / "one").folder.exists()


def test_a_set_that_is_larger_than_all_room_is_remembered_in_part(data, cache, measures, monkeypatch):
    monkeypatch.setattr(remembered, "LIMIT", 40_000)
    first = index(data)
    measures.clear()
    assert index(data) == first
    assert 0 < len(measures) < 40
    assert sum(path.stat().st_size for path in cache.rglob("*.jsonl")) <= 40_000


def test_two_indexes_at_once_do_not_meet(data, cache, measures):
    root = Path(data)
    with remembered.Remembered(root) as other:
        found = survey(data)
        entries = {one.entry.image.name: one for one in found.seen}
        other.put({remembered.key_of(root, one.entry, {}): one.measured for one in entries.values()})
    measures.clear()
    assert shown(survey(data)) == shown(found)
    assert measures == []


def test_the_place_is_chosen_by_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path / "a"))
    assert cache_folder() == tmp_path / "a"
    monkeypatch.delenv("MASKWRIGHT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
    assert cache_folder() == tmp_path / "b" / "maskwright"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "maskwright"


def test_any_number_of_workers_sees_the_same(data, tmp_path, monkeypatch):
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path / "none"))
    told = []
    seen = [shown(survey(data, workers=workers, progress=lambda *t: told.append(t))) for workers in (1, 3)]
    assert seen[0] == seen[1]
    assert told == [(i, 40) for i in range(1, 41)] * 2


def test_the_first_fault_is_raised_in_order_when_strict(data, paint):
    for i in (30, 4, 21):
        paint.write(f"masks/{i}.png", np.zeros((3, 3), np.uint8))
    with pytest.raises(DataError, match=r"images/4\.png"):
        index(data)
