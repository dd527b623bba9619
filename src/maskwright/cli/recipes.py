"""maskwright recipes."""

from typing import TYPE_CHECKING, Annotated

import typer

from maskwright.cli.console import console

if TYPE_CHECKING:
    from maskwright.recipes import Recipe


def recipes(
    name: Annotated[str | None, typer.Argument(help="One recipe, whole, as YAML.", show_default=False)] = None,
) -> None:
    """List the recipes: whole systems of others, with their data, their author's number and ours.

    Follow one with: maskwright train DATA --recipe NAME
    """
    from rich.table import Table

    from maskwright import recipes as room

    if name is not None:
        print(room.recipe(name).to_yaml(), end="")
        return
    table = Table(title="recipes", title_justify="left")
    for column in ("recipe", "data", "network", "author's number", "ours", "state"):
        table.add_column(column, overflow="fold")
    for found in room.recipes():
        table.add_row(found.name, found.data, found.title, found.author, ours(found), found.state)
    console.print(table)
    console.print("Follow one: maskwright train DATA --recipe NAME. Its data: maskwright datasets show DATA-SET.")


def ours(recipe: "Recipe") -> str:
    """Our numbers, each with what was made smaller."""
    return "\n".join(f"{recipe.metric} {m.value:.4g} ({m.scale})" for m in recipe.ours) or "–"
