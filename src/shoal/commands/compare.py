"""The command that puts runs beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import shoal  # its names load the engine when they are first asked for
from shoal.commands import options
from shoal.commands.messages import print_json, print_text, say
from shoal.commands.pages import open_page
from shoal.errors import OptionError, Problem
from shoal.report import comparison_json, comparison_text, write_comparison


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="The folders of two to ten runs.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the comparison as a page, say compare.html.", show_default=False)
    ] = None,
    force: options.Force = False,
    open_it: Annotated[bool, typer.Option("--open", metavar="", help="Open the page in the browser.")] = False,
    as_object: options.Json = False,
) -> None:
    """Compare runs: their verdicts, scores, recipes, learning curves and time.

    Where runs were scored on the same rows, their differences to the first one come
    with a paired interval.
    """
    problems = [] if out is None else list(options.unwritable("--out", out, force))
    if out is not None and out.suffix.lower() not in (".html", ".htm"):
        problems.append(Problem("--out ends in .html", repr(str(out)), "Write, say, compare.html."))
    if open_it and out is None:
        problems.append(Problem("--open needs the page that it is to open", "no --out", "Add --out compare.html."))
    if problems:
        raise OptionError(*problems)
    records, paired = shoal.compare(runs)
    if out is not None:
        write_comparison(records, paired, out)
    if as_object:
        print_json(comparison_json(records, paired, runs))
    else:
        print_text(comparison_text(records, paired))
    if out is not None:
        say("", "", f"The page: {out}")
    if open_it and out is not None:
        open_page(out.absolute().as_uri())
