"""The answers after a search, in words: on a terminal and for the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from shoal.interval import Interval, percent
from shoal.measurements.answers import Answers, ArchitectureMap, Edge, Importance
from shoal.report.wording import number, one_line, score_span, setting, span

LOSS = "dev loss"
BARS_SHOWN = 6
BAR_WIDTH = 20
SAMPLERS = {"grid": "grid", "random": "random", "sobol": "quasi-random"}
"""What those that are compared are called."""
TITLES = {
    "winner": "Winner",
    "luck": "Luck",
    "smallest": "Smallest as good",
    "gain": "Twice the trials",
    "best_so_far": "Best so far",
    "top": "Held by chance",
    "importance": "What mattered",
    "interactions": "Together",
    "architecture": "Layers and units",
    "edges": "Ends of ranges",
    "samplers": "Samplers",
}
"""Of each answer, by its name in the record."""


def answers_text(answers: Answers, verbose: bool = False) -> RenderableType:
    """The answers on 15 to 20 lines of a terminal.

    Args:
        answers: the record.
        verbose: add what is told on the page only, and why other things cannot be told.

    Example:
        >>> from rich.console import Console
        >>> Console().print(answers_text(Answers(unknown={"winner": "no recipe was trained again"})))
        Winner  cannot tell: no recipe was trained again
    """
    shown = ("winner", "luck", "smallest", "gain", "interactions", "samplers")
    if verbose:
        shown += ("top", "best_so_far", "architecture", "edges")
    said = sentences(answers)
    blocks: list[RenderableType] = []
    for name in shown:
        if name in said and name != "edges" and (verbose or name != "interactions" or answers.interactions):
            blocks.append(_line(name, said[name]))
        elif name in answers.unknown and (verbose or name in ("winner", "samplers")):
            blocks.append(_line(name, f"cannot tell: {answers.unknown[name]}"))
    if answers.importance is not None:
        blocks.append(_bars(answers.importance.parameters))
        blocks.append(Padding(Text(one_line(course_words(answers)), "dim"), (0, 0, 0, 2)))
    elif "importance" in answers.unknown:
        blocks.append(_line("importance", f"cannot tell: {answers.unknown['importance']}"))
    blocks += [Text.assemble(("Edge  ", "bold yellow"), one_line(edge_words(edge))) for edge in answers.edges]
    return Group(*blocks)


def sentences(answers: Answers) -> dict[str, str]:
    """Each answer that is told in sentences, by its name in the record."""
    told = {
        "winner": _winner(answers),
        "luck": _luck(answers),
        "smallest": _smallest(answers),
        "gain": _gain(answers),
        "top": _top(answers),
        "interactions": _interactions(answers),
        "edges": " ".join(map(edge_words, answers.edges)),
        "samplers": _samplers(answers),
    }
    return {name: text for name, text in told.items() if text}


def _winner(answers: Answers) -> str:
    winner = answers.winner
    if winner is None:
        return ""
    text = f"{LOSS} {score_span(winner.fresh, LOSS)} on {winner.seeds} fresh seeds"
    if winner.searched is not None:
        text += f"; {number(winner.searched)} in the search, {_nth(winner.place or 1)} there"
    if winner.optimism is not None and winner.optimism > 0:
        text += f". Being the best of {winner.finalists} on these seeds makes the mean about {number(winner.optimism, 2)} too low"
    return text + "."


def _luck(answers: Answers) -> str:
    luck = answers.luck
    if luck is None:
        return ""
    if luck.size.value <= 0:
        text = f"none: on fresh seeds its {LOSS} is {_apart(luck.size.value)} than in the search ({_ends(luck)})"
    elif luck.share is None:
        text = f"it had no lead over the median trial in the search; on fresh seeds its {LOSS} is {_apart(luck.size.value)} ({_ends(luck)})"
    else:
        share = f"{percent(luck.share.value, 0)} (95 % interval {100 * luck.share.low:.0f} to {100 * luck.share.high:.0f})"
        text = f"of its lead of {number(luck.lead, 3)} over the median trial, {share} was luck"
    other = luck.runner_up
    if other is None:
        return text + "."
    if other.fresh is None:
        return f"{text}. Trial {other.trial}, the best other recipe, was not trained on fresh seeds: its {_gap(other.lead)} is one seed's."
    told = "is told apart from it" if other.fresh.low > 0 else "cannot be told from it"
    return f"{text}. Trial {other.trial}, the best other recipe, {told}: {score_span(other.fresh, LOSS)} behind on the same fresh seeds."


def _gap(lead: float) -> str:
    return f"gap of {number(lead, 3)}" if lead >= 0 else f"lead of {number(-lead, 3)}"


def _ends(luck: Any) -> str:
    return f"difference {span(luck.size, LOSS)}"


def _apart(size: float) -> str:
    return f"{number(abs(size), 3)} {'higher' if size > 0 else 'lower'}"


def _smallest(answers: Answers) -> str:
    found, winner = answers.smallest, answers.winner
    if found is None or winner is None:
        return ""
    smaller = f"{found.parameters:,} parameters, {100 * found.parameters / winner.parameters:.0f} % of the winner's"
    score = f"a {LOSS} of {score_span(found.score, LOSS)}, within one standard error of the winner (up to {number(found.limit)})"
    seeds = f"It has {found.seeds} fresh seeds" if found.seeds else "It has one seed only: train it again before relying on it"
    filters = f"{setting(found.channels)} filters and " if found.channels else ""
    return f"trial {found.trial} with {filters}{setting(found.hidden_units)} units has {smaller}, and {score}. {seeds}."


def _gain(answers: Answers) -> str:
    gain = answers.gain
    if gain is None:
        return ""
    size = f"about {number(gain.size.value, 2)} (95 % interval {number(gain.size.low, 2)} to {number(gain.size.high, 2)})"
    share = f", {percent(gain.share)} of it" if 0.001 <= gain.share < 1 else ""
    return (
        f"{2 * gain.trials} instead of {gain.trials} would lower the search's best {LOSS} by {size}{share}; "
        f"the last doubling brought {number(gain.last, 2)}. Part of such a gain is luck again."
    )


def _top(answers: Answers) -> str:
    if not answers.top:
        return ""
    held = "; ".join(
        f"one of the top {percent(each.share, 0)} with {_sure(each.probability)} (95 % takes {each.needed})" for each in answers.top
    )
    return (
        f"so many trials drawn at random hold {held}. That is rank within the space, not nearness to the best possible: neither a grid nor "
        "random search guarantees the best combination, and a space without it cannot hold it."
    )


def _sure(probability: float) -> str:
    return "more than 99.9 %" if probability > 0.999 else percent(probability)


def _interactions(answers: Answers) -> str:
    if not answers.interactions:
        return "" if "interactions" in answers.unknown else "no two parameters are told to depend on each other."
    pairs = (f"{_name(each.first)} and {_name(each.second)} {_percent(each.share)}" for each in answers.interactions)
    return f"the effects of these depend on each other, by this share of the variance: {'; '.join(pairs)}."


def _samplers(answers: Answers) -> str:
    compared = answers.samplers
    if compared is None:
        return ""
    each_best = "; ".join(f"{SAMPLERS[by.name]} {score_span(by.best, LOSS)}" for by in compared.samplers)
    against = " ".join(f"{SAMPLERS[by.name].capitalize()} {_against_random(by.ahead)}." for by in compared.samplers if by.ahead is not None)
    most = max(by.trials for by in compared.samplers)
    tried = ", ".join(f"{SAMPLERS[by.name]} {number(by.values, 3)}" for by in compared.samplers)
    return (
        f"the best {LOSS} of up to {most} trials of the winner's shape after "
        f"{compared.steps:,} steps, on average over {compared.repetitions} repetitions: {each_best}. {against} "
        f"Different values of each number: {tried}."
    )


def _against_random(ahead: Interval) -> str:
    told = "is told apart from random" if ahead.low > 0 or ahead.high < 0 else "cannot be told from random"
    return f"{told}: {-ahead.value:+.2g} ({-ahead.high:+.2g} to {-ahead.low:+.2g})"


def edge_words(edge: Edge) -> str:
    """One warning in words.

    Example:
        >>> edge_words(Edge("learning_rate", "high", 4, 5, 0.01, 0.1))
        'learning_rate: 4 of the best 5 trials lie at the high end, 0.01. Better ones may lie beyond: try up to 0.1.'
    """
    way = "down to" if edge.end == "low" else "up to"
    where = f"{edge.near} of the best {edge.of} trials lie at the {edge.end} end, {number(edge.value)}"
    return f"{edge.name}: {where}. Better ones may lie beyond: try {way} {number(edge.extended)}."


def course_words(answers: Answers) -> str:
    """How the measured importance agrees with the course's ranking."""
    found = answers.importance
    if found is None:
        return ""
    text = f"Share of the variance of the {LOSS} of {found.trials} trials after {found.steps:,} steps, with 95 % intervals"
    if found.agreement is None:
        return text + "."
    return f"{text}; Kendall's rank agreement with the course: {found.agreement:+.2f}."


