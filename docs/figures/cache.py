"""Figures that are drawn are kept, each for as long as no source that decides what it shows changes."""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path

from figures.registry import modules

DOCS = Path(__file__).resolve().parent.parent
KEPT = DOCS.parent / ".cache" / "figures"
ROOMS = (DOCS, DOCS.parent / "src")
"""Where the sources lie. The package's own table of contents counts for nothing: figures import its modules by their names."""


def file_of(name: str) -> Path:
    """Where a figure is kept once it is drawn: another place as soon as a source of its changes."""
    return KEPT / f"{name}-{_fingerprint(modules()[name])}.html"


def stale() -> list[str]:
    """The figures that are to be drawn, those of one module after each other."""
    return [name for name in modules() if not file_of(name).is_file()]


def sources_of(module: str) -> set[Path]:
    """The source of a module of figures, and of all that it imports, directly or not."""
    found, waiting = set[Path](), [DOCS / "figures" / f"{module}.py"]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported(path)
    return found


@functools.cache
def _fingerprint(module: str) -> str:
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sorted(sources_of(module)))).hexdigest()[:16]


@functools.cache
def _imported(path: Path) -> list[Path]:
    """The sources of the rooms that one imports."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [source for name in names if name != "shoal" for source in _sources(name)]


def _sources(module: str) -> Iterator[Path]:
    for room in ROOMS:
        place = room.joinpath(*module.split("."))
        yield from (path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file())
