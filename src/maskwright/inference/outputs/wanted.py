"""Outputs as a person asks for them: `geojson`, `probabilities=uint8,tiff`, `geojson=pixels,simplify=1.5`."""

import typing
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from maskwright.errors import SettingError, nearest
from maskwright.inference.outputs.registry import Output, outputs
from maskwright.records import Record, parse


def wanted(texts: Sequence[str]) -> dict[str, Output]:
    """The outputs that are asked for, by name, each NAME or NAME=CHOICE,CHOICE,KEY=VALUE.

    Raises:
        SettingError: one is unknown, has no such choice, or is asked for twice; names the nearest, or all there are.
    """
    found: dict[str, Output] = {}
    for text in texts:
        name, _, choices = text.partition("=")
        kind = outputs[name.strip()]
        if name.strip() in found:
            raise SettingError(
                f"The output {name.strip()!r} is asked for twice. Ask once: {name.strip()}=CHOICE,CHOICE."
            )
        settings = dict(_settings(kind, text, [part.strip() for part in choices.split(",") if part.strip()]))
        record: Any = kind
        found[name.strip()] = record.read(settings, f"--output {text}")
    return found


def describe() -> Iterator[tuple[str, str, str]]:
    """For `--help` and the docs: each output's name, its choices as one writes them, and what it is."""
    for name, kind in outputs.items():
        yield name, " ".join(_shown(kind)), kind.about


def _settings(kind: type[Output], text: str, parts: Iterable[str]) -> Iterator[tuple[str, Any]]:
    words = {word: key for key, choices in _choices(kind).items() for word in choices}
    keys = _keys(kind)
    for part in parts:
        key, equals, value = part.partition("=")
        if equals and key in keys:
            yield key, parse(value)
        elif not equals and part in words:
            yield words[part], part
        else:
            known = [*words, *(f"{key}=…" for key in keys)]
            hint = nearest(part, known) if known else "It has no choices."
            raise SettingError(f"--output {text}: there is no choice {part!r}. {hint}")


def _choices(kind: type[Output]) -> dict[str, tuple[str, ...]]:
    """The fields that are chosen by a word, with their words."""
    return {
        name: typing.get_args(field.annotation)
        for name, field in _fields(kind).items()
        if typing.get_origin(field.annotation) is Literal
    }


def _keys(kind: type[Output]) -> list[str]:
    chosen = _choices(kind)
    return [name for name in _fields(kind) if name not in chosen]


def _fields(kind: type[Output]) -> dict[str, Any]:
    return dict(kind.model_fields) if issubclass(kind, Record) else {}


def _shown(kind: type[Output]) -> Iterator[str]:
    for words in _choices(kind).values():
        yield "|".join(words)
    for key in _keys(kind):
        yield f"{key}=…"
