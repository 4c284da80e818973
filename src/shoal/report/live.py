"""What is seen while a job works: a live display on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from shoal.progress import Event
from shoal.records import LedgerEntry
from shoal.report.wording import duration, effect, metric_name, number, one_line

SECONDS_BETWEEN_LINES = 2.0


class Progress:
    """Shows events on standard error, used as a context manager and called with each event.

    Args:
        quiet: show nothing.
        console: where to, standard error unless stated.
        clock: seconds, for tests.
        explain: give the reasoning of each change of the recipe loop.

    Example:
        >>> with Progress(quiet=True) as progress:
        ...     progress(Event("search", done=3, trials=64))
    """

    def __init__(
        self,
        quiet: bool = False,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
        explain: bool = False,
    ) -> None:
        self._quiet, self._explain = quiet, explain
        self._console = console or Console(stderr=True)
        self._clock = clock
        self._live: Live | None = None
        self._event: Event | None = None
        self._said: tuple[str, float] | None = None
        self._started = clock()
        self._spinner = Spinner("dots", style="cyan")

    def __enter__(self) -> Progress:
        self._started = self._clock()
        if not self._quiet and self._console.is_terminal:
            # what is left behind is the summary, so the display cleans up after itself
            self._live = Live(get_renderable=self._display, console=self._console, refresh_per_second=8, transient=True)
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __call__(self, event: Event) -> None:
        """Show one event."""
        self._event = event
        if event.entry is not None and not self._quiet:
            self._say_entry(event.entry)
            return
        if self._quiet or self._live is not None:
            return
        now = self._clock()
        if self._said is None or self._said[0] != event.stage or now - self._said[1] >= SECONDS_BETWEEN_LINES:
            self._said = (event.stage, now)
            text = "  ".join([f"[{duration(now - self._started)}]", event.stage, *_facts(event)])
            self._console.print(Text(text), soft_wrap=True)

    def _say_entry(self, entry: LedgerEntry) -> None:
        """A line of the ledger, which stays above the live display; controls are left to the ledger itself."""
        if entry.kind == "control":
            return
        tone = {"kept": "bold green", "rejected": "dim"}.get(entry.decision, "")
        line = Text.assemble(f"step {entry.step}  {one_line(entry.reason)}: ", (one_line(entry.change), "bold"))
        self._console.print(line.append(f"  dev loss {effect(entry.loss)}  ").append(entry.decision, tone), soft_wrap=True)
        if self._explain and entry.explanation:
            self._console.print(Text(f"  {entry.explanation}", "italic"), soft_wrap=True)

    def _display(self) -> Group | Text:
        event = self._event
        if event is None:
            return Text("starting", "dim")
        head = Table.grid(padding=(0, 1))
        head.add_row(self._spinner, Text(event.stage, "bold"), Text(one_line(event.detail), "dim", overflow="ellipsis", no_wrap=True))
        bar = Table.grid(padding=(0, 2))
        width = max(10, min(48, self._console.width - 30))
        if event.done is not None and event.trials:
            row = [ProgressBar(total=event.trials, completed=event.done, width=width), Text(f"{event.done} of {event.trials}")]
        else:
            row = [ProgressBar(total=None, width=width, animation_time=self._clock()), Text("")]
        bar.add_row(*row, Text(_left(event), "dim"))
        facts = [fact for fact in _facts(event, counted=False) if fact]
        return Group(head, bar, Text("  ".join(facts), no_wrap=True, overflow="ellipsis"))


def _facts(event: Event, counted: bool = True) -> list[str]:
    """What is known beyond the stage; ``counted`` includes what the live display shows elsewhere."""
    facts = []
    if counted and event.detail:
        facts.append(one_line(event.detail))
    if event.rung is not None:
        facts.append(f"rung {event.rung + 1}" + (f" of {event.rungs}" if event.rungs else ""))
    if event.alive is not None:
        facts.append(f"{event.alive} alive")
    if counted and event.done is not None:
        facts.append(f"{event.done} of {event.trials} done" if event.trials else f"{event.done} done")
    if event.best is not None:
        name = metric_name(event.metric) or "score"
        facts.append(f"best {name if name.startswith('dev ') else f'dev {name}'} {number(event.best)}")
    if counted and (left := _left(event)):
        facts.append(left)
    return facts


def _left(event: Event) -> str:
    # the last second is spent on what no estimate covers
    return "" if event.seconds_left is None or event.seconds_left < 1 else f"about {duration(event.seconds_left)} left"
