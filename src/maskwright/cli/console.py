"""What all verbs print with: tables, a watch over reading and evaluating, and the training's progress."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from maskwright.api import Inspection, Watch
    from maskwright.data.doctor import Finding
    from maskwright.data.fingerprint import Fingerprint
    from maskwright.data.sample import Samples
    from maskwright.evaluation import Scores
    from maskwright.plan import Plan

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

EXAMPLES_WIDTH = 160
"""Letters of the paths that are shown as examples of a finding; one is shown in any case."""
LINE_SECONDS = 10.0
"""Where the output is no terminal, a line of progress so often."""


def percent(value: float | None) -> str:
    """A score as it is printed: four digits, or that the class is absent."""
    return "absent" if value is None else f"{value:.4f}"


def duration(seconds: float) -> str:
    """Seconds as a person says them: 48 s, 3 min 20 s, 2 h 05 min."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"


def print_scores(scores: "Scores") -> None:
    """The scores as a table, then the sums."""
    table = Table(title=f"{scores.split}: {scores.images} images, at their own size", title_justify="left")
    table.add_column("class")
    for name in ("IoU", "Dice", "precision", "recall", "pixels"):
        table.add_column(name, justify="right")
    for c in scores.classes:
        missing = "absent" if c.absent else "never said"
        values = (c.scores[metric] for metric in ("iou", "dice", "precision", "recall"))
        cells = [missing if value is None else f"{value:.4f}" for value in values]
        table.add_row(c.name, *cells, f"{c.pixels:,}")
    console.print(table)
    interval = scores.mean_iou_interval
    spread = f" (95 % interval {interval[0]:.4f} … {interval[1]:.4f})" if interval else ""
    console.print(f"mean IoU {percent(scores.mean_iou)}{spread}, pixel accuracy {percent(scores.accuracy)}")
    if scores.contests:
        from maskwright.evaluation.scores import contest_rows

        for name, value, remark in contest_rows(scores):
            console.print(f"{name} {value}" + (f" ({remark})" if remark else ""), soft_wrap=True)
    if scores.trained_on:
        console.print(
            f"[yellow]Warning:[/] {len(scores.trained_on)} of these images were trained on; their scores say little."
        )


def print_inspection(seen: "Inspection") -> None:
    """What was found in a folder, and what a quick look at it warns of."""
    print_data(seen.samples, seen.fingerprint)
    for one in seen.findings:
        if one.severity == "warning":
            errors.print(f"[yellow]Warning:[/] {escape(f'{one.title}. {one.remedy}')}", soft_wrap=True)


def print_data(samples: "Samples", f: "Fingerprint") -> None:
    """What a data set is: sizes, parts, classes."""
    console.print(f"[bold]{samples.root}[/]: {'; '.join(samples.notes)}", soft_wrap=True)
    sizes = f"{f.median[0]}×{f.median[1]}"
    if f.smallest != f.largest:
        sizes = f"{f.smallest[0]}×{f.smallest[1]} to {f.largest[0]}×{f.largest[1]}, median {sizes}"
    console.print(
        f"{f.train} images to train, {f.val} to validate, {f.test} to test; {sizes}, {f.channels} × {f.dtype}",
        soft_wrap=True,
    )
    shares = (f"{n} {s:.1%}" if s else f"[yellow]{n} never[/]" for n, s in zip(f.classes, f.pixel_share, strict=True))
    ignored = f"; {f.ignored_share:.1%} ignored" if f.ignored_share else ""
    console.print(f"{len(f.classes)} classes: {', '.join(shares)}{ignored}", soft_wrap=True)


def print_findings(findings: "Sequence[Finding]", examples: int = 3) -> None:
    """What is wrong, worst first: what, why it hurts, and what to do, with some of the files."""
    colours = {"error": "bold red", "warning": "yellow", "note": "cyan"}
    for one in findings:
        console.print(f"\n[{colours[one.severity]}]{one.severity}[/] [bold]{escape(one.title)}[/]", soft_wrap=True)
        if one.files:
            console.print(f"  {escape(_examples(one.files, examples))}", soft_wrap=True)
        for detail in one.details[:examples]:
            console.print(f"  {escape(detail)}", soft_wrap=True)
        console.print(f"  {escape(one.why)}\n  [bold]→[/] {escape(one.remedy)}", soft_wrap=True)


def _examples(files: "Sequence[str]", most: int) -> str:
    """The first files, fewer where their paths are long, and how many more there are."""
    shown = [files[0]]
    for file in files[1:most]:
        if len(", ".join([*shown, file])) <= EXAMPLES_WIDTH:
            shown.append(file)
    more = len(files) - len(shown)
    return ", ".join(shown) + (f" … {more:,} more" if more else "")


