"""The doctor at real data sets that are known to be sound. They lie outside the project, and not everywhere."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from maskwright.data.doctor import diagnose
from maskwright.data.doctor.alignment import Alignment
from maskwright.data.survey import Survey, survey

DATA = Path(os.environ.get("MASKWRIGHT_DATA", "../shared/data"))

KNOWN = {
    "isbi2012": {"neighbours-train-val"},  # slices of one block
    "camvid": {"groups", "near-copies", "neighbours-train-test", "neighbours-train-val", "shift-test", "shift-val"},
    "salt": {"flat", "grey-in-truth", "masks-empty", "masks-mixed-depth", "near-copies", "near-copies-train-val"},
    "nuclei": {"grey-in-truth"},
    "pets26": {"grey-in-truth"},  # one photograph, stored in colour
    "labelme/voc": set(),
}
"""What is true of them."""
OURS = (
    "copies", "near", "neighbours", "flat", "tiny", "outliers", "mixed", "few-bits", "grey", "shift", "exif", "turned",
    "groups", "repeated", "see-through", "specks", "unreadable", "unequal", "off-by", "transposed", "scaled", "image",
    "mask",
)  # fmt: skip
"""How the codes begin that are looked at here; those of values and classes have tests of their own."""
WARNED = {"isbi2012": {"neighbours-train-val"}, "salt": {"near-copies-train-val"}}
"""The splits that are drawn by name cut the block, and part two pictures that are one."""


@pytest.fixture(scope="module", params=KNOWN)
def real(request) -> tuple[str, Survey]:
    if not (DATA / request.param).is_dir():
        pytest.skip(f"{DATA / request.param} is not there; set MASKWRIGHT_DATA")
    return request.param, survey(DATA / request.param)


@pytest.mark.slow
def test_what_the_doctor_says_of_real_sets_is_true(real):
    name, found = real
    told = [finding for finding in diagnose(found) if finding.code.startswith(OURS)]

    assert {finding.code for finding in told} <= KNOWN[name]
    assert {finding.code for finding in told if finding.severity == "warning"} <= WARNED.get(name, set())
    assert not [finding for finding in told if finding.severity == "error"]


class Moved(Survey):
    """A survey whose masks lie five pixels too low and three too far right."""

    def values_of(self, sample):
        return np.roll(super().values_of(sample), (5, 3), (0, 1))


@pytest.mark.slow
@pytest.mark.parametrize("real", ["isbi2012", "camvid"], indirect=True)  # masks drawn along edges, one file an image
def test_masks_of_a_real_set_that_are_moved_are_found(real):
    _, found = real
    moved = Moved(**vars(replace(found, samples=None)))

    (told,) = Alignment()(moved)

    assert told.code == "shifted"
    assert "up and 3 pixels left" in told.title
