"""What is seen to once the pairs are known, whatever the layout: bands, masks of the field of view, masks of several
channels.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from maskwright.data.class_tables import FILES
from maskwright.data.layouts.evidence import shows_field_of_view
from maskwright.data.layouts.looking import files_in, folders_in, told, tree
from maskwright.data.layouts.pairing import pair
from maskwright.data.layouts.registry import Entry, Pairs
from maskwright.data.layouts.words import band_of, meaning
from maskwright.data.names import relative
from maskwright.data.sources.classed_objects import OBJECTS
from maskwright.errors import DataError, MaskwrightError
from maskwright.files import read_header

_MAYBE_FIELDS = {"mask", "masks"}
_FIELDS = {"fov", "fovs", "fov_mask", "fov_masks", "roi", "rois", "valid_mask", "valid_masks", "field_of_view"}
_LOOKED_AT = 4
_FOLDERS_LOOKED_AT = 50


def refined(root: Path, pairs: Pairs, valid: Sequence[Path], numbers: Sequence[Path] = ()) -> Pairs:
    """The pairs with what else belongs to them, and the notes that tell of it.

    valid: folders that are stated to hold masks of valid pixels. numbers: the same of files that number objects.

    Raises:
        DataError: bands, valid pixels or numbers of objects are stated and not there.
    """
    pairs = _with_valid(root, pairs, valid) if valid else _with_fields_of_view(root, pairs)
    pairs = _with_channels(root, _with_bands(root, pairs))
    return _with_objects(root, pairs, numbers) if numbers else pairs


def field_of_view_taken_for_labels(pairs: Pairs) -> list[Path]:
    """The folders of what a layout took for labels, where it is masks of the field of view by all that is seen."""
    plain = [entry for entry in pairs.entries if entry.mask and entry.source == "mask_file"]
    folders = {entry.mask.parent for entry in plain if entry.mask}
    if not folders or not {folder.name.lower() for folder in folders} <= _MAYBE_FIELDS | _FIELDS:
        return []
    few = _few(plain)
    seen = shows_field_of_view([(entry.image, entry.mask) for entry in few if entry.mask])
    return sorted(folders) if seen else []


def demand_one_folder_of_masks(root: Path, pairs: Pairs) -> None:
    """Nothing, or an error if beside the folder of masks there is another one whose files are called as the images.

    Raises:
        DataError: so it is; names both and what to state.
    """
    plain = [entry for entry in pairs.entries if entry.mask and entry.source == "mask_file"]
    used = {path.parent for e in pairs.entries for path in (e.image, e.mask, e.valid, *e.bands) if path}
    for folder in sorted({entry.mask.parent for entry in plain if entry.mask})[:_FOLDERS_LOOKED_AT]:
        for other in folders_in(folder.parent) if folder != root else []:
            said = meaning(other.name)
            if other in used or said.role != "mask" or said.split != meaning(folder.name).split:
                continue
            images = [entry.image for entry in plain if entry.mask and entry.mask.parent == folder]
            if 2 * len(pair(images, files_in(other))[0]) >= len(images):
                shown = [relative(path, root) for path in (images[0].parent, folder, other)]
                raise DataError(
                    f"Both {shown[1]} and {shown[2]} hold files that are called as the images in {shown[0]}. Say in "
                    f"dataset.yaml which are the masks: images: {shown[0]} and masks: {shown[1]}, or masks: "
                    f"{shown[2]}; or valid: FOLDER if one says where pixels count.",
                    code="which-masks",
                    files=shown[1:],
                )


def _few(entries: Sequence[Entry]) -> list[Entry]:
    step = max(1, len(entries) // _LOOKED_AT)
    return list(entries[::step][:_LOOKED_AT])


def _with_valid(root: Path, pairs: Pairs, folders: Sequence[Path]) -> Pairs:
    shown = ", ".join(relative(folder, root) for folder in folders)
    entries = _attached(pairs.entries, folders)
    found = sum(entry.valid is not None for entry in entries)
    if not found:
        raise DataError(f"dataset.yaml says valid: {told().valid}, but no file of {shown} is called as an image.")
    note = f"pixels that are 0 in {shown} count nowhere, as dataset.yaml says"
    if bare := len(entries) - found:
        note += f"; {bare} images have no such file, and count everywhere"
    return replace(pairs, entries=entries, notes=(*pairs.notes, note))


def _with_objects(root: Path, pairs: Pairs, folders: Sequence[Path]) -> Pairs:
    """The pairs, each mask with the file that numbers its objects."""
    shown = ", ".join(relative(folder, root) for folder in folders)
    of = _called_as(pairs.entries, folders)
    for entry in pairs.entries:
        if entry.mask and entry.source != "mask_file":
            raise DataError(
                f"dataset.yaml says instances: {told().instances}, files that number the objects of mask files; the "
                f"labels of {relative(entry.image, root)} are no mask file. Take the line out."
            )
        if entry.mask and entry.image not in of:
            raise DataError(
                f"dataset.yaml says instances: {told().instances}, but no file of {shown} is called as "
                f"{relative(entry.image, root)}. Add it, or leave the image out with --skip {entry.image.name}.",
                code="unpaired",
                files=[relative(entry.image, root)],
            )
    entries = tuple(
        replace(entry, source="classes_and_objects", parts={OBJECTS: of[entry.image]}) if entry.mask else entry
        for entry in pairs.entries
    )
    note = f"masks name classes, and each object has a number in {shown}, as dataset.yaml says"
    return replace(pairs, entries=entries, notes=(*pairs.notes, note))


def _with_fields_of_view(root: Path, pairs: Pairs) -> Pairs:
    """Masks of the field of view that lie beside the labels, where the pictures bear out what they are called."""
    used = {path.parent for e in pairs.entries for path in (e.mask, *e.parts.values(), *e.rivals) if path}
    for path in [e.mask for e in pairs.entries if e.mask and e.source == "object_files"]:
        used.add(path)
    folders = [
        folder
        for folder, files in tree(root)
        if files and folder not in used and folder != root and folder.name.lower() in _MAYBE_FIELDS | _FIELDS
    ]
    by_name: dict[str, list[Path]] = defaultdict(list)
    for folder in folders:
        by_name[folder.name].append(folder)
    believed = [folder for same in by_name.values() if _are_fields_of_view(same, pairs.entries) for folder in same]
    if not believed:
        return pairs
    shown = ", ".join(relative(folder, root) for folder in believed)
    note = (
        f"{shown} holds masks of the field of view (one big region, the same in every file, black around it in the "
        f"image): pixels outside count nowhere; to say so, or another folder: valid: {believed[0].name} in dataset.yaml"
    )
    return replace(pairs, entries=_attached(pairs.entries, believed), notes=(*pairs.notes, note))


def _are_fields_of_view(folders: Sequence[Path], entries: Sequence[Entry]) -> bool:
    found = [entry for entry in _attached(entries, folders) if entry.valid]
    return shows_field_of_view([(entry.image, entry.valid) for entry in _few(found) if entry.valid])


def _attached(entries: Sequence[Entry], folders: Sequence[Path]) -> tuple[Entry, ...]:
    """The entries with the file of valid pixels that is called as the image."""
    of = _called_as(entries, folders)
    return tuple(replace(entry, valid=of[entry.image]) if entry.image in of else entry for entry in entries)


def _called_as(entries: Sequence[Entry], folders: Sequence[Path]) -> dict[Path, Path]:
    """Image → the file that is called as it, of the folder that stands beside the image's or above."""
    below: dict[Path, list[Path]] = defaultdict(list)
    for entry in entries:
        for parent in entry.image.parents:
            below[parent].append(entry.image)
    of: dict[Path, Path] = {}
    for folder in folders:
        found, _, _ = pair(below[folder.parent], files_in(folder))
        of |= {entry.image: entry.mask for entry in found if entry.mask}
    return of


