"""What can go wrong for reasons a user can mend: every message names the thing, the expectation and the next step."""

import difflib
from collections.abc import Iterable
from typing import Any


class MaskwrightError(Exception):
    """The base of all our errors. The command line prints its text, without a traceback, and exits with 2."""


class ReadError(MaskwrightError):
    """A file does not open as what it should be."""


class DataError(MaskwrightError):
    """A data set does not hold together: nothing pairs, sizes differ, values are no class."""

    def __init__(self, text: str, *, code: str = "", files: Iterable[str] = (), **facts: Any):
        super().__init__(text)
        self.code = code
        """What kind of fault it is, for the doctor: `unequal-sizes`."""
        self.files = tuple(files)
        """The files it is about, inside the data set."""
        self.facts = facts
        """What was measured of them."""


class SettingError(MaskwrightError):
    """A setting is unknown, or its value does not fit."""


class ModelFileError(MaskwrightError):
    """A file is not a model of ours, is damaged, or comes from a later version."""


class CheckpointError(MaskwrightError):
    """A run cannot be saved or resumed."""


class TrainingError(MaskwrightError):
    """Training cannot go on: the loss is no longer a number, or there is nothing to learn from."""


class TerminatedError(MaskwrightError):
    """The system asked the process to end (SIGTERM); the training is saved. The command line exits with 143."""


class ExportError(MaskwrightError):
    """An exported file does not say what the model says; it is not kept. The command line exits with 1."""


class DownloadError(MaskwrightError):
    """A file does not arrive, or not as the one that was published."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A ready sentence that names what was probably meant, or lists what there is.

    >>> nearest("dpeth", ["depth", "width"])
    "Did you mean 'depth'?"
    """
    names = sorted(known)
    # Someone who types the last word of a dotted key alone means that key.
    leaves = {key.rsplit(".", 1)[-1]: key for key in names}
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if not close and (leaf := difflib.get_close_matches(name.rsplit(".", 1)[-1], leaves, n=1, cutoff=0.6)):
        close = [leaves[leaf[0]]]
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"Known: {', '.join(names) or 'none'}."
