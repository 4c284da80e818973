"""What can be drawn: a figure has a name, which stands in a page as ``![what it shows](figure:NAME)``, and a function that draws it."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path

from figures.drawing import Drawing

Draw = Callable[[], Drawing]

FOLDER = Path(__file__).resolve().parent
NAME = re.compile(r'^@figure\("(?P<name>[\w-]+)"\)', re.MULTILINE)

_DRAWN_BY: dict[str, Draw] = {}


def figure(name: str) -> Callable[[Draw], Draw]:
    """Register a function as what draws a figure."""

    def register(draw: Draw) -> Draw:
        _DRAWN_BY[name] = draw
        return draw

    return register


def modules() -> dict[str, str]:
    """The module of each figure, read from the sources: importing them all would start JAX."""
    return {found["name"]: path.stem for path in sorted(FOLDER.glob("*.py")) for found in NAME.finditer(path.read_text())}


def draw(name: str) -> Drawing:
    """A figure, by its name."""
    importlib.import_module(f"figures.{modules()[name]}")
    return _DRAWN_BY[name]()
