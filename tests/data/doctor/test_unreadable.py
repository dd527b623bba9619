import pytest


def test_all_files_that_do_not_open_are_one_finding(clinic):
    clinic.healthy(8)
    (clinic.root / "images/img_001.png").write_bytes(b"")
    whole = (clinic.root / "images/img_002.png").read_bytes()
    (clinic.root / "images/img_002.png").write_bytes(whole[: len(whole) // 2])
    (clinic.root / "masks/img_003.png").write_text("<html>not found</html>")

    found = clinic.findings()

    assert [code for code, finding in found.items() if finding.severity == "error"] == ["unreadable"]
    finding = found["unreadable"]
    assert finding.title == "3 files do not open"
    assert finding.files == ("images/img_001.png", "images/img_002.png", "masks/img_003.png")
    assert len(finding.details) == 3
    assert "is empty" in finding.details[0]


def test_the_fix_leaves_just_those_out(clinic):
    clinic.healthy(8)
    (clinic.root / "images/img_001.png").write_bytes(b"")
    (clinic.root / "masks/img_003.png").write_bytes(b"")
    fix = clinic.findings("unreadable")["unreadable"].fix

    found = clinic.survey(skip=fix["skip"])

    assert found.samples is not None
    assert len(found.samples.samples) == 6
    assert clinic.findings("unreadable", skip=fix["skip"]) == {}


def test_a_stack_that_does_not_open_is_told_too(clinic, paint_scene):
    import numpy as np
    import tifffile

    (clinic.root / "images").mkdir(parents=True)
    (clinic.root / "masks").mkdir()
    for name in ("a", "b"):
        image, objects = paint_scene(0)
        tifffile.imwrite(clinic.root / f"images/{name}.tif", np.stack([image.astype(np.uint8)] * 2))
        tifffile.imwrite(clinic.root / f"masks/{name}.tif", np.stack([(objects > 0).astype(np.uint8)] * 2))
    (clinic.root / "images/b.tif").write_bytes(b"II*\0 nonsense")

    found = clinic.findings("unreadable")

    assert found["unreadable"].title == "1 file does not open"
    assert "b.tif" in found["unreadable"].details[0]
    assert clinic.findings("faults") == {}


@pytest.mark.parametrize("broken", [False, True])
def test_a_file_of_one_object_is_named_itself(clinic, paint_scene, broken):
    import numpy as np

    for seed in range(3):
        image, objects = paint_scene(seed)
        clinic.write(f"train/p{seed}/images/p{seed}.png", image.astype(np.uint8))
        for number in range(1, objects.max() + 1):
            clinic.write(f"train/p{seed}/masks/{number}.png", np.where(objects == number, 255, 0).astype(np.uint8))
    if broken:
        (clinic.root / "train/p1/masks/2.png").write_bytes(b"")

    files = [finding.files for finding in clinic.findings("unreadable").values()]

    assert files == ([("train/p1/masks/2.png",)] if broken else [])
