"""Rows and columns: shifts between the parts, repeats, leaks: SH301 to SH399."""

from __future__ import annotations

from collections.abc import Callable

from shoal.diagnose.case import Case, Check, Outcome, Severity, plain
from shoal.diagnose.verdict import above, say, two_digits
from shoal.interval import Interval, percent
from shoal.measurements import ColumnClue, DataFaults, Repeats, TwoSample

SIGNIFICANCE = 0.01
TOLD_APART = 0.55
"""Area under the ROC curve, its lower limit. Below that a difference is real, perhaps, but so small that only very many rows show it."""
SHIFT_SIGNIFICANCE, SHIFT_SIZE, LARGE_SHIFT = 0.001, 0.05, 0.2
MORE_THAN_CHANCE = 0.01
MANY_COPIES, AGREEING = 0.05, 0.95
NOISY = 0.1
"""With a tenth of 800 dev rows, sound boosted trees and networks had lower limits up to 0.05 on ten of eleven public tables (0.11 on
higgs, where classes overlap most), and 0.14 or more on all eleven with 30 % of the labels wrong."""
KNOWN_BY = 2 / 3
"""Of the error of all rows, the least that the error of the surest pictures is where wrong labels are the cause. For boosted trees it was
0.79 on MNIST, 0.81 on USPS and 0.68 on CIFAR-10 with 30 % of the labels drawn at random, and 0.00, 0.00 and 0.34 with the true labels."""
NO_COLUMN = "The inputs are pictures: no column was written down that could tell."
COPIES = "The inputs are pictures: SH312 says which of them are in two parts."
IMITATED = {
    "brightness": "brightness",
    "contrast": "contrast",
    "share of nearly black pixels": "brightness",
    "share of nearly white pixels": "brightness",
    "height of what is drawn": "zoom",
    "width of what is drawn": "zoom",
    "stroke width": "zoom",
    "place from the top": "shift",
    "place from the left": "shift",
    "colourfulness": "saturation",
}
"""The augmentation that makes pictures differ in this."""
NOT_MEASURED = Outcome("The rows and columns were not examined.", {}, "not applicable")


def _examined(look: Callable[[Case, DataFaults], Outcome | None]) -> Callable[[Case], Outcome | None]:
    """A check that does not apply where nothing was measured."""
    return lambda case: NOT_MEASURED if case.measured.data is None else look(case, case.measured.data)


def _of_tables(reason: str, look: Callable[[Case, DataFaults], Outcome | None]) -> Callable[[Case, DataFaults], Outcome | None]:
    """A check that does not apply to pictures, for this reason."""
    return lambda case, faults: look(case, faults) if faults.pictures is None else Outcome(reason, {}, "not applicable")


def _not_chosen(faults: DataFaults) -> Outcome | None:
    """Why train and dev need no comparison, if they were drawn from one table."""
    if faults.split.startswith("by group"):
        return Outcome(f"Whole groups were drawn for the parts ({faults.split}), which differ as groups do.", {}, "not applicable")
    if faults.split.startswith("shuffled"):
        return Outcome(f"Train and dev were drawn from one table ({faults.split}): they differ by chance alone.", {}, "not applicable")
    return None


def _mismatch(case: Case, faults: DataFaults) -> Outcome | None:
    if (reason := _not_chosen(faults)) is not None:
        return reason
    test = faults.mismatch
    if test is None:
        return Outcome("Train or dev has fewer than 50 rows, too few to compare them; 50 of each will do.", {}, "cannot tell")
    evidence = _evidence(test)
    if test.p_value >= SIGNIFICANCE or test.auc.high <= TOLD_APART:
        return None
    text = f"A classifier tells dev rows from train rows: area under the ROC curve {_two(test.auc)}, where guessing gives 0.5."
    if test.auc.low <= TOLD_APART:
        rows = _rows_to_settle(test.auc, TOLD_APART, min(test.rows))
        return Outcome(f"{text} Whether that is enough to matter (above {TOLD_APART}) cannot be told. {rows}", evidence, "cannot tell")
    severity, cost, gain = _cost(case)
    advice = "" if faults.pictures is None else _picture_advice(test)
    return Outcome(f"{text} {_clues(test)} {cost}".replace("  ", " "), evidence, severity=severity, gain=gain, advice=advice)


