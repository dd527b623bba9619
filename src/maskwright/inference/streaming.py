"""Probabilities of a scene from top to bottom, at the scene's own size: no more is kept than a window is high.

Shapes: K classes, H W the scene, h w a block of it.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from maskwright.anysize import Line, as_probabilities, enlarged_blocks, fitted_indices, of_classes
from maskwright.data.labels import Labels
from maskwright.data.moments import Scaling
from maskwright.data.preprocess import Preprocess
from maskwright.errors import SettingError
from maskwright.files import Scene
from maskwright.inference.canvas import Canvas, moments_of
from maskwright.inference.scene_rows import SceneRows
from maskwright.model import UNetRecord
from maskwright.model.sizes import geometry
from maskwright.records import IGNORED
from maskwright.runtimes import Prepared
from maskwright.tiling import (
    Block,
    Cost,
    Inside,
    Network,
    Reach,
    Shelf,
    Tiles,
    View,
    bands,
    block_rows,
    cost,
    first_input_row,
    seen_from_all_sides,
    spared,
)

PIECE: Final = 32 << 20
"""Bytes of probabilities that are averaged at a time."""


@dataclass(frozen=True, eq=False)
class Band:
    """A finished part of the answer, at the image's own size. Bands come from top to bottom; those of the same rows,
    where there are several, from left to right, and together they are the whole image, without overlap.
    """

    rows: slice
    columns: slice
    labels: NDArray[np.uint8]
    """h w; `IGNORED` where the image holds no data."""
    probabilities: NDArray[np.float32]
    """K h w; over the classes they add up to 1, and are 0 where the image holds no data."""
    marked: NDArray[np.uint8] | None
    """h w, the labels with one of `Labels.marks` where the networks see what they learned of objects; None where they
    learned nothing of them."""


@dataclass(frozen=True)
class Voice:
    """One network at one scale, and how much it counts."""

    network: Prepared
    record: UNetRecord
    preprocess: Preprocess
    tiles: Tiles
    ways: tuple[View, ...]
    weight: float

    def cost(self, size: tuple[int, int]) -> Cost:
        """What an image of that size costs."""
        wanted = self.preprocess.working_size(*size)
        rows, columns = fitted_indices(self.record, wanted)
        _, reach = self._seen(self.network)
        return cost((len(rows), len(columns)), wanted, reach, self.tiles).times(len(self.ways))

    def probabilities(self, scene: SceneRows, device: str, own: Scaling | None, start: int) -> Iterator[Block]:
        """What it says of a scene, K h w at the scene's size, from a row on; what it needs of the scene is said now."""
        network, reach = self._seen(self.network)
        canvas = Canvas(scene, self.preprocess, self.record, device, own)
        working = self.preprocess.working_size(*scene.size)
        line = Line(working[0], scene.size[0])
        # Blocks are computed as a run from the top cuts them: only then are their numbers the same to the last bit.
        top = max(ready for low in block_rows(canvas.size, reach, self.tiles) if (ready := line.ready(low)) <= start)
        first = line.needs(top)
        canvas.need(first_input_row(canvas.size, reach, self.tiles, first))
        classes = max(2, self.record.classes) if len(self.ways) > 1 else self.record.classes
        blocks = _inside(
            bands(
                network, canvas, reach, self.tiles, start=first, classes=classes, device=device,
                inside=self._inside(canvas.size, reach),
            ),
            working,
        )  # fmt: skip
        enlarged = enlarged_blocks(blocks, working, scene.size, top)
        shares = (Block(block.rows, block.columns, as_probabilities(block.values)) for block in enlarged)
        return (part for block in shares if (part := block.below(start)) is not None)

    def _seen(self, network: Network) -> tuple[Network, Reach]:
        return seen_from_all_sides(network, geometry(self.record), self.ways)

    def _inside(self, size: tuple[int, int], reach: Reach) -> Inside | None:
        """What computes the windows amid an image of that size, of whose logits the outermost are their neighbours'."""
        margin, windows = spared(size, reach, self.tiles)
        network = self.network.inside(margin, windows) if windows else None
        return Inside(self._seen(network)[0], margin) if network else None


