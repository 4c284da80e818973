"""Judging: from errors to gaps, and from gaps to the one verdict.

The four gaps are avoidable bias (train minus target), variance (train-dev, or dev where there is none, minus train),
mismatch (dev minus train-dev) and overfitting to dev (test minus dev), as in Ng, *Machine Learning Yearning*, chapters 20
to 22 and 40 to 42. A gap is high when its whole 95 % interval lies above the threshold, not high when the whole interval
lies below it, and otherwise cannot be told yet.
"""

from __future__ import annotations

import math

from shoal.diagnose.gaps import Difference, Errors, PartError, difference
from shoal.interval import Interval, number
from shoal.metrics import Metric
from shoal.records import Answer, Gap, Part, Verdict

THRESHOLD_SHARE = 0.1
"""A gap matters from a tenth of the dev error on: closing a smaller one could not lower the error by more than that. Our
convention; the textbook compares gaps by eye."""
THRESHOLD_FLOOR = 0.005
"""And never below half a percentage point (of the truth's standard deviation, for values): a gap too small to act upon."""
MOST_MORE = 100
"""Beyond this many times the present rows no advice to collect more is worth giving."""

SOURCE = "house convention: 10 % of the dev error, at least 0.005 of the error's scale"
PART_TITLES: dict[str, str] = {"train": "train", "train_dev": "train-dev", "dev": "dev", "test": "test"}


def threshold(errors: Errors) -> float:
    """The size from which a gap matters.

    Returns:
        The larger of ``THRESHOLD_SHARE`` of the dev error and ``THRESHOLD_FLOOR`` of the error's scale.
    """
    return max(THRESHOLD_SHARE * errors.parts["dev"].error.value, THRESHOLD_FLOOR * errors.scale)


def above(size: Interval, limit: float) -> Answer:
    """Whether a size lies above a limit, as far as its interval tells.

    Example:
        >>> above(Interval(0.05, 0.03, 0.07), 0.01), above(Interval(0.05, 0.03, 0.07), 0.04)
        ('yes', 'cannot tell')
    """
    if size.low > limit:
        return "yes"
    return "no" if size.high < limit else "cannot tell"


def judge(errors: Errors, target_error: float | None = None) -> Verdict:
    """The verdict: high bias, high variance, both, neither, mismatch, or cannot tell.

    Without a stated target the best possible error is only bracketed: it is not below 0 and not above the lowest dev
    error that the model or any reference reached. Avoidable bias then ranges from train minus that error to train minus
    0, and is judged by this whole range: it is high if even the most lenient target makes it so, and not high if even a
    target of 0 does not.

    Args:
        errors: from ``measure``.
        target_error: the error that people or the best possible rule reach, in the metric's error (``1 - score`` where
            greater is better).

    Returns:
        The verdict with its gaps, in the order bias, variance, mismatch, overfitting to dev.

    Raises:
        ValueError: if the target error is negative or not finite.

    Example:
        >>> import numpy as np
        >>> from shoal.diagnose.gaps import PartPrediction, measure
        >>> from shoal.metrics import METRICS
        >>> y = np.linspace(-10, 10, 500)
        >>> parts = {"train": PartPrediction(y, y[None] + 2), "dev": PartPrediction(y, y[None] + 2)}
        >>> judge(measure(parts, METRICS["mae"]), target_error=0.5).title
        'high bias'
    """
    if target_error is not None and not (math.isfinite(target_error) and target_error >= 0):
        raise ValueError(f"a target error is a number of at least 0; received {target_error}")
    limit = threshold(errors)
    inside: Part = "train_dev" if "train_dev" in errors.parts else "dev"
    gaps = [_bias(errors, target_error, limit), _gap(errors, "variance", inside, "train", limit)]
    if inside == "train_dev":
        gaps.append(_gap(errors, "mismatch", "dev", "train_dev", limit))
    if "test" in errors.parts:
        gaps.append(_gap(errors, "overfitting to dev", "test", "dev", limit))
    title = _title({gap.name: gap.high for gap in gaps})
    target = best_known(errors)[1].error.value if target_error is None else target_error
    source = "estimated" if target_error is None else "stated"
    return Verdict(title, _text(errors, gaps, target, source), tuple(gaps), target, source)


def best_known(errors: Errors) -> tuple[str, PartError]:
    """The lowest dev error that anything trained on these rows has reached, and by what: an upper bound of the best possible."""
    reached = {"this model": errors.parts["dev"], **errors.references}
    return min(reached.items(), key=lambda each: each[1].error.value)


def say(size: float | Interval, metric: Metric) -> str:
    """A number of the metric's error in words: shares in per cent, other errors with four digits."""
    if isinstance(size, Interval):
        return f"{say(size.value, metric)} ({say(size.low, metric)} to {say(size.high, metric)})"
    return f"{100 * size:.3g} %" if metric.unit == "share" else number(size)


