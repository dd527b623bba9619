import numpy as np
import pytest

from maskwright.data.dataset_file import NAME


def scenes(clinic, paint_scene, part, groups, count=4):
    """Images of scenes, `scene3_02`."""
    for group in groups:
        for number in range(count):
            image, objects = paint_scene(100 * group + 10 * len(part) + number)
            name = f"scene{group}_{len(part)}{number}"
            clinic.pair(name, image.astype(np.uint8), np.where(objects, 255, 0).astype(np.uint8), part)


def state(clinic, text):
    (clinic.root / NAME).write_text(text, "utf-8")


def test_scenes_that_cross_a_published_split_are_a_note(clinic, paint_scene):
    scenes(clinic, paint_scene, "train", (1, 2, 3, 4))
    scenes(clinic, paint_scene, "test", (4, 5))

    (told,) = clinic.findings("groups").values()

    assert (told.code, told.severity) == ("groups", "note")
    assert told.title == "1 of 5 groups that names show is in several parts: scene4"
    assert told.details[1] == "scene4: 4 in the training part, 4 in the test part"
    assert len(told.files) == 8
    assert all("scene4" in file for file in told.files)
    assert {name.rsplit("_", 1)[0] for name in told.pictures} == {"scene4"}


def test_published_parts_that_share_no_scene_are_silent(clinic, paint_scene):
    scenes(clinic, paint_scene, "train", (1, 2, 3, 4))
    scenes(clinic, paint_scene, "test", (5, 6))

    assert clinic.findings("groups") == {}


@pytest.mark.parametrize("asked", [True, False], ids=["asked", "stated"])
def test_groups_that_are_denied_are_not_told(clinic, paint_scene, asked):
    scenes(clinic, paint_scene, "train", (1, 2, 3, 4))
    scenes(clinic, paint_scene, "test", (4, 5))
    if not asked:
        state(clinic, "split: {groups: none}\n")

    assert clinic.findings("groups", **({"groups": "none"} if asked else {})) == {}


def test_groups_that_are_stated_and_cross_are_a_warning(clinic, paint_scene):
    scenes(clinic, paint_scene, "train", (1, 2, 3, 4))
    scenes(clinic, paint_scene, "test", (3, 4, 5))
    state(clinic, "split: {groups: '{group}_*'}\n")

    (told,) = clinic.findings("groups").values()

    assert told.severity == "warning"
    assert told.title == "2 of 5 groups are in several parts: scene3, scene4"


def test_scenes_that_are_followed_are_parted_only_by_patterns(clinic, paint_scene):
    scenes(clinic, paint_scene, "", (1, 2, 3, 4, 5))

    assert clinic.findings("groups") == {}
    (told,) = clinic.findings("groups", val=["scene1_*", "scene2_00"]).values()
    assert told.severity == "warning"
    assert told.title == "1 of 5 groups is in several parts: scene2"


def test_names_that_show_no_group_are_silent(clinic):
    clinic.healthy(8, part="train").healthy(4, first=8, part="test")

    assert clinic.findings("groups") == {}
