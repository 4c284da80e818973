"""How a record's numbers and names are written, the same on the page and on the terminal."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

from shoal.interval import NOTHING, number
from shoal.measurements.refit import Refit
from shoal.recipe import AUGMENTATIONS, Recipe
from shoal.records import Finding, Interval, Run, Trial

PARTS: dict[str, str] = {"train": "Train", "train_dev": "Train-dev", "dev": "Dev", "test": "Test"}
METRICS = {"error": "error rate", "rmse": "RMSE", "mae": "MAE", "mse": "MSE", "r2": "R²", "auc": "AUC", "f1": "F1"}
SHARES = {"error", "accuracy", "balanced_accuracy", "f1", "auc", "r2", "hamming_loss", "subset_error"}
"""Metrics from 0 to 1, written as percentages, as the verdict's text does."""

SETTINGS = tuple(field.name for field in fields(Recipe))


def metric_name(metric: str) -> str:
    """A metric's name in words."""
    return METRICS.get(metric, metric.replace("_", " "))


def headline_part(run: Run) -> str:
    """The part whose score leads the report: test where it exists, else dev."""
    return "test" if "test" in run.scores else "dev"


def decision(run: Run) -> str:
    """How a class follows from the probabilities, in one sentence; empty where the most probable one is said.

    Example:
        >>> decision(run)  # doctest: +SKIP
        'Threshold of yes: 0.31, fitted on dev for F1; the most probable class would have 71.2 % on test.'
    """
    found = run.decision
    if found is None:
        return ""
    part, metric = headline_part(run), metric_name(run.metric)
    without = run.measured.most_probable.get(part)
    compared = "" if without is None else f"; the most probable class would have {score(without, run.metric)} on {part}"
    if found.exponent == 0:
        return f"The most probable class is said: fitted on dev for {metric}, no other answer is better."
    if len(run.classes) == 2:
        return f"Threshold of {run.classes[found.rarer]}: {found.threshold:.2g}, fitted on dev for {metric}{compared}."
    rule = f"the largest probability / share ^ {found.exponent:.2g} (its share of the training rows)"
    return f"The class that is said has {rule}, fitted on dev for {metric}{compared}."


def model_made(run: Run) -> str:
    """What the model is made of, where that is more than the winner's networks on fresh seeds; else empty.

    Example:
        >>> model_made(run)  # doctest: +SKIP
        'The mean of 24 networks of 3 shapes: its dev log loss minus that of the best shape\'s 8 alone is -0.0054 (-0.012 to +0.0011).'
    """
    found = run.together
    if found is None:
        return distillation(run)
    size = difference(found.minus_best, found.metric)
    if found.taken:
        loss = f"its dev {metric_name(found.metric)} minus that of the best shape's {found.own} alone"
        return f"The mean of {found.networks} networks of {found.shapes} shapes: {loss} is {size}."
    loss = f"the dev {metric_name(found.metric)} of all {found.networks} of {found.shapes} shapes minus theirs"
    return f"The mean of the best shape's {found.own} networks: {loss} is {size}."


def distillation(run: Run) -> str:
    """What a distilled network is made of, and what it lost, in words; empty of other models.

    Example:
        >>> distillation(run)  # doctest: +SKIP
        'One network that learned the answers of 8 (distillation). On dev it has 5.2 %, their mean 5.1 %, ...'
    """
    found = run.distilled
    if found is None:
        return ""
    own, theirs, alone = (score(each, run.metric) for each in (found.distilled, found.teacher, found.single))
    return (
        f"One network that learned the answers of {found.teachers} (distillation). On dev it has {own}, their mean {theirs}, the best "
        f"of them alone {alone}: its {error_name(run)} minus that of the mean is {difference(found.loss, run.metric)}."
    )


def refitted(found: Refit) -> str:
    """What training a run's networks again on the dev rows as well did, in words.

    Example:
        >>> refitted(found)  # doctest: +SKIP
        '8 networks were trained on 14,000 rows, the dev rows among them, instead of 10,000. On the 4,000 test rows their error rate is ...'
    """
    several, metric = found.networks > 1, found.metric
    many = f"{found.networks} network{'s were' if several else ' was'}"
    text = f"{many} trained on {found.rows:,} rows, the dev rows among them, instead of {found.rows_before:,}."
    if found.before is None or found.after is None or found.difference is None:
        return f"{text} How good {'they are' if several else 'it is'} cannot be said: no rows are left that the training has not seen."
    answer = "better" if found.difference.high < 0 else "worse" if found.difference.low > 0 else ""
    return (
        f"{text} On the {found.test_rows:,} test rows the {metric_name(metric)} is {score_span(found.after, metric)}; that of the "
        f"run's model is {score_span(found.before, metric)}. The error differs by {difference(found.difference, metric)}: "
        f"{f'the refitted model is {answer}' if answer else 'which model is better cannot be told'}."
    )


