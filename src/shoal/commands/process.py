"""What the process of a command does otherwise than Python would by itself: a fifth of the time of a short run."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
import time
from collections.abc import Callable

STARTED = time.perf_counter()
"""When the process began, but for the tenths of a second until this was loaded: a budget counts from here."""

GARBAGE_AFTER = (100_000, 50, 100)
"""Objects after which garbage is looked for, in each of three generations; Python's own is 700, 10, 10. Imports and tracing make hundreds
of thousands of objects, nearly all of which stay."""


def run(command: Callable[[], None]) -> None:
    """Run a command, and leave without taking apart all modules and objects, when everything is written and no thread is at work.

    Args:
        command: ends by ``SystemExit``, or with an error that is a bug, which Python then shows.
    """
    gc.set_threshold(*GARBAGE_AFTER)
    try:
        command()
    except SystemExit as end:
        if not isinstance(end.code, int | None) or _others_at_work():
            raise
        try:
            sys.stdout.flush()
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
        except OSError:  # nobody reads any more; Python has its own way to say so
            raise end from None
        os._exit(end.code or 0)


def _others_at_work() -> bool:
    main = threading.main_thread()
    return any(not thread.daemon and thread is not main for thread in threading.enumerate())
