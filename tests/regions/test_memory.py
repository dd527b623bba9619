"""What regions do of a picture does not need it in memory."""

import tracemalloc

import numpy as np
import pytest

from maskwright.files import FilePlane, MemoryPlane
from maskwright.files.stored import Header
from maskwright.regions import Separation, measured, scratch, separate, separation
from maskwright.regions.clean_up import Task, steps


class Long:
    """A picture that is made as it is read."""

    georeference = None

    def __init__(self, height, width):
        self.header = Header(height, width, 3, "uint8")

    def read(self, rows, columns):
        return np.full((rows.stop - rows.start, columns.stop - columns.start, 3), 7, np.uint8)


def painted(folder, height, width):
    """A plane on disk with a pair of touching squares in its middle, and a bar through all rows."""
    plane = FilePlane.create(folder / f"labels-{height}.raw", (height, width), "uint8")
    middle = height // 2
    plane.write(slice(middle, middle + 20), slice(10, 30), np.ones((20, 20), np.uint8))
    plane.write(slice(middle + 20, middle + 40), slice(26, 46), np.ones((20, 20), np.uint8))
    plane.write(slice(0, height), slice(100, 103), np.ones((height, 3), np.uint8))
    return plane


def peak_of(work):
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["separate", "measured", *steps.names()])
def test_memory_is_that_of_bands_and_of_single_objects(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "BAND", 1 << 16)
    monkeypatch.setattr(separation, "BLOCK", 128)
    monkeypatch.setattr(separation, "LARGEST", 256)
    made = []

    def new(shape, dtype):
        made.append(FilePlane.create(tmp_path / f"{len(made)}.raw", shape, dtype))
        return made[-1]

    def parted():
        return separate(plane, classes=(1,), settings=Separation(how="distance"), scratch=new)

    with painted(tmp_path, 16_000, 256) as plane:
        objects = parted() if kind in ("separate", "measured") else None
        if kind == "separate":
            peak = peak_of(parted)
            assert len(objects.areas) == 3
        elif kind == "measured":
            peak = peak_of(lambda: measured(objects, Long(16_000, 256), ("ground", "thing")))
        else:
            peak = peak_of(lambda: steps[kind]()(Task(plane, (1,), 0, new)))
    for plane in made:
        plane.close()
    # The picture's numbers alone are 16 MB. Bands here are of 256 rows; the bar reaches through all rows.
    assert peak < 7e6, f"{peak:,} bytes"


def test_in_memory_gives_planes_of_zeros():
    plane = scratch.in_memory((2, 3), "int32")

    assert isinstance(plane, MemoryPlane)
    assert plane.dtype == np.int32
    assert not plane.read(slice(0, 2), slice(0, 3)).any()