def importance_rows(answers: Answers) -> list[tuple[str, str, str, str]]:
    """Name, share, Optuna's share and the course's place of each parameter."""
    if answers.importance is None:
        return []
    return [(each.name, _percent(each.share), percent(each.fanova, 0), _course(each)) for each in answers.importance.parameters]


def map_rows(found: ArchitectureMap) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """The widths, and for each number of layers what its cells say."""
    heads = [width_words(low, high) for low, high in found.widths]
    rows = []
    for layers in found.layers:
        cells = {(cell.low, cell.high): cell for cell in found.cells if cell.layers == layers}
        rows.append((f"{layers}", [_cell(cells.get(width)) for width in found.widths]))
    return heads, rows


def width_words(low: int, high: int) -> str:
    """A class of widths.

    Example:
        >>> width_words(16, 31), width_words(64, 64)
        ('16 to 31', '64')
    """
    return f"{low}" if low == high else f"{low} to {high}"


def _cell(cell: Any) -> str:
    if cell is None:
        return ""
    if cell.mean is None:
        return "no trials"
    mean = score_span(cell.mean, LOSS) if cell.trials > 1 else f"{number(cell.mean.value)} (one trial)"
    best = f"; best {number(cell.best)}" if cell.best is not None else "; none trained in full"
    return f"{mean}{best}; {cell.trials} trial{'s' * (cell.trials != 1)}"


