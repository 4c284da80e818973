"""Pictures themselves: the same ones in two parts, blank ones, overexposed ones: SH312 to SH314."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from shoal.diagnose.case import Case, Check, Outcome, plain
from shoal.diagnose.checks.data import AGREEING, MORE_THAN_CHANCE, NOT_MEASURED
from shoal.diagnose.verdict import PART_TITLES, say
from shoal.interval import percent
from shoal.measurements import ErrorWithout, OddPictures, PictureFaults, RepeatedPictures

MANY = 0.01
"""Of the pictures of a part, beyond which odd ones matter."""
NAMED = 3
NO_PICTURES = Outcome("The inputs are not pictures.", {}, "not applicable")


def _of_pictures(look: Callable[[Case, PictureFaults], Outcome | None]) -> Callable[[Case], Outcome | None]:
    """A check that does not apply where nothing was measured, or the inputs are no pictures."""

    def looked(case: Case) -> Outcome | None:
        if case.measured.data is None:
            return NOT_MEASURED
        return NO_PICTURES if case.measured.data.pictures is None else look(case, case.measured.data.pictures)

    return looked


def _repeated(case: Case, faults: PictureFaults) -> Outcome | None:
    beyond = [each for each in faults.repeated if each.share.low > each.expected.high]
    usual = [each for each in faults.repeated if each.exact and each.share.low > MANY and each.disagreeing <= 1 - AGREEING]
    told = beyond or usual
    if not told:
        return None
    evidence = {f"{each.part}_{name}": value for each in told for name, value in _repeated_evidence(each).items()}
    text = " ".join(_repeated_in_words(case, each) for each in told)
    if not beyond:
        text += " Training pictures repeat each other as often: the set itself holds pictures several times, and was divided at random."
        return Outcome(text, evidence, severity="note")
    return Outcome(text, evidence, severity="high" if any(each.share.low > MORE_THAN_CHANCE for each in beyond) else "medium")


def _repeated_in_words(case: Case, found: RepeatedPictures) -> str:
    part, count = PART_TITLES[found.part], found.exact + found.near
    kinds = [f"{found.exact:,} to the last byte"] * (found.exact > 0) + [f"{found.near:,} but for little"] * (found.near > 0)
    expected = round(found.expected.value * found.rows)
    pairs = (*found.exact_pairs, *found.near_pairs)[:NAMED]
    examples = "; ".join(f"{pair.name or f'row {pair.row}'} is {pair.train_name or f'row {pair.train_row}'}" for pair in pairs)
    sentences = [
        f"{count:,} of {found.rows:,} {part} pictures {'is' if count == 1 else 'are'} among the training pictures, {percent(found.share)}: "
        f"{' and '.join(kinds)}; by chance it would be {percent(found.expected)}{f', about {expected:,}' * (expected > 0)}.",
        *([f"Of these, {percent(found.disagreeing)} have another target than their twin."] if found.disagreeing else []),
        *_cost_in_words(case, part, found.cost, "them"),
        f"In {part} and train: {examples}.",
    ]
    return " ".join(sentences)


def _cost_in_words(case: Case, part: str, cost: ErrorWithout | None, what: str) -> list[str]:
    if cost is None:
        return []
    metric, change = case.errors.metric, cost.change
    return [
        f"Without {what} the {part} error is {say(cost.without, metric)} instead of {say(cost.whole.value, metric)}, "
        f"a change of {say(change, metric)}."
    ]


def _repeated_evidence(found: RepeatedPictures) -> dict:
    pairs = (*found.exact_pairs, *found.near_pairs)
    evidence: dict = {
        "exact": found.exact,
        "near": found.near,
        "pictures": found.rows,
        "share": plain(found.share),
        "expected": plain(found.expected),
        "disagreeing": found.disagreeing,
        "pairs": [[pair.name, pair.train_name, pair.difference] for pair in pairs],
    }
    if found.cost is not None:
        evidence |= {"error_without": plain(found.cost.without), "change_without": plain(found.cost.change)}
    return evidence


def _blank(case: Case, faults: PictureFaults) -> Outcome | None:
    found = [each for each in faults.blank if each.count]
    if not found:
        return None
    are = "is" if sum(each.count for each in found) == 1 else "are"
    text = f"{_counted(found)} {are} blank: all pixels are nearly alike, so that there is nothing to tell the target from."
    many = any(each.count > MANY * each.rows for each in found)
    return _odd(case, text, found, "medium" if many else None)


def _saturated(case: Case, faults: PictureFaults) -> Outcome | None:
    found = [each for each in faults.saturated if each.share.low > MANY]
    if not found:
        return None
    usual, limit = faults.usual_saturation
    text = (
        f"Of {_counted(found)}, more than {percent(limit, 0)} of the pixels are fully black or white, where half of the training "
        f"pictures have at most {percent(usual)} of such pixels: whatever was there is lost."
    )
    return _odd(case, text, found)


def _odd(case: Case, text: str, found: Sequence[OddPictures], severity=None) -> Outcome:
    names = [name for each in found for name in each.names]
    if names:
        text += f" For example: {', '.join(names[:NAMED])}."
    evidence: dict = {f"{each.part}_count": [each.count, each.rows] for each in found} | {"examples": names}
    gain = None
    for each in found:
        text += "".join(f" {sentence}" for sentence in _cost_in_words(case, PART_TITLES[each.part], each.cost, "these"))
        if each.cost is not None:
            evidence |= {f"{each.part}_error_without": plain(each.cost.without), f"{each.part}_change_without": plain(each.cost.change)}
            gain = max(-each.cost.change.value, 0.0) if each.part == "dev" else gain
    return Outcome(text, evidence, severity=severity, gain=gain)


def _counted(found: Sequence[OddPictures]) -> str:
    parts = [f"{each.count:,} of {each.rows:,} {PART_TITLES[each.part]} pictures ({percent(each.count / each.rows)})" for each in found]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


CHECKS: tuple[Check, ...] = (
    Check(
        "SH312",
        "Pictures are in train and another part",
        "high",
        "share of a part's pictures that equal a training picture, or differ from one by at most a quarter of what near neighbours in "
        "train do and half of what they differ from this picture, lower limit, above the upper limit of the same among training pictures; "
        f"medium where it is not above {percent(MORE_THAN_CHANCE, 0)}; a note where training pictures repeat each other as often and "
        f"copies to the last byte are among more than {percent(MANY, 0)}",
        "near-duplicates between parts: Barz and Denzler 2020; perceptual hashes: Zauner 2010; the limits are house conventions",
        "Remove the copies from the training pictures, or keep all pictures of one thing in one part: split with --group COLUMN.",
        _of_pictures(_repeated),
    ),
    Check(
        "SH313",
        "Blank pictures",
        "low",
        "a standard deviation of the pixels below 2 of 255 grey levels, in each channel; medium where they are more than "
        f"{percent(MANY, 0)} of a part",
        "house convention: what is left is the noise of a camera or of JPEG",
        "Find out why they are empty (a broken file, a closed shutter, a crop beside the object) and leave them out.",
        _of_pictures(_blank),
    ),
    Check(
        "SH314",
        "Pictures are clipped",
        "low",
        "a share of pixels at 0 or 255 beyond three interquartile ranges above the upper quartile of the training pictures, and at least a "
        f"quarter of the pixels above their median; such pictures, lower limit, more than {percent(MANY, 0)} of a part",
        "values far out: Tukey 1977; the limits are house conventions",
        "Look at the exposure, and at how the pictures were scaled to 0..255; give the originals where they have more than 8 bits.",
        _of_pictures(_saturated),
    ),
)
