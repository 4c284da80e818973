"""Single diseases: each check looks at a finished run's measurements and records, and gives a finding or nothing.

==========  ==========================================  =================================================================
code        title                                       threshold and source
==========  ==========================================  =================================================================
SH101-104   the four gaps of the verdict                see ``verdict.threshold``
SH105       Too few dev rows to tell                    dev error known to half its size (a relative error of 25 %) or worse
SH106       The best figure is a dev score              no test part; the best of many on dev is optimistic
SH107       A reference model is ahead                  paired 95 % interval on the same dev rows above 0
SH108       Not shown to beat the trivial answer        paired 95 % interval on the same dev rows not below 0
SH109       Class imbalance hides in the metric         one class over 80 % (Google, *ML Crash Course*, imbalanced data)
SH201       Trials diverged                             any; medium from one in ten, our convention
SH202       Still improving at the end                  dev loss fell over 1 % in the last fifth, our convention
==========  ==========================================  =================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from scipy import stats

from shoal.diagnose.gaps import Errors
from shoal.diagnose.verdict import SOURCE, above, say, threshold, two_digits
from shoal.records import Finding, Gap, Interval, Trial, Verdict

Severity = Literal["high", "medium", "low", "note"]

TOO_WIDE = 0.5
LARGEST_CLASS = 0.8
MANY_DIVERGED = 0.1
LATE_FALL = 0.01
LAST_PART = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """What is known about a finished run, for the checks and the advice."""

    errors: Errors
    verdict: Verdict
    trials: tuple[Trial, ...] = ()
    """All trials of the run, the retrained winner's among them."""
    class_shares: Mapping[str, float] = field(default_factory=dict)
    """Of the training rows; empty for regression."""
    at_edge: Mapping[str, Literal["lowest", "highest"]] = field(default_factory=dict)
    """Settings of the winner that lie at an end of the range that was searched."""
    budget: str = ""
    searched: bool = True
    """False where one recipe was trained."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one check saw."""

    text: str
    evidence: dict[str, Any]
    outcome: Literal["found", "cannot tell", "not applicable"] = "found"
    severity: Severity | None = None
    """Where it differs from the check's own."""


@dataclass(frozen=True, slots=True)
class Check:
    """A disease: how it is called, what to do about it, what counts as having it, and how it is seen."""

    code: str
    title: str
    severity: Severity
    threshold: str
    source: str
    advice: str
    look: Callable[[Case], Outcome | None]


def findings(case: Case) -> tuple[Finding, ...]:
    """Every check's finding, worst first; healthy ones are left out, what cannot be told and does not apply comes last.

    Args:
        case: the measurements and records of a run.

    Returns:
        Findings with their evidence; ``evidence`` always holds ``threshold`` and ``source``.

    Example:
        >>> from shoal.diagnose.gaps import PartPrediction, measure
        >>> from shoal.diagnose.verdict import judge
        >>> from shoal.metrics import METRICS
        >>> part = PartPrediction(np.linspace(0, 1, 300), np.linspace(0, 1, 300)[None])
        >>> errors = measure({"train": part, "dev": part, "test": part}, METRICS["mae"])
        >>> [finding.code for finding in findings(Case(errors, judge(errors))) if finding.outcome == "found"]
        []
    """
    found = []
    for check in CHECKS:
        outcome = check.look(case)
        if outcome is not None:
            evidence = {**outcome.evidence, "threshold": check.threshold, "source": check.source}
            severity = outcome.severity or check.severity
            advice = check.advice if outcome.outcome == "found" else ""
            found.append(Finding(check.code, check.title, severity, outcome.text, advice, evidence, outcome.outcome))
    outcomes, severities = ("found", "cannot tell", "not applicable"), ("high", "medium", "low", "note")
    return tuple(sorted(found, key=lambda finding: (outcomes.index(finding.outcome), severities.index(finding.severity), finding.code)))