def _bars(parameters: Sequence[Importance]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="cyan")
    table.add_column(no_wrap=True, justify="right")
    table.add_column(no_wrap=True, style="dim")
    for each in parameters[:BARS_SHOWN]:
        bar = "█" * round(BAR_WIDTH * each.share.value)
        table.add_row(
            Text(one_line(each.name)), Text(bar.ljust(BAR_WIDTH, "·")), Text(_percent(each.share)), Text(f"course: {_course(each)}")
        )
    left = len(parameters) - BARS_SHOWN
    more = [Padding(Text(f"and {left} more in the report", "dim"), (0, 0, 0, 2))] if left > 0 else []
    return Group(Text(TITLES["importance"], "bold cyan"), Padding(table, (0, 0, 0, 2)), *more)


def _percent(share: Interval) -> str:
    return f"{percent(share.value, 0)} ({100 * share.low:.0f} to {100 * share.high:.0f})"


def _course(each: Importance) -> str:
    return "not ranked" if each.course is None else _nth(each.course)


def _nth(place: int) -> str:
    ending = "th" if place % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{ending}"


def _name(name: str) -> str:
    return name.replace("_", " ")


def _line(name: str, text: str) -> Text:
    return Text.assemble((f"{TITLES[name]}  ", "bold cyan"), one_line(text))


def page_values(answers: Answers) -> dict[str, Any]:
    """What ``answers.html`` needs beside the pictures."""
    return {
        "answers": answers,
        "answer_titles": TITLES,
        "answer_words": sentences(answers),
        "answer_course": course_words(answers),
        "answer_importance": importance_rows(answers),
        "answer_map": map_rows(answers.architecture) if answers.architecture is not None else ([], []),
        "answer_axes": (answers.architecture.rows, answers.architecture.columns) if answers.architecture is not None else ("", ""),
    }
