"""The picture of a learning-rate range test, as PNG: loss over rate, and where the suggested rate lies."""

from pathlib import Path
from typing import TYPE_CHECKING

from maskwright.evaluation.charts import FAINT, INK, TRAIN, VALIDATION
from maskwright.records import replacing
from maskwright.training.range_test import RangeTest

if TYPE_CHECKING:  # matplotlib takes a third of a second to import
    from matplotlib.axes import Axes


def draw_range(test: RangeTest, path: Path) -> Path:
    """Write the picture, atomically. Returns the path."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.2), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    axes.plot(test.rates, test.losses, color=TRAIN, alpha=0.3, linewidth=1.1, label="loss of each step")
    axes.plot(test.rates, test.smoothed, color=TRAIN, linewidth=2.0, label="smoothed")
    axes.set_xscale("log")
    _frame(axes, test)
    _mark(axes, test)
    axes.set_xlabel("learning rate", color=INK)
    axes.set_ylabel("training loss", color=INK)
    axes.tick_params(colors=INK, labelsize=9, length=0, which="both")
    axes.grid(color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.legend(loc="lower left", frameon=False, fontsize=9, labelcolor=INK)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")
    return path


def _frame(axes: "Axes", test: RangeTest) -> None:
    """Show the fall and the start of the rise: a loss that shoots up at the end would flatten all the rest."""
    if not test.smoothed:
        return
    low = min(test.losses)
    usual = sorted(test.smoothed)[int(0.9 * (len(test.smoothed) - 1))]
    top = max(usual, test.smoothed[0])
    room = 0.12 * (top - low) or 0.1 * abs(top) or 0.1
    axes.set_ylim(low - room, top + room)


def _mark(axes: "Axes", test: RangeTest) -> None:
    """The suggestion as a line with its value, or that there is none."""
    if test.suggestion is None:
        axes.set_title("the loss fell nowhere: no rate is suggested", loc="left", fontsize=10, color=VALIDATION)
        return
    axes.axvline(test.suggestion, color=VALIDATION, linewidth=1.5)
    end = "" if test.diverged_at is None else f"; diverged at {test.diverged_at:.2g}"
    axes.set_title(f"suggested rate {test.suggestion:.2g}{end}", loc="left", fontsize=10, color=VALIDATION)
