"""What the checks of masks and classes look at, and how they speak of it."""

from collections.abc import Iterable, Iterator, Sequence

from maskwright.data.labels import Labels
from maskwright.data.measure import Stored
from maskwright.data.sample import Sample
from maskwright.data.survey import Survey
from maskwright.errors import DataError
from maskwright.records import IGNORED

SHOWN = 6
"""Pictures and lines a finding."""


def masks(survey: Survey) -> list[tuple[Sample, Stored]]:
    """The samples with a mask, and the mask as its file holds it."""
    return [(m.sample, m.stored) for m in survey.measured if m.sample.mask]


def mask_files(samples: Iterable[Sample]) -> tuple[str, ...]:
    """The masks' files, each once."""
    return tuple(dict.fromkeys(sample.mask for sample in samples if sample.mask))


def faults_of(survey: Survey, code: str) -> Iterator[DataError]:
    """The faults of a kind."""
    yield from (fault for fault in survey.faults if isinstance(fault, DataError) and fault.code == code)


def label_counts(labels: Labels, sample: Sample) -> dict[int, int]:
    """Label → pixels of those that count."""
    known, out = labels.label_of, dict[int, int]()
    for value, pixels in sample.values.items():
        if (label := known.get(value, IGNORED)) != IGNORED and pixels:
            out[label] = out.get(label, 0) + pixels
    return out


def counted(count: int, one: str, many: str = "") -> str:
    """A number with its noun: `3 masks`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def first(names: Sequence[str], most: int = 3) -> str:
    """The first names, and a sign that there are more."""
    return ", ".join(names[:most]) + (" …" if len(names) > most else "")
