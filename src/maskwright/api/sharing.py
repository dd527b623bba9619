"""Sharing a model: a folder with its card, pushed to the Hugging Face Hub and pulled from there."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from maskwright.errors import SettingError
from maskwright.exports.model_card import model_card
from maskwright.hub import MODEL, client, located, no_model, telling
from maskwright.inference import ensemble
from maskwright.modelfile import Description

FILES: Final = (MODEL, "plan.yaml", "README.md", "report.html")
"""What lies in a shared folder; the report only where the run has one and it is asked for."""
SAID: Final = ("author", "description", "licence", "tags", "use")
"""What only a model's maker can say of it."""


def hub_folder(
    model: str | Path, out: str | Path, *, name: str | None = None, said: Mapping[str, str] | None = None,
    report: bool = False,
) -> Path:  # fmt: skip
    """Write a folder as the Hub holds models: the model file, its plan, and a card with its data, plan, scores, limits
    and licence. Returns its path.

    name: the card's title; none: the data set's name.
    said: what only its maker knows: author, description, licence, tags (with commas) and intended use.
    report: the run's report too, which shows some of the images.

    Raises:
        ModelFileError: it is no model of ours, or is damaged.
        SettingError: `out` holds something, there is no report, or something unknown is said.
    """
    folder = Path(out)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SettingError(f"{folder} is there already and not empty. Give another folder.")
    if unknown := sorted(set(said or {}) - set(SAID)):
        raise SettingError(f"A model card has no {unknown[0]!r}. Known: {', '.join(SAID)}.")
    path = located(model)
    shown = path.with_name("report.html")
    if report and not shown.is_file():
        raise SettingError(f"{path} has no report.html beside it. Push it without the report.")
    about = ensemble.load(path).description  # all of it: a file that does not load is not shared
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, folder / MODEL)
    about.plan.save(folder / "plan.yaml")
    (folder / "README.md").write_text(model_card(about, name or _title(about), said), "utf-8")
    if report:
        shutil.copyfile(shown, folder / shown.name)
    return folder


def push(
    model: str | Path, repo: str, *, said: Mapping[str, str] | None = None, report: bool = False, private: bool = False,
    message: str = "A model by Maskwright",
) -> str:  # fmt: skip
    """Put a model on the Hugging Face Hub, as OWNER/NAME. Returns its address.

    Who you are the Hub's own client knows, after `hf auth login` or from HF_TOKEN. A repository that is not there yet
    is made; of one that is there, only the files written here change.
    private: whether a new repository is seen by you alone. said, report: as for `hub_folder`.

    Raises:
        ModelFileError, SettingError: as for `hub_folder`; nothing has been sent then.
        DownloadError: the Hub refuses, or cannot be reached.
    """
    hub = client(repo)
    with tempfile.TemporaryDirectory() as aside:
        folder = hub_folder(model, Path(aside) / "model", name=repo.partition("/")[2], said=said, report=report)
        with telling(repo, "pushed"):
            api = hub.HfApi()
            made = api.create_repo(repo, private=private, exist_ok=True)
            api.upload_folder(repo_id=repo, folder_path=folder, commit_message=message)
    return str(made)


def pull(repo: str, out: str | Path, *, revision: str | None = None) -> Path:
    """Get a model from the Hugging Face Hub into a folder, which must not hold one yet. Returns the model file's path.

    It is loaded once, which runs nothing and compares it with its golden sample. revision: a branch, tag or commit.

    Raises:
        SettingError: there is a model in the folder already, or `repo` is no OWNER/NAME.
        DownloadError: there is no such repository, it holds no model of ours, or the Hub cannot be reached.
        ModelFileError: the file is damaged.
    """
    hub = client(repo)
    folder = Path(out)
    if (folder / MODEL).exists():
        raise SettingError(f"{folder / MODEL} is there already. Give another --out.")
    with telling(repo, "pulled"):
        hub.snapshot_download(repo, revision=revision, local_dir=folder, allow_patterns=list(FILES))
    if not (folder / MODEL).is_file():
        raise no_model(repo)
    shutil.rmtree(folder / ".cache" / "huggingface", ignore_errors=True)
    ensemble.load(folder / MODEL)
    return folder / MODEL


def _title(about: Description) -> str:
    return f"{about.provenance.get('data', 'images')} U-Net"
