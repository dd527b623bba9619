"""Norms over a batch that is none."""

from collections.abc import Iterator, Mapping

from maskwright.model.sizes import smallest_map
from maskwright.training.health.registry import Finding, causes
from maskwright.training.health.seen import Moment, Seen


class BatchNormAlone:
    """Batch norm with a batch of one crop: in training each image is normalised by itself, in prediction by the mean of
    all, so the model scores worse than it learnt (Wu & He 2018, arXiv 1803.08494). With a map of one pixel there is
    nothing to normalise, and torch refuses.
    """

    moments: frozenset[Moment] = frozenset({"start"})
    tells: Mapping[str, str] = {
        "batch-norm-of-one": "batch norm, and a batch of one crop",
        "batch-norm-of-one-value": "the same, and crops so small that the deepest map is one pixel",
    }

    def __call__(self, seen: Seen) -> Iterator[Finding]:
        """At most one finding."""
        setup = seen.setup
        if not setup.batch_norm or setup.sampling.batch > 1:
            return
        remedy = "Take a larger batch or a norm that needs none: sampling.batch=4 or model.norm=instance"
        if all(smallest_map(setup.network, side) <= 1 for side in setup.sampling.crop):
            yield Finding(
                code="batch-norm-of-one-value",
                severity="error",
                title="The batch is one crop, the deepest map one pixel, and the network has batch norm",
                why="There is one value a channel, and nothing to normalise it by.",
                remedy=remedy,
            )
        else:
            yield Finding(
                code="batch-norm-of-one",
                severity="warning",
                title="The network has batch norm, and the batch is one crop",
                why="Each image is normalised by itself while training and by the mean of all in prediction: the model "
                "will score worse than it learnt.",
                remedy=remedy,
            )


causes.register("batch-norm")(BatchNormAlone())
