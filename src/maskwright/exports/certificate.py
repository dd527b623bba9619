"""The certificate: what an exported file was seen to do, beside the model it was made of."""

from collections.abc import Mapping
from typing import Final

from maskwright.records import Record
from maskwright.tiling import Views

TOLERANCE: Final = 1e-3
"""Largest difference of a probability. Other libraries add up in another order: up to 1e-5 was seen, and less than 1e-4
with a network of 24 million weights. It is a quarter of the step in which probabilities are written as 8 bits."""
INT8_LOSS: Final = 0.005
"""Mean IoU that an export in 8-bit integers may lose: half a point of a hundred."""


class Pair(Record):
    """One number of the model in PyTorch, and the same of the export."""

    torch: float
    export: float

    @property
    def change(self) -> float:
        """What the export has more."""
        return self.export - self.torch

    @property
    def times(self) -> float:
        """PyTorch's over the export's: how many times less."""
        return self.torch / self.export


class Certificate(Record):
    """What an export was seen to do on the golden sample and on labelled images, next to PyTorch on this machine."""

    file: str
    kind: str
    about: str
    int8: bool = False
    views: tuple[Views, ...] = ()
    """In which ways each member looks at an image, in PyTorch and exported."""
    images: tuple[str, ...]
    """The images that both were run on; the golden sample is the one the model file carries."""
    pixels: int
    cropped: int | None = None
    """Pixels a side to which larger images were cut, in the middle."""
    difference: float
    """The largest difference of a probability."""
    logit_difference: float | None
    """The largest of log(p / (1-p)), where both p lie between 0.001 and 0.999: beyond, float32 tells no more."""
    changed: float
    """The share of pixels that change their class."""
    mean_iou: Pair | None
    """Over the images that have labels; None without any."""
    tolerance: float
    """Of `difference`; of the loss of mean IoU where the export computes in 8-bit integers."""
    latency_ms: Pair
    """Medians of interleaved rounds, on an image of `timed` H W."""
    timed: tuple[int, int]
    threads: int
    peak_bytes: Pair | None
    """By how much one such image raises the process's memory; None where the system does not say."""
    bytes: dict[str, int]
    sha256: dict[str, str]
    """Of the model file and of each exported file."""
    versions: dict[str, str]
    machine: str
    made: str
    notes: tuple[str, ...] = ()

    @property
    def loss(self) -> float:
        """What is compared with the tolerance."""
        if not self.int8:
            return self.difference
        return 0.0 - self.mean_iou.change if self.mean_iou else float("inf")

    @property
    def holds(self) -> bool:
        """Whether the export says what the model says, within the tolerance."""
        return self.loss <= self.tolerance  # False for NaN

    def lines(self) -> dict[str, str]:
        """What it says, in words: name → sentence."""
        verdict = "holds" if self.holds else "DOES NOT HOLD"
        limit = "mean IoU lost" if self.int8 else "probabilities apart by"
        said = {
            "Verdict": f"{verdict}: {limit} {self.loss:.2g}, allowed {self.tolerance:g}",
            "Compared on": f"{_listed(self.images)}, {self.pixels:,} pixels"
            + (f", larger ones cut to {self.cropped}×{self.cropped} in the middle" if self.cropped else ""),
            "Largest difference": f"{self.difference:.2g} of a probability"
            + (f", {self.logit_difference:.2g} of a logit" if self.logit_difference is not None else ""),
            "Pixels that change class": f"{100 * self.changed:.4f} %",
        }
        if any(views.count > 1 for views in self.views):
            said["Views"] = f"{_views(self.views)}; the mean of the probabilities counts, in PyTorch too"
        if self.mean_iou is not None:
            m = self.mean_iou
            said["Mean IoU"] = f"{m.torch:.4f} in PyTorch, {m.export:.4f} exported, {m.change:+.4f}"
        size = "×".join(map(str, self.timed))
        t = self.latency_ms
        said["Time"] = (
            f"{t.torch:.1f} ms in PyTorch, {t.export:.1f} ms exported, {t.times:.2f} times as fast ({size} pixels, "
            f"{self.threads} thread{'s' if self.threads > 1 else ''})"
        )
        if self.peak_bytes is not None:
            said["Memory"] = (
                f"{self.peak_bytes.torch / 2**20:.0f} MiB in PyTorch, {self.peak_bytes.export / 2**20:.0f} MiB "
                "exported, above what the process held before"
            )
        said["Size"] = ", ".join(f"{name} {_size(count)}" for name, count in self.bytes.items())
        said["Machine"] = f"{self.machine}; {_versions(self.versions)}"
        return said | {f"Note {n}" if n > 1 else "Note": note for n, note in enumerate(self.notes, start=1)}

    def to_markdown(self) -> str:
        """The certificate as a page."""
        rows = "\n".join(f"| {name} | {text} |" for name, text in self.lines().items())
        sums = "\n".join(f"{value}  {name}" for name, value in self.sha256.items())
        return (
            f"# Certificate of {self.file}\n\n{self.about[0].upper()}{self.about[1:]}. Made {self.made}.\n\n"
            f"| | |\n|---|---|\n{rows}\n\nSHA-256:\n\n```\n{sums}\n```\n"
        )


def _listed(images: tuple[str, ...]) -> str:
    shown = ", ".join(images[:4])
    return shown if len(images) <= 4 else f"{shown} and {len(images) - 4} more images"


def _views(every: tuple[Views, ...]) -> str:
    """Of each member, unless all are alike."""
    each = [
        f"{views.count} of each image (flips {views.flips}, turns {views.turns}, "
        f"scales {', '.join(format(scale, 'g') for scale in views.scales)})"
        for views in every
    ]
    return each[0] if len(set(each)) == 1 else "; ".join(f"member {n}: {text}" for n, text in enumerate(each, start=1))


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.0f} kB"


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
