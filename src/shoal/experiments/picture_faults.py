"""What is odd about the pictures of a data set: repeats across its parts, blank pictures, overexposed ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from msgspec.structs import replace as replaced
from numpy.typing import NDArray
from scipy.fft import dct
from scipy.spatial.distance import cdist

from shoal.data import Dataset
from shoal.data.pictures.column import row_hashes
from shoal.data.pictures.resize import GREY_WEIGHTS
from shoal.data.sample import drawn_rows
from shoal.experiments.left_out import PartAnswers, error_without
from shoal.experiments.mistakes import row_names
from shoal.experiments.repeats import share_of, targets_differ
from shoal.interval import Interval
from shoal.measurements.pictures import UNKNOWN, ErrorWithout, OddPictures, PictureFaults, PicturePair, RepeatedPictures
from shoal.metrics import Metric
from shoal.records import Part

SIDE = 16
"""Pixels on a side of the area-averaged grey picture behind a hash."""

FREQUENCIES = 8
"""Of that picture in each direction, the lowest; each is one of the 64 bits."""

BANDS = 6
"""Groups of bits. Two hashes that differ in fewer bits than there are groups agree in one of them, and so share a bucket."""

MOST_BITS = 10
"""Bits in which the hashes of pictures that are nearly the same may differ: those whose frequency is near its median flip easily."""

LARGEST_BUCKET = 4000
"""Training pictures that share a group of bits; what more have in common, such as a white background, says nothing."""

FEW = 5
"""Of a training picture's neighbours among a sample, the one whose distance is usual: nearer ones may be its own variants."""

NEAR = 0.25
"""Of the usual distance between a training picture and such a neighbour: nearer pictures are nearly the same."""

NEAR_OWN = 0.5
"""Of the distance between the picture itself and such a neighbour. Simple pictures, such as upright strokes, are all near to each
other, and a copy is still much nearer than they are."""

MOST_DIFFERENT = 8.0
"""Grey levels of mean difference beyond which two pictures are never nearly the same."""

BLANK = 2.0
"""Standard deviation of the pixels, in grey levels, below which a picture is blank."""

FAR_OUT = 3.0
"""Interquartile ranges beyond the upper quartile of the training pictures: Tukey's fence for values far out (1977)."""

LEAST_SATURATED = 0.25
"""Share of pixels at 0 or 255 beyond the training median that a saturated picture has at least."""

EXAMPLES = 10

_SAMPLED, _NEIGHBOURS, _PIXELS = 2000, 3000, 800
_ROWS = 2048
_PAIRS = 2_000_000
_COMPARED = 4_000_000  # pixels of one block of pairs
_AT_ONCE = 500


def picture_faults(
    dataset: Dataset, *, seed: int, answers: Mapping[Part, PartAnswers] | None = None, metric: Metric | None = None
) -> PictureFaults:
    """The pictures of a data set: repeated, blank and saturated ones, by name, and what leaving them out does to the errors.

    Args:
        dataset: of pictures.
        seed: of draws.
        answers: a model's answers for the parts that may be looked at; all parts are looked at without it.
        metric: of the errors.

    Returns:
        What was found. Errors are given for all of the parts' pictures but the training ones.
    """
    parts = {part: pictures for part, pictures in pictures_of(dataset).items() if answers is None or part in answers or part == "train"}

    def cost(part: Any, rows: NDArray) -> ErrorWithout | None:
        known = (answers or {}).get(part)
        if known is None or metric is None or part == "train":
            return None
        left_out = np.zeros(len(known.truth), bool)
        left_out[rows] = True
        return error_without(metric, known, left_out, seed=seed)

    def differ(part: Any, rows: NDArray, twins: NDArray) -> NDArray:
        return targets_differ(dataset, part, rows, twins)

    def named(pairs: tuple[PicturePair, ...], part: Any) -> tuple[PicturePair, ...]:
        own, twins = (np.array([getattr(pair, which) for pair in pairs], np.int64) for which in ("row", "train_row"))
        names = zip(pairs, row_names(dataset, part, own), row_names(dataset, "train", twins), strict=True)
        return tuple(replaced(pair, name=name, train_name=twin) for pair, name, twin in names)

    def with_names(odd: OddPictures) -> OddPictures:
        part: Any = odd.part
        return replaced(odd, names=tuple(row_names(dataset, part, np.array(odd.examples, np.int64))))

    found = measure_picture_faults(parts, seed=seed, twins_differ=differ, cost=cost)
    return replaced(
        found,
        repeated=tuple(
            replaced(each, exact_pairs=named(each.exact_pairs, each.part), near_pairs=named(each.near_pairs, each.part))
            for each in found.repeated
        ),
        blank=tuple(map(with_names, found.blank)),
        saturated=tuple(map(with_names, found.saturated)),
    )


