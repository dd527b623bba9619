"""Groups that names show: patients, scenes, videos, tiles of one picture, left and right, augmented copies.

A wrong guess costs: groups that are none make parts of odd sizes, and groups that are missed let a model be judged on
what it has nearly seen. So what names show plainly is followed and said; what they may show is only said.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from maskwright.data.groups import group_of, pattern_of
from maskwright.data.randomness import number

CONFIDENT = 0.7
MENTIONED = 0.4
LEAST = 3
"""With fewer groups one of them is a third or more of the images: nobody should lose as many unasked."""
LARGEST = 0.6
"""Share of the images that the largest group may have."""
EVIDENCE = 0.25
"""What pictures that bear a pattern out add to its confidence, or take from it where they do not."""
LOOKED_AT = 400
"""Pictures that are compared with each other; of more, so many drawn by name."""

# What folders are called that hold all images of a kind or a part: they name no group.
_PLACES: Final = (
    "images?|imgs?|masks?|labels?|annotations?|annot|train|training|trainval|val|valid|validation|test|testing|data|"
    "dataset|jpegimages|leftimg8bit|raw|photos?|pictures?|frames|rgb|gray|grey|input|inputs|left|right"
)
_GROUP: Final = (
    "patient|pat|pt|subject|subj|sub|case|donor|person|animal|mouse|rat|specimen|sample|scene|video|vid|clip|movie|"
    "seq|sequence|series|study|session|recording|track|drive|flight|slide|wsi|volume|vol|stack|embryo|well|site|plot"
)
_MEMBER: Final = "frame|frm|slice|slc|page|layer|section|time|timepoint|view|shot|depth|plane"
_TILE: Final = "tile|patch|crop|chip|block|roi|fov|window|part"
_COPY: Final = (
    "aug(?:mented|mentation)?|copy|dup(?:licate)?|h?flip(?:ped)?|vflip(?:ped)?|mirror(?:ed)?|rot(?:ate|ated)?|"
    "elastic|noisy?|blur(?:red)?|bright(?:er|ness)?|contrast|jitter"
)
# Words before a number that make it no name of a group: classes, editions, sizes, channels, parts of a split.
_NO_GROUP: Final = re.compile(
    r"(?:class|cls|label|grade|stage|type|cat(?:egory)?|fold|part|[a-z]*set|train|val|test|batch|v|ver(?:sion)?|ch(?:annel)?|"
    r"band|size|scale|level|lvl|x|res|px)\d+$|\d+(?:px|x|p|k|mm|cm|um|nm|mp|bit|fps|hz)$|\d+x\d+$"
)
_ANY_IMAGE: Final = re.compile(
    r"(?:img|imgs|image|photo|pic|picture|dsc[nf]?|scan|im|no|nr|id|[a-z]|"
    rf"{_TILE}|{_MEMBER})\d+$"
)

_SIMPLE: Final = (
    "{group}_*", "{group}-*", "([^/]+)_[^_]+$", "([^/]+)/[^/]+$", "([^/]+)/[^/]+/[^/]+$", "([^/]+)[LR]$",
    r"([^/]+?)(?:_aug\d*)?$", r"(\w+?)_\d+[_-]\d+$",
)  # fmt: skip

Compare = Callable[[str, str], float]
"""How alike two images are, by their names: 1 the same, 0 or below nothing in common."""


@dataclass(frozen=True)
class Proposal:
    """Groups that the names show, and why."""

    pattern: str
    """What to write in `dataset.yaml`: `split: {groups: PATTERN}`."""
    groups: tuple[str | None, ...]
    """The group of each name, in their order; None: it is alone."""
    reason: str
    confidence: float
    """0 to 1; from `CONFIDENT` groups are kept together unasked, from `MENTIONED` they are spoken of."""

    @property
    def confident(self) -> bool:
        """Whether to follow it without being asked."""
        return self.confidence >= CONFIDENT

    @property
    def count(self) -> int:
        """How many groups there are, images that are alone left out."""
        return len(set(self.groups) - {None})

    def of(self, paths: Sequence[str]) -> list[str | None]:
        """The groups of other names."""
        expression = pattern_of(self.pattern)
        return [group_of(expression, path) for path in paths]


@dataclass(frozen=True)
class _Rule:
    """One way of naming images of a group."""

    pattern: str
    what: str
    confidence: float
    shared: float = 0.6
    """Share of the images that must have another of their group."""
    judge: Callable[[Sequence[str], Sequence[str | None]], float | None] | None = None
    """The confidence instead, from the paths and their groups; None: it is no group."""


def propose_groups(
    names: Sequence[str],
    *,
    similarity: Compare | None = None,
    thumbnails: Mapping[str, NDArray[Any]] | None = None,
) -> Proposal | None:
    """The groups that these names show, or None; of several readings the most confident, of equal ones the first rule.

    names: paths in the data set, without endings, as `groups.paths_of` gives them.
    similarity: how alike two images are; thumbnails: small grey pictures of equal size by name, to compare instead.
    Where there is either, a pattern must be borne out: the nearest image of most must be of the same group.
    """
    alike = similarity or (_correlation(thumbnails) if thumbnails else None)
    found = [proposal for rule in _RULES if (proposal := _read(rule, names))]
    if alike is not None:
        found = [_borne_out(proposal, names, alike) for proposal in found]
    best = max(found, key=lambda proposal: proposal.confidence, default=None)
    return best if best and best.confidence >= MENTIONED else None


def of_stacks(names: Sequence[str], pages: Sequence[int | None]) -> Proposal | None:
    """The stacks as groups of their pages, where all images are pages of several; names as in `propose_groups`."""
    if None in pages:
        return None
    return _read(_Rule(r"(?:^|/)([^/]+)_\d+$", "pages of one stack", 0.9), names)


def _read(rule: _Rule, names: Sequence[str]) -> Proposal | None:
    """What a rule sees in the names, if they look as it expects."""
    expression = re.compile(rule.pattern)
    groups = [group_of(expression, name) for name in names]
    sizes = Counter(group for group in groups if group is not None)
    several = {group: size for group, size in sizes.items() if size > 1}
    if len(several) < 2 or sum(several.values()) < rule.shared * len(names):
        return None
    if any(re.fullmatch(f"(?i:{_PLACES})", group) for group in sizes):
        return None
    confidence = rule.judge(names, groups) if rule.judge else rule.confidence
    if confidence is None:
        return None
    if len(sizes) < LEAST or max(sizes.values()) > LARGEST * len(names):
        confidence = min(confidence, CONFIDENT - EVIDENCE)
    first = next(group for group in groups if group in several)
    like = next(name for name, group in zip(names, groups, strict=True) if group == first)
    reason = f"{rule.what}, as {like} is of {first}"
    return Proposal(_shortest(rule.pattern, names, groups), tuple(groups), reason, confidence)


def _shortest(pattern: str, names: Sequence[str], groups: Sequence[str | None]) -> str:
    """A pattern one would write by hand, if one finds the same groups in these names."""
    for simple in _SIMPLE:
        expression = pattern_of(simple)
        if all(group_of(expression, name) == group for name, group in zip(names, groups, strict=True)):
            return simple
    return pattern


def _borne_out(proposal: Proposal, names: Sequence[str], alike: Compare) -> Proposal:
    """The proposal with the confidence that the pictures leave it."""
    rate, chance = nearest_in_group(names, proposal.groups, alike)
    if rate >= 0.5 and rate >= 2 * chance:
        told, change = f"{rate:.0%} of the images look most like another of their group", EVIDENCE
    else:
        told, change = f"but only {rate:.0%} of the images look most like another of their group", -EVIDENCE
    confidence = min(1.0, max(0.0, proposal.confidence + change))
    return replace(proposal, confidence=confidence, reason=f"{proposal.reason}; {told}")


def nearest_in_group(names: Sequence[str], groups: Sequence[str | None], alike: Compare) -> tuple[float, float]:
    """Of the images that have another of their group, the share whose nearest image is one, and that share by chance.

    Whole groups are looked at, some if there are many images.
    """
    members: dict[str, list[str]] = {}
    for name, group in zip(names, groups, strict=True):
        if group is not None:
            members.setdefault(group, []).append(name)
    chosen: dict[str, str] = {}
    for group in sorted(members, key=lambda group: number("looked at", group)):
        if len(members[group]) > 1 and (len(set(chosen.values())) < 2 or len(chosen) < LOOKED_AT):
            # Neighbours in order are what a random draw would part.
            chosen |= dict.fromkeys(members[group][: LOOKED_AT // 4], group)
    hits, chances = 0, 0.0
    sizes = Counter(chosen.values())
    for name, group in chosen.items():
        nearest = max((other for other in chosen if other != name), key=lambda other: alike(name, other))
        hits += chosen[nearest] == group
        chances += (sizes[group] - 1) / (len(chosen) - 1)
    return hits / max(1, len(chosen)), chances / max(1, len(chosen))


def _correlation(thumbnails: Mapping[str, NDArray[Any]]) -> Compare:
    """Pearson's correlation of two thumbnails."""
    flat = {}
    for name, picture in thumbnails.items():
        values = np.asarray(picture, np.float64).ravel()
        values = values - values.mean()
        flat[name] = values / max(float(np.linalg.norm(values)), 1e-12)

    def alike(one: str, other: str) -> float:
        if one not in flat or other not in flat or flat[one].shape != flat[other].shape:
            return -1.0
        return float(flat[one] @ flat[other])

    return alike


