"""The four gaps of the verdict, and what can be wrong with the scores themselves: SH101 to SH199."""

from __future__ import annotations

from collections.abc import Callable

from shoal.diagnose.case import Case, Check, Outcome, Severity, plain
from shoal.diagnose.verdict import SOURCE, above, say, threshold, two_digits
from shoal.interval import Interval, percent
from shoal.records import Gap

TOO_WIDE = 0.5
FEWEST_DEV_ROWS = 50
LARGEST_CLASS = 0.8
BY_CHANCE = 0.001
UNCALIBRATED = 0.05
"""Five points: probabilities said to one digit are then wrong. Sound networks and forests stay below it on real tables."""


def reference_ahead(case: Case) -> str | None:
    """The reference whose dev error is lowest among those clearly below the model's."""
    ahead = [name for name, size in case.errors.behind.items() if size.low > 0]
    return min(ahead, key=lambda name: case.errors.references[name].error.value) if ahead else None


def _of_gap(name: str, missing: str) -> Callable[[Case], Outcome | None]:
    def look(case: Case) -> Outcome | None:
        gap: Gap | None = next((gap for gap in case.verdict.gaps if gap.name == name), None)
        if gap is None:
            return Outcome(missing, {}, "not applicable")
        evidence = {"gap": plain(gap.size), "limit": gap.threshold}
        if gap.high == "no":
            return None
        return Outcome(gap.explanation, evidence, "found" if gap.high == "yes" else "cannot tell", gain=max(gap.size.value, 0.0))

    return look


def _few_dev_rows(case: Case) -> Outcome | None:
    dev, metric = case.errors.parts["dev"], case.errors.metric
    half = (dev.error.high - dev.error.low) / 2
    # An error that is small in itself is well known even where it is known to its own size only.
    wanted = max(TOO_WIDE * dev.error.value, 2 * threshold(case.errors))
    if half <= wanted and dev.rows >= FEWEST_DEV_ROWS:
        return None
    rows = max(two_digits(dev.rows * (half / wanted) ** 2), FEWEST_DEV_ROWS)
    text = (
        f"On {dev.rows:,} dev rows the error is known only as {say(dev.error, metric)}; about {rows:,} rows would make it tell something."
    )
    return Outcome(text, {"dev_error": plain(dev.error), "rows": dev.rows, "rows_needed": rows})


def _no_test(case: Case) -> Outcome | None:
    if "test" in case.errors.parts:
        return None
    if not case.dev_chooses:
        return Outcome("The dev rows had no say in this model, so that its dev score is not optimistic.", {}, "not applicable")
    tried = sum(trial.purpose == "search" for trial in case.trials)
    chosen = f"the best of {tried:,} trials on these rows" if tried else "a network that was chosen on these rows"
    return Outcome(f"There is no test part, and the dev score is that of {chosen}: it is optimistic.", {"trials": tried})


def _reference_ahead(case: Case) -> Outcome | None:
    learned = {name: size for name, size in case.errors.behind.items() if name != "trivial"}
    if not learned:
        return Outcome("No reference model was trained.", {}, "not applicable")
    name = reference_ahead(case)
    if name is None or name == "trivial":
        return None
    size, metric = case.errors.behind[name], case.errors.metric
    theirs = say(case.errors.references[name].error, metric)
    text = f"On the same dev rows {name} makes an error of {theirs}, {say(size, metric)} less than the {case.noun}."
    severity: Severity = "high" if size.value > threshold(case.errors) else "medium"
    return Outcome(text, {"reference": name, "behind": plain(size)}, severity=severity, gain=size.value)


def _not_beating_trivial(case: Case) -> Outcome | None:
    if "trivial" not in case.errors.behind:
        return Outcome("No trivial reference was made.", {}, "not applicable")
    size, metric = case.errors.behind["trivial"], case.errors.metric
    if above(size, 0.0) == "no":
        return None
    trivial = say(case.errors.references["trivial"].error, metric)
    evidence = {"behind": plain(size)}
    if size.value < 0 and size.low < -threshold(case.errors):  # a lead that matters may be there
        rows = two_digits(case.errors.parts["dev"].rows * ((size.high - size.value) / -size.value) ** 2)
        text = (
            f"The trivial answer makes an error of {trivial} on dev and the {case.noun} {say(-size.value, metric)} less, "
            f"but the interval of the difference reaches to {say(-size.high, metric)}. About {rows:,} dev rows would settle it."
        )
        return Outcome(text, evidence, "cannot tell")
    word = "above" if size.value >= 0 else "below"
    span = size if size.value >= 0 else Interval(-size.value, -size.high, -size.low)
    text = f"The trivial answer makes an error of {trivial} on dev; the {case.noun}'s is {say(span, metric)} {word} that."
    return Outcome(text, evidence)


