"""Files that survive a kill: written whole or not at all, checked when read, never executed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors
from safetensors.numpy import save as save_safetensors

from shoal.errors import Problem, RunFolderError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_RESTORE = "Restore it from a copy, or train again."


def write_atomically(path: Path, content: bytes, flushed: bool = True) -> None:
    """Replace a file by new content: a temporary name in the same folder, flush, rename.

    Args:
        path: of the file.
        content: the whole of it.
        flushed: whether it is seen on the disk first; what is written again soon need not be.

    Raises:
        RunFolderError: no permission, or the disk is full; the old file is untouched and nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            if flushed:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise RunFolderError(cannot_write(path, error)) from error


def cannot_write(path: Path, error: OSError) -> Problem:
    """The problem of a file that cannot be written."""
    remedies = {errno.ENOSPC: "Free some disk space.", errno.EDQUOT: "Free some disk space."}
    return Problem(
        "the results can be written", f"{error.strerror or error} at {path}", remedies.get(error.errno or 0, "Choose another folder.")
    )


def read_bytes(path: Path) -> bytes:
    """The content of a file of a run.

    Raises:
        RunFolderError: the file is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise RunFolderError(Problem("a run folder holds the files shoal wrote", f"{error.strerror} for {path}", _RESTORE)) from error


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write plain data with its checksum."""
    body = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
    write_atomically(
        path, json.dumps({"sha256": hashlib.sha256(body.encode()).hexdigest(), "content": content}, ensure_ascii=False, indent=1).encode()
    )


def read_json(path: Path, newest_format: int) -> dict[str, Any]:
    """Read what ``write_json`` wrote.

    Raises:
        RunFolderError: missing, cut short, changed since it was written, or of a newer format than ``newest_format``.
    """
    try:
        whole = json.loads(read_bytes(path))
        content, checksum = whole["content"], whole["sha256"]
        body = _canonical(content)
        written_in = int(content.get("format", 0))
    except (AttributeError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunFolderError(Problem("a run's file is complete", f"{path}, which is cut short or changed", _RESTORE)) from error
    if hashlib.sha256(body).hexdigest() != checksum:
        raise RunFolderError(Problem("a run's file is as shoal wrote it", f"{path}, which was changed", _RESTORE))
    if written_in > newest_format:
        received = f"format {written_in} in {path}, newer than {newest_format}"
        raise RunFolderError(Problem("the file's format is known to this version of shoal", received, "Install a newer shoal."))
    return content


def _canonical(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True).encode(errors="surrogatepass")


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> str:
    """Write arrays as safetensors; returns the SHA-256 of the file."""
    content = save_safetensors({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    write_atomically(path, content)
    return hashlib.sha256(content).hexdigest()


def read_arrays(path: Path, sha256: str | None = None) -> dict[str, np.ndarray]:
    """Read what ``write_arrays`` wrote.

    Raises:
        RunFolderError: missing, cut short, or not the file with that SHA-256.
    """
    content = read_bytes(path)
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise RunFolderError(Problem("the weights are as shoal wrote them", f"{path}, which was cut short or changed", _RESTORE))
    try:
        return load_safetensors(content)
    except (SafetensorError, ValueError, KeyError) as error:
        raise RunFolderError(Problem("the weights are a safetensors file", f"{path}: {error}", _RESTORE)) from error


def append_line(path: Path, line: bytes) -> None:
    """Append one record with its checksum, and see it on the disk."""
    if b"\n" in line:
        raise ValueError("a record is one line")
    try:
        with path.open("ab") as file:
            file.write(b"%08x %s\n" % (zlib.crc32(line), line))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise RunFolderError(cannot_write(path, error)) from error


def remove_torn_lines(path: Path) -> None:
    """Cut off a torn record and what follows it: a record appended behind it would never be read."""
    whole = b"".join(b"%08x %s\n" % (zlib.crc32(line), line) for line in read_lines(path))
    if path.exists() and path.stat().st_size != len(whole):
        write_atomically(path, whole)


def remove_temporary_files(folder: Path) -> None:
    """Remove what a killed process was writing. Only for who holds the folder's lock."""
    for path in (*folder.glob(".*.tmp"), *folder.glob("*/.*.tmp")):
        path.unlink(missing_ok=True)


def lock(path: Path) -> int:
    """Keep other processes out as long as the returned descriptor is open; the lock ends with its process, however that ends.

    Args:
        path: a file for nothing else: closing any other descriptor of it would end the lock.

    Raises:
        RunFolderError: another process holds it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    if fcntl is not None:
        try:
            # lockf, not flock: who was interrupted in a notebook must not be locked out by a descriptor that a traceback keeps alive
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):  # else the file system has no locks
                os.close(descriptor)
                raise RunFolderError(
                    Problem("one process at a time works on a run", "a run that another process works on", "Wait for it, or stop it.")
                ) from None
    return descriptor


def read_lines(path: Path) -> Iterator[bytes]:
    """The records of a file up to the first that is torn: what follows a torn record was never acknowledged."""
    if not path.exists():
        return
    *whole, _torn = read_bytes(path).split(b"\n")
    for record in whole:
        checksum, _, line = record.partition(b" ")
        if checksum != b"%08x" % zlib.crc32(line):
            return
        yield line