def _numbered(names: Sequence[str], groups: Sequence[str | None]) -> float | None:
    """An identity and a counter, as `0001TP_006690`: how much the identity looks like one of a scene."""
    kinds = Counter(_identity(group) for group in groups if group is not None)
    kind, times = kinds.most_common(1)[0]
    # Several images each, and nearly all of one kind: a few that look so are a coincidence.
    if len(names) < 2 * len({*groups}) or times < 0.8 * len(names):
        return None
    return kind


def _identity(group: str) -> float | None:
    """How much what stands before a counter looks like the name of a scene.

    Letters alone are rather a class (`Bengal_185`), a year a volume of a collection (`2011_000003`).
    """
    tokens = [token for token in re.split(r"[_\-. ]+", group.lower()) if re.search(r"\d", token)]
    if not tokens:
        return 0.2
    if all(_NO_GROUP.match(token) or re.fullmatch(r"(?:19|20)\d\d", token) for token in tokens):
        return None
    if any(re.search("[a-z]", t) and not _NO_GROUP.match(t) and not _ANY_IMAGE.match(t) for t in tokens):
        return 0.8
    return 0.5


def _worded(names: Sequence[str], groups: Sequence[str | None]) -> float | None:
    """A word such as patient with its number: plain, unless all that follows is what every group has once."""
    return 0.85 if len(names) >= 2 * len({*groups}) else 0.6


