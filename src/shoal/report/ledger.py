"""The ledger of the recipe loop on a terminal: what was asked, what was tried, what it did, what was decided."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from shoal.records import Ledger, LedgerEntry, Run
from shoal.report.wording import difference, duration, effect, one_line, recipe_line, score_span, without_loop

TONES = {"kept": "bold green", "rejected": "", "measured": "dim"}


def ledger_text(run: Run, tries: Sequence[LedgerEntry] = (), explained: bool = False) -> RenderableType:
    """The whole ledger.

    Args:
        run: the record.
        tries: changes that a person has tried since.
        explained: add the method's reasoning to each step.
    """
    ledger = run.ledger
    blocks: list[RenderableType] = []
    if ledger is None:
        blocks.append(Text("One recipe was trained, without the recipe loop: there is no ledger."))
    else:
        blocks.append(Text.assemble(("Begun with  ", "bold cyan"), recipe_line(ledger.begin)))
        blocks += steps_text(ledger.entries, run.metric, explained)
        blocks.append(_end(ledger, run.metric))
    if tries:
        blocks += [Text("Tried by hand", "bold cyan"), *steps_text(tries, run.metric, explained)]
    spaced: list[RenderableType] = []
    for block in blocks:
        spaced += [block, Text()]
    return Group(*spaced[:-1])


def ledger_summary(run: Run) -> RenderableType | None:
    """The ledger in a few lines, for the end of a run: the changes that were kept, and how many were not."""
    ledger = run.ledger
    if ledger is None:
        return None
    if not ledger.entries:
        said = without_loop(run)
        return Text(said, "dim") if said else None
    proposals = [entry for entry in ledger.entries if entry.kind == "proposal"]
    kept = [entry for entry in proposals if entry.decision == "kept"]
    lines = [Text.assemble("  ", (one_line(entry.change), "bold"), f"  dev loss {effect(entry.loss)}") for entry in kept]
    counted = f"{len(proposals)} change{'s' * (len(proposals) != 1)} tried beside as many random ones, {len(kept)} kept; {ledger.stopped}."
    return Group(Text("Recipe loop", "bold cyan"), *lines, Text(counted, "dim"))


def steps_text(entries: Sequence[LedgerEntry], metric: str, explained: bool = False) -> list[RenderableType]:
    """The entries, step by step."""
    blocks: list[RenderableType] = []
    for (step, reason, code), group in groupby(entries, lambda entry: (entry.step, entry.reason, entry.code)):
        listed = list(group)
        head = Text.assemble(
            (f"Step {step}  " if step else "", "bold cyan"), (one_line(reason), "bold"), (f"  {code}" if code else "", "dim")
        )
        head.append(f"  {duration(sum(entry.seconds for entry in listed))}", "dim")
        table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
        table.add_column("change", overflow="fold", max_width=44)
        for name in ("dev loss", "dev error", "train error"):
            table.add_column(name, justify="right")
        table.add_column("decision", no_wrap=True)
        for entry in listed:
            table.add_row(*_cells(entry, metric), style=TONES[entry.decision] if entry.kind != "control" else "dim")
        blocks.append(Group(head, Padding(table, (0, 0, 0, 2))))
        if explained:
            words = dict.fromkeys(entry.explanation for entry in listed if entry.explanation)
            blocks += [Padding(Text(one_line(each), "italic"), (0, 0, 0, 2)) for each in words]
    return blocks


def _cells(entry: LedgerEntry, metric: str) -> tuple[Text, ...]:
    name = f"random: {entry.change}" if entry.kind == "control" else entry.change
    errors = [Text(difference(each, metric).replace(" (", "\n(")) for each in (entry.dev, entry.train)]
    decision = "" if entry.kind == "control" else entry.decision if entry.decision != "measured" else entry.why.partition(";")[0]
    return Text(one_line(name)), Text(effect(entry.loss).replace(" (", "\n(")), *errors, Text(decision)


def _end(ledger: Ledger, metric: str) -> RenderableType:
    lines = [Text.assemble(("Ended with  ", "bold cyan"), recipe_line(ledger.result))]
    for part, (before, after) in ledger.errors.items():
        lines.append(Text(f"  {part} error {score_span(before, metric)} to {score_span(after, metric)}"))
    correction = f"Intervals of the dev loss hold for all {ledger.changes_planned} changes planned together; errors have 95 % intervals."
    return Group(*lines, Text(f"Stopped: {ledger.stopped}.", "dim"), Text(correction, "dim"))
