"""What every check of the doctor owes those who use it. A new check is found here by itself."""

import numpy as np
import pytest
from PIL import Image

from maskwright.data.doctor import Finding, checks
from maskwright.data.survey import survey
from maskwright.errors import DataError

CHECKS = [pytest.param(check, id=name) for name, check in checks.items()]


def write(root, name, image, mask):
    for kind, array in (("images", image), ("masks", mask)):
        (root / kind).mkdir(parents=True, exist_ok=True)
        if array is not None:
            Image.fromarray(np.asarray(array, np.uint8)).save(root / kind / f"{name}.png")


def scene(seed):
    rng = np.random.default_rng(seed)
    mask = np.zeros((40, 50))
    row, column = rng.integers(0, 25, 2)
    mask[row : row + 14, column : column + 14] = 255
    return np.clip(rng.normal(90, 20, mask.shape) + mask / 3, 0, 255), mask


def one_image(root):
    write(root, "a", *scene(0))


def one_pixel(root):
    write(root, "a", [[7]], [[0]])
    write(root, "b", [[9]], [[255]])


def all_broken(root):
    for name in "abc":
        write(root, name, *scene(0))
        (root / f"images/{name}.png").write_bytes(b"no image")


def all_flat(root):
    for name in "abcdef":
        write(root, name, np.full((20, 20), 5), np.zeros((20, 20)))


def all_the_same(root):
    for name in "abcdefghijkl":
        write(root, name, *scene(0))


def lonely(root):
    write(root, "a", *scene(0))
    for name in ("x", "y"):
        write(root, f"image_{name}", scene(1)[0], None)
        write(root, f"{name}_other_label", None, scene(1)[1])


def everything_at_once(root):
    for seed in range(8):
        write(root, f"s{seed}", *scene(seed))
    write(root, "copy", *scene(1))
    write(root, "near", scene(2)[0] * 0.9, scene(2)[1])
    write(root, "small", scene(3)[0], scene(3)[1][:-1])
    write(root, "turned", scene(3)[0], scene(3)[1].T)
    write(root, "half", scene(3)[0], scene(3)[1][::2, ::2])
    write(root, "other", scene(3)[0], scene(3)[1][:9])
    write(root, "alone", scene(4)[0], None)
    write(root, "colour", np.repeat(scene(5)[0][:, :, None], 3, 2), scene(5)[1])
    write(root, "flat", np.full((40, 50), 9), scene(6)[1])
    write(root, "values", scene(7)[0], scene(7)[1] / 255 * 93)
    Image.fromarray((scene(9)[0] * 200).astype(np.uint16)).save(root / "images/deep.png")
    write(root, "deep", None, scene(9)[1])
    (root / "images/s7.png").write_bytes(b"")


def objects(root):
    one_image(root)
    mask = np.zeros((40, 50))
    mask[2:12, 2:12], mask[30:38, 40:48], mask[0, 49] = 1, 1, 3
    mask[20:30, 0:20] = 2
    write(root, "b", scene(1)[0], mask)
    (root / "dataset.yaml").write_text("instances: true\n", "utf-8")


ODD = (one_image, one_pixel, all_broken, all_flat, all_the_same, lonely, everything_at_once, objects)


@pytest.fixture(scope="module", params=ODD, ids=lambda odd: odd.__name__)
def odd(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    request.param(root)
    return survey(root)


def keeps_its_promises(check, found):
    """Findings that say what, why and what to do, the same each time."""
    told = list(check(found))
    assert list(check(found)) == told, "not the same twice"
    names = {one.measured.sample.name for one in found.seen if one.measured}
    for finding in told:
        assert isinstance(finding, Finding)
        for text in (finding.code, finding.title, finding.why, finding.remedy):
            assert text.strip() == text != ""
        assert "\n" not in finding.title
        assert not finding.title.endswith("."), "a title is no sentence"
        assert finding.code == finding.code.lower()
        assert " " not in finding.code
        assert set(finding.pictures) <= names, "a picture of what is no sample"
        assert all((found.root / file).exists() for file in finding.files), "a file that is not there"
        if finding.fix and "skip" in finding.fix:
            assert finding.fix["skip"]
    codes = [finding.code for finding in told if finding.code != "refused"]
    assert len(set(codes)) == len(codes), "one code twice: gather the files in one finding"


@pytest.mark.parametrize("check", CHECKS)
def test_every_check_says_what_it_is_and_whether_it_is_quick(check):
    assert len((type(check).__doc__ or "").split()) >= 5
    assert check.quick in {True, False}
    assert all(isinstance(code, str) for code in getattr(check, "tells", frozenset()))


@pytest.mark.parametrize("check", CHECKS)
def test_every_check_keeps_its_promises_on_odd_data(check, odd):
    keeps_its_promises(check, odd)


def test_no_two_checks_tell_the_same_code(odd):
    codes = {}
    for name, check in checks.items():
        for finding in check(odd):
            assert codes.setdefault(finding.code, name) == name


def test_every_fault_is_told_by_some_check(odd):
    """No training is refused for a reason that the doctor keeps to himself."""
    told = [finding for _, check in checks.items() for finding in check(odd)]

    assert any(finding.severity == "error" for finding in told) or not odd.faults


def test_no_two_checks_claim_the_same_fault():
    claims = [code for _, check in checks.items() for code in getattr(check, "tells", ())]

    assert len(set(claims)) == len(claims)


def test_data_without_a_mask_is_refused_before_any_check(tmp_path):
    write(tmp_path, "a", scene(0)[0], None)

    with pytest.raises(DataError):
        survey(tmp_path)


@pytest.mark.parametrize(
    "careless",
    [
        {"why": ""},
        {"remedy": " "},
        {"title": "Something is wrong."},
        {"code": "Not Good"},
        {"files": ("nowhere.png",)},
        {"pictures": ("nobody",)},
    ],
)
def test_a_careless_check_is_found(careless, tmp_path):
    one_image(tmp_path)
    sound = {"code": "odd", "severity": "note", "title": "One is odd", "why": "So it is.", "remedy": "Look."}

    keeps_its_promises(lambda found: iter([Finding(**sound)]), survey(tmp_path))
    with pytest.raises(AssertionError):
        keeps_its_promises(lambda found: iter([Finding(**{**sound, **careless})]), survey(tmp_path))
