"""How many rows each part gets, and which rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from shoal.errors import DataError, Problem
from shoal.interval import percent
from shoal.records import Part

SMALL_DATA = 10_000
SHARE_OF_SMALL = 0.2
LARGEST_PART = 10_000
FEWEST_ROWS = 2
"""Rows that every part needs at least."""

_GROWTH = math.log(LARGEST_PART / (SHARE_OF_SMALL * SMALL_DATA)) / math.log(1_000_000 / SMALL_DATA)


def part_size(rows: int) -> int:
    """Rows for a dev or a test part, continuous in the number of rows.

    A fifth up to 10,000 rows; beyond that ``2000 (rows / 10,000)^0.35``, which reaches 1 % (10,000 rows) at a million, and no more than
    10,000 rows after. 10,000 rows tell error rates of 10.0 % and 10.8 % apart on two separate samples (95 %), and closer ones when two
    models are compared on the same rows.

    Example:
        >>> [part_size(rows) for rows in (100, 10_000, 100_000, 1_000_000, 50_000_000)]
        [20, 2000, 4472, 10000, 10000]
    """
    if rows <= SMALL_DATA:
        return max(FEWEST_ROWS, round(SHARE_OF_SMALL * rows))
    return min(LARGEST_PART, round(SHARE_OF_SMALL * SMALL_DATA * (rows / SMALL_DATA) ** _GROWTH))


def why_these_sizes(rows: int) -> str:
    """The reason for ``part_size``, in plain words."""
    if rows <= SMALL_DATA:
        return f"With {rows:,} rows, a fifth each is needed to measure an error well."
    size = part_size(rows)
    enough = f"{size:,} ({percent(size / rows)}) are enough to tell two models apart"
    return f"With {rows:,} rows, {enough}; the rest is worth more as training data."


@dataclass(frozen=True)
class Assignment:
    """Which rows belong to which part; ``rare`` lists the classes kept in training because they have too few rows for every part."""

    rows: dict[Part, np.ndarray]
    method: str
    rare: tuple[int, ...] = ()


def check_rows(rows: int, sizes: dict[Part, int]) -> None:
    """Raise a DataError when rows are too few for these parts besides training."""
    needed = max(FEWEST_ROWS * (len(sizes) + 1), sum(sizes.values()) + FEWEST_ROWS)
    if rows < needed:
        parts = ", ".join(["train", *sizes])
        received = f"{rows} row{'s' * (rows != 1)} with a target"
        remedy = "Add rows, ask for smaller parts, or do without a test part." if len(sizes) > 1 else "Add rows."
        raise DataError(Problem(f"a split into {parts} needs at least {needed} rows", received, remedy))


def shuffled(rows: int, sizes: dict[Part, int], seed: int) -> Assignment:
    """Rows drawn at random.

    Args:
        rows: how many there are.
        sizes: rows of each part besides train.
        seed: of the shuffle.
    """
    order = np.random.default_rng(seed).permutation(rows)
    return Assignment(_cut(order, sizes), "shuffled")


def stratified(classes: np.ndarray, sizes: dict[Part, int], seed: int) -> Assignment:
    """Rows drawn at random within each class, every part with the classes' shares.

    Args:
        classes: class index of each row.
        sizes: rows of each part besides train; the parts come within a row per class of them.
        seed: of the shuffle.
    """
    total = classes.size
    order = np.random.default_rng(seed).permutation(total)
    order = order[np.argsort(classes[order], kind="stable")]
    counts = np.bincount(classes)
    starts = np.concatenate([[0], np.cumsum(counts)])
    chosen: dict[Part, list[np.ndarray]] = {"train": [], **{part: [] for part in sizes}}
    rare: list[int] = []
    owed = dict.fromkeys(sizes, 0.0)
    for index, count in enumerate(counts):
        members = order[starts[index] : starts[index + 1]]
        if 0 < count <= len(sizes):
            rare.append(index)
        elif count:
            for part, size in sizes.items():
                # What rounding gave or took from earlier classes is settled here, so that the parts keep their sizes.
                wanted = count * size / total + owed[part]
                left_for_others = len(sizes) - list(sizes).index(part)
                take = int(min(max(1, round(wanted)), members.size - left_for_others))
                owed[part] = min(max(wanted - take, -1.0), 1.0)
                chosen[part].append(members[:take])
                members = members[take:]
        chosen["train"].append(members)
    rows: dict[Part, np.ndarray] = {part: np.sort(np.concatenate([*pieces, np.zeros(0, np.int64)])) for part, pieces in chosen.items()}
    return Assignment(rows, "shuffled, stratified by class", tuple(rare))


def by_group(groups: np.ndarray, sizes: dict[Part, int], seed: int, name: str) -> Assignment:
    """Whole groups drawn at random, so that no group is in two parts.

    Args:
        groups: group index of each row, from 0.
        sizes: rows wanted in each part besides train.
        seed: of the shuffle.
        name: the column, for messages.

    Raises:
        DataError: fewer groups than parts.
    """
    counts = np.bincount(groups)
    if counts.size <= len(sizes):
        received = f"{counts.size} group{'s' * (counts.size != 1)} in {name!r}"
        raise DataError(
            Problem(f"a split by group into {len(sizes) + 1} parts needs as many groups", received, "Choose another group column.")
        )
    order = np.random.default_rng(seed).permutation(counts.size)
    part_of = np.zeros(counts.size, np.int8)
    parts: list[Part] = ["train", *sizes]
    free = list(order)
    for number, (_, size) in enumerate(sizes.items(), 1):
        taken = 0
        kept = []
        for position, group in enumerate(free):
            enough_left = len(free) - position + len(kept) > len(sizes) - number + 1
            # A group may overshoot by half; a larger one is left to training unless the part would stay empty.
            if taken < size and enough_left and taken + counts[group] <= 1.5 * size:
                part_of[group] = number
                taken += counts[group]
            else:
                kept.append(group)
        if not taken:
            smallest = min(kept, key=lambda group: counts[group])
            part_of[smallest] = number
            kept.remove(smallest)
        free = kept
    rows: dict[Part, np.ndarray] = {part: np.flatnonzero(part_of[groups] == number) for number, part in enumerate(parts)}
    return Assignment(rows, f"by group: no {name} is in two parts")


def by_time(times: np.ndarray, sizes: dict[Part, int], name: str) -> Assignment:
    """The earliest rows train, the latest are the last part; rows of one moment stay together where that leaves every part some rows.

    Args:
        times: a number or date-time per row.
        sizes: rows of each part besides train, in order of time.
        name: the column, for messages.
    """
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    cuts: list[int] = []
    end = times.size
    for size in reversed(sizes.values()):
        cut = max(end - size, 1)
        together = int(np.searchsorted(ordered, ordered[cut], side="left"))
        end = together if together > end - 2 * size and together > 0 else cut
        cuts.insert(0, end)
    pieces = np.split(order, cuts)
    return Assignment(dict(zip(["train", *sizes], map(np.sort, pieces), strict=True)), f"by time: the latest {name} are for {_last(sizes)}")


def _last(sizes: dict[Part, int]) -> str:
    return list(sizes)[-1] if sizes else "training"


def _cut(order: np.ndarray, sizes: dict[Part, int]) -> dict[Part, np.ndarray]:
    cuts = np.cumsum(list(sizes.values())[::-1])[::-1]
    pieces = np.split(order, [order.size - cut for cut in cuts])
    return dict(zip(["train", *sizes], map(np.sort, pieces), strict=True))  # type: ignore[arg-type]
