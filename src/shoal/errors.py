"""The exceptions that shoal raises on purpose.

::

    ShoalError
    └── InputError            what the user gave cannot be used: exit code 2, no traceback
        ├── OptionError       an option, a recipe setting or a range
        ├── DataError         a file, a table or a column
        └── RunFolderError    a run folder or a model file: missing, tampered with, cut short, or newer

Anything else that escapes is a bug, and is shown as one: a traceback and exit code 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: the requirement, the value received, and what to do next."""

    requirement: str
    received: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.requirement}; received {self.received}. {self.remedy}"


class ShoalError(Exception):
    """Every exception that shoal raises on purpose."""


class InputError(ShoalError, ValueError):
    """What the user gave cannot be used. ``problems`` holds everything that is wrong, not the first thing only.

    Example:
        >>> raise OptionError(Problem("--budget is a time such as 90s", "'soon'", "Write --budget 2m."))
        Traceback (most recent call last):
        ...
        shoal.errors.OptionError: --budget is a time such as 90s; received 'soon'. Write --budget 2m.
    """

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        if len(problems) == 1:
            super().__init__(str(problems[0]))
        else:
            super().__init__(f"{len(problems)} problems:\n" + "\n".join(f"  - {problem}" for problem in problems))


class OptionError(InputError):
    """An option, a recipe setting or a range of a space cannot be used."""


class DataError(InputError):
    """A file, a table or a column cannot be used."""


class RunFolderError(InputError):
    """A run folder or model file is missing, was tampered with, is cut short, or comes from a newer version."""


class NotLogged(UserWarning):
    """A finished run could not be written to a logger; the message says why. The run itself is saved as ever."""


class PicturesLeftOut(UserWarning):
    """Pictures that could not be read have no row in what was asked for; the message names them."""


@contextmanager
def reported_together(problems: list[Problem]) -> Iterator[None]:
    """Whatever is found to be wrong inside is raised together with these problems, and these at the end if nothing else is.

    Args:
        problems: found before; more may be added inside.

    Raises:
        InputError: of the kind that was raised inside, if it names everything; an ``OptionError`` otherwise.

    Example:
        >>> problem = Problem("seeds is at least 1", "0", "Give, say, 5.")
        >>> with reported_together([problem]):
        ...     raise DataError(Problem("a table", "none", "Give one."))
        Traceback (most recent call last):
        ...
        shoal.errors.OptionError: 2 problems:
          - seeds is at least 1; received 0. Give, say, 5.
          - a table; received none. Give one.
    """
    try:
        yield
    except InputError as error:
        problems += [problem for problem in error.problems if problem not in problems]
        raise (type(error) if len(problems) == len(error.problems) else OptionError)(*problems) from None
    if problems:
        raise OptionError(*problems)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like ``name``, or ``None`` when nothing comes close.

    Example:
        >>> nearest("learning_rte", ["learning_rate", "beta1"])
        'learning_rate'
    """
    by_lower = {known_name.lower(): known_name for known_name in known}
    matches = get_close_matches(name.lower(), by_lower, n=1)
    return by_lower[matches[0]] if matches else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence naming the likeliest correction, or listing what is known."""
    known = list(known)
    match = nearest(name, known)
    if match is not None:
        return f"Did you mean {match!r}?"
    more = f" and {len(known) - 12} more" if len(known) > 12 else ""
    return f"Choose from: {', '.join(known[:12])}{more}."