def _picture_advice(test: TwoSample) -> str:
    names = dict.fromkeys(IMITATED[clue.name] for clue in test.columns if clue.name in IMITATED)
    imitated = f", or imitate the difference by augmentation ({', '.join(names)})" if names else ""
    return f"Add training pictures like the dev pictures, make the old ones like them in what is named{imitated}."


def _cost(case: Case) -> tuple[Severity, str, float | None]:
    gap = next((gap for gap in case.verdict.gaps if gap.name == "mismatch"), None)
    if gap is None:
        return "medium", "What it costs is not known: a train-dev part, held out of the training rows, would tell.", None
    size = say(gap.size, case.errors.metric)
    costs = f"It costs {size} of error: that much higher is the dev error than the error on train-dev rows."
    if gap.high == "no":
        return "low", f"It does no harm: the dev error minus that on train-dev rows is {size}.", max(gap.size.value, 0.0)
    if gap.high == "cannot tell":
        costs = f"What it costs is not known well: the dev error minus that on train-dev rows is {size}."
    return "high" if gap.high == "yes" else "medium", costs, max(gap.size.value, 0.0)


def _drift(case: Case, faults: DataFaults) -> Outcome | None:
    if not faults.split.startswith("shuffled"):
        return Outcome(f"The rows were not shuffled into the parts ({faults.split}).", {}, "not applicable")
    if faults.sorted_by_target:
        return Outcome("The rows are sorted by the target, so that their order tells nothing else.", {}, "not applicable")
    test = faults.drift
    if test is None:
        return Outcome("Too few training rows to compare earlier with later ones; 100 will do.", {}, "cannot tell")
    if test.p_value >= SIGNIFICANCE or test.auc.low <= TOLD_APART:
        return None
    ordered = f" Columns that follow the order: {', '.join(faults.ordered)}." if faults.ordered else ""
    text = f"The earlier training rows of the file can be told from the later ones (area under the ROC curve {_two(test.auc)})."
    return Outcome(f"{text} {_clues(test)}{ordered}", {**_evidence(test), "ordered": list(faults.ordered)})


def _sorted(case: Case, faults: DataFaults) -> Outcome | None:
    if not faults.sorted_by_target:
        return None
    return Outcome("The rows of the file are sorted by the target. They were shuffled before the split, so that no harm is done.", {})


def _target_shift(case: Case, faults: DataFaults) -> Outcome | None:
    if (reason := _not_chosen(faults)) is not None:
        return reason
    shift = faults.target_shift
    if shift is None:
        return Outcome("Train or dev has fewer than 50 rows, too few to compare their targets; 50 of each will do.", {}, "cannot tell")
    if shift.p_value >= SHIFT_SIGNIFICANCE or shift.size < SHIFT_SIZE:
        return None
    text = f"The target is not distributed alike: {shift.text}. The distributions differ by {shift.size:.2f} (from 0 to 1)."
    evidence = {"p_value": shift.p_value, "size": shift.size, "rows": list(shift.rows)}
    return Outcome(text, evidence, severity="high" if shift.size >= LARGE_SHIFT else "medium")


def _exact(case: Case, faults: DataFaults) -> Outcome | None:
    found = faults.exact
    if found is None:
        return Outcome("Train or dev has fewer than 20 rows.", {}, "not applicable")
    text = f"{found.repeated:,} of {found.rows:,} dev rows have the same inputs as a training row, {percent(found.share)}"
    if _beyond_chance(found):
        text += (
            f"; by chance it would be {percent(found.expected.value)}. "
            f"Of these, {percent(found.disagreeing)} have another target than their twin."
        )
        return Outcome(text + " The dev error is that of rows already seen.", _repeat_evidence(found))
    if found.share.low > MANY_COPIES and found.disagreeing <= 1 - AGREEING:
        text += f", as often as training rows repeat each other ({percent(found.expected.value)})."
        text += " The dev error is in part that of rows already seen."
        return Outcome(text, _repeat_evidence(found), severity="note")
    return None


def _near(case: Case, faults: DataFaults) -> Outcome | None:
    found = faults.near
    if found is None:
        return Outcome("Too few rows, or most of the training rows repeat each other.", {}, "not applicable")
    if not _beyond_chance(found):
        return None
    text = (
        f"{found.repeated:,} of {found.rows:,} dev rows are next to equal to a training row, {percent(found.share)}; "
        f"by chance it would be {percent(found.expected)}. The dev error is in part that of rows already seen."
    )
    return Outcome(text, _repeat_evidence(found))