def without_loop(run: Run) -> str:
    """That a budget was too small for the recipe loop, and what to do about it; empty where there was one, or none was asked for.

    Example:
        >>> without_loop(run)  # doctest: +SKIP
        'A budget of 15s has no room for the recipe loop (one change at a time, kept if it provably helps): --budget 2m has.'
    """
    if run.ledger is None or run.ledger.errors or run.stopped:
        return ""
    enough = "--budget 2m" if run.seconds < 60 else "a larger --budget"
    return f"A budget of {run.plan.budget} has no room for the recipe loop (one change at a time, kept if it provably helps): {enough} has."


def error_name(run: Run) -> str:
    """What the verdict's errors are: the metric itself where smaller is better, else what it lacks to 1."""
    if run.metric == "accuracy":
        return "error rate"
    return f"1 - {metric_name(run.metric)}" if run.greater_is_better else metric_name(run.metric)


def part_error(run: Run, part: str) -> Interval | None:
    """The error of a part, on the scale of the verdict's target error; ``None`` where the part was not scored."""
    score = run.scores.get(part, {}).get(run.metric)
    if score is not None and run.greater_is_better:
        return Interval(1 - score.value, 1 - score.high, 1 - score.low)
    return score


def target_error(run: Run) -> str:
    """The target error in words: where nobody stated it, the lowest error reached only bounds it from above.

    Example:
        >>> target_error(run)  # doctest: +SKIP
        'at most 12.8 %'
    """
    written = plain_error(run.verdict.target_error, run.metric)
    return written if run.verdict.target_error_source == "stated" else f"at most {written}"


def loss(value: float | None) -> str:
    """A loss of a table's column: always four significant digits, so that they stand under each other.

    Example:
        >>> loss(0.3), loss(None)
        ('0.3000', '–')
    """
    return NOTHING if value is None else f"{value:#.4g}" if 1e-4 <= abs(value) < 1e4 else number(value)


def score(interval: Interval, metric: str) -> str:
    """The value alone, with the digits its interval justifies.

    Example:
        >>> score(Interval(0.8561, 0.8492, 0.8630), "accuracy"), score(Interval(3.14159, 3.05, 3.23), "rmse")
        ('85.6 %', '3.142')
    """
    return _written(interval.value, interval, metric) + (" %" if metric in SHARES else "")


def span(interval: Interval, metric: str) -> str:
    """The 95 % interval alone.

    Example:
        >>> span(Interval(0.8561, 0.8492, 0.8630), "accuracy")
        '84.9 to 86.3 %'
    """
    ends = f"{_written(interval.low, interval, metric)} to {_written(interval.high, interval, metric)}"
    return ends + (" %" if metric in SHARES else "")


def score_span(interval: Interval, metric: str) -> str:
    """The value and its interval.

    Example:
        >>> score_span(Interval(0.8561, 0.8492, 0.8630), "accuracy")
        '85.6 % (84.9 to 86.3)'
    """
    return f"{score(interval, metric)} ({span(interval, metric).removesuffix(' %')})"


def _written(value: float, interval: Interval, metric: str) -> str:
    factor = 100.0 if metric in SHARES else 1.0
    half = (interval.high - interval.low) / 2 * factor
    if not math.isfinite(half) or half <= 0:
        return number(value * factor)
    if half < 1e-5:
        return f"{value * factor:.4g}"
    significant = 1 if metric in SHARES else 2
    decimals = max(significant - 1 - math.floor(math.log10(half)), 1 if metric in SHARES else 0)
    return f"{value * factor:,.{decimals}f}"


def difference(interval: Interval, metric: str) -> str:
    """A signed gap between two errors with its interval; shares in percentage points.

    Example:
        >>> difference(Interval(0.031, 0.024, 0.038), "error")
        '+3.1 points (+2.4 to +3.8)'
    """

    def signed(value: float) -> str:
        text = _written(value, interval, metric)
        return text if text.startswith("-") else "+" + text

    unit = " points" if metric in SHARES else ""
    return f"{signed(interval.value)}{unit} ({signed(interval.low)} to {signed(interval.high)})"


