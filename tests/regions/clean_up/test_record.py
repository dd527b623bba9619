import numpy as np
import pytest

from maskwright.errors import SettingError
from maskwright.files import MemoryPlane
from maskwright.regions.clean_up import CleanUp, CleanUpStep

NAMES = ("background", "cell", "nucleus")


def test_steps_are_taken_in_their_order():
    rows = np.array([[0, 1, 1, 1, 0], [0, 1, 0, 1, 0], [0, 1, 1, 1, 0]], np.uint8)
    drop = CleanUpStep(name="drop_specks", options={"smaller_than": 9})
    fill = CleanUpStep(name="fill_holes")
    counts = []
    for order in ((drop, fill), (fill, drop)):
        plane = MemoryPlane(rows.copy())
        CleanUp(steps=order).apply(plane, NAMES, 0)
        counts.append(int(plane.values.sum()))

    assert counts == [0, 9]


def test_a_step_is_for_the_classes_that_are_named():
    plane = MemoryPlane(np.array([[0, 1, 0, 2, 0]], np.uint8))
    CleanUp(steps=(CleanUpStep(name="drop_specks", classes=("nucleus",)),)).apply(plane, NAMES, 0)

    assert plane.values.tolist() == [[0, 1, 0, 0, 0]]


def test_no_step_changes_nothing():
    plane = MemoryPlane(np.array([[0, 1]], np.uint8))
    CleanUp().apply(plane, NAMES, 0)

    assert plane.values.tolist() == [[0, 1]]


def test_it_saves_and_loads(tmp_path):
    record = CleanUp(steps=(CleanUpStep.parse("smooth:radius=3,classes=cell+nucleus"), CleanUpStep.parse("fill_holes")))

    assert CleanUp.load(record.save(tmp_path / "clean_up.yaml")) == record
    assert record.steps[0] == CleanUpStep(name="smooth", classes=("cell", "nucleus"), options={"radius": 3})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("smoth", "no cleaning step called 'smoth'. Did you mean 'smooth'"),
        ("smooth:radios=3", "Unknown key 'radios' in the options of smooth. Did you mean 'radius'"),
        ("smooth:radius=0", "greater than or equal to 1"),
        ("smooth:radius", "'radius' in the clean-up step 'smooth:radius' should be OPTION=VALUE"),
    ],
)
def test_what_is_unknown_is_said_at_once(text, says):
    with pytest.raises(SettingError) as raised:
        CleanUpStep.parse(text)
    assert says in str(raised.value)


def test_classes_that_do_not_fit_are_said_before_anything_is_mended():
    record = CleanUp(steps=(CleanUpStep(name="smooth"), CleanUpStep(name="smooth", classes=("cel",))))
    plane = MemoryPlane(np.array([[0, 1, 0]], np.uint8))

    with pytest.raises(SettingError, match=r"no class 'cel', so smooth cannot be for it. Did you mean 'cell'"):
        record.apply(plane, NAMES, 0)
    assert plane.values.tolist() == [[0, 1, 0]]
    with pytest.raises(SettingError, match=r"'background' is the background"):
        CleanUp(steps=(CleanUpStep.parse("smooth:classes=background"),)).demand_fit(NAMES, 0)
    with pytest.raises(SettingError, match=r"none of the classes is one"):
        CleanUp(steps=(CleanUpStep.parse("fill_holes"),)).demand_fit(NAMES[1:], None)
