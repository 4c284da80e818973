"""The command line: reads what was typed, calls the package, and says what came of it.

Exit codes: 0 done; 2 something given cannot be used (a message, no traceback); 130 interrupted, or stopped early with a model; 1 a bug
(a traceback).
Results go to standard output, everything else to standard error.
"""

from __future__ import annotations

import datetime
import gzip
import io
import shlex
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from typer.core import TyperGroup

import shoal  # its names load the engine when they are first asked for: see its table of contents
from shoal.commands import compare, diagnose, ledger, options, pages, pictures, process, recipes, refit
from shoal.commands import search as searching
from shoal.commands.messages import BUG, INTERRUPTED, UNUSABLE, print_json, say, say_problems, saying_warnings
from shoal.commands.stopping import heeded, heeding_signals
from shoal.errors import InputError, OptionError, PicturesLeftOut, Problem, ShoalError
from shoal.report import Progress, as_json, summary
from shoal.saved_run import (
    MODEL,
    REFITTED,
    cannot_create,
    default_path,
    has_record,
    missing_folders,
    read_record,
    remove_folders,
)
from shoal.storage import write_atomically

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


def main() -> None:
    """The entry point ``shoal``."""
    process.run(lambda: app(prog_name="shoal"))


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


@app.command(epilog="Example:  [bold cyan]shoal improve adult.csv.gz --target income --budget 5m[/]", context_settings=options.ANY_OPTION)
def improve(
    context: typer.Context,
    source: options.Source,
    target: options.Target = None,
    task: options.Task = "auto",
    drop: options.Drop = None,
    dev: options.Dev = None,
    test: options.Test = None,
    no_test: options.NoTest = False,
    group: options.Group = None,
    time: options.Time = None,
    stratify: options.Stratify = None,
    dev_size: options.DevSize = None,
    test_size: options.TestSize = None,
    picture_size: options.PictureSize = None,
    metric: options.Metric = None,
    target_error: options.TargetError = None,
    recipe: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What you have so far: where the recipe loop begins, instead of a sound small network.",
            show_default=False,
            rich_help_panel=options.GOAL,
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="AMOUNT",
            help="How long to work: 90s, 5m, 1h or 200trials. By default 15s for a table of up to 50,000 training rows, and up to 2m for "
            "more, for pictures and with --recipe.",
            show_default=False,
            rich_help_panel=options.GOAL,
        ),
    ] = None,
    final: searching.Final = "mean",
    explain: Annotated[
        bool, typer.Option("--explain", metavar="", help="Give the method's reasoning for each step.", rich_help_panel=options.OUTPUT)
    ] = False,
    seed: options.Seed = "0",
    out: options.Out = None,
    tensorboard: options.TensorBoard = None,
    mlflow: options.MLflow = None,
    as_object: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Make a network for a table, and say what limits it.

    Reads the table or the pictures, splits the rows, and carries out the basic
    recipe: finds what is wrong, changes one thing at a time, keeps what provably
    helps. Then it searches around the result with many networks at once, trains
    the best recipe again on fresh seeds, and scores the test rows once. The model
    and a report are saved in a folder of their own.
    """
    problems: list[Problem] = []
    begin = None if recipe is None else recipes.read(recipe, problems)
    _run(context, "improve", problems, budget=budget, begin=begin, final=final)


@app.command(
    epilog="Example:  [bold cyan]shoal search adult.csv.gz --target income --space space.toml --budget 5m[/]",
    context_settings=options.ANY_OPTION,
)
def search(
    context: typer.Context,
    source: options.Source,
    target: options.Target = None,
    task: options.Task = "auto",
    drop: options.Drop = None,
    dev: options.Dev = None,
    test: options.Test = None,
    no_test: options.NoTest = False,
    group: options.Group = None,
    time: options.Time = None,
    stratify: options.Stratify = None,
    dev_size: options.DevSize = None,
    test_size: options.TestSize = None,
    picture_size: options.PictureSize = None,
    metric: options.Metric = None,
    target_error: options.TargetError = None,
    space: searching.SpaceOption = None,
    sampler: searching.Sampler = "coarse-to-fine",
    rungs: searching.Rungs = "async",
    budget: searching.Budget = "2m",
    final: searching.Final = "mean",
    compare_samplers: searching.CompareSamplers = False,
    continue_from: searching.ContinueFrom = None,
    seed: options.Seed = "0",
    out: options.Out = None,
    tensorboard: options.TensorBoard = None,
    mlflow: options.MLflow = None,
    checkpoint: searching.Checkpoint = "rung",
    storage: searching.Storage = None,
    study: searching.Study = None,
    as_object: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Search hyperparameters: many networks at once, the best of them longer.

    Draws trials from a space, stops the poor ones at rungs, trains the best recipe
    again on fresh seeds, and scores the test rows once. Then it says what mattered,
    how much was luck, and what more trials would bring.
    """
    own = {
        "final": final,
        "compare_samplers": compare_samplers,
        "continue_from": continue_from,
        "storage": storage,
        "study": study,
        "checkpoint": checkpoint,
    }
    _run(context, "search", [], space=space, sampler=sampler, rungs=rungs, budget=budget, **own)


