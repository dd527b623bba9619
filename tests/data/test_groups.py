import pytest

from maskwright.data.groups import Crossing, crossing, group_of, paths_of, pattern_of, read_groups
from maskwright.errors import DataError, SettingError

FILES = ["images/p1_a.png", "images/p1_b.png", "images/p2_a.png"]


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (r"(p\d)_", ["p1", "p1", "p2"]),
        ("{group}_*", ["p1", "p1", "p2"]),
        ("images/{group}_?", ["p1", "p1", "p2"]),
        ("*/{group}_a", ["p1", None, "p2"]),
        ("p{group}_*", ["1", "1", "2"]),
        (r"(p1)", ["p1", "p1", None]),
        ("none", [None, None, None]),
        ({"p1_a": "x", "images/p1_b.png": "y", "p2_a.png": "x"}, ["x", "y", "x"]),
        ({"p1_a": "x", "p1_b": "y", "p2_a": "x", "p3_a": "z"}, ["x", "y", "x"]),
    ],
)
def test_groups_are_read_as_stated(stated, expected, tmp_path, bare_sample):
    assert read_groups(stated, [bare_sample(file) for file in FILES], tmp_path) == expected


@pytest.mark.parametrize("name", ["patients.csv", "patients.tsv"])
def test_a_table_names_the_group_of_each_image_and_a_heading_harms_nothing(name, tmp_path, bare_sample):
    rows = [("name", "group"), ("p1_a.png", "3"), ("p1_b.png", "3"), ("", ""), ("p2_a", "4")]
    text = "\n".join(("," if name.endswith("csv") else "\t").join(row) for row in rows)
    (tmp_path / name).write_text("\ufeff" + text, "utf-8")
    assert read_groups(name, [bare_sample(file) for file in FILES], tmp_path) == ["3", "3", "4"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("p1_a,x\n", "has no group for 2 of 3 images: p1_b, p2_a. Add a line"),
        ("p1_a,x\np1_b\n", "row 2: expected a name and a group"),
        ("p1_a,x\np1_a,y\n", "puts p1_a into x and into y"),
    ],
)
def test_a_table_that_lacks_something_is_told(text, says, tmp_path, bare_sample):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=says):
        read_groups("t.csv", [bare_sample(file) for file in FILES], tmp_path)


def test_an_image_without_a_mask_needs_no_line(tmp_path, bare_sample):
    samples = [bare_sample(FILES[0]), bare_sample(FILES[1], mask=None)]
    assert read_groups({"p1_a": "x"}, samples, tmp_path) == ["x", None]


def test_a_table_that_is_not_there_is_told(tmp_path, bare_sample):
    with pytest.raises(DataError, match=r"table of groups .*t\.csv does not exist"):
        read_groups("t.csv", [bare_sample(FILES[0])], tmp_path)


@pytest.mark.parametrize("stated", ["(q\\d)_", "z{group}", "x/{group}/*"])
def test_a_pattern_that_matches_nothing_is_told_with_names(stated, tmp_path, bare_sample):
    with pytest.raises(DataError, match=r"matches no image .* for example, images/p1_a, images/p1_b"):
        read_groups(stated, [bare_sample(file) for file in FILES], tmp_path)


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        ("(p", "is no regular expression"),
        ("p\\d", "needs one pair of parentheses .* and has 0"),
        ("(p)(\\d)", "and has 2"),
        ("{group}_{group}", "should name {group} once"),
    ],
)
def test_a_pattern_that_is_none_is_told(stated, says):
    with pytest.raises(SettingError, match=says):
        pattern_of(stated)


def test_a_template_means_the_name_alone_unless_it_has_a_slash():
    assert group_of(pattern_of("{group}_*"), "scene_1/a_2") == "a"
    assert group_of(pattern_of("{group}/*"), "scene_1/a_2") == "scene_1"
    assert group_of(pattern_of("a.b{group}"), "aXb1") is None


def test_an_empty_group_is_none():
    assert group_of(pattern_of("(x*)y"), "y") is None


def test_pages_of_a_stack_have_paths_of_their_own(bare_sample):
    samples = [bare_sample("a/v.tif", page=page) for page in (0, 3, 11)] + [bare_sample("w.png")]
    assert paths_of(samples) == ["a/v_00", "a/v_03", "a/v_11", "w"]


def test_groups_in_several_parts_are_found_the_largest_first(bare_sample):
    rows = [
        ("train", "a"), ("val", "a"), ("train", "b"), ("train", "c"), ("test", "c"), ("test", "c"), ("val", "b"),
        ("val", None), ("train", None),
    ]  # fmt: skip
    samples = [bare_sample(f"{i}.png", split=part, group=group) for i, (part, group) in enumerate(rows)]
    samples[6] = samples[6].model_copy(update={"mask": None})
    assert crossing(samples) == [Crossing("c", {"train": 1, "test": 2}), Crossing("a", {"train": 1, "val": 1})]
    assert crossing(samples, [None] * 9) == []
    assert crossing(samples, ["x"] * 9) == [Crossing("x", {"train": 4, "val": 2, "test": 2})]
