"""NPZ and NPY files of NumPy: arrays of pictures with their labels, or encoded pictures one behind the other. Pickles are never read."""

from __future__ import annotations

import math
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl

from shoal.data.pictures.arrays import as_pixels, class_names, label_problems, read_array
from shoal.data.pictures.column import picture_series
from shoal.data.pictures.decode import decode
from shoal.data.pictures.fitting import check_memory
from shoal.data.pictures.reading import Reading, Wanted
from shoal.data.pictures.stored import Head, Stored
from shoal.errors import DataError, Problem

PICTURES = ("x", "images", "image", "data", "pictures", "picture", "imgs", "arr_0")
LABELS = ("y", "labels", "label", "targets", "target", "arr_1")
NAMES = ("classes", "class_names", "label_names", "names")
PARTS = {"train": "train", "dev": "dev", "val": "dev", "valid": "dev", "validation": "dev", "test": "test"}
"""Words for a part in the name of an array, such as ``x_train`` or ``val_images``."""

Heads = dict[str, Head]
"""Of each array."""

_UNREADABLE = (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)

_REMEDY = "Write it with np.savez_compressed(file, x=pictures, y=labels)."


def read_npz(path: Path, wanted: Wanted) -> Reading:
    """The pictures of an NPZ file.

    Args:
        path: of the file. Arrays are found by name: ``x`` (``images``, ``data``) and ``y`` (``labels``), with ``_train``, ``_dev`` or
            ``_test`` where the file has parts, ``classes`` for the names of numbered labels; or ``jpeg`` and ``offset`` for encoded
            pictures one behind the other, picture ``i`` from ``offset[i]`` to ``offset[i + 1]``. A number ``n_train`` says how many of
            the first rows train.
        wanted: purpose, size and channels.

    Raises:
        DataError: no such file, or arrays that do not go together.
    """
    name = path.name
    with _opened(path) as archive:
        heads = dict(_heads(archive, name))
        if "jpeg" in heads and "offset" in heads:
            return _encoded(archive, heads, name, wanted)
        chosen = _pairs(heads, name)
        problems = [] if wanted.purpose == "predict" else [_no_labels(part, name) for part, (_, y) in chosen.items() if y is None]
        arrays = {part: _stored(archive, heads, path, x) for part, (x, _) in chosen.items()}
        labels = {part: None if y is None else _labels(archive, heads, y, name) for part, (_, y) in chosen.items()}
        names, first = _names(archive, heads, name), _number(archive, heads, "n_train", name)
    for part in arrays:
        problems += label_problems(arrays[part], labels[part], name, "" if len(arrays) == 1 else part)
    if problems:
        raise DataError(*problems)
    pixels, notes = as_pixels(list(arrays.values()), wanted, name)
    frames = {}
    for part, bytes_ in zip(arrays, pixels, strict=True):
        found = labels[part]
        frames[part] = pl.DataFrame([picture_series(bytes_), *([] if found is None else [class_names(found, names)])])
    if list(frames) == ["train"] and first is not None and 0 < first < len(frames["train"]):
        frames = {"train": frames["train"][:first], "test": frames["train"][first:]}
    return Reading(frames, tuple(notes))


