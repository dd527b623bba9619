"""The report: one HTML file of what lies in a run folder, that opens anywhere and needs nothing else.

What is missing is left out, and a sentence says so; so a report can be written at any moment of a run.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from maskwright import modelfile
from maskwright.data.fingerprint import Fingerprint
from maskwright.data.sample import Samples
from maskwright.errors import DataError, MaskwrightError
from maskwright.evaluation import charts, cross_validation, sections
from maskwright.evaluation.cross_validation import CrossValidation
from maskwright.evaluation.scores import Scores
from maskwright.evaluation.sections import SPLITS, Run
from maskwright.plan import Plan
from maskwright.records import replacing
from maskwright.training.callbacks import read_history
from maskwright.training.health import read_health

NAME = "report.html"
Part = TypeVar("Part")


def write_report(run: str | Path) -> Path:
    """Write `report.html` of a run folder, or of one with a run for each fold. Returns its path.

    Raises:
        DataError: the folder does not exist.
    """
    folder = Path(run)
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder. Give the run folder that train made.")
    path = folder / NAME
    page = _folds_page(folder) if (folder / cross_validation.NAME).is_file() else _page(_open(folder))
    with replacing(path) as temporary:
        temporary.write_text(page, "utf-8")
    return path


def template(name: str) -> Template:
    """A page, as HTML in which every value is escaped."""
    environment = Environment(
        loader=PackageLoader("maskwright.evaluation"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"number": sections.number, "percent": charts.percent, "rgb": sections.rgb}
    return environment.get_template(name)


def _open(folder: Path) -> Run:
    """The parts of the folder that are there and can be read."""
    problems: list[str] = []

    def part(name: str, read: Callable[[Path], Part]) -> Part | None:
        path = folder / name
        if not path.exists():
            return None
        try:
            return read(path)
        except (MaskwrightError, OSError, ValueError) as error:  # ValueError: half a line of JSON, of a run just killed
            problems.append(f"{name} could not be read: {error}")
            return None

    scores = [part(f"scores-{split}.json", Scores.load) for split in SPLITS]
    return Run(
        folder=folder,
        samples=part("samples.json", Samples.load),
        fingerprint=part("fingerprint.json", Fingerprint.load),
        plan=part("plan.yaml", Plan.load),
        history=part("history.jsonl", read_history) or [],
        scores=[found for found in scores if found is not None],
        model=part("model.safetensors", modelfile.describe),
        problems=problems,
        health=part("health.jsonl", read_health),
    )


def _page(run: Run) -> str:
    """The page."""
    labels = run.samples.labels if run.samples else run.model.labels if run.model else None
    return template("report.html.j2").render(
        title=run.folder.resolve().name,
        problems=run.problems,
        headline=sections.headline(run),
        data=sections.data(run),
        plan=sections.plan(run),
        training=sections.training(run),
        health=sections.health(run),
        scores=[sections.split(run, scores, labels) for scores in run.scores],
        provenance=sections.provenance(run),
        legend=sections.legend(labels),
    )


def _folds_page(folder: Path) -> str:
    """The page of a cross-validation: what the folds say together, and where each one's own report is."""
    run = _open(folder)
    record = CrossValidation.load(folder / cross_validation.NAME)
    labels = run.samples.labels if run.samples else run.model.labels if run.model else None
    return template("folds.html.j2").render(
        title=folder.resolve().name,
        problems=run.problems,
        record=record,
        reports={one.fold: f"fold-{one.fold}/{NAME}" for one in record.done},
        pooled=sections.split(run, record.pooled, labels) if record.pooled else None,
        scores=[sections.split(run, scores, labels) for scores in run.scores],
        metrics=sorted({m for one in record.classes.values() for m in one}, key=lambda m: (m != "iou", m)),
        colours={one.name: one.colour for one in labels.classes} if labels else {},
        data=sections.data(run),
        plan=sections.plan(run),
        provenance=sections.provenance(run),
    )
