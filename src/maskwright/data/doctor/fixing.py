"""Remedies that need no person: what the findings would put into `dataset.yaml`."""

from collections.abc import Mapping, Sequence
from typing import Any

from maskwright.data.dataset_file import DatasetFile
from maskwright.data.doctor.registry import Finding


def mended(stated: DatasetFile, findings: Sequence[Finding]) -> tuple[DatasetFile, tuple[Finding, ...]]:
    """The data set's file with all mechanical remedies in it, and the findings that they are of.

    Lists grow; of two findings that would set the same key to different values the worse one, which comes first, wins.
    What the file says already stays as it is.

    Raises:
        SettingError: a finding's remedy is none that the file can hold.
    """
    values = stated.model_dump(exclude_defaults=True)
    taken = []
    for finding in findings:
        if finding.fix and (merged := _merged(values, finding.fix)) is not None:
            values = merged
            taken.append(finding)
    return DatasetFile.read(values, "the remedies"), tuple(taken)


def _merged(values: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any] | None:
    """Both together; None where they contradict each other."""
    out = dict(values)
    for key, new in patch.items():
        old = out.get(key)
        if old is None or old == new:
            out[key] = new
        elif isinstance(old, list | tuple) and isinstance(new, list | tuple):
            out[key] = [*old, *(value for value in new if value not in old)]
        elif isinstance(old, Mapping) and isinstance(new, Mapping):
            if (inner := _merged(old, new)) is None:
                return None
            out[key] = inner
        else:
            return None
    return out
