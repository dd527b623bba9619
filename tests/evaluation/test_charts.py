import re
import sys
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor

import matplotlib
import pytest

from maskwright.evaluation import charts
from maskwright.training.callbacks import HistoryRow

HOSTILE = ["<script>alert(1)</script>", "$x^{2$", "_hidden", "細胞 & Zelle", 'a"b']


def history(rows: int, *, validated: bool = True) -> list[HistoryRow]:
    return [
        HistoryRow(
            step=10 * i, epoch=i / 2, seconds=i, rate=1e-3 * i, train_loss=1 / i, train_accuracy=1 - 1 / (i + 1),
            **({"val_loss": 1.1 / i, "val_accuracy": 1 - 1 / (i + 2), "val_score": 0.9 - 0.1 / i} if validated else {}),
        )
        for i in range(1, rows + 1)
    ]  # fmt: skip


CURVES = [charts.loss_curves, charts.accuracy_curves, charts.score_curve, charts.rate_curve]


def texts(svg: str) -> list[str]:
    return ["".join(text.itertext()) for text in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("rows", [1, 40])
@pytest.mark.parametrize("validated", [True, False])
def test_curves_are_svg_with_text_as_text(curve, rows, validated):
    svg = curve(history(rows, validated=validated))

    assert svg.startswith("<svg")
    assert 'role="img" aria-label="' in svg
    assert "epoch" in texts(svg)
    assert len(svg) < 40_000


def test_a_curve_without_validation_shows_training_alone():
    assert {"training", "validation"} <= set(texts(charts.loss_curves(history(5))))
    assert not {"training", "validation"} & set(texts(charts.loss_curves(history(5, validated=False))))


def test_the_best_score_is_marked():
    rows = history(5)
    rows[2] = rows[2].model_copy(update={"val_score": 0.987})

    assert "best: 0.987 at epoch 1.5" in texts(charts.score_curve(rows))


def test_an_accuracy_never_looked_at_is_not_drawn():
    looked, never = history(3), [row.model_copy(update={"train_accuracy": None}) for row in history(3)]

    assert charts.TRAIN in charts.accuracy_curves(looked)
    assert charts.TRAIN not in charts.accuracy_curves(never)


def test_a_loss_that_falls_far_is_drawn_by_its_logarithm():
    far = [row.model_copy(update={"train_loss": 10.0**-row.epoch}) for row in history(10)]

    assert {"0.01", "0.1", "1"} <= set(texts(charts.loss_curves(far)))
    assert "0.01" not in texts(charts.loss_curves(history(10)))


def test_the_same_numbers_give_the_same_bytes_and_no_date():
    once, again = (charts.loss_curves(history(5)) for _ in range(2))

    assert once == again
    assert "<metadata" not in once


def test_charts_in_threads_equal_charts_one_by_one():
    names, matrix = ["a", "b"], [[9, 1], [2, 8]]
    alone = charts.confusion(names, matrix), charts.loss_curves(history(5))
    before = matplotlib.rcParams.copy()

    with ThreadPoolExecutor(4) as pool:
        matrices = [pool.submit(charts.confusion, names, matrix) for _ in range(4)]
        curves = [pool.submit(charts.loss_curves, history(5)) for _ in range(4)]
        together = {(a.result(), b.result()) for a, b in zip(matrices, curves, strict=True)}

    assert together == {alone}
    assert matplotlib.rcParams.copy() == before


def test_pyplot_is_never_touched():
    charts.loss_curves(history(3))

    assert "matplotlib.pyplot" not in sys.modules


@pytest.mark.parametrize("classes", [1, 2, 20, 40])
def test_a_confusion_matrix_of_any_size_is_drawn(classes):
    names = [f"class {k}" for k in range(classes)]
    matrix = [[100 if true == said else 1 for said in range(classes)] for true in range(classes)]

    svg = charts.confusion(names, matrix)

    numbers = [text for text in texts(svg) if re.fullmatch(r"1|<?\.\d\d", text)]
    assert len(numbers) == (classes**2 if classes <= charts.READABLE else 0)


def test_rows_of_a_confusion_matrix_are_shares_and_absent_classes_a_dash():
    shown = texts(charts.confusion(["a", "b", "c"], [[3, 1, 0], [0, 0, 0], [1, 0, 999]]))

    assert [text for text in shown if text not in {"a", "b", "c", "actual", "predicted"}] == [
        ".75", ".25", "0", "–", "–", "–", "<.01", "0", "1.00",
    ]  # fmt: skip


def test_hostile_and_foreign_names_are_shown_as_they_are():
    matrix = [[1 if true == said else 0 for said in range(5)] for true in range(5)]
    for svg in (charts.confusion(HOSTILE, matrix), charts.class_shares(HOSTILE, [(9, 9, 9)] * 5, [0.2] * 5)):
        assert "<script" not in svg
        assert set(HOSTILE) - {HOSTILE[0]} <= set(texts(svg))


def test_an_absent_class_has_no_bar_but_a_word():
    shown = texts(charts.class_shares(["sky", "tram"], [(0, 0, 0), (1, 1, 1)], [1.0, 0.0]))

    assert "absent" in shown
    assert "100\N{NO-BREAK SPACE}%" in shown


@pytest.mark.parametrize("scores", [[0.5], [0.01, 0.99], [0.8] * 500])
def test_the_distribution_names_its_median(scores):
    assert f"median {sorted(scores)[len(scores) // 2]:.3f}" in texts(charts.per_image(scores)) or len(scores) == 2


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (1e-6, "under 0.01 %"), (0.0012, "0.12 %"), (0.034, "3.4 %"), (0.5, "50 %"), (1, "100 %")],
)
def test_shares_are_said_with_the_digits_they_deserve(share, text):
    assert charts.percent(share).replace("\N{NO-BREAK SPACE}", " ") == text
