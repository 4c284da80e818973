"""The dev loss of every trial against one setting at a time, and over the pairs whose effects depend on each other."""

from __future__ import annotations

from collections.abc import Sequence

from shoal.records import Run, Trial
from shoal.report.drawing import Figure, Key, Spec, bulk_axis, five_digits, plain
from shoal.report.parallel import MOST_AXES
from shoal.report.varied import Axis, axis_of, spread, varied_axes
from shoal.report.wording import by_score, is_winner, number

SPREAD = 0.5
"""How much of the distance between two categories their marks are spread over, so that they do not hide each other."""

MOST_PAIRS = 3

# Plotly's symbol, the sign for the legend, the colour and the size of each group of trials
REACHED = {
    "ended at the first rung": ("circle-open", "○", "--muted", 7),
    "ended at a later rung": ("diamond", "◆", "--second", 7),
    "came to the last rung": ("circle", "●", "--accent", 7),
    "diverged": ("x", "✖", "--bad", 7),
}
QUARTERS = {
    "the half between": ("circle", "●", "--second", 6),
    "the worst quarter": ("x", "✖", "--muted", 6),
    "the best quarter": ("diamond", "◆", "--accent", 10),
}
WINNER = ("star", "★", "--bad", 15)


def slice_figures(run: Run) -> list[Figure]:
    """One small picture for each setting that varied: the best dev loss of every trial, marked by how far it came."""
    trials = by_score(run.trials)
    scores = [trial.score for trial in trials if trial.score is not None]
    if len(trials) < 2 or not scores:
        return []
    vertical = bulk_axis(scores)
    groups = _grouped(trials, [_reached(run, trial) for trial in trials], REACHED)
    return [_slice(run, trials, axis, vertical, groups) for axis in varied_axes(run, trials)[:MOST_AXES]]


def slices_key(run: Run) -> tuple[Key, ...]:
    """The one legend of all these pictures."""
    reached = {_reached(run, trial) for trial in by_score(run.trials)}
    marks = [Key(sign, colour, name) for name, (_, sign, colour, _) in REACHED.items() if name in reached]
    return (*marks, Key(WINNER[1], WINNER[2], "the winner"))


def _slice(run: Run, trials: Sequence[Trial], axis: Axis, vertical: Spec, groups: dict[str, list[int]]) -> Figure:
    top = 10 ** vertical["range"][1] if vertical.get("type") == "log" else vertical["range"][1]
    heights = [top if trial.score is None or trial.score > top else five_digits(trial.score) for trial in trials]
    words = [
        f"trial {trial.number}: {plain(words)}<br>best dev loss {number(trial.score)}"
        for trial, words in zip(trials, axis.words, strict=True)
    ]
    sides = spread(axis, trials, SPREAD)
    data = [_marks(indices, sides, heights, words, REACHED[name]) for name, indices in groups.items()]
    data.append(_marks(_winners(run, trials), sides, heights, words, WINNER))
    layout: Spec = {
        "xaxis": _scale(axis),
        "yaxis": vertical,
        "margin": {"l": 44, "r": 12, "t": 6, "b": 40},
    }
    best = trials[0]
    alternative = (
        f"Best dev loss against {axis.title} of {len(trials)} trials. The lowest, {number(best.score)}, came with {axis.title} "
        f"{axis.words[0]}. The table of trials holds every value."
    )
    return Figure(f"slice-{axis.name}", alternative, 220, data, layout)


def pair_figures(run: Run) -> list[Figure]:
    """The pairs of settings that depend on each other most: trials over both, marked by their dev loss."""
    pairs = run.answers.interactions[:MOST_PAIRS] if run.answers is not None else ()
    if not pairs:
        return []
    trials, losses = _compared(run)
    drawn = []
    for pair in pairs:
        axes = axis_of(pair.first, trials), axis_of(pair.second, trials)
        if axes[0] is not None and axes[1] is not None:
            drawn.append(_pair(trials, losses, axes[0], axes[1]))
    return drawn