@app.command(
    epilog="Example:  [bold cyan]shoal train adult.csv.gz --target income --recipe recipe.toml[/]", context_settings=options.ANY_OPTION
)
def train(
    context: typer.Context,
    source: options.Source,
    recipe: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="What to train; see [bold]shoal recipe new[/].", show_default=False, rich_help_panel=options.GOAL
        ),
    ],
    target: options.Target = None,
    task: options.Task = "auto",
    drop: options.Drop = None,
    dev: options.Dev = None,
    test: options.Test = None,
    no_test: options.NoTest = False,
    group: options.Group = None,
    time: options.Time = None,
    stratify: options.Stratify = None,
    dev_size: options.DevSize = None,
    test_size: options.TestSize = None,
    picture_size: options.PictureSize = None,
    metric: options.Metric = None,
    target_error: options.TargetError = None,
    seeds: Annotated[
        str, typer.Option(metavar="N", help="Networks to train, each from a seed of its own.", rich_help_panel=options.GOAL)
    ] = "5",
    seed: options.Seed = "0",
    out: options.Out = None,
    tensorboard: options.TensorBoard = None,
    mlflow: options.MLflow = None,
    as_object: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Train one recipe on a table, without a search.

    Reads the table, splits its rows, trains the recipe on several seeds at once,
    and scores the test rows once. The model and a report are saved in a folder
    of their own.
    """
    problems: list[Problem] = []
    _run(context, "train", problems, recipe=recipes.read(recipe, problems), seeds=options.number(seeds, int))


@app.command(epilog="Example:  [bold cyan]shoal predict runs/adult new.csv --out predictions.csv --proba[/]")
def predict(
    run: options.Run,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="New rows, in any format that improve reads, a folder of pictures too; other columns do no harm.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help=f"Where to: {', '.join(WRITERS)}, or .csv.gz; CSV on standard output unless stated.", show_default=False
        ),
    ] = None,
    proba: Annotated[bool, typer.Option("--proba", metavar="", help="Add a column p_<class> with the probability of each class.")] = False,
    spread: Annotated[
        bool,
        typer.Option(
            "--spread",
            metavar="",
            help="Add a column with the uncertainty between the networks: the standard deviation of their values, "
            "or of the probabilities that they give the predicted class.",
        ),
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", metavar="", help="Say whether the new rows are like those that the model was trained on.")
    ] = False,
    refitted: Annotated[
        bool, typer.Option("--refitted", metavar="", help="With the model that shoal refit RUN trained on the dev rows as well.")
    ] = False,
    force: options.Force = False,
) -> None:
    """Predict new rows with a run's model, in the file's row order."""
    problems = [] if out is None else list(_unwritable(out, force))
    if refitted and has_record(run) and not (run / REFITTED).is_dir():
        problems.append(Problem("--refitted needs a refitted model", f"{run}, which has none", f"Train it first: shoal refit {run}"))
    if problems:
        raise OptionError(*problems)
    read_record(run)
    model = shoal.Model.load(run / (REFITTED if refitted else MODEL))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", PicturesLeftOut)
        predictions = model.predict(file, proba, spread)
        found = shoal.check_new_rows(model, file) if check else None
    for message in dict.fromkeys(str(each.message) for each in said):
        say("warning: ", "bold yellow", message)
    if found is not None:
        say("", {"no": "green", "yes": "bold red", "cannot tell": "yellow"}[found.differ], found.text)
    if out is None:
        sys.stdout.write(predictions.write_csv())
        return
    content = io.BytesIO()
    zipped = out.suffix.lower() == ".gz"
    WRITERS[Path(out.stem if zipped else out.name).suffix.lower()](predictions, content)
    write_atomically(out, gzip.compress(content.getvalue(), mtime=0) if zipped else content.getvalue())
    say("", "", f"{predictions.height:,} prediction{'s' * (predictions.height != 1)} written to {out}")


@app.command(epilog="Example:  [bold cyan]shoal resume runs/adult[/]")
def resume(run: options.Run, as_object: options.Json = False, quiet: options.Quiet = False, verbose: options.Verbose = False) -> None:
    """Continue a run that was interrupted, or stopped early, to the result that it would have had."""
    if problems := list(options.contradictions((), quiet, verbose)):
        raise OptionError(*problems)
    with _keeping(run, ()), saying_warnings(), heeding_signals() as stop, Progress(quiet) as progress:
        result = shoal.resume(run, listener=heeded(progress, stop), stop=stop)
    _show_result(result, run, as_object, quiet, verbose)


@app.command(epilog="Example:  [bold cyan]shoal show runs/adult --verbose[/]")
def show(run: options.Run, as_object: options.Json = False, verbose: options.Verbose = False) -> None:
    """Show a run's result again, on one screen."""
    record = read_record(run)
    if as_object:
        print_json(as_json(record, run))
    else:
        Console().print(summary(record, run, verbose))


