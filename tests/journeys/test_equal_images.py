"""Empty frames are often equal: the same image in two parts stays in both."""

import shutil

import pytest

from maskwright import api


@pytest.mark.parametrize("given", ["the run's own data", "the folder, with the same parts", "the folder alone"])
def test_equal_images_in_two_parts_are_each_scored_in_their_own(given, blobs, tiny, tmp_path):
    data = blobs(count=8)
    for kind in ("images", "masks"):
        for twin in ("img_06.png", "img_07.png"):
            shutil.copy(data / kind / "img_00.png", data / kind / twin)
    parts = {"val": ["img_0[15].png"], "test": ["img_0[267].png"]}
    settings = {**tiny, "training.budget": {"steps": 2}, "validation.times": 1}
    run = api.train(data, out=tmp_path / "run", device="cpu", settings=settings, **parts)

    more = {} if given == "the folder alone" else parts
    scores = api.evaluate(run.model, None if given == "the run's own data" else data, split="test", device="cpu",
                          **({} if given == "the run's own data" else more))  # fmt: skip

    names = {image.name for image in scores.per_image}
    assert names >= {"img_02"}
    if given != "the folder alone":
        assert names == {"img_02", "img_06", "img_07"}
        assert set(scores.trained_on) == {"img_06", "img_07"}
