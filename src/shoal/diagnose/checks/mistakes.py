"""Where a classifier errs: the classes it confuses, and mistakes it was sure of: SH111 and SH112."""

from __future__ import annotations

from collections.abc import Callable

from shoal.diagnose.case import Case, Check, Outcome, plain
from shoal.interval import percent
from shoal.measurements import ConfusedPair, Mistakes

TIMES_EQUAL = 2.0
FEWEST_MISTAKES = 5
SURE = 0.9
NAMED = 3


def _of_mistakes(look: Callable[[Case, Mistakes], Outcome | None]) -> Callable[[Case], Outcome | None]:
    """A check that does not apply to other tasks, or where nobody looked."""

    def looked(case: Case) -> Outcome | None:
        if case.errors.metric.task != "classification":
            return Outcome("The target is not one of several classes.", {}, "not applicable")
        if case.measured.mistakes is None:
            return Outcome("The mistakes were not looked at.", {}, "not applicable")
        return look(case, case.measured.mistakes)

    return looked


def _confused(case: Case, found: Mistakes) -> Outcome | None:
    if found.possible_pairs < 2:
        return Outcome("There are two classes, and all mistakes are between them.", {}, "not applicable")
    equal = 1 / found.possible_pairs
    if not found.pairs or _between(found.pairs[0]) < FEWEST_MISTAKES or found.pairs[0].share.low <= TIMES_EQUAL * equal:
        return None
    worst = found.pairs[0]
    sentences = [
        f"{worst.first!r} and {worst.second!r} are taken for each other most: in {_between(worst):,} of {found.wrong:,} mistakes on "
        f"{found.part}, {percent(worst.share)}, where an equal share of all {found.possible_pairs:,} pairs would be {percent(equal)}.",
        f"{worst.first!r} is answered with {worst.second!r} in {worst.first_as_second:,} of {worst.rows[0]:,} rows, and the other way "
        f"round in {worst.second_as_first:,} of {worst.rows[1]:,}: together {percent(worst.rate)}.",
    ]
    if others := [f"{each.first!r} and {each.second!r} ({_between(each):,})" for each in found.pairs[1:NAMED]]:
        sentences.append(f"Next come {' and '.join(others)}.")
    evidence: dict = {f"{each.first} / {each.second}": [each.first_as_second, each.second_as_first, *each.rows] for each in found.pairs}
    evidence |= {"share_of_mistakes": plain(worst.share), "equal_share": equal, "rate": plain(worst.rate)}
    gain = _between(worst) / found.rows if case.errors.metric.name in ("error", "accuracy") else None
    return Outcome(" ".join(sentences), evidence, gain=gain)


def _between(pair: ConfusedPair) -> int:
    return pair.first_as_second + pair.second_as_first


def _surely_wrong(case: Case, found: Mistakes) -> Outcome | None:
    if found.sure_rate is None:
        return Outcome(f"There are no answers of which the {case.noun} is at least {percent(SURE, 0)} sure.", {}, "not applicable")
    if not found.mistakes:
        return None
    shown = "; ".join(
        f"{each.name} ({each.truth!r} answered with {each.answer!r}, {percent(each.probability)})" for each in found.mistakes[:NAMED]
    )
    text = (
        f"Of {found.sure:,} {found.part} rows of which the {case.noun} is at least {percent(SURE, 0)} sure, {found.sure_wrong:,} "
        f"{'is' if found.sure_wrong == 1 else 'are'} wrong, {percent(found.sure_rate)}. The surest: {shown}."
    )
    rows = {each.name: [each.truth, each.answer, each.probability, each.of_truth] for each in found.mistakes}
    return Outcome(text, {"rows": rows, "wrong": found.sure_wrong, "sure": found.sure, "rate": plain(found.sure_rate)})


CHECKS: tuple[Check, ...] = (
    Check(
        "SH111",
        "Two classes are confused most",
        "low",
        f"at least {FEWEST_MISTAKES} mistakes between two classes, and a share of all mistakes whose lower limit, corrected for the number "
        f"of pairs, lies above {TIMES_EQUAL:g} times an equal share",
        "error analysis: Ng, Machine Learning Yearning, chapters 14 to 17; Wilson 1927, with Bonferroni's correction; the factor is a "
        "house convention",
        "Look at rows of the two side by side. If the labels are right and people can tell them apart, collect more rows of both; if "
        "people cannot, the inputs lack something, or the two are one class.",
        _of_mistakes(_confused),
    ),
    Check(
        "SH112",
        "Wrong where it was sure",
        "note",
        f"a wrong answer on a dev row with a probability of at least {percent(SURE, 0)}",
        "confident disagreements: Northcutt, Jiang and Chuang 2021; error analysis: Ng, Machine Learning Yearning, chapters 14 to 17",
        "Look at these rows first: each is a wrong label, an odd row, or something that the model has not understood.",
        _of_mistakes(_surely_wrong),
    ),
)
