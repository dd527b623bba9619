"""What tests of trackers share: a run to tell of, and readers of what the tools wrote."""

import struct

import pytest

from maskwright.training.tracking import Results, Row, TrackedRun


@pytest.fixture
def run_of(tmp_path):
    """A run in a folder of its own."""

    def build(**changes):
        values = {
            "folder": tmp_path / "runs" / "one",
            "id": "ab12cd34",
            "name": "one",
            "settings": {"seed": 0, "model.depth": 3, "training.ema": None, "sampling.crop": "[16, 16]"},
            "data": {"train": 6, "channels": 1},
            "notes": ("folders images/ and masks/",),
        }
        run = TrackedRun(**{**values, **changes})
        run.folder.mkdir(parents=True, exist_ok=True)
        return run

    return build


@pytest.fixture
def results(tmp_path):
    """How a run ended, with a picture and a model."""
    from PIL import Image

    folder = tmp_path / "runs" / "one"
    (folder / "pictures").mkdir(parents=True)
    Image.new("RGB", (9, 7), (200, 20, 20)).save(folder / "pictures" / "best-1.png")
    (folder / "model.safetensors").write_bytes(b"weights")
    return Results(
        reason="the budget was used",
        finished=True,
        step=30,
        scores={"final/val/mean_iou": 0.75, "final/val/dice/Zellkern (ä)": 0.5},
        pictures=(folder / "pictures" / "best-1.png",),
        files=(folder / "model.safetensors",),
    )


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """A store without runs: its tables take seconds to make."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def rows():
    """Rows of these steps."""
    return lambda *steps: [Row(step=s, time=1.7e9 + s, values={"step/loss": 1 / s, "step/rate": 0.1}) for s in steps]


@pytest.fixture
def events():
    """TensorBoard's own reader: tag → (step, value) of a folder's scalars."""

    def read(folder):
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        found = EventAccumulator(str(folder), size_guidance={"scalars": 0})
        found.Reload()
        scalars = {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}
        return found, scalars

    return read


@pytest.fixture
def offline():
    """The records of a W&B offline file: a log of LevelDB's format with protobuf messages in it."""

    def read(path):
        from wandb.proto.wandb_internal_pb2 import Record

        data, at, message = path.read_bytes(), 7, b""
        assert data[:4] == b":W&B"
        while at + 7 <= len(data):
            if 32768 - at % 32768 < 7:
                at += 32768 - at % 32768
                continue
            _, length, kind = struct.unpack_from("<IHB", data, at)
            message += data[at + 7 : at + 7 + length]
            at += 7 + length
            if kind in {1, 4}:  # whole, or the last part
                yield Record.FromString(message)
                message = b""

    return read