def _title(high: dict[str, Answer]):
    bias, variance = high["avoidable bias"], high["variance"]
    if bias == "yes":
        return "high bias and high variance" if variance == "yes" else "high bias"
    if variance == "yes":
        return "high variance"
    if high.get("mismatch") == "yes":
        return "mismatch"
    return "neither" if bias == variance == "no" and high.get("mismatch") != "cannot tell" else "cannot tell"


def _text(errors: Errors, gaps: list[Gap], target: float, source: str) -> str:
    metric = errors.metric
    name = f"1 - {metric.name}" if metric.greater_is_better else metric.title.lower()
    listed = ", ".join(f"{PART_TITLES[part]} {say(error.error.value, metric)}" for part, error in errors.parts.items())
    known = f"{say(target, metric)} as stated" if source == "stated" else f"at most {say(target, metric)}, by estimate"
    high = [f"the {gap.name} of {say(gap.size, metric)} is high" for gap in gaps if gap.high == "yes"]
    open_questions = [f"the {gap.name}" for gap in gaps if gap.high == "cannot tell"]
    judged = " and ".join(high) or ("no gap is high" if not open_questions else "no gap is clearly high")
    if open_questions:
        judged += f"; {' and '.join(open_questions)} cannot be told yet"
    return f"With {name}: {listed}; possible is {known}. {judged[0].upper()}{judged[1:]}."


def _bias(errors: Errors, target: float | None, limit: float) -> Gap:
    train, metric = errors.parts["train"], errors.metric
    if target is not None:
        error = train.error
        size = Interval(error.value - target, error.low - target, error.high - target)
        doubt = Difference(size, {"train": float(train.draws.var()), "seeds": _seed_variance(train)})
        high = above(size, limit)
        text = f"The train error {say(error, metric)} stands against a stated target of {say(target, metric)}."
        return Gap("avoidable bias", size, limit, high, text + _settled_by(doubt, limit, high, errors))

    best_name, best = best_known(errors)
    lenient = difference(train, best, "train", "dev", errors.seed).size
    train_is, best_is = say(train.error, metric), say(best.error, metric)
    size = Interval(lenient.value, lenient.low, max(train.error.high, lenient.high))
    high = above(size, limit)
    explanation = {
        "yes": f"{best_name.capitalize()} reaches {best_is} on rows it has not seen; the train error {train_is} is clearly worse.",
        "no": f"The train error {train_is} is small even against a target of 0.",
        "cannot tell": f"The best possible error lies somewhere from 0 to {say(best.error.value, metric)} (reached on dev by "
        f"{best_name}), and the train error is {train_is}. State what is possible with --target-error to have this answered.",
    }
    return Gap("avoidable bias", size, limit, high, explanation[high])


def _seed_variance(part: PartError) -> float:
    return float(part.members.var(ddof=1) / len(part.members)) if len(part.members) > 1 else 0.0


def _gap(errors: Errors, name, later: Part, earlier: Part, limit: float) -> Gap:
    doubt = errors.difference(later, earlier)
    high = above(doubt.size, limit)
    text = f"The {PART_TITLES[later]} error is {say(doubt.size, errors.metric)} above the {PART_TITLES[earlier]} error."
    return Gap(name, doubt.size, limit, high, text + _settled_by(doubt, limit, high, errors))


def _settled_by(doubt: Difference, limit: float, high: Answer, errors: Errors) -> str:
    """What would settle an open question: an interval shrinks as ``1/sqrt(n)``, so ``n`` must grow by the squared ratio."""
    if high != "cannot tell":
        return ""
    distance = abs(doubt.size.value - limit)
    reach = doubt.size.value - doubt.size.low if limit < doubt.size.value else doubt.size.high - doubt.size.value
    if distance * math.sqrt(MOST_MORE) <= reach:
        return " It lies so close to the threshold that no reasonable number of further rows would settle it."
    factor = (reach / distance) ** 2
    total = sum(doubt.variances.values())
    largest = max(doubt.variances, key=lambda source: doubt.variances[source])
    other = total - doubt.variances[largest]
    # Where the largest source can do it alone at a fair price, the rest stays as it is; else all must grow alike.
    left = total / factor - other
    alone = left * 2 * factor > doubt.variances[largest]
    growth = doubt.variances[largest] / left if alone else factor
    counts: dict[str, int] = {part: error.rows for part, error in errors.parts.items()}
    counts["seeds"] = len(errors.parts["train"].members)
    count = counts[largest]
    more = two_digits(count * max(growth - 1, 1 / count))
    what = "random seeds" if largest == "seeds" else f"{PART_TITLES[largest]} rows"
    rest = "" if alone else ", with the other rows and seeds in proportion,"
    return f" About {more:,} more {what}{rest} would settle whether it matters."


def two_digits(number: float) -> int:
    """A count for a sentence: rounded up, with two digits, for more would be false precision."""
    whole = math.ceil(number)
    digit = 10 ** max(0, len(str(whole)) - 2)
    return math.ceil(whole / digit) * digit
