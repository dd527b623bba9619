"""`dataset.yaml`: what a person states about a data set. What it says is law; what it leaves out is inferred."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from maskwright.errors import DataError
from maskwright.records import Record

NAME = "dataset.yaml"


class DatasetFile(Record):
    """The keys of a `dataset.yaml`, all optional.

    path: ../scans            # the data, if it lies elsewhere; relative to this file
    images: photos            # folders, where they have names of their own
    masks: drawn
    classes: {background: 0, crack: 255}      # or {road: "#804080", car: ["#400080", "#4000c0"]}
    ignore: [128]
    split: {test: ["2[4-9].png"], val: ["1?.png"]}
    skip: ["img_07*"]
    """

    path: str | None = None
    images: str | None = None
    masks: str | None = None
    classes: dict[str, Any] | None = Field(None, min_length=2)
    ignore: tuple[int | str, ...] = ()
    split: dict[Literal["train", "val", "test"], tuple[str, ...]] = {}
    skip: tuple[str, ...] = ()


def speaks_of_colours(stated: DatasetFile) -> bool:
    """Whether a class or an ignored value is given as a colour; masks are then read as the colours they show."""
    values = [v for value in (stated.classes or {}).values() for v in (value if isinstance(value, list) else [value])]
    return any(isinstance(value, str) for value in (*values, *stated.ignore))


def find(data: str | Path) -> tuple[Path, DatasetFile]:
    """The folder that holds the data and what its `dataset.yaml` says; `data` is the folder or the file itself.

    Raises:
        DataError: there is neither, or `images` stands without `masks`.
        SettingError: the file has an unknown key.
    """
    path = Path(data)
    if not path.exists():
        raise DataError(f"{path} does not exist. Give the folder that holds your images and masks.")
    file = path / NAME if path.is_dir() else path
    if path.is_file() and path.suffix.lower() not in {".yaml", ".yml"}:
        raise DataError(f"{path} is a file. Give the folder that holds your images and masks, or a {NAME}.")
    stated = DatasetFile.load(file) if file.is_file() else DatasetFile()
    if (stated.images is None) != (stated.masks is None):
        raise DataError(f"{file}: images: and masks: belong together; state both or neither.")
    return (file.parent / stated.path if stated.path else file.parent), stated
