"""What is odd about the pictures of a data set: the same ones in two parts, blank ones, overexposed ones."""

from __future__ import annotations

import msgspec

from shoal.interval import Interval

UNKNOWN = Interval(0.0, 0.0, 1.0)


class ErrorWithout(msgspec.Struct, frozen=True):
    """The error of a part with some of its rows left out.

    Args:
        rows: how many were left out.
        whole: the error on all rows of the part, in the run's metric as an error.
        without: on those that are left.
        change: ``without - whole``, on the same resampled rows.
    """

    rows: int
    whole: Interval
    without: Interval
    change: Interval


class PicturePair(msgspec.Struct, frozen=True):
    """Two pictures that are the same, or nearly so.

    Args:
        row: of the picture in its part.
        train_row: of the most similar training picture.
        difference: mean absolute difference of their pixels, from 0 to 255.
        name: path or row of the picture, in words.
        train_name: the same of the training picture.
    """

    row: int
    train_row: int
    difference: float
    name: str = ""
    train_name: str = ""


class RepeatedPictures(msgspec.Struct, frozen=True):
    """Pictures of one part that the training rows hold, too.

    Args:
        part: which was compared with the training rows.
        rows: pictures in it.
        exact: of these the training rows hold to the last byte.
        near: others that differ from a training picture by little.
        expected_near: share of training pictures that differ from another training picture by as little: where it is as large, pictures
            of this kind are alike and none need be a copy.
        exact_pairs: the first of the exact ones.
        near_pairs: the most similar of the others.
        share: ``(exact + near) / rows`` with its interval.
        expected: the same share of training pictures and the other training pictures.
        disagreeing: share of these pictures whose target differs from their twin's.
        cost: the error of the part without them; ``None`` where the part was not scored.
    """

    part: str
    rows: int
    exact: int
    near: int
    expected_near: float
    exact_pairs: tuple[PicturePair, ...] = ()
    near_pairs: tuple[PicturePair, ...] = ()
    share: Interval = UNKNOWN
    expected: Interval = UNKNOWN
    disagreeing: float = 0.0
    cost: ErrorWithout | None = None


class OddPictures(msgspec.Struct, frozen=True):
    """Pictures of one part that stand out.

    Args:
        part: of the data set.
        rows: pictures in it.
        count: how many stand out.
        examples: the first rows among them.
        names: their paths or rows, in words.
        share: ``count / rows`` with its interval.
        cost: the error of the part without all of them; ``None`` where the part was not scored.
    """

    part: str
    rows: int
    count: int
    examples: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    share: Interval = UNKNOWN
    cost: ErrorWithout | None = None


class PictureFaults(msgspec.Struct, frozen=True):
    """What was found.

    Args:
        repeated: of every part but train.
        blank: of every part, pictures whose pixels are nearly all alike.
        saturated: of every part, pictures with a larger share of black or white pixels than this set explains.
        usual_saturation: share of pixels at 0 or 255 in a training picture: the median, and the limit beyond which one stands out
            (1 or more where none can).
    """

    repeated: tuple[RepeatedPictures, ...]
    blank: tuple[OddPictures, ...]
    saturated: tuple[OddPictures, ...]
    usual_saturation: tuple[float, float]