def read_npy(path: Path, wanted: Wanted) -> Reading | np.ndarray:
    """The pictures of an NPY file, which has no labels; an array of two dimensions is given back as it is, a table."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise _unreadable(path.name, error) from None
    return np.array(array) if array.ndim <= 2 else read_array(array, wanted, path.name)


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise _unreadable(path.name, error) from None


def _heads(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[str, Head]]:
    """Name and head of every array, without reading it."""
    for member in archive.namelist():
        if not member.endswith(".npy"):
            continue
        try:
            with archive.open(member) as file:
                head = Head.read(file)
        except (*_UNREADABLE, NotImplementedError, RuntimeError) as error:
            raise _unreadable(name, error) from None
        if not head.dtype.hasobject:  # a pickle
            yield member.removesuffix(".npy"), head


def _array(archive: zipfile.ZipFile, heads: Heads, key: str, name: str) -> np.ndarray:
    check_memory(math.prod(heads[key].shape) * heads[key].dtype.itemsize, name)
    try:
        with archive.open(f"{key}.npy") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except _UNREADABLE as error:
        raise _unreadable(f"{key!r} in {name}", error) from None


def _stored(archive: zipfile.ZipFile, heads: Heads, path: Path, key: str) -> Stored:
    """An array of pictures, to be read a block at a time, or at once where NumPy wrote it column by column."""
    if heads[key].columns_first:
        return Stored.of(_array(archive, heads, key, path.name))

    @contextmanager
    def opened() -> Iterator[IO[bytes]]:
        try:
            with zipfile.ZipFile(path) as again, again.open(f"{key}.npy") as file:
                Head.read(file)
                yield file
        except _UNREADABLE as error:
            raise _unreadable(f"{key!r} in {path.name}", error) from None

    return Stored.in_file(opened, heads[key].shape, heads[key].dtype)


def _pairs(heads: Heads, name: str) -> dict[str, tuple[str, str | None]]:
    """Of each part its array of pictures and its labels."""
    pictures = {key: _role(key, PICTURES) for key, head in heads.items() if len(head.shape) in (3, 4) and head.dtype.kind in "buif"}
    labels = {key: _role(key, LABELS) for key, head in heads.items() if len(head.shape) in (1, 2)}
    by_part = {part: key for key, part in pictures.items() if part}
    if "train" not in by_part and len(by_part) != 1:
        by_part = {}
    named = [key for key, part in pictures.items() if part == ""]
    if not by_part and len(named or pictures) == 1:
        by_part = {"train": (named or list(pictures))[0]}
    if not by_part:
        listed = ", ".join(f"{key} {head.shape}" for key, head in list(heads.items())[:8]) or "no arrays that are not pickled"
        requirement = f"{name} holds pictures [rows, height, width] or [rows, height, width, channels] under the name x, images or data"
        raise DataError(Problem(requirement, listed, _REMEDY))
    chosen: dict[str, tuple[str, str | None]] = {}
    for part in [part for part in ("train", "dev", "test") if part in by_part] + [part for part in by_part if part == ""]:
        wanted = {part} if len(by_part) > 1 else {part, ""}
        chosen[part] = by_part[part], next((key for key, of in labels.items() if of in wanted), None)
    if len(chosen) == 1:  # a test set in a file of its own
        return {"train": next(iter(chosen.values()))}
    return chosen


def _role(key: str, words: tuple[str, ...]) -> str | None:
    """The part that a name means, ``""`` for a name without one, ``None`` for another name."""
    plain = key.lower()
    if plain in words:
        return ""
    for part, meant in PARTS.items():
        found = re.fullmatch(rf"(?:{part}[_-]?(?P<after>\w+)|(?P<before>\w+?)[_-]?{part})", plain)
        if found and (found["after"] or found["before"]) in words:
            return meant
    return None


def _labels(archive: zipfile.ZipFile, heads: Heads, key: str, name: str) -> np.ndarray:
    labels = _array(archive, heads, key, name)
    if labels.ndim == 2 and labels.shape[1] == 1:
        return labels[:, 0]
    if labels.ndim == 1:
        return labels
    one_hot = (
        labels.dtype.kind in "buif" and labels.shape[1] > 1 and bool(np.all((labels == 0) | (labels == 1)) and np.all(labels.sum(1) == 1))
    )
    if not one_hot:
        requirement = f"the labels {key!r} of {name} are one value per row"
        raise DataError(Problem(requirement, f"shape {labels.shape}", "Store one class per row; give several labels in a table of paths."))
    return labels.argmax(axis=1)


def _names(archive: zipfile.ZipFile, heads: Heads, name: str) -> np.ndarray | None:
    key = next((key for key in NAMES if key in heads and len(heads[key].shape) == 1 and heads[key].dtype.kind in "US"), None)
    if key is None:
        return None
    names = _array(archive, heads, key, name)
    return np.char.decode(names, "utf-8", "replace") if names.dtype.kind == "S" else names


def _number(archive: zipfile.ZipFile, heads: Heads, key: str, name: str) -> int | None:
    return int(_array(archive, heads, key, name)) if key in heads and heads[key].shape == () and heads[key].dtype.kind in "ui" else None


def _no_labels(part: str, name: str) -> Problem:
    of = "" if part == "train" else f" for the {part} part"
    return Problem(f"{name} holds labels under the name y or labels{of}", "pictures only", _REMEDY)


def _encoded(archive: zipfile.ZipFile, heads: Heads, name: str, wanted: Wanted) -> Reading:
    data, offset = _array(archive, heads, "jpeg", name), _array(archive, heads, "offset", name)
    key = next((key for key in LABELS if key in heads), None)
    labels = None if key is None else _labels(archive, heads, key, name)
    problems = [] if labels is not None or wanted.purpose == "predict" else [_no_labels("train", name)]
    if data.dtype != np.uint8 or data.ndim != 1 or offset.ndim != 1 or offset.dtype.kind not in "ui" or len(offset) < 2:
        received = f"{data.dtype} {data.shape} and {offset.dtype} {offset.shape}"
        problems.append(Problem(f"jpeg of {name} is uint8 [bytes], and offset whole numbers [rows + 1]", received, "Write it again."))
        raise DataError(*problems)
    offset = offset.astype(np.int64)
    if offset[0] < 0 or np.any(np.diff(offset) < 0) or offset[-1] > len(data):
        received = f"places up to {offset.max():,} in {len(data):,} bytes"
        problems.append(Problem(f"offset of {name} rises and stays within jpeg", received, "Write it again; it may be cut short."))
    problems += label_problems(offset[1:], labels, name)
    if problems:
        raise DataError(*problems)
    pieces = [data[start:end] for start, end in pairwise(offset.tolist())]
    decoded = decode(pieces, lambda row: f"picture {row}", wanted, name)
    columns = [picture_series(decoded.pixels)]
    if labels is not None:
        columns.append(class_names(labels[decoded.kept], _names(archive, heads, name)))
    return Reading({"train": pl.DataFrame(columns)}, decoded.notes, skipped=decoded.skipped)


def _unreadable(name: str, error: Exception) -> DataError:
    received = (str(error).splitlines() or ["nothing readable"])[0][:200]
    remedy = "Write it again with np.savez_compressed or np.save, without pickled objects."
    return DataError(Problem(f"{name} is a whole file of NumPy arrays", received, remedy))
