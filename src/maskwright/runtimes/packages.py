"""The packages behind the runtimes: whether they are there and new enough, and what to install where they are not."""

import importlib
import re
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from maskwright.errors import SettingError


def is_there(package: str, oldest: str) -> bool:
    """Whether a package is installed in that version or a later one. It is not imported."""
    found = version_of(package)
    return bool(found) and _numbers(found) >= _numbers(oldest)


def version_of(package: str) -> str:
    """The version that is installed; empty where none is."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def demand(module: str, extra: str, what: str) -> Any:
    """The module, imported.

    Raises:
        SettingError: it cannot be; `what` begins the sentence that says why it is needed and how it is had.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise SettingError(
            f'{what} needs the package {package}: pip install "maskwright[{extra}]". ({error})'
        ) from None


def _numbers(text: str) -> tuple[int, ...]:
    """1.23.0rc1 as (1, 23, 0): enough to say which version is older."""
    found = [re.match(r"\d+", part) for part in text.split(".")[:3]]
    return tuple(int(number.group()) for number in found if number)
