"""The whole of a prediction as one PyTorch module: the twin of `exports.whole` for formats that PyTorch itself runs.

In: `image`, B H W C as stored. Out: labels B H W uint8 and probabilities B K H W float32, at the image's own size.
Sizes are worked out with whole numbers and without questions, so that a trace holds for other sizes too.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maskwright.anysize import LEAST
from maskwright.data.labels import Labels
from maskwright.data.preprocess import LUMINANCE, Preprocess
from maskwright.exports.padding import LONGEST, padding
from maskwright.exports.suiting import own_statistics
from maskwright.inference.ensemble import Ensemble
from maskwright.inference.looks import Look, looks_of
from maskwright.model.sizes import geometry
from maskwright.modelfile import Model
from maskwright.runtimes.folding import folded
from maskwright.tiling import View, seen_from_all_sides

Ways = tuple[View, ...]


class Logits(nn.Module):
    """A network that looks in these ways at images that fit it, B C h w → B K h w, as `tiling.seen_from_all_sides`."""

    def __init__(self, model: Model, ways: Ways):
        super().__init__()
        self.network = folded(model.network)
        # One way after the other: images are seen whole here, and a batch of all would take as many times the memory.
        self.seen, _ = seen_from_all_sides(self.network.logits, geometry(self.network.record), ways, together=False)

    def forward(self, image: Tensor) -> Tensor:
        """Logits; of several ways the logarithm of the mean of the probabilities, of two classes for a single logit."""
        return self.seen(image)


class Looking(nn.Module):
    """One member at one scale: an image in the network's channels, B C H W float32 → its part of the mean, B K H W."""

    mean: Tensor
    std: Tensor

    def __init__(self, model: Model, look: Look, logits: nn.Module):
        super().__init__()
        about = look.preprocess
        self.weight = look.weight
        self.logits = logits
        self.register_buffer("mean", torch.tensor(about.mean)[:, None, None])
        self.register_buffer("std", torch.tensor(about.std)[:, None, None])
        rule = padding(model.network.record)
        self.rule = (rule.before, rule.first, rule.step, rule.covers)
        self.repeats = int(rule.repeats)
        self.single = model.network.record.classes == 1 and len(look.ways) == 1
        self.keeps_size = about.size is None and about.scale == 1
        # A list, since TorchScript looks up nothing in a tuple by a number that it works out.
        self.size: list[int] = list(about.size or (0, 0))
        self.scale: tuple[int, int] = (0, 1) if about.size else ratio(about)
        self.factor = float(about.scale)
        self.smooth = about.interpolation == "bilinear"
        self.by_itself = own_statistics(about)

    def forward(self, image: Tensor) -> Tensor:
        """B C H W float32 as stored → probabilities B K H W, times the weight of this look."""
        H, W = image.shape[2], image.shape[3]
        h, w = self.working(H, 0), self.working(W, 1)
        if not self.keeps_size:
            image = self.resized(image, h, w)
        image = self.normalised(image)
        logits = self.logits(self.padded(image))
        # A slice would have torch.export ask whether it is the whole map, and keep the answer for every size.
        rows, columns = torch.arange(h, device=image.device), torch.arange(w, device=image.device)
        logits = logits.index_select(2, rows).index_select(3, columns)
        if not self.keeps_size:
            logits = F.interpolate(logits, size=[H, W], mode="bilinear", align_corners=False)
        if self.single:
            foreground = logits.sigmoid()
            return self.weight * torch.cat([1 - foreground, foreground], dim=1)
        return self.weight * logits.softmax(1)

    def normalised(self, image: Tensor) -> Tensor:
        """As `Preprocess.normalise`."""
        if not self.by_itself:
            return (image - self.mean) / self.std
        exact = image.to(torch.float64)
        mean = exact.mean([2, 3], True)
        apart = exact - mean
        std = (apart * apart).mean([2, 3], True).sqrt()
        std = torch.where(std > 1e-6 * mean.abs().clamp(min=1e-6), std, torch.ones_like(std))
        return (apart / std).to(torch.float32)

    def working(self, n: int, axis: int) -> int:
        """`Preprocess.working_size` of one side: round(n · scale), halves to the even number, at least 1."""
        if self.size[axis] > 0:
            return self.size[axis]
        top, bottom = self.scale
        if top == 0:
            return max(1, int(round(n * self.factor)))  # noqa: RUF046  # in TorchScript it is a float
        doubled = 2 * n * top
        up = (doubled + bottom) // (2 * bottom)  # halves upwards
        down = -((bottom - doubled) // (2 * bottom))  # halves downwards
        return max(1, up - (up % 2) * (up - down))

    def resized(self, image: Tensor, h: int, w: int) -> Tensor:
        """B C H W → B C h w, as `Preprocess.resize`."""
        if self.smooth and w == 1:  # see `Preprocess.resize`
            lying = image.transpose(2, 3).contiguous()
            return F.interpolate(lying, size=[w, h], mode="bilinear", antialias=True, align_corners=False).transpose(
                2, 3
            )
        if self.smooth:
            return F.interpolate(image, size=[h, w], mode="bilinear", antialias=True, align_corners=False)
        rows, columns = torch.arange(h, device=image.device), torch.arange(w, device=image.device)
        image = image.index_select(2, (2 * rows + 1) * image.shape[2] // (2 * h))
        return image.index_select(3, (2 * columns + 1) * image.shape[3] // (2 * w))

    def padded(self, image: Tensor) -> Tensor:
        """As `anysize.fitted`."""
        h, w = image.shape[2], image.shape[3]
        before, first, step, covers = self.rule
        tall = first + max(0, (h - covers + step - 1) // step) * step
        wide = first + max(0, (w - covers + step - 1) // step) * step
        # 1 where more is wanted than there is. Asked as a question, torch.export would keep the answer for every size.
        small = self.repeats * min(1, tall // (2 * h) + wide // (2 * w))
        image = image.index_select(2, self.places(h, tall, before, small, image))
        return image.index_select(3, self.places(w, wide, before, small, image))

    def places(self, n: int, wanted: int, before: int, small: int, image: Tensor) -> Tensor:
        """Which of n pixels each of the `wanted` mirrors; of small images, small = 1, the last is repeated."""
        place = torch.arange(wanted, device=image.device) - before
        period = max(1, 2 * (n - 1))
        folded_n = place % period
        return small * place.clamp(max=n - 1) + (1 - small) * torch.minimum(folded_n, period - folded_n)


class OfClasses(nn.Module):
    """Probabilities over all that a network tells apart, B N H W → over the classes, B K H W, as `anysize.of_classes`:
    what was learned of objects goes to the classes that it is a part of.
    """

    things: Tensor

    def __init__(self, labels: Labels):
        super().__init__()
        self.count = labels.count
        self.learned = labels.learned is not None
        self.least = LEAST
        self.register_buffer("things", things_of(labels))

    def forward(self, shares: Tensor) -> Tensor:
        """The probabilities."""
        if not self.learned:
            return shares
        classes = shares.narrow(1, 0, self.count)
        own = (classes + self.least) * self.things
        return classes + own / own.sum(1, True) * shares.narrow(1, self.count, 1)


def things_of(labels: Labels) -> Tensor:
    """1 for each class that has objects, else 0, K 1 1 float32."""
    return torch.tensor([label in labels.things for label in range(labels.count)]).float()[:, None, None]


class Mean(nn.Module):
    """What all members say of the classes at all scales, in the mean: B C H W float32 → probabilities B K H W."""

    def __init__(self, members: Sequence[Model], logits: Callable[[Model, Ways], nn.Module] = Logits):
        super().__init__()
        looks = looks_of(members)
        # One of each member for all its scales, so that its weights are there once.
        ways = {look.member: look.ways for look in looks}
        networks = {n: logits(members[n], own) for n, own in ways.items()}
        self.looks = nn.ModuleList(Looking(members[look.member], look, networks[look.member]) for look in looks)
        self.of_classes = OfClasses(members[0].description.labels)
        self.eval().requires_grad_(False)

    def forward(self, image: Tensor) -> Tensor:
        """The probabilities."""
        total = torch.zeros(1, device=image.device)
        for look in self.looks:
            total = total + look(image)
        return self.of_classes(total)


class Whole(nn.Module):
    """All looks with what is around them; see the module's text."""

    luminance: Tensor

    def __init__(self, ensemble: Ensemble, logits: Callable[[Model, Ways], nn.Module] = Logits):
        super().__init__()
        about = ensemble.description.preprocess
        self.channels = about.channels
        self.rounds = about.dtype != "float32"
        self.mean = Mean(ensemble.members, logits)
        self.register_buffer("luminance", torch.tensor(LUMINANCE))
        self.eval().requires_grad_(False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Labels and probabilities."""
        shares = self.mean(self.in_channels(image).permute(0, 3, 1, 2).contiguous())
        return shares.argmax(1).to(torch.uint8), shares

    def in_channels(self, image: Tensor) -> Tensor:
        """The image with the network's channels, B H W C float32; grey is repeated, colour becomes luminance."""
        found = image.shape[3]
        seen = image.to(torch.float32)
        if found == self.channels:
            return seen
        if found == 1 and self.channels == 3:
            return seen.expand(-1, -1, -1, 3)
        assert (found, self.channels) == (3, 1), "the image has other channels than the model was made for"
        grey = (seen @ self.luminance).unsqueeze(3)
        return grey.round() if self.rounds else grey


def ratio(preprocess: Preprocess) -> tuple[int, int]:
    """The scale as a fraction with which every side up to `LONGEST` becomes as long as it should; 0, 1 for none.

    Of 0.29 there is none: what a computer makes of 0.29 · 150 and 0.29 · 250, one a half and one a little less, no
    fraction does.
    """
    n = np.arange(1, LONGEST + 1)
    wanted = np.rint(n * preprocess.scale)
    for limit in (2**8, 2**16, 2**30):
        ratio = Fraction(preprocess.scale).limit_denominator(limit)
        top, bottom = ratio.numerator, ratio.denominator
        up, down = (2 * n * top + bottom) // (2 * bottom), -((bottom - 2 * n * top) // (2 * bottom))
        if (up - up % 2 * (up - down) == wanted).all():
            return top, bottom
    return 0, 1
