import numpy as np
import pytest
from PIL import Image

from maskwright.data.doctor import alpha


def paint(clinic, paint_scene, clear, count=8, opaque=255):
    """Pictures of four channels; of `clear` of them the right quarter can be seen through."""
    for seed in range(count):
        image, objects = paint_scene(seed)
        rgba = np.dstack([image, image, image, np.full_like(image, opaque)]).astype(np.uint8)
        if seed < clear:
            rgba[:, 90:, 3] = 0
        clinic.pair(f"img_{seed:03}", rgba, np.where(objects, 255, 0).astype(np.uint8))


def test_a_few_that_can_be_seen_through_are_a_note(clinic, paint_scene):
    paint(clinic, paint_scene, clear=2)

    (told,) = clinic.findings("alpha").values()

    assert (told.code, told.severity) == ("see-through", "note")
    assert told.files == ("images/img_000.png", "images/img_001.png")
    assert "2 of 8 images" in told.title
    assert "25%" in told.title
    assert told.details[0] == "images/img_000.png: 25.0% can be seen through"


def test_most_that_can_be_seen_through_are_warned_of_and_the_remedy_works(clinic, paint_scene):
    paint(clinic, paint_scene, clear=7)

    (told,) = clinic.findings("alpha").values()
    assert told.severity == "warning"
    assert "valid: alpha" in told.remedy
    for path in sorted((clinic.root / "images").iterdir()):
        clinic.write(f"alpha/{path.name}", np.array(Image.open(path))[:, :, 3])
    (clinic.root / "dataset.yaml").write_text("valid: alpha\n", "utf-8")

    assert clinic.survey().samples.labels_of(clinic.survey().samples.samples[0])[0, 100] == 255
    assert clinic.findings("alpha") == {}, "what is said to count nowhere is not told again"


@pytest.mark.parametrize("opaque", [255, 252])
def test_opaque_alpha_and_none_are_silent(clinic, paint_scene, opaque):
    paint(clinic, paint_scene, clear=0, opaque=opaque)

    assert clinic.findings("alpha") == {}


def test_of_many_some_are_looked_at(clinic, paint_scene, monkeypatch):
    paint(clinic, paint_scene, clear=12, count=12)
    monkeypatch.setattr(alpha, "LOOKED_AT", 5)

    (told,) = clinic.findings("alpha").values()

    assert "5 of 5 images that were looked at" in told.title
