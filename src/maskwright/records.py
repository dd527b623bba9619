"""Frozen records: what stands between two arrows of the street. They print, save, are edited by hand and load again."""

import contextlib
import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self, cast

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from maskwright.errors import SettingError, nearest

IGNORED: Final = 255
"""The label of a pixel that counts nowhere: not in losses, samplers or metrics. So there are at most 255 classes."""


_TEMPORARY: Final = re.compile(r"\..+\.[0-9a-f]{8}(\.\w+)?")
"""What `replacing` calls its files."""


class Record(BaseModel):
    """A frozen value with a name for each part. An unknown key is an error that names the nearest known one."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        protected_namespaces=(),
        ser_json_inf_nan="constants",
        validate_default=True,
    )

    @classmethod
    def read(cls, values: Mapping[str, Any], source: str = "these settings") -> Self:
        """The record from a plain mapping; `source` is named when something does not fit.

        Raises:
            SettingError: a key is unknown or a value does not fit; says which, and what would.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise SettingError(_explain(cls, error, source)) from None

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The record from a `.json` or `.yaml` file."""
        path = Path(path)
        try:
            values = _parsed(path.read_text("utf-8"))
        except FileNotFoundError:
            raise SettingError(f"{path} does not exist; a {cls.__name__} was expected there.") from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise SettingError(f"{path} is neither YAML nor JSON: {error}") from None
        if not isinstance(values, dict):
            raise SettingError(f"{path} should hold keys and values, but holds {type(values).__name__}.")
        return cls.read(values, str(path))

    def save(self, path: str | Path) -> Path:
        """Write the record to a `.json` or `.yaml` file, atomically. Returns the path."""
        path = Path(path)
        text = self.to_yaml() if path.suffix in {".yaml", ".yml"} else self.to_json()
        with replacing(path) as temporary:
            temporary.write_text(text, "utf-8")
        return path

    def to_json(self) -> str:
        """The record as indented JSON."""
        return self.model_dump_json(indent=1) + "\n"

    def to_yaml(self) -> str:
        """The record as YAML, keys in their own order, short lists on one line."""
        return yaml.dump(self.plain(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)

    def plain(self) -> dict[str, Any]:
        """The record as dictionaries, lists, strings and numbers only."""
        return cast("dict[str, Any]", json.loads(self.model_dump_json()))

    def with_settings(self, settings: Mapping[str, Any]) -> Self:
        """A copy with some values replaced, each named by its dotted key; strings are read as YAML.

        >>> plan.with_settings({"model.depth": 3, "optimizer.lr": "1e-3"})  # doctest: +SKIP

        Raises:
            SettingError: a key is unknown (names the nearest) or a value does not fit.
        """
        values = self.plain()
        for key, value in settings.items():
            *way, last = key.split(".")
            here: Any = values
            record: Any = self
            for step in way:
                if not isinstance(here, dict) or step not in here:
                    raise SettingError(f"Unknown setting {key!r}. {nearest(key, self.keys())}")
                here = here[step]
                record = getattr(record, step, None)
            # A mapping such as loss weights may gain a key; a record may not.
            if not isinstance(here, dict) or (last not in here and isinstance(record, BaseModel)):
                raise SettingError(f"Unknown setting {key!r}. {nearest(key, self.keys())}")
            here[last] = parse(value) if isinstance(value, str) else value
        return self.read(values, "the settings given")

    def keys(self) -> list[str]:
        """Every dotted key of the record."""
        return list(_keys(self))

    def __str__(self) -> str:
        return self.to_yaml().rstrip()


def parse(text: str) -> Any:
    """The value a person means by `text`: YAML, with 1e-3 a number as everywhere else."""
    with contextlib.suppress(ValueError):
        return int(text)
    with contextlib.suppress(ValueError):
        return float(text)
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingError(f"{text!r} is not a value: {error}") from None


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well, and vanishes when it does not.

    Readers see the old file or the new one, never half of one, whatever kills the process, or the machine.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays last: some writers choose the format by it. `tempfile` would make a file that only we may read.
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        with temporary.open("rb+") as file:  # Windows flushes only what is open for writing
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:  # Ctrl-C too leaves no half-written file; it is raised again
        temporary.unlink(missing_ok=True)
        raise


def sweep(folder: Path) -> None:
    """Remove what writers that were killed left behind in a folder and below; none may be at work there."""
    for path in folder.rglob(".*"):
        if is_half_written(path) and path.is_file():
            path.unlink(missing_ok=True)


def is_half_written(path: Path) -> bool:
    """Whether a path is called as those that `replacing` gives out."""
    return _TEMPORARY.fullmatch(path.name) is not None


def sync_folder(folder: Path) -> None:
    """Have the names in a folder survive a loss of power; where a system knows no such thing, nothing."""
    with contextlib.suppress(OSError):  # Windows opens no folder; some network disks sync none
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _parsed(text: str) -> Any:
    # JSON is YAML, but its own parser is a hundred times faster.
    with contextlib.suppress(json.JSONDecodeError):
        return json.loads(text)
    return yaml.safe_load(text)


def _keys(record: BaseModel, prefix: str = "") -> Iterator[str]:
    for name in type(record).model_fields:
        value = getattr(record, name)
        if isinstance(value, BaseModel):
            yield from _keys(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def _explain(cls: type[BaseModel], error: ValidationError, source: str) -> str:
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            lines.append(f"Unknown key {key!r} in {source}. {nearest(key, _fields_at(cls, problem['loc'][:-1]))}")
        else:
            given = "" if isinstance(problem["input"], dict) else f" (given: {problem['input']!r})"
            lines.append(f"{key or cls.__name__} in {source}: {problem['msg']}{given}.")
    return "\n".join(lines)


def _fields_at(cls: type[BaseModel], way: tuple[int | str, ...]) -> list[str]:
    prefix = "".join(f"{step}." for step in way)
    for step in way:
        field = cls.model_fields.get(str(step))
        inner = field.annotation if field else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        cls = inner
    return [prefix + name for name in cls.model_fields]


class _Dumper(yaml.SafeDumper):
    """YAML as one would write it by hand: a list of numbers or words stays on one line."""


def _represent_list(dumper: yaml.SafeDumper, values: list[Any]) -> yaml.Node:
    flat = all(not isinstance(value, list | dict) for value in values)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=flat)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    # Unquoted, PyYAML takes the line ends of Unicode for its own and gives back a space.
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style='"' if set(text) & set("\x85\u2028\u2029") else None
    )


_Dumper.add_representer(list, _represent_list)
_Dumper.add_representer(str, _represent_text)
