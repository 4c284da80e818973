"""Whether more training rows would help: SH501 to SH599."""

from __future__ import annotations

from shoal.diagnose.case import Case, Check, Outcome, plain
from shoal.diagnose.seeds import seeds_to_settle
from shoal.diagnose.verdict import SOURCE, above, say, threshold, two_digits
from shoal.interval import Interval
from shoal.measurements import LearningCurve
from shoal.metrics import Metric

FEW_ROWS = 200
"""On spambase, telco_churn, abalone and cpu_act, networks trained on 130 to 155 rows make an error 8 to 135 % above that of networks
trained on 2,500 or more."""


def more_rows(curve: LearningCurve, metric: Metric, noun: str = "") -> str:
    """What a learning curve says about more rows, in words.

    Args:
        curve: with its law.
        metric: of its errors.
        noun: what the curve was measured on one of each time, such as ``network``, where that has to be said.

    Returns:
        Two sentences: twice the rows, and the rows that one per cent less error would take.
    """
    now, gain = curve.now.value, curve.doubled
    then = Interval(now - gain.value, now - gain.high, now - gain.low)
    whose = f" of one {noun}" if noun else ""
    doubled = (
        f"With twice the training rows ({2 * curve.rows[-1]:,}) the dev error{whose} would fall "
        f"from {say(now, metric)} to about {say(then, metric)}."
    )
    return f"{doubled} {_one_per_cent(curve)}"


def _one_per_cent(curve: LearningCurve) -> str:
    value, low, high = (None if count is None else two_digits(max(count, 1)) for count in curve.rows_for_one_percent)
    if value is None:
        return "By the law no number of rows would make it 1 % lower."
    span = f"{low:,} to {high:,}" if low is not None and high is not None else f"at least {low or value:,}"
    return f"1 % less error, of itself, takes about {value:,} more rows ({span})."


def _more_rows_would_help(case: Case) -> Outcome | None:
    curve = case.measured.learning_curve
    if curve is None:
        return Outcome("No learning curve was measured.", {}, "not applicable")
    limit = threshold(case.errors)
    helps = above(curve.doubled, limit)
    if helps == "no":
        return None
    evidence = {
        "gain_of_doubling": plain(curve.doubled),
        "limit": limit,
        "now": plain(curve.now),
        "exponent": plain(curve.exponent),
        "floor": plain(curve.floor),
        "rows": curve.rows[-1],
        "rows_for_one_percent": list(curve.rows_for_one_percent),
    }
    text = more_rows(curve, case.errors.metric, case.noun)
    if helps == "cannot tell":
        settle = seeds_to_settle(curve.doubled, limit, len(curve.dev[0]))
        text += f" Whether that is more than {say(limit, case.errors.metric)}, from which a gain matters, cannot be told. {settle}"
        return Outcome(text, evidence, "cannot tell", gain=curve.doubled.value)
    return Outcome(text, evidence, gain=curve.doubled.value)


def _very_few_rows(case: Case) -> Outcome | None:
    rows, curve = case.errors.parts["train"].rows, case.measured.learning_curve
    if rows >= FEW_ROWS:
        return None
    if curve is not None and above(curve.doubled, threshold(case.errors)) != "cannot tell":
        return None  # the learning curve has the answer, either way
    variance = next((gap for gap in case.verdict.gaps if gap.name == "variance"), None)
    if variance is None or variance.high != "cannot tell":
        return None
    text = (
        f"There are only {rows:,} training rows, so few that more of them nearly always help, and too few rows in all to tell how much: "
        f"the variance is {say(variance.size, case.errors.metric)}."
    )
    return Outcome(text, {"rows": rows, "variance": plain(variance.size)})


CHECKS: tuple[Check, ...] = (
    Check(
        "SH501",
        "More rows would help",
        "medium",
        "the learning curve's gain from twice the training rows, with its whole 95 % interval, above the threshold of the gaps",
        f"power law of the error: Hestness et al. 2017; extrapolated as by Rosenfeld et al. 2020; the limit is a {SOURCE}",
        "Collect more training rows; the text says how many are worth it.",
        _more_rows_would_help,
    ),
    Check(
        "SH502",
        "Very few training rows",
        "medium",
        f"fewer than {FEW_ROWS} training rows, while neither the variance nor a learning curve settles whether more would help",
        "house convention, from learning curves on four public tables",
        "Collect more training rows, or use a simple model: with so few, a linear one is often as good.",
        _very_few_rows,
    ),
)