def _uncalibrated(case: Case) -> Outcome | None:
    found = case.errors.calibration
    if found is None:
        reason = "The target has no classes." if case.errors.metric.task != "classification" else "No probabilities, or too few dev rows."
        return Outcome(reason, {}, "not applicable")
    error, chance = found.error, found.chance
    if error.value <= UNCALIBRATED or error.high <= UNCALIBRATED:
        return None
    evidence = {"calibration_error": plain(error), "by_chance": plain(chance), "rows": found.rows}
    seen = f"{percent(error)}"
    if error.low <= UNCALIBRATED or found.p_value > BY_CHANCE:
        # What chance adds shrinks with the root of the rows, and so does the interval.
        doubt = max(error.value - error.low, chance.value)
        rows = two_digits(found.rows * max((doubt / (error.value - UNCALIBRATED)) ** 2 - 1, 0.1))
        near = (error.value - UNCALIBRATED) * 10 <= doubt
        settle = "It lies so close to the limit that no reasonable number of rows would settle it."
        text = f"The calibration error on dev is {seen}, where perfect probabilities show up to {percent(chance.high)} by chance. "
        return Outcome(text + (settle if near else f"About {rows:,} more dev rows would settle it."), evidence, "cannot tell")
    way = f"It is {percent(abs(found.surer))} {'surer' if found.surer > 0 else 'less sure'} than it is right, on average."
    text = (
        f"On dev the probabilities are off by {seen} on average; perfect ones would seem off by {percent(chance.value)} "
        f"(at most {percent(chance.high)}) on {found.rows:,} rows. {way}"
    )
    return Outcome(text, evidence)


def _imbalance(case: Case) -> Outcome | None:
    if not case.class_shares:
        return Outcome("The target has no classes.", {}, "not applicable")
    name = max(case.class_shares, key=lambda each: case.class_shares[each])
    share = case.class_shares[name]
    if case.errors.metric.name not in ("error", "accuracy") or share <= LARGEST_CLASS:
        return None
    text = (
        f"{percent(share)} of the training rows are {name!r}: always answering that is right as often, and says nothing about the "
        "other rows."
    )
    return Outcome(text, {"class": name, "share": share})


CHECKS: tuple[Check, ...] = (
    Check(
        "SH101",
        "High bias",
        "high",
        "avoidable bias above the threshold",
        SOURCE,
        "A bigger network, longer training, or another architecture.",
        _of_gap("avoidable bias", ""),
    ),
    Check(
        "SH102",
        "High variance",
        "high",
        "variance above the threshold",
        SOURCE,
        "More training rows, more regularisation, or another architecture.",
        _of_gap("variance", ""),
    ),
    Check(
        "SH103",
        "Train and dev are not alike",
        "high",
        "mismatch above the threshold",
        SOURCE,
        "Make the training rows more like the dev rows, or collect rows like those.",
        _of_gap("mismatch", "No train-dev part was carved out: train and dev come from one source."),
    ),
    Check(
        "SH104",
        "Overfitted to dev",
        "medium",
        "test minus dev above the threshold",
        SOURCE,
        "Take new or more dev rows before searching further, and check that test comes from the same source.",
        _of_gap("overfitting to dev", "No test part was scored."),
    ),
    Check(
        "SH105",
        "Too few dev rows to tell",
        "medium",
        f"half width of the dev error's interval above {percent(TOO_WIDE, 0)} of it, or fewer than {FEWEST_DEV_ROWS} rows",
        "a relative standard error above 25 %, from which statistical offices mark an estimate as unreliable; a share among 50 rows has "
        "a standard error of up to 7 points",
        "Give more dev rows, or use the scores as a rough guide only.",
        _few_dev_rows,
    ),
    Check(
        "SH106",
        "The best figure is a dev score",
        "note",
        "no test part",
        "Ng, Machine Learning Yearning, chapter 5",
        "Keep rows apart with --test to have an honest figure.",
        _no_test,
    ),
    Check(
        "SH107",
        "A reference model is ahead",
        "medium",
        "paired 95 % interval of the difference above 0; high where the difference is above the threshold of the gaps",
        "paired bootstrap on the same dev rows (Efron and Tibshirani 1993)",
        "Give the search a larger budget; if the reference stays ahead, use the reference.",
        _reference_ahead,
    ),
    Check(
        "SH108",
        "Not shown to beat the trivial answer",
        "high",
        "paired 95 % interval of the difference not below 0, and no lead seen, or none that could matter",
        "paired bootstrap on the same dev rows (Efron and Tibshirani 1993)",
        "Check that the columns can tell about the target at all, and that rows and target belong together.",
        _not_beating_trivial,
    ),
    Check(
        "SH109",
        "Class imbalance hides in the metric",
        "medium",
        f"one class above {percent(LARGEST_CLASS, 0)} of the rows, scored by error or accuracy",
        "Google, Machine Learning Crash Course: a minority under 20 % is a moderate imbalance",
        "Score with --metric balanced_accuracy, f1 or auc.",
        _imbalance,
    ),
    Check(
        "SH110",
        "Probabilities are not calibrated",
        "medium",
        f"expected calibration error above {percent(UNCALIBRATED, 0)}, with its whole interval, and p < {BY_CHANCE:g} for chance",
        "Guo, Pleiss, Sun and Weinberger 2017; chance level by consistency resampling (Broecker and Smith 2007)",
        "Do not read the probabilities as chances: scale them on dev (calibration = temperature in a recipe), or use the order only.",
        _uncalibrated,
    ),
)
