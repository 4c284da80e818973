"""Delimited text: bytes checked (encoding, header, ragged rows) before polars parses them, so that each fault is named by line."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter

import numpy as np
import polars as pl

from shoal.errors import DataError, Problem

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}

# Cells that would keep polars from seeing a column of numbers; "None" is left to the columns, since it may be a class label.
_NULL_CELLS = ["", "NA", "N/A", "?", "nan", "NaN", "null"]
_CHUNK = 1 << 24


def parse_text(data: bytes, name: str) -> pl.DataFrame:
    """A table from the bytes of a CSV or TSV file with a header line; the separator is found by itself.

    Args:
        data: the file's bytes, decompressed.
        name: the file's name, for messages.

    Raises:
        DataError: not UTF-8, no rows, ragged rows, or column names that occur twice.

    Example:
        >>> parse_text(b"a;b\\n1;x\\n2;y\\n", "small.csv").columns
        ['a', 'b']
    """
    data = _check_utf8(data, name)
    lines = data.lstrip(b"\r\n")
    if not lines.strip():
        raise DataError(Problem(f"{name} holds a table with a header line", "an empty file", "Check that the right file was given."))
    quoted = lines.count(b'"') % 2 == 0
    header_line = _first_record(lines, quoted).decode().rstrip("\r")
    separator = max(SEPARATORS, key=(re.sub(r'"[^"]*"', "", header_line) if quoted else header_line).count)
    header = next(
        csv.reader(io.StringIO(header_line, newline=""), delimiter=separator, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE)
    )
    header = [column.strip() or f"unnamed_{number}" for number, column in enumerate(header, 1)]
    check_names(header, name)
    _check_rows(lines, separator, len(header), quoted, name, skipped=data[: len(data) - len(lines)].count(b"\n"))
    return _parse(lines, separator, header, quoted, name)


def _first_record(data: bytes, quoted: bool) -> bytes:
    """Up to the first end of a line that is not inside quotes."""
    end = data.find(b"\n")
    while quoted and end >= 0 and data.count(b'"', 0, end) % 2:
        end = data.find(b"\n", end + 1)
    return data if end < 0 else data[:end]


def check_names(names: list[str], source: str) -> None:
    """Raise a DataError naming every column name that occurs twice."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        shown = ", ".join(map(repr, twice[:8]))
        raise DataError(Problem(f"the columns of {source} have different names", f"more than one {shown}", "Rename or remove one of them."))


def _check_utf8(data: bytes, name: str) -> bytes:
    data = data.removeprefix(b"\xef\xbb\xbf")
    if data.isascii() and b"\0" not in data[:4096]:
        return data
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise _encoding_error(name, "UTF-16", "a UTF-16 byte-order mark")
    if b"\0" in data[:4096]:
        received = "zero bytes, so it is no text"
        raise DataError(Problem(f"{name} is a text table, Parquet or Arrow", received, "Export the table as CSV or Parquet."))
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _encoding_error(name, "WINDOWS-1252", f"the byte 0x{data[error.start]:02x} in line {line}") from None
    return data


def _encoding_error(name: str, encoding: str, received: str) -> DataError:
    remedy = f"It is probably {encoding}: iconv -f {encoding} -t UTF-8 {name} > converted.csv"
    return DataError(Problem(f"{name} is UTF-8 text", received, remedy))


def _check_rows(data: bytes, separator: str, expected: int, quoted: bool, name: str, skipped: int) -> None:
    """Count the separators of every line with NumPy, outside quotes, a block at a time."""
    line, separators_before, inside_quotes = 1 + skipped, 0, 0
    ragged: list[tuple[int, int]] = []
    empty_lines = _lines_that_may_be_empty(data)
    for start in range(0, len(data), _CHUNK):
        block = np.frombuffer(data, np.uint8, count=min(_CHUNK, len(data) - start), offset=start)
        is_separator, is_end = block == ord(separator), block == ord("\n")
        if quoted and (is_quote := block == ord('"')).any():
            inside = (np.cumsum(is_quote, dtype=np.int32) + inside_quotes) & 1
            inside_quotes = int(inside[-1])
            is_separator &= inside == 0
            is_end &= inside == 0
        counts = np.cumsum(is_separator, dtype=np.int32)
        ends = np.flatnonzero(is_end)
        fields = np.diff(counts[ends], prepend=-separators_before) + 1
        for index in np.flatnonzero(fields != expected)[:4]:
            end = start + int(ends[index])
            begin = data.rfind(b"\n", 0, end) + 1
            if not (empty_lines and fields[index] == 1 and not data[begin:end].strip()):
                ragged.append((line + int(index), int(fields[index])))
        separators_before = int(counts[-1]) - int(counts[ends[-1]]) if ends.size else separators_before + int(counts[-1])
        line += ends.size
        if ragged:
            break
    if not ragged and not data.endswith(b"\n") and separators_before + 1 != expected:
        ragged.append((line, separators_before + 1))
    if ragged:
        number, found = ragged[0]
        received = f"{found} in line {number}"
        remedy = f"Look at line {number}: a missing or extra {SEPARATORS[separator]}, or text that needs quotes?"
        raise DataError(Problem(f"every row of {name} has {expected} fields, as its header", received, remedy))


def _lines_that_may_be_empty(data: bytes) -> bool:
    return b"\n\n" in data or b"\n\r\n" in data


def _parse(data: bytes, separator: str, header: list[str], quoted: bool, name: str) -> pl.DataFrame:
    settings = {
        "separator": separator,
        "has_header": False,
        "skip_rows": 1,
        "new_columns": header,
        "quote_char": '"' if quoted else None,
        "null_values": _NULL_CELLS,
    }
    try:
        frame = pl.read_csv(data, infer_schema_length=10_000, **settings)
    except pl.exceptions.NoDataError:
        frame = pl.DataFrame(schema=dict.fromkeys(header, pl.String))
    except pl.exceptions.PolarsError:
        # Something later in the file than the rows that polars looked at: read text, the columns' kinds are found afterwards anyway.
        try:
            frame = pl.read_csv(data, infer_schema=False, **settings)
        except pl.exceptions.PolarsError as error:
            remedy = "Check its quotes and separators, or export it again."
            raise DataError(Problem(f"{name} is a table of delimited text", str(error).splitlines()[0], remedy)) from None
    if not frame.height:
        raise DataError(Problem(f"{name} has rows below its header", "a header only", "Check that the right file was given."))
    return frame
