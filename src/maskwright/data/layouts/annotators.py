"""Several annotators an image: `annotator1/`, `annotator2/`, or `1st_manual/`, `2nd_manual/` as DRIVE, or
`NAME_expert1.png`.

DRIVE: Staal et al., "Ridge-based vessel segmentation in color images of the retina", IEEE TMI 2004.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from maskwright.data.layouts.looking import files_in, folders_in, told
from maskwright.data.layouts.name_lists import by_lists
from maskwright.data.layouts.pairing import IMAGE_FOLDERS, MASK_FOLDERS, image_key, mask_key, splits_in, subfolder
from maskwright.data.layouts.registry import Entry, Pairs, layouts
from maskwright.data.layouts.words import stem_of
from maskwright.data.sources.votes import TIE, TIE_IN_COLOUR
from maskwright.errors import DataError

VOTE = "vote"
_WHO = "annotators?|experts?|raters?|observers?|readers?|graders?|labell?ers?|radiologists?|manual|ann|anno"
_ORDINAL = r"(?:1st|2nd|3rd|[4-9]th)[ _-]?(?:ho|manual|observer|expert|annotator|rater)?"
_FOLDER = re.compile(rf"(?:{_ORDINAL}|(?:{_WHO})[ ._-]?(?:\d{{1,2}}|[a-e]))$", re.I)
_END = re.compile(rf"[ ._-]({_ORDINAL}|(?:{_WHO})[ ._-]?(?:\d{{1,2}}|[a-e]))$", re.I)
_PART_END = re.compile(r"[ ._-](training|train|test|val)$", re.I)
Drawn = dict[Path, dict[str, Path]]
"""Image → annotator → mask."""


def annotator_folder(name: str) -> bool:
    """Whether a folder is called as one of an annotator is."""
    return bool(_FOLDER.match(name))


def annotator_of(path: Path) -> str | None:
    """The annotator that the end of a file's name says."""
    found = _END.search(stem_of(path))
    return found[1] if found else None


class Annotators:
    """Masks by annotator, in folders or by the end of names; dataset.yaml says who is believed, else they vote."""

    rank = 32

    def __call__(self, root: Path) -> Pairs | None:
        """The pairs, or None if nothing is called as an annotator's is.

        Raises:
            DataError: `annotators` in dataset.yaml names none of them.
        """
        found = [(split, *_drawn(base)) for split, base in _bases(root)]
        names = sorted({name for _, drawn, _ in found for of_image in drawn.values() for name in of_image})
        if not names:
            return None
        chosen = _chosen(names)
        entries: list[Entry] = []
        alone: list[Path] = []
        for split, drawn, images in found:
            for image in images:
                masks = {name: path for name, path in drawn.get(image, {}).items() if chosen in (VOTE, name)}
                if masks:
                    entries.append(_entry(image, masks, split))
                elif split == "test":
                    entries.append(Entry(image, None, split))
                else:
                    alone.append(image)
        if not any(entry.mask for entry in entries):
            return None
        voted = any(entry.source == "votes" for entry in entries)
        pairs = Pairs(
            tuple(entries),
            f"masks by annotator: {', '.join(names)}",
            tuple(alone),
            ignored=(TIE, TIE_IN_COLOUR) if voted else (),
            notes=tuple(_said(names, chosen, voted)),
        )
        return by_lists(root, pairs)


def _entry(image: Path, masks: dict[str, Path], split: str | None) -> Entry:
    first = next(iter(masks.values()))
    if len(masks) == 1:
        return Entry(image, first, split)
    return Entry(image, first, split, source="votes", parts=masks)


def _chosen(names: list[str]) -> str:
    stated = told().annotators or VOTE
    if stated != VOTE and stated not in names:
        raise DataError(f"dataset.yaml says annotators: {stated}; they are called {', '.join(names)}, or say {VOTE}.")
    return stated


def _said(names: list[str], chosen: str, voted: bool) -> Iterator[str]:
    if chosen != VOTE:
        yield f"{chosen} is believed, as dataset.yaml says"
    elif voted:
        why = "as dataset.yaml says" if told().annotators else f"to believe one: annotators: {names[0]} in dataset.yaml"
        yield f"where several annotators drew an image, the most votes count, and pixels of a tie are ignored; {why}"


def _bases(root: Path) -> Iterator[tuple[str | None, Path]]:
    yield None, root
    yield from splits_in(root).items()


def _drawn(base: Path) -> tuple[Drawn, list[Path]]:
    images, masks = subfolder(base, IMAGE_FOLDERS), subfolder(base, MASK_FOLDERS)
    folders = [path for place in (base, masks) if place for path in folders_in(place) if annotator_folder(path.name)]
    drawn: Drawn = defaultdict(dict)
    if images is not None and folders:
        pictures = files_in(images)
        by_key = _by_key(pictures)
        for folder in folders:
            for mask in files_in(folder):
                if (image := by_key.get(_key(mask))) is not None:
                    drawn[image][folder.name] = mask
        return dict(drawn), pictures
    pictures = files_in(images) if images is not None else files_in(base)
    named = {path: who for path in (files_in(masks) if images and masks else pictures) if (who := annotator_of(path))}
    rest = [path for path in pictures if path not in named]
    by_key = _by_key(rest)
    for mask, who in named.items():
        if (image := by_key.get(_key(mask))) is not None:
            drawn[image][who] = mask
    return dict(drawn), rest if drawn else []


def _by_key(pictures: list[Path]) -> dict[str, Path]:
    # DRIVE: 21_training.tif is drawn in 21_manual1.gif.
    loose = {_PART_END.sub("", image_key(path)): path for path in pictures}
    return loose | {image_key(path): path for path in pictures} | {stem_of(path): path for path in pictures}


def _key(mask: Path) -> str:
    stem = _END.sub("", stem_of(mask))
    bare = mask_key(Path(f"{stem}.x"))
    return _PART_END.sub("", bare) if _PART_END.search(bare) and "manual" in stem_of(mask) else bare


layouts.register("annotators")(Annotators())
