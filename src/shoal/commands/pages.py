"""The commands that show a run as a page: write its report, and watch it while it works."""

from __future__ import annotations

import signal
import webbrowser
from typing import Annotated

import typer

from shoal.commands import options
from shoal.commands.messages import say
from shoal.errors import OptionError, Problem
from shoal.live_record import LiveRecord, read_state
from shoal.report import WatchServer, write_live_report, write_report
from shoal.report.serving import MOST
from shoal.saved_run import REPORT

Open = Annotated[bool, typer.Option("--open", metavar="", help="Open it in the browser.")]


def report(run: options.Run, open_it: Open = False) -> None:
    """Write a run's report.html afresh, and print where it is.

    Of a run that is still working, or was interrupted, it says what is known so far.
    """
    known, path = read_state(run), run / REPORT
    if isinstance(known, LiveRecord):
        write_live_report(known, path)
        state = f"The run was interrupted. {known.ended}" if known.ended else "The run is still working: this is what is known so far."
        say("", "yellow", state)
    else:
        write_report(known, path)
    print(path)  # noqa: T201
    if open_it:
        open_page(path.absolute().as_uri())


def watch(
    run: options.Run,
    port: Annotated[str, typer.Option(metavar="N", help="Where to serve it; 0 for any port that is free.")] = "0",
    open_it: Open = False,
) -> None:
    """Watch a run while it works: a page that renews itself, served to this machine alone.

    When the run ends, the page becomes its report. Ctrl-C ends the watching, not
    the run.
    """
    wanted = options.number(port, int)
    if not (isinstance(wanted, int) and 0 <= wanted <= MOST):
        raise OptionError(Problem(f"--port is a whole number up to {MOST}", repr(port), "Leave it out: one that is free is found."))
    read_state(run)  # says what is wrong before anything is served
    with WatchServer(run, wanted) as server:
        print(server.address, flush=True)  # noqa: T201
        say("", "", "Ctrl-C ends the watching, not the run.")
        if open_it:
            open_page(server.address)
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            pass
        finally:
            signal.signal(signal.SIGTERM, before)


def open_page(address: str) -> None:
    """Show a page in the browser, or say that there is none."""
    try:
        shown = webbrowser.open(address)
    except webbrowser.Error:
        shown = False
    if not shown:
        say("", "yellow", f"No browser was found to open it with. Open {address} yourself.")
