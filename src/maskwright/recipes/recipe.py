"""What a recipe is: data, network, loss, optimiser, schedule and augmentation, all stated, and the numbers to expect.

A plan decides from the data; a recipe says. What it leaves out is what the records' own defaults say, never what the
planner would decide: a recipe means the same in every version of the planner.
"""

from pathlib import Path
from typing import Any, Final, Literal

from pydantic import field_validator

from maskwright.data.augment import OFF, Augment
from maskwright.data.dataset import Sampling
from maskwright.errors import SettingError, nearest
from maskwright.losses import LossSettings
from maskwright.model import UNetRecord
from maskwright.records import Record
from maskwright.settings import TrainingSettings
from maskwright.tiling import Tiles

FOLDER: Final = Path(__file__).parent


class Measured(Record):
    """A number of ours, and how to get it again."""

    value: float
    scale: str = "in full"
    """in full, or what was made smaller."""
    command: str
    machine: str
    seconds: float
    date: str


class Values(Record):
    """How a recipe prepares images; None is decided by the data."""

    channels: int | None = None
    """1: colour becomes grey. 3: grey is repeated."""
    size: tuple[int, int] | None = None
    """Height and width that every image is resized to; None: images as they are."""
    interpolation: Literal["bilinear", "nearest"] = "bilinear"
    mean: float | None = None
    std: float | None = None
    """In stored values; None: those of the training images, a number a channel."""


class Parts(Record):
    """How a recipe divides the data, where they are not published in parts."""

    test: tuple[str, ...] = ()
    val: tuple[str, ...] = ()
    """Names or patterns."""
    share: float | None = None
    """Of the images to train on, those that validate."""
    stratify: bool = False
    """Whether both parts show as much foreground."""
    split_seed: int = 0
    propose: bool = False
    """Whether groups that names show stay together. Those that a `dataset.yaml` states do so anyway."""


class Recipe(Record):
    """One system, whole."""

    name: str
    title: str
    source: str
    """Who described it."""
    data: str
    """Name of the data set, as `maskwright datasets` lists it."""
    metric: str
    """The number's name, as `maskwright evaluate` prints it."""
    author: str
    """What its author reached, in words."""
    target: float | None = None
    """The author's number, or the one to beat where he gave none."""
    smaller_is_better: bool = False
    takes: str
    """How long it takes on what."""
    state: Literal["done", "scaled down", "runs; number open"]
    ours: tuple[Measured, ...] = ()
    note: str = ""
    metrics: tuple[str, ...] = ()
    """Contest scores that evaluation adds."""

    parts: Parts = Parts()
    preprocess: Values = Values()
    model: UNetRecord
    sampling: Sampling
    augment: Augment = OFF
    loss: LossSettings = LossSettings()
    training: TrainingSettings
    tiles: Tiles | None = None

    @field_validator("augment", mode="before")
    @classmethod
    def _from_nothing(cls, augment: Any) -> Any:
        """What a recipe does not name is not done to its images."""
        return {**OFF.plain(), **augment} if isinstance(augment, dict) else augment

    def network(self, in_channels: int | None = None, classes: int | None = None) -> UNetRecord:
        """The recipe's network, for other channels or classes if they are given.

        A network with one logit keeps it for two classes: background and foreground.
        """
        update: dict[str, int] = {}
        if in_channels is not None:
            update["in_channels"] = in_channels
        if classes is not None and not (self.model.classes == 1 and classes == 2):
            update["classes"] = classes
        return self.model.with_settings(update) if update else self.model


def recipes() -> list[Recipe]:
    """All recipes that come with Maskwright, by name."""
    return [Recipe.load(path) for path in sorted(FOLDER.glob("*.yaml"))]


def recipe(name: str | Path | Recipe) -> Recipe:
    """The recipe of that name, or in a `.yaml` file of one's own; a recipe is itself.

    Raises:
        SettingError: there is none; names the nearest.
    """
    if isinstance(name, Recipe):
        return name
    path = Path(name)
    if path.suffix in {".yaml", ".yml"}:
        return Recipe.load(path)
    path = FOLDER / f"{name}.yaml"
    if not path.is_file():
        known = [found.stem for found in FOLDER.glob("*.yaml")]
        raise SettingError(f"There is no recipe called {str(name)!r}. {nearest(str(name), known)}")
    return Recipe.load(path)
