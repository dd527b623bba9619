"""Charts as inline SVG: text stays text, the same numbers give the same bytes, and pyplot is left alone."""

import re
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import TYPE_CHECKING

import numpy as np

from maskwright.training.callbacks import HistoryRow

if TYPE_CHECKING:  # matplotlib takes a third of a second to import, which a prediction should not pay
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

# Okabe and Ito 2008: apart for everyone, and dark enough for a line on white.
TRAIN, VALIDATION, SCORE, RATE = "#0072b2", "#d55e00", "#007a59", "#6b5b95"
INK, FAINT = "#3b4650", "#dde2e6"
WIDTH = 5.2
"""Inches, of 96 to the page's pixels: half its column."""
READABLE = 20
"""More classes than this and the numbers in a confusion matrix no longer fit their cells."""
LOGARITHMIC = 30
"""A loss that falls by more than this factor is drawn on a logarithmic scale."""

_settings = threading.Lock()
"""Whether text is text, and what ids are made from, can only be told to matplotlib through its global settings."""

Points = list[tuple[float, float]]


def loss_curves(history: Sequence[HistoryRow]) -> str:
    """Training and validation loss by epoch."""
    curves = {
        "training": (TRAIN, _points(history, lambda row: row.train_loss)),
        "validation": (VALIDATION, _points(history, lambda row: row.val_loss)),
    }
    figure, axes = _lines(curves)
    values = [y for _, points in curves.values() for _, y in points]
    if values and 0 < min(values) * LOGARITHMIC < max(values):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")  # its own would write formulas
        axes.yaxis.set_minor_formatter(lambda value, _: "")
    elif values and min(values) >= 0:
        axes.set_ylim(bottom=0)
    return _svg(figure, "loss", "Loss of training and validation by epoch")


def accuracy_curves(history: Sequence[HistoryRow]) -> str:
    """Training and validation accuracy by epoch."""
    # 0.0 is what the loop writes when it looked at no crop since the last row; no network is that bad.
    curves = {
        "training": (TRAIN, _points(history, lambda row: row.train_accuracy)),
        "validation": (VALIDATION, _points(history, lambda row: row.val_accuracy)),
    }
    figure, _ = _lines(curves, top=1.0)
    return _svg(figure, "accuracy", "Pixel accuracy of training and validation by epoch")


def score_curve(history: Sequence[HistoryRow]) -> str:
    """Validation mean IoU by epoch, the best marked."""
    points = _points(history, lambda row: row.val_score)
    figure, axes = _lines({"validation": (SCORE, points)}, top=1.0)
    if points:
        x, y = max(points, key=lambda point: (point[1], -point[0]))
        axes.plot([x], [y], "o", markersize=9, markerfacecolor="none", markeredgecolor=INK, markeredgewidth=1.2)
        axes.annotate(
            f"best: {y:.3f} at epoch {x:.3g}", (0, 1), xycoords="axes fraction", xytext=(0, 6),
            textcoords="offset points", color=INK, fontsize=9,
        )  # fmt: skip
    return _svg(figure, "score", "Mean IoU on the validation images by epoch")


def rate_curve(history: Sequence[HistoryRow]) -> str:
    """The learning rate by epoch, as it was at each validation."""
    figure, axes = _lines({"learning rate": (RATE, _points(history, lambda row: row.rate))})
    axes.set_ylim(bottom=0)
    return _svg(figure, "rate", "Learning rate by epoch")


