"""How the training went: SH201 to SH299."""

from __future__ import annotations

import numpy as np
from scipy import stats

from shoal.diagnose.case import Case, Check, Outcome, Severity, plain
from shoal.records import Interval, Trial

MANY_DIVERGED = 0.1
LATE_FALL = 0.01
LAST_PART = 0.2


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
    return Outcome(text, {"fall": plain(size), "networks": networks})


CHECKS: tuple[Check, ...] = (
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
