"""Stacks: files of several pages, each page an image of its own."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from maskwright.data.layouts import Entry
from maskwright.data.sources import sources
from maskwright.errors import DataError, MaskwrightError
from maskwright.files import STACK_SUFFIXES, pages_in


def taken_apart(
    entries: list[Entry], workers: int, wrong: Callable[[MaskwrightError], None] | None = None
) -> list[Entry]:
    """The entries with one for each page where the files are stacks, the n-th page of the one with that of the other.

    wrong: told what is wrong with an entry, which is then left out; None: it is raised.

    Raises:
        ReadError: a file that may be a stack does not open.
        DataError: an image and its mask have unlike numbers of pages.
    """
    out: list[Entry] = []
    with ThreadPoolExecutor(workers) as pool:
        for job in [pool.submit(_pages, entry) for entry in entries]:
            try:
                out += job.result()
            except MaskwrightError as error:
                if wrong is None:
                    raise
                wrong(error)
    return out


def _pages(entry: Entry) -> list[Entry]:
    pages = _count(entry.image)
    paged = sources[entry.source].paged
    if entry.mask and paged and (of_mask := _count(entry.mask)) != pages:
        raise DataError(
            f"{entry.image} has {_said(pages)}, its mask {entry.mask} has {_said(of_mask)}. Each page of a stack is an "
            "image of its own, so both need as many; if pages are channels of one picture, save it as one page of "
            f"several bands. Or leave the pair out with --skip {entry.image.name}.",
            code="unequal-pages",
        )
    if pages > 1 and entry.mask and not paged:
        raise DataError(
            f"{entry.image} has {pages} pages, but {entry.mask} is about one picture. Split the stack, a file a page.",
            code="unequal-pages",
        )
    return list(_of(entry, pages)) if pages > 1 else [entry]


def _of(entry: Entry, pages: int) -> Iterator[Entry]:
    return (replace(entry, page=page, pages=pages) for page in range(pages))


def _count(path: Path) -> int:
    return pages_in(path) if path.suffix.lower() in STACK_SUFFIXES else 1


def _said(pages: int) -> str:
    return f"{pages} pages" if pages > 1 else "1 page"
