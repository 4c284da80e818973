"""The command ``diagnose``: of a finished run, or of a scikit-learn estimator on a table."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

import shoal  # its names load the engine when they are first asked for
from shoal.commands import options
from shoal.commands.messages import print_json, print_text
from shoal.errors import OptionError, Problem, did_you_mean, nearest
from shoal.report import Progress
from shoal.report.diagnosis_text import diagnosis_text
from shoal.saved_run import OPTIONS, check_is_run, to_plain

MODEL = "Model"
EXAMPLE = "sklearn:ensemble.RandomForestClassifier"
METHODS = ("fit", "predict", "get_params", "set_params")
WORDS = {"none": None, "true": True, "false": False}
"""As Python's names are typed in a shell."""
FOR_A_RUN = ("source", "everything", "measure", "as_object", "quiet")
"""Parameters that go with a run; it has been given the others already."""


def diagnose(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="RUN_OR_DATA", help="The folder of a run; or a table, together with --model.", show_default=False)
    ],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"What to diagnose on a table: {EXAMPLE}, or module:Class of another installed package.",
            show_default=False,
            rich_help_panel=MODEL,
        ),
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="A parameter of the model; may be repeated.", show_default=False, rich_help_panel=MODEL
        ),
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", metavar="", help="Give the model the columns as they are, not as numbers.", rich_help_panel=MODEL)
    ] = False,
    seeds: Annotated[str, typer.Option(metavar="N", help="Random states to fit the model from.", rich_help_panel=MODEL)] = "5",
    no_curve: Annotated[
        bool,
        typer.Option("--no-curve", metavar="", help="Leave out the error against the number of rows (24 fits).", rich_help_panel=MODEL),
    ] = False,
    target: options.Target = None,
    task: options.Task = "auto",
    drop: options.Drop = None,
    dev: options.Dev = None,
    test: options.Test = None,
    no_test: options.NoTest = False,
    open_test: Annotated[
        bool, typer.Option("--open-test", metavar="", help="Score the test rows, which are left alone otherwise.", rich_help_panel="Parts")
    ] = False,
    group: options.Group = None,
    time: options.Time = None,
    stratify: options.Stratify = None,
    metric: options.Metric = None,
    target_error: options.TargetError = None,
    seed: options.Seed = "0",
    everything: Annotated[
        bool,
        typer.Option(
            "--all",
            metavar="",
            help="List every finding, what cannot be told, and what is healthy.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = False,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure",
            metavar="",
            help="Of a run: train its recipe on growing parts of its rows and at many learning rates, and keep what that shows.",
            rich_help_panel=options.GOAL,
        ),
    ] = False,
    as_object: options.Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", metavar="", help="No progress.", rich_help_panel=options.OUTPUT)] = False,
) -> None:
    """Say what limits a model, and what to do next.

    Of a finished run this reads the record; nothing is trained, unless --measure
    asks for what the run had no time for. Of a table and a
    scikit-learn estimator it splits the rows as improve does, fits the estimator
    from several random states, and leaves the test rows alone.
    """
    problems = list(options.unknown(context, [source, *context.args]))
    if (Path(source) / OPTIONS).is_file():
        problems += _not_for_a_run(context)
        if problems:
            raise OptionError(*problems)
        if measure:
            with Progress(quiet) as progress:
                found = shoal.measure_more(source, listener=progress)
        else:
            found = shoal.diagnose(source)
    else:
        found = _of_table(context.params, problems)
    if as_object:
        print_json(to_plain(found))
    else:
        print_text(diagnosis_text(found, everything))


def _of_table(typed: dict[str, Any], problems: list[Problem]) -> Any:
    source = typed["source"]
    if typed["model"] is None:
        if Path(source).is_dir() or not (Path(source).exists() or source.startswith("example:")):
            check_is_run(Path(source))
        problems.append(Problem("a table is diagnosed together with a model", f"{source} alone", f"Write, say, --model {EXAMPLE}."))
    if typed["measure"]:
        problems.append(Problem("--measure is for a run", f"the table {source}", "Leave it out: a table's curve is measured anyway."))
    settings = {name: _python(value) for name, value in options.settings("--set", typed["sets"] or [], problems).items()}
    estimator = None if typed["model"] is None else named_estimator(typed["model"], settings, problems)
    asked_for = "--test" if typed["test"] is not None else "--open-test" if typed["open_test"] else ""
    problems += options.contradictions([asked_for, "--no-test"] if asked_for and typed["no_test"] else (), False, False)
    if typed["target"] is not None and len(typed["target"]) > 1:
        problems.append(Problem("a model is diagnosed on one target", ", ".join(map(repr, typed["target"])), "Name one --target."))
    if problems:
        raise OptionError(*problems)
    with Progress(typed["quiet"]) as progress:
        return shoal.diagnose_estimator(
            estimator,
            source,
            target=typed["target"][0] if typed["target"] else None,
            drop=typed["drop"] or (),
            test_size=0 if typed["no_test"] else None,
            target_error=options.number(typed["target_error"], float),
            seed=options.number(typed["seed"], int),
            seeds=options.number(typed["seeds"], int),
            curve=not typed["no_curve"],
            listener=progress,
            **{name: typed[name] for name in ("task", "dev", "test", "group", "time", "stratify", "metric", "open_test", "raw")},
        )


