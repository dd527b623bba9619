import numpy as np

from maskwright.data.doctor import checks


def test_what_no_other_check_tells_is_told_in_the_words_of_the_error(clinic, paint_scene):
    clinic.healthy(4)
    clinic.write("masks/img_002.tif", np.zeros((96, 120), np.uint8))

    found = clinic.findings("faults")

    assert list(found) == ["rivals"]
    assert found["rivals"].severity == "error"
    assert "could be the mask of" in found["rivals"].title
    assert len(found["rivals"].files) == 3


def test_what_another_check_tells_is_not_told_twice(clinic, monkeypatch):
    clinic.healthy(4)
    (clinic.root / "images/img_001.png").write_bytes(b"")

    assert clinic.findings("faults") == {}
    monkeypatch.setattr(type(checks["unreadable"]), "tells", frozenset())
    assert list(clinic.findings("faults")) == ["unreadable"]
