"""What was measured of files, remembered for the next time: an index that was killed goes on, a second one is quick.

It lies in the user's cache folder, never in the data: `$MASKWRIGHT_CACHE`, else `$XDG_CACHE_HOME/maskwright`, else
`~/.cache/maskwright`, in it `measured/`, a folder a data set. Each index appends to a file of its own, a line a sample,
so several at once do not meet; a line that was cut off is passed over. All of it may be deleted at any time, and where
nothing can be written everything is measured again.

A line counts as long as path, size and times of all its files are as they were, and the code that measures, too.
"""

import base64
import json
import os
import secrets
import shutil
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

import numpy as np

import maskwright.files
from maskwright._version import __version__
from maskwright.data.layouts import Entry
from maskwright.data.measure import Look, Measured, described
from maskwright.data.names import relative
from maskwright.data.sample import Sample
from maskwright.data.sources import Place, sources
from maskwright.errors import MaskwrightError
from maskwright.files import MaskStyle, hashed, readers, stamp
from maskwright.records import replacing

LIMIT: Final = 2 << 30
"""Bytes of all that is remembered, about a million samples; the data sets that were not looked at longest go first."""
MANY: Final = 8
"""Files of one data set; when there are more they are joined."""
SETTLED: Final = 2 * 10**9
"""A file changed less than so many ns ago may change again without its times telling: it is not remembered yet."""
ABANDONED: Final = 600.0
"""Seconds after which a file that nobody has appended to is taken for finished."""


KEY: Final = 24
"""Characters of a key."""


@dataclass(frozen=True)
class Key:
    """What a line is found by, and whether its files have been at rest long enough to be remembered."""

    text: str
    settled: bool


def cache_folder() -> Path:
    """Where this user keeps what can be made again."""
    if told := os.environ.get("MASKWRIGHT_CACHE"):
        return Path(told)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "maskwright"


class Remembered:
    """The measurements of one data set, for the length of a block. May be asked from any thread."""

    def __init__(self, root: Path):
        self.folder = cache_folder() / "measured" / hashed(str(root.resolve()).encode())
        self._root, self._lock, self._token = root, threading.Lock(), secrets.token_hex(6)
        self._files: list[BinaryIO] = []
        self._places: dict[str, tuple[int, int, int]] = {}  # key → which file, where, how many bytes
        self._log: BinaryIO | None = None
        self._bytes = 0

    def __enter__(self) -> Self:
        with suppress(OSError):
            for path in sorted(self.folder.glob("*.jsonl")):
                self._read(path)
        return self

    def __exit__(self, *_: object) -> None:
        wrote = self._log is not None
        if self._log is not None:
            with suppress(OSError):
                self._log.close()
        with suppress(OSError):
            if wrote:
                self._tidy()
        for file in self._files:
            file.close()

    def get(self, key: Key, entry: Entry, name: str) -> Measured | None:
        """What was measured of the entry's files, if they are as they were."""
        if (place := self._places.get(key.text)) is None:
            return None
        number, start, length = place
        with self._lock:
            self._files[number].seek(start)
            line = self._files[number].read(length)
        try:
            return _loaded(json.loads(line[len(key.text) :]), self._root, entry, name)
        except (ValueError, KeyError, TypeError):  # what a crash of the machine left behind
            return None

    def put(self, lines: Mapping[Key, Measured]) -> None:
        """Remember measurements, at once: whatever kills the process, these stay. From one thread."""
        text = "".join(f"{key.text}{_dumped(measured)}\n" for key, measured in lines.items() if key.settled)
        if not text or self._bytes + len(text) > LIMIT:
            return
        with suppress(OSError):
            if self._log is None:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._log = (self.folder / f"{self._token}.jsonl").open("ab", buffering=0)
            self._log.write(text.encode())
            self._bytes += len(text)

    def _read(self, path: Path) -> None:
        number, start = len(self._files), 0
        with path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    self._places[line[:KEY].decode("ascii", "replace")] = (number, start, len(line))
                start += len(line)
        self._files.append(path.open("rb"))
        self._bytes += start

    def _tidy(self) -> None:
        """Join this data set's files if they are many, and forget others if all are too large."""
        finished = time.time() - ABANDONED
        paths = [p for p in self.folder.glob("*.jsonl") if p.stem == self._token or p.stat().st_mtime < finished]
        if len(paths) > MANY:
            kept: dict[bytes, bytes] = {}
            for path in sorted(paths, key=lambda path: path.stat().st_mtime):
                kept.update((line[:KEY], line) for line in path.read_bytes().splitlines(keepends=True))
            with replacing(self.folder / f"{secrets.token_hex(6)}.jsonl") as temporary:
                temporary.write_bytes(b"".join(line for line in kept.values() if line.endswith(b"\n")))
            for path in paths:
                path.unlink(missing_ok=True)
        sizes = {
            folder: (max((p.stat().st_mtime for p in folder.iterdir()), default=0.0), _size(folder))
            for folder in self.folder.parent.iterdir()
            if folder != self.folder
        }
        total = _size(self.folder) + sum(size for _, size in sizes.values())
        for folder in sorted(sizes, key=lambda folder: sizes[folder][0]):
            if total <= LIMIT:
                break
            shutil.rmtree(folder, ignore_errors=True)
            total -= sizes[folder][1]