app.command(
    "diagnose",
    epilog="Example:  [bold cyan]shoal diagnose runs/adult[/]  or  [bold cyan]shoal diagnose adult.csv.gz --target income --model "
    "sklearn:ensemble.RandomForestClassifier[/]",
    context_settings=options.ANY_OPTION,
)(diagnose.diagnose)
app.command("report", epilog="Example:  [bold cyan]shoal report runs/adult --open[/]")(pages.report)
app.command("watch", epilog="Example:  [bold cyan]shoal watch runs/adult --open[/]")(pages.watch)
app.command("compare", epilog="Example:  [bold cyan]shoal compare runs/adult runs/adult-2 --out compare.html[/]")(compare.compare)
app.command("ledger", epilog="Example:  [bold cyan]shoal ledger runs/adult --explain[/]")(ledger.ledger)
app.command("try", epilog="Example:  [bold cyan]shoal try runs/adult --change keep_prob=0.8[/]")(ledger.try_change)
app.command("refit", epilog="Example:  [bold cyan]shoal refit runs/adult[/]")(refit.refit)
app.command("check-gradients", epilog="Example:  [bold cyan]shoal check-gradients recipe.toml[/]")(recipes.check_gradients)
app.command(
    "plan", epilog="Example:  [bold cyan]shoal plan adult.csv.gz --target income --budget 5m[/]", context_settings=options.ANY_OPTION
)(searching.plan)
app.command("augment", epilog="Example:  [bold cyan]shoal augment photos --out preview.png --set rotation=10[/]")(pictures.augment)
app.add_typer(recipes.app, name="recipe")
app.add_typer(searching.spaces, name="space")


