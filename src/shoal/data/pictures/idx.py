"""IDX files, the format of MNIST: pictures in one file, their labels in another beside it.

The format: two zero bytes, the type of the numbers, how many dimensions there are, each dimension in four bytes, the numbers. All are
big-endian (Y. LeCun, C. Cortes and C. Burges, "The MNIST database").
"""

from __future__ import annotations

import gzip
import math
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl

from shoal.data.pictures.arrays import as_pixels, class_names, label_problems
from shoal.data.pictures.column import picture_series
from shoal.data.pictures.reading import Reading, Wanted
from shoal.data.pictures.stored import Stored
from shoal.errors import DataError, Problem

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
PARTS = {"train": "train", "t10k": "test", "test": "test", "dev": "dev", "val": "dev", "valid": "dev", "validation": "dev"}
"""What the first word of a file's name says about its part."""

_ANOTHER_FILE = "Check that the right file was given."
_NAME = re.compile(r"idx\d-u?byte(\.gz)?$|\.idx(\.gz)?$", re.IGNORECASE)
_PICTURES = re.compile(r"(?P<of>.*?)(?P<part>\w+)-images([-.])idx3-ubyte(\.gz)?$", re.IGNORECASE)


def is_idx(path: Path) -> bool:
    """Whether the file is an IDX file by its name, or by its first bytes."""
    if _NAME.search(path.name):
        return True
    if path.suffix.lower() in (".csv", ".tsv", ".parquet", ".npz"):
        return False
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError:
        return False
    return len(head) == 4 and head[:2] == b"\0\0" and head[2] in TYPES and head[3] in (1, 3, 4)


def read_idx(path: Path, wanted: Wanted) -> Reading:
    """The pictures of one IDX file with the labels beside it, where there are some.

    Raises:
        DataError: a file that is none, is cut short, or holds no pictures; no labels where they are needed; a label too many or too few.
    """
    return _read({"train": path}, path.name, wanted)


def idx_parts(folder: Path) -> dict[str, Path]:
    """The files of pictures in a folder and the part of each, where their names say so: ``train-images-idx3-ubyte`` and the like."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        name = _PICTURES.fullmatch(path.name)
        if name and path.is_file() and (part := PARTS.get(name["part"].lower())):
            found.setdefault(part, path)  # before its own .gz, which comes later in the order
    return found


def read_idx_folder(parts: dict[str, Path], folder: Path, wanted: Wanted) -> Reading:
    """The pictures of all parts in a folder (see ``idx_parts``); errors as those of ``read_idx``."""
    ordered = {part: parts[part] for part in ("train", "dev", "test") if part in parts}
    return _read(ordered if "train" in ordered else {"train": next(iter(ordered.values()))}, folder.name, wanted)


def labels_beside(path: Path) -> Path | None:
    """The file of labels that goes with a file of pictures, by its name; ``None`` where it is not there."""
    plain = re.sub(r"\.gz$", "", path.name, flags=re.IGNORECASE)
    named = re.sub(r"idx[34]", "idx1", re.sub("images", "labels", plain))
    for candidate in (named, f"{named}.gz"):
        if named != plain and (path.parent / candidate).is_file():
            return path.parent / candidate
    return None


def _read(paths: dict[str, Path], name: str, wanted: Wanted) -> Reading:
    problems: list[Problem] = []
    pictures: dict[str, Stored] = {}
    labels: dict[str, np.ndarray | None] = {}
    for part, path in paths.items():
        beside = labels_beside(path)
        if beside is None and wanted.purpose != "predict":
            expected = re.sub(r"idx[34]", "idx1", path.name.replace("images", "labels"))
            received = "no such file" if expected != path.name else f"{path.name}, whose name does not say where"
            remedy = (
                f"Put {expected} beside {path.name}." if expected != path.name else "Name the pair as MNIST does, with images and labels."
            )
            problems.append(Problem(f"the labels of {path.name} lie beside it", received, remedy))
        try:
            pictures[part] = _stored(path, (3, 4))
            labels[part] = None if beside is None else _labels(beside)
            problems += label_problems(pictures[part], labels[part], path.name)
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(*problems)
    pixels, notes = as_pixels([*pictures.values()], wanted, name)
    frames = {}
    for part, bytes_ in zip(pictures, pixels, strict=True):
        found = labels[part]
        frames[part] = pl.DataFrame([picture_series(bytes_), *([] if found is None else [class_names(found)])])
    return Reading(frames, tuple(notes))


def _stored(path: Path, dimensions: tuple[int, ...]) -> Stored:
    """The numbers of a file, to be read a block of rows at a time.

    Raises:
        DataError: now, or while they are read, where the file is no whole IDX file of one of these dimensions.
    """
    with _readable(path), _opened(path) as file:
        head = file.read(4)
        if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in TYPES:
            received = f"the bytes {head.hex(' ')}" if head else "an empty file"
            raise DataError(Problem(f"{path.name} begins with the magic number of an IDX file", received, _ANOTHER_FILE))
        if head[3] not in dimensions:
            wanted = "1 dimension, its labels," if dimensions == (1,) else "3 dimensions, its pictures,"
            remedy = "Name the file of pictures; its labels are found beside it." if head[3] == 1 else _ANOTHER_FILE
            raise DataError(Problem(f"{path.name} has {wanted} by its magic number", f"{head[3]}", remedy))
        sides = file.read(4 * head[3])
        if len(sides) < 4 * head[3]:
            raise _cut_short(path, f"{4 + len(sides)} bytes, no whole header")
    begin, shape, dtype = 4 + len(sides), tuple(np.frombuffer(sides, ">u4").tolist()), np.dtype(TYPES[head[2]])
    size, expected = path.stat().st_size, begin + math.prod(shape) * dtype.itemsize
    if size != expected and not _is_packed(path):  # what is packed is found to be short when it is read
        raise _cut_short(path, f"{size:,} bytes, where its header says {expected:,}")

    @contextmanager
    def numbers() -> Iterator[IO[bytes]]:
        with _readable(path), _opened(path) as file:
            file.read(begin)
            yield file

    return Stored.in_file(numbers, shape, dtype)


def _labels(path: Path) -> np.ndarray:
    stored = _stored(path, (1,))
    return np.concatenate([np.empty(0, stored.dtype), *stored.blocks()])


def _opened(path: Path) -> BufferedReader:
    """The file, unpacked as it is read where it is packed."""
    return BufferedReader(gzip.open(path)) if _is_packed(path) else path.open("rb")


def _is_packed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Makes what reading the file raises a DataError."""
    try:
        yield
    except DataError:
        raise
    except (EOFError, ValueError) as error:
        raise _cut_short(path, str(error)) from None
    except (OSError, zlib.error) as error:
        received = getattr(error, "strerror", None) or str(error)
        raise DataError(Problem(f"{path.name} can be read", received, "Check its name, or download it again.")) from None


def _cut_short(path: Path, received: str) -> DataError:
    return DataError(Problem(f"{path.name} is a whole IDX file", received, "Download it again: it was cut short or changed."))
