"""How to train, as records: optimiser, schedule, budget, validation. The plan decides them, the loop obeys them.

They stand below the plan, which must name them, and so apart from the code in `training/` that they steer.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from maskwright.records import Record


class OptimizerSettings(Record):
    """The optimiser and its numbers."""

    name: Literal["adamw", "adam", "sgd", "muon"] = "adamw"
    """muon: orthogonalised momentum for convolution kernels, AdamW for all else."""
    lr: float = Field(3e-3, gt=0)
    """The top of the learning rate. For muon that of the kernels; `side_lr` is that of the rest."""
    side_lr: float = Field(3e-3, gt=0)
    weight_decay: float = Field(1e-2, ge=0)
    """Not applied to biases and norms."""
    momentum: float = Field(0.9, ge=0, lt=1)
    """Of sgd and muon; the first beta of the others."""
    nesterov: bool = True
    """Of sgd; muon always looks ahead."""
    beta2: float = Field(0.99, gt=0, lt=1)
    eps: float = Field(1e-8, gt=0)
    clip: float | None = Field(None, gt=0)
    """Largest norm of all gradients together; None: not clipped."""


class ScheduleSettings(Record):
    """How the learning rate goes from its first step to its last, as a share of its top."""

    name: Literal["onecycle", "cosine", "constant"] = "onecycle"
    """onecycle: up by a cosine, then down by one. cosine: down from the top. constant: the top throughout."""
    warmup: float = Field(0.15, ge=0, lt=1)
    """Share of the steps in which one-cycle rises."""
    first: float = Field(0.04, ge=0, le=1)
    last: float = Field(1e-3, ge=0, le=1)
    """Where one-cycle starts and where it and cosine end."""


class Budget(Record):
    """When training is over. Exactly one is stated."""

    epochs: float | None = Field(None, gt=0, allow_inf_nan=False)
    minutes: float | None = Field(None, gt=0, allow_inf_nan=False)
    """From reading the data to the model file."""
    steps: int | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(part is not None for part in (self.epochs, self.minutes, self.steps)) != 1:
            raise ValueError("state exactly one of epochs, minutes and steps")
        return self

    def __str__(self) -> str:
        name, value = next((n, v) for n, v in self if v is not None)
        return f"{value:.10g} {name if value != 1 else name.removesuffix('s')}"


class ValidationSettings(Record):
    """How often and on how much the training is scored."""

    times: int = Field(10, ge=1)
    """Validations, spread evenly; the last is at the end."""
    images: int = Field(64, ge=1)
    """At most so many validation images, the same each time."""
    patience: int | None = Field(None, ge=1)
    """Stop after so many validations without a better score; None: never."""


class TrainingSettings(Record):
    """What the loop needs besides data, network and loss."""

    budget: Budget
    optimizer: OptimizerSettings = OptimizerSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    validation: ValidationSettings = ValidationSettings()
    ema: float | None = Field(0.99, gt=0, lt=1)
    """Decay of the running mean of the weights that is validated and kept; None: the weights themselves."""
    checkpoint_seconds: float = Field(60.0, ge=0)
    """How often `last.ckpt` is written."""
