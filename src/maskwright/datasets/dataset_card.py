"""The cards of public data sets: what is in one, on which terms, where it comes from, how its folder looks.

A card is a file in `catalogue/`. Adding a data set is adding a file.
"""

import functools
from pathlib import Path, PurePosixPath
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from maskwright.errors import SettingError, nearest
from maskwright.records import Record

_CATALOGUE = Path(__file__).parent / "catalogue"


class Download(Record):
    """An archive: where it lies, how it is known to be the right one, and where its members go."""

    url: str
    mirrors: tuple[str, ...] = ()
    """Other places of the same bytes, asked in this order where the first does not answer."""
    bytes: int | None = Field(None, gt=0)
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    md5: str | None = Field(None, pattern="^[0-9a-f]{32}$")
    unpack: Literal["tar", "zip"]
    into: str = "."
    """The subfolder of the data set that the members go to."""
    drop: str | None = None
    """A top folder of the archive that is left away."""

    @model_validator(mode="after")
    def _inside(self) -> Self:
        if PurePosixPath(self.into).is_absolute() or ".." in PurePosixPath(self.into).parts:
            raise ValueError(f"into should be a folder inside the data set, not {self.into!r}")
        return self

    @property
    def file(self) -> str:
        """The archive's name."""
        return PurePosixPath(urlsplit(self.url).path).name

    @property
    def checksum(self) -> str | None:
        """The published checksum as `sha256:…` or `md5:…`; None where none is known."""
        if self.sha256:
            return f"sha256:{self.sha256}"
        return f"md5:{self.md5}" if self.md5 else None


class DatasetCard(Record):
    """What one should know of a data set before, and after, it is on the disk."""

    name: str = Field(pattern="^[a-z0-9]+(-[a-z0-9]+)*$")
    title: str
    images: str
    classes: str
    terms: str
    """The licence or what stands in for one, in a sentence."""
    homepage: str
    citation: str
    layout: str
    """The finished folder as a little tree."""
    contains: tuple[str, ...] = Field(min_length=1)
    """Paths that a whole data set has; a folder without one of them is not taken for it."""
    recipes: tuple[str, ...] = ()
    """The recipes that are trained on it."""
    downloads: tuple[Download, ...] = ()
    steps: tuple[str, ...] = ()
    """What a person does, in order, where no program can or may."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.downloads) == bool(self.steps):
            raise ValueError("a data set has either downloads or, for getting it by hand, steps")
        return self

    @property
    def automatic(self) -> bool:
        """Whether `get` can fetch it; if not, `steps` tell a person how."""
        return bool(self.downloads)

    @property
    def bytes(self) -> int | None:
        """The archives together; None where one of them is not known."""
        known = [download.bytes for download in self.downloads]
        return sum(filter(None, known)) if known and all(known) else None


def cards() -> list[DatasetCard]:
    """All cards, in order of name."""
    return list(_cards().values())


def card(name: str) -> DatasetCard:
    """The card of that name.

    Raises:
        SettingError: there is none; names the nearest.
    """
    if name not in _cards():
        raise SettingError(f"There is no data set called {name!r}. {nearest(name, _cards())}")
    return _cards()[name]


@functools.cache
def _cards() -> dict[str, DatasetCard]:
    found = [DatasetCard.load(path) for path in _CATALOGUE.glob("*.yaml")]
    return {card.name: card for card in sorted(found, key=lambda card: card.name)}


def megabytes(count: int) -> str:
    """Bytes as a person says them: 19 MB, 1.6 GB."""
    if count < 1_000_000:
        return f"{count / 1e3:.0f} kB"
    return f"{count / 1e6:.0f} MB" if count < 1_000_000_000 else f"{count / 1e9:.1f} GB"
