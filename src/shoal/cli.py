"""The command line: reads what was typed, calls the package, and says what came of it.

Exit codes: 0 done; 2 something given cannot be used (a message, no traceback); 130 interrupted; 1 a bug (a traceback).
Results go to standard output, everything else to standard error.
"""

from __future__ import annotations

import datetime
import gzip
import io
import json
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

import shoal  # its names load the engine when they are first asked for: see its table of contents
from shoal.errors import InputError, OptionError, Problem, ShoalError, did_you_mean
from shoal.report import Progress, as_json, summary, write_report
from shoal.report.wording import one_line
from shoal.saved_run import (
    MODEL,
    REPORT,
    cannot_create,
    default_path,
    is_complete,
    missing_folders,
    read_record,
    remove_folders,
)
from shoal.storage import write_atomically

UNUSABLE, INTERRUPTED, BUG = 2, 130, 1
TYPED = "shoal.typed"
"""Where a click context keeps the arguments as they were typed."""

WRITERS: dict[str, Callable[[Any, io.BytesIO], None]] = {
    ".csv": lambda frame, file: frame.write_csv(file),
    ".tsv": lambda frame, file: frame.write_csv(file, separator="\t"),
    ".parquet": lambda frame, file: frame.write_parquet(file),
    ".arrow": lambda frame, file: frame.write_ipc(file),
    ".feather": lambda frame, file: frame.write_ipc(file),
    ".jsonl": lambda frame, file: frame.write_ndjson(file),
}


class Commands(TyperGroup):
    """The commands, with one place where errors turn into messages and exit codes."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keep the arguments as typed, then parse them."""
        ctx.meta[TYPED] = list(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except InputError as error:
            say_problems(error.problems)
            raise typer.Exit(UNUSABLE) from None
        except ShoalError as error:
            say("error: ", "bold red", str(error))
            raise typer.Exit(BUG) from None
        except KeyboardInterrupt:
            say("Interrupted.", "bold yellow")
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    cls=Commands,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

RunArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="The folder of a run, as [bold]shoal improve[/] printed it.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON object instead of the end screen.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", metavar="", help="No progress; print the run's folder only.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", metavar="", help="Say what was decided about every column, and why.")]

DATA, SPLIT, GOAL, OUTPUT = "Data", "Parts", "Goal and effort", "Output"


def main() -> None:
    """The entry point ``shoal``."""
    app(prog_name="shoal")


def _say_version(asked: bool) -> None:
    if asked:
        print(f"shoal {shoal.__version__}")  # noqa: T201
        raise typer.Exit


@app.callback()
def shoal_command(
    version: Annotated[
        bool, typer.Option("--version", metavar="", help="Print the version.", is_eager=True, callback=_say_version)
    ] = False,
) -> None:
    """Make the neural network for your data as good as it can be, with the evidence.

    Begin with  [bold cyan]shoal improve FILE --target COLUMN[/]
    or, for a first look, [bold cyan]shoal improve example:wine[/].
    """


