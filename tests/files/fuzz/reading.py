"""The child process of `run.py`: reads one damaged file after the other in every way there is, and judges each read.

A line on stdin is a seed; a line on stdout is what came of it, as JSON.
"""

import contextlib
import ctypes
import gc
import json
import resource
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from damage import damaged
from flavours import load

from maskwright.errors import ReadError
from maskwright.files import pages_in, read_header, read_image, read_mask, read_window
from maskwright.files.archives import is_archive, members

MEMORY = 2 * 2**30
"""Bytes that one read may add."""
ROOM = 3 * 2**30
"""Bytes of address space that one read may add; beyond them is a MemoryError, and the machine lives on."""
SECONDS = 20
"""Of the processor, for one read. A member that unfolds to half a gigabyte takes 2, on a busy machine 6."""
SAME = 2**20
"""Pictures up to so many samples are read twice, each time into memory filled with something else."""
MEMBERS = 3
"""So many members of an archive are read."""


def main() -> None:
    """Seeds in, verdicts out."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        _warm(folder)
        print(json.dumps({"ready": True}), flush=True)
        for line in sys.stdin:
            flavour, damage, number = line.split()
            path = _written(folder, flavour, damage, int(number))
            print(json.dumps(judged(path)), flush=True)
            _remove(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def judged(path: Path) -> dict[str, Any]:
    """What reading the file in every way gave: images, our errors, and faults."""
    found: dict[str, Any] = {"faults": [], "images": 0, "errors": [], "seconds": 0.0, "memory": 0}
    _judge(found, path, "")
    if is_archive(path):
        names = _measured(found, "members", lambda: members(path)) or []
        for name in names[:MEMBERS]:
            _judge(found, path / name, f", {name[-30:]}")
    if path.suffix == ".npz":
        for name in ("image", "arr_0"):
            _judge(found, path / name, f", array {name}")
    return found


def _judge(found: dict[str, Any], path: Path, what: str) -> None:
    header = _measured(found, f"read_header{what}", lambda: read_header(path))
    image = _measured(found, f"read_image{what}", lambda: _checked(read_image(path), header))
    small = image is not None and image.size <= SAME
    _judge_window(found, path, None, header, image, what)
    del image
    _measured(found, f"read_mask{what}", lambda: read_mask(path).values)
    _measured(found, f"read_mask in colour{what}", lambda: read_mask(path, colour=True).values)
    pages = _measured(found, f"pages_in{what}", lambda: pages_in(path))
    for page in sorted({0, pages - 1}) if pages else []:
        here = f", page {page}{what}"
        told = _measured(found, f"read_header{here}", lambda page=page: read_header(path, page))
        image = _measured(
            found, f"read_image{here}", lambda page=page, told=told: _checked(read_image(path, page), told)
        )
        _judge_window(found, path, page, told, image, here)
        del image
    if small and not found["faults"] and _perturb is not None:
        _measured(found, f"read_image twice{what}", lambda: _the_same(path))


def _judge_window(found: dict[str, Any], path: Path, page: int | None, header: Any, image: Any, what: str) -> None:
    """A few pixels of the middle; the same as in the image, where there is one."""
    top, left = (0, 0) if header is None else (header.height // 2, header.width // 3)
    window = slice(top, top + 5), slice(left, left + 7)

    def read() -> np.ndarray[Any, Any]:
        part = read_window(path, *window, page)
        assert image is None or part.dtype == image.dtype, f"{part.dtype} instead of {image.dtype}"
        assert image is None or part.tobytes() == image[window].tobytes(), "other pixels than those of the image"
        return part

    _measured(found, f"read_window{what}", read)


def _measured(found: dict[str, Any], name: str, read: Callable[[], Any]) -> Any:
    """What the read gives; its faults, memory and time go to `found`."""
    _limit_time()
    _forget_peak()
    before, start, value = _memory("VmRSS"), time.process_time(), None
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            value = read()
            found["images"] += 1
        except ReadError as error:
            found["errors"].append(str(error))
        except BaseException as error:  # all else is a fault, SystemExit of a decoder too
            found["faults"].append(f"{name}: {type(error).__name__}: {str(error)[:200]}")
    seconds, memory = time.process_time() - start, _memory("VmHWM") - before
    found["seconds"], found["memory"] = max(found["seconds"], seconds), max(found["memory"], memory)
    if seconds > SECONDS:
        found["faults"].append(f"{name}: {seconds:.1f} s of the processor")
    if memory > MEMORY:
        found["faults"].append(f"{name}: {memory / 2**30:.2f} GiB")
    found["faults"] += [f"{name}: warns {item.category.__name__}: {str(item.message)[:200]}" for item in said]
    return value


def _checked(image: np.ndarray[Any, Any], header: Any) -> np.ndarray[Any, Any]:
    assert header is not None, "an image without a header"
    told = (header.height, header.width, header.channels, header.dtype)
    assert (*image.shape, image.dtype.name) == told, f"{image.shape} {image.dtype} instead of {told}"
    return image


def _the_same(path: Path) -> None:
    """Memory that nobody has written to shows as pixels that differ from read to read."""
    assert _perturb is not None
    seen = []
    for filler in (0x55, 0xAA):
        _perturb(-6, filler)
        seen.append(read_image(path).tobytes())
    _perturb(-6, 0)
    assert seen[0] == seen[1], "other pixels the second time"


def _mallopt() -> Callable[[int, int], int] | None:
    """What fills new memory with a number (M_PERTURB), where the C library has it."""
    with contextlib.suppress(AttributeError, OSError):
        return ctypes.CDLL(None).mallopt
    return None


_perturb = _mallopt()


def _memory(what: str) -> int:
    """Bytes: VmRSS now, VmHWM at the peak since `_forget_peak`."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:  # no Linux: the peak since the start, which grows only with a new peak
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:"))


def _forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _limit_time() -> None:
    """The system ends a read that hangs in C, and `run.py` tells it by the signal."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + 3 * SECONDS, hard))


def _warm(folder: Path) -> None:
    """Reads healthy files first, so that no library is loaded while memory is measured; then bounds it."""
    for flavour in load().values():
        path = _put(folder / f"healthy{flavour.suffix}", flavour.paint())
        judged(path)
        _remove(path)
    gc.collect()
    gc.freeze()
    with contextlib.suppress(OSError, StopIteration):
        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + ROOM, resource.RLIM_INFINITY))


def _written(folder: Path, flavour: str, damage: str, number: int) -> Path:
    # The painter needs memory of its own, but never that of a bomb.
    return _put(folder / f"{flavour}-{damage}-{number}{load()[flavour].suffix}", damaged(flavour, damage, number))


def _put(path: Path, data: bytes | dict[str, bytes]) -> Path:
    if isinstance(data, bytes):
        path.write_bytes(data)
        return path
    for name, part in data.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(part)
    return path


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


if __name__ == "__main__":
    main()
