"""The Hugging Face Hub: the file that a model's name there means, and what goes wrong on the way, in our words."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from maskwright.errors import DownloadError, SettingError
from maskwright.runtimes.packages import demand

MODEL: Final = "model.safetensors"
"""What a model's file is called in its repository, as in its run folder."""
SCHEME: Final = re.compile(r"hf:/{1,2}")
"""How a name on the Hub begins. One slash is what pathlib leaves of two."""


def on_hub(model: str | Path) -> bool:
    """Whether this names a model on the Hub, hf://OWNER/NAME or hf://OWNER/NAME@REVISION, and not a file here."""
    return SCHEME.match(_text(model)) is not None


def located(model: str | Path) -> Path:
    """The path of a model file. One on the Hub lies in the cache of the Hub's own client, which fetches it where it is
    new or has changed; while the Hub cannot be reached, what was fetched before serves.

    Raises:
        SettingError: what follows hf:// is no OWNER/NAME, or the client is not installed.
        DownloadError: there is no such repository or revision, it holds no model of ours, or the Hub cannot be reached
            and nothing was fetched before.
    """
    if not on_hub(model):
        return Path(model)
    repo, _, revision = SCHEME.sub("", _text(model), count=1).partition("@")
    hub = client(repo)
    with telling(repo, "fetched"):
        return Path(hub.hf_hub_download(repo, MODEL, revision=revision or None))


def client(repo: str) -> Any:
    """The Hub's own client, if that is a place there.

    Raises:
        SettingError: it is no OWNER/NAME, or the client is not installed.
    """
    if not re.fullmatch(r"[^/\s]+/[^/\s]+", repo):
        raise _no_place(repo)
    return demand("huggingface_hub", "hub", "The Hugging Face Hub")


@contextmanager
def telling(repo: str, what: str) -> Iterator[None]:
    """A block that talks with the Hub; what goes wrong there is told as ours, with the next step.

    what: pushed, pulled …, the word for what has not been done then.
    """
    import httpx
    from huggingface_hub import errors

    failed = f"{repo} was not {what}"
    try:
        yield
    except errors.HFValidationError as error:
        raise _no_place(repo) from error
    except errors.LocalTokenNotFoundError as error:
        raise DownloadError(f"{failed}: log in to the Hub first, with `hf auth login`.") from error
    except errors.GatedRepoError as error:
        raise DownloadError(
            f"{failed}: its owner shows it to whom they let in. Ask for that on its page, then `hf auth login`."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise DownloadError(
            f"{failed}: the Hub has no such repository, or does not show it to you. Look at its name, and log in with "
            "`hf auth login` if it is private."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise DownloadError(f"{failed}: it has no such revision.") from error
    except errors.LocalEntryNotFoundError as error:
        why = error.__cause__ or error
        raise DownloadError(
            f"{failed}: the Hub cannot be reached ({why}), and it was not fetched before. Try again later."
        ) from error
    except errors.EntryNotFoundError as error:
        raise no_model(repo) from error
    except errors.HfHubHTTPError as error:
        code = error.response.status_code if error.response is not None else "no answer"
        login = " Log in with `hf auth login`, as someone who may do that." if code in {401, 403} else ""
        raise DownloadError(f"{failed}: the Hub says {code}, {error.server_message or error}.{login}") from error
    except (httpx.HTTPError, OSError, RuntimeError) as error:
        # An upload that breaks off is a RuntimeError there, whatever broke it off.
        raise DownloadError(f"{failed}: the Hub cannot be reached ({error}). Try again later.") from error


def no_model(repo: str) -> DownloadError:
    """The error of a repository without a model file."""
    return DownloadError(f"{repo} holds no {MODEL}, so it was not written by maskwright push.")


def _no_place(repo: str) -> SettingError:
    return SettingError(f"{repo!r} is no place on the Hub; write OWNER/NAME.")


def _text(model: str | Path) -> str:
    return model if isinstance(model, str) else model.as_posix()