def named_estimator(name: str, settings: dict[str, Any], problems: list[Problem]) -> Any:
    """The estimator of that name with these parameters; everything that is wrong joins the problems.

    Args:
        name: ``sklearn:module.Class``, or ``module:Class`` of any installed package.
        settings: parameters other than their defaults.
        problems: what is known to be wrong already.

    Example:
        >>> named_estimator("sklearn:linear_model.Ridge", {"alpha": 2.0}, [])
        Ridge(alpha=2.0)
    """
    package, _, path = name.partition(":")
    module, _, own = path.rpartition(".")
    whole = f"{'.'.join(filter(None, ('sklearn', module)))}:{own}" if package == "sklearn" else name
    if not all(part.isidentifier() for part in whole.replace(":", ".").split(".")) or ":" not in name:
        problems.append(Problem("--model has the form sklearn:module.Class or module:Class", repr(name), f"Write, say, {EXAMPLE}."))
        return None
    try:
        kind = pkgutil.resolve_name(whole)
    except Exception as error:  # a module may raise anything while it is imported
        missing = isinstance(error, ImportError | AttributeError)
        received = f"{name!r}, which there is not" if missing else f"{name!r}: {type(error).__name__}: {error}"
        remedy = _likeliest(path) if package == "sklearn" else "Check the name, and that the package is installed in this environment."
        problems.append(Problem("--model names a class that can be imported", received, remedy))
        return None
    if not (isinstance(kind, type) and all(callable(getattr(kind, method, None)) for method in METHODS)):
        remedy = _likeliest(path) if package == "sklearn" else f"Name a class with the methods {', '.join(METHODS)}."
        problems.append(Problem("--model names a classifier or regressor", f"{name!r}, which is none", remedy))
        return None
    return _with_parameters(kind, settings, problems)


def _with_parameters(kind: Any, settings: dict[str, Any], problems: list[Problem]) -> Any:
    try:
        estimator = kind()
        known = sorted(estimator.get_params(deep=True))
    except Exception as error:  # a class of another package may raise anything
        received = f"{kind.__name__}: {type(error).__name__}: {error}"
        problems.append(Problem("a model can be made without arguments", received, "Diagnose it from Python: shoal.diagnose_estimator."))
        return None
    requirement = f"--set names a parameter of {kind.__name__}"
    problems += [Problem(requirement, repr(name), did_you_mean(name, known)) for name in settings if name not in known]
    for name, value in ((each, value) for each, value in settings.items() if each in known):
        try:
            estimator.set_params(**{name: value})
            if hasattr(kind, "_parameter_constraints"):
                # scikit-learn says what is wrong with one parameter only, so that they are tried one at a time
                kind().set_params(**{name: value})._validate_params()
        except Exception as error:
            problems.append(Problem(f"{name} is a value that {kind.__name__} takes", repr(value), f"It says: {error}"))
    return estimator


def _likeliest(path: str) -> str:
    from sklearn.utils import all_estimators  # it imports all of scikit-learn, for which only a mistake should wait

    known = {".".join([*_public(kind), name]): name for name, kind in all_estimators(type_filter=["classifier", "regressor"])}
    wanted = path.rpartition(".")[2].lower()
    same = [each for each, name in known.items() if name.lower() == wanted]
    match = same[0] if same else nearest(path, known)
    return f"Write, say, {EXAMPLE}." if match is None else f"Did you mean 'sklearn:{match}'?"


def _public(kind: Any) -> list[str]:
    """The module that a class of scikit-learn is imported from, without the package's own name."""
    return [part for part in kind.__module__.split(".")[1:] if not part.startswith("_")]


def _python(value: Any) -> Any:
    return WORDS.get(value.lower(), value) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


def _not_for_a_run(context: typer.Context) -> Iterator[Problem]:
    given = [name for name in context.params if name not in FOR_A_RUN and _is_typed(context, name)]
    names = {parameter.name: parameter.opts[0] for parameter in context.command.params}
    if given:
        received = ", ".join(names[name] for name in given)
        yield Problem("a run is diagnosed as it is", received, "Leave that out, or give a table instead of a run.")


def _is_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
