"""Class tables: files beside the data that name its classes, and perhaps give each a value or a colour.

Read are lists of names, `class_dict.csv` and `label_colors.txt` (CamVid), `labelmap.txt` (CVAT), `_classes.csv`
(Roboflow), `obj_class_to_machine_color.json` (Supervisely), and their like: the content says which kind it is.
"""

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from maskwright.errors import DataError

FILES: Final = (
    "class_dict.csv", "class_dict_seg.csv", "class_dict.txt", "label_colors.txt", "labelmap.txt", "label_map.txt",
    "color_map.json", "colormap.json", "colors.json", "class_colors.json", "obj_class_to_machine_color.json",
    "_classes.csv", "classes.csv", "classes.json", "class_names.json", "classes.txt", "codes.txt", "class_names.txt",
    "labels.txt",
)  # fmt: skip
"""In this order: what tells colours goes before what tells names only."""
LONGEST: Final = 64
"""Letters in a class's name; a longer line is a sentence."""

_NAME = {"name", "class", "class_name", "classname", "label", "category", "title"}
_VALUE = {"value", "pixel_value", "id", "index", "idx", "class_id", "classid", "label_id", "grey", "gray", "number"}
_COLOUR = {"color", "colour", "hex", "rgb", "hex_color", "color_hex", "color_rgb"}
_CHANNELS = ({"r", "red"}, {"g", "green"}, {"b", "blue"})
_S = r"[\s,;]+"
_RGB = rf"(?P<r>\d{{1,3}}){_S}(?P<g>\d{{1,3}}){_S}(?P<b>\d{{1,3}})"
_HEX = r"(?P<hex>#[0-9A-Fa-f]{6})"
_LINES: Final = (
    r"(?P<name>[^:]+):(?P<r>\d+),(?P<g>\d+),(?P<b>\d+):[^:]*:[^:]*",  # CVAT
    rf"(?P<value>\d+)[\s,;:=]+{_RGB}[\s,;:]+(?P<name>.*\D.*)",
    rf"{_RGB}[\s,;:]+(?P<name>.*\D.*)",
    rf"(?P<name>.*\D.*?)[\s,;:=]+[\[(]?{_RGB}[\])]?",
    rf"{_HEX}[\s,;:=]+(?P<name>.+)",
    rf"(?P<name>.+?)[\s,;:=]+{_HEX}",
    r"(?P<value>\d+)[\s,;:=]+(?P<name>.*\D.*)",
    r"(?P<name>.*\D.*?)\s*[,;:=\t]\s*(?P<value>\d+)",
    r"(?P<name>.+)",
)
"""What each line of a text may look like; the first that fits them all is meant."""


@dataclass(frozen=True)
class Row:
    """A class as a table gives it."""

    name: str
    value: int | None = None
    colour: int | None = None
    """Red·65536 + green·256 + blue."""


@dataclass(frozen=True)
class ClassTable:
    """The classes that a file names, in its order."""

    file: str
    """Its name."""
    rows: tuple[Row, ...]

    @property
    def names(self) -> list[str]:
        """The names."""
        return [row.name for row in self.rows]

    @property
    def colours(self) -> dict[str, int] | None:
        """Name → colour, if every class has one."""
        found = {row.name: row.colour for row in self.rows if row.colour is not None}
        return found if len(found) == len(self.rows) else None

    @property
    def values(self) -> dict[str, int] | None:
        """Name → value, if every class has one."""
        found = {row.name: row.value for row in self.rows if row.value is not None}
        return found if len(found) == len(self.rows) else None


def find(root: Path) -> ClassTable | None:
    """The class table of a folder, from the first file that is one; None if there is none.

    Roboflow puts a `_classes.csv` into each part's folder; the first is taken.

    Raises:
        DataError: a list of classes is not UTF-8 text.
    """
    if not root.is_dir():
        return None
    inside = {path.name.lower(): path for path in sorted(root.iterdir()) if path.is_file()}
    places = [inside[name] for name in FILES if name in inside]
    places += [path for path in sorted(root.glob("*/_classes.csv")) if path.parent.name[0] != "."]
    return next((table for path in places if (table := read(path))), None)


def read(path: Path) -> ClassTable | None:
    """The class table in a file; None if it is some other text.

    Raises:
        DataError: it is not UTF-8 text.
    """
    if path.stat().st_size > 1 << 20:
        return None  # no list of at most 255 classes
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path}, the list of classes, is not UTF-8 text. Save it as UTF-8.") from None
    rows = _json(text) if path.suffix.lower() == ".json" else _text(text)
    for numbers in ([row.value for row in rows], [row.colour for row in rows]):
        if any(n is not None for n in numbers) and (None in numbers or len(set(numbers)) < len(numbers)):
            return None
    names = [row.name for row in rows]
    if not names or len(set(names)) < len(names) or any(not name or len(name) > LONGEST for name in names):
        return None
    return ClassTable(path.name, rows)


