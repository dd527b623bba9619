"""The index: every image with its mask, opened and measured once, before anything long begins."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from maskwright.data.sample import Samples
from maskwright.data.survey import Asked, survey

__all__ = ["Samples", "index"]


def index(
    data: str | Path, *, workers: int = 2, progress: Callable[[int, int], None] | None = None, **asked: Any
) -> Samples:
    """The samples of a folder, each opened, checked and measured.

    asked: what is wanted besides what `dataset.yaml` says, as `survey.Asked` names it: test, val, skip, share …
    progress: told how many files of how many have been read.

    Raises:
        DataError, ReadError: something does not pair, open or fit; names the file and what to do.
        SettingError: a share is none.
    """
    found = survey(data, Asked(**asked), workers=workers, progress=progress, strict=True).samples
    assert found is not None, "a strict survey raises what is wrong"
    return found
