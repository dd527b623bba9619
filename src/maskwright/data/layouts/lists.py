"""List files: `train.txt`, `val.txt`, `test.txt` with `image mask` a line, as CamVid is published."""

from pathlib import Path

from maskwright.data.layouts.pairing import SPLITS
from maskwright.data.layouts.registry import Entry, Pairs, layouts
from maskwright.errors import DataError
from maskwright.files import IMAGE_SUFFIXES


class Lists:
    """Two paths a line, apart by white space or a comma; relative to the list's folder, whatever stands in front."""

    rank = 10

    def __call__(self, root: Path) -> Pairs | None:
        """The pairs of every list whose name is a split's, or None if no such list has two paths a line."""
        entries: list[Entry] = []
        used = []
        for path in sorted(root.glob("*.txt")):
            split = SPLITS.get(path.stem.lower())
            if split and (found := _read(path, split)):
                entries += found
                used.append(path.name)
        if not entries:
            return None
        reason = f"{', '.join(used)} list an image and a mask a line"
        return Pairs(tuple(entries), reason, marks=tuple(used))


def _read(path: Path, split: str) -> list[Entry]:
    entries: list[Entry] = []
    for number, line in enumerate(path.read_text("utf-8-sig", errors="replace").splitlines(), start=1):
        parts = line.replace(",", " ").split()
        if not parts:
            continue
        if len(parts) != 2 or any(Path(part).suffix.lower() not in IMAGE_SUFFIXES for part in parts):
            if not entries:
                return []  # some other text file
            raise DataError(f"{path}, line {number}: expected an image and a mask, found {line.strip()!r}.")
        image, mask = (_resolve(path, part, number) for part in parts)
        if image == mask:
            raise DataError(f"{path}, line {number}: {image} would be its own mask. Correct the list.")
        entries.append(Entry(image, mask, split))
    return entries


def _resolve(path: Path, part: str, number: int) -> Path:
    # Published lists carry the author's own path in front; what counts is the end of it.
    steps = Path(part.replace("\\", "/")).parts
    for start in range(len(steps)):
        if (found := path.parent.joinpath(*steps[start:])).is_file() and not Path(*steps[start:]).is_absolute():
            return found
    if Path(part).is_file():
        return Path(part)
    raise DataError(f"{path}, line {number}: {part} does not exist. Correct the list or restore the file.")


layouts.register("lists")(Lists())