def measure_picture_faults(
    parts: Mapping[str, NDArray[np.uint8]],
    *,
    seed: int,
    twins_differ: Callable[[str, NDArray, NDArray], NDArray] | None = None,
    cost: Callable[[str, NDArray], ErrorWithout | None] = lambda part, rows: None,
) -> PictureFaults:
    """Look for pictures that stand in two parts, for blank and for saturated ones.

    Args:
        parts: bytes ``[rows, height, width, channels]`` of each part, with ``train`` among them.
        seed: draws the pictures from which the usual distance is measured.
        twins_differ: of a part, its rows and those of their twins in train: whether their targets differ ``[rows]``.
        cost: of a part, what leaving out some rows of it does to its error.

    Example:
        >>> pictures = np.random.default_rng(0).integers(0, 256, (60, 12, 12, 1), dtype=np.uint8)
        >>> found = measure_picture_faults({"train": pictures[:50], "dev": pictures[40:]}, seed=0)
        >>> found.repeated[0].exact, found.blank[0].count
        (10, 0)
    """
    train = parts["train"]
    blank = {part: blank_rows(pictures) for part, pictures in parts.items()}
    shares = {part: saturation(pictures) for part, pictures in parts.items()}
    usual = _usual_saturation(shares["train"][~blank["train"]])
    known = Known.of(train, ~blank["train"], seed)
    repeated = []
    for part, pictures in parts.items():
        if part != "train":
            found, rows, twins = repeated_pictures(known, pictures, part, np.flatnonzero(~blank[part]))
            differ = twins_differ(part, rows, twins) if twins_differ is not None and len(rows) else np.zeros(1)
            repeated.append(replaced(found, disagreeing=float(np.mean(differ)), cost=cost(part, rows)))
    return PictureFaults(
        repeated=tuple(repeated),
        blank=tuple(_odd(part, found, cost) for part, found in blank.items()),
        saturated=tuple(_odd(part, (share > usual[1]) & ~blank[part], cost) for part, share in shares.items()),
        usual_saturation=usual,
    )


def pictures_of(dataset: Dataset) -> dict[str, NDArray[np.uint8]]:
    """The pictures of each part ``[rows, height, width, channels]``, not copied; the data set has pictures."""
    assert dataset.picture is not None
    shape = dataset.picture.shape
    return {part: inputs.reshape(-1, *shape) for part, inputs in dataset.inputs.items()}


