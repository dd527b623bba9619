"""TensorBoard: event files in the run's folder, to look at with `tensorboard --logdir runs`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from maskwright.training.tracking.registry import Results, Row, TrackedRun, Tracker, trackers

FOLDER = "tensorboard"


@trackers.register("tensorboard")
class TensorBoard(Tracker):
    """Scalars, hyper-parameters and pictures as event files in `RUN/tensorboard`.

    A run that goes on writes another file there, which takes back all that was written before (a session start with
    purge step 0) and tells it anew: a killed writer leaves its last minutes unwritten, nobody knows how many.
    """

    package = "tensorboard"

    def open(self, run: TrackedRun) -> int:
        """A new event file."""
        from torch.utils.tensorboard import SummaryWriter
        from torch.utils.tensorboard.summary import hparams

        folder = run.folder / FOLDER
        again = folder.is_dir() and any(folder.iterdir())
        self._writer: Any = SummaryWriter(str(folder), purge_step=0 if again else None)
        known = {name: value for name, value in run.settings.items() if value is not None}
        for summary in hparams(known, {"final/val/mean_iou": 0.0}):
            self._writer._get_file_writer().add_summary(summary)
        lines = [f"    {name}: {value}" for name, value in {**run.settings, **run.data}.items()]
        self._writer.add_text("run", "\n\n".join([*run.notes, "\n".join(lines)]), 0)
        self._writer.flush()
        return 0

    def log(self, rows: Sequence[Row]) -> None:
        """A scalar a value."""
        for row in rows:
            for name, value in row.values.items():
                self._writer.add_scalar(name, value, row.step, walltime=row.time)
        self._writer.flush()

    def finish(self, results: Results) -> None:
        """The scores and the pictures."""
        for name, value in results.scores.items():
            self._writer.add_scalar(name, value, results.step)
        for path in results.pictures:
            with Image.open(path) as picture:
                image_HWC = np.asarray(picture.convert("RGB"))
            self._writer.add_image(f"pictures/{path.stem}", image_HWC, results.step, dataformats="HWC")
        self._writer.add_text("ended", results.reason, results.step)
        self._writer.close()

    def fail(self, reason: str) -> None:
        """Why."""
        self._writer.add_text("ended", reason, 0)
        self._writer.close()
