"""Arguments that several verbs share, each said once."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maskwright.errors import SettingError

if TYPE_CHECKING:
    from maskwright.tiling import Views

Data = Annotated[Path, typer.Argument(help="Folder of images and masks, or a dataset.yaml.", show_default=False)]
A_MODEL = "a model.safetensors, or one on the Hugging Face Hub: hf://OWNER/NAME, hf://OWNER/NAME@REVISION"
ModelFile = Annotated[str, typer.Argument(help=f"The model: {A_MODEL}.", show_default=False)]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps, or auto: the fastest there is.")]
Devices = Annotated[
    int | None,
    typer.Option(help="Processes on each machine, each with a device of its own.", min=1, show_default=False),
]
Nodes = Annotated[int | None, typer.Option(help="Machines that train together.", min=1, show_default=False)]
Strategy = Annotated[
    str | None,
    typer.Option(
        help="How several devices share the work: ddp, each with the whole network, or fsdp, in shards.",
        show_default=False,
    ),
]
Test = Annotated[
    list[str],
    typer.Option("--test", help="Image to keep for the test, by name or pattern; repeatable.", show_default=False),
]
Val = Annotated[
    list[str], typer.Option("--val", help="Image to validate on, by name or pattern; repeatable.", show_default=False)
]
Skip = Annotated[
    list[str],
    typer.Option("--skip", help="Image or mask to leave out, by name or pattern; repeatable.", show_default=False),
]
Groups = Annotated[
    str | None,
    typer.Option(
        "--groups",
        help="Images that stay in one part: '{group}_*', a regular expression with the group in parentheses, a table "
        "NAME.csv, or none.",
        show_default=False,
    ),
]
Folds = Annotated[
    int | None,
    typer.Option(
        help="In so many parts all images validate in turn; all are trained, unless --fold names one.",
        min=2,
        show_default=False,
    ),
]
Fold = Annotated[int | None, typer.Option(help="The one fold that validates, from 0.", min=0, show_default=False)]
Minutes = Annotated[
    float | None,
    typer.Option(
        help="Budget: minutes from reading the data to the model file, of all folds together.",
        min=0.01,
        show_default=False,
    ),
]
Epochs = Annotated[
    float | None, typer.Option(help="Budget: how often every image is seen.", min=0.001, show_default=False)
]
Memory = Annotated[
    float | None,
    typer.Option(
        help="Gigabytes that training may take: of the machine's memory, or of the GPU's.", min=0.1, show_default=False
    ),
]
Recipe = Annotated[
    str | None,
    typer.Option(
        help="Follow this recipe instead of deciding a plan: a name (see maskwright recipes) or a .yaml file.",
        show_default=False,
    ),
]
Objects = Annotated[
    str | None,
    typer.Option(
        help="How objects that touch are taken apart: border or centre (learned as a class of its own, where masks "
        "tell objects apart), distance (nothing learned), or none. Not given: the plan decides.",
        show_default=False,
    ),
]
Flips = Annotated[
    str | None,
    typer.Option(help="Also look at the image flipped: horizontal, vertical or both.", show_default=False),
]
Turns = Annotated[str | None, typer.Option(help="Also look at it turned: half or quarter.", show_default=False)]
Scales = Annotated[str | None, typer.Option(help="Look at it in these sizes, e.g. 0.75,1,1.25.", show_default=False)]
Workers = Annotated[
    int | None,
    typer.Option(
        help="Processes that read crops beside the training; the result is the same with any number.",
        min=0,
        show_default=False,
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...", help="Settings of the plan, e.g. model.depth=3 optimizer.lr=1e-3", show_default=False
    ),
]


def with_objects(pairs: list[str] | None, objects: str | None) -> list[str]:
    """The settings, with how objects are taken apart, if that was said."""
    return [*(pairs or []), *([] if objects is None else [f"objects={objects}"])]


def views_of(flips: str | None, turns: str | None, scales: str | None) -> "Views | None":
    """The ways to look at images, None if none was said."""
    from maskwright.tiling import Views

    said = {"flips": flips, "turns": turns, "scales": None if scales is None else scales.split(",")}
    given = {key: value for key, value in said.items() if value is not None}
    return Views.read(given, "--flips, --turns, --scales") if given else None


def settings_of(pairs: list[str] | None) -> dict[str, Any]:
    """The settings that `key=value` words mean."""
    settings = {}
    for pair in pairs or []:
        key, sign, value = pair.partition("=")
        if not sign or not key:
            raise SettingError(f"{pair!r} is no setting; write KEY=VALUE, e.g. model.depth=3")
        settings[key] = value
    return settings
