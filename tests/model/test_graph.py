import pytest

from maskwright.model import UNetRecord
from maskwright.model.drawing import Pen, drawing
from maskwright.model.graph import Drawing, reach


def test_a_map_knows_its_size_and_where_its_border_lies():
    draw = Drawing()
    image = draw.image(3)
    valid = draw.convolve(image, 8, 3, bias=True)
    half = draw.pool(valid, "max")
    deeper = draw.convolve(half, 8, 3, bias=True)
    large = draw.transpose(deeper, 4, 2, bias=True)

    # 20 → 18 → 9 → 7 → 14
    assert [draw.nodes[at].size(20) for at in (image, valid, half, deeper, large)] == [20, 18, 9, 7, 14]
    assert (draw.nodes[large].scale, draw.nodes[large].lost) == (1, 2 + 4)


def test_a_cropped_map_sees_the_middle():
    """A map joined with one that lost two pixels on each side: its pixel 0 was the third."""
    draw = Drawing()
    image = draw.image(1)
    small = draw.convolve(draw.convolve(image, 1, 3, bias=True), 1, 3, bias=True)

    both = draw.join("concat", image, small)

    assert draw.nodes[both].shifts == (2, 0)
    assert draw.nodes[both].size(10) == 6
    assert reach(draw.nodes, both, 0, 0) == (0, 4)

    pen = Pen(UNetRecord())
    pen.nodes = draw.nodes
    assert reach(pen.nodes, pen.cropped_to(small, image), 0, 0) == (2, 2)


@pytest.mark.parametrize(
    ("kind", "seen"),
    [("transposed", (1, 1)), ("transposed3", (1, 2)), ("nearest", (1, 1)), ("pixel_shuffle", (1, 1)),
     ("bilinear", (1, 2))],
)  # fmt: skip
def test_which_pixels_an_enlarged_one_sees(kind, seen):
    """Pixel 3 of the enlarged map lies in pixel 1 of the other, nearer to pixel 2."""
    pen = Pen(UNetRecord(up=kind, padding="valid"))
    halved = pen.pool(pen.image(4), "mean")
    first, last = seen

    assert reach(pen.nodes, pen.up(halved, 4), 3, 3) == (2 * first, 2 * last + 1)


@pytest.mark.parametrize(("padding", "seen"), [("same", (3, 6)), ("valid", (4, 7))])
def test_which_pixels_the_blur_sees(padding, seen):
    """Cell 2 is pixels 4 and 5; the filter reaches one further on each side. Valid cells lie half a cell further."""
    pen = Pen(UNetRecord(down="blur", padding=padding))

    assert reach(pen.nodes, pen.down(pen.image(1)), 2, 2) == seen


def test_the_drawing_is_made_once():
    assert drawing(UNetRecord(depth=2)) is drawing(UNetRecord(depth=2))
