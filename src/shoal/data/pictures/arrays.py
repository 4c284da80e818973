"""Arrays of numbers as pictures: dimensions, range, channels and size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Sized
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from shoal.data.memory import zeros
from shoal.data.pictures.column import PICTURE, picture_series
from shoal.data.pictures.fitting import fitting_size
from shoal.data.pictures.reading import Reading, Wanted, check_size
from shoal.data.pictures.resize import as_shape, over_white
from shoal.data.pictures.stored import Stored
from shoal.errors import DataError, Problem

_MOST_CHANNELS = 4
_ROWS = 1024


def is_picture_array(array: Any) -> bool:
    """Whether something is an array with the dimensions of pictures: ``[rows, height, width]``, perhaps with channels."""
    return isinstance(array, np.ndarray) and array.ndim in (3, 4)


def read_array(array: np.ndarray, wanted: Wanted, name: str = "the array") -> Reading:
    """A table of the pictures in one array.

    Args:
        array: ``[rows, height, width]`` or ``[rows, height, width, channels]`` (channels may stand before the height).
        wanted: size and channels; by default the array's own, and at most 64 on either side.
        name: for messages.

    Raises:
        DataError: no pictures, or numbers that cannot be brought to 0..255.
    """
    if problems := list(label_problems(array, None, name)):
        raise DataError(*problems)
    pixels, notes = as_pixels([Stored.of(array)], wanted, name)
    return Reading({"train": pl.DataFrame([picture_series(pixels[0])])}, tuple(notes))


def as_pixels(arrays: Sequence[Stored], wanted: Wanted, name: str) -> tuple[list[np.ndarray], list[str]]:
    """Bytes ``[rows, height, width, channels]`` of arrays that belong together, and what was done to make them.

    They are read a block at a time, so that only the result needs room: in memory, or else in a file; where it has none, and no size was
    asked for, the pictures become smaller. Bytes in memory stay as they are. Whole numbers above 255 are divided by the largest of them
    all and multiplied by 255; floats within 0 and 1 are multiplied by 255, those within -1 and 1 shifted first, and those within 0 and
    255 rounded.

    Args:
        arrays: of one height, one width and the same channels, the first that of the training rows.
        wanted: size and channels.
        name: for messages.

    Raises:
        DataError: as ``read_array``.
    """
    notes: list[str] = []
    shaped = [_with_channel_axis(array, name, notes) for array in arrays]
    if len({array.shape[1:] for array in shaped}) > 1:
        received = " and ".join(" x ".join(map(str, array.shape[1:])) for array in shaped)
        raise DataError(Problem(f"the pictures of {name} have one size", received, "Store them in one size."))
    height, width, channels = shaped[0].shape[1:]
    check_size(height, width, name)
    rule = _rule(shaped, name, notes)
    has_alpha = channels in (2, 4)
    if has_alpha:
        channels -= 1
        notes.append("transparent pixels laid over white")
    asked = wanted.shape(np.array([height]), np.array([width]), channels)
    rows = sum(map(len, shaped))
    fitting = fitting_size(rows, asked, wanted.size is not None)
    shape = (fitting.height, fitting.width, asked[2])
    if shape[:2] != (height, width):
        how = "scaled to cover it, cropped at the centre"
        notes.append(f"{rows:,} pictures of {height} x {width} resized to {shape[0]} x {shape[1]} ({how})")
    if fitting.note:
        notes.append(fitting.note)
    if shape[2] != channels:
        notes.append(f"{rows:,} pictures converted to {'colour' if shape[2] == 3 else 'grey'}")

    def changed(block: np.ndarray) -> np.ndarray:
        block = block if rule is None else rule.applied(block)
        return as_shape(over_white(block) if has_alpha else block, shape)

    as_they_are = rule is None and not has_alpha and shaped[0].shape[1:] == shape
    return [_made(each, shape, None if as_they_are else changed) for each in shaped], _unique(notes)


def _made(stored: Stored, shape: tuple[int, ...], change: Callable[[np.ndarray], np.ndarray] | None) -> np.ndarray:
    """The bytes ``[rows, *shape]``, each block changed as it is read."""
    if change is None and stored.whole is not None:
        return stored.whole
    made, start = zeros((len(stored), *shape), np.uint8, in_order=False), 0
    for block in stored.blocks():
        made[start : start + len(block)] = block if change is None else change(block)
        start += len(block)
    return made


def class_names(labels: np.ndarray, names: np.ndarray | None = None) -> pl.Series:
    """A column ``label`` of text from whole numbers or texts ``[rows]``; numbers are places in ``names`` where there are some.

    Example:
        >>> class_names(np.array([1, 0]), np.array(["cat", "dog"])).to_list()
        ['dog', 'cat']
    """
    if names is not None and labels.dtype.kind in "iu" and labels.size and labels.min() >= 0 and labels.max() < len(names):
        return pl.Series("label", names.astype(str).tolist(), dtype=pl.String).gather(labels.astype(np.int64))
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "replace")
    if labels.dtype.kind == "U":
        return pl.Series("label", labels.tolist(), dtype=pl.String)
    if labels.dtype.kind == "f" and not np.all(np.isnan(labels) | (labels == np.round(labels))):
        return pl.Series("label", labels.astype(np.float64))
    if labels.dtype.kind == "f":
        return pl.Series("label", labels.astype(np.float64)).fill_nan(None).cast(pl.Int64).cast(pl.String)
    if labels.dtype.kind == "b":
        labels = labels.astype(np.uint8)
    return pl.Series("label", np.ascontiguousarray(labels)).cast(pl.String)


def _with_channel_axis(array: Stored, name: str, notes: list[str]) -> Stored:
    if array.dtype.kind not in "buif":
        kind = "Complex data not supported" if array.dtype.kind == "c" else f"numbers of type {array.dtype}"
        raise DataError(Problem(f"the pictures of {name} are numbers", kind, "Store them as uint8."))
    if len(array.shape) == 3:
        return array.changed((*array.shape, 1), lambda block: block[..., None])
    if len(array.shape) != 4:
        requirement = f"the pictures of {name} are an array [rows, height, width] or [rows, height, width, channels]"
        raise DataError(Problem(requirement, f"shape {array.shape}", "Reshape it."))
    if array.shape[3] <= _MOST_CHANNELS and array.shape[3]:
        return array
    if 1 <= array.shape[1] <= _MOST_CHANNELS:
        notes.append("channels stood before the height and were moved behind the width")
        rows, channels, height, width = array.shape
        return array.changed((rows, height, width, channels), lambda block: np.moveaxis(block, 1, 3))
    requirement = f"the pictures of {name} have 1 to {_MOST_CHANNELS} channels"
    raise DataError(Problem(requirement, f"shape {array.shape}", "Give [rows, height, width, channels]."))


class _Rule(NamedTuple):
    """How numbers become bytes: ``(x + shift) * factor``, rounded."""

    shift: float
    factor: float

    def applied(self, block: np.ndarray) -> np.ndarray:
        scaled = np.empty(block.shape, np.uint8)
        for start in range(0, len(block), _ROWS):
            numbers = (block[start : start + _ROWS].astype(np.float64) + self.shift) * self.factor
            scaled[start : start + _ROWS] = np.clip(np.rint(numbers), 0, 255)
        return scaled


def _rule(arrays: Sequence[Stored], name: str, notes: list[str]) -> _Rule | None:
    """How the numbers of all arrays become bytes; ``None`` where they are."""
    if all(array.dtype == np.uint8 for array in arrays):
        return None
    ends = [(float(block.min()), float(block.max())) for array in arrays for block in array.blocks() if block.size]
    low, high = (float(end([each[place] for each in ends] or [0.0])) for place, end in enumerate((np.min, np.max)))
    requirement = f"the pictures of {name} are finite numbers from 0 to 255, 0 to 1, or -1 to 1, or whole numbers from 0"
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DataError(Problem(requirement, "infinite or missing values", "Correct or remove those pictures."))
    whole = all(array.dtype.kind in "bui" for array in arrays)
    received = f"{arrays[0].dtype} from {low:g} to {high:g}"
    shift, factor = 0.0, 1.0
    if all(array.dtype.kind == "b" for array in arrays) or (not whole and low >= 0 and high <= 1):
        factor = 255.0
    elif whole and low >= 0:
        factor = 255.0 / max(high, 255.0)
    elif not whole and low >= -1 and high <= 1:
        shift, factor = 1.0, 127.5
    elif not whole and low >= 0 and high <= 255:
        pass
    else:
        raise DataError(Problem(requirement, received, "Bring them to one of these ranges."))
    if shift or factor != 1.0:
        rule = {255.0: "multiplied by 255", 127.5: "increased by 1 and multiplied by 127.5"}.get(factor, f"divided by {high:g}, times 255")
        notes.append(f"pixels of type {received} {rule}")
    return _Rule(shift, factor)


def _unique(notes: list[str]) -> list[str]:
    return list(dict.fromkeys(notes))


def label_problems(pixels: Sized | None, labels: np.ndarray | None, name: str, part: str = "") -> Iterator[Problem]:
    """What is wrong with the lengths of pictures and labels that belong together."""
    if pixels is not None and labels is not None and len(pixels) != len(labels):
        of = f"the {part} part of {name}" if part else name
        received = f"{len(pixels):,} {PICTURE}s and {len(labels):,} labels"
        yield Problem(f"{of} has one label per picture", received, "Store both with the same rows.")
    if pixels is not None and not len(pixels):
        yield Problem(f"{name} has pictures", "an array without rows", "Check that the right file was given.")
