"""Images without masks, and masks without images."""

import difflib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from maskwright.data.doctor.evidence import SHOWN, said, shown, skip_options
from maskwright.data.doctor.registry import Finding, checks
from maskwright.data.survey import Survey


class Alone:
    """What has no partner, with the names that come near.

    An error where more files are alone than paired, as a training is then refused; a note where a few are left out.
    """

    quick = True
    tells = frozenset({"unpaired"})

    def __call__(self, survey: Survey) -> Iterator[Finding]:
        """Images first, then masks."""
        pairs = sum(one.entry.mask is not None for one in survey.seen)
        unlabelled = [one.entry.image for one in survey.seen if one.entry.mask is None]
        for alone, kind, others in (
            (survey.images_alone, "image", [*survey.masks_alone]),
            (survey.masks_alone, "mask", [*survey.images_alone, *unlabelled]),
        ):
            if alone:
                yield _finding(survey, alone, kind, others, refused=len(alone) > pairs)


def _finding(survey: Survey, alone: Sequence[Path], kind: str, others: Sequence[Path], *, refused: bool) -> Finding:
    other = "mask" if kind == "image" else "image"
    near = _near(alone, others)
    skip = skip_options(path.name for path in alone)
    return Finding(
        code=f"{kind}s-alone",
        severity="error" if refused else "warning" if near else "note",
        title=f"{said(len(alone), f'{kind} has', f'{kind}s have')} no {other}",
        files=tuple(shown(path, survey) for path in alone),
        why="More files are alone than paired, so the names are not what pairs them; training is refused."
        if refused
        else "They are left out of training and of every score.",
        remedy=f"{_renamed(survey, near, kind)} Or leave them out knowingly: {skip}",
        fix={"skip": [shown(path, survey) for path in alone]},
        details=tuple(f"{shown(a, survey)} comes near {shown(b, survey)}" for a, b in near.items()),
    )


def _renamed(survey: Survey, near: dict[Path, Path], kind: str) -> str:
    """What masks should be called, by the first that comes near a name."""
    if not near:
        return "A mask is called as its image, with or without an ending such as _mask."
    first = next(iter(near.items()))
    image, mask = first if kind == "image" else first[::-1]
    return f"Rename {shown(mask, survey)} to {image.stem}{mask.suffix}" + (", and so on." if len(near) > 1 else ".")


def _near(alone: Sequence[Path], others: Sequence[Path]) -> dict[Path, Path]:
    """For the first that have one, the other file whose name is nearly the same: `img_01` and `img_1_mask`."""
    by_key = {_key(path): path for path in reversed(others)}
    out: dict[Path, Path] = {}
    for path in alone[:200]:  # each name is compared with all
        key = _key(path)
        if key in by_key:
            out[path] = by_key[key]
        # What differs in its numbers is another picture of the series.
        elif close := [
            one
            for one in difflib.get_close_matches(key, list(by_key)[:2000], n=3, cutoff=0.85)
            if re.findall(r"\d+", one) == re.findall(r"\d+", key)
        ]:
            out[path] = by_key[close[0]]
        if len(out) == SHOWN:
            break
    return out


def _key(path: Path) -> str:
    """The name without what programs add or change: case, usual endings, zeros before numbers, signs between."""
    words = re.findall(r"[a-z]+|\d+", path.stem.lower())
    kept = [word.lstrip("0") or "0" if word.isdigit() else word for word in words if word not in _USUAL]
    return " ".join(kept or words)


_USUAL = {
    "mask", "masks", "gt", "label", "labels", "seg", "segmentation", "annotation", "annot", "groundtruth", "target",
    "image", "images", "img", "im", "photo", "orig", "original", "copy",
}  # fmt: skip

checks.register("alone")(Alone())
