"""`dataset.yaml`: what a person states about a data set. What it says is law; what it leaves out is inferred."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from maskwright.errors import DataError
from maskwright.files import is_archive
from maskwright.files.annotations import Reading
from maskwright.records import Record

NAME = "dataset.yaml"


class SplitFile(Record):
    """Which images are for what: patterns, or how many are to be drawn."""

    train: tuple[str, ...] = ()
    val: tuple[str, ...] | float | None = None
    test: tuple[str, ...] | float | None = None
    """A number below 1 is a share of the labelled images, a whole number from 1 that many of them."""
    stratify: bool = False
    """Whether each part is to show as much foreground as all; see `split.Draw`."""
    seed: int = 0
    """Another one draws other images."""
    groups: str | dict[str, str] | None = None
    """Which images stay together, as `groups.read_groups` reads it; None: as their names show, if they do so plainly.
    """
    folds: int | None = Field(None, ge=2)
    """In how many parts the images validate in turn, instead of one validation part."""
    fold: int = Field(0, ge=0)
    """Which of them validates, from 0."""

    @field_validator("val", "test", mode="before")
    @classmethod
    def _patterns_or_share(cls, value: Any) -> Any:
        """Texts are no numbers here, nor truths."""
        if value is None or isinstance(value, list | tuple):
            return value
        if isinstance(value, bool | str) or not isinstance(value, int | float):
            raise ValueError(  # noqa: TRY004 - pydantic tells only these
                "expected a list of patterns, a share such as 0.2 or a number of images"
            )
        return checked_share(value)

    @field_validator("groups", mode="before")
    @classmethod
    def _names_are_texts(cls, value: Any) -> Any:
        """YAML takes `07: 3` for numbers, and `no` for a truth."""
        if value is False:
            return "none"
        return {str(name): str(group) for name, group in value.items()} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _one_way_to_validate(self) -> Self:
        if self.folds is None and self.fold:
            raise ValueError(f"fold: {self.fold} says which fold validates, but not of how many; add folds: 5")
        if self.folds is not None and self.val is not None:
            raise ValueError("val: and folds: both say what validates; state one of them")
        return self

    def patterns(self, part: Literal["train", "val", "test"]) -> tuple[str, ...]:
        """The patterns of a part."""
        value = getattr(self, part)
        return value if isinstance(value, tuple) else ()

    def share(self, part: Literal["val", "test"]) -> float | None:
        """How many images are to be drawn for a part."""
        value = getattr(self, part)
        return None if isinstance(value, tuple) else value


class AnnotationsFile(Reading):
    """Which annotation file counts, and what such files leave open."""

    file: str | None = None
    """Or a folder of them."""

    @field_validator("annotator", mode="before")
    @classmethod
    def _names_are_texts(cls, value: Any) -> Any:
        """People may be numbered."""
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @property
    def reading(self) -> Reading:
        """What is left open, as it is stated."""
        return Reading.model_validate(self.model_dump(exclude={"file"}))


def checked_share(value: float) -> float:
    """The number again, if it is a share between 0 and 1 or a whole number of images.

    Raises:
        ValueError: it is neither.
    """
    if not 0 < value < 1 and not (value >= 1 and float(value).is_integer()):
        raise ValueError("a share lies between 0 and 1, a number of images is a whole one")
    return value


class DatasetFile(Record):
    """The keys of a `dataset.yaml`, all optional.

    path: ../scans            # the data, if it lies elsewhere; relative to this file
    images: photos            # folders, where they have names of their own
    masks: drawn
    classes: {background: 0, crack: 255}      # or {road: "#804080", car: ["#400080", "#4000c0"]},
                              # or {crack: {value: 255, colour: "#ff0000"}}, the colour it is shown in;
                              # where annotations name what is drawn: {vehicle: [car, bus], ground: background}
    ignore: [128]
    threshold: 128            # of two classes: other values below it are the lower one, from it on the higher
    tolerance: 32             # other colours are the nearest class's, if no channel is further off
    others: ignore            # a pixel of any other value counts nowhere; otherwise it is an error
    split: {test: ["2[4-9].png"], val: ["1?.png"]}     # or {val: 0.2, stratify: true, seed: 1}
                              # or {folds: 5, fold: 0, groups: "{group}_*"}; groups: patients.csv; groups: none
    skip: ["img_07*"]
    instances: true           # masks hold a number for each object, 0 for background; of several classes: 1000,
                              # where values are a class times 1000 and the object's number, or the folder of files
                              # that number the objects whose classes the masks say
    axes: CHW                 # what each axis of an image file is, where it does not say: H W C, and Z T N for pages
    layout: voc               # how the folder is laid out; only this one is tried
    bands: [_B04, _B03, _B02] # an image is a file a band, its channels in this order: ends of their names
    annotators: vote          # or the name of the one who is believed
    overlap: [road, car]      # classes with a file each: the later is seen over the earlier
    annotations: {file: instances.json, line_width: 3}      # or class_property: NAME, run_order: rows, annotator: NAME
    valid: fov                # folder of masks that are 0 where pixels count nowhere
    """

    path: str | None = None
    images: str | None = None
    masks: str | None = None
    classes: dict[str, Any] | None = Field(None, min_length=2)
    ignore: tuple[int | str, ...] = ()
    threshold: int | None = Field(None, ge=1)
    tolerance: int | None = Field(None, ge=0, le=255)
    others: Literal["refuse", "ignore"] = "refuse"
    split: SplitFile = SplitFile()
    skip: tuple[str, ...] = ()
    instances: bool | int | str = False
    axes: str | None = None
    layout: str | None = None
    bands: tuple[str, ...] = ()
    annotators: str | None = None
    overlap: tuple[str, ...] = ()
    valid: str | None = None
    annotations: AnnotationsFile = AnnotationsFile()

    @model_validator(mode="after")
    def _objects_have_no_names(self) -> Self:
        if self.instances is True and self.ignore:
            raise ValueError("instances: true takes every value above 0 for an object, so there is none to ignore")
        if not isinstance(self.instances, bool | str) and self.instances < 2:
            raise ValueError(
                "instances: is true, how many values a class has (1000 in Cityscapes), or a folder of files that "
                "number objects"
            )
        return self

    @model_validator(mode="after")
    def _one_way_of_saying_where(self) -> Self:
        if self.layout is not None and self.images is not None:
            raise ValueError("layout: and images: both say where the files are; state one")
        if self.annotations.file is not None and (self.images is not None or self.layout is not None):
            raise ValueError("annotations: file: says what counts, so that neither images: nor layout: is needed")
        return self

    @model_validator(mode="after")
    def _one_way_to_be_near(self) -> Self:
        if self.threshold is not None and self.tolerance is not None:
            raise ValueError("threshold: is for grey masks, tolerance: for coloured ones; state one of them")
        return self


def speaks_of_colours(stated: DatasetFile) -> bool:
    """Whether a class or an ignored value is given as a colour; masks are then read as the colours they show."""
    given: list[Any] = [*(stated.classes or {}).values(), *stated.ignore]
    while given:
        value = given.pop()
        if isinstance(value, str) and value.startswith("#"):
            return True
        if isinstance(value, list | tuple):
            given += value
        elif isinstance(value, dict):
            given.append(value.get("value"))
    return False


def find(data: str | Path) -> tuple[Path, DatasetFile]:
    """The folder that holds the data and what its `dataset.yaml` says; `data` is the folder or the file itself, or an
    archive that holds the data.

    Raises:
        DataError: there is neither, or `images` stands without `masks`.
        SettingError: the file has an unknown key.
    """
    path = Path(data)
    if not path.exists():
        raise DataError(f"{path} does not exist. Give the folder that holds your images and masks.")
    if is_archive(path):
        return path, DatasetFile()
    file = path / NAME if path.is_dir() else path
    if path.is_file() and path.suffix.lower() not in {".yaml", ".yml"}:
        raise DataError(f"{path} is a file. Give the folder that holds your images and masks, or a {NAME}.")
    stated = DatasetFile.load(file) if file.is_file() else DatasetFile()
    if (stated.images is None) != (stated.masks is None):
        raise DataError(f"{file}: images: and masks: belong together; state both or neither.")
    return (file.parent / stated.path if stated.path else file.parent), stated
