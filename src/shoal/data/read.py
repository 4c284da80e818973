"""Sources of tables: files, data frames, arrays and bundled examples, all read into a polars frame."""

from __future__ import annotations

import gzip
import hashlib
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from shoal.data.pictures.arrays import is_picture_array, read_array
from shoal.data.pictures.column import is_pictures, pixels_of
from shoal.data.pictures.decode import listed
from shoal.data.pictures.encoder import PictureEncoder
from shoal.data.pictures.folder import read_folder
from shoal.data.pictures.idx import is_idx, read_idx
from shoal.data.pictures.npz import read_npy, read_npz
from shoal.data.pictures.path_table import read_paths
from shoal.data.pictures.reading import Reading, Wanted
from shoal.data.text_file import check_names, parse_text
from shoal.errors import DataError, PicturesLeftOut, Problem, did_you_mean, nearest

EXAMPLES = {"digits": "load_digits", "breast-cancer": "load_breast_cancer", "diabetes": "load_diabetes", "wine": "load_wine"}
"""``example:<name>`` and the scikit-learn function that loads it, offline."""

_READERS: dict[str, Callable[[bytes], pl.DataFrame]] = {
    ".parquet": lambda data: pl.read_parquet(io.BytesIO(data)),
    ".arrow": lambda data: _read_arrow(data),
    ".jsonl": lambda data: pl.read_ndjson(io.BytesIO(data), infer_schema_length=None),
    ".json": lambda data: pl.read_json(io.BytesIO(data), infer_schema_length=None),
}
_WHOLE = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)
_SAME_AS = {".pq": ".parquet", ".feather": ".arrow", ".ipc": ".arrow", ".ndjson": ".jsonl"}
_FOREIGN = {".xlsx", ".xls", ".ods", ".mat", ".zip", ".pkl", ".pickle", ".h5", ".hdf5"}


def read_table(source: Any, *, like: PictureEncoder | None = None) -> pl.DataFrame:
    """The table that ``source`` names or holds.

    Args:
        source: a path (CSV, TSV, Parquet, Arrow or Feather, JSON lines; text also as .gz or .zst), ``"example:digits"`` (or breast-cancer,
            diabetes, wine; the column to predict is ``target``), a polars, pandas or Arrow frame, a mapping of columns, or an array
            [rows, columns], whose columns are named x0, x1, ... Pictures: a folder of them, a table with a column of their paths, NPZ, NPY
            and IDX files, or an array [rows, height, width] or [rows, height, width, channels]; they become a column ``picture``.
        like: the pictures that a model was trained on; others are brought to their size and channels as they are read.

    Raises:
        DataError: naming what is wrong with the file or the frame, and what to do.

    Example:
        >>> read_table("example:wine").shape
        (178, 14)
        >>> read_table(np.zeros((3, 28, 28), np.uint8))["picture"].dtype
        Array(UInt8, shape=(28, 28, 1))
    """
    reading = read_source(source, wanted_like(like))
    if reading.skipped:
        names = listed(reading.skipped)
        count = f"{len(reading.skipped):,} picture{'s' * (len(reading.skipped) > 1)}"
        warnings.warn(f"{count} of {source_name(source)} left out, which cannot be read: {names}", PicturesLeftOut, stacklevel=2)
    return reading.frame


def wanted_like(like: PictureEncoder | None) -> Wanted:
    """What new rows are read for by a model: pictures in the size and with the channels of those that it was trained on."""
    return Wanted() if like is None else Wanted(size=(like.height, like.width), channels=like.channels)


def read_source(source: Any, wanted: Wanted) -> Reading:
    """A source with its own parts and what is to be said about it; errors as those of ``read_table``.

    Args:
        source: as ``read_table`` takes.
        wanted: what for.
    """
    if isinstance(source, str) and source.startswith("example:"):
        return Reading({"train": _read_example(source.removeprefix("example:"))})
    if isinstance(source, str | Path):
        return _read_path(Path(source), wanted)
    if isinstance(source, np.ndarray | list | tuple):
        array = _as_array(source)
        return read_array(array, wanted) if is_picture_array(array) else Reading({"train": _from_array(array)})
    if isinstance(source, dict):
        frame = _from_mapping(source)
    else:
        frame = source.collect() if isinstance(source, pl.LazyFrame) else _from_frame(source)
    return read_paths(frame, None, wanted, source_name(source))


