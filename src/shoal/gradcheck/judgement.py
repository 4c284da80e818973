"""From a cost and its gradient to a verdict: which coordinates are compared, how far they agree, and what that means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from shoal.gradcheck.causes import causes
from shoal.gradcheck.differences import Differences, measure
from shoal.gradcheck.point import Point, Subject
from shoal.gradcheck.result import CORRECT, PROBABLY_CORRECT, WRONG, Coordinate, GradientCheck, Verdict
from shoal.interval import percent

WORST = 10
"""Coordinates that are named."""
NAMED = 1e-3
"""A coordinate is named if it disagrees by more than this share of what the worst one does."""
CAUSES = 5
CERTAIN = 4
"""A disagreement of more standard deviations of round-off than this is none of round-off's."""
FEWEST_OF_EACH = 5
"""Coordinates of each array, where there is room for them."""
CONFIDENCE = 0.95


def judge(subject: Subject, samples: int | None, epsilon: float | None, seed: int) -> GradientCheck:
    """The verdict on a gradient."""
    rng = np.random.default_rng(seed)
    coordinates, at_random = _chosen(subject.point, samples, rng)
    measured = measure(subject, coordinates, epsilon, rng)
    counted = np.flatnonzero(~measured.kink)
    arrays, amiss = _by_array(subject, measured)
    verdict, explanation = _verdict(subject, measured, counted, amiss)
    misfit = np.abs(subject.gradient[coordinates] - measured.numeric)
    worst = counted[np.argsort(-misfit[counted], kind="stable")][:WORST]
    worst = [place for place in worst if misfit[place] > NAMED * misfit[worst[0]]]
    total = len(subject.point.values)
    return GradientCheck(
        verdict=verdict,
        relative_error=_relative_error(subject, measured, counted),
        explanation=explanation,
        worst=tuple(_coordinate(subject, measured, place) for place in worst),
        arrays=arrays,
        causes=() if verdict == "correct" else tuple(_causes(subject, measured, counted)),
        checked=len(coordinates),
        total=total,
        epsilon=measured.epsilon,
        round_off=_round_off(subject, measured, counted),
        kinks=tuple(_coordinate(subject, measured, place) for place in np.flatnonzero(measured.kink)),
        refined=int(measured.refined[counted].sum()),
        confidence=_confidence(len(coordinates), at_random - int(measured.kink.sum()), total),
    )


def combined(checks: dict[str, GradientCheck]) -> GradientCheck:
    """The checks of one network with several losses as one: the verdict of the worst, with the evidence of all."""
    if len(checks) == 1:
        return next(iter(checks.values()))
    severity = {"correct": 0, "look again": 1, "wrong": 2}
    worst_loss = max(checks, key=lambda loss: (severity[checks[loss].verdict], checks[loss].relative_error))
    worst = checks[worst_loss]
    errors = ", ".join(f"{loss} {check.relative_error:.1e}" for loss, check in checks.items())

    def named(loss: str, coordinates: tuple[Coordinate, ...]) -> list[Coordinate]:
        return [replace(each, parameter=f"{loss}: {each.parameter}") for each in coordinates]

    return GradientCheck(
        verdict=worst.verdict,
        relative_error=worst.relative_error,
        explanation=f"{worst.explanation} The worst loss is {worst_loss}. Relative errors: {errors}.",
        worst=tuple(named(worst_loss, worst.worst)),
        arrays={f"{loss}: {name}": error for loss, check in checks.items() for name, error in check.arrays.items()},
        causes=tuple(f"{loss}: {cause}" for loss, check in checks.items() for cause in check.causes)[:CAUSES],
        checked=sum(check.checked for check in checks.values()),
        total=sum(check.total for check in checks.values()),
        epsilon=max(check.epsilon for check in checks.values()),
        round_off=max(check.round_off for check in checks.values()),
        kinks=tuple(coordinate for loss, check in checks.items() for coordinate in named(loss, check.kinks)),
        refined=sum(check.refined for check in checks.values()),
        confidence=f"For each of {len(checks)} losses: {worst.confidence}",
    )


