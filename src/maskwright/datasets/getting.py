"""From a card to a finished folder: fetched, checked, unpacked, and there only when it is whole.

Everything happens in `.NAME.partial`, a hidden folder beside the data set's own: archives, their growing parts, and
what is being unpacked. It takes its place in one rename. A run that ends early leaves it for the next one to go on.
"""

import importlib.util
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from maskwright.datasets.dataset_card import DatasetCard, Download, card
from maskwright.datasets.transfer import Transfer, need_room, why_not
from maskwright.datasets.unpacking import unpack
from maskwright.errors import DataError, DownloadError, ReadError, SettingError
from maskwright.records import replacing

Progress = Callable[[str, int, int | None], None]
"""Told what is done, bytes so far, and bytes in all, if that is known."""


def get(name: str, to: str | Path = "data", agree: bool = False, progress: Progress | None = None) -> Path:
    """The folder `to`/`name` with the data set in it, fetched if it is not there yet.

    Args:
        name: a card's name.
        to: the folder that data sets lie in.
        agree: that you have read the terms on the card and accept them.
        progress: told of bytes fetched and unpacked.

    Raises:
        SettingError: there is no such data set, its terms are not agreed to, or pooch is missing.
        DataError: the data set is got by hand, or something else lies where it should go; nothing is overwritten.
        DownloadError: a file does not arrive, is not the published one, or does not fit on the disk.
        ReadError: an archive is damaged or dangerous.
    """
    return bring(card(name), Path(to), agree=agree, progress=progress)


def bring(card: DatasetCard, to: Path, *, agree: bool, progress: Progress | None = None) -> Path:
    """As `get`, for a card in hand."""
    if not there(card, to):
        prepare(card, to)
        if not agree:
            raise SettingError(f"{card.name}: {card.terms} Read the terms at {card.homepage} and say agree=True.")
        try:
            _make(card, to, progress)
        except OSError as error:
            raise DownloadError(f"{card.name} cannot be put into {to}: {why_not(error)}") from error
    return to / card.name


def _make(card: DatasetCard, to: Path, progress: Progress | None) -> None:
    folder, work, notes = to / card.name, _work(card, to), _notes(card, to)
    work.mkdir(parents=True, exist_ok=True)
    noted = _read_notes(notes)
    archives = {d: _fetched(d, work, noted, notes, progress) for d in card.downloads}
    fresh = _unpacked(card, archives, work / "unpacked", progress)
    # Not before it is unpacked: an archive that was cut short would be held against every later, whole one.
    _write_notes(notes, {d.file: _sha256(archives[d]) for d in card.downloads if not d.checksum})
    if folder.exists():  # Empty, says `prepare`; were it not, this would be refused. Windows renames onto nothing.
        folder.rmdir()
    fresh.rename(folder)
    shutil.rmtree(work)


def there(card: DatasetCard, to: Path) -> bool:
    """Whether `to`/NAME has all that the card asks for. What `get` makes appears at once and whole."""
    return all((to / card.name / path).exists() for path in card.contains)


def prepare(card: DatasetCard, to: Path) -> None:
    """Nothing if the data set can be fetched to that folder; whatever can be known before is known now.

    Raises:
        DataError, SettingError, DownloadError: as `get`.
    """
    folder = to / card.name
    if card.steps:
        raise DataError(f"{card.name} is got by hand:\n{by_hand(card, to)}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(
            f"{folder} is there, but is not a whole {card.name}, and is left as it is. Move it away, or name another "
            "folder with --to."
        )
    if importlib.util.find_spec("pooch") is None:
        raise SettingError('Downloads need pooch, which is not installed: pip install "maskwright[datasets]"')
    if card.bytes:
        arrived = sum(p.stat().st_size for p in _work(card, to).glob("*") if p.is_file())
        # Pictures hardly shrink when packed: the folder is about as large as its archives.
        need_room(to, 2 * card.bytes - arrived)


def by_hand(card: DatasetCard, to: Path) -> str:
    """The steps that a person takes, numbered."""
    steps = [f"{n}. {step.replace('{folder}', str(to / card.name))}" for n, step in enumerate(card.steps, start=1)]
    return "\n".join([*steps, "In the end it looks like this:", card.layout.rstrip()])