def _foldered(names: Sequence[str], groups: Sequence[str | None]) -> float | None:
    """A folder for each group. Folders with numbers are rather scenes, those without rather classes or places."""
    parents: dict[str, set[str]] = {}
    for name, group in zip(names, groups, strict=True):
        if group is not None:
            folders = [f for f in name.split("/")[:-1] if not re.fullmatch(f"(?i:{_PLACES})", f)]
            parents.setdefault(group, set()).add("/".join(folders))
    if any(len(found) > 1 for found in parents.values()):
        return None  # the same name in several folders is a kind of image, not a group
    tokens = [[t for t in re.split(r"[_\-. ]+", group.lower()) if re.search(r"\d", t)] for group in parents]
    if 2 * sum(not found for found in tokens) > len(tokens):
        return 0.45
    if 2 * sum(all(_NO_GROUP.match(t) for t in found) for found in tokens) > len(tokens):
        return 0.2
    repeats = sum(bool(g) and n.rsplit("/", 1)[-1].startswith(str(g)) for n, g in zip(names, groups, strict=True))
    return 0.8 if repeats > 0.8 * len(names) else 0.5


def _copied(names: Sequence[str], groups: Sequence[str | None]) -> float | None:
    """Copies name how they were made; at least a few must, each with another of its group."""
    sizes = Counter(groups)
    ending = re.compile(rf"(?i)[_\-. ](?:{_COPY})[_-]?\d*$|\.rf\.[0-9a-f]+$")
    copies = sum(bool(ending.search(n)) and sizes[g] > 1 for n, g in zip(names, groups, strict=True))
    return 0.9 if copies >= max(3, 0.02 * len(names)) else None


