"""From a path to annotations, whatever the format; large files are taken apart once."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from maskwright.errors import MaskwrightError, ReadError
from maskwright.files.annotations.content import Content
from maskwright.files.annotations.record import Annotations, first_seen
from maskwright.files.annotations.registry import Reading, format_of, formats

REMEMBERED: Final = 500_000_000
"""Bytes of annotation files whose content is kept; the last one is kept whatever its size."""

_Key = tuple[str, int, int, Reading]
_known: OrderedDict[_Key, tuple[int, Annotations]] = OrderedDict()
_lock = threading.Lock()


def read_annotations(path: str | Path, reading: Reading = Reading()) -> Annotations:  # noqa: B008 - frozen
    """What an annotation file says, or all of those in a folder and its subfolders together.

    The format is told by the content, then by the suffix. A file that has not changed is not read again; the returned
    records are shared, and frozen.

    Raises:
        ReadError: a file is missing, damaged or of no known format, or a folder holds none or several formats; names
            file and place.
    """
    path = Path(path)
    if path.is_dir():
        return _of_folder(path, reading)
    found = _of_file(path, reading)
    if found is None:
        raise ReadError(
            f"{path} is no annotation file of a kind we know ({', '.join(formats)}). Export it as COCO JSON, which "
            "every tool can do."
        )
    return found


def annotation_format(path: str | Path) -> str | None:
    """The name of a file's format, or None if it is no annotation file.

    Raises:
        ReadError: it does not open, or is broken JSON or XML.
    """
    return format_of(Content.of(Path(path)))


def gather(parts: Sequence[Annotations], source: str) -> Annotations:
    """Annotations of one format as if one file held them; classes in the order of the parts.

    Raises:
        ReadError: there are none, or they are of several formats.
    """
    kinds = first_seen(part.format for part in parts)
    if len(kinds) != 1:
        found = f"annotations of several formats ({', '.join(kinds)})" if kinds else "no annotation files"
        raise ReadError(f"{source} holds {found}; one format was expected. Name the file or the folder that counts.")
    return Annotations(
        kinds[0],
        tuple(image for part in parts for image in part.images),
        first_seen(name for part in parts for name in part.names),
        source,
        first_seen(note for part in parts for note in part.notes),
        {name: parent for part in parts for name, parent in part.parents.items()},
        next((part.crs for part in parts if part.crs), ""),
    )


def _of_folder(folder: Path, reading: Reading) -> Annotations:
    suffixes = {suffix for _, part in formats.items() for suffix in part.suffixes}
    files = [file for file in sorted(folder.rglob("*")) if file.suffix.lower() in suffixes and file.is_file()]
    files = [file for file in files if not any(part.startswith(".") for part in file.relative_to(folder).parts)]
    # A list of classes names the files that belong to it, and is asked alone.
    heads = [file for file in files if file.suffix.lower() in {".yaml", ".yml"} and file.parent == folder]
    parts = [part for file in heads if (part := _of_file(file, reading)) is not None]
    if not parts:
        others = [file for file in files if file.suffix.lower() not in {".yaml", ".yml"}]
        parts = [part for file in others if (part := _of_file(file, reading)) is not None]
    return gather(parts, str(folder))


def _of_file(path: Path, reading: Reading) -> Annotations | None:
    """What the file says; None if no format recognises it."""
    try:
        stat = path.stat()
        key = (str(path.resolve()), stat.st_size, stat.st_mtime_ns, reading)
    except OSError:
        return _parsed(path, reading)  # tells what is wrong
    with _lock:
        if key in _known:
            _known.move_to_end(key)
            return _known[key][1]
    found = _parsed(path, reading)
    # What depends on other files, as a YOLO list of classes does, could change while this one does not.
    if found is not None and found.format != "yolo":
        _remember(key, stat.st_size, found)
    return found


def _remember(key: _Key, size: int, found: Annotations) -> None:
    with _lock:
        _known[key] = (size, found)
        while len(_known) > 1 and sum(size for size, _ in _known.values()) > REMEMBERED:
            _known.popitem(last=False)


def _parsed(path: Path, reading: Reading) -> Annotations | None:
    content = Content.of(path)
    try:
        name = format_of(content)
        return None if name is None else replace(formats[name].read(content, reading), format=name)
    except (MaskwrightError, MemoryError):
        raise
    except Exception as error:  # what is missing or of another type shows anywhere: KeyError, TypeError, IndexError …
        raise ReadError(
            f"{path} cannot be read as the annotations it should hold ({type(error).__name__}: {error}). It is damaged "
            "or of a version that we do not know: export it again."
        ) from error
