import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays

from maskwright.errors import DataError, ReadError, SettingError
from maskwright.files import decode_runs, encode_runs, read_run_lengths, write_run_lengths

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12))


def by_hand(text, size):
    """The contests' words: pairs of start and length, pixels from top to bottom, then left to right, from 1."""
    mask = np.zeros(size, bool)
    words = [int(word) for word in text.split()]
    for start, length in zip(words[::2], words[1::2], strict=True):
        for pixel in range(start, start + length):
            mask[(pixel - 1) % size[0], (pixel - 1) // size[0]] = True
    return mask


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (["100", "100", "000"], "1 2"),
        (["000", "001", "001"], "8 2"),
        (["010", "010", "010"], "4 3"),
        (["001", "100", "100"], "2 2 7 1"),
        (["110", "010", "110"], "1 1 3 4"),  # a run goes on from one column to the next
        (["111", "111", "111"], "1 9"),
        (["000", "000", "000"], ""),
        (["1"], "1 1"),
    ],
)
def test_runs_worked_out_by_hand(rows, text):
    mask = np.array([[mark == "1" for mark in row] for row in rows])

    assert encode_runs(mask) == text
    np.testing.assert_array_equal(decode_runs(text, mask.shape), mask)


@given(MASKS)
def test_what_is_encoded_decodes_to_the_same_mask(mask):
    text = encode_runs(mask)

    np.testing.assert_array_equal(decode_runs(text, mask.shape), mask)
    np.testing.assert_array_equal(by_hand(text, mask.shape), mask)


@given(MASKS)
def test_no_two_runs_touch_so_that_none_could_be_shorter(mask):
    words = [int(word) for word in encode_runs(mask).split()]
    starts, lengths = words[::2], words[1::2]

    assert all(length > 0 for length in lengths)
    assert all(b > a + n for a, n, b in zip(starts, lengths, starts[1:], strict=False))


def test_any_number_but_zero_is_foreground_however_it_lies_in_memory():
    labels = np.array([[0, 1, 7], [255, 0, 0]], np.uint8)

    assert encode_runs(labels) == "2 2 5 1"
    assert encode_runs(labels.T[::-1].T[:, ::-1]) == "2 2 5 1"
    with pytest.raises(SettingError, match=r"shape \(2, 3, 1\)"):
        encode_runs(labels[:, :, None])


def test_a_run_of_nothing_marks_nothing():
    assert not decode_runs("1 0", (2, 2)).any()
    assert not decode_runs("", (2, 2)).any()
    assert not decode_runs("  ", (2, 2)).any()
    assert decode_runs("1 0 1 1 2 0 5 0", (2, 2)).sum() == 1


def test_runs_that_touch_are_fine():
    np.testing.assert_array_equal(decode_runs("1 2 3 2", (2, 2)), np.ones((2, 2), bool))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 2 3", "3 numbers, but each run has two"),
        ("0 2", "starts at 0; pixels are numbered from 1"),
        ("1 3 3 1", "starts at 3 does not come after the one at 1 with length 3"),
        ("4 1 1 1", "starts at 1 does not come after the one at 4"),
        ("2 1 2 1", "do not overlap"),
        ("1 x", "'x' is no whole number"),
        ("1 -2", "'-2' is no whole number"),
        ("1.0 2", "'1.0' is no whole number"),
        ("1 ²", "'²' is no whole number"),
        ("9" * 30 + " 1", "is no whole number"),
        ("3 3", "reach pixel 5; a mask of 2×2 has 4"),
        ("5 1", "reach pixel 5"),
        ("7 0", "reach pixel 6"),
    ],
)
def test_malformed_runs_are_refused_in_words(text, words):
    with pytest.raises(ReadError) as refused:
        decode_runs(text, (2, 2), "runs.csv, row 7")

    assert words in str(refused.value)
    assert str(refused.value).startswith("runs.csv, row 7: ")


def test_a_file_of_runs_is_what_contests_take(tmp_path):
    one, two = np.eye(2, dtype=bool), np.zeros((2, 2), bool)
    path = write_run_lengths(tmp_path / "out" / "runs.csv", [("b", one), ("a", two), ("c", "3 1")])

    assert path.read_bytes() == b"id,rle_mask\nb,1 1 4 1\na,\nc,3 1\n"
    assert read_run_lengths(path) == {"b": ["1 1 4 1"], "a": [""], "c": ["3 1"]}


def test_each_object_has_a_row_and_an_image_without_any_keeps_one(tmp_path):
    left, right = np.array([[1, 0]]), np.array([[0, 1]])
    header = ("ImageId", "EncodedPixels")
    path = write_run_lengths(tmp_path / "runs.csv", [("x", [left, right]), ("y", [])], header)

    assert path.read_text() == "ImageId,EncodedPixels\nx,1 1\nx,2 1\ny,\n"
    assert read_run_lengths(path) == {"x": ["1 1", "2 1"], "y": [""]}


def test_names_may_hold_commas_and_texts_may_be_long(tmp_path):
    ragged = np.indices((300, 300)).sum(axis=0) % 2 == 0
    before = csv.field_size_limit()
    path = write_run_lengths(tmp_path / "runs.csv", [('a,"b"', ragged)])

    found = read_run_lengths(path)
    assert csv.field_size_limit() == before
    assert len(found['a,"b"'][0]) > before
    np.testing.assert_array_equal(decode_runs(found['a,"b"'][0], (300, 300)), ragged)


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("what was there")

    with pytest.raises(DataError, match=r"'a' would be in .*runs.csv twice"):
        write_run_lengths(path, [("a", np.ones((1, 1))), ("a", np.ones((1, 1)))])
    assert path.read_text() == "what was there"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"id,rle_mask\na,1 1\nb,1 2 3\n", "runs.csv, row 3: 3 numbers"),
        (b"id,rle_mask\na,2 2 3 1\n", "runs.csv, row 2: the run that starts at 3"),
        (b"id,rle_mask\na\n", "runs.csv, row 2: it has 1 cells"),
        (b"id,rle_mask,more\n", "runs.csv, row 1: it has 3 cells"),
        (b"\xff\xfe\x00", "is no CSV of run lengths"),
    ],
)
def test_a_malformed_file_is_refused_with_its_row(content, words, tmp_path):
    (tmp_path / "runs.csv").write_bytes(content)

    with pytest.raises(ReadError) as refused:
        read_run_lengths(tmp_path / "runs.csv")
    assert words in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ReadError, match=r"none.csv does not exist"):
        read_run_lengths(tmp_path / "none.csv")


def test_empty_lines_and_a_byte_order_mark_do_no_harm(tmp_path):
    (tmp_path / "runs.csv").write_bytes("\ufeffid,rle_mask\r\na,1 1\r\n\r\n".encode())

    assert read_run_lengths(tmp_path / "runs.csv") == {"a": ["1 1"]}
