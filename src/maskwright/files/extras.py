"""Packages that only some formats need: imported when such a file is met, asked for by name where they are missing."""

import importlib
from typing import Any

from maskwright.errors import ReadError


def needed(module: str, extra: str, what: str) -> Any:
    """The module.

    Raises:
        ReadError: it is not installed: a predicate with the line that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ReadError(
            f"is {what}, which needs the package {module.split('.')[0]}: `pip install maskwright[{extra}]`."
        ) from error
