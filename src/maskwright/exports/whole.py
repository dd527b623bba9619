"""The whole of a prediction as one ONNX graph: an image as it is stored in, labels and probabilities out.

In: `image`, B H W C, the kind of number that the training images hold: the order in which NumPy, Pillow, OpenCV and
tifffile hand over what they read, so nothing is turned round by the caller. B, H, W may be anything; C what the model
knows: its own channels, grey for colour, colour for grey.
Out: `labels`, B H W uint8, and `probabilities`, B K H W float32, at the image's own size.

Each step stands in `data.preprocess`, `anysize` or `inference.predictor`, and is written here in ONNX's operators.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from maskwright.anysize import LEAST
from maskwright.data.labels import Labels
from maskwright.data.preprocess import LUMINANCE, Preprocess
from maskwright.exports.graph import Graph
from maskwright.exports.module import things_of
from maskwright.exports.padding import LONGEST, Padding, padding
from maskwright.exports.suiting import own_statistics
from maskwright.exports.taps import resized
from maskwright.inference.ensemble import Ensemble
from maskwright.inference.looks import Look, looks_of
from maskwright.modelfile import Model
from maskwright.runtimes.conversion import onnx_model
from maskwright.tiling import View

Core = Callable[[Model], Any]
"""A member's network alone as an `onnx.ModelProto`: normalised images of a size that fits it → logits."""


def in_float32(model: Model) -> Any:
    """The network as it was trained."""
    return onnx_model(model.network)


def whole_model(ensemble: Ensemble, core: Core = in_float32, *, taps: bool = False) -> Any:
    """The model, of one member or several, as an `onnx.ModelProto`.

    taps: resize in plain operators, a few times slower than ONNX's own.
    """
    g = Graph()
    g.taps = taps
    about = ensemble.description
    shape = g("Shape", "image")
    B, H, W = (g.part(shape, axis) for axis in range(3))
    image_BCHW = _channels(g, about.preprocess, g.row(B, g.numbers(about.preprocess.channels), H, W))
    networks = [g.function(core(member)) for member in ensemble.members]
    total = ""
    for look in looks_of(ensemble.members):
        share = _probabilities(g, look, ensemble.members[look.member], networks[look.member], image_BCHW, (B, H, W))
        share = share if look.weight == 1 else g("Mul", share, g.constant(np.float32(look.weight)))
        total = g("Add", total, share) if total else share
    if about.labels.learned is not None:
        total = _of_classes(g, total, about.labels)
    # The first of equal ones, as torch has it.
    labels = g.cast(g("ArgMax", total, axis=1, keepdims=0, select_last_index=0), "uint8")
    for value, name in ((labels, "labels"), (total, "probabilities")):
        g.nodes.append(g.onnx.helper.make_node("Identity", [value], [name]))
    return g.model(
        [("image", about.preprocess.dtype, ["B", "H", "W", "C"])],
        [
            ("labels", "uint8", ["B", "H", "W"]),
            ("probabilities", "float32", ["B", about.labels.count, "H", "W"]),
        ],
    )


def _probabilities(
    g: Graph, look: Look, member: Model, network: Callable[[str], str], image_BCHW: str, size: tuple[str, str, str]
) -> str:
    """What one member says at one scale, B K H W."""
    B, *own = size
    about, record = look.preprocess, member.network.record
    working = [_working(g, about, axis, n) for axis, n in enumerate(own)]
    seen_BChw = _normalised(g, about, _resized(g, about, image_BCHW, B, own, working))
    logits, classes = _seen(g, look.ways, network, _padded(g, padding(record), seen_BChw, working), record.classes)
    logits = g("Slice", logits, g.numbers(0, 0), g.row(*working), g.numbers(2, 3))
    if not _keeps_size(about):
        sizes = g.row(B, g.numbers(classes), *own)
        logits = g("Resize", logits, "", "", sizes, mode="linear", coordinate_transformation_mode="half_pixel")
    return _shares(g, logits, classes)