@app.command(
    epilog="Example:  [bold cyan]shoal improve adult.csv.gz --target income --budget 5m[/]",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
def improve(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="CSV or TSV (also .gz, .zst), Parquet, Arrow or JSON lines; or example:digits, breast-cancer, diabetes or wine.",
            show_default=False,
        ),
    ],
    target: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column to predict.", show_default=False, rich_help_panel=DATA)
    ] = None,
    task: Annotated[
        str,
        typer.Option(metavar="NAME", help="auto, classification or regression; auto decides from the target.", rich_help_panel=DATA),
    ] = "auto",
    drop: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Leave a column out; may be repeated.", show_default=False, rich_help_panel=DATA),
    ] = None,
    dev: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Rows of your own for choosing between networks.", show_default=False, rich_help_panel=SPLIT),
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Rows of your own for the final score, used once.", show_default=False, rich_help_panel=SPLIT),
    ] = None,
    no_test: Annotated[
        bool,
        typer.Option("--no-test", metavar="", help="Set no test rows aside: more to train on, no honest score.", rich_help_panel=SPLIT),
    ] = False,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="Rows of one group (a patient, a shop) stay in one part.", show_default=False, rich_help_panel=SPLIT
        ),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Split by time: the latest rows are the test rows.", show_default=False, rich_help_panel=SPLIT),
    ] = None,
    stratify: Annotated[
        bool | None,
        typer.Option(
            "--stratify/--no-stratify",
            metavar="",
            help="Keep the classes' shares equal in every part; on for classification.",
            show_default=False,
            rich_help_panel=SPLIT,
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="What to report and judge by: error or rmse unless stated.", show_default=False, rich_help_panel=GOAL
        ),
    ] = None,
    target_error: Annotated[
        str | None,
        typer.Option(
            metavar="X", help="The error that is possible (human level, or a requirement).", show_default=False, rich_help_panel=GOAL
        ),
    ] = None,
    budget: Annotated[str, typer.Option(metavar="AMOUNT", help="How long to work: 90s, 5m, 1h or 200trials.", rich_help_panel=GOAL)] = "2m",
    seed: Annotated[
        str, typer.Option(metavar="N", help="Same seed and budget in trials: the same result, bit for bit.", rich_help_panel=GOAL)
    ] = "0",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="The run's new folder; runs/<date>-<name> unless stated.", show_default=False, rich_help_panel=OUTPUT
        ),
    ] = None,
    as_object: Annotated[
        bool,
        typer.Option("--json", metavar="", help="One JSON object on standard output, instead of the end screen.", rich_help_panel=OUTPUT),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", metavar="", help="No progress; print the run's folder only.", rich_help_panel=OUTPUT)
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", metavar="", help="Say what was decided about every column, and why.", rich_help_panel=OUTPUT)
    ] = False,
) -> None:
    """Make a network for a table, and say what limits it.

    Reads the table, splits its rows, trains many networks at once, trains the
    best recipe again on fresh seeds, and scores the test rows once. The model
    and a report are saved in a folder of their own.
    """
    problems = [*_unknown_options(context, [source, *context.args]), *_contradictions(no_test and test is not None, quiet, verbose)]
    if problems:
        raise OptionError(*problems)
    folder = out if out is not None else default_path(Path(source).name, datetime.datetime.now())
    made = missing_folders(folder) if cannot_create(folder) is None else ()
    with _keeping(folder, made), Progress(quiet) as progress:
        result = shoal.improve(
            source,
            target=target,
            task=task,
            dev=dev,
            test=test,
            drop=drop or (),
            group=group,
            time=time,
            stratify=stratify,
            test_size=0 if no_test else None,
            metric=metric,
            target_error=_number(target_error, float),
            budget=budget,
            seed=_number(seed, int),
            out=folder,
            listener=progress,
            command=shlex.join(["shoal", *context.meta[TYPED]]),
        )
    _show_result(result, folder, as_object, quiet, verbose)


@app.command(epilog="Example:  [bold cyan]shoal predict runs/adult new.csv --out predictions.csv --proba[/]")
def predict(
    run: RunArgument,
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="New rows, in any format that improve reads; other columns do no harm.", show_default=False),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help=f"Where to: {', '.join(WRITERS)}, or .csv.gz; CSV on standard output unless stated.", show_default=False
        ),
    ] = None,
    proba: Annotated[bool, typer.Option("--proba", metavar="", help="Add a column p_<class> with the probability of each class.")] = False,
    force: Annotated[bool, typer.Option("--force", metavar="", help="Replace the file if it exists.")] = False,
) -> None:
    """Predict new rows with a run's model, in the file's row order."""
    if out is not None and (problems := list(_unwritable(out, force))):
        raise OptionError(*problems)
    read_record(run)
    predictions = shoal.Model.load(run / MODEL).predict(file, proba)
    if out is None:
        sys.stdout.write(predictions.write_csv())
        return
    content = io.BytesIO()
    zipped = out.suffix.lower() == ".gz"
    WRITERS[Path(out.stem if zipped else out.name).suffix.lower()](predictions, content)
    write_atomically(out, gzip.compress(content.getvalue(), mtime=0) if zipped else content.getvalue())
    say("", "", f"{predictions.height:,} prediction{'s' * (predictions.height != 1)} written to {out}")


@app.command(epilog="Example:  [bold cyan]shoal report runs/adult[/]")
def report(run: RunArgument) -> None:
    """Write a run's report.html afresh, and print where it is."""
    write_report(read_record(run), run / REPORT)
    print(run / REPORT)  # noqa: T201