def _of_columns(field: str, sentence: str) -> Callable[[Case, DataFaults], Outcome | None]:
    def look(case: Case, faults: DataFaults) -> Outcome | None:
        found: tuple[ColumnClue, ...] = getattr(faults, field)
        if not found:
            return None
        first = found[0].name
        shown = "; ".join(clue.text for clue in found[:3]) + (f"; and {len(found) - 3} more" if len(found) > 3 else "")
        evidence = {clue.name: clue.strength if clue.others is None else [clue.strength, clue.others] for clue in found}
        # the name of a column stays as it is
        began = shown if shown.startswith(first) else shown[0].upper() + shown[1:]
        return Outcome(f"{began}. {sentence}", evidence)

    return look


def _label_noise(case: Case, faults: DataFaults) -> Outcome | None:
    if case.errors.metric.task != "classification":
        return Outcome("The target is not one of several classes.", {}, "not applicable")
    error = faults.label_noise
    if error is None:
        return Outcome("The model gives no probabilities, so that there are no rows of which it is surest.", {}, "not applicable")
    if error.value <= NOISY:
        return None
    evidence = {"error_of_the_surest": plain(error), "limit": NOISY}
    parts = case.errors.parts
    best = min(part.error.value for part in (parts["dev"], *case.errors.references.values()))
    if faults.pictures is not None and error.value < KNOWN_BY * best:
        return None  # of pictures a weak model is seldom right even where it is surest
    text = f"Even among the tenth of the dev rows of which the {case.noun} is surest, {percent(error)} are wrong."
    if error.low <= NOISY:
        settle = _rows_to_settle(error, NOISY, case.errors.parts["dev"].rows)
        return Outcome(f"{text} Whether that is above {percent(NOISY, 0)} cannot be told. {settle}", evidence, "cannot tell")
    size = case.errors.behind.get("trivial")
    if size is None or above(size, 0.0) != "no":
        return Outcome(f"{text} Many labels are wrong, or the columns tell next to nothing about the target.", evidence)
    return Outcome(f"{text} Where classes only overlap, there are rows of which one can be sure; here many labels must be wrong.", evidence)


def _beyond_chance(found: Repeats) -> bool:
    return found.share.low > found.expected.high + MORE_THAN_CHANCE


def _evidence(test: TwoSample) -> dict:
    columns = {clue.name: clue.strength for clue in test.columns[:10]}
    return {"auc": plain(test.auc), "p_value": test.p_value, "rows": list(test.rows), "columns": columns}


def _repeat_evidence(found: Repeats) -> dict:
    return {
        "repeated": found.repeated,
        "rows": found.rows,
        "share": plain(found.share),
        "expected": plain(found.expected),
        "disagreeing": found.disagreeing,
    }


def _clues(test: TwoSample) -> str:
    if not test.columns:
        return "Nothing gives it away alone; a combination does."
    return "Clearest: " + "; ".join(clue.text for clue in test.columns[:3]) + "."


def _rows_to_settle(size: Interval, limit: float, rows: int) -> str:
    """An interval shrinks as ``1/sqrt(n)``."""
    distance, half = abs(size.value - limit), (size.high - size.low) / 2
    if distance * 10 <= half:
        return "It lies so close to the limit that no reasonable number of rows would settle it."
    return f"About {two_digits(max(1, round(rows * ((half / distance) ** 2 - 1), 6))):,} more dev rows would settle it."


def _two(size: Interval) -> str:
    return f"{size.value:.2f} ({size.low:.2f} to {size.high:.2f})"


