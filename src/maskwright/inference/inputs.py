"""What a person names on the command line, as files; and where their masks go."""

import glob
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from maskwright.data.labels import Labels
from maskwright.errors import DataError, ReadError, SettingError
from maskwright.files import STACK_SUFFIXES, files_in, is_picture_folder, pages_in, stem, suffix_of


def expanded(inputs: Sequence[str | Path]) -> list[Path]:
    """The files that paths, folders and globs mean, each once.

    Raises:
        DataError: one of them means nothing.
    """
    files: dict[Path, None] = {}
    for text in inputs:
        path = Path(text)
        if path.is_dir() and not is_picture_folder(path):
            found = files_in(path)
        elif path.exists():
            found = [path]
        else:
            found = [Path(match) for match in sorted(glob.glob(str(text), recursive=True)) if Path(match).is_file()]
        if not found:
            raise DataError(f"{text} is neither an image, nor a folder with images, nor a pattern that matches any.")
        files.update(dict.fromkeys(found))
    return list(files)


def targets(images: list[Path], out: Path, *, overwrite: bool = False) -> dict[Path, Path]:
    """Image → mask to be written; no image of the user's is ever written over, and no other file unless told to.

    Raises:
        DataError: two images would become the same mask, a mask its own image, or a mask is there already.
    """
    found: dict[Path, Path] = {}
    taken: dict[Path, Path] = {}
    for image in images:
        target = out / f"{stem(image)}{'.tif' if is_stack(image) else '.png'}"
        if (other := taken.get(target)) is not None:
            raise DataError(f"{other} and {image} would both become {target}. Predict them into different folders.")
        if target.resolve() == image.resolve():
            raise DataError(f"The mask of {image} would be written over it. Give another --out.")
        if target.exists() and not overwrite:
            raise DataError(f"{target} is there already. Give another --out, or --overwrite what is there.")
        taken[target] = image
        found[image] = target
    return found


def is_stack(image: Path) -> bool:
    """Whether a file has several pages, each an image; a file that does not open is none."""
    with suppress(ReadError):
        return suffix_of(image) in STACK_SUFFIXES and pages_in(image) > 1
    return False


def demand_runs(path: Path, labels: Labels, *, overwrite: bool = False) -> None:
    """Nothing, if the run lengths of a model with these labels may be written to this CSV.

    Raises:
        SettingError: the file is to be no CSV, or there is more than one foreground class.
        DataError: the file is there already.
    """
    if path.suffix.lower() != ".csv":
        raise SettingError(f"{path} should end in .csv: run lengths are written as one table of all images.")
    if labels.count != 2:
        raise SettingError(
            f"Run lengths are for one foreground class; this model knows {labels.count} classes: "
            f"{', '.join(labels.names)}. Its masks hold them all."
        )
    if path.exists() and not overwrite:
        raise DataError(f"{path} is there already. Give another file for the runs, or --overwrite what is there.")
