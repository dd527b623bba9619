"""What the causes look at: how the training was set up, and what was seen of its steps and validations."""

from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final, Literal

from torch import nn

from maskwright.data.dataset import Sampling
from maskwright.model import UNetRecord
from maskwright.settings import TrainingSettings

if TYPE_CHECKING:
    from maskwright.plan import Plan
    from maskwright.training.job import Job

Moment = Literal["start", "batch", "steps", "validation", "end", "lost"]
"""start: before the first step. batch: a batch that cannot be learnt from. steps: after every ten steps. validation:
after each. end: after the last one. lost: a loss or gradient that is no number.
"""
MOST_WINDOWS: Final = 256
"""Windows that are kept; when there are more, each two neighbours become one."""
SHORT: Final = 300
"""Steps. After 70 of them real sets are found to be called one class throughout, or to lack a class, that are learnt
well in a few hundred (EXPERIMENTS.md)."""


@dataclass(frozen=True)
class Setup:
    """How a training was set up."""

    network: UNetRecord
    sampling: Sampling
    training: TrainingSettings
    precision: str
    batch_norm: bool
    """Whether some layer normalises over the batch."""
    classes: tuple[str, ...] = ()
    validation_images: int | None = None
    """None: not known, or nothing is held out."""
    all_kept: bool = True
    """Whether all images are decoded once and for all."""

    @staticmethod
    def of_plan(plan: "Plan") -> "Setup":
        """What a plan says, before anything is built."""
        own = plan.model.encoder.is_own
        norm = own and plan.model.norm == "batch"
        return Setup(plan.model, plan.sampling, plan.training, plan.device.precision, norm)

    @staticmethod
    def of(job: "Job") -> "Setup":
        """That of a job."""
        cache = job.crops.cache
        held_out = getattr(job.validation, "cache", None)  # whoever scores in another way may have none
        record = job.network.record
        return Setup(
            network=record,
            sampling=job.crops.sampling,
            training=job.settings,
            precision=job.device.precision,
            batch_norm=any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in job.network.modules()),
            classes=job.classes or tuple(f"class {label}" for label in range(max(2, record.classes))),
            validation_images=None if held_out is None else len(held_out),
            all_kept=cache.kept == len(cache),
        )

    def rate_times(self, share: float) -> str:
        """The settings that make the learning rate so many times what it is, as one types them."""
        own = self.training.optimizer
        words = [f"optimizer.lr={own.lr * share:.2g}"]
        if own.name == "muon":
            words.append(f"optimizer.side_lr={own.side_lr * share:.2g}")
        return " ".join(words)


@dataclass
class Window:
    """Some steps that follow each other."""

    step: int
    """Number of steps done after the last."""
    progress: float
    """Share of the training that was done then, 0 … 1."""
    rate: float
    """Of the decoder's kernels."""
    loss: float
    """Mean."""
    low: float
    high: float
    gradient: float
    """Mean length of all gradients."""
    moved: float = 0.0
    """`Vitals.moved` of the look in the window."""
    weights: float = 0.0
    """`Vitals.weights` of it."""
    idle: tuple[str, ...] = ()
    """`Vitals.idle` of it."""
    kernels: int = 0


@dataclass
class Validated:
    """What a validation said."""

    step: int
    progress: float
    train_loss: float
    train_accuracy: float | None
    loss: float
    accuracy: float
    score: float
    true: list[int]
    """Pixels of each class."""
    said: list[int]
    """Pixels that were given to each class."""
    hit: list[int]
    """Pixels of each class that were given to it."""


@dataclass(frozen=True)
class Strange:
    """A batch with labels that are no class."""

    labels: tuple[int, ...]
    classes: int
    images: tuple[str, ...]


@dataclass(frozen=True)
class Lost:
    """A step whose loss or gradient was no number, and what looking at it again showed."""

    step: int
    what: Literal["loss", "gradient"]
    value: float
    place: Literal["image", "layer", "loss", "gradient", "nowhere"]
    """Where it began: in an image, in what a layer makes of sound values, in the loss of sound logits, in a gradient on
    its way back; nowhere: the second look found all sound.
    """
    layer: str
    """The first layer, `encoder.levels.0.0 (Conv2d)`; empty if none."""
    largest: float
    """Largest size of a number that went into it, or of the logits."""
    images: tuple[str, ...]
    """Of the batch."""
    bad_images: tuple[str, ...]
    """Those of them with values that are no numbers."""
    low: float
    high: float
    """Of the sound values that the network was shown."""
    rate: float
    in_32_bits: bool | None = None
    """With 16-bit floats: whether all is sound in 32 bits. None: it was in 32 bits."""
    grown: float = 1.0
    """Length of the weights over what it was at first."""


@dataclass
class Seen:
    """Everything that was seen of a training."""

    setup: Setup
    windows: list[Window] = field(default_factory=list)
    validations: list[Validated] = field(default_factory=list)
    progress: float = 0.0
    ended: bool = False
    waited: float = 0.0
    """Share of the time that steps had to wait for their batch, since it is being measured …"""
    timed: int = 0
    """… for so many steps."""
    strange: Strange | None = None
    lost: Lost | None = None

    def add(self, window: Window) -> None:
        """Take in a window."""
        self.windows.append(window)
        if len(self.windows) > MOST_WINDOWS:
            pairs = zip(self.windows[::2], self.windows[1::2], strict=False)
            rest = self.windows[len(self.windows) // 2 * 2 :]
            self.windows = [_joined(a, b) for a, b in pairs] + rest

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps, as plain values."""
        return {
            "windows": [asdict(window) for window in self.windows],
            "validations": [asdict(one) for one in self.validations],
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Become what was saved."""
        self.windows = [Window(**window) for window in saved["windows"]]
        self.validations = [Validated(**one) for one in saved["validations"]]

    @property
    def steps(self) -> int:
        """Steps that are done, as far as they were looked at."""
        return max([0, *(one.step for one in self.windows[-1:]), *(one.step for one in self.validations[-1:])])

    @property
    def short(self) -> bool:
        """Whether there has been little time to learn: what is not learnt yet is then only noted."""
        return self.steps < SHORT

    def top_windows(self, share: float = 0.5) -> list[Window]:
        """The windows whose rate was at least that share of the schedule's top."""
        return [window for window in self.windows if window.rate >= share * self.setup.training.optimizer.lr]


def _joined(a: Window, b: Window) -> Window:
    """Both as one."""
    return Window(
        step=b.step,
        progress=b.progress,
        rate=b.rate,
        loss=fmean([a.loss, b.loss]),
        low=min(a.low, b.low),
        high=max(a.high, b.high),
        gradient=fmean([a.gradient, b.gradient]),
        moved=fmean([a.moved, b.moved]),
        weights=b.weights,
        idle=tuple(name for name in b.idle if name in a.idle),
        kernels=b.kernels,
    )