def class_shares(names: Sequence[str], colours: Sequence[tuple[int, int, int]], shares: Sequence[float]) -> str:
    """A bar a class: its share of the pixels that count."""
    figure, axes = _axes(WIDTH, 0.5 + 0.3 * len(names))
    places = np.arange(len(names))
    axes.barh(
        places, shares, color=[tuple(c / 255 for c in colour) for colour in colours], height=0.62,
        edgecolor=INK, linewidth=0.6,
    )  # fmt: skip
    for place, share in zip(places, shares, strict=True):
        text = percent(share) if share else "absent"
        axes.annotate(
            text, (share, place), xytext=(5, 0), textcoords="offset points", va="center", color=INK, fontsize=9
        )
    axes.set_xlim(0, max(shares, default=1) * 1.2 or 1)
    axes.set_yticks(places, [_short(name) for name in names])
    axes.invert_yaxis()
    axes.xaxis.set_visible(False)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    return _svg(figure, "shares", "Share of the pixels by class: " + _spoken(names, shares))


def image_sizes(sizes: Mapping[str, Sequence[tuple[int, int]]]) -> str:
    """A dot an image at its width and height, in the colour of its part; larger where several share it."""
    figure, axes = _axes(WIDTH, 3.2)
    for (part, of_part), colour in zip(sizes.items(), (TRAIN, VALIDATION, SCORE, RATE), strict=False):
        times = Counter(of_part)
        axes.scatter(
            [width for _, width in times], [height for height, _ in times], label=part, color=colour, alpha=0.7,
            s=[12 + 24 * np.log10(n) for n in times.values()], linewidths=0,
        )  # fmt: skip
    axes.set_xlabel("width")
    axes.set_ylabel("height")
    axes.margins(0.15)
    axes.legend(frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(sizes))
    every = [size for of_part in sizes.values() for size in of_part]
    return _svg(figure, "sizes", f"Width and height of {len(every)} images, {len(set(every))} sizes")


