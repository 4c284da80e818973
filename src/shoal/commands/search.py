"""The commands about searching: what a budget buys, and spaces as files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import shoal  # its names load the engine when they are first asked for
from shoal.commands import options
from shoal.commands.messages import print_json
from shoal.errors import OptionError, Problem
from shoal.report import Progress, plan_text, space_text
from shoal.space_file import to_tables

SpaceOption = Annotated[
    str | None,
    typer.Option(
        "--space",
        metavar="FILE",
        help="What to search, as TOML (see [bold]shoal space new[/]); unless stated, what suits the data.",
        show_default=False,
        rich_help_panel=options.GOAL,
    ),
]
Sampler = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="What draws the trials: coarse-to-fine, sobol, halton, random, grid, tpe, gp or cma-es.",
        rich_help_panel=options.GOAL,
    ),
]
Rungs = Annotated[
    str, typer.Option(metavar="NAME", help="How poor trials are stopped: async, halving, hyperband or none.", rich_help_panel=options.GOAL)
]
Final = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="The model: mean of the winner's networks on fresh seeds, single (the best of them), greedy (of all trials, those that "
        "predict best together), or distilled (one network that has learned the answers of that mean).",
        rich_help_panel=options.GOAL,
    ),
]
ContinueFrom = Annotated[
    str | None,
    typer.Option(
        "--continue-from",
        metavar="RUN|STUDY",
        help="Try the best recipes of an earlier run, or of an Optuna study, first.",
        show_default=False,
        rich_help_panel=options.GOAL,
    ),
]
CompareSamplers = Annotated[
    bool,
    typer.Option(
        "--compare-samplers",
        help="Compare grid, random and quasi-random trials on the data as well; a quarter of a budget in time.",
        rich_help_panel=options.GOAL,
    ),
]
Checkpoint = Annotated[
    str,
    typer.Option(
        metavar="WHEN",
        help="What is kept for [bold]shoal resume[/]: every rung, off, or at most once in a time such as 30s.",
        rich_help_panel=options.OUTPUT,
    ),
]
Storage = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="A database in which processes that search together share their trials.",
        show_default=False,
        rich_help_panel=options.OUTPUT,
    ),
]
Study = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Its study; shoal unless stated.", show_default=False, rich_help_panel=options.OUTPUT),
]
Budget = Annotated[
    str, typer.Option("--budget", metavar="AMOUNT", help="How long to work: 90s, 5m, 1h or 200trials.", rich_help_panel=options.GOAL)
]

spaces = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="Write and explain spaces: what a search draws from, in a file.")


def plan(
    context: typer.Context,
    source: options.Source,
    target: options.Target = None,
    task: options.Task = "auto",
    drop: options.Drop = None,
    space: SpaceOption = None,
    sampler: Sampler = "coarse-to-fine",
    rungs: Rungs = "async",
    final: Final = "mean",
    budget: Budget = "2m",
    seed: options.Seed = "0",
    as_object: options.Json = False,
) -> None:
    """Say what a search would do with a budget, without doing it.

    Measures the speed of every shape of network on the data, and says how many
    networks train how long, what each rung costs, and what compiling does.
    """
    problems = list(options.unknown(context, [source, *context.args]))
    if problems:
        raise OptionError(*problems)
    with Progress(as_object) as progress:
        found = shoal.plan_search(
            source,
            target=options.one_or_all(target),
            task=task,
            drop=drop or (),
            space=space,
            sampler=sampler,
            rungs=rungs,
            final=final,
            budget=budget,
            seed=options.number(seed, int),
            listener=progress,
        )
    if as_object:
        print_json(asdict(found))
    else:
        Console().print(plan_text(found))


@spaces.command("new", epilog="Example:  [bold cyan]shoal space new space.toml adult.csv.gz --target income[/]")
def new(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The new file, .toml.", show_default=False)],
    source: options.Source,
    target: options.Target = None,
    task: options.Task = "auto",
    force: options.Force = False,
) -> None:
    """Write the space that a search of a table would have, to be changed by hand."""
    problems = list(options.unwritable("OUT", out, force))
    if out.suffix.lower() != ".toml":
        problems.append(Problem("OUT ends in .toml", repr(str(out)), "Write, say, space.toml."))
    if problems:
        raise OptionError(*problems)
    shoal.write_space(shoal.default_space_of(source, target=options.one_or_all(target), task=task), out, commented=True)
    print(out)  # noqa: T201


@spaces.command("show", epilog="Example:  [bold cyan]shoal space show space.toml[/]  or  [bold cyan]shoal space show adult.csv.gz[/]")
def show(
    source: Annotated[
        str, typer.Argument(metavar="SPACE|DATA", help="A space, .toml; or a table, for the space that suits it.", show_default=False)
    ],
    target: options.Target = None,
    task: options.Task = "auto",
    as_object: options.Json = False,
) -> None:
    """Explain a space: what is drawn from, on what scale, and why."""
    is_space = Path(source).suffix.lower() == ".toml"
    space = shoal.read_space(source) if is_space else shoal.default_space_of(source, target=options.one_or_all(target), task=task)
    if as_object:
        print_json(to_tables(space))
    else:
        Console().print(space_text(space))