def print_plan(plan: "Plan") -> None:
    """The plan's reasons, a line a group."""
    table = Table(title="plan", title_justify="left")
    table.add_column("setting")
    table.add_column("value", overflow="fold", ratio=2)
    table.add_column("reason", overflow="fold", ratio=3)
    for key, reason in plan.reasons.items():
        table.add_row(key, _short(plan, key), reason)
    console.print(table)
    for one in plan.measured:
        console.print(f"  {one}", soft_wrap=True)


def _short(plan: "Plan", key: str) -> str:
    value: Any = plan
    for step in key.split("."):
        value = value[step] if isinstance(value, dict) else getattr(value, step)
    if not _is_record(value) or key == "training.budget":  # a budget says itself in a few words
        return str(value)
    return ", ".join(_changed(value)) or "the defaults"


def _changed(record: Any, inside: str = "") -> Iterator[str]:
    """Each value that is not its default, by name; those of records in the record too."""
    for name, field in type(record).model_fields.items():
        value = getattr(record, name)
        if value == field.default or name in {"mean", "std"}:
            continue
        if value is None:
            yield f"{inside}{name} off"
        elif _is_record(value) and "\n" in str(value):
            yield from list(_changed(value, f"{inside}{name}.")) or [f"{inside}{name} on"]
        else:
            yield f"{inside}{name} {value:g}" if isinstance(value, float) else f"{inside}{name} {value}"


def _is_record(value: object) -> bool:
    return hasattr(value, "model_fields_set")


@contextmanager
def watching() -> Iterator["Watch | None"]:
    """A bar over reading, decoding and evaluating; nothing where the output is no terminal.

    Each job has its own bar, gone when it is done: a terminal has room for one at a time.
    """
    if not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    shown: list[Progress] = []

    def watch(what: str, done: int, total: int) -> None:
        if not shown:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
            shown.append(Progress(*columns, console=console, transient=True))
            shown[0].add_task(what, total=total)
            shown[0].start()
        shown[0].update(shown[0].task_ids[0], completed=done)
        if done >= total:
            shown.pop().stop()

    try:
        yield watch
    finally:
        for bar in shown:
            bar.stop()


class TrainingLines:
    """The training's progress as plain lines, for logs."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def started(self, about: dict[str, Any]) -> None:
        """What is about to be trained."""
        console.print(
            f"training {about['parameters']:,} parameters on {about['device']} for {about['budget']}; Ctrl-C stops and "
            "keeps the best model"
        )

    def stepped(self, news: Any) -> None:
        """A line every ten seconds."""
        if time.monotonic() - self._said >= LINE_SECONDS:
            self._said = time.monotonic()
            console.print(line(news))

    def validated(self, row: Any) -> None:
        """A line a validation."""
        if row.val_score is None:
            return
        console.print(
            f"step {row.step}, epoch {row.epoch:.1f}: loss {row.train_loss:.4f}, validation loss {row.val_loss:.4f}, "
            f"mean IoU {row.val_score:.4f}{' (best so far)' if row.best else ''}"
        )

    def noted(self, text: str) -> None:
        """What was decided."""
        console.print(text, soft_wrap=True)

    def warned(self, text: str) -> None:
        """The warning."""
        errors.print(f"[yellow]Warning:[/] {escape(text)}", soft_wrap=True)

    def ended(self, reason: str) -> None:
        """Why training is over."""
        console.print(f"training ended: {reason}")


class TrainingBar(TrainingLines):
    """The training's progress as a bar, for terminals."""

    def __init__(self) -> None:
        super().__init__()
        from rich.progress import BarColumn, Progress, TextColumn

        self._bars = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=24), console=console, transient=True
        )

    def started(self, about: dict[str, Any]) -> None:
        """Show the bar."""
        super().started(about)
        self._bars.start()
        self._task = self._bars.add_task("training", total=1.0)

    def stepped(self, news: Any) -> None:
        """Move the bar."""
        done = news.step / max(1, news.total) if news.total is not None else None
        self._bars.update(self._task, total=None if done is None else 1.0, completed=done, description=line(news))

    def ended(self, reason: str) -> None:
        """Take the bar away."""
        self._bars.stop()
        super().ended(reason)

    def __del__(self) -> None:
        # A training that ends by an error tells nobody; the bar must not hide the error's text.
        self._bars.stop()


def line(news: Any) -> str:
    """Step, speed, loss, score and time left."""
    parts = [
        f"step {news.step}",
        f"epoch {news.epoch:.1f}",
        f"{news.images_per_second:.1f} images/s",
        f"loss {news.loss:.3f}",
    ]
    if news.score is not None:
        parts.append(f"mean IoU {news.score:.3f}")
    if news.seconds_left is not None:
        parts.append(f"{duration(news.seconds_left)} left")
    return ", ".join(parts)


def training_progress() -> TrainingLines:
    """A bar on a terminal, plain lines elsewhere."""
    return TrainingBar() if console.is_terminal else TrainingLines()