def _seen(g: Graph, ways: Sequence[View], network: Callable[[str], str], image: str, classes: int) -> tuple[str, int]:
    """What the network says, and of how many classes: `tiling.seen_from_all_sides`, one way after the other."""
    if len(ways) == 1:
        return network(image), classes
    total = ""
    for view in ways:
        share = _undone(g, view, _shares(g, network(_of(g, view, image)), classes))
        total = g("Add", total, share) if total else share
    mean = g("Div", total, g.constant(np.float32(len(ways))))
    return g("Log", g("Max", mean, g.constant(np.finfo(np.float32).tiny))), max(2, classes)


def _of(g: Graph, view: View, image: str) -> str:
    """`View.of`."""
    image = g("Transpose", image, perm=[0, 1, 3, 2]) if view.swap else image
    return _reversed(g, view, image)


def _undone(g: Graph, view: View, values: str) -> str:
    """`View.undone`."""
    values = _reversed(g, view, values)
    return g("Transpose", values, perm=[0, 1, 3, 2]) if view.swap else values


def _reversed(g: Graph, view: View, values: str) -> str:
    axes = [axis for axis, is_turned in ((2, view.rows), (3, view.columns)) if is_turned]
    if not axes:
        return values
    last, before_first, back = (g.numbers(*[n] * len(axes)) for n in (-1, np.iinfo(np.int64).min, -1))
    return g("Slice", values, last, before_first, g.numbers(*axes), back)


def _shares(g: Graph, logits: str, classes: int) -> str:
    """`tiling.probabilities_of`."""
    if classes > 1:
        return g("Softmax", logits, axis=1)
    foreground = g("Sigmoid", logits)
    return g("Concat", g("Sub", g.constant(np.float32(1)), foreground), foreground, axis=1)


def _of_classes(g: Graph, total: str, labels: Labels) -> str:
    """`anysize.of_classes`: what was learned of objects, the last of all, goes to the classes it is a part of."""
    axis = g.numbers(1)
    classes = g("Slice", total, g.numbers(0), g.numbers(labels.count), axis)
    learned = g("Slice", total, g.numbers(labels.count), g.numbers(labels.count + 1), axis)
    own = g("Mul", g("Add", classes, g.constant(np.float32(LEAST))), g.constant(things_of(labels).numpy()))
    part = g("Div", own, g("ReduceSum", own, axis, keepdims=1))
    return g("Add", classes, g("Mul", part, learned))


def _channels(g: Graph, preprocess: Preprocess, sizes: str) -> str:
    """The image with the network's channels, B C H W float32; any others do not fit, and the graph stops."""
    image = "image"
    if preprocess.channels == 3:
        image = g("Expand", image, g.numbers(1, 1, 1, 3))  # grey is repeated
    image = g.cast(image, "float32")
    if preprocess.channels == 1:
        image = _luminance(g, preprocess, image)
    # A reshape that changes nothing but what is known: the channels are a number from here on.
    return g("Reshape", g("Transpose", image, perm=[0, 3, 1, 2]), sizes)


def _luminance(g: Graph, preprocess: Preprocess, image_BHWC: str) -> str:
    """One channel of three; one of one as it is."""
    channels = g.part(g("Shape", image_BHWC), 3)
    is_colour = g("Equal", channels, g.numbers(3))
    first = g("Where", is_colour, g.numbers(0), g.numbers(3))
    weights = g.constant(np.array([*LUMINANCE, 1], np.float32)[:, None])
    weights = g("Slice", weights, first, g("Where", is_colour, g.numbers(3), g.numbers(4)), g.numbers(0))
    grey = g("MatMul", image_BHWC, weights)
    return grey if preprocess.dtype == "float32" else g("Round", grey)


def _keeps_size(preprocess: Preprocess) -> bool:
    return preprocess.size is None and preprocess.scale == 1


def _working(g: Graph, preprocess: Preprocess, axis: int, n: str) -> str:
    """`Preprocess.working_size` of one side; Round takes halves to the even number, as Python does."""
    if preprocess.size is not None:
        return g.numbers(preprocess.size[axis])
    if preprocess.scale == 1:
        return n
    # In 32 bit, since OpenVINO and TensorRT make that of all numbers; where it comes out another size, that is mended.
    scale = np.array([preprocess.scale], np.float32)
    scaled = g.cast(g("Round", g("Mul", g.cast(n, "float32"), g.constant(scale))), "int64")
    sizes = np.arange(1, LONGEST + 1)
    off = np.rint(sizes * preprocess.scale).astype(np.int64) - np.rint(sizes.astype(np.float32) * scale).astype(
        np.int64
    )
    if off.any():
        is_one = g.cast(g("Equal", n, g.constant(sizes[off != 0])), "int64")
        mended = g("ReduceSum", g("Mul", is_one, g.constant(off[off != 0])), g.numbers(0), keepdims=1)
        scaled = g("Add", scaled, mended)
    return g("Max", scaled, g.numbers(1))


