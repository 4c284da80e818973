"""A command that dies at a chosen moment: by SIGKILL, from inside, just before a given operation on its run's folder.

A process that has imported the package forks each command (``multiprocessing``'s fork server), so that a command costs what it does and not
what importing costs. Operations are found, not listed: Python reports every file opened for writing and every renaming, making and
removing (``sys.addaudithook``), SQLAlchemy every statement and every commit; flushing to the disk is looked at on its way.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from shoal.cli import app

Death = tuple[str, int]
"""The operation, and the how-manieth of its kind is the last that is begun."""

_AUDITED = {"os.rename": 1, "os.mkdir": 0, "os.remove": 0, "os.rmdir": 0, "os.truncate": 0}
"""Which argument names what is changed."""
_WRITING = os.O_WRONLY | os.O_RDWR


def started(arguments: Sequence[object], folder: Path, death: Death | None = None, log: Path | None = None) -> ForkServerProcess:
    """The command in a process of its own.

    Args:
        arguments: of ``shoal``.
        folder: the run's, in which operations are counted.
        death: at which operation it kills itself.
        log: where each operation is written to, one a line; and what the command printed, in ``log.err``.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mortal", "shoal.improve"])
    process = context.Process(target=run, args=([str(each) for each in arguments], str(folder), death, log and str(log)))
    process.start()
    return process


def run(arguments: list[str], folder: str, death: Death | None, log: str | None) -> None:
    """The body of the process."""
    _watch(folder, death, log)
    with Path(f"{log}.err" if log else os.devnull).open("a") as out, redirect_stdout(out), redirect_stderr(out):
        app(arguments, prog_name="shoal")


class _Operations:
    """Counts operations, and ends the process at one of them."""

    def __init__(self, death: Death | None, log: str | None) -> None:
        self._death, self._counts, self._lock = death, Counter[str](), threading.RLock()
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if log else None

    def reached(self, kind: str, last_words: Callable[[], None] = lambda: None) -> None:
        """An operation that is about to begin; ``last_words`` is what of it happens if it is the last."""
        with self._lock:
            self._counts[kind] += 1
            if self._log is not None:
                os.write(self._log, f"{kind}\n".encode())
            if self._death == (kind, self._counts[kind]):
                last_words()
                os.kill(os.getpid(), signal.SIGKILL)


def _watch(folder: str, death: Death | None, log: str | None) -> None:
    operations = _Operations(death, log)

    def audit(name: str, arguments: tuple[Any, ...]) -> None:
        if name == "open" and isinstance(arguments[0], str | os.PathLike) and (arguments[2] or 0) & _WRITING:
            path = os.fspath(arguments[0])
        elif name in _AUDITED:
            path = str(arguments[_AUDITED[name]])
        else:
            return
        if path.startswith(folder):
            operations.reached(f"{name} {_named(path, folder)}")

    def flush(descriptor: int) -> None:
        path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        if path.startswith(folder):
            operations.reached(f"flush {_named(path, folder)}", lambda: _tear(path))
        fsync(descriptor)

    fsync, os.fsync = os.fsync, flush
    sys.addaudithook(audit)

    @event.listens_for(Engine, "before_cursor_execute")
    def _statement(_connection, _cursor, statement: str, *_: object) -> None:
        verb = statement.split(None, 1)[0].upper()
        if verb in ("INSERT", "UPDATE", "CREATE"):
            operations.reached(f"study.db {verb}")

    @event.listens_for(Engine, "commit")
    def _commit(_connection) -> None:
        operations.reached("study.db COMMIT")


def _named(path: str, folder: str) -> str:
    """A path within the folder, without what differs from process to process and from job to job."""
    within = os.path.relpath(path, folder)
    return re.sub(r"\d+", "N", within)


def _tear(path: str) -> None:
    """Of what was not flushed a part is lost: half of the last line of a file that lines are appended to, half of another."""
    content = Path(path).read_bytes()
    begin = content.rstrip(b"\n").rfind(b"\n") + 1 if path.endswith("trials") else 0
    os.truncate(path, begin + (len(content) - begin) // 2)
