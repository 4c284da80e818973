"""How the training went: SH201 to SH299."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from shoal.diagnose.case import Case, Check, Outcome, Severity, about, plain
from shoal.diagnose.verdict import say, threshold
from shoal.interval import Interval, percent
from shoal.losses import NOT_LEARNED
from shoal.measurements import RateRange
from shoal.metrics import mean_interval
from shoal.recipe import Recipe
from shoal.records import Trial

MANY_DIVERGED = 0.1
LATE_FALL = 0.01
LAST_PART = 0.2
FAR_BELOW = 30
WASTED = 0.05
"""Share of the range test's fall by which the whole training stays above it."""
NOISY = 1.0
FEWEST_EVALUATIONS = 5
ROSE_AGAIN, ROSE_FAR = 0.05, 0.5
FEWEST_FOR_BATCH_NORM = 16
LARGE_INPUTS, SMALL_INPUTS = 10.0, 0.03


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
    return mean_interval(falls), len(falls)


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
    final = [trial for trial in case.trials if trial.purpose == "retrain"]
    lost, retrained = (sum(trial.status == "diverged" for trial in trials) for trials in (search, final))
    if not lost + retrained:
        return None
    counted = ((lost, len(search), "searched"), (retrained, len(final), "final"))
    text = f"{' and '.join(f'{some:,} of {all_:,} {which} networks' for some, all_, which in counted if all_)} diverged."
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
    share = f"{percent(size)}" if networks > 1 else f"{percent(size.value)}"
    text = f"In the last fifth of the training the dev loss still fell by {share}, measured on {networks} network{'s' * (networks > 1)}."
    return Outcome(text, {"fall": plain(size), "networks": networks})


def final_networks(case: Case) -> list[Trial]:
    """The networks of the final recipe: those trained on fresh seeds."""
    return [trial for trial in case.trials if trial.purpose == "retrain" and (case.recipe is None or trial.recipe == case.recipe)]


def _losses(trial: Trial, name: str = "train_loss") -> list[float]:
    return [loss for loss in getattr(trial.trace, name) if loss is not None]


def _clearly_above(values: Sequence[float], limit: float) -> bool:
    """Whether the mean over seeds is, with its interval, or every single seed: a few seeds that scatter widely can all lie far above."""
    return mean_interval(values).low > limit or min(values) > limit


def _rate_too_high(case: Case) -> Outcome | None:
    rates = case.measured.rate_range
    if rates is None:
        return Outcome("No range of learning rates was measured.", {}, "not applicable")
    if rates.used <= rates.highest:
        return None
    text = (
        f"The learning rate {rates.used:.2g} lies above the range from {rates.lowest:.2g} to {rates.highest:.2g} in which "
        f"{rates.steps} steps at a constant rate lower the loss nearly as far as at the best, {rates.best:.2g}."
    )
    return Outcome(text, _of_range(rates))


def _rate_too_low(case: Case) -> Outcome | None:
    rates = case.measured.rate_range
    ends = [losses[-1] for trial in final_networks(case) if (losses := _losses(trial))]
    if rates is None or not ends:
        return Outcome("No range of learning rates was measured.", {}, "not applicable")
    best = min((loss for loss in rates.losses if loss is not None), default=rates.start)
    if rates.used * FAR_BELOW >= rates.best or not _clearly_above(ends, best + WASTED * (rates.start - best)):
        return None
    end = mean_interval(ends)
    text = (
        f"At the learning rate {rates.used:.2g} the training loss ended at {end.value:.3g} ({end.low:.3g} to {end.high:.3g}); "
        f"a mere {rates.steps} steps at {rates.best:.2g} bring it to {best:.3g}."
    )
    return Outcome(text, {**_of_range(rates), "final_train_loss": plain(end), "best_in_range": best})


def _of_range(rates: RateRange) -> dict[str, float]:
    return {"used": rates.used, "best": rates.best, "lowest": rates.lowest, "highest": rates.highest, "steps": rates.steps}


def trivial_loss(case: Case) -> float | None:
    """The loss of the best constant answer: the entropy of the classes, or the variance of a standardised quantity."""
    if case.class_shares:
        shares = np.array([share for share in case.class_shares.values() if share > 0])
        return float(-(shares * np.log(shares)).sum())
    is_squared = case.recipe is not None and case.recipe.loss in ("auto", "squared_error") and case.errors.metric.task == "regression"
    return 1.0 if is_squared else None