def _fetched(download: Download, work: Path, noted: dict[str, str], notes: Path, progress: Progress | None) -> Path:
    """The archive, with the checksum that was published or noted, if there is one."""
    known = download.checksum or (f"sha256:{noted[download.file]}" if download.file in noted else None)
    transfer = Transfer(
        work / f"{download.file}.part",
        size=download.bytes,
        checked=known is not None,
        tell=(lambda done, total: progress(download.file, done, total)) if progress else None,
    )
    try:
        return _from_anywhere(download, work, known, transfer)
    except ValueError as error:
        wrong = error
    if transfer.resumed:  # the parts may be of two versions of the file
        transfer.resumed = False
        try:
            return _from_anywhere(download, work, known, transfer)
        except ValueError as error:
            wrong = error
    source = f"published: {known}" if download.checksum else f"of the first download: {known}, noted in {notes}"
    way_on = "" if download.checksum else f" If you trust the new file, delete {notes}."
    raise DownloadError(
        f"{download.url} has another checksum than the one {source}. The file was removed. Try again; if it stays so, "
        f"the publisher has replaced it: look at the data set's homepage.{way_on}"
    ) from wrong


def _from_anywhere(download: Download, work: Path, known: str | None, transfer: Transfer) -> Path:
    """The archive from its address or, where that one fails, a mirror. A wrong checksum is pooch's ValueError."""
    import pooch

    failure: DownloadError | None = None
    for url in (download.url, *download.mirrors):
        try:
            with _quiet(pooch.get_logger()):
                return Path(pooch.retrieve(url, known, fname=download.file, path=work, downloader=transfer))
        except DownloadError as error:
            failure = failure or error
    assert failure is not None
    raise failure


def _unpacked(card: DatasetCard, archives: dict[Download, Path], fresh: Path, progress: Progress | None) -> Path:
    """The folder as it will be, still in the hidden one."""
    if fresh.exists():  # of a run that was killed
        shutil.rmtree(fresh)
    try:
        for download, archive in archives.items():
            _unpack_one(download, archive, fresh, progress)
        _complete(card, fresh)
    except BaseException:  # Ctrl-C too leaves nothing half unpacked; it is raised again
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return fresh


def _complete(card: DatasetCard, fresh: Path) -> None:
    missing = [path for path in card.contains if not (fresh / path).exists()]
    if missing:
        raise DataError(
            f"{card.name}: the archives are unpacked, but {', '.join(missing)} is not among their files. The publisher "
            f"has changed them; look at {card.homepage}."
        )


def _unpack_one(download: Download, archive: Path, fresh: Path, progress: Progress | None) -> None:
    def tell(done: int, size: int) -> None:
        if progress:
            progress(f"unpacking {download.file}", done, size)

    try:
        unpack(archive, download.unpack, fresh / download.into, drop=download.drop, tell=tell)
    except ReadError:
        archive.unlink()  # kept, it would be found good the next time: nothing else is known of it
        raise
    except OSError as error:
        raise DownloadError(f"{archive} cannot be unpacked: {why_not(error)} The archive is kept.") from error


def _work(card: DatasetCard, to: Path) -> Path:
    return to / f".{card.name}.partial"


def _notes(card: DatasetCard, to: Path) -> Path:
    """Checksums of the first download, for archives whose publisher names none; as `sha256sum` writes them."""
    return to / f"{card.name}.sha256"


def _read_notes(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    lines = (line.split() for line in path.read_text("utf-8").splitlines())
    return {parts[1]: parts[0] for parts in lines if len(parts) == 2}


def _write_notes(path: Path, checksums: dict[str, str]) -> None:
    if checksums:
        with replacing(path) as temporary:
            temporary.write_text("".join(f"{value}  {file}\n" for file, value in checksums.items()), "utf-8")


def _sha256(path: Path) -> str:
    import pooch

    return str(pooch.file_hash(str(path), alg="sha256"))


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """The lines of pooch left out: what happens is told through `progress`."""
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)
