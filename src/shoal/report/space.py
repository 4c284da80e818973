"""Spaces and plans on a terminal: what is drawn from and why, and what a search of it would cost."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from shoal.parameters import Parameter, Range, labelled
from shoal.records import Plan
from shoal.report.wording import duration, one_line
from shoal.space import Space

SCALES = {
    "linear": "linear",
    "integer": "whole numbers",
    "log": "log",
    "log_integer": "whole numbers, log",
    "log_one_minus": "log of 1 - value",
}


def space_text(space: Space) -> RenderableType:
    """A space explained: every parameter with its range, scale and reason, and how many shapes of network it has."""
    lines: list[RenderableType] = []
    for each in space.parameters:
        lines.append(Text.assemble((each.name, "bold cyan"), "  ", *_values(each)))
        if why := _why(each):
            lines.append(Padding(Text(one_line(why), "dim"), (0, 0, 0, 4)))
    count = len(space.families)
    shapes = Text(f"{count} shape{'s' * (count != 1)} of network, each with a program of its own")
    shapes.append("; a small budget takes up the first ones only." if space.by_promise and count > 1 else ".")
    return Group(*lines, Text(), shapes)


def _values(each: Parameter) -> tuple[str, ...]:
    if isinstance(each, Range):
        return (f"{each.low:g} to {each.high:g}, {SCALES[each.scale]}; half the draws up to {each.value(0.5):.4g}",)
    labels = [one_line(str(each.label(value))) for value in each.values]
    return (", ".join(labels),) if max(map(len, labels)) < 20 else ("one of", *(f"\n    {label}" for label in labels))


def _why(each: Parameter) -> str:
    conditions = (f"{name} is {' or '.join(str(labelled(value)) for value in values)}" for name, values in each.when)
    only = f"only where {' and '.join(conditions)}" if each.when else ""
    return "; ".join(filter(None, (each.reason, only)))


def plan_text(plan: Plan) -> RenderableType:
    """A plan: its shapes with what compiling them takes, and its rungs with what each should take."""
    shapes = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    shapes.add_column("shape", overflow="fold")
    for name in ("trials", "at once", "ms a step", "compiling", "rungs, in steps"):
        shapes.add_column(name, justify="right")
    for each in plan.shoals:
        batch = "all rows" if each.batch_size == 0 else str(each.batch_size)
        norm = "" if each.normalisation == "none" else f", {each.normalisation} norm"
        encoding = "" if each.numeric_encoding == "standard" else f", {each.numeric_encoding} encoding"
        filters = f"{', '.join(map(str, each.channels))} filters, " if each.channels else ""
        shapes.add_row(
            f"{filters}{each.hidden_layers} x {each.width} {each.activation}{norm}{encoding}, batch {batch}",
            f"{each.trials:,}",
            str(each.slots),
            "?" if each.step_seconds is None else f"{1000 * each.step_seconds:.2f}",
            "?" if each.compile_seconds is None else duration(each.compile_seconds),
            " / ".join(f"{rung:,}" for rung in each.rungs),
        )
    lines: list[RenderableType] = [Text.assemble(("Plan  ", "bold cyan"), _way(plan)), Text(), shapes, Text()]
    if plan.rung_seconds:
        spent = ", ".join(f"{what}: {duration(seconds)}" for what, seconds in _spent(plan))
        lines.append(Text(f"Should take {duration(sum(plan.rung_seconds))}: {spent}."))
    lines.append(Text(plan.reason, "dim"))
    return Group(*lines)


def _way(plan: Plan) -> str:
    """What is trained, and how much of it."""
    if plan.first_recipes:
        compared = f"the first recipes of {len(plan.shoals)} shapes are compared (caviar), each on {plan.retrains} seeds"
        return f"{compared}; the best of them is trained to its end."
    if plan.trials == 1:
        return f"one recipe on {plan.retrains} seeds, watched over (panda)."
    way = "many networks at once (caviar)" if plan.trials >= 8 else "few networks watched over (panda)"
    drawn = f"{plan.trials:,} trials drawn by {plan.sampler}, rungs: {plan.halving}; {way}"
    return f"{drawn}; the winner again on {plan.retrains} fresh seeds."


def _spent(plan: Plan) -> list[tuple[str, float]]:
    """What the time goes to."""
    *rungs, retraining = plan.rung_seconds
    if plan.first_recipes:
        return [("comparing", rungs[0]), ("the best to its end", retraining)]
    if plan.trials == 1:
        return [("training", retraining)]
    return [*((f"rung {number + 1}", seconds) for number, seconds in enumerate(rungs)), ("retraining", retraining)]
