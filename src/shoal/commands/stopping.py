"""Ctrl-C and SIGTERM while a job works: the first asks it to stop with what is known so far, the second ends it at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from shoal.progress import Event, Listener, Stop

_SAID = b"\nStopping after the networks in hand, with the best so far. Once more to stop at once.\n"


def heeded(listener: Listener, stop: Stop) -> Listener:
    """The same listener; an interruption that was lost on its way comes through at the next event.

    Python drops an exception that a signal raises inside of a callback from C++ or of a destructor.
    """

    def hear(event: Event) -> None:
        if stop.at_once:
            raise KeyboardInterrupt
        listener(event)

    return hear


@contextmanager
def heeding_signals() -> Iterator[Stop]:
    """A request to stop that the first signal makes; where there is nothing to end with yet, and the second time, it interrupts."""
    stop = Stop()

    def heard(number: int, frame: FrameType | None) -> None:
        if stop.asked or not stop.possible:
            stop.at_once = True
            raise KeyboardInterrupt
        stop.asked = True
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, _SAID)  # a print might be inside of another one that was interrupted

    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
        for each, handler in before.items():
            if handler is not signal.SIG_IGN:  # as nohup and a shell's & want it
                signal.signal(each, heard)
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, signal.SIG_DFL if handler is None else handler)
