"""What every annotation format owes the index: it knows its own suffixes, and no stranger."""

from pathlib import Path

from tests.contracts.parts import parts_of

from maskwright.files.annotations import formats
from maskwright.files.annotations.content import Content


@parts_of(formats)
def test_a_format_names_suffixes_and_knows_strangers_for_what_they_are(part):
    assert part.suffixes
    assert all(suffix == f".{suffix[1:].lower()}" for suffix in part.suffixes)
    for name, data in {
        "a.json": b'{"a": 1}',
        "b.txt": b"some words",
        "c.xml": b"<a/>",
        "d": b"",
        "e": b"\xff\0",
    }.items():
        assert part.recognises(Content(Path(name), data)) is False, f"{name} is none of its own"
