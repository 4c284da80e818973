"""The one next step, in the order of the basic recipe: ask about bias first, then about variance."""

from __future__ import annotations

from collections.abc import Sequence

from shoal.diagnose.case import Case
from shoal.diagnose.checks import CAUSES
from shoal.diagnose.checks.errors import reference_ahead
from shoal.diagnose.checks.training import still_improving
from shoal.diagnose.verdict import say
from shoal.records import Finding

REGULARISERS = {"l2": "highest", "weight_decay": "highest", "keep_prob": "lowest", "input_keep_prob": "lowest"}
CAPACITY = ("hidden_units", "hidden_layers", "epochs")


def next_step(case: Case, found: Sequence[Finding] = ()) -> str:
    """The recommended next step in plain words.

    Where something is broken (a leak, weights that never part, a learning rate far off), mending it comes first. Then high bias
    asks for longer training, a bigger network or another architecture, high variance for more rows or more regularisation; which
    of them is chosen from what the run has seen.

    Args:
        case: the verdict with the run's measurements and records.
        found: the findings about it.

    Returns:
        One or two sentences.

    Example:
        >>> import numpy as np
        >>> from shoal.diagnose.gaps import PartPrediction, measure
        >>> from shoal.diagnose.verdict import judge
        >>> from shoal.metrics import METRICS
        >>> part = PartPrediction(np.linspace(0, 1, 300), np.linspace(0, 1, 300)[None])
        >>> errors = measure({"train": part, "dev": part}, METRICS["mae"])
        >>> next_step(Case(errors, judge(errors)))
        'Nothing stands out: use the model. For a lower error, add columns that tell more about the target.'
    """
    broken = {finding.code: finding for finding in found if finding.outcome == "found" and finding.severity in ("high", "medium")}
    for code in CAUSES:
        if code in broken:
            return f"{broken[code].title}: {broken[code].advice[0].lower()}{broken[code].advice[1:]}"
    title = case.verdict.title
    if title in ("high bias", "high bias and high variance"):
        first = "Bias first: " if title != "high bias" else ""
        return _start(first + _against_bias(case))
    if title == "high variance":
        return _start(_against_variance(case))
    if title == "mismatch" and case.measured.data is not None and case.measured.data.pictures is not None:
        return "Make the training pictures more like the dev pictures: add some from the dev pictures' source, or imitate how they differ."
    if title == "mismatch":
        return (
            "Make the training rows more like the dev rows: look for columns whose values differ between the two files, "
            "drop or correct them with --drop, or add training rows from the dev rows' source."
        )
    high = {gap.name: gap.high for gap in case.verdict.gaps}
    if high.get("overfitting to dev") == "yes":
        return "Take new or more dev rows before searching further: the choice of the model has used the present ones up."
    if title == "cannot tell":
        return _towards_an_answer(case)
    ahead = reference_ahead(case)
    if ahead is not None:
        return f"Search longer{_than(case)}: {_lead(case, ahead)}."
    return "Nothing stands out: use the model. For a lower error, add columns that tell more about the target."


def _start(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _than(case: Case) -> str:
    if not case.searched:
        return " (with shoal improve; this was one recipe, without a search)"
    return f" (a --budget above {case.budget})" if case.budget else " (a larger --budget)"


def _lead(case: Case, name: str) -> str:
    errors = case.errors
    theirs, ours = (say(part.error.value, errors.metric) for part in (errors.references[name], errors.parts["dev"]))
    return f"{name} reaches an error of {theirs} on the same dev rows, and the network {ours}"


def _against_bias(case: Case) -> str:
    if still_improving(case):
        return f"train longer{_than(case)}: the dev loss was still falling when the training ended."
    edges = [name for name in CAPACITY if case.at_edge.get(name) == "highest"]
    if edges:
        return f"try a bigger network: the best one lies at the highest end of the range searched for {' and '.join(edges)}."
    ahead = reference_ahead(case)
    if ahead is not None:
        return f"search further for another architecture{_than(case)}: {_lead(case, ahead)}."
    return f"try a bigger network and longer training{_than(case)}: the present one does not fit its own training rows well enough."


def _against_variance(case: Case) -> str:
    edges = [name for name, end in REGULARISERS.items() if case.at_edge.get(name) == end]
    if edges:
        return (
            f"regularise more: the best network lies at the {REGULARISERS[edges[0]]} end of the range searched for {' and '.join(edges)}."
        )
    ahead = reference_ahead(case)
    if ahead is not None:
        return f"search further for another architecture and more regularisation{_than(case)}: {_lead(case, ahead)}."
    rows = case.errors.parts["train"].rows
    return (
        f"get more training rows (now {rows:,}): the network fits these much better than new ones. "
        "Where there are none to get, more regularisation is the next best."
    )


def _towards_an_answer(case: Case) -> str:
    unsure = [gap for gap in case.verdict.gaps if gap.high == "cannot tell"]
    if unsure[0].name == "avoidable bias" and case.verdict.target_error_source == "estimated":
        ahead = reference_ahead(case)
        if ahead is not None:
            return f"Search longer{_than(case)}: {_lead(case, ahead)}."
        if still_improving(case):
            return f"Train longer{_than(case)}: the dev loss was still falling when the training ended."
        return (
            "State what error is possible at best (people's, or a physical limit) with --target-error: "
            "without it bias cannot be told from noise in the target."
        )
    return f"Give more rows before changing anything: it cannot be told yet whether {unsure[0].name} matters. {unsure[0].explanation}"
