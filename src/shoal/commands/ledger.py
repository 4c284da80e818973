"""The commands about the recipe loop: show a run's ledger, and try a change of one's own."""

from __future__ import annotations

from typing import Annotated

import typer

import shoal  # its names load the engine when they are first asked for
from shoal.commands import options
from shoal.commands.messages import print_json, print_text, say
from shoal.errors import OptionError, Problem
from shoal.report import Progress, ledger_text, steps_text
from shoal.saved_run import read_record, read_tries, to_plain

Explain = Annotated[bool, typer.Option("--explain", metavar="", help="Add the method's reasoning to each step.")]


def ledger(run: options.Run, explain: Explain = False, as_object: options.Json = False) -> None:
    """Show what a run tried, one change at a time, what each change did, and what was kept."""
    record, tries = read_record(run), read_tries(run)
    if as_object:
        print_json({"ledger": to_plain(record.ledger), "tried_by_hand": to_plain(tries)})
    else:
        print_text(ledger_text(record, tries, explain))


def try_change(
    run: options.Run,
    change: Annotated[
        list[str], typer.Option("--change", metavar="NAME=VALUE", help="A setting of the recipe; may be repeated.", show_default=False)
    ],
    seeds: Annotated[str, typer.Option(metavar="N", help="Networks of each recipe.")] = "8",
    explain: Explain = False,
    as_object: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Measure an idea of your own: the run's recipe with and without it, on the same seeds, beside a random change.

    The run's model stays what it is; the result joins the run's ledger.
    """
    problems: list[Problem] = []
    settings = options.settings("--change", change, problems)
    if problems:
        raise OptionError(*problems)
    if isinstance(settings.get("dropout"), int | float):
        kept = 1 - settings["dropout"]
        say("", "", f"dropout {settings['dropout']:g} switches that share of the units off: keep_prob {kept:g}.")
    with Progress(quiet) as progress:
        entry = shoal.try_change(run, settings, seeds=options.number(seeds, int), listener=progress)
    if as_object:
        print_json(to_plain(entry))
        return
    listed = read_tries(run)
    first = max(number for number, each in enumerate(listed) if each.kind == "user")
    for block in steps_text(listed[first:], read_record(run).metric, explain):
        print_text(block)
