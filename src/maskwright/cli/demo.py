"""maskwright demo."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maskwright.cli.console import console, duration, print_scores, training_progress
from maskwright.cli.train import show

if TYPE_CHECKING:
    from maskwright.data.sample import Samples


def demo(
    quick: Annotated[bool, typer.Option("--quick", help="Half a minute of training instead of two.")] = False,
    data: Annotated[Path, typer.Option(help="Where the demo data are painted.")] = Path("data/samples"),
    out: Annotated[
        Path | None, typer.Option(help="Folder for the run; default: a new one under runs/.", show_default=False)
    ] = None,
) -> None:
    """Walk the whole street on painted data: train, evaluate, predict, report."""
    from maskwright import api
    from maskwright.data.samples import write_samples

    write_samples(data)
    seen = api.inspect(data)
    run = api.train(
        seen,
        out=out,
        minutes=0.5 if quick else 2.0,
        callbacks=[training_progress()],
        planned=show,
    )
    scores = api.evaluate(run.model, seen.samples, split="test")
    masks = run.folder / "masks"
    count = sum(1 for _ in api.predict_files(run.model, [data / "test" / "images"], masks, outputs=["overlay"]))
    print_scores(scores)
    otsu = _otsu(seen.samples)
    console.print(
        f"\nDice of the cells on {scores.images} test images: [bold]{scores.of('foreground'):.4f}[/]; "
        f"Otsu's threshold alone: {otsu:.4f}. Trained for {duration(run.outcome.seconds)}.\n"
        f"data     {data}\nmodel    {run.model}\nmasks    {masks} ({count}, with overlays)\nreport   {run.report}",
        soft_wrap=True,
    )


def _otsu(samples: "Samples") -> float:
    """Otsu's Dice on the test part: what no learning at all reaches."""
    import numpy as np

    from maskwright.data.samples import otsu_mask
    from maskwright.metrics import class_metrics, confusion_matrix

    pairs = [(otsu_mask(samples.image(s)[:, :, 0]) // 255, samples.labels_of(s)) for s in samples.part("test")]
    total = np.sum([confusion_matrix(found, labels, 2) for found, labels in pairs], axis=0)
    return float(class_metrics["dice"](total)[1])
