"""A run whose images have no room on the disk is the run that has them all there."""

import pytest
import torch

from maskwright import api
from maskwright.errors import SettingError
from maskwright.settings import Budget
from maskwright.training.loop import fit


@pytest.mark.parametrize("limit", [0.0, 3e-6])
def test_training_without_room_for_the_cache_gives_the_same_weights(limit, job_of):
    border = {"loss__border": {"w0": 5.0}}
    whole, bounded = job_of("whole", **border), job_of("bounded", training__cache_gb=limit, **border)
    assert whole.crops.cache.kept == len(whole.crops.cache)
    assert bounded.crops.cache.kept == (0 if limit == 0 else 1)

    one, other = fit(whole), fit(bounded)

    assert all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)
    rows = [[row.model_dump(exclude={"seconds"}) for row in run.history] for run in (one, other)]
    assert rows[0] == rows[1]


def test_the_plan_says_why_not_all_images_are_kept(discs, tiny, tmp_path):
    settings = {**tiny, "training.cache_gb": 0, "training.budget": Budget(steps=2).plain()}
    run = api.train(discs, out=tmp_path / "run", settings=settings, device="cpu")

    assert "the others decoded whenever they are needed" in run.plan.reasons["training.cache_gb"]


def test_all_images_are_kept_without_a_word(discs, tiny, tmp_path):
    settings = {**tiny, "training.budget": Budget(steps=2).plain()}
    assert "training.cache_gb" not in api.train(discs, out=tmp_path / "run", settings=settings).plan.reasons


def test_more_than_the_disk_has_is_refused_before_anything_is_written(discs, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("maskwright.data.room.free_bytes", lambda _: 100)
    with pytest.raises(SettingError, match=r"100|0\.0001 MB are free"):
        api.train(discs, out=tmp_path / "run", settings={**tiny, "training.cache_gb": 5}, device="cpu")
    assert not (tmp_path / "run").exists()
