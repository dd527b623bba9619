"""The journal says what is done, whatever ended the process that wrote it."""

import pytest

from maskwright.errors import DataError
from maskwright.inference.journal import Done, Journal


def done(image, job="a"):
    return Done(image=str(image), stamp=(1, 2), job=job, files={"mask": ("a.png",)}, pixels=12, seconds=0.5)


def test_the_last_line_of_an_image_counts(tmp_path):
    journal = Journal(tmp_path / "out")
    assert journal.of(tmp_path / "a.png") is None
    journal.add(done(tmp_path / "a.png"))
    journal.add(done(tmp_path / "b.png"))
    journal.add(done(tmp_path / "a.png", "b"))
    again = Journal(tmp_path / "out")
    assert again.of(tmp_path / "a.png") == done(tmp_path / "a.png", "b")
    assert again.of(tmp_path / "." / "b.png") == done(tmp_path / "b.png")


def test_a_line_that_was_cut_short_is_an_image_that_is_not_done(tmp_path):
    journal = Journal(tmp_path)
    journal.add(done(tmp_path / "a.png"))
    journal.add(done(tmp_path / "b.png"))
    text = journal.path.read_text()
    journal.path.write_text(text[:-20])
    again = Journal(tmp_path)
    assert again.of(tmp_path / "b.png") is None
    again.add(done(tmp_path / "c.png"))
    assert [bool(Journal(tmp_path).of(tmp_path / f"{name}.png")) for name in "abc"] == [True, False, True]


def test_a_file_of_the_users_is_not_written_into(tmp_path):
    (tmp_path / "predicted.jsonl").write_text("[1, 2]\n")
    with pytest.raises(DataError, match=r"predicted\.jsonl, line 1, is no line of a journal"):
        Journal(tmp_path)
    assert (tmp_path / "predicted.jsonl").read_text() == "[1, 2]\n"
