import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.training.tracking.journal import Journal
from maskwright.training.tracking.registry import Row


def row(step, **values):
    return Row(step=step, time=float(step), values=values)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tracked.jsonl"


def told(journal):
    return {r.step: r.values for r in journal.rows}


def test_a_row_is_complete_when_another_step_comes_or_it_is_closed(path):
    journal = Journal(path)
    journal.add(row(1, a=1.0))
    journal.add(row(1, b=2.0))
    assert journal.rows == []
    assert not journal.close(1), "more of step 1 may come"
    journal.add(row(5, a=3.0))
    assert told(journal) == {1: {"a": 1.0, "b": 2.0}}
    assert journal.close()
    assert not journal.close()

    assert told(journal) == {1: {"a": 1.0, "b": 2.0}, 5: {"a": 3.0}}
    assert told(Journal(path)) == told(journal)


def test_what_is_still_open_is_in_the_file_already(path):
    journal = Journal(path)
    journal.add(row(1, a=1.0))
    journal.add(row(1, b=2.0))

    assert told(Journal(path)) == {1: {"a": 1.0, "b": 2.0}}


@given(st.lists(st.integers(1, 30), unique=True).map(sorted), st.integers(0, 31))
def test_rows_from_a_step_on_are_taken_back(tmp_path_factory, steps, before):
    path = tmp_path_factory.mktemp("journal") / "tracked.jsonl"
    journal = Journal(path)
    for step in steps:
        journal.add(row(step, a=step / 2))
    again = Journal(path, before=before)
    again.save()
    again.add(row(before, a=-1.0))

    assert told(Journal(path)) == {**{s: {"a": s / 2} for s in steps if s < before}, before: {"a": -1.0}}


def test_a_line_cut_short_and_the_one_glued_to_it_are_left_out(path):
    journal = Journal(path)
    for step in (1, 2, 3):
        journal.add(row(step, a=1.0))
    lines = path.read_text().splitlines()
    path.write_text(f"{lines[0]}\n{lines[1][:20]}{lines[2]}\n{lines[2][:9]}")

    assert list(told(Journal(path))) == [1]


def test_after_a_full_disk_the_file_is_made_whole_again(path, monkeypatch):
    journal = Journal(path)
    journal.add(row(1, a=1.0))

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(type(path), "open", full)
        with pytest.raises(OSError, match="No space"):
            journal.add(row(2, a=2.0))
    path.write_text(path.read_text() + '{"step": 2, "ti')
    journal.add(row(3, a=3.0))

    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [1, 2, 3]