def voc_palette(count: int = 256) -> list[int]:
    """The colours of the Pascal VOC palette, by index: its bits, from the lowest, go round red, green and blue, each
    into the highest free bit. From the function `labelcolormap` of the VOC development kit (Everingham et al.).
    """
    colours = []
    for index in range(count):
        channels = [sum((index >> 3 * bit + channel & 1) << 7 - bit for bit in range(8)) for channel in range(3)]
        colours.append(channels[0] << 16 | channels[1] << 8 | channels[2])
    return colours


def _text(text: str) -> tuple[Row, ...]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("#") or re.match(_HEX, line)]
    if any(len(line) > 4 * LONGEST for line in lines):
        return ()
    if lines and (rows := _with_header(lines)):
        return rows
    for pattern in _LINES:
        found = [re.fullmatch(pattern, line) for line in lines]
        if found and all(found):
            rows = tuple(_row(match.groupdict()) for match in found if match)
            numbers = [row.value for row in rows]
            if None in numbers or len(set(numbers)) == len(numbers):
                return rows
    return ()


def _with_header(lines: list[str]) -> tuple[Row, ...]:
    """The rows of a table whose first line names its columns; none if it does not."""
    for delimiter in ",;\t":
        keys = [re.sub(r"[\s_]+", "_", cell.strip().lower()) for cell in lines[0].split(delimiter)]
        column: dict[str, int] = {}
        kinds = zip(("name", "value", "hex", "r", "g", "b"), (_NAME, _VALUE, _COLOUR, *_CHANNELS), strict=True)
        for kind, known in kinds:
            if (at := next((i for i, key in enumerate(keys) if key in known), None)) is not None:
                column[kind] = at
        if "name" not in column or (len(column) == 1 and len(keys) > 1):
            continue
        rows = [[cell.strip() for cell in row] for row in csv.reader(lines[1:], delimiter=delimiter)]
        if rows and all(len(row) > max(column.values()) for row in rows):
            return tuple(_row({kind: row[at] for kind, at in column.items()}) for row in rows)
    return ()


def _row(parts: Mapping[str, str | None]) -> Row:
    name = (parts.get("name") or "").strip().strip("\"'").strip()
    value = parts.get("value")
    colour = _colour(parts.get("hex") or [parts.get(channel) for channel in "rgb"])
    return Row(name, int(value) if value is not None and value.strip().isdigit() else None, colour)


def _colour(given: Any) -> int | None:
    """A colour as a number, from '#rrggbb', from three numbers, or from a text of them."""
    if isinstance(given, str):
        if re.fullmatch(_HEX, given.strip()):
            return int(given.strip()[1:], 16)
        given = re.findall(r"\d+", given)
    if not isinstance(given, list | tuple) or len(given) not in (3, 4):
        return None
    channels = [int(part) for part in given[:3] if str(part).isdigit() and int(part) < 256]
    return channels[0] << 16 | channels[1] << 8 | channels[2] if len(channels) == 3 else None


def _json(text: str) -> tuple[Row, ...]:
    """Name → colour or value, value → name, or a list of names or of records."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    if isinstance(found, dict) and isinstance(found.get("classes"), list | dict):
        found = found["classes"]
    rows = tuple(_json_rows(found))
    return rows if all(row.name for row in rows) else ()


def _json_rows(found: Any) -> Iterator[Row]:
    if isinstance(found, list):
        yield from (Row(one) if isinstance(one, str) else _record(one) for one in found)
    elif isinstance(found, dict):
        for key, value in found.items():
            if isinstance(value, int) and not isinstance(value, bool):
                yield Row(key, value)
            elif isinstance(value, str) and key.isdigit():
                yield Row(value, int(key))
            elif isinstance(value, dict):
                yield _record({"name": key, **value})
            else:
                colour, of_key = _colour(value), _colour(key)
                yield (
                    Row(value, colour=of_key) if isinstance(value, str) and colour is None else Row(key, colour=colour)
                )


def _record(one: Any) -> Row:
    """A class of a list of records, whatever they call its parts."""
    if not isinstance(one, dict):
        return Row("")
    lowered = {re.sub(r"[\s_]+", "_", str(key).lower()): value for key, value in one.items()}
    first: Callable[[set[str]], Any] = lambda keys: next((lowered[key] for key in lowered if key in keys), None)  # noqa: E731
    name, value = first(_NAME), first(_VALUE)
    return Row(str(name or "").strip(), value if isinstance(value, int) else None, _colour(first(_COLOUR)))
