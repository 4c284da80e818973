"""A table with a column of paths of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from shoal.data.pictures.column import PATH, PICTURE, picture_column, picture_series
from shoal.data.pictures.decode import SUFFIXES, decode
from shoal.data.pictures.reading import Reading, Wanted

SHARE_OF_PATHS = 0.95
"""Of the cells of a column, that end like the name of a picture."""

_LOOKED_AT = 3
_ENDS_AS_PICTURE = rf"(?i)({'|'.join(suffix.replace('.', '[.]') for suffix in SUFFIXES)})$"


def read_paths(frame: pl.DataFrame, folder: Path | None, wanted: Wanted, name: str) -> Reading:
    """The table with the pictures that a column of it names, or as it is where none does.

    Args:
        frame: any table.
        folder: of its file; paths are relative to it, or else to the working directory.
        wanted: size and channels.
        name: of the table, for messages.

    Returns:
        A table with the columns ``picture`` and ``path``, and the others as they were.

    Raises:
        DataError: too many pictures cannot be read.
    """
    if picture_column(frame) is not None:
        return Reading({"train": frame})
    for column in frame.iter_columns():
        if not _names_pictures(column):
            continue
        texts = column.str.strip_chars()
        bases = [base for base in (folder, Path()) if base is not None]
        first = texts.drop_nulls().head(_LOOKED_AT).to_list()
        base = next((base for base in bases if any((base / cell).is_file() for cell in first)), None)
        if base is None:
            places = " nor in ".join(str(base) if base != Path() else "the working directory" for base in bases)
            note = f"{column.name!r} reads like paths of pictures, but {first[0]} is neither in {places}: taken as text"
            return Reading({"train": frame}, (note if len(bases) > 1 else note.replace("neither", "not"),))
        return _with_pictures(frame, column.name, texts.fill_null("").to_list(), base, wanted, name)
    return Reading({"train": frame})


def _names_pictures(column: pl.Series) -> bool:
    if column.dtype != pl.String or not column.len():
        return False
    known = column.drop_nulls()
    few = known.head(20).str.strip_chars().str.contains(_ENDS_AS_PICTURE)
    if not few.len() or few.mean() < 0.5:  # type: ignore[operator]
        return False
    return known.str.strip_chars().str.contains(_ENDS_AS_PICTURE).mean() >= SHARE_OF_PATHS  # type: ignore[operator]


def _with_pictures(frame: pl.DataFrame, column: str, cells: list[str], base: Path, wanted: Wanted, name: str) -> Reading:
    paths: list[Path | np.ndarray] = [base / cell if cell else Path("(no path)") for cell in cells]
    decoded = decode(paths, lambda row: cells[row] or f"row {row + 1}", wanted, name)
    notes = list(decoded.notes)
    others = frame.drop(column)
    if taken := [other for other in others.columns if other in (PATH, PICTURE)]:
        notes.append(f"columns called like those of pictures left out: {', '.join(taken)}")
        others = others.drop(taken)
    if len(decoded.kept) < frame.height:
        others = others[decoded.kept]
    kept_cells = pl.Series(PATH, [cells[row] for row in decoded.kept], dtype=pl.String)
    table = pl.DataFrame([picture_series(decoded.pixels), *others.iter_columns(), kept_cells])
    kept = decoded.kept if len(decoded.kept) < frame.height else None
    return Reading({"train": table}, tuple(notes), kept=kept, skipped=decoded.skipped)
