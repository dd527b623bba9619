"""What masks show: nothing, all the same, or the background in the place of the foreground."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

import numpy as np

from maskwright.data.doctor.label_evidence import SHOWN, counted, label_counts, mask_files
from maskwright.data.doctor.registry import Finding, checks
from maskwright.data.sample import Sample, Samples
from maskwright.data.survey import Survey

MOSTLY_EMPTY: Final = 0.5
"""Of all masks: above it most of what is trained on shows nothing, and a model that says nothing scores well."""
LOOKED_AT: Final = 200
"""Masks that are opened to see whether they are inverted; more would tell nothing new."""
FILLS: Final = 0.85
"""Of a mask, and of its rim: what fills more of both, in nearly all masks, is rarely an object."""


class EmptyMasks:
    """Masks without a pixel of foreground."""

    quick = True

    def __call__(self, survey: Survey) -> Iterator[Finding]:
        """A note, or a warning if they are most of all."""
        samples = survey.samples
        if samples is None or (background := samples.labels.background) is None:
            return
        labelled = [sample for sample in samples.samples if sample.mask]
        empty = [sample for sample in labelled if not set(label_counts(samples.labels, sample)) - {background}]
        if not empty:
            return
        share = len(empty) / len(labelled)
        yield Finding(
            code="masks-empty",
            severity="warning" if share > MOSTLY_EMPTY else "note",
            title=f"{counted(len(empty), 'mask is', 'masks are')} empty, {share:.0%} of all",
            files=mask_files(empty),
            why="An image without anything is worth knowing of if it truly shows nothing; if it was never annotated, "
            "the model learns to overlook. Scores on empty images are all or nothing.",
            remedy="Look at some; leave out with --skip, or skip: in dataset.yaml, what was not annotated.",
            pictures=tuple(sample.name for sample in empty[:SHOWN]),
        )


class MasksAlike:
    """One mask for many images."""

    quick = True

    def __call__(self, survey: Survey) -> Iterator[Finding]:
        """A warning if half of the masks, and three at least, of different images are one and the same."""
        samples = survey.samples
        if samples is None:
            return
        drawn = [s for s in samples.samples if s.mask_content and len(label_counts(samples.labels, s)) > 1]
        times = Counter(sample.mask_content for sample in {s.content: s for s in drawn}.values())
        content, count = next(iter(times.most_common(1)), ("", 0))
        if count < 3 or count < len(drawn) / 2:
            return
        alike = [sample for sample in drawn if sample.mask_content == content]
        yield Finding(
            code="masks-alike",
            severity="warning",
            title=f"{len(alike)} of {counted(len(drawn), 'mask')} are one and the same",
            files=mask_files(alike),
            why="Different images rarely have the same mask; a script may have copied one.",
            remedy="Look at some; restore the masks, or leave the images out with --skip.",
            pictures=tuple(sample.name for sample in alike[:SHOWN]),
        )


class InvertedMasks:
    """Foreground that looks like the background: it fills nearly all of nearly every mask, and of its rim."""

    quick = False

    def __call__(self, survey: Survey) -> Iterator[Finding]:
        """A warning; silent where a person has said which value is what."""
        samples = survey.samples
        if samples is None or survey.stated.classes is not None or samples.labels.count != 2:
            return
        background = samples.labels.background
        labelled = [sample for sample in samples.samples if sample.mask and not sample.tells_objects]
        if background is None or len(labelled) < 3:
            return
        full = [s for s in labelled if (share := _share(samples, s, 1 - background)) is not None and share > FILLS]
        if len(full) < 0.9 * len(labelled):
            return
        looked = full[:: max(1, len(full) // LOOKED_AT)]
        on_rim = [sample for sample in looked if _rim(samples, sample, 1 - background) > FILLS]
        if len(on_rim) < 0.9 * len(looked):
            return
        names = samples.labels.names
        values = [c.values for c in samples.labels.classes]
        given = {names[background]: list(values[1 - background]), names[1 - background]: list(values[background])}
        yield Finding(
            code="masks-inverted",
            severity="warning",
            title=f"{counted(len(full), 'mask looks', 'masks look')} inverted: {names[1 - background]} fills them",
            files=mask_files(full),
            why="What touches the whole rim of an image and fills it is usually the background. Trained so, the scores "
            "are those of the background.",
            remedy=f"If so, exchange the values in dataset.yaml: classes: {given}; if not, state classes: as they are.",
            pictures=tuple(sample.name for sample in full[:SHOWN]),
        )


def _share(samples: Samples, sample: Sample, label: int) -> float | None:
    """Of the pixels that count, those of a label."""
    counts = label_counts(samples.labels, sample)
    return counts.get(label, 0) / sum(counts.values()) if counts else None


def _rim(samples: Samples, sample: Sample, label: int) -> float:
    """Of the outermost pixels, those of a label."""
    labels_HW = samples.labels_of(sample)
    rim = np.concatenate([labels_HW[0], labels_HW[-1], labels_HW[:, 0], labels_HW[:, -1]])
    return float((rim == label).mean())


checks.register("masks-empty")(EmptyMasks())
checks.register("masks-alike")(MasksAlike())
checks.register("masks-inverted")(InvertedMasks())