def _read_path(path: Path, wanted: Wanted) -> Reading:
    if path.is_dir():
        try:
            return read_folder(path, wanted)
        except OSError as error:
            received = f"{error.filename or path}: {error.strerror or error}"
            raise DataError(Problem(f"the folder {str(path)!r} can be read", received, "Check its permissions.")) from None
    if is_idx(path) and path.exists():
        return read_idx(path, wanted)
    if path.suffix.lower() in (".npz", ".npy"):
        _bytes_of(path, 1)  # the errors about a file that is not there, or may not be read
        if path.suffix.lower() == ".npz":
            return read_npz(path, wanted)
        found = read_npy(path, wanted)
        return found if isinstance(found, Reading) else Reading({"train": _from_array(found)})
    return read_paths(read_file(path), path.parent, wanted, path.name)


def source_name(source: Any) -> str:
    """What to call the source in messages and reports."""
    if isinstance(source, str) and source.startswith("example:"):
        return source
    if isinstance(source, str | Path):
        return Path(source).name or Path(source).resolve().name
    return "the array" if isinstance(source, np.ndarray | list | tuple) else "the data frame"


def fingerprint(*frames: pl.DataFrame) -> str:
    """SHA-256 of column names, types and cells, the same on every machine and for every file format that holds the same table.

    Example:
        >>> fingerprint(pl.DataFrame({"a": [1]})) == fingerprint(pl.DataFrame({"a": [1]}))
        True
    """
    digest = hashlib.sha256()
    for frame in frames:
        digest.update(f"table {frame.height}\n".encode())
        for column in frame.iter_columns():
            digest.update(f"{column.name}\n{column.dtype}\n".encode())
            if column.null_count():
                digest.update(np.packbits(column.is_null().to_numpy()).tobytes())
            if is_pictures(column.dtype) and not column.null_count():
                digest.update(pixels_of(column).data)
                continue
            physical = column.to_physical()
            if physical.dtype.is_float() or physical.dtype in _WHOLE or physical.dtype == pl.Boolean:
                filled = physical.fill_null(False if physical.dtype == pl.Boolean else 0)
                digest.update(np.ascontiguousarray(filled.to_numpy()).tobytes())
            elif column.dtype == pl.String:
                digest.update(column.str.len_bytes().fill_null(0).to_numpy().tobytes())
                digest.update("".join(column.drop_nulls().to_list()).encode())
            else:
                digest.update("\x1f".join(map(str, column.to_list())).encode())
    return digest.hexdigest()


def read_file(path: Path) -> pl.DataFrame:
    """The table in one file.

    Raises:
        DataError: missing (with the nearest names in its folder), unreadable, empty, or malformed.
    """
    data = _bytes_of(path)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    data, suffixes = _decompress(data, suffixes, path.name)
    suffix = suffixes[-1] if suffixes else ""
    kind = ".parquet" if data[:4] == b"PAR1" else ".arrow" if data[:6] == b"ARROW1" else _SAME_AS.get(suffix, suffix)
    if kind in _FOREIGN:
        raise DataError(
            Problem(f"{path.name} is CSV, TSV, Parquet, Arrow or JSON lines", f"a {suffix} file", "Export it as CSV or Parquet.")
        )
    if kind not in _READERS:
        return parse_text(data, path.name)
    try:
        frame = _READERS[kind](data)
    except (pl.exceptions.PolarsError, ValueError, OSError) as error:
        received = (str(error).splitlines() or ["nothing readable"])[0][:200]
        raise DataError(
            Problem(f"{path.name} is a whole {kind[1:]} file", received, "Write the file again, or export it as CSV.")
        ) from None
    if not frame.height:
        raise DataError(Problem(f"{path.name} has rows", "no rows", "Check that the right file was given."))
    return frame


def _bytes_of(path: Path, most: int = -1) -> bytes:
    """What the file holds, or its first bytes."""
    try:
        with path.open("rb") as file:
            data = file.read(most)
    except FileNotFoundError:
        raise DataError(Problem("the data file exists", repr(str(path)), _suggestion(path))) from None
    except OSError as error:
        received = f"{str(path)!r}: {error.strerror or error}"
        raise DataError(Problem("the data file can be read", received, "Check its name and its permissions.")) from None
    if not data:
        raise DataError(Problem(f"{path.name} holds data", "an empty file", "Check that the right file was given."))
    return data


def _decompress(data: bytes, suffixes: list[str], name: str) -> tuple[bytes, list[str]]:
    if suffixes and suffixes[-1] in (".gz", ".zst", ".zstd"):
        suffixes = suffixes[:-1]
    try:
        if data[:2] == b"\x1f\x8b":
            return gzip.decompress(data), suffixes
        if data[:4] == b"\x28\xb5\x2f\xfd":
            return _decompress_zstd(data), suffixes
    except (OSError, EOFError, ValueError, pl.exceptions.PolarsError) as error:
        remedy = "Download or compress it again."
        raise DataError(Problem(f"{name} is a whole compressed file", str(error).splitlines()[0], remedy)) from None
    return data, suffixes