def _flat(case: Case) -> Outcome | None:
    trivial = trivial_loss(case)
    lowest = [min(losses) for trial in final_networks(case) if (losses := _losses(trial, "dev_loss"))]
    if trivial is None or not lowest:
        return Outcome("No loss of the trivial answer is known to compare with.", {}, "not applicable")
    train = [min(losses) for trial in final_networks(case) if (losses := _losses(trial))]
    # a network that knows its training rows by heart has learned something, and another finding's name
    if not _clearly_above(lowest, NOT_LEARNED * trivial) or (train and mean_interval(train).value < NOT_LEARNED * trivial):
        return None
    size = mean_interval(lowest)
    text = (
        f"The lowest dev loss, {size.value:.3g} ({size.low:.3g} to {size.high:.3g}), is not below that of a constant answer, "
        f"{trivial:.3g}, and neither is the training loss: the network has learned next to nothing."
    )
    evidence = {"dev_loss": plain(size), "trivial": trivial}
    return Outcome(text, evidence | ({"train_loss": plain(mean_interval(train))} if train else {}))


def _noisy(case: Case) -> Outcome | None:
    shares = [share for trial in final_networks(case) if (share := _rises(_losses(trial))) is not None]
    if not shares:
        return Outcome(f"It takes at least {FEWEST_EVALUATIONS} evaluations to see noise.", {}, "not applicable")
    if not _clearly_above(shares, NOISY):
        return None
    logs = mean_interval(np.log(np.maximum(shares, 0.01)).tolist())  # factors, not sums
    share = Interval(*(math.exp(each) for each in (logs.value, logs.low, logs.high)))
    text = (
        f"Between evaluations the training loss rose by {about(share.value)} ({about(share.low)} to {about(share.high)}) times as much in "
        "all as it fell in the end."
    )
    return Outcome(text, {"rises": plain(share)})


def _rises(losses: list[float]) -> float | None:
    """All rises of a series over its fall from the first to the last value."""
    if len(losses) < FEWEST_EVALUATIONS:
        return None
    steps = np.diff(losses)
    return float(np.maximum(steps, 0).sum() / max(losses[0] - losses[-1], 0.01 * abs(losses[0]), 1e-12))


def _past_best(case: Case) -> Outcome | None:
    rises, ends = [], []
    for trial in final_networks(case):
        losses = _losses(trial, "dev_loss")
        if len(losses) >= FEWEST_EVALUATIONS and trial.steps:
            rises.append(losses[-1] / min(losses) - 1 if min(losses) > 0 else 0.0)
            ends.append(trial.best_step / trial.steps)
    if not rises:
        return Outcome(f"It takes at least {FEWEST_EVALUATIONS} evaluations to see a minimum.", {}, "not applicable")
    rise, at = mean_interval(rises), mean_interval(ends)
    if rise.low <= ROSE_AGAIN:
        return None
    text = (
        f"The dev loss was lowest after {percent(at, 0)} of the training and rose by {percent(rise, 0)} since. "
        "The weights of the lowest dev loss are the ones kept."
    )
    return Outcome(text, {"rise": plain(rise), "best_at": plain(at)}, severity="low" if rise.low > ROSE_FAR else "note")


def _small_batch_for_norm(case: Case) -> Outcome | None:
    recipe = case.recipe
    if recipe is None or recipe.normalisation != "batch":
        return Outcome("No batch norm is used.", {}, "not applicable")
    if recipe.batch_size == "all" or recipe.batch_size >= FEWEST_FOR_BATCH_NORM:
        return None
    size = recipe.batch_size
    severity: Severity = "high" if size < FEWEST_FOR_BATCH_NORM / 2 else "medium"
    return Outcome(f"Batch norm estimates each unit's mean and variance from {size} examples.", {"batch_size": size}, severity=severity)


def _inputs_not_normalised(case: Case) -> Outcome | None:
    scales = case.measured.input_scales
    if scales is None or case.recipe is None:
        return Outcome("The inputs' scales were not measured.", {}, "not applicable")
    if case.recipe.input_normalisation != "none" or SMALL_INPUTS <= scales[1] <= LARGE_INPUTS:
        return None
    text = f"The inputs go into the network as they are; their root mean squares lie between {about(scales[0])} and {about(scales[1])}."
    return Outcome(text, {"smallest": scales[0], "largest": scales[1]})


def _over_regularised(case: Case) -> Outcome | None:
    if case.recipe is None:
        return Outcome("The recipe is not known.", {}, "not applicable")
    strong = strong_regularisers(case.recipe, case.errors.parts["train"].rows)
    behind = {name: size for name, size in case.errors.behind.items() if size.low > 0}
    if not strong or not behind or case.errors.difference("dev", "train").size.low > threshold(case.errors):
        return None
    name = max(behind, key=lambda each: behind[each].value)
    verb = "holds" if len(strong) == 1 else "hold"
    text = (
        f"{' and '.join(strong)} {verb} the network back: its train and dev errors are alike, and {name} makes an error that is "
        f"{say(behind[name], case.errors.metric)} lower on the same dev rows."
    )
    return Outcome(text, {"settings": list(strong), "behind": plain(behind[name]), "reference": name}, gain=behind[name].value)


