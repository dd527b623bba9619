"""The text of an annotation file, taken apart once: as JSON, XML or YAML if it is such.

XML is read by the standard library's expat with every declaration of an entity refused, so that nothing can be
expanded a billion times or fetched from elsewhere. `defusedxml` would do the same for one more dependency.
"""

import json
import xml.etree.ElementTree as ET
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from xml.parsers import expat

import yaml

from maskwright.errors import ReadError

LARGEST_YAML: Final = 1_000_000
"""Bytes; a list of classes is a thousandth of it, and PyYAML takes a second for every 100 kB."""
DEEPEST: Final = 100
"""Elements in elements; CVAT needs six."""


class Content:
    """An annotation file. Each view of it is None if it is nothing of that kind.

    Raises:
        ReadError: the file is missing or may not be read, or starts as JSON or XML and does not go on so; names the
            place.
    """

    def __init__(self, path: Path, data: bytes):
        self.path = path
        self.data = data

    @classmethod
    def of(cls, path: Path) -> "Content":
        """The content of a file."""
        try:
            return cls(path, path.read_bytes())
        except FileNotFoundError:
            raise ReadError(f"{path} does not exist; an annotation file was expected there. Check the path.") from None
        except OSError as error:
            raise ReadError(f"{path} cannot be read ({error.strerror}). Check its permissions.") from error

    @cached_property
    def json(self) -> Any:
        """The value, if the file holds an object or a list."""
        if not self._starts(b"{", b"["):
            return None
        try:
            return json.loads(self.data)
        except json.JSONDecodeError as error:
            raise ReadError(
                f"{self.path}, line {error.lineno}, column {error.colno}: broken JSON ({error.msg}). It is damaged or "
                "was cut short: copy, download or export it again."
            ) from None
        except (ValueError, RecursionError) as error:
            raise ReadError(f"{self.path} is broken JSON ({error}). Copy, download or export it again.") from None

    @cached_property
    def xml(self) -> "ET.Element | None":
        """The outermost element."""
        return _tree(self.path, self.data) if self._starts(b"<") else None

    @cached_property
    def yaml(self) -> Any:
        """The value, if the file is called `.yaml` or `.yml`."""
        if self.path.suffix.lower() not in {".yaml", ".yml"} or len(self.data) > LARGEST_YAML:
            return None
        try:
            return yaml.safe_load(self.data)
        except (yaml.YAMLError, ValueError, TypeError, AttributeError, RecursionError) as error:
            # PyYAML lets through what its constructors stumble over: a 30th of February, a key that is a list.
            raise ReadError(f"{self.path} is broken YAML: {error}") from None

    @cached_property
    def text(self) -> str | None:
        """The text, if the file is UTF-8 and neither JSON nor XML."""
        if self._starts(b"{", b"[", b"<"):
            return None
        try:
            text = self.data.decode("utf-8-sig")
        except UnicodeDecodeError:
            return None
        return None if "\0" in text else text

    def _starts(self, *marks: bytes) -> bool:
        return self.data[:1000].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in marks or (
            # UTF-16, as some Windows tools save it.
            self.data[:2] in (b"\xff\xfe", b"\xfe\xff") and self.data[2:4].strip(b"\0") in marks
        )


def _tree(path: Path, data: bytes) -> ET.Element:
    builder, parser, depth = ET.TreeBuilder(), expat.ParserCreate(), 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise ReadError(f"{path}, line {parser.CurrentLineNumber}: more than {DEEPEST} elements in each other.")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: object) -> None:
        raise ReadError(
            f"{path}, line {parser.CurrentLineNumber}: it declares an entity, which no annotation tool does and which "
            "can be used to do harm. Export the file again, or delete its DOCTYPE."
        )

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
        return builder.close()
    except expat.ExpatError as error:
        raise ReadError(
            f"{path}, line {error.lineno}, column {error.offset + 1}: broken XML ({expat.ErrorString(error.code)}). It "
            "is damaged or was cut short: copy, download or export it again."
        ) from None
    except (ValueError, LookupError) as error:  # an encoding that does not exist
        raise ReadError(f"{path} is broken XML ({error}). Copy, download or export it again.") from None
