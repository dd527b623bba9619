"""Stacks: files of several pages, each page an image of its own."""

from collections.abc import Callable, Iterator, Set
from dataclasses import replace
from pathlib import Path

from maskwright.data.layouts import Entry
from maskwright.data.parallel import ahead
from maskwright.data.sample import mask_axes
from maskwright.data.sources import sources
from maskwright.errors import DataError, MaskwrightError
from maskwright.files import STACK_SUFFIXES, pages_in, suffix_of


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
    stacks = set(STACK_SUFFIXES)
    chunks = (entries[first : first + 64] for first in range(0, len(entries), 64))
    for chunk in ahead(lambda chunk: [_taken_apart(entry, stacks) for entry in chunk], chunks, workers):
        for found in chunk:
            if isinstance(found, list):
                out += found
            elif wrong is None:
                raise found
            else:
                wrong(found)
    return out


def _taken_apart(entry: Entry, stacks: Set[str]) -> list[Entry] | MaskwrightError:
    """The pages of an entry, or what is wrong with it."""
    if not any(path.suffix.lower() in stacks for path in (entry.image, entry.mask) if path):
        return [entry]
    try:
        return _pages(entry)
    except MaskwrightError as error:
        return error


def _pages(entry: Entry) -> list[Entry]:
    pages = _count(entry.image, entry.axes)
    paged = sources[entry.source].paged
    if entry.mask and paged and (of_mask := _count(entry.mask, mask_axes(entry.axes))) != pages:
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


def _count(path: Path, axes: str | None) -> int:
    return pages_in(path, axes) if suffix_of(path) in STACK_SUFFIXES else 1


def _said(pages: int) -> str:
    return f"{pages} pages" if pages > 1 else "1 page"