CHECKS: tuple[Check, ...] = (
    Check(
        "SH301",
        "Train and dev can be told apart",
        "medium",
        f"two-sample test with p below {SIGNIFICANCE} and an area under the ROC curve whose 95 % interval lies above {TOLD_APART}; "
        "severity by what the mismatch costs",
        "classifier two-sample test: Lopez-Paz and Oquab 2017; Rabanser, Günnemann and Lipton 2019; the size is a house convention",
        "Look at the columns named: drop or correct what differs for no good reason (--drop), or add training rows like the dev rows.",
        _examined(_mismatch),
    ),
    Check(
        "SH302",
        "Rows drift over their order",
        "low",
        f"the same test on earlier and later training rows, without columns that follow the order: p below {SIGNIFICANCE}, area above "
        f"{TOLD_APART}",
        "classifier two-sample test: Lopez-Paz and Oquab 2017",
        "If the order is one of time and the model is for the future, split with --time COLUMN; "
        "if it is one of places or batches, with --group COLUMN.",
        _examined(_drift),
    ),
    Check(
        "SH303",
        "The target differs between train and dev",
        "high",
        f"chi-square or Kolmogorov-Smirnov test with p below {SHIFT_SIGNIFICANCE}, and distributions at least {SHIFT_SIZE} apart; "
        f"medium below {LARGE_SHIFT}",
        "label shift: Lipton, Wang and Smola 2018; the size is a house convention",
        "Check that the rows were shuffled before train and dev were cut; leave the cut to shoal by giving all rows as one table.",
        _examined(_target_shift),
    ),
    Check(
        "SH304",
        "Dev rows are among the training rows",
        "high",
        f"share of dev rows with a twin in train, lower limit, more than {percent(MORE_THAN_CHANCE, 0)} above how often training rows "
        f"repeat each other (a note, where both are above {percent(MANY_COPIES, 0)} and the targets agree)",
        "comparison with the leave-one-out share of the training rows, equal for a random split; the size is a house convention",
        "Remove repeated rows before splitting, or take the dev rows out of the training file.",
        _examined(_of_tables(COPIES, _exact)),
    ),
    Check(
        "SH305",
        "Dev rows are next to equal to training rows",
        "medium",
        "share of dev rows 20 times nearer to a training row than training rows commonly are to each other, lower limit, more than "
        f"{percent(MORE_THAN_CHANCE, 0)} above the upper limit of the same among training rows",
        "near-duplicates between parts: Barz and Denzler 2020; the limits are house conventions",
        "Keep copies of one measurement in one part: split with --group COLUMN, or remove them.",
        _examined(_of_tables(COPIES, _near)),
    ),
    Check(
        "SH306",
        "A group is in train and dev alike",
        "medium",
        "a column called like an identifier with 2 to 50 rows a value; intra-class correlation of the residuals, lower limit, above 0.1",
        "Fisher 1925; Donner and Wells 1986; the limit doubles the variance of a mean over groups of ten (Kish's design effect)",
        "If the model is for new ones (people, devices, batches), split with --group COLUMN.",
        _examined(_of_columns("groups", "For new values of it the error will be higher than on dev.")),
    ),
    Check(
        "SH307",
        "A column gives the target away",
        "high",
        "one column alone leaves at most 2 % of the trivial error (25 % where it has one level per class), the others together at "
        "least 5 times (3 times) as much",
        "Kaufman, Rosset and Perlich 2012; limits from 21 public tables without a leak and copies with noise",
        "Find out whether the column is known before the target is. If not, leave it out with --drop COLUMN.",
        _examined(
            _of_tables(NO_COLUMN, _of_columns("leaks", "A copy of the target, or something written down after it, looks like that."))
        ),
    ),
    Check(
        "SH308",
        "The target follows from columns exactly",
        "high",
        "a linear fit, of the values or their logarithms, with R squared above 0.999999 on rows not used for the fit",
        "rounding leaves about as much; house convention",
        "If these columns are known no earlier than the target, leave them out with --drop; otherwise the formula is all that is needed.",
        _examined(_of_tables(NO_COLUMN, _of_columns("derived", "Nothing is left to learn."))),
    ),
    Check(
        "SH309",
        "A column numbers the rows",
        "medium",
        "whole numbers, all different, that rise or fall all along the file or leave hardly any out",
        "house convention",
        "Leave it out with --drop COLUMN: new rows have numbers that no network has seen.",
        _examined(_of_tables(NO_COLUMN, _of_columns("ids", "It is an input all the same."))),
    ),
    Check(
        "SH310",
        "Many labels are wrong",
        "medium",
        f"error among the tenth of dev rows of which the model is surest, lower limit, above {percent(NOISY, 0)}",
        "confident disagreements: Northcutt, Jiang and Chuang 2021; limit from eleven public tables with and without 30 % wrong labels",
        "Look at the rows about which the model is sure and the label disagrees; correct labels before tuning anything.",
        _examined(_label_noise),
    ),
    Check(
        "SH311",
        "Rows are sorted by the target",
        "note",
        "a rank correlation of the target with the row number above 0.98, or classes one after the other",
        "house convention",
        "Shuffle the rows before you cut the file into train and dev by hand.",
        _examined(_sorted),
    ),
)
