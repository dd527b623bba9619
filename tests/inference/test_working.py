"""Where an image is worked on: what was marked is found again, by the same job only."""

from contextlib import suppress

import numpy as np
import pytest

from maskwright.errors import DataError
from maskwright.inference.working import Working

ALL = slice(0, 4), slice(0, 5)


class StoppedError(Exception):
    """What ends a block too early."""


def stopped_after(folder, row, job="a"):
    with suppress(StoppedError), Working(folder, job) as work:
        plane = work.plane("labels", (4, 5), "uint8")
        plane.write(slice(0, row), slice(0, 5), np.full((row, 5), 7, np.uint8))
        if row:
            work.mark(row)
        plane.write(slice(row, 4), slice(0, 5), np.full((4 - row, 5), 9, np.uint8))
        raise StoppedError


def test_what_was_marked_is_gone_on_with(tmp_path):
    stopped_after(tmp_path / "work", 2)
    with Working(tmp_path / "work", "a") as work:
        assert work.row == 2
        assert (work.plane("labels", (4, 5), "uint8").read(slice(0, 2), slice(0, 5)) == 7).all()
    assert not (tmp_path / "work").exists()


def test_another_job_begins_anew(tmp_path):
    stopped_after(tmp_path / "work", 2)
    with Working(tmp_path / "work", "b") as work:
        assert work.row == 0
        assert (work.plane("labels", (4, 5), "uint8").read(*ALL) == 0).all()


def test_without_a_mark_nothing_is_left(tmp_path):
    stopped_after(tmp_path / "work", 0)
    assert not (tmp_path / "work").exists()


def test_what_a_killed_process_left_without_a_mark_is_thrown_away(tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "labels.raw").write_bytes(bytes([9] * 20))
    with Working(tmp_path / "work", "a") as work:
        assert (work.plane("labels", (4, 5), "uint8").read(*ALL) == 0).all()


def test_scratch_is_new_each_time_and_thrown_away(tmp_path):
    for folder in (tmp_path / "work", None):
        with Working(folder, "a") as work:
            first, second = work.scratch((4, 5), "int32"), work.scratch((2, 2), "float32")
            first.write(*ALL, np.ones((4, 5), np.int32))
            assert second.read(slice(0, 2), slice(0, 2)).sum() == 0
            work.mark(3)
        assert list(tmp_path.iterdir()) == []


def test_a_disk_without_room_is_told_before_work(tmp_path):
    with pytest.raises(DataError, match=r"GiB for what is made of the image, and its disk has"):  # noqa: SIM117
        with Working(tmp_path / "work", "a") as work:
            work.plane("labels", (2**24, 2**24), "uint8")