@app.command(epilog="Example:  [bold cyan]shoal resume runs/adult[/]")
def resume(run: RunArgument, as_object: Json = False, quiet: Quiet = False, verbose: Verbose = False) -> None:
    """Continue an interrupted run to the result that it would have had."""
    if problems := list(_contradictions(False, quiet, verbose)):
        raise OptionError(*problems)
    with _keeping(run, ()), Progress(quiet) as progress:
        result = shoal.resume(run, listener=progress)
    _show_result(result, run, as_object, quiet, verbose)


@app.command(epilog="Example:  [bold cyan]shoal show runs/adult --verbose[/]")
def show(run: RunArgument, as_object: Json = False, verbose: Verbose = False) -> None:
    """Show a run's result again, on one screen."""
    record = read_record(run)
    if as_object:
        _print_json(as_json(record, run))
    else:
        Console().print(summary(record, run, verbose))


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
def _keeping(folder: Path, made: tuple[Path, ...]) -> Iterator[None]:
    """Around the work on a run: what was finished is kept and said to be; where nothing was, nothing is left behind."""
    try:
        yield
    except (InputError, KeyboardInterrupt) as error:
        if is_complete(folder) or _has_finished_trials(folder):
            if made or isinstance(error, KeyboardInterrupt):
                say("", "", f"What was finished is kept. Continue with: {shlex.join(['shoal', 'resume', str(folder)])}")
        else:
            remove_folders(made)
        raise


def _has_finished_trials(folder: Path) -> bool:
    trials = folder / "trials"
    return trials.is_file() and trials.stat().st_size > 0


def _show_result(result: Any, folder: Path, as_object: bool, quiet: bool, verbose: bool) -> None:
    write_report(result.record, folder / REPORT)
    if as_object:
        _print_json(as_json(result.record, folder))
    elif quiet:
        print(folder)  # noqa: T201
    else:
        Console().print(summary(result.record, folder, verbose))


def _print_json(content: dict[str, Any]) -> None:
    # escaped beyond ASCII, so that no terminal's or pipe's encoding stands in the way
    print(json.dumps(content, allow_nan=False, indent=2))  # noqa: T201


def _unknown_options(context: typer.Context, arguments: list[str]) -> Iterator[Problem]:
    """Options that there are none of, all of them, and arguments too many."""
    known = [name for parameter in context.command.params for name in (*parameter.opts, *parameter.secondary_opts) if name[0] == "-"]
    unknown = [argument.partition("=")[0] for argument in arguments if argument.startswith("-")]
    for name in unknown:
        yield Problem(
            "an option is one of shoal improve --help", repr(name), did_you_mean(name, [each for each in known if each[:2] == "--"])
        )
    if not unknown and len(arguments) > 1:
        received = ", ".join(map(repr, arguments[1:]))
        yield Problem("DATA is one file", f"also {received}", "Put names with blanks in quotes; give further rows as --dev or --test.")


def _contradictions(two_tests: bool, quiet: bool, verbose: bool) -> Iterator[Problem]:
    if two_tests:
        yield Problem("the test rows are given or done without", "both --test and --no-test", "Leave one of them out.")
    if quiet and verbose:
        yield Problem("the output is less or more", "both --quiet and --verbose", "Leave one of them out.")


def _number(text: str | None, kind: type) -> Any:
    """A number; a text that is none is passed on, and reported with everything else that is wrong."""
    try:
        return kind(text) if text is not None else None
    except ValueError:
        return text


def _unwritable(out: Path, force: bool) -> Iterator[Problem]:
    """What stands in the way of a new file of predictions."""
    suffix = Path(out.stem if out.suffix.lower() == ".gz" else out.name).suffix.lower()
    if suffix not in WRITERS or (out.suffix.lower() == ".gz" and suffix not in (".csv", ".tsv", ".jsonl")):
        yield Problem(f"--out ends in {', '.join(WRITERS)}", repr(str(out)), "Choose one of these formats, say predictions.csv.")
    if out.is_dir():
        yield Problem("--out is a file", f"the folder {str(out)!r}", "Name a file in it.")
    elif out.exists() and not force:
        yield Problem("--out is a new file", f"{out}, which exists", "Choose another name, or replace it with --force.")
    if not out.parent.is_dir():
        yield Problem("--out is in a folder that exists", repr(str(out.parent)), "Make that folder first, or choose another.")
