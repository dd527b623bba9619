"""The quick test from the command line: verdict, picture, exit status, and nothing left behind."""

import pytest
from PIL import Image
from typer.testing import CliRunner

from maskwright.cli import app
from maskwright.errors import SettingError


@pytest.mark.parametrize(("extra", "status"), [([], 0), (["optimizer.lr=1e-9", "optimizer.side_lr=1e-9"], 1)])
def test_the_exit_status_says_whether_the_batch_is_learnt(extra, status, blobs, tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if status:
        monkeypatch.setattr("maskwright.training.one_batch.one_batch.__kwdefaults__", {"steps": 20, "progress": None})
    settings = [f"{key}={value}" for key, value in tiny.items()]
    words = ["train", str(blobs()), *settings, *extra, "--overfit-one-batch", "--device", "cpu"]
    done = CliRunner().invoke(app, words, env={"COLUMNS": "200"})

    assert done.exit_code == status, done.output
    assert ("not learnt" in done.output) == bool(status)
    assert "mean IoU" in done.output
    assert {path.name for path in tmp_path.iterdir()} == {"blobs", "blobs-one-batch.png"}
    with Image.open(tmp_path / "blobs-one-batch.png") as picture:
        assert picture.width > picture.height


def test_a_run_has_no_batch_to_learn(tmp_path):
    done = CliRunner().invoke(app, ["train", "--overfit-one-batch", "--resume", str(tmp_path)])

    assert isinstance(done.exception, SettingError)
    assert "--overfit-one-batch" in str(done.exception)