def _paired(names: Sequence[str], groups: Sequence[str | None]) -> float | None:
    """Left and right of one thing: two of each, hardly ever more."""
    sizes = Counter(group for group in groups if group is not None)
    pairs = sum(size == 2 for size in sizes.values())
    return 0.85 if pairs >= 0.7 * len(sizes) else None


def _tiled(names: Sequence[str], groups: Sequence[str | None]) -> float | None:
    """Tiles of a picture: a word says so, or two numbers at the end that fill a grid in each picture."""
    if len(names) < 2 * len({*groups}):
        return None
    said = re.compile(rf"(?i)[_\-. ](?:{_TILE})[_\-]?\d|[xyr][_\-]?\d+[_\-]?[xyc][_\-]?\d+$|row[_\-]?\d+[_\-]?col")
    if sum(bool(said.search(name)) for name in names) > 0.8 * len(names):
        return 0.85
    cells: dict[str, set[tuple[str, str]]] = {}
    for name, group in zip(names, groups, strict=True):
        if group is not None and (hit := re.search(r"(\d+)[_\-](\d+)$", name)):
            cells.setdefault(group, set()).add((hit[1], hit[2]))
    return 0.85 if sum(_is_grid(of) for of in cells.values()) > 0.8 * len(cells) else 0.5


def _is_grid(cells: set[tuple[str, str]]) -> bool:
    """Whether at least half of a grid of two rows and two columns or more is there."""
    rows, columns = ({cell[axis] for cell in cells} for axis in (0, 1))
    return min(len(rows), len(columns)) > 1 and 2 * len(cells) >= len(rows) * len(columns)


# In order of precedence among equals: what is coarser goes first.
_RULES: Final = (
    _Rule(
        rf"(?i)(?:^|/)([^/]*?(?<![a-z])(?:{_GROUP})(?:[_\- ][a-z]{{0,3}})?\d+[a-z]{{0,2}})(?![a-z0-9])",
        "names say patient, scene, video or the like",
        0.85,
        judge=_worded,
    ),
    _Rule(
        rf"(?i)(?:^|/)([^/]+?)(?:\.rf\.[0-9a-f]+|(?:[_\-. ](?:{_COPY})[_-]?\d*)*)$",
        "augmented copies of one image",
        0.9,
        shared=0.0,
        judge=_copied,
    ),
    _Rule(
        rf"(?i)(?:^|/)([^/]+?)[_\-. ]+(?:(?:{_TILE})[_\-]?\d+(?:[_\-x]\d+)*|[xry][_\-]?\d+[_\-]?[ycx][_\-]?\d+|"
        r"row[_\-]?\d+[_\-]?col[_\-]?\d+|\d+[_\-]\d+)$",
        "tiles of one picture",
        0.8,
        judge=_tiled,
    ),
    _Rule(
        rf"(?i)(?:^|/)([^/]+)(?:/(?:{_PLACES}))*[/_\-. ](?:{_MEMBER})[_\-]?\d+$",
        "frames or slices with a number",
        0.85,
    ),
    _Rule(r"(?i)(?:^|/)([^/]*?[^/_\- ])[_\- ]?(?<![a-z])(?:left|right|l|r|od|os)$", "left and right of one", 0.85,
          judge=_paired),
    _Rule(rf"(?:^|/)([^/]+)(?:/(?i:{_PLACES}))*/[^/]+$", "folders with several images each", 0.5, judge=_foldered),
    _Rule(r"(?:^|/)([^/]+)[_\-. ][A-Za-z]{0,2}\d+$", "a name and a counter", 0.8, judge=_numbered),
)  # fmt: skip