def _decompress_zstd(data: bytes) -> bytes:
    # polars carries a Zstandard decoder, so no further package is needed: every line is read as one cell, and joined again.
    lines = pl.read_csv(data, has_header=False, separator="\x01", quote_char=None, infer_schema=False)
    return ("\n".join(lines.to_series().fill_null("").to_list()) + "\n").encode()


def _read_arrow(data: bytes) -> pl.DataFrame:
    if data[:6] == b"ARROW1":
        return pl.read_ipc(io.BytesIO(data))
    return pl.read_ipc_stream(io.BytesIO(data))


def _suggestion(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"There is no folder {str(folder)!r} either."
    names = [entry.name for entry in folder.iterdir()]
    match = nearest(path.name, names)
    return f"Did you mean {str(folder / match)!r}?" if match else f"No file in {str(folder)!r} has a similar name."


def _read_example(name: str) -> pl.DataFrame:
    if name not in EXAMPLES:
        raise DataError(Problem("an example is one that comes with scikit-learn", repr(name), did_you_mean(name, EXAMPLES)))
    import sklearn.datasets

    bunch: Any = getattr(sklearn.datasets, EXAMPLES[name])()
    columns: dict[str, Any] = dict(zip(map(str, bunch.feature_names), bunch.data.T, strict=True))
    target = bunch.target
    if hasattr(bunch, "target_names") and target.dtype.kind == "i" and bunch.target_names.dtype.kind in "US":
        target = bunch.target_names[target].tolist()
    return pl.DataFrame({**columns, "target": target})


def _from_mapping(source: dict) -> pl.DataFrame:
    try:
        return pl.DataFrame({str(name): values for name, values in source.items()}, strict=False)
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        raise DataError(
            Problem("a mapping holds columns of one length", str(error).splitlines()[0], "Give one list of cells per column.")
        ) from None


def _as_array(source: Any) -> np.ndarray:
    try:
        return np.asarray(source)
    except (TypeError, ValueError) as error:
        raise DataError(Problem("an array has rows of one length", str(error), "Give an array [rows, columns].")) from None


def _from_array(array: np.ndarray) -> pl.DataFrame:
    if array.ndim != 2:
        remedy = "Reshape your data: X.reshape(-1, 1) makes one column, X.reshape(1, -1) one row."
        raise DataError(
            Problem(
                "an array of inputs has 2 dimensions, [rows, columns], or is one of pictures, [rows, height, width]",
                f"shape {array.shape}",
                remedy,
            )
        )
    if not array.shape[1]:
        raise DataError(Problem("an array of inputs has at least one column", f"shape {array.shape}", "Give an array [rows, columns]."))
    if np.iscomplexobj(array):
        raise DataError(Problem("inputs are real numbers", "Complex data not supported", "Give real and imaginary parts as two columns."))
    if array.dtype == object:
        return pl.DataFrame([_object_column(f"x{index}", array[:, index].tolist()) for index in range(array.shape[1])])
    if array.dtype.kind in "US":
        array = array.astype(str)
        return pl.DataFrame({f"x{index}": array[:, index].tolist() for index in range(array.shape[1])})
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    return pl.DataFrame({f"x{index}": np.ascontiguousarray(array[:, index]) for index in range(array.shape[1])})


def _object_column(name: str, cells: list) -> pl.Series:
    try:
        return pl.Series(name, cells)
    except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError):
        return pl.Series(name, [None if cell is None or cell != cell else str(cell) for cell in cells], dtype=pl.String)


def _from_frame(source: Any) -> pl.DataFrame:
    try:
        frame = nw.from_native(source, eager_only=True)
        names = [str(name) for name in frame.columns]
    except (TypeError, ValueError) as error:
        if "duplicate" in str(error).lower() or "unique" in str(error).lower():
            check_names([str(name) for name in source.columns], "the data frame")
        received = f"an object of type {type(source).__module__}.{type(source).__name__}"
        remedy = "Give a file name, a polars, pandas or Arrow data frame, or an array."
        raise DataError(Problem("the data are a file, a data frame or an array", received, remedy)) from None
    check_names(names, "the data frame")
    if isinstance(source, pl.DataFrame):
        return source
    return pl.DataFrame(
        {name: _frame_column(name, frame.get_column(original)) for name, original in zip(names, frame.columns, strict=True)}
    )


def _frame_column(name: str, column: Any) -> pl.Series:
    try:
        return column.to_polars().alias(name)
    except (ImportError, pl.exceptions.PolarsError, TypeError, ValueError):
        # pandas text needs pyarrow to convert; without it, or for mixed cells, go by way of Python objects.
        return _object_column(name, column.to_list())
