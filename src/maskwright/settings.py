"""How to train, as records: optimiser, schedule, budget, validation. The plan decides them, the loop obeys them.

They stand below the plan, which must name them, and so apart from the code in `training/` that they steer.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from maskwright.records import Record


class OptimizerSettings(Record):
    """The optimiser and its numbers."""

    name: Literal["adamw", "adam", "sgd", "rmsprop", "muon"] = "adamw"
    """muon: orthogonalised momentum for convolution kernels, AdamW for all else."""
    lr: float = Field(3e-3, gt=0)
    """The top of the learning rate. For muon that of the kernels; `side_lr` is that of the rest."""
    side_lr: float = Field(3e-3, gt=0)
    weight_decay: float = Field(1e-2, ge=0)
    """Not applied to biases and norms. adamw and muon shrink the weights, the others add them to the gradients."""
    momentum: float = Field(0.9, ge=0, lt=1)
    """Of sgd, rmsprop and muon; the first beta of adam and adamw."""
    nesterov: bool = True
    """Of sgd; muon always looks ahead."""
    beta2: float = Field(0.99, gt=0, lt=1)
    """How slowly the mean of the squared gradients changes; rmsprop calls it alpha, sgd has none."""
    eps: float = Field(1e-8, gt=0)
    clip: float | None = Field(None, gt=0)
    """Largest norm of all gradients together; None: not clipped."""
    front: float = Field(1.0, gt=0, le=1)
    """Rate of the encoder's first layers over that of the decoder; the levels between fall geometrically. 1: all
    alike."""


class ScheduleSettings(Record):
    """How the learning rate goes from its first step to its last, as a share of its top."""

    name: Literal["onecycle", "cosine", "polynomial", "plateau", "constant"] = "onecycle"
    """onecycle: up by a cosine, then down by one. cosine: up by a line, then down by a cosine. polynomial: up by a
    line, then down by a power. plateau: the top, and less each time the validation loss stands still. constant: the
    top throughout."""
    warmup: float = Field(0.15, ge=0, lt=1)
    """Share of the steps in which onecycle, cosine and polynomial rise; 0: they start at the top."""
    first: float = Field(0.04, ge=0, le=1)
    last: float = Field(1e-3, ge=0, le=1)
    """Where those three start and where they end."""
    low_momentum: float | None = Field(None, gt=0, lt=1)
    """One-cycle: momentum falls to this while the rate rises, and back. None: not cycled."""
    power: float = Field(0.9, gt=0)
    """Of polynomial; 1: a straight line."""
    factor: float = Field(0.1, gt=0, lt=1)
    patience: int = Field(3, ge=1)
    """Plateau: after so many validations without a better loss the rate is multiplied by `factor`."""

    @model_validator(mode="after")
    def _cycled(self) -> Self:
        if self.low_momentum is not None and self.name != "onecycle":
            raise ValueError(f"low_momentum is cycled by onecycle, not by {self.name}; leave it out")
        return self


class Budget(Record):
    """When training is over. Exactly one is stated."""

    epochs: float | None = Field(None, gt=0, allow_inf_nan=False)
    minutes: float | None = Field(None, gt=0, allow_inf_nan=False)
    """From reading the data to the model file."""
    steps: int | None = Field(None, gt=0)
    settled: Literal[True] | None = None
    """True: until the smoothed validation score has stopped rising; then the rate falls, and training ends."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(value is not None for _, value in self) != 1:
            raise ValueError("state exactly one of epochs, minutes, steps and settled")
        return self

    def __str__(self) -> str:
        name, value = next((n, v) for n, v in self if v is not None)
        if name == "settled":
            return "as long as the validation score rises"
        return f"{value:.10g} {name if value != 1 else name.removesuffix('s')}"


class Stage(Record):
    """A part of the training with a top rate of its own, and perhaps with an encoder that stands still."""

    epochs: float = Field(gt=0, allow_inf_nan=False)
    """Its length over that of the others: all stages together fill the budget, whatever that counts."""
    freeze: bool = False
    """Whether the encoder learns nothing: neither weights nor norm statistics; its dropout is off."""
    lr: float | None = Field(None, gt=0)
    """Its top rate, with `side_lr` in the same proportion as ever; None: the optimiser's."""
    front: float | None = Field(None, gt=0, le=1)
    """As `front` of the optimiser; None: that."""


class ValidationSettings(Record):
    """How often and on how much the training is scored."""

    times: int = Field(10, ge=1)
    """Validations, spread evenly; the last is at the end."""
    every: int | None = Field(None, ge=1)
    """Steps from one validation to the next, instead of so many times; the last is at the end all the same."""
    images: int = Field(64, ge=1)
    """At most so many validation images, the same each time."""
    keep: Literal["score", "loss"] = "score"
    """What says which weights are the best, and when patience ends: the mean IoU, or the validation loss."""
    patience: int | None = Field(None, ge=1)
    """Stop after so many validations without a better one, counted anew in each stage; None: never."""


class TrainingSettings(Record):
    """What the loop needs besides data, network and loss."""

    budget: Budget
    stages: tuple[Stage, ...] = ()
    """One after the other; each runs the whole schedule from its start. Empty: one stage."""
    optimizer: OptimizerSettings = OptimizerSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    validation: ValidationSettings = ValidationSettings()
    ema: float | None = Field(0.99, gt=0, lt=1)
    """Decay of the running mean of the weights that is validated and kept; None: the weights themselves."""
    cache_gb: float | None = Field(None, ge=0, allow_inf_nan=False)
    """Gigabytes (10⁹ bytes) of the disk that decoded images may take while training. What is over is decoded whenever
    it is needed: slower, with the same results. None: half of what is free."""
    checkpoint_seconds: float = Field(60.0, ge=0)
    """How often `last.ckpt` is written."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.budget.settled and (self.stages or self.schedule.name == "plateau" or self.validation.every is None):
            raise ValueError(
                "a training until the score has settled has one stage, a schedule that falls by itself (not plateau), "
                "and validates after a number of steps (validation.every). Or state its length: steps, epochs, minutes"
            )
        low, top = self.schedule.low_momentum, self.optimizer.momentum
        if low is not None and low > top:
            raise ValueError(f"schedule.low_momentum ({low:g}) must not be above optimizer.momentum ({top:g})")
        return self
