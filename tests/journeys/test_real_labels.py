"""Masks and classes of real data sets: read as their authors mean them, and no false error.

The folder is named by `MASKWRIGHT_DATA`, else `../shared/data`; where it is missing these tests are left out.
"""

import os
from pathlib import Path

import pytest

from maskwright.data.described import describe, write
from maskwright.data.doctor import diagnose
from maskwright.data.index import index
from maskwright.data.survey import survey

DATA = Path(os.environ.get("MASKWRIGHT_DATA", "../shared/data"))
SETS = {
    "isbi2012": (["background", "foreground"], (), set()),
    "camvid": (
        ["sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist"],
        (11,), set(),
    ),
    "salt": (["background", "foreground"], (), {"masks-empty", "masks-mixed-depth"}),
    "nuclei/stage1_train": (["background", "foreground"], (), set()),
    "pets26": (["background", "class_1", "class_2"], (255,), set()),
    "labelme/voc": (
        None, (255,),
        {"classes-absent", "classes-in-one-image", "classes-not-in-training", "classes-not-in-validation"},
    ),
}  # fmt: skip
"""Folder → classes, ignored values, and what is to be told of masks and classes."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"the data sets are not at {DATA}; set MASKWRIGHT_DATA"),
]


@pytest.mark.parametrize("name", SETS)
def test_real_masks_are_read_as_they_are_meant(name, tmp_path):
    classes, ignored, told = SETS[name]
    found = survey(DATA / name)
    findings = [f for f in diagnose(found) if f.code.startswith(("masks-", "classes-"))]

    assert found.faults == ()
    assert found.samples is not None
    assert {finding.code for finding in findings} == told
    assert not [finding for finding in findings if finding.severity == "error"]
    assert classes is None or found.samples.labels.names == classes
    assert found.samples.labels.ignored == ignored
    again = index(write(tmp_path / "dataset.yaml", describe(found)))
    assert (again.samples, again.labels) == (found.samples.samples, found.samples.labels)
