"""The commands about recipes: write one, check one, explain one, and check a network's gradients."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

import shoal  # its names load the engine when they are first asked for
from shoal.commands import options
from shoal.commands.messages import BUG, print_text
from shoal.errors import OptionError, Problem
from shoal.explanations import LETTERS, Explanation, describe_diff, explain
from shoal.recipe import Recipe
from shoal.recipe_file import from_settings, read_recipe, write_recipe
from shoal.report.wording import one_line, recipe_line
from shoal.settings_file import SUFFIXES

WIDEST = 100
"""Columns; longer lines are hard to read."""

RecipeArgument = Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe, .toml or .json.", show_default=False)]

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode="rich", help="Write, check and explain recipes: one network and its training in a file."
)


@app.command(epilog="Example:  [bold cyan]shoal recipe new recipe.toml --set keep_prob=0.8 --set hidden_units=50,50[/]")
def new(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The new file, .toml (explained) or .json.", show_default=False)],
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting other than its default; may be repeated.", show_default=False),
    ] = None,
    force: options.Force = False,
) -> None:
    """Write a recipe with every setting in it, each explained."""
    problems = list(options.unwritable("OUT", out, force))
    if out.suffix.lower() not in SUFFIXES:
        problems.append(Problem("OUT ends in .toml or .json", repr(str(out)), "Choose one of these formats, say recipe.toml."))
    recipe = from_settings(options.settings("--set", sets or [], problems), problems)
    write_recipe(recipe, out, commented=True)
    print(out)  # noqa: T201


@app.command(epilog="Example:  [bold cyan]shoal recipe check recipe.toml[/]")
def check(recipe: RecipeArgument) -> None:
    """Say whether a recipe can be used, or everything that is wrong with it."""
    print(one_line(f"{recipe} can be used: {recipe_line(read_recipe(recipe))}"))  # noqa: T201


@app.command("explain", epilog="Example:  [bold cyan]shoal recipe explain recipe.toml --against other.toml[/]")
def explain_recipe(
    recipe: RecipeArgument,
    against: Annotated[
        Path | None, typer.Option(metavar="OTHER", help="Explain only what differs in this other recipe.", show_default=False)
    ] = None,
) -> None:
    """Say in plain words what each setting of a recipe is, and what its value means."""
    if against is None:
        print_text(explanation(read_recipe(recipe)), WIDEST)
    else:
        problems: list[Problem] = []
        mine, theirs = read(recipe, problems), read(against, problems)
        if problems:
            raise OptionError(*problems)
        print_text(comparison(mine, theirs, str(recipe), str(against)), WIDEST)


def check_gradients(recipe: RecipeArgument) -> None:
    """Compare the gradients of a recipe's network with differences of its cost."""
    usable = read_recipe(recipe)  # before the engine is loaded
    found = shoal.check_gradients(usable)
    print(found)  # noqa: T201
    if found.verdict == "wrong":
        raise typer.Exit(BUG)


def read(path: Path, problems: list[Problem]) -> Any:
    """The recipe in a file; what is wrong with it joins the problems, so that it is said along with what else is wrong."""
    try:
        return read_recipe(path)
    except OptionError as error:
        problems += error.problems
        return None


def explanation(recipe: Recipe) -> RenderableType:
    """A recipe on a terminal: what is used at length, what is not on a line each."""
    blocks: list[RenderableType] = []
    for heading, settings in groupby(explain(recipe), lambda each: each.heading):
        blocks += [Text(heading, "bold cyan"), *map(_setting, settings), Text()]
    return Group(*blocks, Text(LETTERS, "dim"))


def comparison(mine: Recipe, theirs: Recipe, my_name: str, their_name: str) -> RenderableType:
    """What differs between two recipes, and what either value means."""
    changed = mine.diff(theirs)
    if not changed:
        return Text(one_line(f"{my_name} and {their_name} are the same recipe."))
    pairs = zip(explain(mine), explain(theirs), strict=True)
    effects = [(old, new) for old, new in pairs if old.name in changed]
    blocks: list[RenderableType] = [Text(one_line(f"{my_name} -> {their_name}"), "bold cyan")]
    for line, (old, new) in zip(describe_diff(mine, theirs), effects, strict=True):
        values = [Text(f"{each.value}: {each.effect}") for each in (old, new) if each.value != "off"]
        blocks += [Text(line), *map(_indented, values)]
    return Group(*blocks)


def _setting(each: Explanation) -> RenderableType:
    line = Table.grid(expand=True, padding=(0, 2))
    line.add_column(overflow="fold")
    line.add_column(justify="right", overflow="fold")
    tone = "bold" if each.in_use else "dim"
    line.add_row(Text.assemble("  ", (f"{each.name} = {each.value}", tone)), Text(each.item, "dim"))
    if not each.in_use:
        return Group(line, _indented(Text(f"{each.meaning} {each.effect.capitalize()}.", "dim")))
    words = Text(f"{each.meaning} {each.value}: {each.effect}.")
    return Group(line, *map(_indented, (words, *(Text(equation, "cyan") for equation in each.formula))))


def _indented(text: Text) -> RenderableType:
    return Padding(text, (0, 0, 0, 4), expand=False)
