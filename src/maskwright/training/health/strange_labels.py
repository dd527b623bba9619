"""Labels that are no class."""

from collections.abc import Iterator, Mapping

from maskwright.records import IGNORED
from maskwright.training.health.registry import Finding, causes
from maskwright.training.health.seen import Moment, Seen


class StrangeLabels:
    """A batch with a label that the network has no output for, as a data set or a file of one's own may bring it. On a
    GPU this would end in an assertion that names nothing.
    """

    moments: frozenset[Moment] = frozenset({"batch"})
    tells: Mapping[str, str] = {
        "labels-out-of-range": f"a mask holds a label that is no class and not {IGNORED} (ignored)"
    }

    def __call__(self, seen: Seen) -> Iterator[Finding]:
        """One finding."""
        strange = seen.strange
        if strange is None:
            return
        labels = ", ".join(map(str, strange.labels[:6])) + (" …" if len(strange.labels) > 6 else "")
        images = ", ".join(strange.images[:6]) + (" …" if len(strange.images) > 6 else "")
        yield Finding(
            code="labels-out-of-range",
            severity="error",
            title=f"The labels of {images} hold {labels}; with {strange.classes} classes they are 0 … "
            f"{strange.classes - 1}, and {IGNORED} where they are ignored",
            why="The network has no output for such a label, so nothing can be learnt from it.",
            remedy=f"Name the class under classes: in dataset.yaml, write {IGNORED} where nothing is known, or give "
            f"the network the outputs: model.classes={max(strange.labels) + 1}",
        )


causes.register("strange-labels")(StrangeLabels())
