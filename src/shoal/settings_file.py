"""Settings in text files, as TOML or JSON: reading them, and saying what is wrong with one that cannot be read."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shoal.errors import OptionError, Problem, nearest

SUFFIXES = (".toml", ".json")

LARGEST_FILE = 1_000_000
"""Bytes; a file of settings has a few thousand, and a file far larger is something else."""

ENDLESS = "a number of thousands of digits, or lists in lists in lists"
"""What Python's parsers refuse without naming a line."""


def parse_toml(text: str, kind: str) -> dict[str, Any]:
    """The content of TOML.

    Args:
        text: of the file.
        kind: what it is, such as ``recipe``.

    Raises:
        OptionError: with the line, and what was probably meant.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OptionError(_broken_toml(text, str(error), kind)) from None
    except (ValueError, RecursionError):
        raise OptionError(Problem(f"a {kind} is TOML", ENDLESS, "Write one name = value a line.")) from None


def read_text(path: Path, kind: str, suffixes: tuple[str, ...] = SUFFIXES) -> str:
    """The text of a file of settings.

    Args:
        path: of the file.
        kind: what it is, such as ``recipe``.
        suffixes: what its name may end in.

    Raises:
        OptionError: there is none, it is no text, too large, or cannot be read.
    """
    try:
        if path.is_dir():
            inside = _files_in(path, suffixes)
            remedy = f"Name a file in it, such as {inside[0]}." if inside else "Name a file."
            raise OptionError(Problem(f"a {kind} is a file", f"the folder {str(path)!r}", remedy))
        if path.suffix.lower() not in suffixes:
            raise OptionError(
                Problem(named(kind, suffixes), repr(str(path)), _neighbour(path, suffixes, "Rename it, or choose another file."))
            )
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        remedy = _neighbour(path, suffixes, f"Make one: shoal {kind} new {kind}.toml.")
        raise OptionError(Problem(f"the {kind} file exists", repr(str(path)), remedy)) from None
    except OSError as error:
        received = f"{str(path)!r}: {error.strerror or error}"
        raise OptionError(Problem(f"the {kind} file can be read", received, "Check its name and its permissions.")) from None
    if len(content) > LARGEST_FILE:
        received = f"{str(path)!r}, which is larger than {LARGEST_FILE:,} bytes"
        raise OptionError(Problem(f"a {kind} is a short text", received, "Choose another file."))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        received = f"{str(path)!r}, in which byte {error.start + 1} is none"
        raise OptionError(Problem(f"a {kind} is text in UTF-8", received, "Save it as UTF-8, or choose another file.")) from None


def named(kind: str, suffixes: tuple[str, ...] = SUFFIXES) -> str:
    """The requirement on a file's name.

    Example:
        >>> named("recipe")
        'a recipe file ends in .toml or .json'
    """
    return f"a {kind} file ends in {' or '.join(suffixes)}"


def _files_in(folder: Path, suffixes: tuple[str, ...]) -> list[str]:
    return sorted(each.name for each in folder.iterdir() if each.suffix.lower() in suffixes)


def _neighbour(path: Path, suffixes: tuple[str, ...], otherwise: str) -> str:
    match = nearest(path.name, _files_in(path.parent, suffixes)) if path.parent.is_dir() else None
    return f"Did you mean {str(path.with_name(match))!r}?" if match else otherwise


_SLIPS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"(\w+)\s*=\s*\(([^()]*)\)"), lambda slip: f"Write {slip[1]} = [{slip[2].strip(' ,')}]."),
    (re.compile(r"(\w+)\s*=\s*(?:None|null|none|off)\b"), lambda slip: f"Leave {slip[1]} out to turn it off."),
    (re.compile(r"(\w+)\s*=\s*([A-Za-z_]\w*)\s*(?:#|$)"), lambda slip: f'Write {slip[1]} = "{slip[2]}", in quotes.'),
    (re.compile(r"(\w+)\s*=\s*(\.\d+|\d+\.)(?!\d)"), lambda slip: f"Write {slip[1]} = {float(slip[2])}."),
    (re.compile(r"[\"']?(\w+)[\"']?\s*:\s*([^,]+)"), lambda slip: f"Write {slip[1]} = {slip[2].strip()}."),
)
"""What a broken line looks like, and what was probably meant."""


def _broken_toml(text: str, message: str, kind: str) -> Problem:
    message, _, place = message.rpartition(" (at ")
    digits = re.findall(r"\d+", place)  # of "line 3, column 14)"; none of "end of document)"
    line_number = int(digits[0]) if digits else len(text.rstrip().split("\n"))
    what = f"{message}, column {digits[1]}" if digits else message
    if "overwrite" in what:
        return Problem("a setting is given once", at_line(text, line_number, "given before"), "Leave one of the two out.")
    line = _line(text, line_number)
    corrections = (correct(slip) for looks, correct in _SLIPS if (slip := looks.match(line)))
    return Problem(f"a {kind} is TOML", at_line(text, line_number, what), next(corrections, "Write one name = value a line."))


def _line(text: str, number: int) -> str:
    # not splitlines, which knows more kinds of line end than TOML and JSON do
    return shortened("".join(text.replace("\r\n", "\n").split("\n")[number - 1 : number]))


def at_line(text: str, number: int, what: str) -> str:
    """A line of a file in a message."""
    return f"line {number}, {_line(text, number)!r} ({shortened(what)})"


def shortened(text: str, most: int = 80) -> str:
    """Text from a file for a message: on one line, without control characters, and not long."""
    text = "".join(letter if letter.isprintable() else " " for letter in text).strip()
    return text if len(text) <= most else f"{text[:most]}..."