def strong_regularisers(recipe: Recipe, rows: int) -> dict[str, float]:
    """The regularisers of a recipe that are far stronger than is usual, by name, with their value."""
    values = {
        "keep_prob": (min(recipe.keep_probs[1:], default=1.0), "<", 0.35),
        "input_keep_prob": (recipe.input_keep_prob, "<", 0.35),
        "l2": (recipe.l2, ">", 0.01 * rows),
        "l1": (recipe.l1, ">", 0.001 * rows),
        "weight_decay": (recipe.weight_decay, ">", 3.0),
        "input_noise": (recipe.input_noise, ">", 1.0),
        "mixup": (recipe.mixup, ">", 2.0),
        "label_smoothing": (recipe.label_smoothing, ">", 0.4),
        "max_norm": (recipe.max_norm if recipe.max_norm is not None else math.inf, "<", 0.3),
    }
    return {name: value for name, (value, way, limit) in values.items() if (value < limit if way == "<" else value > limit)}


CHECKS: tuple[Check, ...] = (
    Check(
        "SH201",
        "Trials diverged",
        "medium",
        f"any: a note; medium from {percent(MANY_DIVERGED, 0)} of the searched networks, high where a final one did",
        "house convention",
        "Harmless in a wide search; where many diverge, lower the highest learning rate or clip the gradient.",
        _diverged,
    ),
    Check(
        "SH202",
        "Still improving at the end",
        "medium",
        f"dev loss fell by more than {percent(LATE_FALL, 0)} in the last fifth of the training",
        "house convention",
        "Train longer: give a larger --budget, or a recipe of more epochs.",
        _still_improving,
    ),
    Check(
        "SH203",
        "Learning rate too high",
        "high",
        "above every rate that reaches 90 % of the best one's fall in a range test",
        "Smith 2017, cyclical learning rates, section 3.3; the share is our convention",
        "Take a rate inside the range, near the best or a little below.",
        _rate_too_high,
    ),
    Check(
        "SH204",
        "Learning rate too low",
        "high",
        f"below a {FAR_BELOW}th of the best rate of a range test, which reaches a lower loss in its few steps than the whole training",
        "Smith 2017; the factor is our convention",
        "Take a rate inside the range, near the best or a little below.",
        _rate_too_low,
    ),
    Check(
        "SH205",
        "Nothing is learned",
        "high",
        f"lowest dev loss and lowest training loss not below {percent(NOT_LEARNED, 0)} of the best constant answer's",
        "the entropy of the classes, or the variance of the target, is what knowing nothing costs",
        "Look at the other findings first; where there are none, the columns may not tell about the target.",
        _flat,
    ),
    Check(
        "SH206",
        "The training loss is noisy",
        "low",
        "its rises add up to more than its fall",
        "house convention",
        "Lower the learning rate, let it decay, or use larger mini-batches.",
        _noisy,
    ),
    Check(
        "SH207",
        "Past its best",
        "note",
        f"dev loss over {percent(ROSE_AGAIN, 0)} above its minimum at the end; low over {percent(ROSE_FAR, 0)}",
        "Prechelt 1998, early stopping",
        "Stop earlier (patience) to save time, or regularise more so that later weights are worth having.",
        _past_best,
    ),
    Check(
        "SH208",
        "Batch too small for batch norm",
        "medium",
        f"fewer than {FEWEST_FOR_BATCH_NORM} examples a mini-batch; high below {FEWEST_FOR_BATCH_NORM // 2}",
        "Wu and He 2018, group normalization: the error rises from 16 examples downwards",
        "Use mini-batches of 32 or more, or layer norm.",
        _small_batch_for_norm,
    ),
    Check(
        "SH209",
        "Inputs are not normalised",
        "high",
        f"input_normalisation none, and the largest root mean square of an input above {LARGE_INPUTS:g} or below {SMALL_INPUTS:g}",
        "LeCun et al. 1998, efficient backprop: inputs of mean 0 and variance 1",
        "Set input_normalisation to smooth or standard.",
        _inputs_not_normalised,
    ),
    Check(
        "SH210",
        "Regularised too much",
        "high",
        "an unusually strong regulariser, no gap between train and dev, and a reference model clearly ahead",
        "paired 95 % interval of the difference above 0; what is unusual is our convention",
        "Weaken the regulariser that is named, or take it away.",
        _over_regularised,
    ),
)
