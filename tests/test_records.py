import errno
import os
import stat
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from maskwright.errors import SettingError
from maskwright.records import Record, parse, replacing


class Branch(Record):
    depth: int = Field(3, ge=0)
    widths: tuple[int, ...] = (1, 2)
    rate: float | None = None


class Tree(Record):
    name: str = "oak"
    branch: Branch = Branch()
    weights: dict[str, float] = {}
    notes: dict[str, str] = {}
    rings: dict[int, int] = {}


floats = st.floats(allow_nan=False)
trees = st.builds(
    Tree,
    name=st.text(),
    branch=st.builds(
        Branch,
        depth=st.integers(0, 2**70),
        widths=st.lists(st.integers()).map(tuple),
        rate=st.none() | floats,
    ),
    weights=st.dictionaries(st.text(), floats, max_size=3),
    notes=st.dictionaries(st.text(), st.text(), max_size=3),
    rings=st.dictionaries(st.integers(), st.integers(), max_size=3),
)


@settings(max_examples=60)
@given(tree=trees, suffix=st.sampled_from([".json", ".yaml", ".yml"]))
def test_a_record_loads_as_it_was_saved(tree, suffix, tmp_path_factory):
    path = tmp_path_factory.mktemp("records") / f"tree{suffix}"
    assert Tree.load(tree.save(path)) == tree


def test_json_may_be_saved_under_any_name_and_edited_as_yaml(tmp_path):
    path = tmp_path / "tree.json"
    path.write_text("name: elm  # by hand\nbranch: {rate: 1e-3}\n", "utf-8")
    assert Tree.load(path) == Tree(name="elm", branch=Branch(rate=0.001))


def test_yaml_reads_as_if_written_by_hand():
    tree = Tree(branch=Branch(widths=(1, 2, 3)), notes={"élan": "½"})
    assert str(tree) == (
        "name: oak\nbranch:\n  depth: 3\n  widths: [1, 2, 3]\n  rate: null\nweights: {}\nnotes:\n  élan: ½\nrings: {}"
    )


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"nmae": "elm"}, "Unknown key 'nmae' in plan.yaml. Did you mean 'name'?"),
        ({"branch": {"dpeth": 2}}, "Unknown key 'branch.dpeth' in plan.yaml. Did you mean 'branch.depth'?"),
        ({"zzz": 1}, "Known: branch, name, notes, rings, weights."),
        ({"branch": {"depth": "deep"}}, "branch.depth in plan.yaml: "),
        ({"branch": {"depth": "deep"}}, "(given: 'deep')"),
        ({"branch": {"depth": -1}}, "greater than or equal to 0"),
        ({"name": 1, "branch": {"dept": 1}}, "Did you mean 'branch.depth'?"),
        ({"name": 1, "branch": {"dept": 1}}, "name in plan.yaml: "),
    ],
)
def test_what_does_not_fit_is_told_by_key_and_source(values, says):
    with pytest.raises(SettingError) as caught:
        Tree.read(values, "plan.yaml")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "does not exist; a Tree was expected"),
        (b"[1, 2", "neither YAML nor JSON"),
        (b"\xff\xfe\x00", "neither YAML nor JSON"),
        (b"- 1\n- 2\n", "but holds list"),
        (b"", "but holds NoneType"),
        (b"name: oak\nnmae: elm\n", "tree.yaml. Did you mean 'name'?"),
    ],
)
def test_a_file_that_is_no_record_is_told_by_name(content, says, tmp_path):
    if content is not None:
        (tmp_path / "tree.yaml").write_bytes(content)
    with pytest.raises(SettingError) as caught:
        Tree.load(tmp_path / "tree.yaml")
    assert says in str(caught.value)
    assert "tree.yaml" in str(caught.value)