def late_fall(trials: tuple[Trial, ...]) -> tuple[Interval, int] | None:
    """By what share the final networks' dev loss still fell in the last fifth of their training.

    Args:
        trials: of the run; the retrained ones count, or the best one where none was retrained.

    Returns:
        The mean over seeds with its 95 % interval (Student's t) and the number of networks; ``None`` without traces.
        A network whose best weights came before the last fifth did not fall.
    """
    scored = [trial for trial in trials if trial.score is not None and trial.status in ("finished", "stopped early")]
    final = [trial for trial in scored if trial.purpose == "retrain"] or sorted(scored, key=lambda trial: trial.score or 0.0)[:1]
    falls = [fall for trial in final if (fall := _late_fall(trial)) is not None]
    if not falls:
        return None
    mean = float(np.mean(falls))
    half = float(stats.t.ppf(0.975, len(falls) - 1) * np.std(falls, ddof=1) / np.sqrt(len(falls))) if len(falls) > 1 else 0.0
    return Interval(mean, mean - half, mean + half), len(falls)


def _late_fall(trial: Trial) -> float | None:
    steps = trial.trace.steps
    seen = [(step, loss) for step, loss in zip(steps, trial.trace.dev_loss, strict=True) if loss is not None]
    before = [loss for step, loss in seen if step <= (1 - LAST_PART) * steps[-1]] if steps else []
    if not before or len(seen) == len(before):
        return None
    return max(0.0, min(before) - min(loss for _, loss in seen)) / max(abs(min(before)), np.finfo(float).tiny)


def still_improving(case: Case) -> bool:
    """Whether the final networks were clearly still getting better when their training ended."""
    fall = late_fall(case.trials)
    return fall is not None and fall[0].low > LATE_FALL


def reference_ahead(case: Case) -> str | None:
    """The reference whose dev error is lowest among those clearly below the model's."""
    ahead = [name for name, size in case.errors.behind.items() if size.low > 0]
    return min(ahead, key=lambda name: case.errors.references[name].error.value) if ahead else None


def _of_gap(name: str, missing: str) -> Callable[[Case], Outcome | None]:
    def look(case: Case) -> Outcome | None:
        gap: Gap | None = next((gap for gap in case.verdict.gaps if gap.name == name), None)
        if gap is None:
            return Outcome(missing, {}, "not applicable")
        evidence = {"gap": _plain(gap.size), "limit": gap.threshold}
        if gap.high == "no":
            return None
        return Outcome(gap.explanation, evidence, "found" if gap.high == "yes" else "cannot tell")

    return look


def _few_dev_rows(case: Case) -> Outcome | None:
    dev, metric = case.errors.parts["dev"], case.errors.metric
    half = (dev.error.high - dev.error.low) / 2
    # An error that is small in itself is well known even where it is known to its own size only.
    wanted = max(TOO_WIDE * dev.error.value, 2 * threshold(case.errors))
    if half <= wanted:
        return None
    rows = two_digits(dev.rows * (half / wanted) ** 2)
    text = (
        f"On {dev.rows:,} dev rows the error is known only as {say(dev.error, metric)}; about {rows:,} rows would make it tell something."
    )
    return Outcome(text, {"dev_error": _plain(dev.error), "rows": dev.rows, "rows_needed": rows})


def _no_test(case: Case) -> Outcome | None:
    if "test" in case.errors.parts:
        return None
    tried = sum(trial.purpose == "search" for trial in case.trials)
    chosen = f"the best of {tried:,} trials on these rows" if tried else "chosen on these rows"
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
    text = f"On the same dev rows {name} makes an error of {theirs}, {say(size, metric)} less than the network."
    severity: Severity = "high" if size.value > threshold(case.errors) else "medium"
    return Outcome(text, {"reference": name, "behind": _plain(size)}, severity=severity)


def _not_beating_trivial(case: Case) -> Outcome | None:
    if "trivial" not in case.errors.behind:
        return Outcome("No trivial reference was made.", {}, "not applicable")
    size, metric = case.errors.behind["trivial"], case.errors.metric
    if above(size, 0.0) == "no":
        return None
    trivial = say(case.errors.references["trivial"].error, metric)
    text = f"The trivial answer makes an error of {trivial} on dev; the network's is {say(size, metric)} above that."
    return Outcome(text, {"behind": _plain(size)})


