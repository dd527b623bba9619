"""Objects as COCO JSON, one file for all images."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from maskwright.data.labels import Labels
from maskwright.files import Origin
from maskwright.files.annotations.coco_runs import encode_counts
from maskwright.inference.outputs.registry import THINGS, outputs, part_of
from maskwright.inference.result import Result
from maskwright.inference.things import Thing, things
from maskwright.records import Record, replacing
from maskwright.regions.outlines import column_runs


@outputs.register("coco")
class Coco(Record):
    """COCO instance JSON of all images: an annotation for each object, or each piece of a class, `iscrowd` 0.

    Its polygons have no holes, so what has some is stored as run lengths, which are exact always; `runs` stores all so.
    With probabilities, annotations have a `score`.
    """

    about: ClassVar[str] = "coco.json of all images: polygons, or run lengths (runs); pycocotools, CVAT, FiftyOne"
    needs: ClassVar[frozenset[str]] = frozenset({THINGS})
    file: ClassVar[str] = "coco.json"

    outline: Literal["polygons", "runs"] = "polygons"

    def path(self, origin: Origin, target: Path) -> Path:
        """The part of one image."""
        return part_of(target, ".coco.jsonl")

    def write(self, result: Result, target: Path) -> Path:
        """Write the part: a line for the image, then one for each annotation, without their ids."""
        height, width = result.labels.shape
        path, file = self.path(result.origin, target), result.origin.file
        image = {"file_name": result.name if file is None else file.name, "height": height, "width": width}
        ids = _category_ids(result.classes)
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as lines:
            lines.write(json.dumps([image, _categories(result.classes)], ensure_ascii=False) + "\n")
            for thing in things(result):
                lines.write(json.dumps(self._annotation(thing, ids[thing.label], (height, width))) + "\n")
        return path

    def finish(self, parts: Sequence[Path], file: Path) -> Path:
        """Write the one file, numbered in the order of the parts."""
        heads = [_head(part) for part in parts]
        known = {json.dumps(category): category for _, categories in heads for category in categories}
        with replacing(file) as temporary, temporary.open("w", encoding="utf-8") as whole:
            whole.write('{"info": {"description": "predicted by Maskwright"}, "licenses": [],\n"categories": ')
            whole.write(json.dumps(list(known.values()), ensure_ascii=False) + ',\n"images": [')
            images = ({"id": number, **image} for number, (image, _) in enumerate(heads, start=1))
            whole.writelines(_separated(images))
            whole.write('],\n"annotations": [')
            whole.writelines(_separated(_numbered(parts)))
            whole.write("]}\n")
        return file

    def _annotation(self, thing: Thing, category: int, size: tuple[int, int]) -> dict[str, Any]:
        top, left, bottom, right = thing.box
        found: dict[str, Any] = {
            "category_id": category, "area": thing.area, "bbox": [left, top, right - left, bottom - top], "iscrowd": 0,
        }  # fmt: skip
        if self.outline == "runs" or thing.has_holes:
            found["segmentation"] = {"size": list(size), "counts": _counts(thing, size)}
        else:
            found["segmentation"] = [outline.rings[0].ravel().tolist() for outline in thing.outlines]
        if thing.score is not None:
            found["score"] = round(thing.score, 6)
        return found


def _counts(thing: Thing, size: tuple[int, int]) -> str:
    """The lengths of runs down the columns, in turn without and with the thing."""
    starts, lengths = column_runs([ring for outline in thing.outlines for ring in outline.rings], size[0])
    ends = starts + lengths
    turns = np.column_stack([np.diff(starts, prepend=0), lengths])
    turns[1:, 0] = starts[1:] - ends[:-1]
    rest = size[0] * size[1] - int(ends[-1])
    return encode_counts(np.append(turns.ravel(), [rest] if rest else []).astype(np.int64))


def _category_ids(classes: Labels) -> dict[int, int]:
    """Label → id, from 1; the background is none."""
    shown = [label for label in range(classes.count) if label != classes.background]
    return {label: number for number, label in enumerate(shown, start=1)}


def _categories(classes: Labels) -> list[dict[str, Any]]:
    ids = _category_ids(classes)
    return [{"id": number, "name": classes.names[label], "supercategory": ""} for label, number in ids.items()]


def _head(part: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    with part.open(encoding="utf-8") as lines:
        image, categories = json.loads(next(lines))
    return image, categories


def _numbered(parts: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """The annotations of all parts, with their ids and those of their images."""
    number = 0
    for image, part in enumerate(parts, start=1):
        with part.open(encoding="utf-8") as lines:
            next(lines)
            for line in lines:
                number += 1
                yield {"id": number, "image_id": image, **json.loads(line)}


def _separated(entries: Iterator[dict[str, Any]]) -> Iterator[str]:
    for number, entry in enumerate(entries):
        yield (",\n" if number else "\n") + json.dumps(entry, ensure_ascii=False)
