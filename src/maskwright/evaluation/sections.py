"""What each section of the report says, as plain values for the page: from the parts of a run folder that are there."""

import base64
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup
from PIL import Image

from maskwright.data.display import background
from maskwright.data.fingerprint import Fingerprint
from maskwright.data.labels import Labels
from maskwright.data.sample import Samples
from maskwright.errors import MaskwrightError
from maskwright.evaluation import charts
from maskwright.evaluation.gallery import ALBUM, EXTRA, MISSED, MIXED, Album, Kind
from maskwright.evaluation.scores import ClassScores, Scores, contest_rows
from maskwright.evaluation.verdict import verdict
from maskwright.modelfile import Description
from maskwright.plan import Plan
from maskwright.records import Record
from maskwright.training.callbacks import HistoryRow
from maskwright.training.health import HealthRow

SPLITS = {"test": "Test images", "val": "Validation images", "train": "Training images", "all": "All images"}
"""In the order in which they say how good a model is."""
FEW = 5
"""Images on which a score is called a hint."""
QUALITY = ((0.9, "excellent"), (0.8, "very good"), (0.65, "good"), (0.5, "usable, with a careful look"), (0.0, "poor"))
"""IoU from which a word is used. Common usage, not a law: thin structures score lower at the same care."""
PICTURE_WIDTH = 1200
"""A picture's four parts in the report are this wide together; the files in `pictures/` are finer."""
MIXUPS = 3
FLATTERED = (
    "The weights that were kept are those that did best on some of these images, which flatters a little; a test set "
    "that was never looked at is the honest judge."
)
WIDE = 6
"""More classes than this and the confusion matrix takes the page's whole width."""
LEADING = 4
"""Settings of a group that the table of the plan always tells."""


class Run(NamedTuple):
    """The parts of a run folder that are there, and sentences about those that are not."""

    folder: Path
    samples: Samples | None
    fingerprint: Fingerprint | None
    plan: Plan | None
    history: list[HistoryRow]
    scores: list[Scores]
    model: Description | None
    problems: list[str]
    health: list[HealthRow] | None = None
    """What the monitor told; None: there was none."""


def headline(run: Run) -> dict[str, Any]:
    """How good the model is: a sentence, big numbers, and what to be wary of."""
    scores = run.scores[0] if run.scores else None
    sought = _sought(scores) if scores else []
    if scores is None or not sought:
        reached = [row.val_score for row in run.history if row.val_score is not None]
        text = "The model has not been scored yet. "
        text += f"While training, its best mean IoU on validation images was {max(reached):.3f}." if reached else ""
        return {"text": text.strip(), "numbers": [], "warnings": []}
    iou = sum(one.scores["iou"] or 0.0 for one in sought) / len(sought)
    word = next(word for least, word in QUALITY if iou >= least)
    few = ", which is a hint more than a proof: so few images prove little" if scores.images < FEW else ""
    what = f"calls {sought[0].name}" if len(sought) == 1 else "gives to a class"
    mean = "" if len(sought) == 1 else f", as a mean over {len(sought)} classes"
    text = (
        f"On {_counted(scores)} the model is {word}{few}. Of 100 pixels that its mask or the actual mask {what}, "
        f"{100 * iou:.0f} are in both{mean}."
    )
    return {"text": text, "numbers": _numbers(scores), "warnings": _warnings(scores)}


def _sought(scores: Scores) -> list[ClassScores]:
    """The classes with a score that a model is made for: a background alone is found by saying nothing."""
    clear = background([one.name for one in scores.classes])
    scored = [one for one in scores.classes if one.scores.get("iou") is not None]
    return [one for one in scored if clear is None or one is not scores.classes[clear]] or scored


def _numbers(scores: Scores) -> list[dict[str, str]]:
    """The big numbers: value, name, and a line below."""
    interval = scores.mean_iou_interval
    below = f"95 % interval {interval[0]:.3f} – {interval[1]:.3f}" if interval else "no interval: one image only"
    weakest = min(_sought(scores), key=lambda one: one.scores["iou"] or 0.0)
    numbers = [
        (number(scores.mean_iou), "mean IoU", below),
        (number(scores.accuracy), "pixel accuracy", "hides small classes"),
        (number(weakest.scores["iou"]), "lowest IoU of a class", weakest.name),
        (str(scores.images), "images scored", SPLITS.get(scores.split, scores.split)),
    ]
    return [dict(zip(("value", "name", "below"), one, strict=True)) for one in numbers]


def _warnings(scores: Scores) -> list[str]:
    """What makes the scores less than they seem."""
    if not scores.trained_on:
        return []
    count = len(scores.trained_on)
    named = ", ".join(scores.trained_on[:5]) + (" …" if count > 5 else "")
    are = "images have" if count > 1 else "image has"
    return [
        f"The model was trained on {count} of these {scores.images} images ({named}): the {are} been seen with the "
        "answer, so the scores say little about new images."
    ]