def _chosen(point: Point, samples: int | None, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """The coordinates to compare, sorted, and how many of them were drawn at random after some of every array had been taken."""
    total = len(point.values)
    if samples is None or total <= samples:
        return np.arange(total), total
    sizes = np.diff(point.starts)
    each = int(np.clip(samples // (2 * len(sizes)), 1, FEWEST_OF_EACH))
    pairs = zip(point.starts, sizes, strict=False)
    some = np.concatenate([start + rng.choice(size, min(each, size), replace=False) for start, size in pairs])
    more = max(samples - len(some), 0)
    # Drawn from all and thinned: a list of what is left could have millions of entries.
    drawn = rng.choice(total, min(total, more + len(some)), replace=False)
    rest = drawn[~np.isin(drawn, some)][:more]
    return np.sort(np.concatenate([some, rest])), len(rest)


def _size(subject: Subject, measured: Differences, places: np.ndarray) -> float:
    """``||d|| + ||dtheta||``."""
    return float(np.linalg.norm(subject.gradient[measured.coordinates[places]]) + np.linalg.norm(measured.numeric[places]))


def _misfit(subject: Subject, measured: Differences, places: np.ndarray) -> float:
    """``||d - dtheta||``."""
    return float(np.linalg.norm(subject.gradient[measured.coordinates[places]] - measured.numeric[places]))


def _relative_error(subject: Subject, measured: Differences, places: np.ndarray) -> float:
    """``||d - dtheta|| / (||d|| + ||dtheta||)``; two gradients of 0 agree."""
    size = _size(subject, measured, places)
    return _misfit(subject, measured, places) / size if size else 0.0


def _round_off(subject: Subject, measured: Differences, places: np.ndarray) -> float:
    """The relative error that round-off alone would make."""
    size = _size(subject, measured, places)
    return min(float(np.linalg.norm(measured.noise[places])) / size, 1.0) if size else 0.0


def _is_certain(subject: Subject, measured: Differences, places: np.ndarray) -> bool:
    """Whether the gradient disagrees by more than round-off could."""
    return _misfit(subject, measured, places) > CERTAIN * float(np.linalg.norm(measured.noise[places]))


def _by_array(subject: Subject, measured: Differences) -> tuple[dict[str, float], list[str]]:
    """The relative error of each array, and which arrays are wrong by themselves."""
    errors, amiss = {}, []
    for name, places in _arrays(subject.point, measured):
        errors[name] = _relative_error(subject, measured, places)
        if errors[name] >= WRONG and _is_certain(subject, measured, places):
            amiss.append(name)
    return errors, amiss


def _arrays(point: Point, measured: Differences) -> Iterator[tuple[str, np.ndarray]]:
    """Each array with its compared coordinates, as places among the measured ones."""
    arrays = point.array_of(measured.coordinates)
    for number, name in enumerate(point.names):
        places = np.flatnonzero((arrays == number) & ~measured.kink)
        if len(places):
            yield name, places


def _verdict(subject: Subject, measured: Differences, counted: np.ndarray, amiss: list[str]) -> tuple[Verdict, str]:
    """The verdict, and what it means here."""
    error = _relative_error(subject, measured, counted)
    if not len(counted):
        return "look again", "Every coordinate sits at a kink of the cost, so there was nothing to compare. Check at another point."
    if error <= CORRECT and not amiss:
        return "correct", "The gradient is the slope of the cost: up to 1e-7 is what round-off leaves of a correct one."
    if error <= CORRECT:
        names = ", ".join(amiss[:5])
        return (
            "look again",
            f"As a whole the gradient agrees, but it is wrong for {names}, where it is too small to show. Correct it there.",
        )
    if not _is_certain(subject, measured, counted):
        share = _round_off(subject, measured, counted)
        return "look again", (
            f"The cost's round-off alone makes a relative error of about {share:.0e}, and the gradient agrees as far as that can tell. "
            "Compute the cost in double precision throughout, take large constants out of it, or check where the gradient is larger."
        )
    if error >= WRONG:
        return "wrong", "The gradient is not the slope of this cost: correct the backward pass. It disagrees most at the coordinates below."
    if error <= PROBABLY_CORRECT:
        return "look again", (
            "Probably correct: up to 1e-5 can come from strong curvature or a kink nearby. But a mistake in a very small term looks the "
            "same, so look at the coordinates below."
        )
    return "look again", "Probably a mistake in a small term: more than 1e-5 seldom has another reason. Look at the coordinates below."


def _causes(subject: Subject, measured: Differences, counted: np.ndarray) -> list[str]:
    """What the whole gradient looks like, or else its arrays, the worst first."""
    arrays = list(_arrays(subject.point, measured))
    if len(arrays) > 1 and (found := _traces("all parameters", (), subject, measured, counted)):
        return found
    shapes = dict(zip(subject.point.names, subject.point.shapes, strict=True))
    arrays.sort(key=lambda pair: -_misfit(subject, measured, pair[1]))
    sentences = [sentence for name, places in arrays for sentence in _traces(name, shapes[name], subject, measured, places)]
    return sentences[:CAUSES]


def _traces(name: str, shape: tuple[int, ...], subject: Subject, measured: Differences, places: np.ndarray) -> list[str]:
    coordinates = measured.coordinates[places]
    return list(causes(name, shape, subject.gradient[coordinates], measured.numeric[places], subject.point.values[coordinates]))


def _coordinate(subject: Subject, measured: Differences, place: np.intp) -> Coordinate:
    coordinate = int(measured.coordinates[place])
    return Coordinate(*subject.point.locate(coordinate), float(subject.gradient[coordinate]), float(measured.numeric[place]))


def _confidence(checked: int, at_random: int, total: int) -> str:
    """What a sample leaves open: ``n`` random coordinates hit one of a share ``q`` with probability ``1 - (1 - q)^n``."""
    if checked == total:
        return f"All {total:,} coordinates were compared."
    start = f"{checked:,} of {total:,} coordinates were compared"
    if at_random < 1:
        return f"{start}, some of every array; too few to say anything of the others."
    share = 1 - (1 - CONFIDENCE) ** (1 / at_random)
    return (
        f"{start}, {at_random:,} of them drawn at random: if {percent(share, 2)} of the gradient or more were wrong, one of those would be "
        f"among them with a probability of at least {percent(CONFIDENCE, 0)}."
    )
