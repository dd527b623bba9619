"""What files are called: paths inside the data set, unique names, and patterns that mean them."""

import os
from collections import Counter
from collections.abc import Collection
from fnmatch import fnmatch
from pathlib import Path

from maskwright.errors import DataError


def unique_names(paths: list[Path], root: Path) -> list[str]:
    """Each image's stem if no other has it, else its path without the ending, else its whole path.

    Image by image: adding one gives at most its namesakes another name, and so another part of the split.
    """
    names = [path.stem for path in paths]
    for form in (lambda p: p.with_suffix("").as_posix(), lambda p: p.as_posix()):
        times = Counter(names)
        names = [
            name if times[name] == 1 else form(Path(relative(path, root)))
            for name, path in zip(names, paths, strict=True)
        ]
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise DataError(f"{twice[0]} is named twice in {root}; list each image once.")
    return names


def relative(path: Path, root: Path) -> str:
    """The path inside the data set, with forward slashes; the whole path where it lies elsewhere."""
    text, start = str(path), f"{root}{os.sep}"
    if text.startswith(start):  # `relative_to` takes ten times as long
        return text[len(start) :].replace(os.sep, "/")
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path.resolve())


def page_path(path: Path, page: int | None, pages: int) -> Path:
    """What a page of a stack would be called if it were a file of its own: `stack_07.tif`; sorts as the pages do."""
    return path if page is None else path.with_stem(f"{path.stem}_{page:0{len(str(pages - 1))}}")


def matches(path: Path, root: Path, patterns: Collection[str]) -> bool:
    """Whether a pattern means the file, by its name or its path in the folder, with or without the ending."""
    if not patterns:
        return False
    inside = Path(relative(path, root))
    texts = (path.name, path.stem, inside.as_posix(), inside.with_suffix("").as_posix())
    # A name with brackets is a pattern that does not match itself.
    return any(text == p or fnmatch(text, p) for p in patterns for text in texts)
