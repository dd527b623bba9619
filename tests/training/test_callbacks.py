import csv
import math

import pytest

from maskwright.errors import SettingError
from maskwright.training import callbacks
from maskwright.training.callbacks import Callback, History, HistoryRow, Listener, read_history


def row(step, **more):
    return HistoryRow(step=step, epoch=step / 10, seconds=1.5, rate=0.1, train_loss=0.5, train_accuracy=0.9, **more)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "history.jsonl"


def test_rows_are_in_the_file_as_soon_as_they_are_added(path):
    history = History(path)
    for step in (10, 20, 30):
        history.add(row(step, val_score=0.7, best=True))
        assert read_history(path) == history.rows

    assert len(path.read_text().splitlines()) == 3


def test_a_row_that_is_no_number_comes_back(path):
    History(path).add(row(1, val_score=math.nan, val_loss=math.inf))

    (found,) = read_history(path)

    assert math.isnan(found.val_score)
    assert found.val_loss == math.inf


def test_after_a_restart_rows_beyond_the_checkpoint_are_taken_back(path):
    first = History(path)
    for step in (10, 20, 30):
        first.add(row(step))

    second = History(path, rows=2)
    assert second.rows == first.rows[:2]
    assert read_history(path) == first.rows[:2]
    second.add(row(25))

    assert [r.step for r in read_history(path)] == [10, 20, 25]


def test_the_table_says_the_same_and_is_taken_back_too(path):
    def table():
        with path.with_suffix(".csv").open(newline="") as file:
            return list(csv.DictReader(file))

    first = History(path)
    assert table() == []
    for step in (10, 20, 30):
        first.add(row(step, val_loss=math.nan, best=step == 20))
    assert [found["step"] for found in table()] == ["10", "20", "30"]
    assert [found["best"] for found in table()] == ["False", "True", "False"]
    assert (table()[0]["val_loss"], table()[0]["val_score"], table()[0]["rate"]) == ("nan", "", "0.1")

    History(path, rows=1).add(row(15))
    assert [found["step"] for found in table()] == ["10", "15"]
    assert list(table()[0]) == list(HistoryRow.model_fields)


def test_a_new_training_starts_a_new_history(path):
    History(path).add(row(10))

    assert History(path).rows == []
    assert read_history(path) == []


def test_a_line_cut_short_by_a_kill_is_left_out(path):
    history = History(path)
    history.add(row(10))
    history.add(row(20))
    path.write_text(path.read_text()[:-30])

    assert [r.step for r in read_history(path)] == [10]
    assert [r.step for r in History(path, rows=1).rows] == [10]


def test_a_kill_during_the_restart_leaves_the_old_history(path, monkeypatch):
    """The rows that are kept are written beside it first."""
    first = History(path)
    first.add(row(10))
    first.add(row(20))

    def killed(path, *_):
        path.write_bytes(b"")
        raise KeyboardInterrupt

    monkeypatch.setattr(callbacks.Path, "write_text", killed)
    with pytest.raises(KeyboardInterrupt):
        History(path, rows=1)

    assert read_history(path) == first.rows


def test_a_foreign_line_names_the_file(path):
    path.write_text('{"step": 1, "loss": 3}\n')

    with pytest.raises(SettingError, match=r"history\.jsonl"):
        read_history(path)


def test_a_listener_hears_everything_and_asks_for_nothing():
    listener: Callback = Listener()

    assert listener.started({}) is None
    assert listener.stepped(None) is None
    assert listener.validated(row(1)) is None
    assert listener.warned("") is None
    assert listener.ended("") is None
