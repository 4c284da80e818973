"""Arrays of numbers as pictures: dimensions, range, channels and size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from shoal.data.pictures.column import PICTURE, picture_series
from shoal.data.pictures.memory import fitting_size, too_large
from shoal.data.pictures.reading import Reading, Wanted, check_size
from shoal.data.pictures.resize import SMALLEST, as_shape, over_white
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
    pixels, notes = as_pixels([array], wanted, name)
    return Reading({"train": pl.DataFrame([picture_series(pixels[0])])}, tuple(notes))


def as_pixels(arrays: list[np.ndarray], wanted: Wanted, name: str) -> tuple[list[np.ndarray], list[str]]:
    """Bytes ``[rows, height, width, channels]`` of arrays that belong together, and what was done to make them.

    Bytes stay as they are (and are not copied). Whole numbers above 255 are divided by the largest of them all and multiplied by 255;
    floats within 0 and 1 are multiplied by 255, those within -1 and 1 shifted first, and those within 0 and 255 rounded.

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
    pixels = _as_bytes(shaped, name, notes)
    if channels in (2, 4):
        pixels = [over_white(each) for each in pixels]
        channels -= 1
        notes.append("transparent pixels laid over white")
    asked = wanted.shape(np.array([height]), np.array([width]), channels)
    rows = sum(map(len, pixels))
    fits = fitting_size(rows, asked, SMALLEST)
    if fits is None:
        raise too_large(rows, asked)
    shape = (*(fits if wanted.size is None else asked[:2]), asked[2])
    if shape[:2] != (height, width):
        notes.append(
            f"{rows:,} pictures of {height} x {width} resized to {shape[0]} x {shape[1]} (scaled to cover it, cropped at the centre)"
        )
    if shape[2] != channels:
        notes.append(f"{rows:,} pictures converted to {'colour' if shape[2] == 3 else 'grey'}")
    return [as_shape(each, shape) for each in pixels], _unique(notes)


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


def _with_channel_axis(array: Any, name: str, notes: list[str]) -> np.ndarray:
    if array.dtype.kind not in "buif":
        kind = "Complex data not supported" if array.dtype.kind == "c" else f"numbers of type {array.dtype}"
        raise DataError(Problem(f"the pictures of {name} are numbers", kind, "Store them as uint8."))
    if array.ndim == 3:
        return array[..., None]
    if array.ndim != 4:
        requirement = f"the pictures of {name} are an array [rows, height, width] or [rows, height, width, channels]"
        raise DataError(Problem(requirement, f"shape {array.shape}", "Reshape it."))
    if array.shape[3] <= _MOST_CHANNELS and array.shape[3]:
        return array
    if 1 <= array.shape[1] <= _MOST_CHANNELS:
        notes.append("channels stood before the height and were moved behind the width")
        return np.moveaxis(array, 1, 3)
    requirement = f"the pictures of {name} have 1 to {_MOST_CHANNELS} channels"
    raise DataError(Problem(requirement, f"shape {array.shape}", "Give [rows, height, width, channels]."))


def _as_bytes(arrays: list[np.ndarray], name: str, notes: list[str]) -> list[np.ndarray]:
    if all(array.dtype == np.uint8 for array in arrays):
        return arrays
    low = min((float(array.min()) for array in arrays if array.size), default=0.0)
    high = max((float(array.max()) for array in arrays if array.size), default=0.0)
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
    scaled = []
    for array in arrays:
        out = np.empty(array.shape, np.uint8)
        for start in range(0, len(array), _ROWS):
            block = (array[start : start + _ROWS].astype(np.float64) + shift) * factor
            out[start : start + _ROWS] = np.clip(np.rint(block), 0, 255)
        scaled.append(out)
    return scaled


def _unique(notes: list[str]) -> list[str]:
    return list(dict.fromkeys(notes))


def label_problems(pixels: np.ndarray | None, labels: np.ndarray | None, name: str, part: str = "") -> Iterator[Problem]:
    """What is wrong with the lengths of pictures and labels that belong together."""
    if pixels is not None and labels is not None and len(pixels) != len(labels):
        of = f"the {part} part of {name}" if part else name
        received = f"{len(pixels):,} {PICTURE}s and {len(labels):,} labels"
        yield Problem(f"{of} has one label per picture", received, "Store both with the same rows.")
    if pixels is not None and not len(pixels):
        yield Problem(f"{name} has pictures", "an array without rows", "Check that the right file was given.")
