"""Damaged files, each a pure function of (flavour, damage, number): what every kind of file can suffer.

The lies a format's own header can tell, with all checksums put right, are in `lies.py`; what is small and unfolds
to gigabytes in `bombs.py`. A damage or a flavour that is added changes none of the files there were before.
"""

import zlib
from collections.abc import Callable
from typing import Final

import numpy as np
from bombs import BOMBS
from flavours import FLAVOURS, Data, Flavour, load
from lies import LIES, extreme

Rng = np.random.Generator
Damage = Callable[[bytearray, Rng], bytes | bytearray]

# What others are spliced with; fixed, so that a new flavour changes no seed.
PARTNERS: Final = (
    "png-rgb8", "png-palette8", "jpeg-baseline", "jpeg-progressive", "tiff-strips-lzw", "tiff-tiles-zlib", "tiff-pages",
    "gif-palette", "webp-lossy", "bmp-palette8",
)  # fmt: skip


def damaged(flavour: str, damage: str, number: int) -> Data:
    """One damaged file."""
    about = load()[flavour]
    rng = np.random.default_rng([zlib.crc32(f"{flavour} {damage}".encode()), number])
    if damage == "bomb":
        return BOMBS[about.family](rng)
    data = about.paint()
    if isinstance(data, bytes):
        return bytes(_damage(about, damage)(bytearray(data), rng))
    files = dict(data)  # of a folder, one file suffers or is lost
    victim = sorted(files)[rng.integers(len(files))] if rng.random() < 0.6 else min(files)
    if damage == "truncated" and rng.random() < 0.3:
        del files[victim]
    else:
        files[victim] = bytes(_damage(about, damage)(bytearray(files[victim]), rng))
    return files


def _damage(about: Flavour, damage: str) -> Damage:
    return LIES.get(about.family, _numbers) if damage == "lie" else GENERAL[damage]


def pairs() -> list[tuple[str, str]]:
    """Every flavour with every damage that it can suffer."""
    first: dict[str, str] = {}
    for name, flavour in load().items():
        first.setdefault(flavour.family, name)
    plain = [(name, damage) for name in FLAVOURS for damage in (*GENERAL, "lie", "lie")]
    return plain + 4 * [(name, "bomb") for family, name in first.items() if family in BOMBS]


def seeds(count: int) -> list[tuple[str, str, int]]:
    """So many seeds, fairly from all flavours and damages; a longer list begins with the shorter one."""
    order = pairs()
    order = [order[place] for place in np.random.default_rng(0).permutation(len(order))]
    seen: dict[tuple[str, str], int] = {}
    chosen = []
    for place in range(count):
        pair = order[place % len(order)]
        seen[pair] = seen.get(pair, -1) + 1
        chosen.append((*pair, seen[pair]))
    return chosen


# ---------------------------------------------------------------------------------------------- what any bytes suffer


def _place(data: bytearray, rng: Rng) -> int:
    """A place in the file; every other time near its start, where the sizes stand."""
    return int(
        rng.integers(min(len(data), int(rng.choice([64, 300])))) if rng.random() < 0.5 else rng.integers(len(data))
    )


def _run(data: bytearray, rng: Rng) -> tuple[int, int]:
    start = _place(data, rng)
    return start, start + 1 + int(rng.integers(min(400, len(data))) ** rng.random())


def _bits(data: bytearray, rng: Rng) -> bytearray:
    for _ in range(1 + int(rng.integers(1, 30) * rng.random() ** 2)):
        data[_place(data, rng)] ^= 1 << int(rng.integers(8))
    return data


def _bytes(data: bytearray, rng: Rng) -> bytearray:
    start, end = _run(data, rng)
    end = min(end, len(data))
    filler = (bytes(end - start), b"\xff" * (end - start), rng.bytes(end - start))[rng.integers(3)]
    data[start:end] = filler
    return data


def _truncated(data: bytearray, rng: Rng) -> bytearray:
    del data[_place(data, rng) :]
    return data


def _lost(data: bytearray, rng: Rng) -> bytearray:
    start, end = _run(data, rng)
    del data[start:end]
    return data


def _twice(data: bytearray, rng: Rng) -> bytearray:
    start, end = _run(data, rng)
    return data[:end] + data[start:end] * int(rng.integers(1, 4)) + data[end:]


def _swapped(data: bytearray, rng: Rng) -> bytearray:
    first, second = sorted((_run(data, rng), _run(data, rng)))
    if first[1] > second[0]:
        return _bits(data, rng)
    return (
        data[: first[0]] + data[slice(*second)] + data[first[1] : second[0]] + data[slice(*first)] + data[second[1] :]
    )


def _spliced(data: bytearray, rng: Rng) -> bytearray:
    other = load()[PARTNERS[rng.integers(len(PARTNERS))]].paint()
    assert isinstance(other, bytes)
    if rng.random() < 0.3:  # a part of the other in the middle
        start, end = _run(data, rng)
        at = int(rng.integers(len(other)))
        data[start:end] = other[at : at + end - start]
        return data
    at = int(rng.integers(8, len(data))) if len(data) > 8 else len(data)
    return data[:at] + other[min(at, int(rng.integers(len(other)))) :]


def _numbers(data: bytearray, rng: Rng) -> bytearray:
    """One to three extreme numbers somewhere, most likely in the header."""
    for _ in range(int(rng.integers(1, 4))):
        size = int(rng.choice([1, 2, 4, 8]))
        at = min(_place(data, rng) // size * size, max(0, len(data) - size))
        order = "big" if rng.random() < 0.5 else "little"
        data[at : at + size] = (extreme(rng) % 2 ** (8 * size)).to_bytes(size, order)
    return data


GENERAL: Final[dict[str, Damage]] = {
    "bits": _bits, "bytes": _bytes, "truncated": _truncated, "lost": _lost, "twice": _twice, "swapped": _swapped,
    "spliced": _spliced, "numbers": _numbers,
}  # fmt: skip
