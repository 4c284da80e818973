"""A folder of pictures: one folder per class, perhaps within folders per part; or pictures alone, to predict."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from shoal.data.pictures.column import LABEL, PATH, picture_series
from shoal.data.pictures.decode import SUFFIXES, decode
from shoal.data.pictures.idx import idx_parts, read_idx_folder
from shoal.data.pictures.reading import Reading, Wanted
from shoal.errors import DataError, Problem

PARTS = {"train": "train", "training": "train", "dev": "dev", "val": "dev", "valid": "dev", "validation": "dev", "test": "test"}
"""Folders that are parts where one of them is for training."""


@dataclass(frozen=True)
class Found:
    """What lies in a folder, as paths below it.

    Args:
        folder: that was looked at.
        by_class: pictures in each of its folders, in order; also of folders without any.
        loose: pictures in no folder.
        others: suffixes of other files, and how many there are of each.
    """

    folder: Path
    by_class: dict[str, list[Path]]
    loose: list[Path]
    others: Counter[str]

    @classmethod
    def look(cls, folder: Path) -> Found:
        """Everything below a folder but hidden files and folders."""
        others: Counter[str] = Counter()
        by_class: dict[str, list[Path]] = {}
        for entry in _visible(folder):
            if entry.is_dir():
                by_class[entry.name] = _pictures_below(entry, others)
        loose = [entry for entry in _visible(folder) if entry.is_file() and _is_picture(entry, others)]
        return cls(folder, by_class, loose, others)

    @classmethod
    def across(cls, folder: Path, parts: list[Path]) -> Found:
        """Everything below a folder, where the classes are within the folders of its parts."""
        whole = cls.look(folder)
        by_class: dict[str, list[Path]] = {}
        loose = whole.loose + [path for name, paths in whole.by_class.items() if folder / name not in parts for path in paths]
        for part in parts:
            within = cls.look(part)
            loose += within.loose
            for name, paths in within.by_class.items():
                by_class.setdefault(name, []).extend(paths)
        return cls(folder, by_class, loose, whole.others)

    @property
    def classes(self) -> dict[str, list[Path]]:
        """Folders with pictures."""
        return {name: paths for name, paths in self.by_class.items() if paths}

    @property
    def empty(self) -> list[str]:
        """Folders without."""
        return [name for name, paths in self.by_class.items() if not paths]


def read_folder(folder: Path, wanted: Wanted) -> Reading:
    """The pictures of a folder.

    Args:
        folder: that holds one folder per class; or ``train`` with such folders and ``dev`` (``val``, ``valid``, ``validation``) or ``test``
            beside it; or pictures alone; or IDX files by the names of MNIST.
        wanted: purpose, size and channels.

    Raises:
        DataError: nothing in it can be used; to train, fewer than two classes or a class without pictures.
    """
    if parts := idx_parts(folder):
        return read_idx_folder(parts, folder, wanted)
    given = _parts(folder)
    if "train" not in given:
        return _read_one(Found.look(folder), folder, wanted, "")
    if wanted.purpose == "predict":
        return _read_one(Found.across(folder, list(given.values())), folder, wanted, "")
    readings: dict[str, Reading] = {}
    problems: list[Problem] = []
    for part, place in given.items():
        try:
            asked = wanted if part == "train" else replace(wanted, purpose="score")
            readings[part] = _read_one(Found.look(place), folder, asked, part)
        except DataError as error:
            problems += error.problems
            continue
        height, width, channels = readings[part].frames["train"].schema["picture"].shape  # type: ignore[attr-defined]
        wanted = replace(wanted, size=(height, width), channels=channels)
    if problems:
        raise DataError(*problems)
    notes = [note if part == "train" else f"{part} data: {note}" for part, reading in readings.items() for note in reading.notes]
    ignored = [entry.name for entry in _visible(folder) if entry.is_dir() and entry not in given.values()]
    if ignored:
        notes.append(f"folders beside those of the parts are not used: {', '.join(ignored[:8])}")
    skipped = [name for reading in readings.values() for name in reading.skipped]
    return Reading({part: reading.frame for part, reading in readings.items()}, tuple(notes), skipped=skipped)


def _parts(folder: Path) -> dict[str, Path]:
    """The folders of parts, in the order train, dev, test; a class may well be called train, so that of training has folders itself."""
    named = {PARTS[entry.name.lower()]: entry for entry in _visible(folder) if entry.is_dir() and entry.name.lower() in PARTS}
    if "train" not in named or not any(entry.is_dir() for entry in _visible(named["train"])):
        return {}
    return {part: named[part] for part in ("train", "dev", "test") if part in named}


def _read_one(found: Found, root: Path, wanted: Wanted, part: str) -> Reading:
    """One folder as a table; paths are relative to ``root``."""
    name = found.folder.relative_to(root).as_posix() if part else (root.name or str(root.resolve().name))
    classes = found.classes
    if problems := list(_problems(found, wanted, name)):
        raise DataError(*problems)
    labelled = bool(classes)
    members = [(path, label) for label, paths in classes.items() for path in paths]
    if not labelled or wanted.purpose == "predict":
        members += [(path, None) for path in found.loose]
    paths = [path for path, _ in members]
    relative = [path.relative_to(root).as_posix() for path in paths]
    decoded = decode(paths, lambda row: relative[row], wanted, name)
    notes = list(decoded.notes)
    if count := found.others.total():
        notes.append(f"{count:,} other file{'s' * (count > 1)} left out: {_in_words(found.others)}")
    if labelled and found.loose and wanted.purpose != "predict":
        count = len(found.loose)
        notes.append(f"{count:,} picture{'s' * (count > 1)} in no class folder left out")
    columns = [picture_series(decoded.pixels)]
    if labelled:
        columns.append(pl.Series(LABEL, [members[row][1] for row in decoded.kept], dtype=pl.String))
    columns.append(pl.Series(PATH, [relative[row] for row in decoded.kept], dtype=pl.String))
    return Reading({"train": pl.DataFrame(columns)}, tuple(notes), skipped=decoded.skipped)


def _problems(found: Found, wanted: Wanted, name: str) -> Iterator[Problem]:
    classes = found.classes
    layout = "Make one folder per class and put its pictures there: cats/1.jpg, dogs/1.jpg."
    if not classes and not found.loose:
        kinds = ", ".join(suffix.removeprefix(".").upper() for suffix in SUFFIXES[:2]) + ", BMP, GIF or WebP"
        received = _in_words(found.others) if found.others else "no files"
        files = sorted(entry.name for entry in _visible(found.folder) if entry.is_file())[:1]
        remedy = f"For a table, name one file in it, such as {files[0]}." if files else "Check that the right folder was given."
        yield Problem(f"the folder {name!r} holds pictures ({kinds})", received, remedy)
        return
    if wanted.purpose == "predict":
        return
    if not classes:
        count = f"{len(found.loose):,} picture{'s' * (len(found.loose) > 1)}"
        yield Problem(f"pictures to learn from lie in one folder per class in {name!r}", f"{count} in no folder", layout)
        return
    if wanted.purpose == "train":
        for folder in found.empty:
            yield Problem(f"every class folder of {name!r} holds pictures", f"none in {folder!r}", "Add some, or remove that folder.")
        if len(classes) < 2:
            yield Problem(f"the folder {name!r} has at least two class folders", f"one, {next(iter(classes))!r}", layout)


def _visible(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def _pictures_below(folder: Path, others: Counter[str]) -> list[Path]:
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        shown = (Path(place) / name for name in sorted(files) if not name.startswith("."))
        found += [path for path in shown if _is_picture(path, others)]
    return found


def _is_picture(path: Path, others: Counter[str]) -> bool:
    if path.suffix.lower() in SUFFIXES:
        return True
    others[path.suffix.lower() or "no suffix"] += 1
    return False


def _in_words(counts: Counter[str]) -> str:
    return ", ".join(
        f"{count:,} of {suffix}" if suffix == "no suffix" else f"{count:,} {suffix}" for suffix, count in counts.most_common(8)
    )