def _resized(g: Graph, preprocess: Preprocess, image: str, batch: str, own: list[str], working: list[str]) -> str:
    """The image at its working size, B C h w."""
    if _keeps_size(preprocess):
        return image
    if preprocess.interpolation == "bilinear" and g.taps:
        return resized(g, image, own, working)
    if preprocess.interpolation == "bilinear":
        sizes = g.row(batch, g.numbers(preprocess.channels), *working)
        # Without exclude_outside what lies beyond the border counts: up to 7 % of the range off there was seen.
        how = {"mode": "linear", "antialias": 1, "exclude_outside": 1, "coordinate_transformation_mode": "half_pixel"}
        return g("Resize", image, "", "", sizes, **how)
    for axis, (n, wanted) in enumerate(zip(own, working, strict=True), start=2):
        # ⌊(i + ½) · n / wanted⌋, in whole numbers.
        middles = g("Add", g("Mul", g.count(wanted), g.numbers(2)), g.numbers(1))
        where = g("Div", g("Mul", middles, n), g("Mul", wanted, g.numbers(2)))
        image = g("Gather", image, where, axis=axis)
    return image


def _normalised(g: Graph, preprocess: Preprocess, image_BChw: str) -> str:
    if own_statistics(preprocess):
        return _by_itself(g, image_BChw)
    mean, std = (np.array(values, np.float32)[:, None, None] for values in (preprocess.mean, preprocess.std))
    return g("Div", g("Sub", image_BChw, g.constant(mean)), g.constant(std))


def _by_itself(g: Graph, image_BChw: str) -> str:
    """Each image by its own mean and deviation, `data.moments`."""
    exact = g.cast(image_BChw, "float64")
    mean = g("ReduceMean", exact, g.numbers(2, 3), keepdims=1)
    apart = g("Sub", exact, mean)
    std = g("Sqrt", g("ReduceMean", g("Mul", apart, apart), g.numbers(2, 3), keepdims=1))
    least = g("Mul", g("Max", g("Abs", mean), g.constant(np.float64(1e-6))), g.constant(np.float64(1e-6)))
    std = g("Where", g("Greater", std, least), std, g.constant(np.float64(1)))
    return g.cast(g("Div", apart, std), "float32")


def _padded(g: Graph, rule: Padding, image: str, size: list[str]) -> str:
    """The image as the network wants it, `anysize.fitted`."""
    one = g.numbers(1)
    full = [_full(g, rule, n) for n in size]
    small = None
    if rule.repeats:
        # Both sides are repeated where one of them cannot be mirrored.
        for n, wanted in zip(size, full, strict=True):
            short = g("GreaterOrEqual", g("Sub", wanted, n), n)
            small = short if small is None else g("Or", small, short)
    for axis, (n, wanted) in enumerate(zip(size, full, strict=True), start=2):
        place = g("Sub", g.count(wanted), g.numbers(rule.before))
        last = g("Sub", n, one)
        period = g("Max", one, g("Mul", last, g.numbers(2)))
        folded = g("Mod", place, period)
        where = g("Min", folded, g("Sub", period, folded))
        if small is not None:
            where = g("Where", small, g("Min", place, last), where)
        image = g("Gather", image, where, axis=axis)
    return image


def _full(g: Graph, rule: Padding, n: str) -> str:
    """`Padding.__call__` of a number in the graph. ONNX divides towards zero, so below 1 stays below 1."""
    steps = g("Div", g("Add", n, g.numbers(rule.step - 1 - rule.covers)), g.numbers(rule.step))
    more = g("Mul", g("Max", steps, g.numbers(0)), g.numbers(rule.step))
    return g("Add", more, g.numbers(rule.first))