def effect(size: Interval) -> str:
    """What a change did to the dev loss, as a share of it.

    Example:
        >>> effect(Interval(-0.032, -0.051, -0.013))
        '-3.2 % (-5.1 to -1.3)'
    """
    return f"{100 * size.value:+.1f} % ({100 * size.low:+.1f} to {100 * size.high:+.1f})"


def plain_error(value: float, metric: str) -> str:
    """An error without an interval, such as the target error."""
    return f"{value * 100:.3g} %" if metric in SHARES else number(value)


def evidence(value: Any) -> str:
    """What a finding rests on: a number, an interval as its value and its ends, anything longer entry by entry.

    Example:
        >>> evidence([0.0289193, 0.0185908, 0.0447246]), evidence({"row 7": ["yes", "no", 0.994435]}), evidence(19)
        ('0.02892 (0.01859 to 0.04472)', 'row 7: yes, no, 0.9944', '19')
    """
    if isinstance(value, dict):
        return "\n".join(f"{name}: {evidence(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        if len(value) == 3 and all(isinstance(each, float) for each in value) and value[1] <= value[0] <= value[2]:
            return "{} ({} to {})".format(*map(number, value))
        return ", ".join(map(evidence, value))
    return number(value) if isinstance(value, float) else str(value)


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    Example:
        >>> duration(0.26), duration(42.3), duration(131), duration(7500)
        ('0.3 s', '42 s', '2 min 11 s', '2 h 05 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def setting(value: Any, digits: int = 4) -> str:
    """One setting of a recipe.

    Example:
        >>> setting((64, 64)), setting(True), setting(None), setting(0.00123456), setting(())
        ('64, 64', 'yes', 'off', '0.001235', 'none')
    """
    if value is None:
        return "off"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return ", ".join(setting(each, digits) for each in value) or "none"
    if isinstance(value, float):
        return number(value, digits)
    return str(value).replace("_", " ")


_PLAIN = Recipe()
_SHOWN_IF_USED = (
    "keep_prob", "input_keep_prob", "l2", "weight_decay", "l1", "max_norm", "input_noise", "mixup", "label_smoothing", "class_balance",
    "activation_rate", "input_scale_rate", "clip_norm", "clip_value", "weight_average", "warm_up", *AUGMENTATIONS,
)  # fmt: skip


def recipe_line(recipe: Recipe) -> str:
    """The recipe on one line: the network, the optimiser, what regularises it.

    Example:
        >>> recipe_line(Recipe(keep_prob=0.8))
        '64, 64 silu units; adamw at 0.001, cosine, batches of 128; keep_prob 0.8'
        >>> recipe_line(Recipe(channels=(16, 32), hidden_units=(64,), activation="relu"))
        '16, 32 filters of 3 x 3, then 64 relu units; adamw at 0.001, cosine, batches of 128'
    """
    network = f"{setting(recipe.hidden_units)} {setting(recipe.activation)} units" if recipe.hidden_units else "linear"
    if recipe.channels:
        blocks = f"{setting(recipe.channels)} filters of {recipe.kernel_size} x {recipe.kernel_size}"
        depth = f", {recipe.convolutions_per_block} convolutions a block" if recipe.convolutions_per_block > 1 else ""
        network = f"{blocks}{depth}, then {network}"
    training = f"{setting(recipe.optimiser)} at {number(recipe.learning_rate, 3)}, {setting(recipe.decay)}, batches of {recipe.batch_size}"
    extras = [f"{recipe.normalisation} norm"] if recipe.normalisation != "none" else []
    if recipe.loss != "auto":
        extras.append(f"{setting(recipe.loss)} loss")
    for name in _SHOWN_IF_USED:
        value = getattr(recipe, name)
        if value != getattr(_PLAIN, name):
            extras.append(f"{name} {number(value, 3) if isinstance(value, float) else setting(value)}")
    return "; ".join([network, training, *([", ".join(extras)] if extras else [])])


def one_line(text: str) -> str:
    """A user's text for a terminal: on one line and without control characters, which could steer it."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def found(findings: tuple[Finding, ...]) -> list[Finding]:
    """What was found, in the order of the record, which is best first; what was only looked for is left out."""
    return [each for each in findings if each.outcome == "found"]


def by_score(trials: tuple[Trial, ...]) -> list[Trial]:
    """The trials of the search, best first, diverged ones last."""
    search = [trial for trial in trials if trial.purpose == "search"]
    return sorted(search, key=lambda trial: (trial.score is None, trial.score if trial.score is not None else 0.0, trial.number))


def is_winner(run: Run, trial: Trial) -> bool:
    """Whether this trial of the search drew the recipe that won."""
    return trial.purpose == "search" and trial.recipe == run.recipe
