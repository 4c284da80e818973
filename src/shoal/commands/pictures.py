"""The command about pictures: look at what augmentation makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

import shoal  # its names load the engine when they are first asked for
from shoal.commands import options, recipes
from shoal.errors import OptionError, Problem
from shoal.recipe_file import from_settings


def augment(
    source: Annotated[
        str, typer.Argument(metavar="PICTURES", help="A folder of pictures, or an NPZ, NPY or IDX file of them.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The new picture, a .png.", show_default=False)],
    recipe: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The recipe whose augmentation is shown; a usual mixture unless stated.", show_default=False),
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="A setting other than the recipe's, say rotation=10; may be repeated.", show_default=False
        ),
    ] = None,
    rows: Annotated[str, typer.Option(metavar="N", help="How many pictures, drawn at random.")] = "8",
    seed: Annotated[str, typer.Option(metavar="N", help="Same seed: the same pictures, changed in the same way.")] = "0",
    force: options.Force = False,
) -> None:
    """Show what augmentation makes of pictures: a row for each, at its left as it is.

    Neither --recipe nor --set: turned by up to 10 degrees, a tenth larger or smaller,
    shifted by up to a tenth, and up to a fifth of brightness, contrast and saturation.
    """
    problems: list[Problem] = list(options.unwritable("--out", out, force))
    if out.suffix.lower() != ".png":
        problems.append(Problem("--out ends in .png", repr(str(out)), "Write, say, preview.png."))
    shown = _shown(recipe, options.settings("--set", sets or [], problems), problems)
    shoal.preview_augmentation(source, out, shown, rows=options.number(rows, int), seed=options.number(seed, int))
    print(out)  # noqa: T201


def _shown(path: Path | None, settings: dict[str, Any], problems: list[Problem]) -> Any:
    """The recipe in a file with other settings, or ``None`` where neither is given.

    Raises:
        OptionError: what is wrong with both, and what was wrong before.
    """
    base = None if path is None else recipes.read(path, problems)
    if settings:
        return from_settings(({} if base is None else base.to_dict()) | settings, problems)
    if problems:
        raise OptionError(*problems)
    return base