def data(run: Run) -> dict[str, Any] | None:
    """What there is to learn from: facts, classes with their shares, pictures."""
    if run.samples is None or run.fingerprint is None:
        return None
    return data_set(run.samples, run.fingerprint, pictures_in(run.folder / "pictures" / "data"))


def data_set(samples: Samples, seen: Fingerprint, pictures: list[dict[str, Any]]) -> dict[str, Any]:
    """What a data set is: facts, classes with their shares, pictures."""
    size = _size(seen.median)
    if seen.smallest != seen.largest:
        size += f" at the median, {_size(seen.smallest)} to {_size(seen.largest)}"
    unlabelled = sum(sample.mask is None for sample in samples.samples)
    facts = {
        "Labelled images": f"{seen.train} to train on, {seen.val} for validation, {seen.test} for the test",
        "Without a mask": str(unlabelled) if unlabelled else None,
        "Size (height × width)": size,
        "Channels": str(seen.channels),
        "Values": f"{seen.dtype}, {seen.low:g} to {seen.high:g}",
        "Ignored pixels": charts.percent(seen.ignored_share) if seen.ignored_share else None,
        "Layout": "; ".join((samples.layout.replace("_", " "), *samples.notes)),
    }
    classes = [
        {"name": one.name, "colour": one.colour, "in_masks": ", ".join(_value(samples.labels, v) for v in one.values),
         "share": share, "images": images}
        for one, share, images in zip(samples.labels.classes, seen.pixel_share, seen.image_share, strict=True)
    ]  # fmt: skip
    colours = [one.colour for one in samples.labels.classes]
    return {
        "facts": {name: value for name, value in facts.items() if value},
        "classes": classes,
        "chart": Markup(charts.class_shares(seen.classes, colours, seen.pixel_share)),
        "pictures": pictures,
    }


def plan(run: Run) -> dict[str, Any] | None:
    """The settings that have a reason, and the whole plan as YAML."""
    decided = run.plan
    if decided is None:
        return None
    rows = [(key, _brief(_value_at(decided, key)), why) for key, why in decided.reasons.items()]
    return {"rows": rows, "yaml": str(decided.model_copy(update={"reasons": {}}))}


def training(run: Run) -> dict[str, Any] | None:
    """The curves and the verdict on them."""
    history = run.history
    if not history:
        return None
    judged = next((scores for scores in run.scores if scores.split == "val"), run.scores[0] if run.scores else None)
    drawn = {
        "Loss": charts.loss_curves(history),
        "Pixel accuracy": charts.accuracy_curves(history),
        "Mean IoU on validation images": charts.score_curve(history),
        "Learning rate": charts.rate_curve(history),
    }
    last = history[-1]
    looks = "once" if len(history) == 1 else f"{len(history)} times"
    text = f"{last.epoch:.3g} epochs, {last.step:,} steps, {_duration(last.seconds)}; looked at {looks}."
    if (run.folder / "interrupted").exists():
        text += " The training was interrupted before its budget was used; it can be resumed."
    return {
        "text": text,
        "charts": {name: Markup(svg) for name, svg in drawn.items()},
        "findings": verdict(history, judged),
    }


def health(run: Run) -> list[dict[str, Any]] | None:
    """What went wrong while training, as it stood at last: each finding with when it began and whether it is over."""
    if run.health is None:
        return None
    latest = {row.finding.code: row for row in run.health}
    begun: dict[str, int] = {}
    for row in run.health:
        begun.setdefault(row.finding.code, row.step)
    return [
        {
            "level": "note" if row.finding.severity == "note" or row.state == "over" else "warning",
            "code": code,
            "when": f"since step {begun[code]}" if row.state != "over" else f"step {begun[code]} to {row.step}; over",
            "finding": row.finding,
        }
        for code, row in latest.items()
    ]


def split(run: Run, scores: Scores, labels: Labels | None) -> dict[str, Any]:
    """What the page shows of one set of images."""
    names = [one.name for one in scores.classes]
    colours = {one.name: one.colour for one in labels.classes} if labels else {}
    metrics = sorted({metric for one in scores.classes for metric in one.scores}, key=lambda m: (m != "iou", m))
    known = [image.mean_iou for image in scores.per_image if image.mean_iou is not None]
    pictures = pictures_in(run.folder / "pictures" / scores.split)
    kinds: tuple[Kind, ...] = ("worst", "typical", "best")
    return {
        "split": scores.split,
        "title": SPLITS.get(scores.split, scores.split),
        "counted": _counted(scores),
        "mean_iou": scores.mean_iou,
        "interval": scores.mean_iou_interval,
        "accuracy": scores.accuracy,
        "note": FLATTERED if scores.split == "val" else "",
        "warnings": _warnings(scores),
        "metrics": metrics,
        "classes": [{"record": one, "colour": colours.get(one.name)} for one in scores.classes],
        "wide": len(names) > WIDE,
        "confusion": Markup(charts.confusion(names, scores.confusion)),
        "contests": contest_rows(scores),
        "mixups": _mixups(scores.classes, scores.confusion),
        "distribution": Markup(charts.per_image(known)) if len(known) > 1 else None,
        "pictures": {kind: chosen for kind in kinds if (chosen := [p for p in pictures if p["kind"] == kind])},
    }