def _imbalance(case: Case) -> Outcome | None:
    if not case.class_shares:
        return Outcome("The target has no classes.", {}, "not applicable")
    name = max(case.class_shares, key=lambda each: case.class_shares[each])
    share = case.class_shares[name]
    if case.errors.metric.name not in ("error", "accuracy") or share <= LARGEST_CLASS:
        return None
    text = f"{share:.1%} of the training rows are {name!r}: always answering that is right as often, and says nothing about the other rows."
    return Outcome(text, {"class": name, "share": share})


def _diverged(case: Case) -> Outcome | None:
    search = [trial for trial in case.trials if trial.purpose == "search"]
    lost = sum(trial.status == "diverged" for trial in search)
    retrained = sum(trial.status == "diverged" for trial in case.trials if trial.purpose == "retrain")
    if not lost + retrained:
        return None
    text = f"{lost:,} of {len(search):,} searched networks diverged" + (f", and {retrained} of the retrained ones." if retrained else ".")
    share = lost / len(search) if search else 0.0
    severity: Severity = "high" if retrained else "medium" if share >= MANY_DIVERGED else "note"
    return Outcome(text, {"diverged": lost, "searched": len(search), "retrained_diverged": retrained}, severity=severity)


def _still_improving(case: Case) -> Outcome | None:
    fall = late_fall(case.trials)
    if fall is None:
        return Outcome("No learning curve was recorded.", {}, "not applicable")
    size, networks = fall
    if size.low <= LATE_FALL:
        return None
    share = f"{size.value:.1%} ({size.low:.1%} to {size.high:.1%})" if networks > 1 else f"{size.value:.1%}"
    text = f"In the last fifth of the training the dev loss still fell by {share}, measured on {networks} network{'s' * (networks > 1)}."
    return Outcome(text, {"fall": _plain(size), "networks": networks})


def _plain(size: Interval) -> list[float]:
    return [size.value, size.low, size.high]


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
        _of_gap("overfitting to dev", "There is no test part."),
    ),
    Check(
        "SH105",
        "Too few dev rows to tell",
        "medium",
        f"half width of the dev error's interval above {TOO_WIDE:.0%} of it",
        "a relative standard error above 25 %, from which statistical offices mark an estimate as unreliable",
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
        "paired 95 % interval of the difference above 0",
        "paired bootstrap on the same dev rows (Efron and Tibshirani 1993)",
        "Give the search a larger budget; if the reference stays ahead, use the reference.",
        _reference_ahead,
    ),
    Check(
        "SH108",
        "Not shown to beat the trivial answer",
        "high",
        "paired 95 % interval of the difference not below 0",
        "paired bootstrap on the same dev rows (Efron and Tibshirani 1993)",
        "Check that the columns can tell about the target at all, and that rows and target belong together.",
        _not_beating_trivial,
    ),
    Check(
        "SH109",
        "Class imbalance hides in the metric",
        "medium",
        f"one class above {LARGEST_CLASS:.0%} of the rows, scored by error or accuracy",
        "Google, Machine Learning Crash Course: a minority under 20 % is a moderate imbalance",
        "Score with --metric balanced_accuracy, f1 or auc.",
        _imbalance,
    ),
    Check(
        "SH201",
        "Trials diverged",
        "medium",
        f"any; medium from {MANY_DIVERGED:.0%}",
        "house convention",
        "Harmless in a wide search; where many diverge, lower the highest learning rate or clip the gradient.",
        _diverged,
    ),
    Check(
        "SH202",
        "Still improving at the end",
        "medium",
        f"dev loss fell by more than {LATE_FALL:.0%} in the last fifth of the training",
        "house convention",
        "Train longer: give a larger --budget, or a recipe of more epochs.",
        _still_improving,
    ),
)
"""Every check, in the order of the codes."""
