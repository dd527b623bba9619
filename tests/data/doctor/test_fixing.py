"""Remedies add up, and never contradict what is stated."""

from maskwright.data.dataset_file import DatasetFile
from maskwright.data.doctor import Finding
from maskwright.data.doctor.fixing import mended


def finding(**fix):
    return Finding(code="x", severity="error", title="x", why="x", remedy="x", fix=fix or None)


def test_remedies_add_up():
    file, taken = mended(DatasetFile(skip=("a",)), [finding(skip=["b", "a"]), finding(skip=["c"]), finding(ignore=[7])])
    assert file.skip == ("a", "b", "c")
    assert file.ignore == (7,)
    assert len(taken) == 3


def test_what_is_stated_stays_and_the_first_of_two_that_differ_wins():
    stated = DatasetFile(classes={"ground": 0, "tree": 1})
    contrary, first, second = finding(classes={"tree": 2}), finding(path="a"), finding(path="b")
    file, taken = mended(stated, [contrary, first, second])
    assert file.classes == {"ground": 0, "tree": 1}
    assert file.path == "a"
    assert taken == (first,)


def test_findings_that_a_person_must_decide_change_nothing():
    assert mended(DatasetFile(), [finding()]) == (DatasetFile(), ())
