"""The arguments and options that several commands have, and what can be wrong with them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from shoal.errors import Problem, did_you_mean
from shoal.recipe import OPTIONAL_NUMBERS
from shoal.report.wording import one_line

DATA, SPLIT, GOAL, OUTPUT = "Data", "Parts", "Goal and effort", "Output"
"""Headings of the help."""

ANY_OPTION: dict[str, Any] = {"ignore_unknown_options": True, "allow_extra_args": True}
"""Settings of a command that reports its unknown options itself, all of them."""

Source = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="CSV or TSV (also .gz, .zst), Parquet, Arrow or JSON lines; example:digits, breast-cancer, diabetes or wine; or pictures: "
        "a folder with one folder per class, a table of paths, NPZ or IDX.",
        show_default=False,
    ),
]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run, as [bold]shoal improve[/] printed it.", show_default=False)]
Target = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN",
        help="The column to predict (of pictures their labels); repeated, the columns of several labels.",
        show_default=False,
        rich_help_panel=DATA,
    ),
]
Task = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="auto, classification, regression or multi_label; auto decides from the target.", rich_help_panel=DATA
    ),
]
Drop = Annotated[
    list[str] | None,
    typer.Option(metavar="COLUMN", help="Leave a column out; may be repeated.", show_default=False, rich_help_panel=DATA),
]
Dev = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Rows of your own for choosing between networks.", show_default=False, rich_help_panel=SPLIT),
]
Test = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Rows of your own for the final score, used once.", show_default=False, rich_help_panel=SPLIT),
]
NoTest = Annotated[
    bool,
    typer.Option("--no-test", metavar="", help="Set no test rows aside: more to train on, no honest score.", rich_help_panel=SPLIT),
]
Group = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN", help="Rows of one group (a patient, a shop) stay in one part.", show_default=False, rich_help_panel=SPLIT
    ),
]
Time = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Split by time: the latest rows are the test rows.", show_default=False, rich_help_panel=SPLIT),
]
Stratify = Annotated[
    bool | None,
    typer.Option(
        "--stratify/--no-stratify",
        metavar="",
        help="Keep the classes' shares equal in every part; on for classification.",
        show_default=False,
        rich_help_panel=SPLIT,
    ),
]
DevSize = Annotated[
    str | None,
    typer.Option(
        "--dev-size",
        metavar="N",
        help="Rows for choosing between networks, or their share below 1; by the number of rows unless stated.",
        show_default=False,
        rich_help_panel=SPLIT,
    ),
]
TestSize = Annotated[
    str | None,
    typer.Option("--test-size", metavar="N", help="The same of the rows for the final score.", show_default=False, rich_help_panel=SPLIT),
]
PictureSize = Annotated[
    str | None,
    typer.Option(
        "--picture-size",
        metavar="HxW",
        help="Height and width that pictures are brought to, say 32x32; their median, and at most 64, unless stated.",
        show_default=False,
        rich_help_panel=DATA,
    ),
]
Metric = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="What to report and judge by: error or rmse unless stated.", show_default=False, rich_help_panel=GOAL
    ),
]
TargetError = Annotated[
    str | None,
    typer.Option(metavar="X", help="The error that is possible (human level, or a requirement).", show_default=False, rich_help_panel=GOAL),
]
Seed = Annotated[
    str, typer.Option(metavar="N", help="Same seed: the same result, bit for bit, unless the budget is a time.", rich_help_panel=GOAL)
]
Out = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="The run's new folder; runs/<date>-<name> unless stated.", show_default=False, rich_help_panel=OUTPUT),
]
TensorBoard = Annotated[
    Path | None,
    typer.Option(
        "--tensorboard",
        metavar="DIR",
        help="Write the trials for TensorBoard at the end, each with its settings and curves.",
        show_default=False,
        rich_help_panel=OUTPUT,
    ),
]
MLflow = Annotated[
    str | None,
    typer.Option(
        "--mlflow",
        metavar="URI",
        help="Write the trials and the report to MLflow at the end: a server, or say sqlite:///mlflow.db.",
        show_default=False,
        rich_help_panel=OUTPUT,
    ),
]
Json = Annotated[
    bool, typer.Option("--json", metavar="", help="One JSON object on standard output, instead of the end screen.", rich_help_panel=OUTPUT)
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", metavar="", help="No progress; print the run's folder only.", rich_help_panel=OUTPUT)]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", metavar="", help="Say what was decided about every column, and why.", rich_help_panel=OUTPUT)
]
Force = Annotated[bool, typer.Option("--force", metavar="", help="Replace the file if it exists.")]


def one_or_all(targets: list[str] | None) -> str | list[str] | None:
    """One column to predict, or several, which are labels."""
    return targets[0] if targets and len(targets) == 1 else targets or None


def number(text: str | None, kind: type) -> Any:
    """A number; a text that is none is passed on, and reported with everything else that is wrong."""
    try:
        return kind(text) if text is not None else None
    except ValueError:
        return text


def sides(text: str | None) -> Any:
    """A height and a width typed as ``32x48``; another text is passed on likewise.

    Example:
        >>> sides("32x48"), sides("large")
        ((32, 48), 'large')
    """
    parts = (text or "").lower().split("x")
    return tuple(map(int, parts)) if len(parts) == 2 and all(part.isdecimal() for part in parts) else text


def unknown(context: typer.Context, arguments: list[str]) -> Iterator[Problem]:
    """Options that there are none of, all of them, and arguments too many."""
    known = [name for parameter in context.command.params for name in (*parameter.opts, *parameter.secondary_opts) if name[0] == "-"]
    strangers = [argument.partition("=")[0] for argument in arguments if argument.startswith("-")]
    for name in strangers:
        correction = did_you_mean(name, [each for each in known if each[:2] == "--"])
        yield Problem(f"an option is one of shoal {context.info_name} --help", repr(name), correction)
    if not strangers and len(arguments) > 1:
        received = ", ".join(map(repr, arguments[1:]))
        yield Problem(
            "DATA is one file or folder", f"also {received}", "Put names with blanks in quotes; give further rows as --dev or --test."
        )


def contradictions(tests: Sequence[str], quiet: bool, verbose: bool) -> Iterator[Problem]:
    """Options that exclude each other.

    Args:
        tests: those that say what the test rows are.
        quiet: whether the output is to be less.
        verbose: whether it is to be more.
    """
    if len(tests) > 1:
        yield Problem("the test rows are given, split off or done without", f"both {' and '.join(tests)}", "Leave one of them out.")
    if quiet and verbose:
        yield Problem("the output is less or more", "both --quiet and --verbose", "Leave one of them out.")


def unwritable(name: str, out: Path, force: bool) -> Iterator[Problem]:
    """What stands in the way of a new file.

    Args:
        name: of the option or argument that names it.
        out: the file.
        force: whether it may exist.
    """
    if out.is_dir():
        yield Problem(f"{name} is a file", f"the folder {str(out)!r}", "Name a file in it.")
    elif out.exists() and not force:
        yield Problem(f"{name} is a new file", f"{out}, which exists", "Choose another name, or replace it with --force.")
    if not out.parent.is_dir():
        yield Problem(f"{name} is in a folder that exists", repr(str(out.parent)), "Make that folder first, or choose another.")


def settings(option: str, given: list[str], problems: list[Problem]) -> dict[str, Any]:
    """The settings of a recipe typed as NAME=VALUE; what cannot be read joins the problems.

    Args:
        option: that they were given with.
        given: as typed.
        problems: what is known to be wrong already.
    """
    read: dict[str, Any] = {}
    for text in given:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals):
            problems.append(Problem(f"{option} has the form NAME=VALUE", repr(one_line(text)), f"Write, say, {option} keep_prob=0.8."))
        elif name in read:
            problems.append(Problem("a setting is given once", f"{option} {one_line(name)} twice", "Leave one out."))
        else:
            read[name] = _value(name, value)
    return read


def _value(name: str, text: str) -> Any:
    """A value as a shell lets it be typed: a text without quotes, a list without brackets, ``none`` for what is off."""
    if name in OPTIONAL_NUMBERS and text.lower() in ("none", "off"):
        return None
    return next(_readings(text), text)


def _readings(text: str) -> Iterator[Any]:
    for candidate in (text, f"[{text}]") if "," in text else (text,):
        try:
            read = tomllib.loads(f"value = {candidate}")
        except (ValueError, RecursionError):
            continue
        if read.keys() == {"value"}:  # and no second line
            yield read["value"]
    with suppress(ValueError):
        yield float(text)  # .5, which is none in TOML
