"""What the command line says: messages to standard error, JSON to standard output, and the exit code."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from shoal.errors import NotLogged, Problem
from shoal.report.wording import one_line

UNUSABLE, INTERRUPTED, BUG = 2, 130, 1
"""Exit codes."""


def say(lead: str, style: str, text: str = "") -> None:
    """One line on standard error; nothing in it is read as markup."""
    Console(stderr=True).print(Text.assemble((lead, style), one_line(text)), soft_wrap=True)


def say_problems(problems: tuple[Problem, ...]) -> None:
    """What is wrong, one problem a line."""
    console = Console(stderr=True, highlight=False)
    lead = Text("error: ", "bold red")
    if len(problems) > 1:
        console.print(Text.assemble(lead, f"{len(problems)} problems"), soft_wrap=True)
        lead = Text("  - ", "bold red")
    for problem in problems:
        received, remedy = one_line(problem.received), one_line(problem.remedy)
        console.print(Text.assemble(lead, one_line(problem.requirement), "; received ", received, ". ", (remedy, "cyan")), soft_wrap=True)


@contextmanager
def saying_warnings() -> Iterator[None]:
    """What the package warns of becomes a line on standard error; other warnings are shown as ever."""
    with warnings.catch_warnings():
        shown = warnings.showwarning
        warnings.simplefilter("always", NotLogged)

        def show(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
            if issubclass(category, NotLogged):
                say("warning: ", "bold yellow", str(message))
            else:
                shown(message, category, *rest, **more)

        warnings.showwarning = show
        yield


def print_text(content: RenderableType, widest: int = 120) -> None:
    """Text on standard output, in lines that are not too long to read."""
    console = Console(highlight=False)
    console.print(content, width=min(console.width, widest))


def print_json(content: dict[str, Any]) -> None:
    """One JSON object, escaped beyond ASCII, so that no terminal's or pipe's encoding stands in the way."""
    print(json.dumps(content, allow_nan=False, indent=2))  # noqa: T201
