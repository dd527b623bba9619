"""The page of a data set: what lies in a folder, and every finding of the doctor with pictures.

One HTML file that opens anywhere and needs nothing else.
"""

import base64
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from PIL import Image

from maskwright.data.display import Bytes, displayed, frame_of, nearest, overlay, resized
from maskwright.data.doctor import Finding
from maskwright.data.fingerprint import Fingerprint
from maskwright.data.labels import COLOURS
from maskwright.data.sample import Sample
from maskwright.data.survey import Survey
from maskwright.errors import MaskwrightError
from maskwright.evaluation import charts, sections
from maskwright.evaluation.gallery import GAP, data_pictures
from maskwright.evaluation.report import template
from maskwright.records import replacing

SHOWN = 6
"""Pictures a finding."""
LISTED = 20
"""Files a finding names; the rest is counted."""


def write_data_page(survey: Survey, findings: Sequence[Finding], seen: Fingerprint | None, path: str | Path) -> Path:
    """Write the page. Returns its path.

    seen: the fingerprint, where there is one; facts and class shares are left out else.
    """
    path = Path(path)
    sizes = _sizes(survey)
    page = template("data_page.html.j2").render(
        title=survey.root.resolve().name,
        headline=_headline(survey, findings),
        layout=f"{survey.layout.replace('_', ' ')}: {survey.pairs.reason}",
        findings=[_told(survey, finding) for finding in findings],
        data=_data(survey, seen),
        sizes=Markup(charts.image_sizes(sizes))
        if len({size for part in sizes.values() for size in part}) > 1
        else None,
    )
    with replacing(path) as temporary:
        temporary.write_text(page, "utf-8")
    return path


def _headline(survey: Survey, findings: Sequence[Finding]) -> dict[str, Any]:
    times = {level: sum(f.severity == level for f in findings) for level in ("error", "warning", "note")}
    if times["error"]:
        text = "A training would be refused, or would learn what is wrong. The errors come first below."
    elif times["warning"]:
        text = "Ready to train on. Some things may make the model worse, or its score not what it seems."
    else:
        text = "Ready to train on: nothing was found that would harm."
    labelled = sum(one.entry.mask is not None for one in survey.seen)
    numbers = [
        (f"{len(survey.seen):,}", "images", f"{labelled:,} with a mask"),
        (str(times["error"]), "errors", "would stop a training"),
        (str(times["warning"]), "warnings", "may harm"),
        (str(times["note"]), "notes", "worth knowing"),
    ]
    return {
        "text": text,
        "numbers": [dict(zip(("value", "name", "below"), one, strict=True)) for one in numbers],
    }


def _told(survey: Survey, finding: Finding) -> dict[str, Any]:
    """A finding as the page shows it."""
    return {
        **finding.model_dump(exclude={"fix", "pictures", "files"}),
        "files": finding.files[:LISTED],
        "more": max(0, len(finding.files) - LISTED),
        "pictures": [
            {"name": sample.name, "source": source}
            for sample in _shown(survey, finding)
            if (source := _picture(survey, sample)) is not None
        ],
    }


def _shown(survey: Survey, finding: Finding) -> list[Sample]:
    """The samples to show for a finding: those it names, else those whose files it is about."""
    known = [measured.sample for measured in survey.measured]
    by_name = {sample.name: sample for sample in known}
    named = [by_name[name] for name in finding.pictures if name in by_name]
    if not named:
        about = set(finding.files)
        named = [sample for sample in known if {sample.image, sample.mask, sample.name} & about]
    return named[:SHOWN]


def _picture(survey: Survey, sample: Sample) -> str | None:
    """The image beside its mask, as a data address; None where a file does not open."""
    frame = frame_of(sample.height, sample.width)
    try:
        parts = [resized(displayed(sample.image_in(survey.root)), frame)]
        if sample.mask is not None:
            parts.append(_mask(survey, sample, frame))
    except MaskwrightError:  # told as a finding of its own
        return None
    spacer = np.full((frame[0], GAP, 3), 255, np.uint8)
    joined = np.concatenate([each for part in parts for each in (part, spacer)][:-1], axis=1)
    out = io.BytesIO()
    Image.fromarray(joined).save(out, "jpeg", quality=82, subsampling=0)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"


def _mask(survey: Survey, sample: Sample, frame: tuple[int, int]) -> Bytes:
    """The image under its labels; where there are no classes, each mask value in a colour."""
    if survey.samples is not None:
        image = resized(displayed(sample.image_in(survey.root)), frame)
        return overlay(image, nearest(survey.samples.labels_of(sample), frame), survey.samples.labels, fill=0.4)
    values_HW = survey.values_of(sample)
    _, places = np.unique(values_HW, return_inverse=True)
    colours = np.array(COLOURS, np.uint8)
    return colours[nearest((places % len(colours)).astype(np.uint8).reshape(values_HW.shape), frame)]


def _data(survey: Survey, seen: Fingerprint | None) -> dict[str, Any] | None:
    if survey.samples is None or seen is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        data_pictures(survey.samples, folder, count=12)
        return sections.data_set(survey.samples, seen, sections.pictures_in(Path(folder)))


def _sizes(survey: Survey) -> dict[str, list[tuple[int, int]]]:
    """Height and width of the images, by part."""
    names = {"train": "training", "val": "validation", "test": "test", None: "images"}
    out: dict[str, list[tuple[int, int]]] = {}
    for measured in survey.measured:
        sample = measured.sample
        out.setdefault(names[sample.split], []).append((sample.height, sample.width))
    return out
