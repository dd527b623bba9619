"""Steps that wait for their images."""

from collections.abc import Iterator, Mapping
from typing import Final

from maskwright.training.health.registry import Finding, causes
from maskwright.training.health.seen import Moment, Seen

SHARE: Final = 0.3
"""Of the time: a loader that is hidden takes a twentieth at most."""
STEPS: Final = 50
"""After which it is told; the first are slower."""


class Waiting:
    """Steps that spend much of their time waiting for images to be read: time is lost, though nothing is learnt
    wrongly.
    """

    moments: frozenset[Moment] = frozenset({"steps"})
    tells: Mapping[str, str] = {
        "waiting-for-images": f"more than {SHARE:.0%} of the time goes into waiting for batches, over {STEPS} steps"
    }

    def __call__(self, seen: Seen) -> Iterator[Finding]:
        """At most one finding."""
        if seen.timed < STEPS or seen.waited < SHARE:
            return
        kept = seen.setup.all_kept
        yield Finding(
            code="waiting-for-images",
            severity="warning",
            title=f"{seen.waited:.0%} of the time goes into waiting for batches, {1 - seen.waited:.0%} into learning",
            why="The images come more slowly than the network learns; the model is sound, the time is lost.",
            remedy="Keep the data and the run folder on a local disk. Smaller sources are read faster: "
            "augment.rotate=0 augment.elastic=0"
            if kept
            else "Not all images are decoded once and for all: give the cache more of the disk, training.cache_gb=50 "
            "for example, or a run folder (--out) on a larger local disk.",
        )


causes.register("waiting")(Waiting())
