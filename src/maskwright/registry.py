"""Open lists: losses, readers, layouts … Adding one is adding one file with a registered part."""

import importlib
import pkgutil
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from maskwright.errors import SettingError, nearest

T = TypeVar("T")


class Registry(Generic[T]):
    """Names and the parts they stand for.

    The package's own modules are imported on the first look-up, then the plug-ins that installed packages announce
    under the entry-point group `maskwright.<kind>`; a user's own file may simply call `register`.
    """

    def __init__(self, kind: str, package: str):
        self.kind = kind
        self._package = package
        self._parts: dict[str, T] = {}
        self._sorted: list[str] = []
        self._complete = self._filling = False
        # Readers are first looked up by several threads at once; a part may look at its own list while imported.
        self._lock = threading.RLock()

    def register(self, name: str) -> Callable[[T], T]:
        """A decorator that puts a part on the list. A name is given once."""

        def keep(part: T) -> T:
            if name in self._parts and self._parts[name] is not part:
                raise SettingError(f"There is already a {self.kind} called {name!r}; choose another name.")
            self._parts[name] = part
            self._sorted = []
            return part

        return keep

    def names(self) -> list[str]:
        """All names, in order."""
        self._fill()
        if len(self._sorted) != len(self._parts):  # readers are gone through for every file
            self._sorted = sorted(self._parts)
        return list(self._sorted)

    def items(self) -> list[tuple[str, T]]:
        """All names with their parts, in order of name."""
        return [(name, self._parts[name]) for name in self.names()]

    def __getitem__(self, name: str) -> T:
        """The part of that name.

        Raises:
            SettingError: there is none; names the nearest.
        """
        self._fill()
        if name not in self._parts:
            raise SettingError(f"There is no {self.kind} called {name!r}. {nearest(name, self._parts)}")
        return self._parts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def _fill(self) -> None:
        if self._complete:
            return
        with self._lock:
            if self._filling or self._complete:
                return
            self._filling = True
            try:
                self._import_all()
                self._complete = True
            finally:
                self._filling = False

    def _import_all(self) -> None:
        package = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self._package}.{module.name}")
        for entry in entry_points(group=f"maskwright.{self.kind.replace(' ', '_')}"):
            entry.load()