def confusion(names: Sequence[str], pixels_KK: Sequence[Sequence[int]]) -> str:
    """A heat map of where the pixels of each class (rows) went (columns); each row adds up to 1."""
    counts = np.asarray(pixels_KK, float)
    sums = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, sums, out=np.full_like(counts, np.nan), where=sums > 0)
    numbered = len(names) <= READABLE
    side = max(2.6, min(8.0, 0.56 * len(names) + 1.2))
    figure, axes = _axes(side + 0.8, side)
    axes.imshow(np.ma.masked_invalid(shares), cmap=_blues(), vmin=0, vmax=1, aspect="equal", interpolation="nearest")
    for true, said in np.ndindex(shares.shape) if numbered else ():
        text, dark = _cell(shares[true, said])
        axes.text(said, true, text, ha="center", va="center", fontsize=9, color="white" if dark else INK)
    every = max(1, len(names) // 40)
    short = [_short(name, 18) for name in names]
    axes.set_xticks(range(0, len(names), every), short[::every], rotation=0 if len(names) < 4 else 40,
                    ha="center" if len(names) < 4 else "right", rotation_mode="anchor")  # fmt: skip
    axes.set_yticks(range(0, len(names), every), short[::every])
    axes.set_xlabel("predicted", color=INK)
    axes.set_ylabel("actual", color=INK)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    spoken = _spoken(names, np.nan_to_num(np.diagonal(shares)).tolist())
    return _svg(figure, "confusion", "Confusion matrix; share of each class that was found: " + spoken)


def per_image(scores: Sequence[float]) -> str:
    """How many images reached which mean IoU, and their median."""
    figure, axes = _axes(WIDTH, 2.6)
    axes.hist(scores, bins=np.linspace(0, 1, 21).tolist(), color="#8fbcd9", edgecolor="white", linewidth=0.8)
    median = float(np.median(scores))
    axes.axvline(median, color=VALIDATION, linewidth=1.4)
    axes.annotate(
        f"median {median:.3f}", (median, 1), xycoords=("data", "axes fraction"), xytext=(0, 4),
        textcoords="offset points", ha="right" if median > 0.9 else "left" if median < 0.1 else "center",
        color=VALIDATION, fontsize=9,
    )  # fmt: skip
    axes.set_xlim(0, 1)
    axes.locator_params(axis="y", integer=True)
    axes.set_xlabel("mean IoU of an image", color=INK)
    axes.set_ylabel("images", color=INK)
    return _svg(figure, "images", f"Mean IoU of {len(scores)} images, median {median:.3f}")


def percent(share: float) -> str:
    """A share in words: whole percents where that is exact enough, more digits where it is small."""
    if 0 < share < 1e-4:
        return "under 0.01\N{NO-BREAK SPACE}%"
    digits = 0 if share >= 0.1 or share == 0 else 1 if share >= 0.01 else 2
    return f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


def _points(history: Sequence[HistoryRow], value: Callable[[HistoryRow], float | None]) -> Points:
    """(epoch, value) of the rows that have one."""
    pairs = ((row.epoch, value(row)) for row in history)
    return [(epoch, y) for epoch, y in pairs if y is not None and np.isfinite(y)]


def _lines(curves: dict[str, tuple[str, Points]], top: float | None = None) -> tuple["Figure", "Axes"]:
    """A line a curve over epochs, named above the drawing."""
    figure, axes = _axes(WIDTH, 2.6)
    drawn = {name: curve for name, curve in curves.items() if curve[1]}
    for name, (colour, points) in drawn.items():
        xs, ys = zip(*points, strict=True)
        # Few points are shown as such; the line between them is only a guess.
        marker = "o" if len(points) <= 25 else ""
        axes.plot(xs, ys, color=colour, linewidth=1.8, label=name, marker=marker, markersize=3.5)
    if len(drawn) > 1:
        axes.legend(
            loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=len(drawn), frameon=False, fontsize=9,
            handlelength=1.4, labelcolor=INK, borderaxespad=0.2,
        )  # fmt: skip
    if top is not None:
        axes.set_ylim(top=top + 0.005)
    axes.set_xlim(left=0)
    axes.locator_params(axis="y", nbins=6)
    axes.set_xlabel("epoch", color=INK)
    return figure, axes


def _axes(width: float, height: float) -> tuple["Figure", "Axes"]:
    """An empty drawing in the report's dress, in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    axes.tick_params(colors=INK, labelsize=9, length=0)
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    return figure, axes


def _svg(figure: "Figure", name: str, alt: str) -> str:
    """The figure as an `<svg>` element that scales with its column; `alt` is what a screen reader says."""
    import matplotlib
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_parse_math(False)  # a class may be called "$x$"
    out = StringIO()
    with _settings, warnings.catch_warnings(), matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        # Letters the font lacks are only measured with it; the browser draws them with one that has them.
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(out, format="svg")
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    # When it was drawn, and with what: neither belongs to the numbers.
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    used = set(re.findall(r'(?:url\(|href=")#([\w-]+)', svg))
    # Ids that nothing points at would stand in one page once a chart. The others are hashes of what they name.
    svg = re.sub(r' id="([\w.-]+)"', lambda found: found[0] if found[1] in used else "", svg)
    width = re.search(r'width="([\d.]+)pt"', svg)
    size = f'style="max-width: {float(width[1]) * 4 / 3:.0f}px"' if width else ""
    label = alt.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    svg = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"|height="[\d.]+pt" width="[\d.]+pt"', size, svg, count=1)
    return svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1).strip()


def _cell(share: float) -> tuple[str, bool]:
    """What stands in a cell, and whether its ground is dark."""
    if np.isnan(share):
        return "–", False
    text = "0" if share == 0 else "<.01" if share < 0.005 else "1" if share == 1 else f"{share:.2f}".lstrip("0")
    return text, share > 0.55


def _blues() -> "Colormap":
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("mask", ["#f4f8fb", "#9ecae1", "#2f7fb8", "#0b4a7f"])
    return colours.with_extremes(bad="#eceff1")


def _short(name: str, most: int = 24) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _spoken(names: Sequence[str], shares: Sequence[float]) -> str:
    return ", ".join(f"{name} {percent(share)}" for name, share in zip(names, shares, strict=True))