def _with_bands(root: Path, pairs: Pairs) -> Pairs:
    stated = told().bands
    several = [entry for entry in pairs.entries if entry.bands]
    if not several:
        if stated and not any(entry.image.stem.endswith(stated) for entry in pairs.entries):
            raise DataError(
                f"dataset.yaml says bands: [{', '.join(stated)}], but no image in {root} has a file for each of them. "
                "A band is the end of the file's name: scene_B04.tif has the band _B04."
            )
        return pairs
    shown = ", ".join(_bands_of(several[0]))
    note = f"an image is {1 + len(several[0].bands)} files, its channels in the order {shown}"
    note += " as dataset.yaml says" if stated else f"; for another: bands: [{shown}] in dataset.yaml"
    return replace(pairs, notes=(*pairs.notes, note))


def _bands_of(entry: Entry) -> Iterator[str]:
    for path in (entry.image, *entry.bands):
        found = band_of(path, told().bands)
        yield found[1] if found else path.stem


def _with_channels(root: Path, pairs: Pairs) -> Pairs:
    """Masks of several channels, each 0 or not, are a class a channel."""
    plain = [entry for entry in pairs.entries if entry.mask and entry.source == "mask_file"]
    counts = Counter(_channels(entry.mask) for entry in _few(plain) if entry.mask)
    if set(told().axes or "") & set("ZTN"):  # several planes are pages then
        return pairs
    if not counts or (channels := counts.most_common(1)[0][0]) in {0, 1, 3}:
        return pairs
    entries = tuple(
        replace(e, source="class_channels") if e.mask and e.source == "mask_file" else e for e in pairs.entries
    )
    classes = pairs.classes or {name: (n,) for n, name in enumerate(_channel_names(root, channels))}
    note = (
        f"masks have {channels} channels, each taken as a class; where they overlap, the smaller one is seen (a "
        "network that gives a pixel several classes is not built here)"
    )
    return replace(pairs, entries=entries, classes=classes, notes=(*pairs.notes, note))


def _channel_names(root: Path, channels: int) -> list[str]:
    """Of the background and the channels, as a list of classes names them with or without the background."""
    for path in (root / name for name in FILES):
        lines = path.read_text("utf-8-sig", errors="replace").splitlines() if path.is_file() else []
        names = [line.strip() for line in lines if line.strip()]
        if len(set(names)) == len(names) and len(names) in {channels, channels + 1}:
            return ["background", *names] if len(names) == channels else names
    return ["background", *(f"class_{number}" for number in range(1, channels + 1))]


def _channels(path: Path) -> int:
    try:
        return read_header(path).channels
    except MaskwrightError:
        return 0