def key_of(root: Path, entry: Entry, table: Mapping[str, int]) -> Key | None:
    """The key of an entry: all that its measurement depends on; None if one of its files is missing."""
    files = [entry.image, *entry.bands, *([entry.valid] if entry.valid else [])]
    try:
        if entry.mask:
            place = Place(
                entry.mask, (1, 1), entry.page, entry.parts, entry.key,
                table=table, reading=entry.reading, per_class=entry.per_class,
            )  # fmt: skip
            files += sources[entry.source].files(place)
        stamps = [stamp(path) for path in files]
    except MaskwrightError:
        return None
    said = [
        version(), [(relative(path, root), *stamped) for path, stamped in zip(files, stamps, strict=True)],
        entry.mask is None, entry.source, entry.page, entry.key, len(entry.bands), entry.valid is None,
        list(entry.parts), sorted(table.items()), entry.axes,
        str(entry.reading), entry.per_class,
    ]  # fmt: skip
    newest = max(max(stamped[1:]) for stamped in stamps)
    return Key(hashed(json.dumps(said).encode()), newest < time.time_ns() - SETTLED)


@cache
def version() -> str:
    """A hash of the code that measures: after an update that touches it everything is measured anew."""
    data = Path(__file__).parent
    read = [*Path(maskwright.files.__file__).parent.rglob("*.py"), *(data / "sources").rglob("*.py")]
    read += [data / name for name in ("measure.py", "sample.py", "objects.py", "remembered.py")]
    code = b"".join(path.read_bytes() for path in sorted(read) if path.is_file())
    return hashed(code + f"{__version__} {list(readers)} {list(sources)}".encode())


def _dumped(measured: Measured) -> str:
    look, style = measured.look, measured.style
    pixels = base64.b64encode(look.thumbnail.tobytes()).decode()
    return (
        f"[{measured.sample.model_dump_json(exclude=_OF_THE_ENTRY)},{style.model_dump_json() if style else 'null'},"
        f'"{pixels}",{look.orientation},{look.mask_orientation}]'
    )


def _loaded(values: list[Any], root: Path, entry: Entry, name: str) -> Measured:
    sample, style, thumbnail, orientation, mask_orientation = values
    pixels = np.frombuffer(base64.b64decode(thumbnail), np.uint8)
    side = round(len(pixels) ** 0.5)
    return Measured(
        Sample.model_validate({**sample, **described(root, entry, name)}),
        MaskStyle.model_validate(style) if style else None,
        Look(pixels.reshape(side, side), orientation, mask_orientation),
    )


_OF_THE_ENTRY: Final = {
    "name", "image", "mask", "page", "bands", "source", "parts", "axes", "key", "reading", "valid",
    "split",
}  # fmt: skip
"""What a sample has from its entry, not from measuring."""


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