def _inside(blocks: Iterator[Block], size: tuple[int, int]) -> Iterator[Block]:
    """What of the blocks lies in an image of that size, and not in what it was padded with."""
    for block in blocks:
        height, width = (
            max(0, min(part.stop, n) - part.start) for part, n in zip((block.rows, block.columns), size, strict=True)
        )
        if height and width:
            rows, columns = (
                slice(part.start, part.start + n)
                for part, n in zip((block.rows, block.columns), (height, width), strict=True)
            )
            yield Block(rows, columns, block.values[:, :height, :width])


@torch.inference_mode()
def stream(
    voices: Sequence[Voice], scene: Scene, file: object, device: str, classes: Labels, start: int = 0
) -> Generator[Band, None, None]:
    """What the voices together say of a scene, band by band from a row on. file: what errors call it.

    Raises:
        DataError: channels or kind of value are not the model's.
        SettingError: there is no such row.
    """
    if not 0 <= start < scene.header.height:
        raise SettingError(f"{file} has rows 0 to {scene.header.height - 1}; a prediction cannot begin at {start}.")
    preprocess = voices[0].preprocess
    rows = SceneRows(scene, preprocess, file)
    owns = _own_scaling(voices, scene, file)
    spoken = [voice.probabilities(rows, device, own, start) for voice, own in zip(voices, owns, strict=True)]
    rows.need_valid("the answer", start)
    blocks = spoken[0] if len(voices) == 1 else _mean(spoken, [v.weight for v in voices], rows.size, start)
    for block in blocks:
        yield _band(block, rows, classes)


def _band(block: Block, scene: SceneRows, classes: Labels) -> Band:
    scene.need_valid("the answer", block.rows.start)
    shares, seen = of_classes(block.values, classes)
    labels = shares.argmax(0).to(torch.uint8).cpu().numpy()
    probabilities = shares.cpu().numpy()
    marked = None if seen is None else classes.marked(labels, seen.cpu().numpy())
    valid = scene.valid(block.rows, block.columns)
    if valid is not None:
        labels[~valid] = IGNORED
        probabilities[:, ~valid] = 0
        if marked is not None:
            marked[~valid] = IGNORED
    return Band(block.rows, block.columns, labels, probabilities, marked)


def _mean(
    spoken: Sequence[Iterator[Block]], weights: Sequence[float], size: tuple[int, int], start: int
) -> Iterator[Block]:
    """The weighted mean of several, which come in blocks of their own: of each, no more is kept than the others lack.

    The sum is taken in the order of the voices, wherever the blocks are cut: it is the same from any row on.
    """
    with ExitStack() as stack:
        shelves = [stack.enter_context(Shelf()) for _ in spoken]
        done = [start] * len(spoken)
        row, like = start, torch.empty(0)
        while row < size[0]:
            for n, (blocks, shelf) in enumerate(zip(spoken, shelves, strict=True)):
                for block in blocks if done[n] == row else ():
                    shelf.put(block.rows, block.columns, block.values)
                    done[n], like = block.rows.stop, block.values
                    if block.columns.stop == size[1]:
                        break
            rows = slice(row, min(done))
            for columns in _strips(like.shape[0] * (rows.stop - row) * 4, size[1]):
                total, part = (
                    like.new_empty(like.shape[0], rows.stop - row, columns.stop - columns.start) for _ in "ab"
                )
                shelves[0].fill(total, rows, columns).mul_(weights[0])
                for shelf, weight in zip(shelves[1:], weights[1:], strict=True):
                    total += shelf.fill(part, rows, columns).mul_(weight)
                yield Block(rows, columns, total)
            for shelf in shelves:
                shelf.drop(rows.stop)
            row = rows.stop


def _strips(bytes_each: int, width: int) -> Iterator[slice]:
    """The columns in equal parts, of which none takes much memory."""
    step = max(1, PIECE // bytes_each)
    return (slice(first, min(width, first + step)) for first in range(0, width, step))


def _own_scaling(voices: Sequence[Voice], scene: Scene, file: object) -> list[Scaling | None]:
    """The scene's own mean and standard deviation for each voice that is normalised with them: a pass of its own."""
    found: dict[Preprocess, Scaling] = {}
    for voice in voices:
        if voice.preprocess.statistics == "image" and voice.preprocess not in found:
            found[voice.preprocess] = moments_of(SceneRows(scene, voice.preprocess, file), voice.preprocess).scaling
    return [found.get(voice.preprocess) for voice in voices]