def test_a_byte_order_mark_from_windows_is_no_part_of_the_first_key(tmp_path):
    (tmp_path / "tree.yaml").write_bytes(b"\xef\xbb\xbfname: elm\n")
    assert Tree.load(tmp_path / "tree.yaml").name == "elm"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001), ("3", 3), ("-0.5", -0.5), ("[1, 2]", [1, 2]), ("null", None), ("true", True), ("elm", "elm"),
        ("{a: 1}", {"a": 1}), ("", None), ("inf", float("inf")), ("'3'", "3"),
    ],
)  # fmt: skip
def test_an_override_is_what_a_person_means_by_it(text, value: Any):
    assert parse(text) == value
    assert type(parse(text)) is type(value)


def test_an_override_that_is_no_yaml_is_told():
    with pytest.raises(SettingError, match=r"'\[1,' is not a value"):
        parse("[1,")


def test_settings_are_replaced_by_dotted_key():
    tree = Tree().with_settings(
        {"name": "elm", "branch.rate": "1e-3", "branch.widths": "[4, 5]", "branch.depth": 7, "weights.leaf": "2"}
    )
    assert tree == Tree(name="elm", branch=Branch(rate=0.001, widths=(4, 5), depth=7), weights={"leaf": 2.0})
    assert tree.with_settings({"branch.rate": "null"}).branch.rate is None
    assert Tree(branch=Branch(rate=1.0)).with_settings({}) == Tree(branch=Branch(rate=1.0))


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("nmae", "Unknown setting 'nmae'. Did you mean 'name'?"),
        ("branch.dpeth", "Did you mean 'branch.depth'?"),
        ("dpeth", "Did you mean 'branch.depth'?"),
        ("brnch.depth", "Did you mean 'branch.depth'?"),
        ("name.first", "Unknown setting 'name.first'"),
        ("branch.rate.slow", "Unknown setting 'branch.rate.slow'"),
    ],
)
def test_an_unknown_setting_is_answered_with_the_nearest(key, says):
    with pytest.raises(SettingError) as caught:
        Tree().with_settings({key: "1"})
    assert says in str(caught.value)


def test_a_setting_that_does_not_fit_is_told():
    with pytest.raises(SettingError, match=r"branch\.depth in the settings given: .*given: 'deep'"):
        Tree().with_settings({"branch.depth": "deep"})


def test_a_record_is_frozen_and_a_changed_copy_leaves_it_alone():
    tree = Tree()
    with pytest.raises(ValidationError, match="frozen"):
        tree.name = "elm"
    tree.with_settings({"name": "elm", "weights.leaf": 1})
    assert tree == Tree()


def test_keys_are_all_dotted_keys():
    assert Tree().keys() == ["name", "branch.depth", "branch.widths", "branch.rate", "weights", "notes", "rings"]


def test_a_new_file_takes_the_place_of_the_old_one_only_at_the_end(tmp_path):
    path = tmp_path / "deep" / "er" / "file.txt"
    with replacing(path) as temporary:
        temporary.write_text("old")
        assert not path.exists()
    with replacing(path) as temporary:
        assert (temporary.parent, temporary.suffix) == (path.parent, ".txt")
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("error", [FULL, ValueError("slip"), KeyboardInterrupt()])
@pytest.mark.parametrize("old", ["old", None])
def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(error, old, tmp_path):
    path = tmp_path / "file.txt"
    if old:
        path.write_text(old)

    def write_half():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(type(error)):
        write_half()

    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == ({"file.txt": old} if old else {})


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_is_full_at_the_last_moment_leaves_the_old_record(call, tmp_path, monkeypatch):
    path = Tree().save(tmp_path / "tree.json")

    def fail(*_):
        raise FULL

    monkeypatch.setattr(os, call, fail)
    if call == "replace":
        monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match="No space left"):
        Tree(name="elm").save(path)

    assert list(tmp_path.iterdir()) == [path]
    assert Tree.load(path) == Tree()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_a_replaced_file_is_an_ordinary_file(tmp_path):
    before = os.umask(0o027)
    try:
        path = Tree().save(tmp_path / "tree.json")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_several_may_replace_the_same_file_at_once(tmp_path):
    with replacing(tmp_path / "file.txt") as one, replacing(tmp_path / "file.txt") as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert (tmp_path / "file.txt").read_text() == "one"
