import numpy as np
import pytest
from PIL import Image

from maskwright.training.tracking.tensorboard import TensorBoard


def test_scalars_pictures_and_parameters_are_in_the_event_files(run_of, rows, results, events):
    tracker, run = TensorBoard(), run_of()
    assert tracker.open(run) == 0
    tracker.log(rows(1, 10))
    tracker.log(rows(20))
    tracker.finish(results)

    found, scalars = events(run.folder / "tensorboard")
    assert scalars["step/loss"] == [(1, 1.0), (10, pytest.approx(0.1)), (20, pytest.approx(0.05))]
    assert found.Scalars("step/loss")[1].wall_time == 1.7e9 + 10
    assert scalars["final/val/mean_iou"] == [(30, 0.75)]
    (picture,) = found.Images("pictures/best-1")
    assert (picture.step, picture.width, picture.height) == (30, 9, 7)
    (run.folder / "seen.png").write_bytes(picture.encoded_image_string)
    with Image.open(run.folder / "seen.png") as seen:
        assert np.asarray(seen)[0, 0].tolist() == [200, 20, 20]
    start = found.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    assert b"model.depth" in start
    text = found.Tensors("run/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "folders images/ and masks/" in text
    assert "model.depth: 3" in text


def test_a_killed_run_goes_on_in_the_same_folder_and_nothing_is_there_twice(run_of, rows, events, results):
    run = run_of()
    killed = TensorBoard()
    killed.open(run)
    killed.log(rows(1, 10, 20, 30))
    again = TensorBoard()  # resumed after step 14
    assert again.open(run) == 0, "it is told everything anew"
    again.log(rows(1, 10))
    again.log(rows(20, 40))
    again.finish(results)

    _, scalars = events(run.folder / "tensorboard")
    assert [step for step, _ in scalars["step/loss"]] == [1, 10, 20, 40]
    assert len(list((run.folder / "tensorboard").iterdir())) == 2


def test_a_failure_is_written_down(run_of, events):
    tracker, run = TensorBoard(), run_of()
    tracker.open(run)
    tracker.fail("TrainingError: the loss is nan")

    found, _ = events(run.folder / "tensorboard")
    assert "the loss is nan" in found.Tensors("ended/text_summary")[0].tensor_proto.string_val[0].decode()