def _run(context: typer.Context, job: Literal["improve", "search", "train"], problems: list[Problem], **own: Any) -> None:
    """A new run, from what was typed to what is shown.

    The options that all jobs have are read from the context, so that they are passed on in one place.

    Args:
        context: of the command.
        job: name of the function; asking for it loads the engine, which bad options should not wait for.
        problems: what is known to be wrong already.
        own: the job's other arguments.
    """
    typed = context.params
    source, quiet, verbose = typed["source"], typed["quiet"], typed["verbose"]
    problems += options.unknown(context, [source, *context.args])
    tests = {"--test": typed["test"] is not None, "--no-test": typed["no_test"], "--test-size": typed["test_size"] is not None}
    problems += options.contradictions([name for name, is_given in tests.items() if is_given], quiet, verbose)
    if problems:
        raise OptionError(*problems)
    name = Path(source).name or Path(source).resolve().name  # of the folder ".", too
    folder = Path(typed["out"]) if typed["out"] is not None else default_path(name, datetime.datetime.now())
    made = missing_folders(folder) if cannot_create(folder) is None else ()
    with (
        _keeping(folder, made),
        saying_warnings(),
        heeding_signals() as stop,
        Progress(quiet, explain=typed.get("explain", False)) as progress,
    ):
        if job != "train":  # which has nothing to compare, and so no best so far
            own |= {"stop": stop, "started": process.STARTED}
        result = getattr(shoal, job)(
            source,
            target=options.one_or_all(typed["target"]),
            drop=typed["drop"] or (),
            dev_size=options.number(typed["dev_size"], float),
            test_size=0 if typed["no_test"] else options.number(typed["test_size"], float),
            picture_size=options.sides(typed["picture_size"]),
            target_error=options.number(typed["target_error"], float),
            seed=options.number(typed["seed"], int),
            out=folder,
            listener=heeded(progress, stop),
            command=shlex.join(["shoal", *context.meta[TYPED]]),
            **{name: typed[name] for name in ("task", "dev", "test", "group", "time", "stratify", "metric", "tensorboard", "mlflow")},
            **own,
        )
    _show_result(result, folder, typed["as_object"], quiet, verbose)


@contextmanager
def _keeping(folder: Path, made: tuple[Path, ...]) -> Iterator[None]:
    """Around the work on a run: what was finished is kept and said to be; where nothing was, nothing is left behind."""
    try:
        yield
    except (InputError, KeyboardInterrupt) as error:
        if has_record(folder) or _has_finished_trials(folder):
            if made or isinstance(error, KeyboardInterrupt):
                say("", "", f"What was finished is kept. Continue with: {shlex.join(['shoal', 'resume', str(folder)])}")
        else:
            remove_folders(made)
        raise


def _has_finished_trials(folder: Path) -> bool:
    trials = folder / "trials"
    return trials.is_file() and trials.stat().st_size > 0


def _show_result(result: Any, folder: Path, as_object: bool, quiet: bool, verbose: bool) -> None:
    if as_object:
        print_json(as_json(result.record, folder))
    elif quiet:
        print(folder)  # noqa: T201
    else:
        Console().print(summary(result.record, folder, verbose))
    if result.record.stopped:
        raise typer.Exit(INTERRUPTED)


def _unwritable(out: Path, force: bool) -> Iterator[Problem]:
    """What stands in the way of a new file of predictions."""
    suffix = Path(out.stem if out.suffix.lower() == ".gz" else out.name).suffix.lower()
    if suffix not in WRITERS or (out.suffix.lower() == ".gz" and suffix not in (".csv", ".tsv", ".jsonl")):
        yield Problem(f"--out ends in {', '.join(WRITERS)}", repr(str(out)), "Choose one of these formats, say predictions.csv.")
    yield from options.unwritable("--out", out, force)