def _mixups(classes: tuple[ClassScores, ...], pixels_KK: tuple[tuple[int, ...], ...]) -> list[str]:
    """The classes most often called another, in words."""
    found = [
        (pixels / one.pixels, one.name, classes[said].name)
        for true, one in enumerate(classes)
        for said, pixels in enumerate(pixels_KK[true])
        if said != true and pixels
    ]
    most = sorted(found, reverse=True)[:MIXUPS]
    return [f"{charts.percent(share)} of {true} is called {said}" for share, true, said in most]


def pictures_in(folder: Path) -> list[dict[str, Any]]:
    """The album in a folder, each picture as a data address; nothing if there is none."""
    try:
        album = Album.load(folder / ALBUM)
        return [{**shown.model_dump(), "source": embedded(folder / shown.file)} for shown in album.pictures]
    except (MaskwrightError, OSError):
        return []


def embedded(path: Path) -> str:
    """The picture as a `data:` address: the PNG as it lies there, or a JPEG if that is smaller, as for photographs."""
    with Image.open(path) as file:
        picture = file.convert("RGB")
    if picture.width > PICTURE_WIDTH:
        height = round(picture.height * PICTURE_WIDTH / picture.width)
        picture = picture.resize((PICTURE_WIDTH, height), Image.Resampling.BOX)
    out = io.BytesIO()
    picture.save(out, "jpeg", quality=82, subsampling=0)  # colours at full resolution: edges of masks would blur
    kind, content = min(("jpeg", out.getvalue()), ("png", path.read_bytes()), key=lambda choice: len(choice[1]))
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def legend(labels: Labels | None) -> dict[str, Any]:
    """What the colours of the pictures mean."""
    if labels is None:
        return {"classes": [], "errors": [], "ignored": False}
    several = [("one class called another", MIXED)]
    errors = [("missed: called background", MISSED), ("too much: background called a class", EXTRA)]
    if background(labels.names) is None:
        errors = []
    if labels.count > 2 or not errors:
        errors += several
    return {"classes": labels.classes, "errors": errors, "ignored": bool(labels.ignored)}


def provenance(run: Run) -> dict[str, str]:
    """Where the model comes from, name → value; empty if there is no model."""
    if run.model is None:
        return {}
    made = dict(run.model.provenance)
    size = (run.folder / "model.safetensors").stat().st_size
    known = {
        "Model": f"model.safetensors, {size / 1e6:.1f} MB",
        "Data": made.pop("data", Path(run.samples.root).name if run.samples else None),
        "Made": str(made.pop("made", "")).replace("T", " ").replace("+00:00", " UTC"),
        "Training": _duration(float(seconds)) if (seconds := made.pop("seconds", None)) is not None else None,
        "Ended because": made.pop("ended", None),
        "Maskwright": run.model.maskwright,
    }
    rest = {str(name).replace("_", " ").capitalize(): value for name, value in made.items()}
    return {name: str(value) for name, value in (known | rest).items() if value not in (None, "")}


def _counted(scores: Scores) -> str:
    """`1 test image`, `16 validation images`."""
    kind = {"test": "test ", "val": "validation ", "train": "training "}.get(scores.split, "")
    return f"{scores.images} {kind}image{'' if scores.images == 1 else 's'}"


def _value_at(plan: Plan, key: str) -> Any:
    """The value of a dotted key; None for a key that is no longer there."""
    here: Any = plan
    for step in key.split("."):
        here = here.get(step) if isinstance(here, dict) else getattr(here, step, None)
    return here


def _brief(value: Any) -> str:
    """A value in a line; of a record its first settings, and what is not as it comes."""
    if isinstance(value, Record):
        if type(value).__str__ is not Record.__str__:
            return str(value)
        fields = type(value).model_fields
        first = list(fields)[:LEADING]
        told = {n: part for n, part in value if part is not None and (n in first or part != fields[n].default)}
        return ", ".join(_brief(part) if name == "name" else f"{name} {_brief(part)}" for name, part in told.items())
    if isinstance(value, dict):
        return ", ".join(f"{name} {_brief(part)}" for name, part in value.items())
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_brief, value))})"
    if value is None:
        return "off"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _value(labels: Labels, value: int) -> str:
    return f"#{value:06x}" if labels.style.mode == "colour" else str(value)


def number(value: float | None) -> str:
    """A score as it is written: three digits, a dash for none."""
    return "–" if value is None else f"{value:.3f}"


def rgb(colour: Iterable[int]) -> str:
    """A colour as CSS writes it."""
    return f"rgb({', '.join(map(str, colour))})"


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