def blank_rows(pictures: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether the pixels of each picture are nearly all alike, in every channel."""
    deviations = [block.std(axis=(1, 2), dtype=np.float32).max(axis=1) for block in _blocks(pictures)]
    return np.concatenate([np.zeros(0), *deviations]) < BLANK


def saturation(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The share of each picture's pixels and channels that are 0 or 255."""
    # A byte plus 1 is 0 or 1 for these two, and wraps around for no other.
    shares = [((block + np.uint8(1)) <= 1).mean(axis=(1, 2, 3)) for block in _blocks(pictures)]
    return np.concatenate([np.zeros(0), *shares])


@dataclass(frozen=True)
class Known:
    """What other parts are compared with.

    Args:
        pictures: of the training rows, bytes ``[rows, height, width, channels]``.
        rows: those that are not blank.
        exact: a number for each of these rows, alike for equal pictures.
        bits: the hash of each picture ``[rows, 64]``.
        medians: of each frequency.
        limit: mean difference of pixels up to which two pictures are nearly the same.
        sample: some of these rows, as neighbours that any picture may have.
        pixels: those that distances to them are measured by.
        among: share of the rows that are so near to another one.
        expected: share of the rows that are so near to another one, or equal to it, with its interval.
    """

    pictures: NDArray[np.uint8]
    rows: NDArray[np.int64]
    exact: NDArray[np.uint64]
    bits: NDArray[np.bool_]
    medians: NDArray[np.float32]
    limit: float
    sample: NDArray[np.int64]
    pixels: NDArray[np.int64]
    among: float = 0.0
    expected: Interval = UNKNOWN

    @classmethod
    def of(cls, pictures: NDArray[np.uint8], used: NDArray[np.bool_], seed: int) -> Known:
        """Everything about the training pictures.

        Args:
            pictures: bytes ``[rows, height, width, channels]``.
            used: which are not blank.
            seed: draws those from which the usual distance is measured.
        """
        rng = np.random.default_rng(seed)
        rows = np.flatnonzero(used)
        bits, medians = _bits(pictures)
        exact = row_hashes(pictures)[rows]
        pixels = drawn_rows(int(np.prod(pictures.shape[1:])), _PIXELS, rng)
        neighbours = rows[drawn_rows(len(rows), _NEIGHBOURS, rng)]
        limit = _near_limit(pictures, neighbours, pixels, rng)
        known = cls(pictures, rows, exact, bits, medians, limit, neighbours, pixels)
        places = drawn_rows(len(rows), _SAMPLED, rng)
        if not len(places):
            return known
        near = {pair.row for pair in _near(known, pictures, bits, rows[places], apart=True)}
        _, inverse, counts = np.unique(exact, return_inverse=True, return_counts=True)
        repeated = sum(counts[inverse[place]] > 1 or rows[place] in near for place in places.tolist())
        return replace(known, among=len(near) / len(places), expected=share_of(int(repeated), len(places)))


def repeated_pictures(
    known: Known, pictures: NDArray[np.uint8], part: str, rows: NDArray[np.int64]
) -> tuple[RepeatedPictures, NDArray[np.int64], NDArray[np.int64]]:
    """Which pictures of a part the training rows hold, too, to the last byte or nearly so.

    Nearly the same are pictures whose 64-bit hashes (of the lowest frequencies of their 16 x 16 area averages, one bit each: above or below
    the training median) differ in few bits, and whose pixels differ by far less than those of a training picture and a near neighbour
    commonly do, and than those of this picture and such neighbours. Blank pictures are left out: they are alike without being copies.
    How often training pictures are so near to each other is measured as well: what that share explains is no leak.

    The hash is that of Zauner ("Implementation and benchmarking of perceptual image hash functions", 2010) but for the medians, which are
    those of the set, so that every bit divides it into halves.

    Args:
        known: the training pictures.
        pictures: bytes ``[rows, height, width, channels]`` of the part.
        part: its name.
        rows: those that are not blank.

    Returns:
        What was found, the rows that are repeated, and the training row of each.
    """
    if not len(rows) or not len(known.rows):
        share = share_of(0, len(pictures)) if len(pictures) else UNKNOWN
        return RepeatedPictures(part, len(pictures), 0, 0, known.among, share=share, expected=known.expected), rows[:0], rows[:0]
    exact, twins = _exact(known, pictures, rows)
    near = _near(known, pictures, _bits(pictures, known.medians)[0], np.setdiff1d(rows, exact))
    exact_pairs = [PicturePair(int(row), int(twin), 0.0) for row, twin in zip(exact[:EXAMPLES], twins[:EXAMPLES], strict=True)]
    near_pairs = sorted(near, key=lambda pair: pair.difference)[:EXAMPLES]
    found = RepeatedPictures(
        part,
        len(pictures),
        len(exact),
        len(near),
        known.among,
        tuple(exact_pairs),
        tuple(near_pairs),
        share_of(len(exact) + len(near), len(pictures)),
        known.expected,
    )
    all_rows = np.concatenate([exact, np.array([pair.row for pair in near], np.int64)])
    return found, all_rows, np.concatenate([twins, np.array([pair.train_row for pair in near], np.int64)])


def _exact(known: Known, pictures: NDArray, rows: NDArray) -> tuple[NDArray, NDArray]:
    """Rows that a training picture equals, and one such training row each."""
    numbers, first = np.unique(known.exact, return_index=True)
    hashes = row_hashes(pictures)[rows]
    place = np.minimum(np.searchsorted(numbers, hashes), len(numbers) - 1)
    found = np.flatnonzero(numbers[place] == hashes)
    twins = known.rows[first[place[found]]]
    same = np.array([np.array_equal(pictures[row], known.pictures[twin]) for row, twin in zip(rows[found], twins, strict=True)], bool)
    return rows[found][same], twins[same]


def _near_limit(train: NDArray, neighbours: NDArray, pixels: NDArray, rng: np.random.Generator) -> float:
    """The mean difference of pixels below which two pictures are nearly the same."""
    some = neighbours[drawn_rows(len(neighbours), 200, rng)]
    nearest = _to_neighbours(train, some, train, neighbours, pixels)
    nearest = nearest[np.isfinite(nearest)]
    return min(MOST_DIFFERENT, NEAR * float(np.median(nearest))) if len(nearest) else MOST_DIFFERENT


def _to_neighbours(pictures: NDArray, rows: NDArray, train: NDArray, neighbours: NDArray, pixels: NDArray) -> NDArray[np.float64]:
    """The distance of each row to one of its nearest neighbours, infinite where there are too few."""
    flat, train_flat = pictures.reshape(len(pictures), -1), train.reshape(len(train), -1)
    others = train_flat[neighbours][:, pixels].astype(np.float64)
    found = [np.zeros(0)]
    for start in range(0, len(rows), _AT_ONCE):
        block = flat[rows[start : start + _AT_ONCE]][:, pixels]
        distances = cdist(block, others, "cityblock") / len(pixels)
        distances[distances == 0] = np.inf  # a picture and itself, or its copies
        place = min(FEW, distances.shape[1] - 1)
        found.append(np.partition(distances, place - 1, axis=1)[:, place - 1] if place > 0 else np.full(len(block), np.inf))
    return np.concatenate(found)


def _near(known: Known, pictures: NDArray, bits: NDArray, rows: NDArray, apart: bool = False) -> list[PicturePair]:
    """The most similar training picture of each row that has one within the limit; ``apart`` where both are the training rows."""
    best: dict[int, PicturePair] = {}
    hashes, train_hashes = _packed(bits), _packed(known.bits)
    for own, theirs in _candidates(bits[rows], known.bits[known.rows]):
        own, theirs = rows[own], known.rows[theirs]
        alike = np.bitwise_count(hashes[own] ^ train_hashes[theirs]) <= MOST_BITS
        if apart:
            alike &= own != theirs
        own, theirs = own[alike], theirs[alike]
        differences = _differences(pictures, own, known.pictures, theirs)
        for place in np.flatnonzero((differences <= known.limit) & (differences > 0)):
            row, difference = int(own[place]), float(differences[place])
            if row not in best or difference < best[row].difference:
                best[row] = PicturePair(row, int(theirs[place]), difference)
    found = list(best.values())
    usual = _to_neighbours(pictures, np.array([pair.row for pair in found], np.int64), known.pictures, known.sample, known.pixels)
    return [pair for pair, distance in zip(found, usual, strict=True) if pair.difference <= NEAR_OWN * distance]


def _candidates(bits: NDArray, train_bits: NDArray) -> Iterator[tuple[NDArray, NDArray]]:
    """Pairs of positions whose hashes agree in a group of bits, many at a time; a pair may come several times."""
    for band in range(BANDS):
        keys, train_keys = (_key(each[:, band::BANDS]) for each in (bits, train_bits))
        order = np.argsort(train_keys, kind="stable")
        ordered = train_keys[order]
        starts, ends = np.searchsorted(ordered, keys, "left"), np.searchsorted(ordered, keys, "right")
        counts = np.where(ends - starts <= LARGEST_BUCKET, ends - starts, 0)
        totals = np.cumsum(counts)
        begin = 0
        while begin < len(keys):
            before = int(totals[begin - 1]) if begin else 0
            end = max(begin + 1, int(np.searchsorted(totals, before + _PAIRS, "right")))
            here = counts[begin:end]
            own = np.repeat(np.arange(begin, end), here)
            within = np.arange(len(own)) - np.repeat(np.cumsum(here) - here, here)
            yield own, order[np.repeat(starts[begin:end], here) + within]
            begin = end


def _differences(pictures: NDArray, own: NDArray, train: NDArray, theirs: NDArray) -> NDArray[np.float64]:
    """Mean absolute difference of the pixels of pairs of pictures ``[pairs]``."""
    flat, train_flat = pictures.reshape(len(pictures), -1), train.reshape(len(train), -1)
    step = max(1, _COMPARED // flat.shape[1])
    found = []
    for start in range(0, len(own), step):
        a, b = flat[own[start : start + step]], train_flat[theirs[start : start + step]]
        found.append(
            np.where(a > b, a - b, b - a).mean(axis=1, dtype=np.float64)
        )  # bytes wrap around, but the larger minus the smaller never
    return np.concatenate([np.zeros(0), *found])


def _bits(pictures: NDArray, medians: NDArray | None = None) -> tuple[NDArray[np.bool_], NDArray]:
    """The hash of each picture ``[rows, 64]``, and the median of each frequency."""
    height, width = pictures.shape[1:3]
    down, across = _frequencies(height), _frequencies(width)
    found = [(down @ _grey(block) @ across.T).reshape(len(block), -1) for block in _blocks(pictures)]
    values = np.concatenate(found) if found else np.zeros((0, FREQUENCIES**2), np.float32)
    medians = np.median(values, axis=0) if medians is None else medians
    return values > medians, medians


def _frequencies(length: int) -> NDArray[np.float32]:
    """A matrix ``[frequencies, length]`` that averages a line of pixels to ``SIDE`` areas and takes their lowest frequencies (DCT-II)."""
    edges = np.arange(SIDE + 1) * length / SIDE
    pixels = np.arange(length)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    areas = np.clip(overlap, 0, None) * SIDE / length
    cosines = np.asarray(dct(np.eye(SIDE), axis=0, norm="ortho"))[:FREQUENCIES]
    return (cosines @ areas).astype(np.float32)


def _grey(block: NDArray) -> NDArray[np.float32]:
    if block.shape[3] == 1:
        return block[..., 0].astype(np.float32)
    return block.astype(np.float32) @ (np.array(GREY_WEIGHTS) / 65536).astype(np.float32)


def _key(bits: NDArray) -> NDArray[np.int64]:
    return bits @ (1 << np.arange(bits.shape[1]))


def _packed(bits: NDArray) -> NDArray[np.uint64]:
    return np.packbits(bits, axis=1).view(np.uint64)[:, 0]


def _usual_saturation(shares: NDArray) -> tuple[float, float]:
    if not len(shares):
        return 0.0, 1.0
    lower, median, upper = np.quantile(shares, [0.25, 0.5, 0.75])
    return float(median), float(max(upper + FAR_OUT * (upper - lower), median + LEAST_SATURATED))


def _odd(part: str, found: NDArray[np.bool_], cost: Callable[[str, NDArray], ErrorWithout | None]) -> OddPictures:
    rows = np.flatnonzero(found)
    share = share_of(len(rows), len(found)) if len(found) else UNKNOWN
    return OddPictures(part, len(found), len(rows), tuple(rows[:EXAMPLES].tolist()), share=share, cost=cost(part, rows))


def _blocks(pictures: NDArray) -> Iterator[NDArray]:
    for start in range(0, len(pictures), _ROWS):
        yield pictures[start : start + _ROWS]
