"""A step that went wrong, once more: which layer made the first value that is no number, and of what."""

import math
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from maskwright.data.dataset import Batch
from maskwright.data.randomness import number
from maskwright.losses import supervised
from maskwright.training.health.seen import Lost
from maskwright.training.machine import formatted
from maskwright.training.supervision import cropped, finest

if TYPE_CHECKING:
    from maskwright.training.job import Job
    from maskwright.training.step import Step, Stepped


def names_of(job: "Job", batch: Batch) -> list[str]:
    """What the images of a batch are called, crop by crop."""
    places = job.crops.images_of(batch.step)
    return [job.names[place] if place < len(job.names) else f"image {place}" for place in places]


def looked_again(learn: "Step", batch: Batch, stepped: "Stepped", rate: float, grown: float) -> Lost:
    """The step once more with an eye on every layer; its weights are as they were, so it goes as it went."""
    job = learn.job
    half = not job.device.precision.startswith("32")
    trace = Trace()
    images, sound = trace.run(learn, batch)
    place, layer, largest = trace.found or ("nowhere", "", 0.0)
    in_32_bits = None
    if half:
        plain = Trace()
        plain.run(learn, batch, in_32_bits=True)
        in_32_bits = plain.found is None
    names = names_of(job, batch)
    bad = [name for name, one in zip(names, batch.images, strict=True) if not torch.isfinite(one.float()).all()]
    if bad:
        place = "image"
    return Lost(
        step=batch.step,
        what="gradient" if math.isfinite(stepped.loss) else "loss",
        value=stepped.gradient if math.isfinite(stepped.loss) else stepped.loss,
        place=place,
        layer=layer,
        largest=largest,
        images=tuple(names),
        bad_images=tuple(dict.fromkeys(bad)),
        low=float(images[sound].min()) if sound.any() else math.nan,
        high=float(images[sound].max()) if sound.any() else math.nan,
        rate=rate,
        in_32_bits=in_32_bits,
        grown=grown,
    )


Place = Literal["image", "layer", "loss", "gradient", "nowhere"]


class Trace:
    """Watches a network forward and backward and keeps the first place where a number is lost."""

    def __init__(self) -> None:
        self.found: tuple[Place, str, float] | None = None

    def run(self, learn: "Step", batch: Batch, *, in_32_bits: bool = False) -> tuple[Tensor, Tensor]:
        """The batch, forward and back; the weights and norm statistics stay. The images, and which values are sound."""
        job, network = learn.job, learn.network
        kept = {name: buffer.detach().clone() for name, buffer in network.named_buffers()}
        torch.manual_seed(number(job.seed, "dropout", batch.step))
        images, labels, weights = job.finish(batch, learn.device)
        sound = torch.isfinite(images)
        with ExitStack() as hooks:
            for name, layer in network.named_modules():
                if not any(layer.children()):
                    handle = layer.register_forward_hook(self._forward(f"{name} ({type(layer).__name__})"))
                    hooks.callback(handle.remove)
            if not in_32_bits:
                hooks.enter_context(learn.fabric.autocast())
            outputs = network(formatted(images, job.device))
            outputs = outputs.float() if isinstance(outputs, Tensor) else [one.float() for one in outputs]
            logits = finest(outputs)
            labels, weights = cropped(labels, weights, logits.shape[-2:])
            loss = supervised(job.loss, outputs, labels, weights)
            if self.found is None and not torch.isfinite(loss):
                self.found = ("loss", "", _largest(logits))
            loss.backward()
        for name, parameter in network.named_parameters():
            if self.found is None and parameter.grad is not None and not torch.isfinite(parameter.grad).all():
                self.found = ("gradient", name, _largest(parameter.detach()))
        network.zero_grad()
        with torch.no_grad():
            for name, buffer in network.named_buffers():
                buffer.copy_(kept[name])
        return images, sound

    def _forward(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def look(layer: nn.Module, given: Any, made: Any) -> None:
            if self.found is None and isinstance(made, Tensor):
                if not torch.isfinite(made).all():
                    # In place, a layer's input is its output.
                    sizes = [_largest(one) for one in given if isinstance(one, Tensor)]
                    self.found = ("layer", name, max(sizes, default=0.0))
                elif made.requires_grad:
                    made.register_hook(self._backward(name, _largest(made)))

        return look

    def _backward(self, name: str, largest: float) -> Callable[[Tensor], None]:
        def look(gradient: Tensor) -> None:
            if self.found is None and not torch.isfinite(gradient).all():
                self.found = ("gradient", name, largest)

        return look


def _largest(values: Tensor) -> float:
    """The largest size among the values that are numbers."""
    values = values.detach().float()
    sound = values[torch.isfinite(values)]
    return float(sound.abs().max()) if len(sound) else 0.0
