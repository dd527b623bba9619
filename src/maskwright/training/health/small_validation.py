"""A validation part that says little."""

from collections.abc import Iterator, Mapping
from typing import Final

from maskwright.training.health.registry import Finding, causes
from maskwright.training.health.seen import Moment, Seen

FEW: Final = 3
"""Images below which one odd image decides the score."""


class SmallValidation:
    """A score that rests on one or two images: it is more noise than measure, and the weights that are kept are chosen
    by it.
    """

    moments: frozenset[Moment] = frozenset({"start"})
    tells: Mapping[str, str] = {"validation-small": f"fewer than {FEW} images are validated on"}

    def __call__(self, seen: Seen) -> Iterator[Finding]:
        """At most one finding."""
        images = seen.setup.validation_images
        if images is not None and 0 < images < FEW:
            yield Finding(
                code="validation-small",
                severity="note",
                title=f"The score rests on {images} validation {'image' if images == 1 else 'images'}",
                why="One odd image decides it, and with it which weights are kept.",
                remedy="Validate every image in turn: --folds 5 --fold 0. Or label more.",
            )


causes.register("small-validation")(SmallValidation())
