"""The command line: one file a verb, each parsing, calling the api and printing. Starts without importing torch."""

import os
import sys

import typer

from maskwright._version import __version__
from maskwright.cli import (
    datasets,
    demo,
    ensemble,
    evaluate,
    export,
    inspect,
    plan,
    predict,
    pull,
    push,
    recipes,
    report,
    samples,
    show,
    train,
    tune,
)
from maskwright.cli.console import errors
from maskwright.errors import MaskwrightError, TerminatedError

app = typer.Typer(
    name="maskwright",
    help="A folder of images and masks becomes a U-Net one can trust, and that model masks for any image.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for verb in (
    train, tune, predict, evaluate, ensemble, export, push, pull, inspect, plan, recipes, show, report, samples, demo,
):  # fmt: skip
    name = verb.__name__.rsplit(".", 1)[-1]
    app.command(name)(getattr(verb, name))
app.add_typer(datasets.app, name="datasets")


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Print the version and end.")) -> None:
    if version:
        print(f"maskwright {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line.

    Exit status: 0 well, 1 some inputs failed, 2 a clear error, 130 stopped by Ctrl-C (a training has then written the
    best model so far), 143 stopped by SIGTERM (a training is saved and can be resumed).
    """
    try:
        app()
    except MaskwrightError as error:
        text = "\n".join([str(error), *getattr(error, "__notes__", [])])
        ended = isinstance(error, TerminatedError)
        errors.print(f"[bold red]{'Stopped' if ended else 'Error'}:[/] {_escaped(text)}", soft_wrap=True)
        sys.exit(143 if ended else 2)
    except KeyboardInterrupt:
        errors.print("Stopped.")
        sys.exit(130)
    except BrokenPipeError:  # `maskwright show … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
