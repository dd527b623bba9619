"""The journal of a folder of predictions: which images are done, by which model, asked for what; so that a command that
was interrupted goes on where it stopped when it is given again.
"""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from maskwright.errors import DataError, SettingError
from maskwright.records import Record

NAME: Final = "predicted.jsonl"


class Done(Record):
    """One image that is done."""

    image: str
    """Its path, absolute."""
    stamp: tuple[int, ...]
    """Of the image's file when it was read, see `files.stamp`."""
    job: str
    """Hash of all that the prediction hangs on: models, settings, version."""
    files: dict[str, tuple[str, ...]]
    """Output with its settings → what was written, relative to the folder."""
    begun: tuple[str, ...] = ()
    """What may have been written when no more is known: the line is of an image that was not finished."""
    pixels: int = 0
    seconds: float = 0.0
    computed: float = 0.0
    """Pixels that went through the network for each that was wanted."""
    warnings: tuple[str, ...] = ()


class Journal:
    """What is done in a folder; a line of JSON an image in `predicted.jsonl`, the last one of an image counts.

    Raises:
        DataError: there is a file of this name that is none.
    """

    def __init__(self, folder: Path):
        self.path = folder / NAME
        self._lock = threading.Lock()
        text = self.path.read_text("utf-8") if self.path.is_file() else ""
        whole = text[: text.rfind("\n") + 1]
        # A process that was killed leaves a line cut short: that image is not done.
        self._cut_at = len(whole.encode()) if whole != text else None
        self._done: dict[str, Done] = {}
        for number, line in enumerate(whole.splitlines(), start=1):
            done = self._read(line, number)
            self._done[done.image] = done

    def of(self, image: Path) -> Done | None:
        """What was last done with an image."""
        return self._done.get(str(image.resolve()))

    def __iter__(self) -> Iterator[Done]:
        return iter(self._done.values())

    def add(self, done: Done) -> None:
        """Note that an image is done."""
        with self._lock:
            self._done[done.image] = done
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self._cut_at is not None:
                os.truncate(self.path, self._cut_at)
                self._cut_at = None
            with self.path.open("a", encoding="utf-8") as file:
                file.write(f"{done.model_dump_json()}\n")

    def _read(self, line: str, number: int) -> Done:
        try:
            return Done.read(dict(json.loads(line)), f"{self.path}, line {number},")
        except (ValueError, TypeError, SettingError):
            raise DataError(
                f"{self.path}, line {number}, is no line of a journal of predictions. Give another --out, or move the "
                "file away."
            ) from None
