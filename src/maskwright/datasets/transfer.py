"""One file over HTTP, in as many goes as it takes: what has arrived is kept and asked for no second time.

A part `NAME.part` grows beside a note of where it comes from. Bytes are appended only where the server says that they
are the next ones (206 with the right Content-Range) of the same file (If-Range, RFC 9110 section 13.1.5); a server that
knows no ranges sends the whole, and the part begins anew.
"""

import errno
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from maskwright._version import __version__
from maskwright.datasets.dataset_card import megabytes
from maskwright.errors import DownloadError, SettingError
from maskwright.records import Record

TRIES: Final = 5
"""So often without a new byte, and it is given up. Waits double in between, from one second."""
TIMEOUT: Final = (10.0, 60.0)
"""Seconds to connect, and to wait for the next bytes."""
CHUNK: Final = 1 << 18
BUSY: Final = {408, 425, 429, 500, 502, 503, 504}
"""Answers that may be another one soon."""

Tell = Callable[[int, int | None], None]
"""Told after each piece: bytes that have arrived, and bytes of the whole, if the server says so."""


class _AgainError(Exception):
    """A try that ended early; another may not."""


class _Note(Record):
    """Whose bytes a part is: the address, and the server's name for this version of the file."""

    url: str
    version: str | None


class Transfer:
    """A downloader as pooch takes it. It resumes `part`, whoever began it, and at the end hands it over.

    `size` is the published one. `checked` says that a checksum is looked at afterwards: then a part may be trusted
    whose origin nobody noted.
    """

    def __init__(self, part: Path, *, size: int | None = None, checked: bool = False, tell: Tell | None = None):
        self.part, self.size, self.checked = part, size, checked
        self.resumed = False
        self._tell = tell or (lambda done, total: None)
        self._note = part.with_name(part.name + ".json")

    def __call__(self, url: str, output_file: str | Path, pooch: Any = None) -> None:
        """Fetch the file.

        Raises:
            DownloadError: the server refuses or stays out of reach, the size is wrong, or the disk is full.
        """
        self.fetch(url)
        self.part.replace(output_file)
        self._note.unlink(missing_ok=True)

    def fetch(self, url: str) -> None:
        """Fill the part, with new tries as long as they bring something."""
        import requests
        import urllib3

        farthest, failures = self._have(), 0
        passing = (_AgainError, requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError)
        with requests.Session() as session:
            while True:
                try:
                    return self._try(session, url)
                except passing as error:
                    failures = 1 if self._have() > farthest else failures + 1
                    farthest = max(farthest, self._have())
                    if failures >= TRIES:
                        raise DownloadError(self._out_of_reach(url, error)) from error
                    time.sleep(2.0 ** (failures - 1))
                except requests.RequestException as error:
                    raise DownloadError(f"{url} cannot be fetched: {error}.") from error
                except OSError as error:
                    raise DownloadError(f"{self.part} cannot be written: {why_not(error)}{self._kept()}") from error

    def discard(self) -> None:
        """Forget what has arrived."""
        self.part.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def _try(self, session: Any, url: str) -> None:
        note = self._noted()
        same = note is not None and note.url == url and note.version is not None
        have = self._have() if same or self.checked else 0
        if self.checked and have and have == self.size:
            self.resumed = True
            return
        # Compressed on the way, byte N of the answer would not be byte N of the file.
        headers = {"Accept-Encoding": "identity", "User-Agent": f"maskwright/{__version__}"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if same and note and note.version:
                headers["If-Range"] = note.version
        with session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            start, total = self._begins_at(response, url, have)
            self.resumed |= start > 0
            if start and start == total:
                return
            self._agree_on(total, start, url)
            if not start:
                _Note(url=url, version=_version(response.headers)).save(self._note)
            self._receive(response, start, total)

    def _begins_at(self, response: Any, url: str, have: int) -> tuple[int, int | None]:
        """The place in the file that the answer begins at, and the size of the whole."""
        code = response.status_code
        if code in BUSY:
            raise _AgainError(f"the server answers {code} {response.reason}")
        if code in {206, 416} and have:
            first, total = _content_range(response.headers)
            if (code == 416 and total == have) or (code == 206 and first == have):
                return have, total
            self.discard()
            raise _AgainError("the server sent another part than the one asked for")
        if code != 200:
            raise DownloadError(
                f"{url}: the server answers {code} {response.reason}. The file may have moved; look at the data set's "
                "homepage."
            )
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdigit() else None

    def _agree_on(self, total: int | None, start: int, url: str) -> None:
        if self.size and total and total != self.size:
            raise DownloadError(
                f"{url}: the server offers {total:,} bytes, the published file has {self.size:,}. It was replaced, or "
                "something on the way answers in the server's place: open the address in a browser."
            )
        # Where the card names no size, nobody has looked yet whether the unpacked files would fit too.
        need_room(self.part.parent, (total or 0) * (1 if self.size else 2) - start)

    def _receive(self, response: Any, start: int, total: int | None) -> None:
        done = start
        with self.part.open("r+b" if start else "wb") as file:
            file.seek(start)
            for piece in response.raw.stream(CHUNK, decode_content=False):
                file.write(piece)
                done += len(piece)
                self._tell(done, total)
        if total is not None and done != total:
            raise _AgainError("the connection ended early")

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def _noted(self) -> _Note | None:
        try:
            return _Note.load(self._note)
        except SettingError:  # none yet, or one that a crash cut short
            return None

    def _kept(self) -> str:
        have = self._have()
        return f" What has arrived ({megabytes(have)}) is kept; the same command goes on from there." if have else ""

    def _out_of_reach(self, url: str, error: Exception) -> str:
        return f"{url} is out of reach ({_cause(error)}). Check the connection and try again.{self._kept()}"


def need_room(folder: Path, count: int) -> None:
    """Nothing if `count` bytes fit on the disk of that folder, which need not exist yet.

    Raises:
        DownloadError: they do not.
    """
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if count > free:
        raise DownloadError(
            f"{megabytes(count)} are needed on the disk of {folder.resolve()}, {megabytes(free)} are free. Free some "
            "room, or name a folder on another disk with --to."
        )


def why_not(error: OSError) -> str:
    """The reason that the disk gives, and what to do about it."""
    advice = "Free some room, or name a folder" if error.errno == errno.ENOSPC else "Look at the folder, or name one"
    return f"{error.strerror or error}. {advice} elsewhere with --to."


def _version(headers: Any) -> str | None:
    """What to ask for with If-Range: a strong ETag, or else the date."""
    tag = headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")


def _content_range(headers: Any) -> tuple[int | None, int | None]:
    """First byte and size of the whole; `bytes */9`, as it comes with 416, has no first byte."""
    found = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)", headers.get("Content-Range", ""))
    first, total = found.groups() if found else (None, None)
    return (int(first) if first else None), (int(total) if total else None)


def _cause(error: BaseException) -> str:
    """The last reason in a chain, which is the one a person understands."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return str(error) or type(error).__name__
