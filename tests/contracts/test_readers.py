"""What every reader owes the files: it knows its own, and no stranger.

Each contract is a function over one part, so that a planted part that breaks it shows that it bites.
"""

import io
from types import SimpleNamespace

import numpy as np
import pytest
from tests.contracts.parts import parts_of

from maskwright.files import readers, write_image
from maskwright.files.stored import Stored

STRANGERS = {
    "nothing": b"",
    "one byte": b"\x89",
    "text": b"name,x,y\nimg_01,3,4\n",
    "zeros": bytes(256),
    "a zip": b"PK\x03\x04" + bytes(252),
    "a pdf": b"%PDF-1.7\n",
    "a pickle": b"\x80\x04\x95",
    "an executable": b"\x7fELF" + bytes(252),
}


def knows_its_own(reader):
    """Lower-case suffixes with a dot, and nobody else's file."""
    assert reader.suffixes
    for suffix in reader.suffixes:
        assert suffix.startswith("."), suffix
        assert suffix == suffix.lower(), suffix
    for name, head in STRANGERS.items():
        assert not reader.recognises(head), name


@parts_of(readers)
def test_every_reader_knows_its_own(part):
    knows_its_own(part)


@parts_of(readers)
def test_every_reader_says_what_it_opens_and_what_it_recognises(part):
    assert part.open.__doc__
    assert part.recognises.__doc__


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_what_is_written_is_recognised_by_one_reader_and_read_by_it(suffix, tmp_path):
    image_HWC = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    data = write_image(tmp_path / f"image{suffix}", image_HWC).read_bytes()

    mine = [part for _, part in readers.items() if part.recognises(data[:256])]

    assert mine
    stored = mine[0].open(io.BytesIO(data))
    assert isinstance(stored, Stored)
    assert (stored.height, stored.width) == (5, 7)


def test_a_greedy_reader_is_found():
    with pytest.raises(AssertionError):
        knows_its_own(SimpleNamespace(suffixes=(".any",), recognises=lambda head: True))
    with pytest.raises(AssertionError):
        knows_its_own(SimpleNamespace(suffixes=("PNG",), recognises=lambda head: False))