def _pair(trials: Sequence[Trial], losses: Sequence[float], first: Axis, second: Axis) -> Figure:
    order = sorted(range(len(trials)), key=lambda index: losses[index])
    quarter = -(-len(order) // 4)
    places = {index: place for place, index in enumerate(order)}

    def name(index: int) -> str:
        if places[index] < quarter:
            return "the best quarter"
        return "the half between" if places[index] < len(order) - quarter else "the worst quarter"

    groups = _grouped(trials, [name(index) for index in range(len(trials))], QUARTERS)
    across, up = spread(first, trials, SPREAD), spread(second, trials, SPREAD)
    words = [
        f"trial {trial.number}<br>{first.title} {plain(first.words[index])}<br>{second.title} {plain(second.words[index])}<br>"
        f"dev loss {number(losses[index])}"
        for index, trial in enumerate(trials)
    ]
    data = [_marks(indices, across, up, words, QUARTERS[group]) for group, indices in groups.items()]
    layout: Spec = {"xaxis": _scale(first), "yaxis": _scale(second), "margin": {"l": 60, "r": 12, "t": 6, "b": 44}}
    best = order[0]
    alternative = (
        f"{len(trials)} trials over {first.title} and {second.title}, marked by their dev loss after the same training. "
        f"The lowest, {number(losses[best])}, came with {first.words[best]} and {second.words[best]}."
    )
    return Figure(f"pair-{first.name}-{second.name}", alternative, 330, data, layout)


PAIRS_KEY = tuple(Key(sign, colour, name) for name, (_, sign, colour, _) in sorted(QUARTERS.items()))


def _compared(run: Run) -> tuple[list[Trial], list[float]]:
    """The trials that reached the rung at which the answers compare them, with their lowest dev loss until there."""
    importance = run.answers.importance if run.answers is not None else None
    rungs = run.plan.rungs
    rung = rungs.index(importance.steps) if importance is not None and importance.steps in rungs else 0
    found = []
    for trial in by_score(run.trials):
        own = run.plan.shoals[trial.shoal].rungs if trial.shoal < len(run.plan.shoals) else ()
        limit = (own or rungs)[rung] if rungs else trial.steps
        losses = [loss for step, loss in zip(trial.trace.steps, trial.trace.dev_loss, strict=True) if loss is not None and step <= limit]
        if losses and (trial.steps >= limit or trial.status not in ("stopped at a rung", "given up")):
            found.append((trial, min(losses)))
    return [trial for trial, _ in found], [loss for _, loss in found]


def _reached(run: Run, trial: Trial) -> str:
    if trial.status == "diverged":
        return "diverged"
    first, later, last, _ = REACHED
    return last if trial.rung >= len(run.plan.rungs) - 1 else later if trial.rung else first


def _grouped(trials: Sequence[Trial], names: Sequence[str], looks: dict[str, tuple[str, str, str, int]]) -> dict[str, list[int]]:
    """The indices of the trials in each group, in the order in which the groups are drawn over each other."""
    groups: dict[str, list[int]] = {name: [] for name in looks}
    for index, _ in enumerate(trials):
        groups[names[index]].append(index)
    return {name: indices for name, indices in groups.items() if indices}


def _winners(run: Run, trials: Sequence[Trial]) -> list[int]:
    return [index for index, trial in enumerate(trials) if is_winner(run, trial)]


def _scale(axis: Axis) -> Spec:
    margin = 0.04 + 0.5 * SPREAD * axis.step
    places, texts = zip(*_apart(axis.ticks), strict=True)
    shown = [plain(text) if len(text) <= 14 else plain(text[:13]) + "…" for text in texts]
    return {"title": {"text": axis.title}, "range": [-margin, 1 + margin], "tickvals": list(places), "ticktext": shown}


def _apart(ticks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """The ticks without those whose words would run into the words before them."""
    kept = [ticks[0]]
    for place, words in ticks[1:]:
        if place - kept[-1][0] > 0.014 * (len(words) + len(kept[-1][1])):
            kept.append((place, words))
    return kept


def _marks(
    indices: Sequence[int], xs: Sequence[float], ys: Sequence[float | None], words: Sequence[str], look: tuple[str, str, str, int]
) -> Spec:
    symbol, _, colour, size = look
    edge = {"color": "--paper" if symbol == "star" else colour, "width": 1}
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [xs[index] for index in indices],
        "y": [ys[index] for index in indices],
        "text": [words[index] for index in indices],
        "hoverinfo": "text",
        "marker": {"symbol": symbol, "color": colour, "size": size, "line": edge},
        "cliponaxis": False,
    }
